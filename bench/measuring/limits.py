"""The script of shared limits on a Redis of its own, which has one core: how many requests it counts in a second."""

import csv
import subprocess
import sys
from dataclasses import dataclass

from . import machine, servers
from .bench import say
from .process import WrongAnswer
from .report import spread
from .section import Section

sys.path.insert(0, str(servers.REPOSITORY / "tests"))
import services  # noqa: E402

TITLE = "Limits in Redis"
SCRIPT = servers.REPOSITORY / "src/http/rate_limit/count.lua"
PASSWORD = "bench"
SOURCES = 1_000_000
# As the server names its counters, and asks with the limits as shipped.
COUNTER = "doorward:{https://login.example.com}:60:"
KEYS = [
    f"{COUNTER}192.0.2.__rand_int__",
    f"{COUNTER}bytes:192.0.2.__rand_int__",
    f"{COUNTER}all",
    f"{COUNTER}bytes:all",
]
# The period; one request of 500 bytes; the limits of a source, of all, and of all for busy sources.
LIMITS = ["60000", "1", "500", "60", "131072", "6000", "4194304", "4500", "3145728", "3"]
SECONDS_MAX = 600


@dataclass(frozen=True)
class Case:
    """How it is asked."""

    what: str
    connections: int
    on_their_way: int
    # About as many as are counted in a second.
    a_second: int


CASES = [
    Case("one connection, one request at a time", 1, 1, 10_000),
    Case("one connection, 64 requests on their way, as a busy node asks", 1, 64, 50_000),
    Case("64 connections, one request at a time", 64, 1, 30_000),
    Case("8 connections, 16 requests on their way: eight nodes", 8, 16, 50_000),
]


def measure(bench):
    rounds = []
    try:
        program = services.program("redis-benchmark")
        for number in range(1, bench.options.rounds + 1):
            rounds.append({case: counted(bench, program, case) for case in CASES})
            rates = ", ".join(f"{found['rps']:,.0f}" for found in rounds[-1].values())
            say(f"limits, round {number}: scripts a second: {rates}")
    except services.Missing as missing:
        return Section(TITLE, remarks=[f"Left out: {missing}."])
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return Section(
        TITLE, ("how it is asked", "scripts/s", "p50 ms", "p99 ms"),
        [row(case, [found[case] for found in rounds]) for case in CASES],
        remarks=[f"Redis {version} on one core, `redis-benchmark` on the other; {SOURCES:,} sources by chance."],
        figures=[{case.what: found for case, found in one.items()} for one in rounds],
    )  # fmt: skip


def counted(bench, program, case):
    redis = services.Redis(PASSWORD, ["--save", ""])
    try:
        with machine.starting_on({bench.core}):
            redis.start()
        asked = [program, "-p", str(redis.port), "-a", PASSWORD, "--csv", "-r", str(SOURCES),
                 "-c", str(case.connections), "-P", str(case.on_their_way)]  # fmt: skip
        script = load(redis)
        count = ["EVALSHA", script, str(len(KEYS)), *KEYS, *LIMITS]
        done = subprocess.run(
            [*asked, "-n", str(case.a_second * bench.options.seconds), *count],
            capture_output=True, text=True, timeout=SECONDS_MAX,
        )  # fmt: skip
    finally:
        redis.remove()
    return figures(done)


def load(redis):
    """Gives the server the script, as a node does when it connects; returns its digest."""
    done = subprocess.run(
        [services.program("redis-cli"), "-p", str(redis.port), "-a", PASSWORD, "--no-auth-warning", "-x",
         "SCRIPT", "LOAD"],
        input=SCRIPT.read_text(), capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    return done.stdout.strip()


def figures(done):
    """What `redis-benchmark` says of its one test; it also ends with 0 when it could not ask."""
    lines = [line for line in done.stdout.splitlines() if line.startswith('"')]
    if done.returncode != 0 or len(lines) != 2 or "rror" in done.stdout:
        raise WrongAnswer(f"redis-benchmark: {done.stdout[-400:]}{done.stderr[-400:]}")
    [found] = csv.DictReader(lines)
    return {name: float(found[name]) for name in ("rps", "p50_latency_ms", "p99_latency_ms")}


def row(case, found):
    return (
        case.what,
        spread([one["rps"] for one in found]),
        spread([one["p50_latency_ms"] for one in found], 2),
        spread([one["p99_latency_ms"] for one in found], 2),
    )
