#!/usr/bin/env python3
"""The table of clients in docs/connect/works-with.md: what each was led through, at which version, and when.

    tests/works_with.py --write

A cell is a test of `journey/` or `clients/`; without one it says "untested". A version is the one that is pinned there. A
date is the last run of the test that passed with this version, which `journey/run.py --record` and `clients/run.py --record`
write into works_with.json. `documents.py` compares the page with what this makes. Python's standard library alone.
"""

import datetime
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
RECORD, PAGE = HERE / "works_with.json", HERE.parent / "docs/connect/works-with.md"
UNTESTED = "untested"

# Where versions are pinned.
PINS = {
    "npm journey": ("journey/package.json", r'"{name}": "([^"]+)"'),
    "npm clients": ("clients/package.json", r'"{name}": "([^"]+)"'),
    "pip": ("clients/requirements.txt", r"^{name}==(\S+)$"),
    "go": ("journey/go/go.mod", r"^\s*{name} v(\S+)"),
    "maven": ("journey/java/pom.xml", r"<artifactId>{name}</artifactId><version>([^<$]+)<"),
    "maven property": ("journey/java/pom.xml", r"<{name}>([^<]+)<"),
    "cargo": ("journey/rust/Cargo.toml", r'^{name} = {{ version = "=([^"]+)"'),
}

STEPS = ["discovery", "registration", "authorization", "refresh", "step-up", "recovery", "revocation"]
OAUTH, BOTH, DATADOG = "`/oauth2/register`", "`/oauth2/register`, `/register`", "`/api/v2/oauth2/register`"
MCP = "journey/mcp.mjs", "from a URL to an answer, and on with a refresh token"
MORE = "journey/mcp.mjs", "a tool that needs more than the client registered with"
REMOTE = "journey/mcp.mjs", "mcp-remote: a program on standard input and output comes through"
RECOVERY = "journey/recovery.mjs"
PYTHON_MCP = "journey/mcp_python.py"
GO = "journey/go/journey_test.go"
RUST = "journey/rust/tests/journey.rs", "rmcp_goes_from_a_url_to_an_answer_steps_up_and_refreshes"
NIMBUS = "journey/java/src/test/java/NimbusTest.java", "nimbusGoesFromDiscoveryToAVerifiedToken"
SPRING = "journey/java/src/test/java/SpringTest.java", "aClientAuthorizesCallsAToolAndRefreshes"
GO_MCP = GO, "TestMCPSDKFromAURLToAnAnswerAndOnToAToolThatNeedsMore"
GO_OIDC = GO, "TestOAuth2WithGoOIDCVerifiesWhatItWasGranted"
OAUTH4WEBAPI = "journey/oauth.mjs", "oauth4webapi: register, authorize, exchange, refresh, ask, revoke"
OPENID_CLIENT = "journey/oauth.mjs", "openid-client: register, authorize, exchange, refresh, revoke"
DATADOG_PYTHON = "clients/datadog_python.py", "test_the_documented_example_is_registered"
DATADOG_TYPESCRIPT = "clients/datadog_typescript.mjs", "the documented example is registered"
CHROMIUM = "journey/chromium.mjs"


# Programs that lead clients of another program's row through one step more.
ALSO = {RECOVERY: "Recovery of MCP clients for TypeScript and of mcp-remote"}


def whole(test, *steps):
    """One test for several steps."""
    return dict.fromkeys(steps, test)


FIRST = ("discovery", "registration", "authorization")

