"""What becomes of twice the load that can be sustained: arrivals at a fixed rate, an open loop."""

import contextlib
import sqlite3
import uuid
from dataclasses import asdict, dataclass

from . import goals, servers
from .arrivals import Seen
from .bench import end_in_order, say
from .process import WrongAnswer
from .report import milliseconds, spread
from .section import Section

# So many connections that it is the server which has to say no. It counts none of a proxy's.
CONNECTIONS = 2048
SETTINGS = {"DOORWARD_SERVER__TRUSTED_PROXIES": "127.0.0.1"}
FACTORS = (0.5, 1.0, 2.0)


@dataclass
class Figures:
    """One round: the best of the closed loop, then a share of it in the open one."""

    best: float
    seen: dict[float, Seen]
    resident: dict[float, float]


def measure(bench):
    rounds = []
    for number in range(1, bench.options.rounds + 1):
        rounds.append(one_round(bench))
        over = rounds[-1].seen[2.0]
        best = rounds[-1].best
        say(f"overload, round {number}: best {best:,.0f}/s, of twice as many {over.rate:,.0f}/s")
    header = ("arriving", "registered/s", "p50 ms", "p99 ms", "longest ms", "429", "503",
              "p99 of refusals, ms", "gave up", "broken", "resident MiB", "generator busy")  # fmt: skip
    remarks = []
    if any(seen.is_too_much for one in rounds for seen in one.seen.values()):
        remarks.append("The generator was at its limit: less arrived than was meant to.")
    return Section(
        "Kind under overload", header, [row(factor, rounds) for factor in FACTORS],
        verdicts=verdicts(rounds), remarks=remarks, figures=[asdict(one) for one in rounds],
    )  # fmt: skip


def one_round(bench):
    seconds = bench.options.seconds
    server = servers.shipped(**SETTINGS)
    with bench.running_on_nothing(server) as running:
        bench.warm_up(running)
        best = max(bench.generator.run(running, n, seconds).rate for n in (64, 256))
    found = Figures(best, {}, {})
    for factor in FACTORS:
        accepted = bench.scratch / f"accepted-{factor}"
        with bench.fresh_folder() as folder, bench.running(server, folder) as running:
            bench.warm_up(running)
            more = {"connections": CONNECTIONS, "accepted": accepted}
            found.seen[factor] = bench.arrive(running, best * factor, seconds, **more).result()
            found.resident[factor] = running.memory()[1]
            end_in_order(running, running.stop())
            refuse_loss(folder, accepted)
        accepted.unlink()
    return found


def refuse_loss(folder, accepted):
    """Every client that was answered 201 is in the store, which is read without Doorward."""
    [file] = folder.glob("*.sqlite3")
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        kept = {key for (key,) in database.execute("SELECT client_id FROM clients")}
    with open(accepted) as ids:
        lost = sum(uuid.UUID(line.strip()).bytes not in kept for line in ids)
    if lost:
        raise WrongAnswer(f"{lost} clients were answered 201 and are not in the store")


def verdicts(rounds):
    served = [one.seen[2.0].rate / one.best for one in rounds]
    slower = [one.seen[2.0].p99 / one.seen[0.5].p99 for one in rounds]
    refused = [one.seen[2.0].refused_p99 for one in rounds if one.seen[2.0].refused_p99 is not None]
    answered = [sum(one.seen[2.0].statuses.values()) / one.seen[2.0].intended for one in rounds]
    memory = [one.resident[2.0] for one in rounds]
    found = [
        goals.at_least("registered at twice the best rate / the best rate", 0.90, "%").verdict(served),
        goals.at_least("answered at all, of what arrived at twice the best rate", 1.0, "%").verdict(answered),
        goals.at_most("p99 of the accepted, at twice / at half the best rate", 5).verdict(slower),
        goals.at_most("resident at its highest, at twice the best rate", 64, "MiB").verdict(memory),
    ]
    if refused:
        found.append(goals.at_most("p99 of the refusals at twice the best rate", 100, "ms").verdict(refused))
    return found


def row(factor, rounds):
    seen = [one.seen[factor] for one in rounds]

    def status(code):
        return str(sum(one.statuses.get(code, 0) for one in seen))

    return (
        f"{factor:.0%} of the best",
        spread([one.rate for one in seen]),
        milliseconds(one.p50 for one in seen),
        milliseconds(one.p99 for one in seen),
        milliseconds(one.max for one in seen),
        status("429"),
        status("503"),
        milliseconds(one.refused_p99 for one in seen),
        str(sum(one.gave_up for one in seen)),
        str(sum(one.broken for one in seen)),
        spread([one.resident[factor] for one in rounds]),
        f"{max(one.generator_busy for one in seen):.0%}",
    )
