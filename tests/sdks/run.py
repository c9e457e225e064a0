#!/usr/bin/env python3
"""Runs Datadog's SDK for Java, unmodified, against the real binary: one line, and `N passed, N failed` at the end.

Not part of `./check`, since Maven downloads it anew. All that is downloaded and built is in a folder that is deleted at the
end, unless `--folder` names one that stays. `docs/run/operating.md` says what a run has shown.

    tests/sdks/run.py [--folder=FOLDER] [--postgres] [WORD...]

WORDs choose SDKs by their names. Run `cargo build` before.
"""

import importlib.util
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "clients")]
from doorward import Doorward  # noqa: E402
from programs import outcome, run_chosen  # noqa: E402

# The script beside this one in another folder has the same name.
found = importlib.util.spec_from_file_location("clients", HERE.parent / "clients/run.py")
clients = importlib.util.module_from_spec(found)
found.loader.exec_module(clients)

BUILD_SECONDS_MAX = 3_000

SDKS = [
    ("Datadog SDK for Java", ["mvn", "-B", "test"]),
]
FOLDERS = {"mvn": "java"}
BUILT = {}


def run(command, folder, store):
    """Builds one SDK, and runs its cases against a server of its own."""
    tool, built = command[0], BUILT["folder"]
    command = [*command, f"-Dmaven.repo.local={built}/maven", f"-Dbuild.folder={built}/java"]
    settings = {"DOORWARD_TOKEN__KEYS_SECRET": clients.KEYS_SECRET}
    with Doorward(pathlib.Path(folder, "data"), settings, store=store) as server:
        variables = clients.operators(server, f"operators {FOLDERS[tool]}")
        return outcome(command, HERE / FOLDERS[tool], BUILD_SECONDS_MAX, {
            **os.environ,
            **variables,
            "DOORWARD_URL": server.url,
            # No proxy stands between a client and loopback.
            "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        })  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="doorward-sdks-") as folder:
        kept = [word.partition("=")[2] for word in sys.argv if word.startswith("--folder=")]
        BUILT["folder"] = os.path.abspath(kept[0]) if kept else folder
        sys.exit(run_chosen(SDKS, run))
