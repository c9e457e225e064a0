// The conformance suite of MCP for authorization servers, unmodified, with a registered client. Its user is
// the small person of person.mjs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Person } from "./person.mjs";

const { DOORWARD_URL, TOOLS_URL, CALLBACK_PORT } = process.env;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// The suite wants Node 22, which older distributions do not have; npm brings one for Linux.
const node = ["x64", "arm64"].map((cpu) => here(`node_modules/node-linux-${cpu}/bin/node`)).find(existsSync);

test("MCP conformance: an authorization server", async () => {
  const redirect_uris = [`http://127.0.0.1:${CALLBACK_PORT}/callback`];
  const answer = await fetch(`${DOORWARD_URL}/oauth2/register`, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: "Conformance", redirect_uris }),
  });
  const { client_id } = await answer.json();
  const child = spawn(node ?? process.execPath, [
    here("node_modules/@modelcontextprotocol/conformance/dist/index.js"), "authorization", "--url", DOORWARD_URL,
    "--client-id", client_id, "--resource", TOOLS_URL, "-p", CALLBACK_PORT,
  ], { stdio: ["ignore", "pipe", "pipe"] });
  const heard = [];
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on("line", async (line) => {
      heard.push(line);
      const url = line.match(/https?:\/\/\S+\/oauth2\/authorize\?\S+/)?.[0];
      if (url) await fetch(await new Person().decide(url));
    });
  }
  const code = await new Promise((resolve) => { child.on("exit", resolve); });
  assert.equal(code, 0, heard.join("\n"));
  assert.match(heard.join("\n"), /authorization-code-grant/);
});
