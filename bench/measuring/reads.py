"""Lookups by identifier, alone and while clients register; see README.md for what exactly answers them."""

from dataclasses import asdict, dataclass

from . import goals, servers
from .arrivals import Seen
from .bench import SMALL, end_in_order, say
from .load import Load
from .report import LOAD_HEADER, load_row, milliseconds, spread
from .section import Section

CONNECTIONS = 64


@dataclass
class Figures:
    """One round."""

    ceiling: Load
    lookups: Load
    registrations: Load
    beside: Load
    registered_beside: Seen


def measure(bench):
    store = bench.store(SMALL)
    rounds = []
    for number in range(1, bench.options.rounds + 1):
        rounds.append(one_round(bench, store))
        alone, beside = rounds[-1].lookups.rate, rounds[-1].beside.rate
        say(f"reads, round {number}: {alone:,.0f}/s, beside registrations {beside:,.0f}/s")
    named = {
        "registrations, nothing kept": [one.ceiling for one in rounds],
        "registrations": [one.registrations for one in rounds],
        "lookups": [one.lookups for one in rounds],
        "lookups beside registrations": [one.beside for one in rounds],
    }
    beside = [one.registered_beside for one in rounds]
    rows = [load_row(name, loads) for name, loads in named.items()]
    rows.append(("registrations beside lookups, at half their best", spread([one.rate for one in beside]),
                 milliseconds(one.p50 for one in beside), milliseconds(one.p99 for one in beside),
                 "", "", ""))  # fmt: skip
    return Section(
        "Reads", LOAD_HEADER, rows,
        verdicts=verdicts(rounds), figures=[asdict(one) for one in rounds],
    )  # fmt: skip


def one_round(bench, store):
    seconds, ids = bench.options.seconds, store.sample()
    with bench.running_on_nothing(servers.ceiling_quiet()) as running:
        bench.warm_up(running)
        ceiling = bench.generator.run(running, CONNECTIONS, seconds)
    with bench.folder_of(store) as folder, bench.running(servers.lookups(), folder) as running:
        bench.warm_up(running)
        lookups = bench.generator.lookups(running, CONNECTIONS, seconds, ids)
        registrations = bench.generator.run(running, CONNECTIONS, seconds)
        load = bench.arrive(running, registrations.rate / 2, seconds + 1)
        beside = bench.generator.lookups(running, CONNECTIONS, seconds, ids)
        registered_beside = load.result()
        end_in_order(running, running.stop())
    return Figures(ceiling, lookups, registrations, beside, registered_beside)


def verdicts(rounds):
    alone = [one.lookups.rate / one.ceiling.rate for one in rounds]
    beside = [one.beside.rate / one.lookups.rate for one in rounds]
    return [
        goals.at_least("lookups/s / registrations/s with nothing kept, at 64", 0.60, "%").verdict(alone),
        goals.at_least("lookups/s, beside registrations at half their best / alone", 2 / 3, "%").verdict(
            beside),
    ]
