#!/usr/bin/env python3
"""What was answered is there: the real binary under load, killed, stopped, and out of disk.

Kills: `kill -9` at a random moment while callers register through both doors, twenty times on one store.
After every restart each client that was answered 201 is in the export with the metadata it was answered,
every other row is whole, `store check` is content, and the server was ready in bounded time.

Pause: SIGSTOP and SIGCONT under load lose nothing, and SIGTERM under load ends cleanly.

Full disk: on a small tmpfs (root only). Registrations are answered 503 in the shape of their door, nothing
of them is kept, `/readyz` says so, and once there is room both are well again without a restart.

PostgreSQL: the same with the clients in a database, see `postgres.py`. Compose: two nodes behind a load balancer,
as packaging/compose/ has them, see `balancer.py`.

Webhooks: no event is left out and the order stays when the sender is killed, see `webhooks.py`.

Grants: no code or refresh token is honoured twice and none that was answered is lost, on either store, see
`grants.py`.

Decisions: what an operator decides and its event are both there or neither, on either store, see `decisions.py`.

Prints its seed; `--seed N` repeats the choices, though not the scheduling of the machine. Python's standard
library alone.
"""

import argparse
import contextlib
import http.client
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import balancer  # noqa: E402
import decisions  # noqa: E402
import grants  # noqa: E402
import postgres  # noqa: E402
import webhooks  # noqa: E402
from doorward import Fault  # noqa: E402
from load import DATADOG, RFC7591, Load, doorward, expect, register, verify  # noqa: E402
from services import Missing  # noqa: E402

CHECKS = postgres.CHECKS | grants.CHECKS | decisions.CHECKS | balancer.CHECKS | webhooks.CHECKS

ERROR_MEMBERS = {DATADOG: {"errors"}, RFC7591: {"error", "error_description"}}

READY_AGAIN_SECONDS_MAX = 10
WELL_AGAIN_SECONDS_MAX = 10
TMPFS_MIB = 16
REFUSALS_IN_A_ROW = 50
NOT_READY_SECONDS_MAX = 2.5


class NoDisk(Exception):
    """This process may not have a disk of its own to fill."""


def kills(folder, chance, rounds):
    """`rounds` times on one store: load, a kill at a random moment, and a look at what is there."""
    answers, slowest = {}, 0
    with doorward(folder / "kills") as server:
        for _ in range(rounds):
            slowest = max(slowest, server.start())
            verify(server.data, answers)
            load = Load(server)
            load.wait_for(1, seconds=10)
            time.sleep(chance.uniform(0, 0.6))
            server.kill()
            answers.update(load.end())
        slowest = max(slowest, server.start())
        rows = verify(server.data, answers)
        server.stop()
    expect(slowest < READY_AGAIN_SECONDS_MAX, f"it took {slowest:.1f} s to be ready after a kill")
    # What the kill cut off between commit and answer may be there, one for each caller and round.
    unanswered = len(rows) - len(answers)
    expect(unanswered <= rounds * len(load.callers), f"{unanswered} rows that nobody asked for")
    return (
        f"{rounds} kills, {len(answers)} answered 201 and all there, {unanswered} kept but cut off "
        f"before the answer, ready after {slowest * 1000:.0f} ms at most"
    )


def pause(folder, chance):
    """A server that stands still and goes on, and is then asked to end under load."""
    with doorward(folder / "pause") as server:
        server.start()
        load = Load(server)
        load.wait_for(50, seconds=20)
        server.signal(signal.SIGSTOP)
        time.sleep(chance.uniform(0.5, 1.5))
        before = load.count()
        server.signal(signal.SIGCONT)
        load.wait_for(before + 50, seconds=20)
        server.stop()
        answers = load.end()
        rows = verify(server.data, answers)
    expect(len(rows) == len(answers), f"{len(rows)} rows for {len(answers)} answers: one was not answered")
    return f"{len(answers)} answered 201 and all there, across a pause and an end under load"


