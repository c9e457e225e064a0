"""Whoever was answered 201 exists, with the clients in PostgreSQL.

Nodes killed, the database killed, stopped and replaced by its standby, all under load. After each check every
client that was answered 201 is in the export with the metadata it was answered, none is there twice, and nobody
is there who was answered 503. No node is started again but those that were killed.
"""

import contextlib
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from doorward import run  # noqa: E402
from load import Load, doorward, expect, verify  # noqa: E402
from services import PgBouncer, Postgres  # noqa: E402

# What a caller may be answered while the database is away.
UNAVAILABLE = (503,)
WELL_AGAIN_SECONDS_MAX = 10
# As operating.md adds it up from the settings: the wait for a batch, for a connection, for the statement, and
# for the truth about it.
ANSWER_SECONDS_MAX = 2 + 2 + 3 + 0.5 + 5 + 0.5 + 5
# With time enough to learn what became of a batch, nobody who was answered 503 may be found.
SETTLING = {"DOORWARD_POSTGRES__SETTLE_TIMEOUT_SECONDS": "30"}


@contextlib.contextmanager
def nodes(folder, urls, settings=None):
    """Servers that run, one for each URL."""
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(doorward(folder / f"node{number}", store=url, settings=settings))
            for number, url in enumerate(urls)
        ]
        for server in servers:
            server.start()
        yield servers


def until_well(server):
    """Waits until a node is ready; its word holds for a second."""
    deadline = time.monotonic() + WELL_AGAIN_SECONDS_MAX
    while server.readiness() != 200:
        expect(time.monotonic() < deadline, f"not ready within {WELL_AGAIN_SECONDS_MAX} s of the database")
        time.sleep(0.05)


def until_not_ready(server, seconds=6):
    deadline = time.monotonic() + seconds
    while server.readiness() != 503:
        expect(time.monotonic() < deadline, f"ready for {seconds} s without a database")
        time.sleep(0.05)


def verify_loads(url, loads):
    """Ends the loads, and holds the database to what they were answered. Returns that."""
    answers, refused = {}, set()
    for load in loads:
        take(load, answers, refused)
    verify_all(url, answers, refused)
    return answers, refused


def verify_all(url, answers, refused):
    """As `verify`, and nobody is kept who was refused. Returns the rows."""
    rows = verify(url, answers)
    names = {row["metadata"]["client_name"] for row in rows.values()} & refused
    expect(not names, f"{len(names)} clients are kept that were answered 503, such as {sorted(names)[:3]}")
    return rows


def told(answers, refused):
    return f"{len(answers)} answered 201 and all there, {len(refused)} answered 503 and none of them there"


def node_kills(folder, chance, rounds=4):
    """`kill -9` of a node, again and again."""
    answers = {}
    with Postgres() as database, nodes(folder, [database.url()]) as [server]:
        for _ in range(rounds):
            load = Load(server)
            load.wait_for(1, seconds=10)
            time.sleep(chance.uniform(0, 0.6))
            server.kill()
            answers.update(load.end())
            server.start()
        rows = verify(database.url(), answers)
        server.stop()
    unanswered = len(rows) - len(answers)
    expect(unanswered <= rounds * len(load.callers), f"{unanswered} rows that nobody asked for")
    return f"{rounds} kills, {len(answers)} answered 201 and all there, {unanswered} kept but cut off before the answer"


def database_kills(folder, chance, rounds=3):
    """`kill -9` of the database and all its processes, and a start soon after."""
    with Postgres() as database, nodes(folder, [database.url()], SETTLING) as [server]:
        load = Load(server)
        for _ in range(rounds):
            before = load.count()
            load.wait_for(before + 20, seconds=20)
            time.sleep(chance.uniform(0, 0.5))
            database.crash()
            until_not_ready(server)
            database.start()
            until_well(server)
        before = load.count()
        load.wait_for(before + 20, seconds=20)
        answers = load.end(refusals=UNAVAILABLE)
        verify_all(database.url(), answers, load.refused())
        server.stop()
    return f"{rounds} kills, {told(answers, load.refused())}"


def database_restarts(folder, chance, rounds=2):
    """A database that its operator restarts: sessions are ended, and new ones refused for a while."""
    with Postgres() as database, nodes(folder, [database.url()] * 2, SETTLING) as servers:
        loads = [Load(server) for server in servers]
        for _ in range(rounds):
            for load in loads:
                load.wait_for(load.count() + 20, seconds=20)
            time.sleep(chance.uniform(0, 0.3))
            database.restart()
        for load in loads:
            load.wait_for(load.count() + 20, seconds=20)
        answers, refused = verify_loads(database.url(), loads)
        for server in servers:
            server.stop()
    return f"{rounds} restarts, {told(answers, refused)}"


def database_pause(folder, chance):
    """A database that stands still, and goes on: first for less, then for more than a statement may take."""
    with Postgres() as database, nodes(folder, [database.url()]) as [server]:
        load = Load(server)
        for seconds in (chance.uniform(2.5, 3.5), 7):
            before = load.count()
            load.wait_for(before + 20, seconds=20)
            database.signal(signal.SIGSTOP)
            begun = time.monotonic()
            until_not_ready(server)
            time.sleep(max(0, seconds - (time.monotonic() - begun)))
            database.signal(signal.SIGCONT)
            until_well(server)
        before = load.count()
        load.wait_for(before + 20, seconds=20)
        answers = load.end(refusals=UNAVAILABLE)
        rows = verify(database.url(), answers)
        server.stop()
    refused = load.refused()
    unsettled = {row["metadata"]["client_name"] for row in rows.values()} & refused
    expect(load.slowest() < ANSWER_SECONDS_MAX, f"an answer took {load.slowest():.1f} s")
    return (
        f"{len(answers)} answered 201 and all there, {len(refused)} answered 503, {len(unsettled)} of them there, "
        f"the slowest answer after {load.slowest():.1f} s"
    )


