"""How soon the server registers, on a store with very many clients: after a good end, and after kill -9."""

import time

from . import goals, servers
from .bench import end_in_order, say
from .report import spread
from .section import Section

STARTS = 5
KILLED_AFTER_SECONDS = 2


def measure(bench):
    store = bench.store(bench.options.clients)
    server = servers.shipped()
    starts = STARTS if bench.options.rounds > 1 else 2
    in_order = [after_a_good_end(bench, server, store) for _ in range(starts)]
    killed = [after_a_kill(bench, server, store) for _ in range(starts)]
    say(f"start: {spread(in_order)} ms; after kill -9: {spread(killed)} ms")
    clients = f"{store.clients:,} clients"
    return Section(
        "Quick to start", ("started on a store that", "clients", "starts", "ms"),
        [("was closed", f"{store.clients:,}", str(starts), spread(in_order)),
         ("was killed under load", f"{store.clients:,}", str(starts), spread(killed))],
        verdicts=[
            goals.at_most(f"from start to first client registered, {clients}", 50, "ms").verdict(in_order),
            goals.at_most(f"the same after kill -9 under load, {clients}", 200, "ms").verdict(killed),
        ],
        figures={"clients": store.clients, "in_order": in_order, "killed": killed},
    )  # fmt: skip


def after_a_good_end(bench, server, store):
    with bench.running(server, store.folder) as running:
        end_in_order(running, running.stop())
        return running.started_ms


def after_a_kill(bench, server, store):
    with bench.running(server, store.folder) as running:
        load = bench.arrive(running, rate=20_000, seconds=KILLED_AFTER_SECONDS + 1)
        time.sleep(KILLED_AFTER_SECONDS)
        running.kill()
        load.forget()
    return after_a_good_end(bench, server, store)
