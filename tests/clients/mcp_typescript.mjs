// The MCP SDK for TypeScript, unmodified, against the `rfc7591` profile: its registration call, and its
// whole authorization flow up to the moment at which a browser would open. Where the server listens stands
// in DOORWARD_URL; DOORWARD_LIMITED_URL is a second one, which soon refuses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { auth, registerClient } from "@modelcontextprotocol/sdk/client/auth.js";
import {
  InvalidClientMetadataError,
  TemporarilyUnavailableError,
} from "@modelcontextprotocol/sdk/server/auth/errors.js";

const { DOORWARD_URL, DOORWARD_LIMITED_URL } = process.env;
const LIMIT = Number(process.env.DOORWARD_LIMIT);
const REDIRECT_URI = "http://localhost:8090/callback";

// What the SDK's example client sends: it asks for a secret, and has to get by without.
const clientMetadata = {
  client_name: "Simple OAuth MCP Client",
  redirect_uris: [REDIRECT_URI],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "client_secret_post",
};

// The error with which the SDK answers a registration of `changes`.
const refused = (changes, base = DOORWARD_URL) =>
  registerClient(base, { clientMetadata: { ...clientMetadata, ...changes } }).then(
    () => undefined,
    (reason) => reason,
  );

test("the example client is registered, as a public client", async () => {
  const before = Math.floor(Date.now() / 1000) - 1;

  const answer = await registerClient(DOORWARD_URL, { clientMetadata });

  const { client_id, client_id_issued_at, ...metadata } = answer;
  assert.match(client_id, /^[0-9a-f-]{36}$/);
  assert.ok(client_id_issued_at >= before && client_id_issued_at <= before + 10, client_id_issued_at);
  assert.deepEqual(metadata, { ...clientMetadata, token_endpoint_auth_method: "none" });
});

test("an endpoint that the metadata names is used", async () => {
  const metadata = {
    issuer: DOORWARD_URL,
    authorization_endpoint: `${DOORWARD_URL}/authorize`,
    token_endpoint: `${DOORWARD_URL}/token`,
    registration_endpoint: `${DOORWARD_URL}/oauth2/register`,
    response_types_supported: ["code"],
  };

  const answer = await registerClient(DOORWARD_URL, { metadata, clientMetadata, scope: "mcp:tools" });

  assert.equal(answer.scope, "mcp:tools");
});

test("a client that sends nothing but its redirect URI is registered", async () => {
  const answer = await registerClient(DOORWARD_URL, { clientMetadata: { redirect_uris: [REDIRECT_URI] } });

  assert.deepEqual(answer.redirect_uris, [REDIRECT_URI]);
  assert.equal(answer.token_endpoint_auth_method, "none");
});

test("wrong metadata is the SDK's own error, which names the member", async () => {
  const error = await refused({ redirect_uris: [] });

  assert.ok(error instanceof InvalidClientMetadataError, String(error));
  assert.match(error.message, /redirect_uris/);
});

test("a refused redirect URI comes back with the reason", async () => {
  const error = await refused({ redirect_uris: ["https://example.com/callback#fragment"] });

  assert.match(String(error), /redirect_uris\[0\]|fragment/);
});

test("too many requests say that it is worth another try", async () => {
  let error;
  for (let count = 0; count <= 2 * LIMIT && !error; count += 1) error = await refused({}, DOORWARD_LIMITED_URL);

  assert.ok(error instanceof TemporarilyUnavailableError, String(error));
});

test("the authorization flow registers and comes as far as the browser", async () => {
  const kept = {};
  const provider = {
    redirectUrl: REDIRECT_URI,
    clientMetadata,
    clientInformation: () => kept.client,
    saveClientInformation: (client) => { kept.client = client; },
    tokens: () => undefined,
    saveTokens: () => assert.fail("nobody issued tokens"),
    redirectToAuthorization: (url) => { kept.url = url; },
    saveCodeVerifier: () => {},
    codeVerifier: () => assert.fail("nobody redeems a code"),
  };

  const outcome = await auth(provider, { serverUrl: DOORWARD_URL });

  assert.equal(outcome, "REDIRECT");
  assert.match(kept.client.client_id, /^[0-9a-f-]{36}$/);
  assert.equal(kept.url.searchParams.get("client_id"), kept.client.client_id);
  assert.equal(kept.url.searchParams.get("redirect_uri"), REDIRECT_URI);
});
