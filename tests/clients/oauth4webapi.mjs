// oauth4webapi, unmodified, against the `rfc7591` profile. It is the strictest reader in the field: exactly
// 201, a JSON media type, no secret without its expiry. Where the server listens stands in DOORWARD_URL;
// DOORWARD_LIMITED_URL is a second one, which soon refuses.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as oauth from "oauth4webapi";

const { DOORWARD_URL, DOORWARD_LIMITED_URL } = process.env;
const LIMIT = Number(process.env.DOORWARD_LIMIT);

const METADATA = {
  client_name: "Example",
  "client_name#de": "Beispiel",
  redirect_uris: ["http://127.0.0.1:51004/callback", "com.example.app:/callback"],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  scope: "read write",
  client_uri: "https://example.com/",
  contacts: ["ops@example.com"],
  software_id: "example",
  software_version: "1.2.3",
};

// The request as the library makes it. Loopback is the one place where it has to allow plain HTTP.
const request = (metadata, path = "/oauth2/register", base = DOORWARD_URL) =>
  oauth.dynamicClientRegistrationRequest(
    { issuer: base, registration_endpoint: `${base}${path}` },
    metadata,
    { [oauth.allowInsecureRequests]: true },
  );

// The error that the library makes of a refusal.
const refused = async (...call) =>
  oauth.processDynamicClientRegistrationResponse(await request(...call)).then(
    () => undefined,
    (reason) => reason,
  );

for (const path of ["/oauth2/register", "/register"]) {
  test(`a client is registered at ${path}, with all that it sent`, async () => {
    const answer = await oauth.processDynamicClientRegistrationResponse(await request(METADATA, path));

    const { client_id, client_id_issued_at, registration_access_token, registration_client_uri, ...metadata } = answer;
    assert.match(client_id, /^[0-9a-f-]{36}$/);
    assert.ok(Number.isInteger(client_id_issued_at));
    assert.deepEqual(metadata, { ...METADATA, token_endpoint_auth_method: "none" });
    // RFC 7592 §2.1: what the answer names gives the registration back.
    const headers = { authorization: `Bearer ${registration_access_token}` };
    const read = await fetch(registration_client_uri, { headers });
    assert.equal(read.status, 200);
    assert.deepEqual(await read.json(), answer);
  });
}

test("the answer may not be kept by a cache", async () => {
  const response = await request(METADATA);
  await response.body.cancel();

  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("pragma"), "no-cache");
});

test("a refusal is the library's typed error", async () => {
  const error = await refused({ redirect_uris: ["https://example.com/callback#fragment"] });

  assert.ok(error instanceof oauth.ResponseBodyError, String(error));
  assert.equal(error.status, 400);
  assert.equal(error.error, "invalid_redirect_uri");
  assert.match(error.error_description, /redirect_uris\[0\]/);
});

test("every fault is reported, each with its place", async () => {
  const error = await refused({ redirect_uris: ["https://example.com/#a"], scope: 'a"b', contacts: 7 });

  const places = error.cause.violations.map(({ pointer, code, reason }) => {
    assert.ok(code && reason);
    return pointer;
  });
  assert.deepEqual(places.toSorted(), ["/contacts", "/redirect_uris/0", "/scope"]);
});

test("too many requests are the library's typed error, with the time to wait", async () => {
  let error;
  for (let count = 0; count <= 2 * LIMIT && !error; count += 1) {
    error = await refused(METADATA, "/oauth2/register", DOORWARD_LIMITED_URL);
  }

  assert.ok(error instanceof oauth.ResponseBodyError, String(error));
  assert.equal(error.status, 429);
  assert.equal(error.error, "temporarily_unavailable");
  assert.ok(Number(error.response.headers.get("retry-after")) >= 1);
});
