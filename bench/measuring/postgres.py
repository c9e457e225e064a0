"""Doorward on a PostgreSQL of its own: batches against single inserts, the embedded store, a second node, a
synchronous standby, and very many rows against ten thousand."""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

from . import goals, machine, servers
from .bench import SMALL, end_in_order, say
from .process import WrongAnswer
from .report import spread
from .section import Section

sys.path.insert(0, str(servers.REPOSITORY / "tests"))
import services  # noqa: E402

CONNECTIONS = 256
TITLE = "On PostgreSQL"
# What PostgreSQL has where nothing is set; the tests of Doorward want less.
AS_SHIPPED = {"shared_buffers": "128MB", "max_wal_size": "1GB", "synchronous_commit": "on"}
SINGLE = {"DOORWARD_POSTGRES__BATCH_MAX": "1"}
MANY_AT_ONCE = {"DOORWARD_POSTGRES__WRITERS": "32", "DOORWARD_POSTGRES__CONNECTIONS_MAX": "40"}
ROWS_PER_FILL = 500_000
# As registrations make them: identifiers grow with time, documents have about the length of real ones.
FILL = """INSERT INTO clients (client_id, issued_at, profile, source, flags, metadata)
    SELECT (lpad(to_hex(1700000000000 + n / 10), 12, '0') || '7' || substr(md5(n::text), 1, 3)
            || '8' || substr(md5(n::text), 4, 15))::uuid,
        1700000000000 + n / 10, 'rfc7591', '192.0.2.' || n % 250, 0,
        rpad('{{"client_name":"Client ' || n || '","grant_types":["authorization_code","refresh_token"],'
            || '"redirect_uris":["http://127.0.0.1:8090/callback/' || md5(n::text) || md5((-n)::text), {length} - 3, 'x')
            || '"]}}'
    FROM generate_series({first}, {last}) AS numbers (n)"""
DOCUMENT_BYTES = 440
SIZES = "SELECT pg_table_size('clients'), pg_indexes_size('clients')"


@dataclass(frozen=True, eq=False)
class Case:
    """What is loaded. Without nodes it is the embedded store."""

    what: str
    nodes: int = 1
    rows: int = 0
    environment: dict = field(default_factory=dict)
    has_standby: bool = False


EMBEDDED = Case("the embedded store", nodes=0)
SINGLES = [
    Case("one insert a transaction, two at once", environment=SINGLE),
    Case("one insert a transaction, 32 at once", environment=SINGLE | MANY_AT_ONCE),
]
ONE = Case("one node")
TWO = Case("two nodes", nodes=2)
STANDBY = Case("one node, with a synchronous standby on the same cores and disk", has_standby=True)


def measure(bench):
    few, many = (Case(f"one node on {rows:,} rows", rows=rows) for rows in (SMALL, bench.options.clients))
    cases = [EMBEDDED, *SINGLES, ONE, TWO, STANDBY, few, many]
    try:
        with started(bench) as server, with_standby(bench) as primary:
            databases, replicated = Databases(server), Databases(primary)
            for case in (few, many):
                databases.fill(case.rows)
            remark = sizes(server, many.rows)
            rounds = []
            for number in range(1, bench.options.rounds + 1):
                rounds.append({
                    case: of_case(bench, replicated if case.has_standby else databases, case) for case in cases
                })  # fmt: skip
                rates = ", ".join(f"{found.rate:,.0f}" for found in rounds[-1].values())
                say(f"postgres, round {number}: registrations a second: {rates}")
            version = server.psql("SHOW server_version")
    except services.Missing as missing:
        return Section(TITLE, remarks=[f"Left out: {missing}."])
    header = ("256 connections in all", "registrations/s", "p99 ms", "µs of its nodes each")
    return Section(
        TITLE, header, [row(case, [found[case] for found in rounds]) for case in cases],
        verdicts=verdicts(rounds, few, many),
        remarks=[f"PostgreSQL {version} with its default settings, on both cores.", remark,
                 f"With the standby / without: {spread(ratios(rounds, STANDBY, [ONE]), 2)}."],
        figures=[{case.what: asdict(found) for case, found in one.items()} for one in rounds],
    )  # fmt: skip


@contextlib.contextmanager
def started(bench, primary=None):
    """A server with a temporary folder, which must be on a disk. It may use both cores. With a `primary` it follows."""
    with contextlib.ExitStack() as stack:
        with machine.starting_on({bench.core, bench.generator_core}):
            server = services.Postgres(AS_SHIPPED, primary)
            stack.callback(server.remove)
            machine.refuse_memory(server.folder)
            server.start()
        yield server


