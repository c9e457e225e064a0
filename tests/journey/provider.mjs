// What a program built with the MCP SDK keeps for itself: its registration, its verifier, its tokens.

export class Provider {
  constructor(clientMetadata) {
    this.clientMetadata = { redirect_uris: ["http://localhost:8090/callback"], client_name: "Journey", ...clientMetadata };
    this.kept = {};
  }
  get redirectUrl() { return this.clientMetadata.redirect_uris[0]; }
  state() { return (this.kept.state = crypto.randomUUID()); }
  clientInformation() { return this.kept.client; }
  saveClientInformation(client) { this.kept.client = client; }
  tokens() { return this.kept.tokens; }
  saveTokens(tokens) { this.kept.tokens = tokens; }
  redirectToAuthorization(url) { this.kept.url = url; }
  saveCodeVerifier(verifier) { this.kept.verifier = verifier; }
  codeVerifier() { return this.kept.verifier; }
}
