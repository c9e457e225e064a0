// The strictest OAuth clients in the field, unmodified, from discovery to revocation: oauth4webapi and
// openid-client. DOORWARD_URL is the issuer, TOOLS_URL a resource it knows, which asks about tokens by the
// name and the secret in TOOLS_ID and TOOLS_SECRET.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { Person } from "./person.mjs";

const { DOORWARD_URL, TOOLS_URL, TOOLS_ID, TOOLS_SECRET } = process.env;
const ISSUER = new URL(DOORWARD_URL);
const REDIRECT_URI = "http://127.0.0.1:51004/callback";
const insecure = { [oauth.allowInsecureRequests]: true };
const none = oauth.None();

async function server(algorithm) {
  return oauth.processDiscoveryResponse(ISSUER, await oauth.discoveryRequest(ISSUER, { algorithm, ...insecure }));
}

async function registered(as) {
  const metadata = { client_name: "Journey", redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: "none" };
  const answer = await oauth.dynamicClientRegistrationRequest(as, metadata, insecure);
  return oauth.processDynamicClientRegistrationResponse(answer);
}

async function authorized(as, client, changes = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: REDIRECT_URI, response_type: "code", state, scope: "tools:use",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    resource: TOOLS_URL, ...changes,
  });
  const sent = new URL(await new Person().decide(url.href));
  return { verifier, parameters: oauth.validateAuthResponse(as, client, sent, state) };
}

test("oauth4webapi: register, authorize, exchange, refresh, ask, revoke", async () => {
  for (const algorithm of ["oauth2", "oidc"]) assert.equal((await server(algorithm)).issuer, DOORWARD_URL);
  const as = await server("oauth2");
  const client = await registered(as);
  const { verifier, parameters } = await authorized(as, client);

  const exchange = () =>
    oauth.authorizationCodeGrantRequest(as, client, none, parameters, REDIRECT_URI, verifier, insecure);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, await exchange());
  assert.equal(tokens.token_type, "bearer");
  assert.equal(tokens.scope, "tools:use");

  // What the library checks of an access token (RFC 9068) where it is used.
  const request = new Request(TOOLS_URL, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, TOOLS_URL, insecure);
  assert.equal(claims.client_id, client.client_id);

  const refresh = (token) => oauth.refreshTokenGrantRequest(as, client, none, token, insecure);
  const renewed = await oauth.processRefreshTokenResponse(as, client, await refresh(tokens.refresh_token));
  assert.notEqual(renewed.refresh_token, tokens.refresh_token);

  const tools = { client_id: TOOLS_ID };
  const ask = async (token) => {
    const answer = await oauth.introspectionRequest(as, tools, oauth.ClientSecretBasic(TOOLS_SECRET), token, insecure);
    return oauth.processIntrospectionResponse(as, tools, answer);
  };
  const active = await ask(renewed.access_token);
  assert.deepEqual([active.active, active.sub, active.aud], [true, claims.sub, TOOLS_URL]);

  const revoked = await oauth.revocationRequest(as, client, none, renewed.refresh_token, insecure);
  assert.equal(await oauth.processRevocationResponse(revoked), undefined);
  assert.deepEqual(await ask(renewed.access_token), { active: false });
  const late = oauth.processRefreshTokenResponse(as, client, await refresh(renewed.refresh_token));
  await assert.rejects(late, (error) => error.error === "invalid_grant");
});

test("oauth4webapi: a code that is used again takes back what it bought", async () => {
  const as = await server("oauth2");
  const client = await registered(as);
  const { verifier, parameters } = await authorized(as, client);
  const exchange = () =>
    oauth.authorizationCodeGrantRequest(as, client, none, parameters, REDIRECT_URI, verifier, insecure);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, await exchange());

  const again = oauth.processAuthorizationCodeResponse(as, client, await exchange());
  await assert.rejects(again, (error) => error.error === "invalid_grant");

  const answer = await oauth.refreshTokenGrantRequest(as, client, none, tokens.refresh_token, insecure);
  const refreshed = oauth.processRefreshTokenResponse(as, client, answer);
  await assert.rejects(refreshed, (error) => error.error === "invalid_grant");
});

test("oauth4webapi: a client that was never registered is told so in a way that it can act on", async () => {
  const as = await server("oauth2");
  const client = { client_id: "0199f2a4-7c11-7abc-8def-001122334455" };
  const answer = await oauth.refreshTokenGrantRequest(as, client, none, "dwr_x", insecure);
  assert.equal(answer.status, 401);
  const refreshed = oauth.processRefreshTokenResponse(as, client, answer);
  await assert.rejects(refreshed, (error) => error.error === "invalid_client");
});

test("openid-client: register, authorize, exchange, refresh, revoke", async () => {
  const metadata = { client_name: "Journey", redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: "none" };
  const options = { algorithm: "oauth2", execute: [openid.allowInsecureRequests] };
  const config = await openid.dynamicClientRegistration(ISSUER, metadata, openid.None(), options);
  const verifier = openid.randomPKCECodeVerifier();
  const expectedState = openid.randomState();
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI, scope: "tools:use", state: expectedState, resource: TOOLS_URL,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const sent = new URL(await new Person().decide(url.href));
  const tokens = await openid.authorizationCodeGrant(config, sent, { pkceCodeVerifier: verifier, expectedState });
  const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token);
  assert.ok(renewed.access_token);
  await openid.tokenRevocation(config, renewed.refresh_token);
  await assert.rejects(openid.refreshTokenGrant(config, renewed.refresh_token), (error) => error.error === "invalid_grant");
});
