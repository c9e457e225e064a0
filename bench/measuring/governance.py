"""What operators and time cost with very many clients, on both stores: rules, lists, families, suspension, expiry,
exports, and webhooks."""

import base64
import secrets
import shutil
import sqlite3
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import goals, governed, lists, servers
from .bench import end_in_order, say
from .receiver import Receiver
from .report import spread
from .section import Section

HEADER = ("what", "the embedded store", "PostgreSQL")
RULES = 100
CONNECTIONS = (64, 256)
LAG_SECONDS_MAX = 60
UNUSED_DAYS = 270
# The columns and tables of a release that knew nothing of standings, families, and events.
OLD_MIGRATIONS = 5
SIZED_CLIENTS_MAX = 200_000


@dataclass
class Found:
    """What was measured on one store. Ratios have one value a round."""

    rules: dict = field(default_factory=dict)
    pages: list = field(default_factory=list)
    not_asked: list = field(default_factory=list)
    lag: list = field(default_factory=list)
    resident: tuple = ()
    family: dict = field(default_factory=dict)
    sweep: dict = field(default_factory=dict)
    exported: float = 0.0
    delivered: float = 0.0
    bytes_per_client: float = None


def measure(bench):
    found, remarks = {}, []
    with governed.places(bench) as (places, left_out):
        remarks += left_out
        for place in places:
            say(f"governance, {place.name}: filling {bench.options.clients:,} clients, their grants and events")
            place.fill(bench, bench.options.clients)
            found[place.name] = Found()
            steps(bench, place, found[place.name])
    for one in found.values():
        if one.not_asked:
            remarks.append(f"Not measured: {', '.join(one.not_asked)}.")
    return Section(
        f"Governance of {bench.options.clients:,} clients", HEADER, rows(found),
        verdicts=verdicts(bench.options.clients, found), remarks=[*remarks, slowest(found)],
        figures={name: asdict(one) for name, one in found.items()},
    )  # fmt: skip


def steps(bench, place, found):
    """In an order in which no step takes from the next what it measures."""
    found.rules = with_rules(bench, place)
    found.exported = exported(bench, place)
    with started(bench, place) as (running, metrics):
        half = bench.generator.run(running, 64, bench.options.seconds).rate / 2
        found.pages, found.not_asked = pages(bench, running, place, half)
        found.lag, found.resident = lag(bench, running, place)
        found.family = suspended(bench, running, place, half)
        end_in_order(running, running.stop())
    found.delivered = delivered(bench, place)
    found.sweep = swept(bench, place, half)
    if not place.database:
        found.bytes_per_client = bytes_per_client(bench)


class started:
    """A server on a filled store, warm, with its metrics."""

    def __init__(self, bench, place, **environment):
        self._server, self._metrics = place.server(**environment)
        self._bench = bench

    def __enter__(self):
        self._running = self._bench.running(self._server, self._bench.scratch)
        running = self._running.__enter__()
        self._bench.warm_up(running)
        return running, self._metrics

    def __exit__(self, *failure):
        return self._running.__exit__(*failure)


def with_rules(bench, place):
    """Registrations with a hundred rules and with none, each on a new store, in interleaved rounds."""
    ratios = {connections: [] for connections in CONNECTIONS}
    for number in range(bench.options.rounds):
        cases = [governed.rules(RULES), {}]
        rates = {}
        for environment in cases if number % 2 else cases[::-1]:
            rates[bool(environment)] = on_a_new_store(bench, place, environment)
        for connections in CONNECTIONS:
            ratios[connections].append(rates[True][connections] / rates[False][connections])
    say(f"governance, {place.name}: with {RULES} rules / without: {ratios}")
    return ratios


def on_a_new_store(bench, place, environment):
    with bench.fresh_folder() as folder, place.empty(folder) as new:
        server, _ = new.server(**environment)
        with bench.running(server, folder) as running:
            bench.warm_up(running)
            rates = {
                connections: bench.generator.run(running, connections, bench.options.seconds).rate
                for connections in CONNECTIONS
            }
            end_in_order(running, running.stop())
    return rates


def exported(bench, place):
    """Events a second of `audit export`, registrations among them."""
    began = time.perf_counter()
    child = governed.command.start(bench.core, "audit", "export", "--data", place.data, stdout=subprocess.PIPE)
    # A file would be as large as the store.
    events = sum(chunk.count(b"\n") for chunk in iter(lambda: child.stdout.read1(1 << 20), b""))
    governed.command.finish(child, began)
    seconds = time.perf_counter() - began
    say(f"governance, {place.name}: {events:,} events exported, {events / seconds:,.0f}/s")
    return events / seconds


