// An MCP server without any authorization, built with the MCP SDK for TypeScript, behind `doorward serve --protect`; and
// MCP clients, unmodified, that know nothing but the address of the protected server. DOORWARD_URL is the issuer,
// UPSTREAM_URL the server, which runs here.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import express from "express";
import { z } from "zod";
import * as v2 from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { Person } from "./person.mjs";
import { Provider } from "./provider.mjs";

const { DOORWARD_URL, UPSTREAM_URL } = process.env;
const upstream = new URL(UPSTREAM_URL);
const guarded = new URL(upstream.pathname, DOORWARD_URL);
const sessions = new Map();
const authorizations = [];
let listening;

before(async () => {
  const app = express();
  app.all(upstream.pathname, express.json(), async (request, response) => {
    authorizations.push(request.headers.authorization);
    let transport = sessions.get(request.headers["mcp-session-id"]);
    if (!transport) {
      const server = new McpServer({ name: "unprotected", version: "1.0.0" });
      server.registerTool("echo", { description: "Repeats", inputSchema: { word: z.string() } }, ({ word }) => ({
        content: [{ type: "text", text: `echo ${word}` }],
      }));
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => sessions.set(id, transport),
      });
      await server.connect(transport);
    }
    await transport.handleRequest(request, response, request.body);
  });
  listening = await new Promise((resolve) => {
    const server = app.listen(Number(upstream.port), upstream.hostname, () => resolve(server));
  });
});
after(() => {
  listening.closeAllConnections();
  listening.close();
});

const SDKS = {
  "MCP SDK for TypeScript 1.x": {
    Client, Transport: StreamableHTTPClientTransport, Unauthorized: UnauthorizedError,
  },
  "MCP client package 2.x": {
    Client: v2.Client, Transport: v2.StreamableHTTPClientTransport, Unauthorized: v2.UnauthorizedError,
  },
};

for (const [name, sdk] of Object.entries(SDKS)) {
  test(`${name}: from an address to the answer of a server that knows nothing of OAuth`, async () => {
    const provider = new Provider();
    const connect = async () => {
      const client = new sdk.Client({ name: "journey", version: "1.0.0" });
      const transport = new sdk.Transport(guarded, { authProvider: provider });
      return { client, transport, connected: client.connect(transport) };
    };
    const first = await connect();
    await assert.rejects(first.connected, sdk.Unauthorized);
    const { searchParams } = new URL(await new Person().decide(provider.kept.url));
    await first.transport.finishAuth(searchParams.get("code"), searchParams.get("iss"));
    const second = await connect();
    await second.connected;
    const { tools } = await second.client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name), ["echo"]);
    const answer = await second.client.callTool({ name: "echo", arguments: { word: "hello" } });
    assert.equal(answer.content[0].text, "echo hello");
    assert.match(second.transport.sessionId, /\..{43}$/, "the session is bound to its holder");
    await second.client.close();
    assert.deepEqual(new Set(authorizations), new Set([undefined]), "no token reaches the server");
  });
}