# Client, its pin, the program that leads it, the registration endpoints it uses, and the test of each step.
CLIENTS = [
    ("MCP SDK for TypeScript 2", ("npm journey", "@modelcontextprotocol/client"), "MCP clients for TypeScript, mcp-remote", OAUTH,
     {**whole(MCP, *FIRST, "refresh"), "step-up": MORE, "recovery": (RECOVERY, "${name} recovers after ${what}")}),
    ("MCP SDK for TypeScript 1", ("npm journey", "@modelcontextprotocol/sdk"), "MCP clients for TypeScript, mcp-remote", OAUTH,
     {**whole(MCP, *FIRST, "refresh"), "recovery": (RECOVERY, "${name} recovers after ${what}")}),
    ("mcp-remote", ("npm journey", "mcp-remote"), "MCP clients for TypeScript, mcp-remote", OAUTH,
     {**whole(REMOTE, *FIRST), "recovery": (RECOVERY, "mcp-remote recovers after ${what}")}),
    ("MCP SDK for Python", ("pip", "mcp"), "MCP SDK for Python", OAUTH,
     {**whole((PYTHON_MCP, "test_from_a_url_to_an_answer"), *FIRST, "refresh", "step-up"),
      "recovery": (PYTHON_MCP, "test_recovers_after_the_end_of_its_grant")}),
    ("MCP SDK for Go", ("go", "github.com/modelcontextprotocol/go-sdk"), "MCP SDK for Go, x/oauth2 with go-oidc, jwx, ES256", OAUTH,
     whole(GO_MCP, *FIRST, "refresh", "step-up")),
    ("MCP SDK for Rust (rmcp)", ("cargo", "rmcp"), "MCP SDK for Rust", OAUTH, whole(RUST, *FIRST, "refresh", "step-up")),
    ("oauth4webapi", ("npm journey", "oauth4webapi"), "oauth4webapi, openid-client", BOTH,
     whole(OAUTH4WEBAPI, *FIRST, "refresh", "revocation")),
    ("openid-client", ("npm journey", "openid-client"), "oauth4webapi, openid-client", OAUTH,
     whole(OPENID_CLIENT, *FIRST, "refresh", "revocation")),
    ("golang.org/x/oauth2 with go-oidc", ("go", "github.com/coreos/go-oidc/v3"), "MCP SDK for Go, x/oauth2 with go-oidc, jwx, ES256",
     OAUTH, whole(GO_OIDC, "discovery", "authorization", "refresh")),
    ("Nimbus OAuth 2.0 SDK", ("maven", "oauth2-oidc-sdk"), "Nimbus, Spring Security, ES256", OAUTH, whole(NIMBUS, *FIRST, "refresh")),
    ("Spring Security", ("maven property", "spring.security"), "Nimbus, Spring Security, ES256", OAUTH,
     whole(SPRING, "discovery", "authorization", "refresh")),
    ("Datadog SDK for Python", ("pip", "datadog-api-client"), "Datadog SDK for Python", DATADOG, {"registration": DATADOG_PYTHON}),
    ("Datadog SDK for TypeScript", ("npm clients", "@datadog/datadog-api-client"), "Datadog SDK for TypeScript", DATADOG,
     {"registration": DATADOG_TYPESCRIPT}),
    ("Chromium, by Playwright", ("npm journey", "playwright-core"), "Chromium", OAUTH,
     {"authorization": (CHROMIUM, "a person allows with the keyboard, without scripts, and arrives at the client"),
      "revocation": (CHROMIUM, "a person disconnects an app")}),
]  # fmt: skip

TOP = """\
# Works with

<!-- Made by `tests/works_with.py --write`. Do not edit. -->

Each cell is a test that leads the client, as published, through that step against a real server. `./check clients` and
`./check journey` run them. The date is the last run that passed with this version; "untested" says that there is none.
[Libraries](libraries.md) has what to know about each.

"""


def version(kind, name):
    file, pattern = PINS[kind]
    text = (HERE / file).read_text()
    found = re.search(pattern.format(name=re.escape(name)), text, re.MULTILINE)
    if not found:
        raise SystemExit(f"tests/{file} pins no {name}")
    return found[1]


def installed(kind, name):
    """The version that a program runs. Other tools than npm and pip run what is pinned, or nothing."""
    if kind.startswith("npm "):
        package = HERE / kind.removeprefix("npm ") / "node_modules" / name / "package.json"
        return json.loads(package.read_text())["version"]
    if kind == "pip":
        folders = (HERE / "clients/.cache/python").glob(f"lib/*/site-packages/{name.replace('-', '_')}-*.dist-info")
        return next(folders).name.removesuffix(".dist-info").split("-")[1]
    return version(kind, name)


def is_there(test):
    file, name = test
    return name in (HERE / file).read_text()


def page():
    """The page as it should be. Ends the program if a test that a cell names is not there."""
    record = json.loads(RECORD.read_text())
    lines = [f"| Client | Version | Registers at | {' | '.join(STEPS)} | Passed |", f"|{'---|' * (len(STEPS) + 4)}"]
    for client, pin, program, doors, tests in CLIENTS:
        gone = [test for test in tests.values() if not is_there(test)]
        if gone or set(tests) - set(STEPS):
            raise SystemExit(f"tests/works_with.py: {client}: there is no test {gone}")
        pinned = version(*pin)
        ran = [record.get(name, {}) for name in led_by(program, tests)]
        has_run = all(it.get("versions", {}).get(client) == pinned for it in ran)
        date = min(it["date"] for it in ran) if has_run else UNTESTED
        cells = ["✓" if step in tests and date != UNTESTED else UNTESTED for step in STEPS]
        lines.append(f"| {client} | {pinned} | {doors} | {' | '.join(cells)} | {date} |")
    return TOP + "\n".join(lines) + "\n"


def led_by(program, tests):
    """The programs of a row, each with its folder."""
    files = {file for file, _ in tests.values()}
    return {f"{file.split('/')[0]}: {ALSO.get(file, program)}" for file in files}


def record(program):
    """Notes that a program, named with its folder, has passed, with the versions that it ran."""
    versions = {
        client: installed(*pin) for client, pin, led, _, tests in CLIENTS if program in led_by(led, tests)
    }
    if versions:
        known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        known[program] = {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "versions": versions}
        RECORD.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def faults():
    """What is out of date."""
    if PAGE.exists() and PAGE.read_text() == page():
        return []
    return [f"{PAGE.relative_to(HERE.parent)} is out of date: run tests/works_with.py --write"]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        sys.exit("\n".join(faults()) or 0)
