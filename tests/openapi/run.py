#!/usr/bin/env python3
"""Lets schemathesis hold the running server to the description that it serves: every answer is one that the
document knows, nothing that breaks a schema is accepted, nothing makes a 5xx. Bounded, and the same in every run.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from doorward import Doorward, run  # noqa: E402

SECONDS_MAX = 300
# Fewer, and the answers of a registration that succeeds have hardly been looked at.
REGISTERED_MIN = 50


def main():
    with tempfile.TemporaryDirectory(prefix="doorward-openapi-") as folder:
        with Doorward(pathlib.Path(folder, "data")) as server:
            done = subprocess.run(
                [
                    HERE / ".cache/python/bin/schemathesis", "--config-file", HERE / "schemathesis.toml",
                    "run", "--no-color", f"{server.url}/openapi.json",
                ],
                # It leaves notes where it runs.
                cwd=folder, env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py")},
                text=True, timeout=SECONDS_MAX, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        registered = len(run("client", "export", "--data", server.data).splitlines())
    tried = re.search(r"^ *(\d+) generated", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not tried:
        # A generated body can be as long as the server lets it be.
        print("\n".join(line[:500] for line in done.stdout.splitlines()))
        return 1
    if registered < REGISTERED_MIN:
        print(f"only {registered} registrations succeeded: nothing much was checked")
        return 1
    print(f"{tried[1]} requests, {registered} of them registered a client")
    return 0


if __name__ == "__main__":
    sys.exit(main())