def pages(bench, running, place, rate):
    """The first page of every list while clients register at half the best rate."""
    api = lists.Api(running.port, place.token(bench.generator_core))
    with governed.Registering(bench, running, rate, bench.options.seconds):
        found, not_asked = lists.measure(api, place.examples, bench.options.quick)
    worst = max(found, key=lambda page: page.at(0.99))
    say(f"governance, {place.name}: {len(found)} pages, slowest {worst.what}: {worst.at(0.99):.1f} ms")
    return found, not_asked


def lag(bench, running, place):
    """Clients of new families register while others register at the best rate: seconds until their families are
    there. Resident memory before and after."""
    before, found = running.memory()[0], []
    # For as long as it takes, and once more at the best rate.
    with Loading(bench, running):
        deadline = time.perf_counter() + max(bench.options.seconds, 4)
        while time.perf_counter() < deadline or not found:
            found.append(until_known(bench, running, place))
    after = running.memory()[0]
    say(f"governance, {place.name}: families at most {max(found):.1f} s behind; {before:.0f}, {after:.0f} MiB")
    return found, (before, after)


class Loading(governed.Registering):
    """Registrations as fast as they are answered."""

    def __init__(self, bench, running):
        super().__init__(bench, running, 1, bench.options.seconds)
        self._start = lambda: Once(bench.generator.run(running, 64, bench.options.seconds))


@dataclass
class Once:
    """A run that is over."""

    load: object

    def result(self):
        return self.load


def until_known(bench, running, place):
    name = "".join(secrets.choice("bcdfghjkmnpqrstvwxz") for _ in range(10))
    body = (f'{{"client_name":"Probe {name}","redirect_uris":["https://{name}.example/cb"],'
            '"token_endpoint_auth_method":"none"}').encode()  # fmt: skip
    governed.register(running.port, body)
    began = time.perf_counter()
    while not place.knows_family(bench.generator_core, f"probe {name}@{name}.example"):
        if time.perf_counter() - began > LAG_SECONDS_MAX:
            break
        time.sleep(0.1)
    return time.perf_counter() - began


def suspended(bench, running, place, rate):
    """Suspends the large family while clients register."""
    alone = bench.arrive(running, rate, bench.options.seconds).result().p99
    family = place.examples["large_family"]
    with governed.Registering(bench, running, rate, bench.options.seconds) as beside:
        _, seconds = place.command(bench.generator_core, "family", "suspend", family, "--yes", "--quiet")
    say(f"governance, {place.name}: suspended in {seconds:.1f} s, p99 {alone:.2f} and {beside.p99:.2f} ms")
    return {"seconds": seconds, "alone": alone, "beside": beside.p99}


