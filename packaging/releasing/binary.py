"""The binary of a release, and what is known about its source."""

import json
import os
import pathlib
import platform
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def version():
    """The version in `Cargo.toml`."""
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]


def source_time():
    """`SOURCE_DATE_EPOCH`, or the time of the last commit: every file of a release bears it."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or output("git", "log", "-1", "--format=%ct"))


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def build(target):
    """Builds the static binary for a target triple, and returns its path."""
    workspace = json.loads(output("cargo", "metadata", "--no-deps", "--format-version=1"))
    folder = pathlib.Path(workspace["target_directory"])
    # For another architecture, cargo-zigbuild has the C compiler and the C library.
    verb = "build" if target.startswith(f"{platform.machine()}-") else "zigbuild"
    command = ["cargo", verb, "--profile", "dist", "--locked", "--bin", "doorward", "--target", target]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | reproducible(target, folder))
    return folder / target / "dist" / "doorward"


def reproducible(target, folder):
    """The environment in which no path of this machine gets into the binary."""
    cargo = os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")
    # The last one that matches wins in rustc, and the target folder may be inside the source.
    paths = [(cargo, "/cargo"), (ROOT, "/source"), (folder, "/target")]
    c_flags = " ".join(f"-ffile-prefix-map={path}={name}" for path, name in reversed(paths))
    return {
        "RUSTFLAGS": " ".join(f"--remap-path-prefix={path}={name}" for path, name in paths),
        f"CFLAGS_{target.replace('-', '_')}": c_flags,
        "SOURCE_DATE_EPOCH": str(source_time()),
    }
