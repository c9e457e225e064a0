#!/usr/bin/env python3
"""Runs every real client against the real binary: one line a client, and `N passed, N failed` at the end.

Each client is a script in this folder that uses a published library as it is. It gets two servers of its
own: one without limits, and one that soon refuses. `./check install` has put the libraries in place.

    tests/clients/run.py [--postgres] [WORD...]

With `--postgres` the servers share one database. WORDs choose clients by their names.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from doorward import Doorward, Fault  # noqa: E402
from services import Postgres  # noqa: E402

PYTHON = HERE / ".cache/python/bin/python"
CLIENT_SECONDS_MAX = 180

# How many registrations a window takes, and how long it is: short, since a retry waits for its end.
LIMIT = 3
LIMITED = {"DOORWARD_RATE_LIMIT__PER_SOURCE": str(LIMIT), "DOORWARD_RATE_LIMIT__PERIOD_SECONDS": "4"}

CLIENTS = [
    ("Datadog SDK for Python", [PYTHON, "-W", "ignore", "datadog_python.py"]),
    ("Datadog SDK for TypeScript", ["node", "--test", "--test-reporter=tap", "datadog_typescript.mjs"]),
    ("MCP SDK for Python", [PYTHON, "mcp_python.py"]),
    ("MCP SDK for TypeScript", ["node", "--test", "--test-reporter=tap", "mcp_typescript.mjs"]),
    ("oauth4webapi", ["node", "--test", "--test-reporter=tap", "oauth4webapi.mjs"]),
]


def counts(output):
    """How many cases passed and failed, by the summary of `unittest` or of `node --test`."""
    if ran := re.search(r"^Ran (\d+) tests? in ", output, re.MULTILINE):
        failed = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", output.rsplit("\n\n", 1)[-1])))
        return int(ran[1]) - failed, failed
    passed, failed = (re.search(rf"^# {word} (\d+)$", output, re.MULTILINE) for word in ("pass", "fail"))
    return (int(passed[1]), int(failed[1])) if passed and failed else (0, 1)


def run(command, folder, store):
    """Runs one client between the start and the end of its servers, whose clients are in `store`, or in a
    folder each. Returns its counts and its output.
    """
    open_server = Doorward(pathlib.Path(folder, "open"), store=store)
    limited_server = Doorward(pathlib.Path(folder, "limited"), LIMITED, store=store)
    with open_server, limited_server:
        done = subprocess.run(
            command, cwd=HERE, text=True, timeout=CLIENT_SECONDS_MAX,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "DOORWARD_URL": open_server.url,
                "DOORWARD_LIMITED_URL": limited_server.url,
                "DOORWARD_LIMIT": str(LIMIT),
                # No proxy stands between a client and loopback.
                "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
            },
        )  # fmt: skip
    passed, failed = counts(done.stdout)
    # A client that ends badly has failed, whatever it printed; so has one that tried nothing.
    if not failed and (done.returncode != 0 or passed == 0):
        failed = 1
    return passed, failed, done.stdout


def main():
    wanted = [word for word in sys.argv[1:] if word != "--postgres"]
    if "--postgres" in sys.argv[1:]:
        with Postgres() as database:
            return run_all(wanted, database.url())
    return run_all(wanted, None)


def run_all(wanted, store):
    total_passed = total_failed = 0
    for name, command in CLIENTS:
        if wanted and not any(word.lower() in name.lower() for word in wanted):
            continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="doorward-clients-") as folder:
            try:
                passed, failed, output = run(command, folder, store)
            except (Fault, OSError, subprocess.TimeoutExpired) as fault:
                passed, failed, output = 0, 1, str(fault)
        where = " on PostgreSQL" if store else ""
        print(f"{name}{where}: {passed} passed, {failed} failed ({time.monotonic() - begun:.1f} s)", flush=True)
        if failed:
            print(output)
        total_passed += passed
        total_failed += failed
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0


if __name__ == "__main__":
    sys.exit(main())
