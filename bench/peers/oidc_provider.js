// npm `oidc-provider` with open dynamic registration, set up as its documentation asks for production.
//
// node oidc_provider.js PORT [DATABASE]
//
// Without DATABASE it keeps clients in its own in-memory adapter (which forgets all but the last
// thousand). With DATABASE it keeps them in SQLite, each write durable before it is answered.
// What it may leave out, it leaves out: no registration access token is issued, so that an answer
// costs one write.

import { generateKeyPairSync, randomBytes } from 'node:crypto';

import Provider from 'oidc-provider';

const [port, database] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const signing = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'bench' };

const configuration = {
  jwks: { keys: [signing] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
  scopes: ['openid', 'offline_access', 'mcp:tools', 'mcp:resources'],
  responseTypes: ['code'],
  features: {
    devInteractions: { enabled: false },
    registration: {
      enabled: true,
      initialAccessToken: false,
      issueRegistrationAccessToken: false,
    },
  },
};
if (database) {
  const { durable } = await import('./oidc_sqlite_adapter.js');
  configuration.adapter = durable(database);
}

const provider = new Provider(issuer, configuration);
const server = provider.listen(Number(port), '127.0.0.1', 1024);
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
