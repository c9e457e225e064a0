"""Registrations of Doorward against its own ceiling, its disk, and other registration servers."""

from dataclasses import asdict, dataclass
from statistics import median

from . import disk, goals, servers
from .bench import end_in_order, say
from .process import WrongAnswer
from .report import spread
from .section import Section

CONNECTIONS = (1, 64, 256)
MILLION = 1_000_000
MILLION_SECONDS_MAX = 300

HEADER = ("server", "conn.", "requests/s", "p50 ms", "p99 ms", "resident MiB", "peak MiB", "start ms",
          "not 201", "CPU µs/request", "server busy", "generator busy")  # fmt: skip


@dataclass
class Run:
    """One server in one round."""

    started_ms: float
    loads: dict
    peak: float = 0.0


@dataclass
class Million:
    """The server after very many registrations."""

    clients: int
    resident: float
    peak: float
    restarted_ms: float
    store_bytes: int
    rate: float


def measure(bench):
    options, chosen = bench.options, choose(bench.options)
    wants_disk = not options.only or "disk" in options.only.split(",")
    rounds, syncs, wrong = [], [], []
    for number in range(1, options.rounds + 1):
        if wants_disk:
            syncs.append(disk.fdatasync_rate(bench.scratch, min(2, options.seconds)))
            say(f"round {number}: disk: {syncs[-1].rate:,.0f} durable appends/s")
        runs, failures = one_round(bench, chosen, number)
        rounds.append(runs)
        wrong += failures
    million = None
    if options.million:
        try:
            million = a_million(bench, servers.every_server()[0])
        except WrongAnswer as reason:
            wrong.append(f"a million: {reason}")
    rows = measurements(rounds) + ([disk_row(syncs)] if syncs else [])
    return Section(
        "Registrations", HEADER, rows,
        verdicts=verdicts(rounds, million), wrong=wrong, remarks=remarks(rounds, chosen, million),
        figures={"rounds": [{name: asdict(run) for name, run in runs.items()} for runs in rounds],
                 "syncs": [asdict(sync) for sync in syncs], "million": million and asdict(million)},
    )  # fmt: skip


def choose(options):
    everything = servers.every_server()
    if options.only:
        wanted = options.only.split(",")
        return [server for server in everything if server.name in wanted]
    return [server for server in everything if options.all or not server.is_extra]


def one_round(bench, chosen, number):
    runs, wrong = {}, []
    for server in chosen:
        try:
            runs[server.name] = of_server(bench, server)
        except WrongAnswer as reason:
            wrong.append(f"round {number}: {reason}")
            say(wrong[-1])
            continue
        rates = (f"{found.rate:,.0f} at {n}" for n, found in runs[server.name].loads.items())
        say(f"round {number}: {server.name}: {', '.join(rates)}")
    if difference := same_bytes(runs):
        wrong.append(f"round {number}: {difference}")
    return runs, wrong


def of_server(bench, server):
    """One server, started on nothing, under every load."""
    with bench.running_on_nothing(server) as running:
        run = Run(started_ms=running.started_ms, loads={})
        bench.warm_up(running)
        for connections in CONNECTIONS:
            run.loads[connections] = bench.generator.run(running, connections, bench.options.seconds)
        run.peak = running.memory()[1]
    return run


def a_million(bench, server):
    """A million registrations in one process; then a start on what they left."""
    with bench.fresh_folder() as folder:
        with bench.running(server, folder) as running:
            served, spent = 0, 0.0
            while running.registered < MILLION and spent < MILLION_SECONDS_MAX:
                part = bench.generator.run(running, 64, 10)
                served, spent = served + part.requests, spent + part.seconds
                say(f"  {running.registered:,} clients registered")
            resident, peak = running.memory()
            clients = running.registered
            end_in_order(running, running.stop())
        size = servers.store_bytes(folder)
        with bench.running(server, folder) as again:
            restarted = again.started_ms
            end_in_order(again, again.stop())
    return Million(clients, resident, peak, restarted, size, served / spent)


def same_bytes(runs):
    """What is to answer the same bytes must not save some."""
    try:
        ours, bare = (runs[name].loads[64].bytes_per_answer for name in ("ceiling-quiet", "bare-hyper"))
    except KeyError:
        return None
    is_same = abs(ours - bare) < 1
    return None if is_same else f"ceiling-quiet answered {ours:.1f} bytes, bare-hyper {bare:.1f}"


def rate(name, connections):
    return lambda runs: runs[name].loads[connections].rate


