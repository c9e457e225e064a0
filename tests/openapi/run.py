#!/usr/bin/env python3
"""Lets schemathesis hold the running server to the description that it serves: every answer is one that the
document knows, nothing that breaks a schema is accepted, nothing makes a 5xx. Bounded, and the same in every run.
"""

import collections
import hashlib
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from doorward import Doorward, Fault, run  # noqa: E402

SECONDS_MAX = 300
# Fewer, and the answers of what succeeds have hardly been looked at.
REGISTERED_MIN = 50
SUCCEEDED_MIN = {"/oauth2/authorize": 50, "/oauth2/token": 50, "/oauth2/revoke": 10, "/oauth2/introspect": 10}
# At each path of the operator API: those without parameters and a body get three requests.
OPERATED_MIN = 3
OPERATORS = "operators"
# These open to access tokens of people alone: here they refuse the operator token, and tests/clients/run.py calls them.
OF_PEOPLE = "/api/v2/user_authorized_clients"
SECRET = "what the protected server proves itself with"


class Provider(http.server.BaseHTTPRequestHandler):
    """A provider that publishes its metadata, and at which nobody can sign in."""

    def do_GET(self):
        issuer = f"http://{self.headers['host']}"
        body = json.dumps({
            "issuer": issuer, "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys", "id_token_signing_alg_values_supported": ["ES256"],
        }).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def settings(provider):
    """Everything that adds something to the interface."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    return {
        "DOORWARD_AUTHORIZATION__RESOURCES":
            f'[{{ uri = "https://tools.example", id = "tools", secret_sha256 = "{digest}" }}]',
        "DOORWARD_REGISTRATION__SCOPES": '[{ scope = "read" }, { scope = "openid" }, { scope = "profile" }]',
        "DOORWARD_OPERATOR__CALLS_PER_MINUTE": "0",
        "DOORWARD_SIGN_IN__PER_SOURCE": "1000000",
        "DOORWARD_SIGN_IN__PROVIDERS":
            f'[{{ id = "one", name = "One", issuer = "{provider}", client_id = "doorward" }}]',
        "DOORWARD_TOKEN__PER_CLIENT": "1000000",
    }  # fmt: skip


def password(server):
    """The password of the local sign-in, as the server printed it at its start."""
    printed = re.search(r"with the password (\S+)", server.log.read_text(), re.IGNORECASE)
    if not printed:
        raise Fault(f"no password was printed:\n{server.tail()}")
    return printed[1]


def operator_token(server):
    """The operator token that the server printed at its start: it opens every operation of the operator API."""
    printed = re.search(r"dwo_[\w-]+", server.log.read_text())
    if not printed:
        raise Fault(f"no operator token was printed:\n{server.tail()}")
    return printed[0]


def operator_paths():
    """The paths of the operator API, by the description in the repository."""
    paths = json.loads((HERE.parents[1] / "docs/openapi.json").read_text())["paths"]
    return [path for path, operations in paths.items() if not path.startswith(OF_PEOPLE)
            and any(operation["tags"] == [OPERATORS] for operation in operations.values())]  # fmt: skip


def succeeded(server):
    """How many requests at each route were answered with 2xx or 3xx."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.management_port}/metrics") as page:
        metrics = page.read().decode()
    found = re.findall(r'^doorward_http_requests_total\{route="(.*)",status="[23]xx"\} (\d+)', metrics, re.MULTILINE)
    counts = collections.Counter()
    for route, count in found:
        counts[route] += int(count)
    return counts


def hold(server, hooks, *chosen):
    """Holds a server to what it says of some operations. Returns how many requests that took; `None` after a fault."""
    done = subprocess.run(
        [
            HERE / ".cache/python/bin/schemathesis", "--config-file", HERE / "schemathesis.toml",
            "run", "--no-color", *chosen, f"{server.url}/openapi.json",
        ],
        # It leaves notes where it runs.
        cwd=server.data.parent, env={
            **os.environ, "SCHEMATHESIS_HOOKS": str(HERE / hooks), "DOORWARD_URL": server.url,
            "DOORWARD_PASSWORD": password(server), "RESOURCE_SECRET": SECRET,
            "OPERATOR_TOKEN": operator_token(server),
        },
        text=True, timeout=SECONDS_MAX, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    tried = re.search(r"^ *(\d+) generated", done.stdout, re.MULTILINE)
    if done.returncode == 0 and tried:
        return int(tried[1])
    # A generated body can be as long as the server lets it be.
    print("\n".join(line[:500] for line in done.stdout.splitlines()))
    return None


def hold_for_clients(issuer, folder):
    with Doorward(pathlib.Path(folder, "clients"), settings(issuer)) as server:
        tried = hold(server, "hooks.py", "--exclude-tag", OPERATORS)
        counts = succeeded(server)
    registered = len(run("client", "export", "--data", server.data).splitlines())
    few = [f"{counts[route]} at {route}" for route, least in SUCCEEDED_MIN.items() if counts[route] < least]
    if tried is None or registered < REGISTERED_MIN or few:
        print(f"{registered} registrations; too few succeeded: {few}")
        return False
    print(f"{tried} requests, {registered} of them registered a client, {counts['/oauth2/token']} bought tokens")
    return True


def hold_for_operators(issuer, folder):
    """On a server of its own: whatever these operations suspend, reject, or remove, no other check misses it."""
    with Doorward(pathlib.Path(folder, "operators"), settings(issuer)) as server:
        tried = hold(server, "operator_hooks.py", "--include-tag", OPERATORS)
        counts = succeeded(server)
    paths = operator_paths()
    few = [f"{counts[path]} at {path}" for path in paths if counts[path] < OPERATED_MIN]
    if tried is None or few:
        print(f"too few succeeded: {few}")
        return False
    print(f"{tried} requests of operators, {sum(counts[path] for path in paths)} succeeded")
    return True


def main():
    provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{provider.server_port}"
    with tempfile.TemporaryDirectory(prefix="doorward-openapi-") as folder:
        held = [hold_for_clients(issuer, folder), hold_for_operators(issuer, folder)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
