// What programs do after an operator has suspended and resumed, or removed, their registration, or has ended their grant:
// MCP clients, unmodified, that had an answer before and want another one. They recover without anyone editing what they
// keep; a person allows them once more. OPERATOR_TOKEN opens the operator API of DOORWARD_URL.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as v2 from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Person } from "./person.mjs";
import { Provider } from "./provider.mjs";
import { serveTools } from "./tools.mjs";

const { DOORWARD_URL, OPERATOR_TOKEN, TOOLS_ID, TOOLS_SECRET, TOOLS_URL } = process.env;
let stop;
before(async () => { stop = await serveTools(TOOLS_URL, DOORWARD_URL, [TOOLS_ID, TOOLS_SECRET]); });
after(() => stop());

const SDKS = {
  "MCP SDK for TypeScript 1.x": { Client, Transport: StreamableHTTPClientTransport, Unauthorized: UnauthorizedError },
  "MCP client package 2.x": {
    Client: v2.Client, Transport: v2.StreamableHTTPClientTransport, Unauthorized: v2.UnauthorizedError,
  },
};

// A program that stores what the SDK gives it, and deletes what the SDK finds invalid, as the SDK documents.
class Storing extends Provider {
  invalidateCredentials(what) {
    if (what === "all" || what === "client") delete this.kept.client;
    if (what === "all" || what === "tokens") delete this.kept.tokens;
    if (what === "all" || what === "verifier") delete this.kept.verifier;
  }
}

const operate = async (method, path, data) => {
  const response = await fetch(`${DOORWARD_URL}/api/v2/oauth2${path}`, {
    method,
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, ...(data && { "content-type": "application/json" }) },
    ...(data && { body: JSON.stringify({ data }) }),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
  return response.status === 204 ? null : response.json();
};
const setStanding = (id, standing) =>
  operate("PATCH", `/clients/${id}`, { id, type: "oauth2_clients", attributes: { standing } });
const endGrants = async (id) => {
  const { data } = await operate("GET", `/grants?filter[client_id]=${id}`);
  assert.ok(data.length > 0);
  for (const grant of data) await operate("DELETE", `/grants/${grant.id}`);
};

// What operators do to a client, and what a person is shown while it lasts.
const SITUATIONS = {
  "a suspension and a resumption": {
    begin: (id) => setStanding(id, "suspended"),
    shown: /An administrator blocked this app/,
    end: (id) => setStanding(id, "active"),
    keepsRegistration: true,
  },
  "the end of a grant": { begin: endGrants, keepsRegistration: true },
  "a removal": { begin: (id) => operate("DELETE", `/clients/${id}`), keepsRegistration: false },
};

for (const [name, sdk] of Object.entries(SDKS)) {
  const whoami = async (provider) => {
    const client = new sdk.Client({ name: "journey", version: "1.0.0" });
    const transport = new sdk.Transport(new URL(TOOLS_URL), { authProvider: provider });
    try {
      await client.connect(transport);
      const answer = await client.callTool({ name: "whoami", arguments: { word: "hello" } });
      return answer.content[0].text;
    } finally {
      await client.close();
    }
  };
  const allow = async (provider) => {
    const transport = new sdk.Transport(new URL(TOOLS_URL), { authProvider: provider });
    const { searchParams } = new URL(await new Person().decide(provider.kept.url));
    await transport.finishAuth(searchParams.get("code"), searchParams.get("iss"));
  };

  for (const [what, { begin, shown, end, keepsRegistration }] of Object.entries(SITUATIONS)) {
    test(`${name} recovers after ${what}`, async () => {
      const provider = new Storing();
      await assert.rejects(whoami(provider), sdk.Unauthorized);
      await allow(provider);
      assert.match(await whoami(provider), /^hello /);
      const { client_id: before } = provider.kept.client;
      const { url: asked } = provider.kept;

      await begin(before);

      await assert.rejects(whoami(provider), sdk.Unauthorized);
      assert.notEqual(provider.kept.url, asked, "the person is asked again");
      if (shown) {
        await assert.rejects(new Person().decide(provider.kept.url), shown);
        await end(before);
      }
      await allow(provider);
      assert.match(await whoami(provider), /^hello /);
      assert.equal(provider.kept.client.client_id === before, keepsRegistration);
    });
  }
}

// Brings the code to a program that prints its question before it listens, as a person is slower than that.
async function come(url) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await fetch(url);
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

// mcp-remote, which a host starts anew each time; what it stores is in `folder`. Returns the answer of the tool, and
// whether a person was asked.
async function mcpRemote(folder) {
  const program = fileURLToPath(new URL("node_modules/mcp-remote/dist/proxy.js", import.meta.url));
  const child = spawn(process.execPath, [program, TOOLS_URL], {
    env: { ...process.env, MCP_REMOTE_CONFIG_DIR: folder, PATH: "/nonexistent", BROWSER: "false" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const heard = [], shown = [];
  createInterface({ input: child.stderr }).on("line", async (line) => {
    heard.push(line);
    const url = line.match(/https?:\/\/\S+\/oauth2\/authorize\?\S+/)?.[0];
    if (!url) return;
    try {
      shown.push("a question");
      await come(await new Person().decide(url));
    } catch (error) {
      shown.push(String(error));
    }
  });
  const answers = new Map();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = JSON.parse(line);
    answers.get(message.id)?.(message);
  });
  const ask = (id, method, params) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no answer to ${method}:\n${heard.join("\n")}\n${shown}`)), 20_000);
      answers.set(id, (message) => { clearTimeout(late); resolve(message); });
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    });
  try {
    const clientInfo = { name: "journey", version: "1.0.0" };
    await ask(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
    const { result } = await ask(2, "tools/call", { name: "whoami", arguments: { word: "hello" } });
    return { said: result.content[0].text, shown };
  } finally {
    child.kill();
  }
}

const registered = async (folder) => {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith("client_info.json"));
  assert.equal(files.length, 1, `${files}`);
  return JSON.parse(await readFile(join(folder, files[0]), "utf8")).client_id;
};

for (const [what, { begin, end, keepsRegistration }] of Object.entries(SITUATIONS)) {
  test(`mcp-remote recovers after ${what}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "mcp-remote-"));
    try {
      assert.match((await mcpRemote(folder)).said, /^hello /);
      const before = await registered(folder);
      await begin(before);
      await end?.(before);
      const { said, shown } = await mcpRemote(folder);
      assert.match(said, /^hello /);
      assert.deepEqual(shown, ["a question"]);
      assert.equal((await registered(folder)) === before, keepsRegistration);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
