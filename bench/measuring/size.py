"""Does the number of stored clients matter? Ten thousand against very many, in interleaved rounds."""

from dataclasses import asdict, dataclass

from . import goals, servers
from .bench import SMALL, end_in_order, say
from .load import Load
from .report import spread
from .section import Section

CONNECTIONS = 64


@dataclass
class Figures:
    """One store in one round."""

    registrations: Load
    lookups: Load


def measure(bench):
    stores = [bench.store(count) for count in (SMALL, bench.options.clients)]
    rounds = []
    for number in range(1, bench.options.rounds + 1):
        rounds.append([of_store(bench, store) for store in stores])
        rates = (f"{found.registrations.rate:,.0f} and {found.lookups.rate:,.0f}" for found in rounds[-1])
        say(f"size, round {number}: registrations and lookups a second: {', '.join(rates)}")
    header = ("clients stored", "registrations/s", "p99 ms", "lookups/s", "p99 ms",
              "store / documents", "filled in s")  # fmt: skip
    return Section(
        "Flat in size", header, [row(*column) for column in zip(stores, zip(*rounds), strict=True)],
        verdicts=verdicts(stores, rounds),
        figures={"stores": [describe(store) for store in stores],
                 "rounds": [[asdict(found) for found in found_at] for found_at in rounds]},
    )  # fmt: skip


def of_store(bench, store):
    seconds = bench.options.seconds
    with bench.folder_of(store) as folder, bench.running(servers.lookups(), folder) as running:
        bench.warm_up(running)
        registrations = bench.generator.run(running, CONNECTIONS, seconds)
        # Until the sample has been read once, the disk is what is measured.
        bench.generator.lookups(running, CONNECTIONS, max(2, seconds // 2), store.sample())
        lookups = bench.generator.lookups(running, CONNECTIONS, seconds, store.sample())
        end_in_order(running, running.stop())
    return Figures(registrations, lookups)


def verdicts(stores, rounds):
    small, large = (f"{store.clients:,}" for store in stores)
    registrations = [much.registrations.rate / few.registrations.rate for few, much in rounds]
    lookups = [much.lookups.rate / few.lookups.rate for few, much in rounds]
    size = stores[-1].store_bytes / stores[-1].document_bytes
    return [
        goals.at_least(f"registrations/s with {large} clients / {small}", 0.85, "%").verdict(registrations),
        goals.at_least(f"lookups/s, warm, with {large} clients / {small}", 0.50, "%").verdict(lookups),
        goals.at_most(f"bytes of the store / of its documents, {large} clients", 1.4, "%").verdict([size]),
    ]


def row(store, found):
    return (
        f"{store.clients:,}",
        spread([one.registrations.rate for one in found]),
        spread([one.registrations.p99 for one in found], 2),
        spread([one.lookups.rate for one in found]),
        spread([one.lookups.p99 for one in found], 2),
        f"{store.store_bytes / store.document_bytes:.2f}",
        f"{store.seconds:.0f}",
    )


def describe(store):
    return {**asdict(store), "folder": store.folder.name}
