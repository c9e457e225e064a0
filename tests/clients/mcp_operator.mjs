// The MCP SDK for TypeScript, unmodified, as the client of an operator: the operator API answers 401, the SDK finds its
// metadata, registers, asks for access, and gets a token once the person has allowed it. Where the server listens stands in
// DOORWARD_URL, and the password of the person in DOORWARD_PASSWORD.

import assert from "node:assert/strict";
import { test } from "node:test";
import { auth, extractWWWAuthenticateParams } from "@modelcontextprotocol/sdk/client/auth.js";

const { DOORWARD_URL, DOORWARD_PASSWORD } = process.env;
const REDIRECT_URI = "http://localhost:8090/callback";
const CLIENTS = `${DOORWARD_URL}/api/v2/oauth2/clients`;

// What the SDK keeps of one client.
const provider = (kept) => ({
  redirectUrl: REDIRECT_URI,
  clientMetadata: { client_name: "A console", redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: "none" },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  redirectToAuthorization: (url) => { kept.url = url; },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
});

const unescaped = (text) =>
  text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll("&amp;", "&");

// A browser that signs the person in.
const signedIn = async () => {
  const form = new URLSearchParams({ request: "client_id=x", password: DOORWARD_PASSWORD });
  const answer = await fetch(`${DOORWARD_URL}/oauth2/sign-in`, {
    method: "POST", body: form, redirect: "manual", headers: { "sec-fetch-site": "same-origin" },
  });
  assert.equal(answer.status, 303, await answer.text());
  return answer.headers.get("set-cookie").split(";")[0];
};

// What the person is shown, and the code that the client gets when they allow it.
const allowed = async (url, cookie) => {
  const shown = await (await fetch(url, { headers: { cookie } })).text();
  const field = (name) => unescaped(shown.match(new RegExp(`name="${name}" value="([^"]*)"`))[1]);
  const form = new URLSearchParams({
    request: field("request"), form_token: field("form_token"), decision: "allow",
  });
  const answer = await fetch(`${DOORWARD_URL}/oauth2/consent`, {
    method: "POST", body: form, redirect: "manual", headers: { cookie, "sec-fetch-site": "same-origin" },
  });
  assert.equal(answer.status, 303, await answer.text());
  return { shown, code: new URL(answer.headers.get("location")).searchParams.get("code") };
};

// The SDK's whole flow after a refusal of the API.
const authorize = async (kept, refused, cookie) => {
  const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(refused);
  const options = { serverUrl: CLIENTS, resourceMetadataUrl, scope };
  assert.equal(await auth(provider(kept), options), "REDIRECT");
  const { shown, code } = await allowed(kept.url, cookie);
  assert.equal(await auth(provider(kept), { ...options, authorizationCode: code }), "AUTHORIZED");
  return shown;
};

const call = (method, path, kept, body) =>
  fetch(path, {
    method,
    body: body && JSON.stringify(body),
    headers: {
      ...(kept && { authorization: `Bearer ${kept.tokens.access_token}` }),
      ...(body && { "content-type": "application/json" }),
    },
  });

test("a client that follows the challenge of the API administers the server", async () => {
  const kept = {};
  const refused = await call("GET", CLIENTS);
  assert.equal(refused.status, 401);
  assert.deepEqual(await refused.clone().json(), { errors: ["Unauthorized"] });

  const shown = await authorize(kept, refused, await signedIn());

  assert.match(shown, /These are administration rights/);
  assert.equal(kept.url.searchParams.get("resource"), `${DOORWARD_URL}/api`);
  const listed = await call("GET", `${CLIENTS}?page[limit]=100`, kept);
  assert.equal(listed.status, 200);
  const { data } = await listed.json();
  assert.ok(data.some(({ id }) => id === kept.client.client_id));
});

test("a token with too little scope leads to one with more", async () => {
  const kept = {};
  const cookie = await signedIn();
  const headers = { "www-authenticate": (await call("GET", CLIENTS)).headers.get("www-authenticate") + ', scope="clients_read"' };
  await authorize(kept, new Response(null, { status: 401, headers }), cookie);
  const own = `${CLIENTS}/${kept.client.client_id}`;
  assert.equal((await call("GET", own, kept)).status, 200);
  const note = { data: { type: "oauth2_clients", id: kept.client.client_id, attributes: { note: "mine" } } };
  const refused = await call("PATCH", own, kept, note);
  assert.equal(refused.status, 403);
  assert.equal((await refused.clone().json()).errors[0].title, "Forbidden");
  assert.equal(extractWWWAuthenticateParams(refused).scope, "clients_read clients_write");

  kept.tokens = undefined;
  await authorize(kept, refused, cookie);

  assert.equal((await call("PATCH", own, kept, note)).status, 200);
});
