"""Deleting clients from a large store while others register: what the registrations notice."""

import subprocess
import time
from dataclasses import asdict

from . import command, servers
from .bench import end_in_order, say
from .report import milliseconds, spread
from .section import Section

# What a command line holds.
AT_ONCE = 500
CONNECTIONS = 64


def measure(bench):
    store = bench.store(bench.options.clients)
    seconds = bench.options.seconds
    with bench.running(servers.shipped(), store.folder) as running:
        bench.warm_up(running)
        best = bench.generator.run(running, CONNECTIONS, seconds).rate
        alone = bench.arrive(running, best / 2, seconds).result()
        load = bench.arrive(running, best / 2, seconds)
        deleted, spent = delete_for(bench, store, seconds - 1)
        beside = load.result()
        end_in_order(running, running.stop())
    say(f"deletion: {deleted / spent:,.0f}/s; p99 {alone.p99:.1f} ms alone, {beside.p99:.1f} ms beside it")
    rows = [row("alone", "", alone), row("beside deletions", spread([deleted / spent]), beside)]
    header = ("registrations at half their best", "deleted/s", "registered/s", "p50 ms", "p99 ms",
              "longest ms", "refused")  # fmt: skip
    return Section(
        f"Deleting from {store.clients:,} clients", header, rows,
        remarks=["Each is a change of its own, which waits for the server's writer and makes it wait."],
        figures={"best": best, "deleted": deleted, "seconds": spent,
                 "alone": asdict(alone), "beside": asdict(beside)},
    )  # fmt: skip


def delete_for(bench, store, seconds):
    """Deletes clients of all ages by `client delete`, command after command."""
    ids = store.sample().read_text().split()
    began, deleted = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds and deleted < len(ids):
        some = ids[deleted : deleted + AT_ONCE]
        child = command.start(bench.generator_core, "client", "delete", "--yes", "--quiet",
                              "--data", store.folder, *some, stdout=subprocess.DEVNULL)  # fmt: skip
        child.wait(timeout=command.SECONDS_MAX)
        deleted += len(some)
    store.forget_sample()
    return deleted, spent


def row(name, deleted, seen):
    refused = sum(n for status, n in seen.statuses.items() if not status.startswith("2"))
    return (name, deleted, spread([seen.rate]), milliseconds([seen.p50]), milliseconds([seen.p99]),
            milliseconds([seen.max]), str(refused + seen.gave_up + seen.broken))  # fmt: skip
