"""The registration handler of the MCP Python SDK on uvicorn (uvloop, httptools), clients in a dict.

python mcp_python.py PORT
"""

import sys

import uvicorn
from mcp.server.auth.handlers.register import RegistrationHandler
from mcp.server.auth.settings import ClientRegistrationOptions
from starlette.applications import Starlette
from starlette.routing import Route


class InMemory:
    """As much of a provider as registration calls."""

    def __init__(self):
        self.clients = {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info):
        self.clients[client_info.client_id] = client_info


def main():
    handler = RegistrationHandler(InMemory(), options=ClientRegistrationOptions(enabled=True))
    app = Starlette(routes=[Route("/register", endpoint=handler.handle, methods=["POST"])])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        server_header=False,
        lifespan="off",
        backlog=1024,
    )


if __name__ == "__main__":
    main()