@contextlib.contextmanager
def small_disk(folder):
    """A tmpfs of a few MiB at `folder`. Raises `NoDisk` where there is none to be had."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", folder]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise NoDisk(reason.splitlines()[0]) from None
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path):
    """Takes what room there is, to the last page."""
    with open(path, "ab", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(size))


def until_refused(connections, answers, refused):
    """Registers through both doors until each is answered 503 for good; keeps what came of it."""
    in_a_row = 0
    for _ in range(100_000):
        for door, connection in connections.items():
            status, body, name = register(connection, door)
            if status == 201:
                answers[body["client_id"]] = body
                in_a_row = 0
                continue
            expect(status == 503, f"{door} answered {status} on a full disk: {body}")
            expect(body.keys() == ERROR_MEMBERS[door], f"{door} answered 503 in another's shape: {body}")
            refused.add(name)
            in_a_row += 1
        if in_a_row >= REFUSALS_IN_A_ROW:
            return
        if in_a_row:
            # The store tidies up a few times a second, and may find room for a little more.
            time.sleep(0.02)
    raise Fault("the disk is full, and registrations go on")


def until_not_ready(server):
    """Asks until `/readyz` says no: its word holds for a second. It may not say yes for longer."""
    deadline = time.monotonic() + NOT_READY_SECONDS_MAX
    while server.readiness() != 503:
        expect(time.monotonic() < deadline, f"/readyz is {server.readiness()} while every registration is refused")
        time.sleep(0.1)


def until_well(server, connections, answers):
    """Registers through both doors until each is answered 201 and the server is ready."""
    deadline = time.monotonic() + WELL_AGAIN_SECONDS_MAX
    waiting = set(connections)
    while waiting or server.readiness() != 200:
        expect(time.monotonic() < deadline, f"not well within {WELL_AGAIN_SECONDS_MAX} s of there being room")
        for door in list(waiting):
            status, body, _ = register(connections[door], door)
            if status == 201:
                answers[body["client_id"]] = body
                waiting.discard(door)
        time.sleep(0.05)


def verify_without(data, answers, refused):
    """As `verify`, and none of the refused names is kept."""
    names = {row["metadata"]["client_name"] for row in verify(data, answers).values()}
    expect(not names & refused, "a registration that was answered 503 is kept")


def full_disk(folder):
    """Twice full and well again on one server; then a kill on the full disk, and a start with room."""
    answers, refused = {}, set()
    disk = folder / "disk"
    with small_disk(disk), doorward(disk / "data", log=folder / "disk.log") as server:
        server.start()
        ballast = disk / "ballast"
        connections = {
            door: http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for door in (DATADOG, RFC7591)
        }
        for _ in range(2):
            fill(ballast)
            until_refused(connections, answers, refused)
            until_not_ready(server)
            ballast.unlink()
            until_well(server, connections, answers)
            verify_without(server.data, answers, refused)
        fill(ballast)
        until_refused(connections, answers, refused)
        server.kill()
        ballast.unlink()
        server.start()
        verify_without(server.data, answers, refused)
        server.stop()
    return f"{len(answers)} answered 201 and all there, {len(refused)} answered 503 and none of them there"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="how many times to kill (default: 20)")
    parser.add_argument("--only", metavar="WORD", default="", help="the checks with this word in their names")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    checks = {
        "kills": lambda folder: kills(folder, chance, arguments.rounds),
        "pause": lambda folder: pause(folder, chance),
        "full disk": full_disk,
        **{
            name: lambda folder, check=check: check(folder, chance)
            for name, check in CHECKS.items()
        },
    }
    passed = failed = 0
    for name, check in checks.items():
        if arguments.only not in name:
            continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="doorward-crash-") as folder:
            try:
                outcome = check(pathlib.Path(folder))
                passed += 1
            except NoDisk as reason:
                outcome = f"LEFT OUT: no tmpfs to be had here: {reason}"
            except Missing as reason:
                outcome = f"LEFT OUT: {reason}"
            except Fault as fault:
                outcome = f"FAILED: {fault}"
                failed += 1
        print(f"{name}: {outcome} ({time.monotonic() - begun:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
