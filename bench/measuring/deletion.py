"""Deleting clients from a large store while others register: what the registrations notice."""

import re
import sqlite3
import subprocess
import time
from dataclasses import asdict

from . import command, servers
from .bench import end_in_order, say
from .report import milliseconds, spread
from .section import Section

# About as many as are deleted in a second: the registrations go on as long as the deletions, roughly.
A_SECOND = 4_000
CONNECTIONS = 64


def measure(bench):
    store = bench.store(bench.options.clients)
    seconds = bench.options.seconds
    with bench.running(servers.shipped(), store.folder) as running:
        bench.warm_up(running)
        best = bench.generator.run(running, CONNECTIONS, seconds).rate
        alone = bench.arrive(running, best / 2, seconds).result()
        load = bench.arrive(running, best / 2, seconds)
        deleted, spent = delete_oldest(bench, store, A_SECOND * (seconds - 1))
        beside = load.result()
        end_in_order(running, running.stop())
    say(f"deletion: {deleted / spent:,.0f}/s; p99 {alone.p99:.1f} ms alone, {beside.p99:.1f} ms beside it")
    rows = [row("alone", "", alone), row("beside deletions", spread([deleted / spent]), beside)]
    header = ("registrations at half their best", "deleted/s", "registered/s", "p50 ms", "p99 ms",
              "longest ms", "refused")  # fmt: skip
    return Section(
        f"Deleting from {store.clients:,} clients", header, rows,
        remarks=["One `client delete --until`, which deletes 64 at once and then rests as long as that took."],
        figures={"best": best, "deleted": deleted, "seconds": spent,
                 "alone": asdict(alone), "beside": asdict(beside)},
    )  # fmt: skip


def delete_oldest(bench, store, number):
    """Deletes the oldest clients by one command, as an operator does who forgets the unused."""
    database = sqlite3.connect(f"file:{store.folder / 'doorward.sqlite3'}?mode=ro", uri=True)
    oldest = "SELECT issued_at FROM clients ORDER BY client_id LIMIT 1 OFFSET ?"
    millis = database.execute(oldest, (number,)).fetchone()[0]
    database.close()
    began = time.perf_counter()
    child = command.start(bench.generator_core, "client", "delete", "--yes", "--data", store.folder,
                          "--until", str(millis // 1000 + 1), stderr=subprocess.PIPE, text=True)  # fmt: skip
    said = child.communicate(timeout=command.SECONDS_MAX)[1]
    deleted = int(re.search(r"Deleted (\d+) client", said)[1])
    return deleted, time.perf_counter() - began


def row(name, deleted, seen):
    refused = sum(n for status, n in seen.statuses.items() if not status.startswith("2"))
    return (name, deleted, spread([seen.rate]), milliseconds([seen.p50]), milliseconds([seen.p99]),
            milliseconds([seen.max]), str(refused + seen.gave_up + seen.broken))  # fmt: skip