def three_nodes(folder, chance, rounds=4):
    """Three nodes on one database, each of them killed at some time, and the database once."""
    answers, refused = {}, set()
    with Postgres() as database, nodes(folder, [database.url()] * 3, SETTLING) as servers:
        loads = {server: Load(server) for server in servers}
        for round_ in range(rounds):
            time.sleep(chance.uniform(0.2, 0.6))
            if round_ == rounds // 2:
                database.crash()
                time.sleep(chance.uniform(0, 0.5))
                database.start()
            server = servers[round_ % len(servers)]
            until_well(server)
            loads[server].wait_for(1, seconds=20)
            server.kill()
            take(loads[server], answers, refused)
            server.start()
            loads[server] = Load(server)
        for server, load in loads.items():
            load.wait_for(load.count() + 20, seconds=30)
        for load in loads.values():
            take(load, answers, refused)
        verify_all(database.url(), answers, refused)
        for server in servers:
            server.stop()
    return f"{rounds} kills of nodes and one of the database, {told(answers, refused)}"


def take(load, answers, refused):
    """Ends a load, and adds what came of it."""
    more = load.end(refusals=UNAVAILABLE)
    expect(not answers.keys() & more.keys(), "an identifier was given twice")
    answers.update(more)
    refused.update(load.refused())


def failover(folder, _chance):
    """A primary with a synchronous standby; the primary is killed, and the standby takes its place."""
    with Postgres() as primary, Postgres(primary=primary) as standby:
        primary.wait_for_standby()
        url = (
            f"postgres://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"
            "?target_session_attrs=read-write"
        )
        with nodes(folder, [url, url], SETTLING) as servers:
            loads = [Load(server) for server in servers]
            for load in loads:
                load.wait_for(200, seconds=30)
            primary.crash()
            time.sleep(1)
            before = [load.count() for load in loads]
            begun = time.monotonic()
            standby.promote()
            for load, count in zip(loads, before):
                load.wait_for(count + 20, seconds=WELL_AGAIN_SECONDS_MAX)
            back = time.monotonic() - begun
            answers, refused = verify_loads(standby.url(), loads)
            for server in servers:
                server.stop()
    return f"{told(answers, refused)}, registrations again {back:.1f} s after the promotion began"


def pooler(folder, _chance):
    """PgBouncer in transaction mode between two nodes and the database, which is killed once."""
    settings = {**SETTLING, "DOORWARD_POSTGRES__PREPARED_STATEMENTS": "false"}
    with Postgres() as database, PgBouncer(database) as bouncer:
        with nodes(folder, [bouncer.url()] * 2, settings) as servers:
            loads = [Load(server) for server in servers]
            for load in loads:
                load.wait_for(100, seconds=30)
            database.crash()
            database.start()
            for load in loads:
                load.wait_for(load.count() + 50, seconds=30)
            answers, refused = verify_loads(database.url(), loads)
            for server in servers:
                server.stop()
    return told(answers, refused)


ROLES = """
CREATE ROLE doorward_owner LOGIN;
CREATE ROLE doorward LOGIN;
CREATE DATABASE clients OWNER doorward_owner;
CREATE DATABASE restored OWNER doorward_owner;
"""
GRANT = "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO doorward"


def backup(folder, _chance):
    """Set up, served, copied under load and restored as docs/run/operating.md says; with a log that says
    everything, and nothing of what strangers wrote.
    """
    with Postgres() as database:
        owner, role = (database.url("clients").replace("postgres@", f"{name}@") for name in ("doorward_owner", "doorward"))
        for statement in filter(str.strip, ROLES.split(";")):
            database.psql(statement)
        database.run(database.beside("psql"), "-c", GRANT, owner)
        run("migrate", "up", "--data", owner)
        dump = str(database.folder / "doorward.dump")
        # This role may make no tables.
        settings = {"DOORWARD_POSTGRES__MIGRATE_AT_START": "false", "DOORWARD_LOG__FILTER": "debug"}
        with nodes(folder, [role], settings) as [server]:
            load = Load(server)
            load.wait_for(200, seconds=30)
            before = {id_ for caller in load.callers for id_ in list(caller.registered)}
            database.run(database.beside("pg_dump"), "--format=custom", f"--file={dump}", owner)
            answers = load.end()
            server.stop()
        log = server.log.read_text()
        expect("DEBUG" in log, "the log does not say everything")
        expect("example.com/callback" not in log, "what strangers wrote is in the log")
        restored = owner.replace("/clients", "/restored")
        database.run(database.beside("pg_restore"), "--exit-on-error", f"--dbname={restored}", dump)
        run("migrate", "status", "--data", restored)
        restored = restored.replace("doorward_owner", "doorward")
        rows = verify(restored, {id_: answers[id_] for id_ in before})
        # A server runs on it, and keeps more.
        with nodes(folder, [restored], settings) as [server]:
            load = Load(server)
            load.wait_for(50, seconds=30)
            more = load.end()
            server.stop()
        verify(restored, {**{id_: answers[id_] for id_ in before}, **more})
    return f"{len(rows)} of {len(answers)} clients restored, among them the {len(before)} from before the copy"


CHECKS = {
    "postgres: kills of a node": node_kills,
    "postgres: kills of the database": database_kills,
    "postgres: restarts of the database": database_restarts,
    "postgres: pauses of the database": database_pause,
    "postgres: three nodes": three_nodes,
    "postgres: failover": failover,
    "postgres: PgBouncer": pooler,
    "postgres: backup and restore": backup,
}
