// Datadog's own SDK for TypeScript, unmodified, administers the server at DOORWARD_URL (contract: the reference pages
// "Org authorized clients", "User authorized clients", "OAuth2 client public", and "Audit"). The variables are those of
// operators_python.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { client, v2 } from "@datadog/datadog-api-client";

const { DOORWARD_URL, DOORWARD_NAME, DOORWARD_ADMIN_TOKEN, DOORWARD_VIEWER_TOKEN, DOORWARD_PERSON, DOORWARD_OWN_CLIENT } =
  process.env;
const CLIENTS = process.env.DOORWARD_CLIENTS.split(" ");
const UNKNOWN = "0199f2a4-7c11-7abc-8def-001122334455";

// The SDK at the server, with these ways to authenticate.
function sdk(authMethods) {
  const baseServer = new client.BaseServerConfiguration(DOORWARD_URL, {});
  const configuration = client.createConfiguration({ baseServer, authMethods });
  for (const operation of [
    "getOAuth2WellKnownSites", "getScopesRestriction", "upsertScopesRestriction", "deleteScopesRestriction",
  ]) configuration.unstableOperations[`v2.${operation}`] = true;
  return configuration;
}
const withToken = (token) => sdk({ apiKeyAuth: "any text", appKeyAuth: token });
const admin = withToken(DOORWARD_ADMIN_TOKEN);
const viewer = withToken(DOORWARD_VIEWER_TOKEN);
const person = sdk({ AuthZ: { accessToken: DOORWARD_PERSON } });
const org = (configuration = admin) => new v2.OrgAuthorizedClientsApi(configuration);
const mine = (configuration = person) => new v2.UserAuthorizedClientsApi(configuration);
const listed = (parameters = {}) => org().listOrgAuthorizedClients({ filter: DOORWARD_NAME, ...parameters });
const ids = (page) => page.data.map((one) => one.id);

async function refused(status, call) {
  const error = await call.then(() => assert.fail(`answered, not refused with ${status}`), (error) => error);
  assert.equal(error.code, status, JSON.stringify(error.body));
  return error.body;
}

async function collected(pages) {
  const all = [];
  for await (const one of pages) all.push(one);
  return all;
}

function changing(id, disabled) {
  const body = { data: { id, type: "org_authorized_clients", attributes: { disabled } } };
  return { orgAuthorizedClientId: id, body };
}

// The tests run one after the other: later ones take away what earlier ones read.

test("authorized clients are listed, filtered, sorted, and paged", async () => {
  const found = await listed({ sort: "oauth2_client.name" });
  assert.deepEqual(ids(found), CLIENTS);
  assert.equal(found.meta.page.totalFilteredCount, CLIENTS.length);
  assert.equal(found.data[0].attributes.userCount, 1);
  const pages = org().listOrgAuthorizedClientsWithPagination({ filter: DOORWARD_NAME, pageSize: 1 });
  assert.deepEqual((await collected(pages)).map((one) => one.id).sort(), [...CLIENTS].sort());
  assert.deepEqual((await listed({ filterDisabled: "true" })).data, []);
});

test("one client is read with its people", async () => {
  const read = await org(viewer).getOrgAuthorizedClient({ orgAuthorizedClientId: CLIENTS[0] });
  assert.equal(read.data.relationships.oauth2Client.data.id, CLIENTS[0]);
  const people = await org(viewer).listOrgAuthorizedClientUserAuthorizations({ orgAuthorizedClientId: CLIENTS[0] });
  assert.equal(people.data.length, 1);
  assert.deepEqual(people.data[0].relationships.scopes.data.map((scope) => scope.id), ["read"]);
  assert.ok(people.data[0].attributes.createdAt <= people.data[0].attributes.modifiedAt);
});

