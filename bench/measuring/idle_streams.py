"""Streams of events that stay open through the built-in proxy: what each holds, and what they leave to registrations."""

import contextlib
import resource
import subprocess
import sys
import time

from . import goals, servers
from .bench import say
from .process import WrongAnswer, free_port, pinned

SCRIPT = servers.REPOSITORY / "bench/streams.py"
STREAMS, STREAMS_QUICK = 10_000, 500
# Descriptors of Doorward for each stream, and those for all else.
DESCRIPTORS, OTHERS = 2, 2_000
# Bad tokens a second.
FLOOD_RATE = 500


def count(options):
    """As many streams as are wanted, or as the limit of open files allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    possible = hard if hard == resource.RLIM_INFINITY else (hard - OTHERS) // DESCRIPTORS
    return min(STREAMS_QUICK if options.quick else STREAMS, possible)


@contextlib.contextmanager
def upstream(bench):
    port = free_port()
    with child(bench, "serve", port):
        time.sleep(1)
        yield port


@contextlib.contextmanager
def child(bench, *words):
    """One of the programs of `bench/streams.py`, on the core of the generator."""

    def prepare():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        pinned(bench.generator_core)()

    command = [sys.executable, str(SCRIPT), *map(str, words)]
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=prepare
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def ended(running, what):
    """Has a program end; what it said."""
    said, complaint = running.communicate("", timeout=60)
    if running.returncode != 0:
        raise WrongAnswer(f"{what}: {complaint[-400:]}")
    return said


def measure(bench, running, host, tokens):
    """KiB of each stream, registrations/s alone, beside the streams, and beside bad tokens as well."""
    seconds, streams = bench.options.seconds, count(bench.options)
    alone = bench.generator.run(running, 64, seconds).rate
    before = running.memory()[0]
    with child(bench, "hold", running.port, host, tokens, streams) as holding:
        if holding.stdout.readline() != "open\n":
            ended(holding, "streams")
        time.sleep(2)
        each = (running.memory()[0] - before) * 1024 / streams
        beside = bench.generator.run(running, 64, seconds).rate
        with child(bench, "flood", running.port, host, FLOOD_RATE) as flooding:
            flooded = bench.generator.run(running, 64, seconds).rate
            bad = int(ended(flooding, "bad tokens"))
        ended(holding, "streams")
    say(f"guard: {streams:,} streams of {each:.1f} KiB, registrations/s {alone:,.0f}, {beside:,.0f} beside them, "
        f"{flooded:,.0f} with {bad:,} bad tokens")  # fmt: skip
    return {"streams": streams, "each": each, "alone": alone, "beside": beside, "flooded": flooded, "bad": bad}


def verdicts(found):
    streams = found[0]["streams"]
    # Later rounds use the memory of the first again.
    return [
        goals.at_most(f"an idle stream of {streams:,}, memory for both sides", 40, "KiB").verdict([found[0]["each"]]),
        goals.at_least(f"registrations/s beside {streams:,} open streams / alone", 0.90, "%").verdict(
            [one["beside"] / one["alone"] for one in found]),
        goals.at_least(f"the same with {FLOOD_RATE} bad tokens a second", 0.90, "%").verdict(
            [one["flooded"] / one["alone"] for one in found]),
    ]  # fmt: skip
