"""An older `doorward` binary against the one built from this tree: interleaved rounds on one machine."""

import contextlib
import hashlib
import sqlite3
from dataclasses import asdict
from pathlib import Path

from . import goals, servers, tokens
from .bench import end_in_order, say
from .machine import version_of
from .process import WrongAnswer
from .report import spread
from .section import Section

OLDER, NEWER = "older", "newer"
CONNECTIONS = (64, 256)
# The tables that hold what `grants` prepares.
COPIED = ("clients", "grants")
AIM = 0.95


def measure(bench):
    binaries = {OLDER: bench.options.against, NEWER: servers.program("doorward")}
    pair = [servers.at(name, binary) for name, binary in binaries.items()]
    with bench.fresh_folder() as filled, bench.fresh_folder() as requests:
        tokens.grant(tokens.prepared(bench.options, signed_rate(bench)), filled, requests)
        rounds = []
        for number in range(1, bench.options.rounds + 1):
            # The one that goes first takes turns, because the first run of a round may find a quieter disk.
            order = pair if number % 2 else pair[::-1]
            rounds.append({server.name: one_round(bench, server, filled, requests) for server in order})
            say(f"paired, round {number}: newer / older: {said(rounds[-1])}")
    measured = rounds[0][OLDER]
    rows = [row(name, rounds) for name in measured]
    return Section(
        "Paired", HEADER, rows,
        verdicts=[verdict(name, rounds) for name in measured],
        remarks=[described(binaries), *early(rounds)],
        figures=[{name: asdicts(loads) for name, loads in one.items()} for one in rounds],
    )  # fmt: skip


HEADER = ("what", "older, a second", "newer, a second", "ratio of rates", "older, CPU µs/request",
          "newer, CPU µs/request", "ratio of CPU", "ratio of p99")  # fmt: skip


def signed_rate(bench):
    """More answers than a server that signs tokens gives in a second."""
    with bench.running_on_nothing(servers.signed()) as running:
        return bench.generator.run(running, 64, min(2, bench.options.seconds)).rate


def one_round(bench, server, filled, requests):
    """Registrations, each number of connections on a new store; then what registered clients ask for."""
    found = {}
    for connections in CONNECTIONS:
        with bench.running_on_nothing(server) as running:
            bench.warm_up(running)
            load = bench.generator.run(running, connections, bench.options.seconds)
            found[f"registrations, {connections} connections"] = load
    with bench.fresh_folder() as folder:
        with bench.running(server, folder) as running:
            end_in_order(running, running.stop())
        take_rows(filled, folder)
        with bench.running(server, folder) as running:
            found |= tokens.exchanges(bench, running, "/oauth2/token", requests)
            (query,) = [name for name, path in tokens.READS.items() if path.endswith("?")]
            found |= tokens.reads(bench, running, requests, [query])
            end_in_order(running, running.stop())
    return found


def take_rows(filled, folder):
    """Copies the prepared rows into the store that the binary has made itself, column by column: an older
    binary cannot open a newer store. The columns that both have mean the same, and the warm-up looks at
    every answer."""
    source = filled / "doorward.sqlite3"
    with contextlib.closing(sqlite3.connect(folder / "doorward.sqlite3")) as database:
        # A trigger of the store needs it, and SQLite has it from 3.41 on.
        database.create_function("unhex", 1, identifier)
        database.execute("ATTACH ? AS filled", [str(source)])
        for table in COPIED:
            of_source = columns(database, "filled", table)
            both = ", ".join(name for name in columns(database, "main", table) if name in of_source)
            database.execute(f"INSERT INTO main.{table} ({both}) SELECT {both} FROM filled.{table}")
        database.commit()


def identifier(text):
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def columns(database, schema, table):
    found = [row[1] for row in database.execute(f"PRAGMA {schema}.table_info({table})")]
    if not found:
        raise WrongAnswer(f"a store has no table {table}")
    return found


def ratios(name, rounds, figure):
    return [figure(one[NEWER][name]) / max(figure(one[OLDER][name]), 1e-9) for one in rounds]


def rate(load):
    return load.rate


def cost(load):
    return load.server_us


def row(name, rounds):
    older, newer = ([one[which][name] for one in rounds] for which in (OLDER, NEWER))
    return (
        name,
        spread([load.rate for load in older]),
        spread([load.rate for load in newer]),
        spread(ratios(name, rounds, rate), 2),
        spread([load.server_us for load in older], 1),
        spread([load.server_us for load in newer], 1),
        spread(ratios(name, rounds, cost), 2),
        spread(ratios(name, rounds, lambda load: load.p99), 2),
    )


def verdict(name, rounds):
    return goals.at_least(f"{name}: newer / older, a second", AIM, "%").verdict(ratios(name, rounds, rate))


def said(one):
    return ", ".join(f"{name} {ratios(name, [one], rate)[0]:.2f}" for name in one[OLDER])


def described(binaries):
    """Two builds of one version differ in their digests."""

    def digest(binary):
        return hashlib.sha256(Path(binary).read_bytes()).hexdigest()[:12]

    both = (f"{name}: {version_of(str(binary), '--version')} ({digest(binary)})" for name, binary in binaries.items())
    return f"Ratios are newer / older within a round: median (least–greatest). {'; '.join(both)}."


def early(rounds):
    named = {
        f"{which}, {name}": [one[which][name] for one in rounds]
        for which in (OLDER, NEWER)
        for name in rounds[0][which]
    }
    return tokens.used_up(named)


def asdicts(loads):
    return {name: asdict(load) for name, load in loads.items()}
