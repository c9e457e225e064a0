#!/usr/bin/env python3
"""Leads real programs through the whole journey, against the real binary: from an address, over discovery,
registration, sign-in, consent and tokens, to an answer of a protected server. One line a program, and
`N passed, N failed` at the end. `./check install` has put the programs in place.

    tests/journey/run.py [--postgres] [WORD...]

With `--postgres` the server keeps everything in a database. WORDs choose programs by their names.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from doorward import Doorward, Fault, free_port  # noqa: E402
from programs import NODE, PYTHON, outcome, run_chosen  # noqa: E402

PROGRAM_SECONDS_MAX = 240
SECRET = "what the protected server proves itself with"

# Name, command, whether the protected server has to be started for it.
PROGRAMS = [
    ("MCP clients for TypeScript, mcp-remote", [*NODE, "mcp.mjs"], False),
    ("MCP SDK for Python", [PYTHON, "-W", "ignore", "mcp_python.py"], True),
    ("oauth4webapi, openid-client", [*NODE, "oauth.mjs"], False),
    ("Nimbus, Spring Security", ["mvn", "-B", "-f", "java/pom.xml", "test"], True),
    ("MCP SDK for Go, x/oauth2 with go-oidc", ["go", "test", "-C", "go", "-count=1", "-v", "./..."], True),
    ("MCP conformance", [*NODE, "conformance.mjs"], False),
    ("oidc-provider, to sign in at", [*NODE, "upstream.mjs"], False),
    ("Chromium", [*NODE, "chromium.mjs"], False),
]


def password(server):
    """The password of the local sign-in, as the server printed it at its start."""
    printed = re.search(r"with the password (\S+)", server.log.read_text(), re.IGNORECASE)
    if not printed:
        raise Fault(f"no password was printed:\n{server.log.read_text()}")
    return printed[1]


def providers(ports, secret):
    """The providers of `upstream.mjs`, as a setting; our secret at them is put into the file `secret`."""
    secret.write_text("the secret: of 100% us\n")
    one = f"http://127.0.0.1:{ports['one']}"
    issuers = {
        "one": one, "other": f"http://127.0.0.1:{ports['other']}", "down": f"http://127.0.0.1:{ports['down']}",
        "slash": f"http://127.0.0.1:{ports['slash']}/",
        "slow": f"{one}/slow", "wrong": f"{one}/wrong", "page": f"{one}/page",
    }  # fmt: skip
    tables = [
        f'{{ id = "{name}", name = "Provider {name}", issuer = "{issuer}", client_id = "doorward", '
        f'client_secret_file = "{secret}"'
        + (', allowed_domains = ["acme.example"]' if name == "other" else "") + " }"
        for name, issuer in issuers.items()
    ]  # fmt: skip
    return f"[{', '.join(tables)}]"


def run(command, serves_tools, folder, store):
    """Runs one program with a server of its own. Returns its counts and its output."""
    tools = f"http://127.0.0.1:{free_port()}/mcp"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    settings = {
        "DOORWARD_AUTHORIZATION__RESOURCES":
            f'[{{ uri = "{tools}", name = "Tools", id = "tools", secret_sha256 = "{digest}" }}]',
        # One server after the other on one database.
        "DOORWARD_TOKEN__KEYS_SECRET": "a secret that is the same for every server of this run",
        "DOORWARD_REGISTRATION__SCOPES": (
            '[{ scope = "tools:use", description = "Use your tools" }, '
            '{ scope = "tools:write", description = "Change what your tools show", sensitive = true }]'
        ),
    }  # fmt: skip
    ports = {name: free_port() for name in ("one", "other", "slash", "down")}
    if "upstream.mjs" in command:
        settings |= {
            "DOORWARD_SIGN_IN__PROVIDERS": providers(ports, pathlib.Path(folder, "provider.secret")),
            "DOORWARD_SIGN_IN__PER_SOURCE": "1000",
        }
    with Doorward(pathlib.Path(folder, "data"), settings, store=store) as server:
        environment = {
            **os.environ,
            "DOORWARD_URL": server.url, "DOORWARD_PASSWORD": password(server),
            "TOOLS_URL": tools, "TOOLS_ID": "tools", "TOOLS_SECRET": SECRET,
            "CALLBACK_PORT": str(free_port()), "PROVIDERS": json.dumps(ports),
            # No proxy stands between a program and loopback.
            "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
        }  # fmt: skip
        protected = None
        if serves_tools:
            protected = subprocess.Popen(
                ["node", "serve_tools.mjs"], cwd=HERE, text=True, env=environment, stdout=subprocess.PIPE
            )
            if protected.stdout.readline() != "ready\n":
                raise Fault("the protected server did not start")
        try:
            return outcome(command, HERE, PROGRAM_SECONDS_MAX, environment)
        finally:
            if protected:
                protected.kill()
                protected.wait()


if __name__ == "__main__":
    sys.exit(run_chosen(PROGRAMS, run))