def p99(name, connections):
    return lambda runs: runs[name].loads[connections].p99


def best(name):
    """A server at the number of connections that suits it best."""
    return lambda runs: max(load.rate for load in runs[name].loads.values())


def every_goal():
    """Pairs of a goal, and two figures of one round whose ratio it is about."""
    for kind in ("", "-quiet"):
        ours, top = f"doorward{kind}", f"ceiling{kind}"
        for connections, aim in ((64, 0.80), (256, 0.75)):
            text = f"{ours} / {top}, requests/s at {connections}"
            yield goals.at_least(text, aim, "%"), rate(ours, connections), rate(top, connections)
        yield goals.at_most(f"{ours} / {top}, p99 at 64", 1.5), p99(ours, 64), p99(top, 64)
        for peer, aim in (("oidc-provider", 15), ("mcp-typescript", 15), ("mcp-python", 10),
                          ("oidc-provider-durable", 30)):  # fmt: skip
            yield goals.at_least(f"{ours} / {peer}, each at its best", aim), best(ours), best(peer)
    for connections in (64, 256):
        text = f"ceiling-quiet / bare-hyper, requests/s at {connections}"
        ours, bare = (rate(name, connections) for name in ("ceiling-quiet", "bare-hyper"))
        yield goals.at_least(text, 0.75, "%"), ours, bare


def verdicts(rounds, million):
    """Every goal that these rounds can speak about."""
    rows = []
    for goal, numerator, denominator in every_goal():
        ratios = []
        for runs in rounds:
            try:
                ratios.append(numerator(runs) / denominator(runs))
            except KeyError:
                continue  # One of the two was not measured.
        if ratios:
            rows.append(goal.verdict(ratios))
    if starts := [runs["doorward"].started_ms for runs in rounds if "doorward" in runs]:
        goal = goals.at_most("doorward, from start to the first client registered", 50, "ms")
        rows.append(goal.verdict(starts))
    if million:
        for text, value in (("now", million.resident), ("at its highest", million.peak)):
            goal = goals.at_most(f"resident after {million.clients:,} registrations, {text}", 64, "MiB")
            rows.append(goal.verdict([value]))
        goal = goals.at_most(f"start on a store of {million.clients:,} clients", 50, "ms")
        rows.append(goal.verdict([million.restarted_ms]))
    return rows


def measurements(rounds):
    """The rows of the table: median (least–greatest) over the rounds."""
    names = list(dict.fromkeys(name for runs in rounds for name in runs))
    rows = []
    for name in names:
        runs = [found[name] for found in rounds if name in found]
        for connections in runs[0].loads:
            loads = [run.loads[connections] for run in runs]
            is_first = connections == next(iter(runs[0].loads))
            rows.append((
                name if is_first else "",
                str(connections),
                spread([load.rate for load in loads]),
                spread([load.p50 for load in loads], 2),
                spread([load.p99 for load in loads], 2),
                spread([load.resident for load in loads]),
                spread([run.peak for run in runs]) if is_first else "",
                spread([run.started_ms for run in runs]) if is_first else "",
                str(sum(load.not_201 for load in loads)),
                spread([load.server_us for load in loads]),
                f"{median([load.server_busy for load in loads]) * 100:.0f} %",
                f"{median([load.generator_busy for load in loads]) * 100:.0f} %",
            ))  # fmt: skip
    return rows


def disk_row(syncs):
    p50 = spread([sync.p50 for sync in syncs], 2)
    p99 = spread([sync.p99 for sync in syncs], 2)
    empty = [""] * (len(HEADER) - 5)
    return ("fdatasync of 4 KiB", "1", spread([sync.rate for sync in syncs]), p50, p99, *empty)


def remarks(rounds, chosen, million):
    said = ["\n".join(f"- `{server.name}`: {server.what}" for server in chosen)]
    shares = [one.others_busy for runs in rounds for run in runs.values() for one in run.loads.values()]
    if shares:
        said.append(f"Other work took {median(shares) * 100:.0f} % (at most {max(shares) * 100:.0f} %) "
                    "of the two cores meanwhile.")  # fmt: skip
    if million:
        size = million.store_bytes / 2**20
        said.append(
            f"After {million.clients:,} registrations ({million.rate:,.0f}/s at 64 connections) Doorward "
            f"held {million.resident:.0f} MiB ({million.peak:.0f} MiB at its highest); the store took "
            f"{size:,.0f} MiB and opened again, up to the first client registered, in "
            f"{million.restarted_ms:.0f} ms."
        )
    return said
