// People who sign in at an OpenID Provider: oidc-provider, unmodified, on loopback, and everything that can go
// wrong with one. DOORWARD_URL is the issuer, whose settings know the providers of PROVIDERS, a JSON object of
// ports: `one`, `other` and `slash` work, `down` is not there; `slow`, `wrong` and `page` are paths of `one`.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { Person, forms } from "./person.mjs";

const { DOORWARD_URL, PROVIDERS } = process.env;
const PORTS = JSON.parse(PROVIDERS);
const REDIRECT_URI = "http://127.0.0.1:51007/callback";
const VERIFIER_HASH = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const issuer = (name) => `http://127.0.0.1:${PORTS[name]}${name === "slash" ? "/" : ""}`;

async function signingKey(kid) {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: "RS256", use: "sig" };
}

// A provider with one key. Every login is an account; that of `eve` has no verified address.
async function provider(name, kid) {
  const made = new Provider(issuer(name), {
    clients: [{
      client_id: "doorward", client_secret: "the secret: of 100% us",
      redirect_uris: [`${DOORWARD_URL}/oauth2/sign-in/${name}`],
    }],
    claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
    conformIdTokenClaims: false,
    cookies: { keys: ["test"] },
    jwks: { keys: [await signingKey(kid)] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `The ${id}`, email: `${id}@acme.example`, email_verified: id !== "eve" }),
    }),
  });
  made.on("server_error", (_, error) => console.error(error));
  return made;
}

const servers = {};
const behind = {};
// What becomes of requests instead, by path; for the failures.
const instead = new Map();

before(async () => {
  for (const name of ["one", "other", "slash"]) {
    behind[name] = await provider(name, `${name} 1`);
    servers[name] = createServer((request, response) => {
      const path = request.url.split("?")[0];
      const answer = name === "one" && instead.get(path);
      if (answer) return answer(request, response);
      return behind[name].callback()(request, response);
    });
    await new Promise((done) => servers[name].listen(PORTS[name], "127.0.0.1", done));
  }
});

after(() => Object.values(servers).forEach((server) => { server.closeAllConnections(); server.close(); }));

let clients = 0;
async function authorizationUrl() {
  clients += 1;
  const answer = await fetch(`${DOORWARD_URL}/oauth2/register`, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: `Upstream ${clients}`, redirect_uris: [REDIRECT_URI] }),
  });
  const { client_id } = await answer.json();
  return `${DOORWARD_URL}/oauth2/authorize?${new URLSearchParams({
    client_id, redirect_uri: REDIRECT_URI, response_type: "code", state: "s",
    code_challenge: VERIFIER_HASH, code_challenge_method: "S256", scope: "tools:use",
  })}`;
}

const sameOrigin = {
  origin: new URL(DOORWARD_URL).origin, "sec-fetch-site": "same-origin",
  "content-type": "application/x-www-form-urlencoded",
};

// Chooses a provider on the page of an authorization request. The answer sends the browser there.
async function choose(person, id) {
  const page = await person.open(await authorizationUrl());
  assert.equal(page.status, 200, page.html);
  assert.deepEqual(page.headers.getSetCookie(), [], "a page sets no cookie before anybody has decided");
  const fields = forms(page.html).flatMap((form) => form.fields);
  const request = fields.find(({ name }) => name === "request").value;
  const body = new URLSearchParams({ request, provider: id });
  return person.request(`${DOORWARD_URL}/oauth2/sign-in`, { method: "POST", body, headers: sameOrigin });
}

// Begins at a provider that works, and returns where the browser is sent.
async function begin(person, id = "one") {
  const answer = await choose(person, id);
  assert.equal(answer.status, 303, await answer.text());
  return new URL(answer.headers.get("location"));
}

// Signs in at the provider, and returns the URL of ours to which it sends the browser.
async function atProvider(person, url, login = "ada") {
  let page = await person.open(url.href ?? url);
  for (let step = 0; step < 4 && !page.left; step += 1) {
    const [form] = forms(page.html);
    if (!form) throw new Error(`the provider asks nothing (${page.status}):\n${page.html}`);
    const field = form.fields.find(({ name }) => name === "login");
    if (field) field.value = login;
    page = await person.submit(page, form, /./);
  }
  assert.ok(page.left, page.html);
  return page.url;
}

const newPerson = () => new Person("any password");
const shown = (html) => html.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");

