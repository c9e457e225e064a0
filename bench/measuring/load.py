"""The load: wrk on its own core, closed loop, keep-alive, every body unique."""

import json
import os
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import servers
from .machine import Unfit, busy_seconds
from .process import WrongAnswer, pinned

SCRIPTS = Path(__file__).parent.parent
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass
class Load:
    """What one run of the generator saw. Latencies in milliseconds."""

    connections: int
    requests: int
    seconds: float
    p50: float
    p99: float
    not_201: int
    bytes_per_answer: float
    server_us: float = 0.0
    server_busy: float = 0.0
    generator_busy: float = 0.0
    others_busy: float = 0.0
    resident: float = 0.0
    # The run ended early: all prepared requests were sent.
    used_up: bool = False

    @property
    def rate(self):
        return self.requests / self.seconds


def ensure_wrk():
    """The generator, from the distribution's packages when it is not there."""
    if not shutil.which("wrk"):
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise Unfit("wrk is needed: install it from your distribution's packages")
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=True, timeout=300)


def three_characters(number):
    """A tag that no other run against the same server has."""
    base = len(DIGITS)
    return DIGITS[number // base**2 % base] + DIGITS[number // base % base] + DIGITS[number % base]


@dataclass
class Wrk:
    """One run of wrk."""

    port: int
    connections: int
    seconds: int
    script: str
    arguments: list

    def command(self):
        return [
            "wrk", "--threads", "1", "--connections", str(self.connections),
            "--duration", f"{self.seconds}s", "--timeout", "10s", "--script", str(SCRIPTS / self.script),
            f"http://127.0.0.1:{self.port}", "--", *self.arguments,
        ]  # fmt: skip


class Generator:
    """Loads one process after another; every run of it has bodies of its own."""

    def __init__(self, cores):
        self._cores = cores
        self._runs = 0

    def tag(self):
        """Three characters for the next run."""
        self._runs += 1
        return three_characters(self._runs)

    def run(self, process, connections, seconds, strict=False):
        """Registers at `process` for `seconds`. Strict: every single answer is looked at."""
        arguments = [process.server.path, self.tag(), *(["strict"] if strict else [])]
        wrk = Wrk(process.port, connections, seconds, "registrations.lua", arguments)
        load = self._drive(process, wrk)
        process.registered += load.requests
        return load

    def lookups(self, process, connections, seconds, ids):
        """Looks up the clients of the file `ids`, by the example server of that name."""
        port = process.server.lookup_port
        arguments = [servers.CLIENTS + "/", str(ids)]
        return self._drive(process, Wrk(port, connections, seconds, "lookups.lua", arguments))

    def gets(self, process, connections, seconds, path, lines):
        """Asks for `path` with each line of the file `lines` behind it, over and over."""
        return self._drive(process, Wrk(process.port, connections, seconds, "lookups.lua", [path, str(lines)]))

    def guarded(self, process, port, connections, seconds, arguments):
        """Asks a proxy on `port`, or the guard itself: `guarded.lua` says what. The processor time is that of `process`."""
        return self._drive(process, Wrk(port, connections, seconds, "guarded.lua", list(map(str, arguments))))

    def tokens(self, process, path, bodies, seconds, first=0, strict=False):
        """Sends the bodies of a file, each once, after the `first` ones. Strict: every answer is looked at."""
        connections = 64
        arguments = [path, str(bodies), str(first), str(connections), *(["strict"] if strict else [])]
        return self._drive(process, Wrk(process.port, connections, seconds, "tokens.lua", arguments))

    def _drive(self, process, wrk):
        all_busy = busy_seconds(self._cores)
        cpu, spent, began = process.cpu_seconds(), children_cpu(), time.perf_counter()
        try:
            said = subprocess.run(
                wrk.command(),
                capture_output=True,
                text=True,
                timeout=wrk.seconds + 60,
                check=False,
                preexec_fn=pinned(self._cores[1]),
            )
        except subprocess.TimeoutExpired as late:
            raise WrongAnswer(f"wrk did not come back from {process.server.name}") from late
        wall, spent = time.perf_counter() - began, children_cpu() - spent
        if not process.is_alive():
            raise WrongAnswer(f"{process.server.name} died under load")
        cpu = process.cpu_seconds() - cpu
        all_busy = busy_seconds(self._cores) - all_busy
        load = self._result(process, wrk.connections, said)
        load.server_us = cpu * 1e6 / max(1, load.requests)
        busy_for = load.seconds if load.used_up else wall
        load.server_busy = cpu / busy_for
        load.generator_busy = spent / busy_for
        load.others_busy = max(0.0, (all_busy - cpu - spent) / (wall * len(self._cores)))
        load.resident = process.memory()[0]
        return load

    @staticmethod
    def _result(process, connections, said):
        lines = [line for line in said.stdout.splitlines() if line.startswith("RESULT ")]
        if said.returncode != 0 or not lines:
            raise WrongAnswer(f"wrk failed: {(said.stdout + said.stderr)[-800:]}")
        result = json.loads(lines[-1].removeprefix("RESULT "))
        not_201 = result["refused"] + result["broken"] + result["wrong"]
        if not_201:
            raise WrongAnswer(
                f"{process.server.name} at {connections} connections: {result['refused']} refused, "
                f"{result['broken']} broken off or late, {result['wrong']} with another answer "
                f"than the right one. {said.stderr[:400]}"
            )
        if not result["requests"]:
            raise WrongAnswer(f"{process.server.name} answered nothing")
        return Load(
            connections=connections,
            requests=result["requests"],
            seconds=result["microseconds"] / 1e6,
            p50=result["p50"] / 1000,
            p99=result["p99"] / 1000,
            not_201=not_201,
            bytes_per_answer=result["bytes"] / result["requests"],
            used_up=result["used_up"],
        )


def children_cpu():
    """CPU time of children that have ended: between two calls, that is wrk's."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
