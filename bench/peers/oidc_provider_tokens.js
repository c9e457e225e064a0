// npm `oidc-provider` as a token endpoint: public clients with PKCE, JWT access tokens signed with ES256,
// refresh tokens that are rotated, everything in memory.
//
// node oidc_provider_tokens.js PORT REQUESTS COUNT
//
// Before it listens it gives COUNT codes and COUNT refresh tokens to a thousand clients, and writes the
// request for each of them into the folder REQUESTS, one body a line, as `bench/grants.rs` does. Its own
// in-memory adapter forgets all but the last thousand entries; this one is a `Map` and forgets none.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';

import Provider from 'oidc-provider';

const [port, requests, count] = process.argv.slice(2);
const CLIENTS = 1000;
const REDIRECT_URI = 'https://app.example/cb';
const SCOPE = 'mcp:tools mcp:resources';
const RESOURCE = 'https://tools.example/mcp';
const DAY = 86_400;

class InMemory {
  static entries = new Map();

  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload) {
    InMemory.entries.set(this.key(id), payload);
  }

  async find(id) {
    return InMemory.entries.get(this.key(id));
  }

  async consume(id) {
    InMemory.entries.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    InMemory.entries.delete(this.key(id));
  }

  async revokeByGrantId() {}
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signing = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'bench' };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: InMemory,
  clients: Array.from({ length: CLIENTS }, (_, number) => ({
    client_id: `client-${number}`,
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: 'ES256',
  })),
  jwks: { keys: [signing] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clientAuthMethods: ['none'],
  scopes: ['openid', 'offline_access', ...SCOPE.split(' ')],
  responseTypes: ['code'],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  expiresWithSession: async () => false,
  ttl: { AuthorizationCode: DAY, RefreshToken: 30 * DAY, Grant: 365 * DAY, AccessToken: 900 },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true, initialAccessToken: false, issueRegistrationAccessToken: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: async () => RESOURCE,
      useGrantedResource: async () => true,
      getResourceServerInfo: async () => ({
        scope: SCOPE,
        audience: RESOURCE,
        accessTokenTTL: 900,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

const verifier = randomBytes(32).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');

async function granted(client) {
  const grant = new provider.Grant({ accountId: 'developer', clientId: client.clientId });
  grant.addOIDCScope(SCOPE);
  grant.addResourceScope(RESOURCE, SCOPE);
  return { accountId: 'developer', client, grantId: await grant.save(), scope: SCOPE, resource: RESOURCE };
}

const codes = [];
const tokens = [];
for (let number = 0; number < Number(count); number += 1) {
  const client = await provider.Client.find(`client-${number % CLIENTS}`);
  const code = await new provider.AuthorizationCode({
    ...(await granted(client)),
    redirectUri: REDIRECT_URI,
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
    gty: 'authorization_code',
  }).save();
  codes.push(new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: client.clientId,
    code,
    code_verifier: verifier,
    redirect_uri: REDIRECT_URI,
  }));
  const token = await new provider.RefreshToken({ ...(await granted(client)), gty: 'authorization_code' }).save();
  tokens.push(new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: client.clientId,
    refresh_token: token,
  }));
}
mkdirSync(requests, { recursive: true });
for (const [name, lines] of Object.entries({ codes, refresh_tokens: tokens })) {
  writeFileSync(`${requests}/${name}`, lines.map((line) => `${line}\n`).join(''));
}

const server = provider.listen(Number(port), '127.0.0.1', 1024);
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