async function refused(person, url, status, words) {
  const page = await person.open(url);
  assert.equal(page.status, status, page.html);
  assert.match(shown(page.html), words);
  assert.equal(page.headers.get("cache-control"), "no-store");
  assert.ok(!page.headers.getSetCookie().some((cookie) => cookie.includes("doorward-session")), "nobody is signed in");
}

test("who signs in at a provider is asked by their name, and the client gets its code", async () => {
  const person = newPerson();
  const location = await begin(person);
  assert.equal(location.origin + location.pathname, `${issuer("one")}/auth`);
  const sent = location.searchParams;
  assert.equal(sent.get("redirect_uri"), `${DOORWARD_URL}/oauth2/sign-in/one`);
  assert.equal(sent.get("code_challenge_method"), "S256");
  assert.equal(sent.get("scope"), "openid profile email");
  for (const name of ["state", "nonce", "code_challenge"]) assert.ok(sent.get(name).length >= 43, name);
  const back = await atProvider(person, location);
  const page = await person.open(back);
  assert.equal(page.status, 200, page.html);
  assert.match(shown(page.html), /The ada/);
  const consent = forms(page.html).find((form) => form.action.includes("consent"));
  const end = await person.submit(page, consent, /allow/i);
  assert.ok(end.left && new URL(end.url).searchParams.get("code"), end.html ?? end.url);
});

test("an answer of a provider is good once, and in the browser that began", async () => {
  const person = newPerson();
  const back = await atProvider(person, await begin(person));
  await refused(newPerson(), back, 400, /begun in another browser/);
  const other = newPerson();
  await begin(other);
  await refused(other, back, 400, /begun in another browser/);
  // Somebody else had its state, and could not spend it.
  assert.equal((await person.open(back)).status, 200);
  person.cookies.delete("doorward-session");
  await refused(person, back, 400, /is over/);
});