def delivered(bench, place):
    """Events a second that one webhook delivers to a receiver beside it; registrations make the events."""
    secret = bench.scratch / "webhook.secret"
    secret.touch(mode=0o600)
    secret.write_text("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
    with Receiver() as receiver:
        webhook = (f'[{{ name = "bench", url = "{receiver.url}", secret_file = "{secret}", '
                   'allow_private_networks = true }]')  # fmt: skip
        with started(bench, place, DOORWARD_WEBHOOKS=webhook) as (running, _):
            rate = receiver.rate(bench.options.seconds)
            end_in_order(running, running.stop())
    say(f"governance, {place.name}: {rate:,.0f} events/s delivered")
    return rate


def swept(bench, place, rate):
    """The sweep of a tenth of all clients while others register, for a while; the rest takes as long again."""
    seconds = bench.options.seconds
    with started(bench, place) as (running, _):
        alone = bench.arrive(running, rate, seconds).result().p99
        end_in_order(running, running.stop())
    name = 'doorward_sweep_forgotten_total{kind="clients"'
    with started(bench, place, DOORWARD_CLIENTS__UNUSED_DAYS=str(UNUSED_DAYS)) as (running, metrics):
        before, began = metrics.value(name), time.perf_counter()
        p99s = [bench.arrive(running, rate, seconds).result().p99 for _ in range(3)]
        removed, took = metrics.value(name) - before, time.perf_counter() - began
        peak = running.memory()[1]
        end_in_order(running, running.stop())
    say(f"governance, {place.name}: {removed / took:,.0f} clients/s removed, p99 {alone:.2f} and {max(p99s):.2f} ms")
    return {"alone": alone, "beside": p99s, "rate": removed / took, "peak": peak}


def bytes_per_client(bench):
    """Bytes that a registered client takes more than in a store without standings, families, and events: the same
    clients in both, each written anew."""
    clients = min(SIZED_CLIENTS_MAX, bench.options.clients)
    with bench.fresh_folder() as folder:
        store = bench.store(clients)
        new = folder / "new.sqlite3"
        shutil.copy(store.folder / "doorward.sqlite3", new)
        old = sqlite3.connect(folder / "old.sqlite3", isolation_level=None)
        migrations = sorted((servers.REPOSITORY / "migrations/embedded").glob("*.sql"))
        for migration in migrations[:OLD_MIGRATIONS]:
            old.executescript(migration.read_text())
        old.execute("ATTACH ? AS new", [str(new)])
        names = ", ".join(row[1] for row in old.execute("PRAGMA main.table_info(clients)"))
        old.execute(f"INSERT INTO main.clients ({names}) SELECT {names} FROM new.clients ORDER BY client_id")
        old.execute("VACUUM main")
        old.execute("VACUUM new")
        old.close()
        sizes = [Path(folder / name).stat().st_size for name in ("old.sqlite3", "new.sqlite3")]
    return (sizes[1] - sizes[0]) / clients


def slower(one):
    return one["beside"] / max(one["alone"], 1e-9)


def verdicts(clients, found):
    rows = []
    for name, one in found.items():

        def row(goal, values, name=name):
            rows.append(((said := goal.verdict(values))[0] + f", {name}", *said[1:]))

        for connections, ratios in one.rules.items():
            row(goals.at_least(f"registrations/s with {RULES} rules / with none, at {connections}", 0.95, "%"), ratios)
        worst = max(page.at(0.99) for page in one.pages)
        row(goals.at_most(f"first page of every list with {clients:,} clients, p99 of the slowest", 50, "ms"), [worst])
        row(goals.at_most("family behind the newest registration, the worst", 5, "s"), [max(one.lag)])
        row(goals.at_most("suspending a family of a hundredth of the clients", 10, "s"), [one.family["seconds"]])
        row(goals.at_most("p99 of registrations meanwhile / alone", 2), [slower(one.family)])
        beside = [value / max(one.sweep["alone"], 1e-9) for value in one.sweep["beside"]]
        row(goals.at_most("p99 of registrations during the sweep / alone", 2), beside)
        row(goals.at_most("resident at its highest during the sweep", 64, "MiB"), [one.sweep["peak"]])
        row(goals.at_least("events exported", 50_000, "a second"), [one.exported])
        row(goals.at_least("webhook events", 1_000, "a second"), [one.delivered])
        if one.bytes_per_client is not None:
            row(goals.at_most("bytes added per client", 80, "bytes"), [one.bytes_per_client])
    return rows


def rows(found):
    """A row of each measure, a column of each store."""
    first, *_ = found.values()
    made = [
        (f"registrations/s with {RULES} rules / with none, at {connections}",
         lambda one, connections=connections: spread(one.rules[connections], 2))
        for connections in first.rules
    ]  # fmt: skip
    made += [
        ("family behind the newest registration, s", lambda one: spread(one.lag, 1)),
        ("MiB before and after", lambda one: "{:.0f}, {:.0f}".format(*one.resident)),
        ("suspending the large family, s", lambda one: f"{one.family['seconds']:.1f}"),
        ("p99 of registrations alone, meanwhile, ms", lambda one: "{alone:.2f}, {beside:.2f}".format(**one.family)),
        ("clients swept a second", lambda one: f"{one.sweep['rate']:,.0f}"),
        ("p99 of registrations alone, meanwhile, ms ",
         lambda one: f"{one.sweep['alone']:.2f}, {spread(one.sweep['beside'], 2)}"),
        ("resident at its highest, MiB", lambda one: f"{one.sweep['peak']:.0f}"),
        ("events exported a second", lambda one: f"{one.exported:,.0f}"),
        ("webhook events a second", lambda one: f"{one.delivered:,.0f}"),
        ("bytes added per client",
         lambda one: "" if one.bytes_per_client is None else f"{one.bytes_per_client:.0f}"),
    ]  # fmt: skip
    for page in first.pages:

        def times(one, what=page.what):
            same = next((other for other in one.pages if other.what == what), None)
            return f"{same.at(0.5):.1f}, {same.at(0.99):.1f} ({same.rows})" if same else ""

        made.append((f"{page.what}: p50, p99 ms (rows)", times))
    names = ("the embedded store", "PostgreSQL")
    return [(what, *(show(found[name]) if name in found else "" for name in names)) for what, show in made]


def slowest(found):
    """The five slowest first pages of each store."""
    said = []
    for name, one in found.items():
        worst = sorted(one.pages, key=lambda page: -page.at(0.99))[:5]
        said.append(f"{name}: " + ", ".join(f"`{page.what}` {page.at(0.99):.1f} ms" for page in worst))
    return f"Slowest first pages by p99: {'; '.join(said)}."
