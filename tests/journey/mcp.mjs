// MCP clients, unmodified, that know nothing but the address of a protected server: they discover Doorward,
// register, send their user through sign-in and consent, and call the tool. DOORWARD_URL is the issuer,
// TOOLS_URL the protected server, which runs here.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
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

const { DOORWARD_URL, TOOLS_URL } = process.env;
let stop;
before(async () => { stop = await serveTools(TOOLS_URL, DOORWARD_URL); });
after(() => stop());

const whoami = (client) => client.callTool({ name: "whoami", arguments: { word: "hello" } });
const rename = (client) => client.callTool({ name: "rename", arguments: { word: "hello" } });
const said = (answer) => answer.content[0].text;

// The two generations of the SDK differ in where things are, and not in what a program does with them.
const SDKS = {
  "MCP SDK for TypeScript 1.x": {
    Client, Transport: StreamableHTTPClientTransport, Unauthorized: UnauthorizedError, refreshesFirst: true,
  },
  "MCP client package 2.x": {
    Client: v2.Client, Transport: v2.StreamableHTTPClientTransport, Unauthorized: v2.UnauthorizedError,
  },
};

for (const [name, sdk] of Object.entries(SDKS)) {
  const connect = async (provider) => {
    const client = new sdk.Client({ name: "journey", version: "1.0.0" });
    const transport = new sdk.Transport(new URL(TOOLS_URL), { authProvider: provider });
    return { client, transport, connected: client.connect(transport) };
  };

  test(`${name}: from a URL to an answer, and on with a refresh token`, async () => {
    const provider = new Provider();
    const first = await connect(provider);
    await assert.rejects(first.connected, sdk.Unauthorized);
    const { searchParams } = new URL(await new Person().decide(provider.kept.url));
    assert.equal(searchParams.get("state"), provider.kept.state);
    assert.equal(searchParams.get("iss"), DOORWARD_URL);
    await first.transport.finishAuth(searchParams.get("code"), searchParams.get("iss"));

    const second = await connect(provider);
    await second.connected;
    assert.match(said(await whoami(second.client)), /^hello \S+ tools:use$/);

    const { refresh_token: before } = provider.kept.tokens;
    provider.kept.tokens = { ...provider.kept.tokens, access_token: "spoiled" };
    assert.match(said(await whoami(second.client)), /^hello /);
    assert.notEqual(provider.kept.tokens.refresh_token, before, "the refresh token is rotated");
    await second.client.close();
  });

  test(`${name}: a tool that needs more than the client registered with`, async () => {
    const provider = new Provider();
    const { connected, transport } = await connect(provider);
    await assert.rejects(connected, sdk.Unauthorized);
    const authorize = async (through) => {
      const { searchParams } = new URL(await new Person().decide(provider.kept.url));
      await through.finishAuth(searchParams.get("code"), searchParams.get("iss"));
    };
    await authorize(transport);
    assert.equal(provider.kept.tokens.scope, "tools:use");
    const registered = provider.kept.client.client_id;

    let second = await connect(provider);
    await second.connected;
    if (sdk.refreshesFirst) {
      // Told insufficient_scope, this generation refreshes, gets the same scope (RFC 6749 §6), and gives up. A program
      // on it drops the refresh token and connects anew.
      await assert.rejects(rename(second.client), /403 after trying upscoping/);
      delete provider.kept.tokens.refresh_token;
      second = await connect(provider);
      await second.connected;
    }
    await assert.rejects(rename(second.client), sdk.Unauthorized);
    await authorize(second.transport);
    assert.match(said(await rename(second.client)), /^renamed hello .*tools:write/);
    assert.equal(provider.kept.client.client_id, registered, "the same registration");

    provider.kept.tokens = { ...provider.kept.tokens, access_token: "spoiled" };
    assert.match(said(await rename(second.client)), /tools:write/, "a refresh keeps the wider scope");
    assert.match(said(await whoami(second.client)), /^hello /);
    await second.client.close();
  });

  test(`${name}: a user who denies`, async () => {
    const provider = new Provider();
    const { connected } = await connect(provider);
    await assert.rejects(connected, sdk.Unauthorized);
    const { searchParams } = new URL(await new Person().decide(provider.kept.url, /deny/i));
    assert.equal(searchParams.get("error"), "access_denied");
    assert.equal(searchParams.get("iss"), DOORWARD_URL);
    assert.equal(searchParams.get("code"), null);
  });
}

test("mcp-remote: a program on standard input and output comes through", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mcp-remote-"));
  const program = fileURLToPath(new URL("node_modules/mcp-remote/dist/proxy.js", import.meta.url));
  // No browser is found: the person reads the address from the terminal.
  const child = spawn(process.execPath, [program, TOOLS_URL], {
    env: { ...process.env, MCP_REMOTE_CONFIG_DIR: folder, PATH: "/nonexistent", BROWSER: "false" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const heard = [];
  createInterface({ input: child.stderr }).on("line", async (line) => {
    heard.push(line);
    const url = line.match(/https?:\/\/\S+\/oauth2\/authorize\?\S+/)?.[0];
    if (url) await fetch(await new Person().decide(url));
  });
  const answers = new Map();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = JSON.parse(line);
    answers.get(message.id)?.(message);
  });
  const ask = (id, method, params) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no answer to ${method}:\n${heard.join("\n")}`)), 40_000);
      answers.set(id, (message) => { clearTimeout(late); resolve(message); });
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    });
  try {
    const clientInfo = { name: "journey", version: "1.0.0" };
    const hello = await ask(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
    assert.equal(hello.result?.serverInfo.name, "tools", JSON.stringify(hello));
    const { result } = await ask(2, "tools/call", { name: "whoami", arguments: { word: "hello" } });
    assert.match(said(result), /^hello /);
  } finally {
    child.kill();
    await rm(folder, { recursive: true, force: true });
  }
});