@contextlib.contextmanager
def with_standby(bench):
    """Another such server, each commit of which waits for the disk of a third."""
    with started(bench) as primary, started(bench, primary):
        primary.wait_for_standby()
        yield primary


class Databases:
    """The databases of one server: filled ones, and one for each measurement."""

    def __init__(self, server):
        self.server = server
        self._made = 0

    def fill(self, rows):
        say(f"filling a database with {rows:,} rows")
        name = f"filled_{rows}"
        self.server.psql(f"CREATE DATABASE {name}")
        servers.migrate(self.server.url(name))
        for first in range(1, rows + 1, ROWS_PER_FILL):
            last = min(rows, first + ROWS_PER_FILL - 1)
            self.server.psql(FILL.format(first=first, last=last, length=DOCUMENT_BYTES), name)
            self.server.psql("VACUUM ANALYZE clients", name)

    @contextlib.contextmanager
    def of(self, case):
        """The name of a database: an empty one or a copy, unless it is large."""
        if case.rows > SMALL:
            yield f"filled_{case.rows}"
            return
        self._made += 1
        name = f"run_{self._made}"
        template = f" TEMPLATE filled_{case.rows}" if case.rows else ""
        self.server.psql(f"CREATE DATABASE {name}{template}")
        try:
            yield name
        finally:
            self.server.psql(f"DROP DATABASE {name} WITH (FORCE)")

    def count(self, name):
        return int(self.server.psql("SELECT count(*) FROM clients", name))


@dataclass(frozen=True)
class Found:
    """What one case did in one round, its nodes together."""

    rate: float
    p99: float
    node_us: float


def of_case(bench, databases, case):
    databases.server.psql("CHECKPOINT")
    if not case.nodes:
        with bench.running_on_nothing(servers.shipped()) as running:
            return loaded(bench, [running])
    with databases.of(case) as name, bench.fresh_folder() as folder, contextlib.ExitStack() as stack:
        before = databases.count(name) if case.rows else 0
        server = on(databases.server.url(name), case.environment)
        nodes = [
            stack.enter_context(
                bench.running(replace(server, name=f"{server.name}-{number}"), folder, core)
            )
            for number, core in zip(range(case.nodes), (bench.core, bench.generator_core))
        ]
        found = loaded(bench, nodes)
        for node in nodes:
            end_in_order(node, node.stop())
        kept, answered = databases.count(name) - before, sum(node.registered for node in nodes)
        if kept < answered:
            raise WrongAnswer(f"{case.what} answered {answered} and kept {kept}")
        return found


def loaded(bench, nodes):
    """All nodes at once, the connections shared among them."""
    connections, seconds = CONNECTIONS // len(nodes), bench.options.seconds
    for node in nodes:
        bench.warm_up(node)
    with ThreadPoolExecutor(len(nodes)) as pool:
        loads = list(pool.map(lambda node: bench.generator.run(node, connections, seconds), nodes))
    requests = sum(load.requests for load in loads)
    return Found(
        rate=sum(load.rate for load in loads),
        p99=max(load.p99 for load in loads),
        node_us=sum(load.server_us * load.requests for load in loads) / requests,
    )


def on(url, environment):
    """A node as shipped but for `environment`."""

    def command(port, _folder):
        return servers.serving(servers.program("doorward"), port, url)

    return servers.Server("doorward-postgres", "Doorward on PostgreSQL", command, environment=environment)


def ratios(rounds, of, to):
    return [found[of].rate / max(found[case].rate for case in to) for found in rounds]


def verdicts(rounds, few, many):
    def verdict(text, aim, of, to, unit="x"):
        return goals.at_least(f"PostgreSQL, {text}", aim, unit).verdict(ratios(rounds, of, to))

    return [
        verdict("one node / the same with one insert a transaction", 3, ONE, SINGLES[:1]),
        verdict("one node / the better of these with one insert", 3, ONE, SINGLES),
        verdict("one node / the embedded store", 0.60, ONE, [EMBEDDED], "%"),
        verdict("two nodes / one, on the same two cores", 0.90, TWO, [ONE], "%"),
        verdict(f"{many.rows:,} rows / {few.rows:,}", 0.80, many, [few], "%"),
    ]


def row(case, found):
    return (
        case.what,
        spread([one.rate for one in found]),
        spread([one.p99 for one in found], 2),
        spread([one.node_us for one in found], 1),
    )


def sizes(server, rows):
    table, index = (int(part) for part in server.psql(SIZES, f"filled_{rows}").split("|"))
    return (
        f"A row of {rows:,} takes {table / rows:.0f} bytes of the table and {index / rows:.0f} of the index, with a "
        f"document of {DOCUMENT_BYTES}."
    )
