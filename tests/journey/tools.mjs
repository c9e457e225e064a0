// A protected MCP server, built with the MCP SDK for TypeScript. It verifies access tokens by the issuer's keys, and asks
// the issuer whether they are active if it has `credentials`, an id and a secret. Its tool `whoami` needs the scope tools:use, which the first challenge names; `rename` needs tools:write as well.

import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { z } from "zod";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { getOAuthProtectedResourceMetadataUrl } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

// Serves at `resource` the tokens of `issuer`; returns what stops it.
export async function serveTools(resource, issuer, credentials) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));
  const isActive = async (token) => {
    const authorization = `Basic ${btoa(credentials.map(encodeURIComponent).join(":"))}`;
    const body = new URLSearchParams({ token });
    const answer = await fetch(`${issuer}/oauth2/introspect`, { method: "POST", headers: { authorization }, body });
    return (await answer.json()).active;
  };
  const verifyAccessToken = async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience: resource, typ: "at+jwt" });
      if (credentials && !(await isActive(token))) throw new Error("the token is not active");
      const { client_id: clientId, scope = "", exp: expiresAt, sub } = payload;
      return { token, clientId, scopes: scope.split(" "), expiresAt, resource: new URL(resource), extra: { sub } };
    } catch (error) {
      throw new InvalidTokenError(String(error));
    }
  };
  const app = express();
  const document = { resource, authorization_servers: [issuer], scopes_supported: ["tools:use"] };
  const metadata = getOAuthProtectedResourceMetadataUrl(new URL(resource));
  app.get(new URL(metadata).pathname, (_, response) => response.json(document));
  const protect = (...requiredScopes) =>
    requireBearerAuth({ verifier: { verifyAccessToken }, requiredScopes, resourceMetadataUrl: metadata });
  const toUse = protect("tools:use");
  const toWrite = protect("tools:use", "tools:write");
  const byTool = (request, ...rest) =>
    (request.body?.params?.name === "rename" ? toWrite : toUse)(request, ...rest);
  app.post("/mcp", express.json(), byTool, async (request, response) => {
    const server = new McpServer({ name: "tools", version: "1.0.0" });
    server.registerTool("whoami", { description: "Says who asks", inputSchema: { word: z.string() } }, ({ word }) => ({
      content: [{ type: "text", text: `${word} ${request.auth.extra.sub} ${request.auth.scopes.join(" ")}` }],
    }));
    server.registerTool("rename", { description: "Changes a name", inputSchema: { word: z.string() } }, ({ word }) => ({
      content: [{ type: "text", text: `renamed ${word} ${request.auth.scopes.join(" ")}` }],
    }));
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on("close", () => { transport.close(); server.close(); });
    await server.connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
  app.get("/mcp", toUse, (_, response) => response.status(405).end());
  const { port, hostname } = new URL(resource);
  const listening = await new Promise((resolve, reject) => {
    const server = app.listen(Number(port), hostname, () => resolve(server)).on("error", reject);
  });
  return () => { listening.closeAllConnections(); listening.close(); };
}
