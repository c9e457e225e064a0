"""Codes and refresh tokens exchanged on the embedded store and on PostgreSQL, against what only signs."""

import subprocess
from dataclasses import asdict, dataclass

from . import goals, governed, postgres, servers, tokens
from .bench import end_in_order, say
from .load import Load
from .postgres import services
from .report import LOAD_HEADER, load_row
from .section import Section

TITLE = "Exchanges"
COPY_SECONDS_MAX = 600
QUIET = {"DOORWARD_LOG__FILTER": "warn"}
# Nodes of a database have no folder that would hold it.
SHARED = QUIET | {"DOORWARD_TOKEN__KEYS_SECRET": governed.KEYS_SECRET}


@dataclass
class Figures:
    """One round: what only signs, and each store by what was exchanged."""

    signed: Load
    embedded: dict[str, Load]
    postgres: dict[str, Load]


def measure(bench):
    rounds = []
    try:
        with postgres.started(bench) as server:
            for number in range(1, bench.options.rounds + 1):
                rounds.append(one_round(bench, server, f"exchanges_{number}"))
                say(f"exchanges, round {number}: {', '.join(said(rounds[-1]))}")
            version = server.psql("SHOW server_version")
    except services.Missing as missing:
        return Section(TITLE, remarks=[f"Left out: {missing}."])
    named = {"signed (hyper alone, a signature in each)": [one.signed for one in rounds]}
    for name in tokens.EXCHANGES.values():
        named[f"embedded store, {name}"] = [one.embedded[name] for one in rounds]
        named[f"PostgreSQL, {name}"] = [one.postgres[name] for one in rounds]
    return Section(
        TITLE, LOAD_HEADER, [load_row(name, loads) for name, loads in named.items()],
        verdicts=verdicts(rounds),
        remarks=[f"PostgreSQL {version} with its default settings, on both cores.", *tokens.used_up(named)],
        figures=[asdict(one) for one in rounds],
    )  # fmt: skip


def one_round(bench, server, database):
    with bench.running_on_nothing(servers.signed()) as running:
        bench.warm_up(running)
        signed = bench.generator.run(running, tokens.CONNECTIONS, bench.options.seconds)
    server.psql(f"CREATE DATABASE {database}")
    url = server.url(database)
    servers.migrate(url)
    try:
        with bench.fresh_folder() as folder, bench.fresh_folder() as requests:
            tokens.grant(tokens.prepared(bench.options, signed.rate), folder, requests)
            copy(folder, url)
            server.psql("VACUUM ANALYZE", database)
            server.psql("CHECKPOINT")
            with bench.running(servers.shipped(**QUIET), folder) as running:
                embedded = tokens.exchanges(bench, running, "/oauth2/token", requests)
                end_in_order(running, running.stop())
            with bench.running(postgres.on(url, SHARED), folder) as running:
                on_postgres = tokens.exchanges(bench, running, "/oauth2/token", requests)
                end_in_order(running, running.stop())
    finally:
        server.psql(f"DROP DATABASE {database} WITH (FORCE)")
    return Figures(signed, embedded, on_postgres)


def copy(folder, url):
    """The clients and grants that were prepared."""
    command = [servers.program("doorward"), "store", "copy", "--from", str(folder), "--to", url]
    subprocess.run(command, check=True, timeout=COPY_SECONDS_MAX, stdout=subprocess.DEVNULL)


def said(one):
    yield f"signed {one.signed.rate:,.0f}/s"
    for name in tokens.EXCHANGES.values():
        yield f"{name} {one.embedded[name].rate:,.0f} and {one.postgres[name].rate:,.0f}/s"


def verdicts(rounds):
    found = []
    for name in tokens.EXCHANGES.values():
        ratios = [one.postgres[name].rate / one.embedded[name].rate for one in rounds]
        found.append(goals.at_least(f"{name}/s, PostgreSQL / the embedded store", 0.70, "%").verdict(ratios))
    for name in tokens.EXCHANGES.values():
        ratios = [one.embedded[name].rate / one.signed.rate for one in rounds]
        found.append(goals.at_least(f"{name}/s, the embedded store / what only signs", 0.60, "%").verdict(ratios))
    return found