test("errors are the documented ones", async () => {
  const unknown = { orgAuthorizedClientId: UNKNOWN };
  const nobody = org(withToken("dwo_unknown")).listOrgAuthorizedClients();
  assert.match(JSON.stringify(await refused(401, nobody)), /Unauthorized/);
  const forbidden = await refused(403, org(viewer).deleteOrgAuthorizedClient({ orgAuthorizedClientId: CLIENTS[0] }));
  assert.deepEqual([forbidden.errors[0].status, forbidden.errors[0].title], ["403", "Forbidden"]);
  await refused(403, mine(admin).listUserAuthorizedClients());
  await refused(404, org().getOrgAuthorizedClient(unknown));
  await refused(404, org().deleteOrgAuthorizedClient(unknown));
  await refused(404, mine().getUserAuthorizedClient({ userAuthorizedClientId: UNKNOWN }));
  await refused(404, mine().deleteUserAuthorizedClientsByClient({ clientId: UNKNOWN }));
  const other = { ...changing(UNKNOWN, true), orgAuthorizedClientId: CLIENTS[0] };
  const unprocessable = await refused(422, org().updateOrgAuthorizedClient(other));
  assert.equal(unprocessable.errors[0].source.pointer, "/data/id");
});

test("a person reads and revokes their own", async () => {
  const own = await mine().listUserAuthorizedClients({ filter: DOORWARD_NAME });
  const clientOf = (one) => one.relationships.oauth2Client.data.id;
  assert.deepEqual(own.data.map(clientOf).sort(), [...CLIENTS].sort());
  const last = { userAuthorizedClientId: own.data.find((one) => clientOf(one) === CLIENTS[3]).id };
  assert.equal((await mine().getUserAuthorizedClient(last)).data.id, last.userAuthorizedClientId);
  await mine().deleteUserAuthorizedClient(last);
  await refused(404, mine().getUserAuthorizedClient(last));
  await mine().deleteUserAuthorizedClientsByClient({ clientId: CLIENTS[2] });
  assert.deepEqual(ids(await listed()).sort(), CLIENTS.slice(0, 2).sort());
});

test("a client is disabled and enabled, and audit events tell who did it", async () => {
  const disabled = await org().updateOrgAuthorizedClient(changing(CLIENTS[1], true));
  assert.deepEqual([disabled.data.attributes.disabled, disabled.data.attributes.userCount], [true, 0]);
  assert.deepEqual(ids(await listed({ filterDisabled: "true" })), [CLIENTS[1]]);
  const enabled = await org().updateOrgAuthorizedClient(changing(CLIENTS[1], false));
  assert.equal(enabled.data.attributes.disabled, false);
  const filterQuery = `@action:client.suspended @client_id:${CLIENTS[1]}`;
  const events = await new v2.AuditApi(viewer).listAuditLogs({ filterQuery });
  assert.equal(events.data.length, 1);
  assert.equal(events.data[0].attributes.attributes.actor.type, "operator");
});

test("the authorizations of one person are revoked, and a client is disabled for all", async () => {
  const named = { orgAuthorizedClientId: CLIENTS[0] };
  const people = await org().listOrgAuthorizedClientUserAuthorizations(named);
  const one = { ...named, userAuthorizedClientId: UNKNOWN };
  await refused(404, org().deleteOrgAuthorizedClientUserAuthorization(one));
  const user = { ...named, userId: people.data[0].relationships.user.data.id };
  await org().deleteOrgAuthorizedClientAllUserAuthorizations(user);
  await refused(404, org().getOrgAuthorizedClient(named));
  const remaining = await mine().listUserAuthorizedClients();
  const clientId = DOORWARD_OWN_CLIENT;
  assert.ok(remaining.data.some((one) => one.relationships.oauth2Client.data.id === clientId));
  await org().deleteOrgAuthorizedClient({ orgAuthorizedClientId: clientId });
  await refused(401, mine().listUserAuthorizedClients());
});

test("everyone reads the sites", async () => {
  const sites = await new v2.OAuth2ClientPublicApi(sdk({})).getOAuth2WellKnownSites();
  assert.deepEqual(sites.data.attributes.sites, [DOORWARD_URL.split("//")[1]]);
});

test("scopes are restricted and allowed again", async () => {
  const api = new v2.OAuth2ClientPublicApi(admin);
  const named = { clientUuid: CLIENTS[0] };
  const read = async () => (await api.getScopesRestriction(named)).data.attributes.scopesRestriction;
  assert.equal(await read(), null);
  const attributes = { oidcScopes: ["openid"], permissionScopes: ["dashboards_read"] };
  const body = { data: { type: "upsert_scopes_restriction", attributes } };
  await api.upsertScopesRestriction({ ...named, body });
  assert.deepEqual((await read()).permissionScopes, ["dashboards_read"]);
  await api.deleteScopesRestriction(named);
  assert.equal(await read(), null);
  await refused(404, api.getScopesRestriction({ clientUuid: UNKNOWN }));
});
