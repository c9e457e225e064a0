#!/usr/bin/env python3
"""Runs every real client against the real binary: one line a client, and `N passed, N failed` at the end.

Each client is a script in this folder that uses a published library as it is. It gets two servers of its
own: one without limits, and one that soon refuses. `./check install` has put the libraries in place.

    tests/clients/run.py [--postgres] [--record] [WORD...]

With `--postgres` the servers share one database. WORDs choose clients by their names.
"""

import base64
import os
import pathlib
import secrets
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from doorward import Doorward, free_port  # noqa: E402
from doorward import run as doorward  # noqa: E402
from person import Person, password  # noqa: E402
from programs import NODE, PYTHON, outcome, run_chosen  # noqa: E402

CLIENT_SECONDS_MAX = 180

# A server on PostgreSQL needs one, else no one can sign in and no client manages its registration.
KEYS_SECRET = secrets.token_urlsafe(32)

# How many registrations a window takes, and how long it is: short, since a retry waits for its end.
LIMIT = 3
LIMITED = {"DOORWARD_RATE_LIMIT__PER_SOURCE": str(LIMIT), "DOORWARD_RATE_LIMIT__PERIOD_SECONDS": "4"}

CLIENTS = [
    ("Datadog SDK for Python", [PYTHON, "-W", "ignore", "datadog_python.py"]),
    ("Datadog SDK for TypeScript", [*NODE, "datadog_typescript.mjs"]),
    ("Datadog SDK for Python, operators", [PYTHON, "-W", "ignore", "operators_python.py"]),
    ("Datadog SDK for TypeScript, operators", [*NODE, "operators_typescript.mjs"]),
    ("MCP SDK for Python", [PYTHON, "mcp_python.py"]),
    ("MCP SDK for TypeScript", [*NODE, "mcp_typescript.mjs"]),
    ("MCP SDK for TypeScript, as an operator", [*NODE, "mcp_operator.mjs"]),
    ("oauth4webapi", [*NODE, "oauth4webapi.mjs"]),
    ("Standard Webhooks for Python", [PYTHON, "webhooks_python.py"]),
    ("Standard Webhooks for JavaScript", [*NODE, "webhooks.mjs"]),
]


def operators(server, name):
    """What a client needs to administer a server: operator tokens, and a person who has authorized four clients."""

    def token(role):
        words = ["--quiet", "operator", "token", "create", "--name", f"{name} {role}", "--role", role]
        return doorward(*words, "--data", server.store).strip()

    person = Person(server)
    clients = [person.register(f"{name} {number}") for number in range(4)]
    for client in clients:
        person.allow(client)
    own = person.register("Another app")
    return {
        "DOORWARD_ADMIN_TOKEN": token("admin"),
        "DOORWARD_VIEWER_TOKEN": token("viewer"),
        "DOORWARD_PERSON": person.allow(own),
        "DOORWARD_OWN_CLIENT": own,
        "DOORWARD_CLIENTS": " ".join(clients),
        "DOORWARD_NAME": name,
    }


def run(command, folder, store):
    """Runs one client between the start and the end of its servers, whose clients are in `store`, or in a
    folder each. Returns its counts and its output.
    """
    port, secret = free_port(), f"whsec_{base64.b64encode(os.urandom(32)).decode()}"
    secret_file = pathlib.Path(folder, "webhook.secret")
    secret_file.touch(0o600)
    secret_file.write_text(secret)
    # Both servers: with one database, they are nodes of one issuer.
    shared = {"DOORWARD_TOKEN__KEYS_SECRET": KEYS_SECRET}
    # A webhook without a receiver would fall behind, and a later program's events would wait for the next try.
    program = pathlib.Path(command[-1]).stem.replace("_", "-")
    if program.startswith("webhooks"):
        shared["DOORWARD_WEBHOOKS"] = (
            f'[{{ name = "{program}", url = "http://127.0.0.1:{port}/", secret_file = "{secret_file}", '
            "allow_private_networks = true }]"
        )
    open_server = Doorward(pathlib.Path(folder, "open"), shared, store=store)
    limited_server = Doorward(pathlib.Path(folder, "limited"), {**LIMITED, **shared}, store=store)
    with open_server, limited_server:
        return outcome(command, HERE, CLIENT_SECONDS_MAX, {
            **os.environ,
            **(operators(open_server, command[-1]) if command[-1].startswith("operators") else {}),
            "DOORWARD_URL": open_server.url,
            "DOORWARD_PASSWORD": password(open_server),
            "DOORWARD_LIMITED_URL": limited_server.url,
            "DOORWARD_LIMIT": str(LIMIT),
            "DOORWARD_WEBHOOK_PORT": str(port),
            "DOORWARD_WEBHOOK_SECRET": secret,
            # No proxy stands between a client and loopback.
            "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        })  # fmt: skip


if __name__ == "__main__":
    sys.exit(run_chosen(CLIENTS, run))
