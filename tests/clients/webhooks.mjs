// The `standardwebhooks` library for JavaScript, unmodified, as the receiver of a webhook. It listens where
// DOORWARD_WEBHOOK_PORT says, with the secret in DOORWARD_WEBHOOK_SECRET; the server is at DOORWARD_URL.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Webhook } from "standardwebhooks";

const { DOORWARD_URL: url, DOORWARD_WEBHOOK_PORT: port, DOORWARD_WEBHOOK_SECRET: secret } = process.env;
const webhook = new Webhook(secret);
const accepted = [];
let unverified = 0;
let requests = 0;

// Every third request is answered with a redirect, an error, or nothing.
const refusals = [
  (response) => response.writeHead(307, { location: "/elsewhere" }).end(),
  (response) => response.writeHead(500).end("no"),
  (response) => response.destroy(),
];

const receiver = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    assert.equal(request.url, "/");
    const body = Buffer.concat(pieces).toString();
    requests += 1;
    if (requests % 3 === 1) return refusals[Math.floor(requests / 3) % 3](response);
    try {
      accepted.push({ event: webhook.verify(body, request.headers), headers: request.headers, body });
      response.writeHead(200).end();
    } catch {
      unverified += 1;
      response.writeHead(401).end();
    }
  });
});

async function register() {
  const response = await fetch(`${url}/oauth2/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: "Example", redirect_uris: ["https://example.com/callback"] }),
  });
  return (await response.json()).client_id;
}

const registered = [];

before(async () => {
  await new Promise((listening) => receiver.listen(Number(port), "127.0.0.1", listening));
  for (let nth = 0; nth < 4; nth += 1) registered.push(await register());
  const deadline = Date.now() + 60_000;
  const arrived = () => registered.every((id) => accepted.some(({ event }) => event.client_id === id));
  while (!arrived() && Date.now() < deadline) await new Promise((later) => setTimeout(later, 50));
});

after(() => {
  receiver.closeAllConnections();
  receiver.close();
});

test("every event is verified and arrives in order", () => {
  const ids = [...new Set(accepted.map(({ event }) => event.client_id))];
  assert.deepEqual(ids.filter((id) => registered.includes(id)), registered);
  assert.equal(unverified, 0);
  for (const { event, headers } of accepted) assert.equal(headers["webhook-id"], event.id);
});

test("a body that was changed is not verified", () => {
  // Other events may come first: a server for development makes an operator token.
  const { headers, body } = accepted.find(({ event }) => event.action === "client.registered");
  webhook.verify(body, headers);
  assert.throws(() => webhook.verify(body.replace("client.registered", "client.suspended"), headers));
});
