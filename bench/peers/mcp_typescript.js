// The registration handler of the MCP TypeScript SDK on express, clients in a Map, rate limit off.
//
// node mcp_typescript.js PORT

import { clientRegistrationHandler } from '@modelcontextprotocol/sdk/server/auth/handlers/register.js';
import express from 'express';

const [port] = process.argv.slice(2);
const clients = new Map();

const clientsStore = {
  getClient: (id) => clients.get(id),
  registerClient(client) {
    clients.set(client.client_id, client);
    return client;
  },
};

const app = express();
app.disable('x-powered-by');
app.disable('etag'); // a hash of every answer, which no client of this endpoint asks for
app.use('/register', clientRegistrationHandler({ clientsStore, rateLimit: false }));

const server = app.listen(Number(port), '127.0.0.1', 1024);
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
