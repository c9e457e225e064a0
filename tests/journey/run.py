#!/usr/bin/env python3
"""Leads real programs through the whole journey, against the real binary: from an address, over discovery,
registration, sign-in, consent and tokens, to an answer of a protected server. One line a program, and
`N passed, N failed` at the end. `./check install` installs the programs in JavaScript and Python; the first use of
Maven, Go, and Cargo downloads the others.

    tests/journey/run.py [--postgres] [--record] [WORD...]

With `--postgres` the server keeps everything in a database. WORDs choose programs by their names.
"""

import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from doorward import Doorward, Fault, free_port, run as doorward  # noqa: E402
from programs import NODE, PYTHON, LeftOut, outcome, run_chosen  # noqa: E402

PROGRAM_SECONDS_MAX = 240
FETCH_SECONDS_MAX = 1200
BUILD_SECONDS_MAX = 600
SECRET = "what the protected server proves itself with"
MAVEN = ["mvn", "-B", "-f", "java/pom.xml"]
CARGO = ["cargo", "test", "--quiet", "--locked", "--manifest-path", "rust/Cargo.toml", "--target-dir", ".cache/rust"]

# Downloads and builds run once, before the first program of a tool. They do not count against the time of a program,
# and programs run offline, so that a download in one is an error.
FETCH = {
    # `go-offline` does not resolve the dependencies that pom.xml adds to Surefire. Starting Surefire does.
    "mvn": [*MAVEN, "--quiet", "dependency:go-offline", "surefire:test", "-DskipTests"],
    "go": ["go", "mod", "download", "-C", "go"],
    "cargo": ["cargo", "fetch", "--quiet", "--locked", "--manifest-path", "rust/Cargo.toml"],
}
BUILD = {
    "mvn": [*MAVEN, "--quiet", "--offline", "test-compile"],
    "go": ["go", "test", "-C", "go", "-run", "^$", "./..."],
    "cargo": [*CARGO, "--no-run"],
}
OFFLINE = {"GOPROXY": "off", "GOFLAGS": "-mod=readonly", "CARGO_NET_OFFLINE": "true"}

NIMBUS_SPRING = "Nimbus, Spring Security"
JAVA = [*MAVEN, "--offline", "test"]
GO = ["go", "test", "-C", "go", "-count=1", "-v", "./..."]
GO_SDKS = "MCP SDK for Go, x/oauth2 with go-oidc, jwx"

# Name, command, whether the protected server has to be started for it, `token.algorithm`.
PROGRAMS = [
    ("MCP clients for TypeScript, mcp-remote", [*NODE, "mcp.mjs"], False, "ES256"),
    ("Recovery of MCP clients for TypeScript and of mcp-remote", [*NODE, "recovery.mjs"], False, "ES256"),
    ("MCP clients for TypeScript at a guarded server", [*NODE, "guarded.mjs"], False, "ES256"),
    ("MCP SDK for Python", [PYTHON, "-W", "ignore", "mcp_python.py"], True, "ES256"),
    ("oauth4webapi, openid-client", [*NODE, "oauth.mjs"], False, "ES256"),
    *((f"{NIMBUS_SPRING}, {algorithm}", JAVA, True, algorithm) for algorithm in ("ES256", "RS256", "EdDSA")),
    *((f"{GO_SDKS}, {algorithm}", GO, True, algorithm) for algorithm in ("ES256", "RS256", "EdDSA")),
    ("MCP SDK for Rust", [*CARGO, "--", "--nocapture"], True, "ES256"),
    ("MCP conformance", [*NODE, "conformance.mjs"], False, "ES256"),
    ("oidc-provider, to sign in at", [*NODE, "upstream.mjs"], False, "ES256"),
    ("Chromium", [*NODE, "chromium.mjs"], False, "ES256"),
]


@functools.cache
def obstacle(tool):
    """Downloads and builds the programs of a tool, once a run. Returns what prevents it, or `None`."""
    if tool not in FETCH:
        return None
    try:
        return failure(tool)
    except subprocess.TimeoutExpired as late:
        return Fault(str(late))


def failure(tool):
    fetched = output_of(FETCH[tool], FETCH_SECONDS_MAX, {})
    if fetched.returncode != 0:
        first = re.search(r"^.*\w{3}.*$", fetched.stdout, re.MULTILINE)
        return LeftOut(f"its packages cannot be downloaded: {first[0] if first else 'no reason is given'}")
    built = output_of(BUILD[tool], BUILD_SECONDS_MAX, OFFLINE)
    if built.returncode != 0:
        return Fault(f"{' '.join(BUILD[tool])} ended with {built.returncode}:\n{built.stdout}")
    return None


def output_of(command, seconds_max, environment):
    return subprocess.run(
        command, cwd=HERE, text=True, timeout=seconds_max, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def password(server):
    """The password of the local sign-in, as the server printed it at its start."""
    printed = re.search(r"with the password (\S+)", server.log.read_text(), re.IGNORECASE)
    if not printed:
        raise Fault(f"no password was printed:\n{server.log.read_text()}")
    return printed[1]


def operator_token(server):
    """A token that opens the operator API of a server. Other servers may have had the store before."""
    name = f"journey {uuid.uuid4()}"
    words = ["--quiet", "operator", "token", "create", "--name", name, "--role", "admin", "--data", server.store]
    return doorward(*words).strip()


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


def run(command, serves_tools, algorithm, folder, store):
    """Runs one program with a server of its own. Returns its counts and its output."""
    if found := obstacle(command[0]):
        raise found
    tools = f"http://127.0.0.1:{free_port()}/mcp"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    settings = {
        "DOORWARD_AUTHORIZATION__RESOURCES":
            f'[{{ uri = "{tools}", name = "Tools", id = "tools", secret_sha256 = "{digest}" }}]',
        "DOORWARD_TOKEN__ALGORITHM": algorithm,
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
    upstream = f"http://127.0.0.1:{free_port()}/mcp"
    flags = ["--protect", upstream] if "guarded.mjs" in command else []
    with Doorward(pathlib.Path(folder, "data"), settings, store=store, flags=flags) as server:
        environment = {
            **os.environ, **OFFLINE, "TOKEN_ALGORITHM": algorithm,
            "DOORWARD_URL": server.url, "DOORWARD_PASSWORD": password(server),
            "TOOLS_URL": tools, "TOOLS_ID": "tools", "TOOLS_SECRET": SECRET,
            "UPSTREAM_URL": upstream, "OPERATOR_TOKEN": operator_token(server),
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
