"""`store copy` from the embedded store to PostgreSQL and back: clients a second, the comparison at the end included."""

from dataclasses import asdict, dataclass

from . import command, postgres, servers
from .bench import say
from .postgres import services
from .process import WrongAnswer
from .report import spread
from .section import Section

TITLE = "Copies"
# A rate needs no more, and what is copied lies on the disk three times.
CLIENTS_MAX = 1_000_000


@dataclass(frozen=True)
class Found:
    """One copy."""

    rate: float
    peak: float


def measure(bench):
    store = bench.store(min(CLIENTS_MAX, bench.options.clients))
    rounds = []
    try:
        with postgres.started(bench) as server:
            for number in range(1, bench.options.rounds + 1):
                rounds.append(there_and_back(bench, store, server, f"copied_{number}"))
                rates = ", ".join(f"{found.rate:,.0f}" for found in rounds[-1].values())
                say(f"copy, round {number}: clients a second: {rates}")
            version = server.psql("SHOW server_version")
    except services.Missing as missing:
        return Section(TITLE, remarks=[f"Left out: {missing}."])
    return Section(
        f"{TITLE} of {store.clients:,} clients", ("from, to", "clients/s", "MiB at its highest"),
        [row(what, [found[what] for found in rounds]) for what in rounds[0]],
        remarks=[f"`store copy` on one core, PostgreSQL {version} with its default settings on both. The time is that "
                 "of the whole command: it copies, and then reads and compares both sides."],
        figures=[{what: asdict(found) for what, found in one.items()} for one in rounds],
    )  # fmt: skip


def there_and_back(bench, store, server, name):
    """From the embedded store into a new database, and from there into a new data folder."""
    server.psql(f"CREATE DATABASE {name}")
    url = server.url(name)
    servers.migrate(url)
    try:
        with bench.folder_of(store) as source, bench.fresh_folder() as target:
            found = {
                "embedded, PostgreSQL": copy(bench, store, server, source, url),
                "PostgreSQL, embedded": copy(bench, store, server, url, target),
            }
            if (kept := servers.clients_in_store(target)) != store.clients:
                raise WrongAnswer(f"of {store.clients} clients {kept} came back")
    finally:
        server.psql(f"DROP DATABASE {name} WITH (FORCE)")
    return found


def copy(bench, store, server, source, target):
    server.psql("CHECKPOINT")
    ran = command.run(bench.core, "store", "copy", "--from", source, "--to", target, "--clients-only")
    return Found(store.clients / ran.seconds, ran.peak)


def row(what, found):
    return (what, spread([one.rate for one in found]), spread([one.peak for one in found]))
