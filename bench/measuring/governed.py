"""Stores as years of use leave them, embedded and on PostgreSQL, and the servers and commands that run on them."""

import contextlib
import http.client
import json
import os
import re
import secrets
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from . import command, postgres, servers
from .process import WrongAnswer, free_port
from .servers import Server

FILL_SECONDS_MAX = 4 * 3600
COMMAND_SECONDS_MAX = 1800
KEYS_SECRET = secrets.token_urlsafe(32)
# One rule of each kind, in turn; no client of the bench matches any.
RULES = (
    'any_destination = ["*.tunnel{n}.example", "host{n}.example"]',
    'all_destinations = ["scheme:app{n}", "host{n}.example"]',
    'name = "Imitator {n}x"',
    'name_contains = "imitator{n}"',
    'family = "imitator {n}x@loopback"',
    'software_id = "software-{n}"',
    'document_host = "*.host{n}.example"',
    'source = "10.{n}.0.0/24"',
)


def rules(count):
    """Settings with so many admission rules."""
    each = (
        f'{{ id = "rule-{n}", effect = "reject", reason = "no", {RULES[n % len(RULES)].format(n=n)} }}'
        for n in range(count)
    )
    return {"DOORWARD_REGISTRATION__RULES": f"[{', '.join(each)}]"}


@dataclass
class Place:
    """A store: a data folder, or the URL of a database."""

    name: str
    data: str
    database: object = None
    examples: dict = None

    def server(self, **environment):
        """A server on this store, whose metrics can be asked for."""
        management = free_port()

        def serve(port, _folder):
            return servers.serving(servers.program("doorward"), port, self.data, management)

        # On PostgreSQL, people can sign in only with a secret for the keys, which all nodes share.
        shared = {"DOORWARD_TOKEN__KEYS_SECRET": KEYS_SECRET} if str(self.data).startswith("postgres:") else {}
        name = f"governed-{self.name.replace(' ', '-')}"
        server = Server(name, f"Doorward, {self.name}", serve, environment=shared | environment)
        return server, Metrics(management)

    def fill(self, bench, clients):
        """Years of use: `govern.rs` says what. A store that was filled before has its summary beside it."""
        if (summary := Path(f"{self.data}.json")).exists():
            self.examples = json.loads(summary.read_text())
            return
        program = [servers.program("govern", True), str(clients), str(self.data)]
        both = {bench.core, bench.generator_core}
        filled = subprocess.run(
            program, stdout=subprocess.PIPE, check=True, timeout=FILL_SECONDS_MAX,
            preexec_fn=lambda: os.sched_setaffinity(0, both),
        )  # fmt: skip
        self.examples = json.loads(filled.stdout)

    @contextlib.contextmanager
    def empty(self, folder):
        """A new store of the same kind."""
        if not self.database:
            yield Place(f"{self.name} anew", folder)
            return
        self.database.psql("CREATE DATABASE anew")
        servers.migrate(self.database.url("anew"))
        try:
            yield Place(f"{self.name} anew", self.database.url("anew"))
        finally:
            self.database.psql("DROP DATABASE anew WITH (FORCE)")

    def command(self, core, *arguments):
        """What a command of `doorward` says about this store, and how long it takes. It runs beside the server."""
        began = command.time.perf_counter()
        child = command.start(core, *arguments, "--data", self.data, stdout=subprocess.PIPE)
        said, _ = child.communicate(timeout=COMMAND_SECONDS_MAX)
        if child.returncode != 0:
            raise WrongAnswer(f"`{' '.join(map(str, arguments[:2]))}` ended with {child.returncode}")
        return said.decode().strip(), command.time.perf_counter() - began

    def knows_family(self, core, key):
        child = command.start(core, "family", "show", key, "--data", self.data, stdout=subprocess.DEVNULL)
        return child.wait(60) == 0

    def token(self, core):
        """An operator token that may read everything."""
        made = ("operator", "token", "create", "--name", f"bench-{free_port()}", "--role", "admin")
        return self.command(core, *made)[0]


@contextlib.contextmanager
def places(bench):
    """The embedded store, and PostgreSQL where it is installed, each with the database server if it has one; and what is
    left out."""
    with contextlib.ExitStack() as stack:
        found, left_out = [], []
        if bench.options.store != "postgres":
            filled = bench.options.filled
            folder = Path(filled) if filled else stack.enter_context(bench.fresh_folder())
            found.append(Place("the embedded store", folder))
        if bench.options.store != "embedded":
            try:
                server = stack.enter_context(postgres.started(bench))
            except postgres.services.Missing as missing:
                left_out.append(f"PostgreSQL is left out: {missing}.")
            else:
                server.psql("CREATE DATABASE governed")
                servers.migrate(server.url("governed"))
                found.append(Place("PostgreSQL", server.url("governed"), server))
        yield found, left_out


def register(port, body):
    """Registers a client of this body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", servers.REGISTER, body=body, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 201:
        raise WrongAnswer(f"a registration was answered {answer.status}: {answer.read()[:200]!r}")
    connection.close()


class Metrics:
    """The figures that a server shows of itself."""

    def __init__(self, port):
        self.port = port

    def value(self, name):
        """The sum of the samples with this beginning; 0 if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        lines = re.findall(rf"^{re.escape(name)}\S* (\S+)$", text, re.M)
        return sum(float(line) for line in lines)


class Registering:
    """Registrations at a fixed rate, one run after another, for as long as something else goes on."""

    def __init__(self, bench, running, rate, seconds):
        self._start = lambda: bench.arrive(running, rate, seconds)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failure = None
        self.seen = []

    def _run(self):
        try:
            while not self.seen or not self._is_over.is_set():
                self.seen.append(self._start().result())
        except Exception as failure:  # noqa: BLE001 - it is raised where the run ends
            self._failure = failure

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._is_over.set()
        self._thread.join()
        if self._failure and not kind:
            raise self._failure

    @property
    def p99(self):
        """Of the run that was slowest."""
        return max((one.p99 for one in self.seen if one.p99 is not None), default=0.0)
