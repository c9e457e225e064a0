// Datadog's own SDK for TypeScript, unmodified, against the `datadog` profile (contract: the reference
// page "Register an OAuth2 client"). Where it listens stands in DOORWARD_URL; DOORWARD_LIMITED_URL is a
// second server, which lets DOORWARD_LIMIT registrations through in a window of few seconds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { client, v2 } from "@datadog/datadog-api-client";
// What the SDK itself sends with.
import crossFetch from "cross-fetch";

const { DOORWARD_URL, DOORWARD_LIMITED_URL } = process.env;
const LIMIT = Number(process.env.DOORWARD_LIMIT);
const RATE_LIMIT_HEADERS = ["limit", "period", "remaining", "reset", "name"];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

// The SDK at `base`. `exchanges` collects what came over the wire, which the SDK keeps to itself.
function sdk(base, settings = {}) {
  const configuration = client.createConfiguration({
    baseServer: new client.BaseServerConfiguration(base, {}),
    ...settings,
  });
  configuration.unstableOperations["v2.registerOAuthClient"] = true;
  const exchanges = [];
  configuration.httpApi.fetch = async (...request) => {
    const response = await crossFetch(...request);
    exchanges.push({ status: response.status, headers: response.headers });
    return response;
  };
  const api = new v2.OAuth2ClientPublicApi(configuration);
  return { exchanges, register: (body) => api.registerOAuthClient({ body }) };
}

const { register } = sdk(DOORWARD_URL);

// The request of the reference page.
function example() {
  return {
    clientName: "Example MCP Client",
    clientUri: "https://example.com",
    grantTypes: ["authorization_code", "refresh_token"],
    jwksUri: "https://example.com/.well-known/jwks.json",
    logoUri: "https://example.com/logo.png",
    policyUri: "https://example.com/policy",
    redirectUris: ["https://example.com/oauth/callback"],
    responseTypes: ["code"],
    scope: "openid profile",
    tokenEndpointAuthMethod: "none",
    tosUri: "https://example.com/tos",
  };
}

// What has to be there, and no more.
function smallest(changes = {}) {
  return {
    clientName: "Example MCP Client",
    redirectUris: ["http://127.0.0.1:8000/oauth/callback"],
    ...changes,
  };
}

// The exception with which the SDK answers `body`.
async function refused(body) {
  const error = await register(body).then(
    () => assert.fail("it was registered"),
    (reason) => reason,
  );
  assert.equal(error.code, 400, error);
  return error.body;
}

// Registers until there is no room in the window; it may end in between, hence twice the limit.
async function untilRefused({ register, exchanges }) {
  for (let count = 0; count <= 2 * LIMIT; count += 1) {
    const error = await register(smallest()).then(() => undefined, (reason) => reason);
    if (error) return { error, headers: exchanges.at(-1).headers };
  }
  return assert.fail(`${2 * LIMIT + 1} registrations were let through, with room for ${LIMIT}`);
}

test("the documented example is registered", async () => {
  const { register, exchanges } = sdk(DOORWARD_URL);

  const answer = await register(example());

  assert.equal(exchanges[0].status, 201);
  assert.equal(exchanges[0].headers.get("content-type"), "application/json");
  assert.match(answer.clientId, UUID);
  const { clientId: _, ...others } = answer;
  assert.deepEqual({ ...others }, {
    clientName: "Example MCP Client",
    grantTypes: ["authorization_code", "refresh_token"],
    redirectUris: ["https://example.com/oauth/callback"],
    responseTypes: ["code"],
    tokenEndpointAuthMethod: "none",
  });
});

test("every registration gets its own identifier", async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => register(example())));

  assert.equal(new Set(answers.map((answer) => answer.clientId)).size, 5);
});

test("what is left out takes its documented default", async () => {
  const answer = await register(smallest());

  assert.deepEqual(answer.grantTypes, ["authorization_code", "refresh_token"]);
  assert.deepEqual(answer.responseTypes, ["code"]);
  assert.equal(answer.tokenEndpointAuthMethod, "none");
});

test("an optional member that is null counts as left out", async () => {
  const answer = await register(smallest({ scope: null, clientUri: null, logoUri: null, jwksUri: null }));

  assert.ok(!Object.values(answer).includes(null), JSON.stringify(answer));
});

test("a name that is null is the typed error", async () => {
  // The SDK will not send a request without the member; null it lets through.
  const body = await refused(smallest({ clientName: null }));

  assert.ok(body instanceof v2.OAuthClientRegistrationError, JSON.stringify(body));
  assert.equal(body.error, "invalid_client_metadata");
  assert.match(body.errorDescription, /client_name/);
});

test("a redirect URI that does not parse is refused in the documented words", async () => {
  const body = await refused(smallest({ redirectUris: ["not a URI"] }));

  assert.ok(body instanceof v2.OAuthClientRegistrationError, JSON.stringify(body));
  assert.equal(body.error, "invalid_client_metadata");
  assert.equal(body.errorDescription, "redirect URI is not well-formed");
  assert.equal(body.additionalProperties, undefined);
});

test("a redirect URI that is not allowed is an invalid redirect URI", async () => {
  const body = await refused(smallest({ redirectUris: ["https://example.com/callback#fragment"] }));

  assert.equal(body.error, "invalid_redirect_uri");
});

test("a lone surrogate in the name is the caller's fault", async () => {
  const body = await refused(smallest({ clientName: "Example \ud800 Client" }));

  assert.equal(body.error, "invalid_client_metadata");
});

test("too many requests are the typed error with the five headers", async () => {
  const { error, headers } = await untilRefused(sdk(DOORWARD_LIMITED_URL));

  assert.equal(error.code, 429);
  assert.ok(error.body instanceof v2.APIErrorResponse, JSON.stringify(error.body));
  assert.deepEqual(error.body.errors, ["Too many requests"]);
  assert.equal(error.body.additionalProperties, undefined);
  for (const name of RATE_LIMIT_HEADERS) assert.ok(headers.get(`x-ratelimit-${name}`), name);
  const [reset, period] = ["reset", "period"].map((name) => Number(headers.get(`x-ratelimit-${name}`)));
  assert.ok(Number.isInteger(reset) && reset >= 1 && reset <= period, `reset ${reset} of ${period}`);
});

test("a retry waits for the window to end and then succeeds", async () => {
  const { headers } = await untilRefused(sdk(DOORWARD_LIMITED_URL));
  const reset = Number(headers.get("x-ratelimit-reset"));
  const { register, exchanges } = sdk(DOORWARD_LIMITED_URL, { enableRetry: true, maxRetries: 1 });
  const begun = performance.now();

  const answer = await register(smallest());

  assert.match(answer.clientId, UUID);
  assert.equal(exchanges.at(-1).status, 201);
  for (const name of RATE_LIMIT_HEADERS) assert.ok(exchanges.at(-1).headers.get(`x-ratelimit-${name}`), name);
  assert.ok(performance.now() - begun < (reset + 1.5) * 1000);
});