test("the issuer of a provider may end in a slash", async () => {
  const person = newPerson();
  const back = await atProvider(person, await begin(person, "slash"));
  assert.equal(new URL(back).searchParams.get("iss"), issuer("slash"));
  assert.equal((await person.open(back)).status, 200);
  // Without it, it is another one.
  const other = newPerson();
  const without = new URL(await atProvider(other, await begin(other, "slash")));
  without.searchParams.set("iss", issuer("slash").slice(0, -1));
  await refused(other, without.href, 400, /didn't come from the provider/);
});

test("two sign-ins go on in one browser", async () => {
  const person = newPerson();
  const [first, second] = [await begin(person), await begin(person)];
  assert.notEqual(first.searchParams.get("state"), second.searchParams.get("state"));
  for (const location of [first, second]) {
    assert.equal((await person.open(await atProvider(person, location))).status, 200);
  }
});

test("an answer without a sign-in that was begun is refused", async () => {
  const person = newPerson();
  const path = `${DOORWARD_URL}/oauth2/sign-in/one`;
  for (const query of ["", "?code=x", "?code=x&state=", "?code=x&state=dwu_AAAA", "?error=access_denied"]) {
    await refused(person, path + query, 400, /is over/);
  }
  await refused(person, `${path}?state=a&state=b`, 400, /more than once/);
  await refused(person, `${DOORWARD_URL}/oauth2/sign-in/nobody?code=x`, 400, /way to sign in doesn't exist/);
});

test("a provider cannot answer for another", async () => {
  const person = newPerson();
  const back = new URL(await atProvider(person, await begin(person)));
  back.pathname = back.pathname.replace(/one$/, "other");
  await refused(person, back.href, 400, /didn't come from the provider/);

  for (const iss of [issuer("other"), `${issuer("one")}/`, null]) {
    const person = newPerson();
    const back = new URL(await atProvider(person, await begin(person)));
    if (iss) back.searchParams.set("iss", iss);
    else back.searchParams.delete("iss");
    await refused(person, back.href, 400, /didn't come from the provider/);
  }
});

test("an ID token for another sign-in is refused", async () => {
  const person = newPerson();
  const location = await begin(person);
  location.searchParams.set("nonce", "another");
  await refused(person, await atProvider(person, location), 502, /nonce of its ID token/);
});

test("a code that somebody else began with is refused", async () => {
  const person = newPerson();
  const [mine, theirs] = [await begin(person), await begin(person)];
  const back = new URL(await atProvider(person, mine));
  const stolen = new URL(await atProvider(person, theirs));
  back.searchParams.set("code", stolen.searchParams.get("code"));
  await refused(person, back.href, 502, /refused the code with status 400/);
});

test("what a provider says in an error is not repeated", async () => {
  for (const [error, status, words] of [
    ["access_denied", 403, /wasn't allowed to say who you are/],
    ["server_error", 403, /couldn't sign you in/],
    ["<b>evil</b>", 403, /couldn't sign you in/],
  ]) {
    const person = newPerson();
    const state = (await begin(person)).searchParams.get("state");
    const query = new URLSearchParams({ state, error, error_description: "evil words", iss: issuer("one") });
    const url = `${DOORWARD_URL}/oauth2/sign-in/one?${query}`;
    const page = await person.open(url);
    assert.equal(page.status, status);
    assert.match(shown(page.html), words);
    assert.ok(!page.html.includes("evil"), page.html);
  }
});

test("only verified addresses of the allowed domains sign in", async () => {
  const person = newPerson();
  await refused(person, await atProvider(person, await begin(person, "other"), "eve"), 403, /can't sign in with this account/);
  const allowed = newPerson();
  assert.equal((await allowed.open(await atProvider(allowed, await begin(allowed, "other"), "bob"))).status, 200);
});

test("a provider changes its key", async () => {
  behind.one = await provider("one", "one 2");
  const person = newPerson();
  assert.equal((await person.open(await atProvider(person, await begin(person)))).status, 200);
  // A second time within a minute nobody asks; the page says what is the matter.
  behind.one = await provider("one", "one 3");
  const next = newPerson();
  await refused(next, await atProvider(next, await begin(next)), 502, /a key that it does not publish/);
  behind.one = await provider("one", "one 2");
});

test("a provider fails when it is asked what a code is worth", async () => {
  for (const [answer, words] of [
    [(_, response) => response.writeHead(500, { "content-type": "text/html" }).end("<p>evil"), /could not be asked/],
    [(_, response) => response.writeHead(503, { "content-type": "application/json" }).end("{}"), /with status 503/],
    [(_, response) => response.writeHead(200, { "content-type": "application/json" }).end("{}"), /no ID token/],
    [(_, response) => response.writeHead(302, { location: "/evil" }).end(), /could not be asked/],
    [(request) => request.destroy(), /could not be asked/],
  ]) {
    instead.set("/token", answer);
    try {
      const person = newPerson();
      await refused(person, await atProvider(person, await begin(person)), 502, words);
    } finally {
      instead.delete("/token");
    }
  }
});

test("a provider that is down, slow, another, or none is said to be so", async () => {
  const discovery = "/.well-known/openid-configuration";
  instead.set(`/slow${discovery}`, () => {});
  instead.set(`/wrong${discovery}`, (request, response) => {
    request.url = discovery;
    behind.one.callback()(request, response);
  });
  instead.set(`/page${discovery}`, (_, response) => response.writeHead(200, { "content-type": "text/html" }).end("evil"));
  for (const [id, words] of [
    ["down", /its metadata could not be fetched/],
    ["wrong", /its metadata names another issuer/],
    ["page", /its metadata could not be fetched/],
    ["slow", /its metadata could not be fetched/],
  ]) {
    const begun = Date.now();
    const answer = await choose(newPerson(), id);
    assert.equal(answer.status, 502, id);
    assert.match(shown(await answer.text()), words, id);
    assert.deepEqual(answer.headers.getSetCookie(), [], id);
    assert.ok(Date.now() - begun < 15_000, `${id} took ${Date.now() - begun} ms`);
  }
});

test("a form of another site begins no sign-in", async () => {
  const body = new URLSearchParams({ request: "", provider: "one" });
  for (const headers of [
    { ...sameOrigin, "sec-fetch-site": "cross-site" },
    { "content-type": sameOrigin["content-type"], origin: "https://evil.example" },
    { "content-type": sameOrigin["content-type"] },
  ]) {
    const answer = await fetch(`${DOORWARD_URL}/oauth2/sign-in`, { method: "POST", body, headers, redirect: "manual" });
    // Node names itself as a browser would name a program.
    assert.equal(answer.status, 403, await answer.text());
    assert.deepEqual(answer.headers.getSetCookie(), []);
  }
});
