#!/usr/bin/env python3
"""The services of others that Doorward works with, started for a check and stopped after it.

    tests/services.py postgres [RELEASE] -- COMMAND...
    tests/services.py installed postgres [RELEASE]|pgbouncer|haproxy

The first runs COMMAND with `DOORWARD_TEST_POSTGRES` set to the URL of a server of its own and
`DOORWARD_TEST_POSTGRES_CA` to the file of its certificate, and ends as COMMAND ends. The second says by its exit
code whether a service could be started. RELEASE is one of `postgres_releases/`, such as 13; without it, it is the
system's PostgreSQL. A check that is written in Python uses the classes below.

Every service listens on a free loopback port, keeps its files in a temporary folder and is gone afterwards,
whatever happens. Python's standard library alone.
"""

import contextlib
import glob
import http.client
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from doorward import Fault, free_port  # noqa: E402

START_SECONDS_MAX = 30
# Where Debian has the programs that it does not put on the path; the latest release counts.
DEBIAN = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
# Other releases, which npm has: the server alone, none of the programs that talk to it.
RELEASES = pathlib.Path(__file__).resolve().parent / "postgres_releases/node_modules"
# PostgreSQL refuses to run as root.
USER = "postgres"


class Missing(Exception):
    """A service that is not installed here."""


def program(name, folders=()):
    """The path of a program."""
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin"]))
    if not found:
        raise Missing(f"there is no {name}")
    return found


def unprivileged():
    """What makes `subprocess` run a program as somebody who is not root."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        raise Missing(f"root cannot run it, and there is no user {USER}") from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def installed(release):
    """The folder of one of `RELEASES`."""
    folder = RELEASES / f"postgres-{release}"
    if not folder.is_dir():
        raise Missing(f"there is no PostgreSQL {release}")
    return folder


def copied(release, folder):
    """The programs of one of `RELEASES` in another folder: whoever runs them may not be let into the repository.
    A package has no symbolic links: it names them, and has a script that makes them in its own place."""
    shutil.copytree(installed(release) / "native", folder / "native")
    for link in json.loads((folder / "native/pg-symlinks.json").read_text()):
        (folder / link["target"]).symlink_to(pathlib.Path(link["source"]).name)
    return str(folder / "native/bin")


def children(parent):
    """The processes that a process has started."""
    found = []
    for status in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything; the state and the parent follow it.
            fields = pathlib.Path(status).read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(status.split("/")[2]))
    return found


class Service:
    """A process with a folder, which can be started and ended again and again.

    As a context manager it is started, and at the end it and its folder are gone.
    """

    def __init__(self):
        self.process = None
        self.port = free_port()
        self.user = unprivileged()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="doorward-service-"))
        if self.user:
            os.chown(self.folder, self.user["user"], self.user["group"])
        self.log = self.folder / "log"

    def start(self):
        """Starts it and waits until it answers."""
        with open(self.log, "ab") as log:
            # Outside of the terminal's group: Ctrl-C is for the check, which then ends it.
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True, **self.user,
            )  # fmt: skip
        self.wait_until_ready()

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Fault(f"{self.command()[0]} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def signal(self, number):
        """Signals it and all that it started, which need not be of its process group."""
        for process in [self.process.pid, *children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def kill(self):
        """Ends it without a word of warning. No effect on one that has ended."""
        if self.process:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def run(self, *command):
        """Runs a program beside it to its end, as its user; returns what it printed."""
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, cwd=self.folder, **self.user
        )
        if done.returncode != 0:
            raise Fault(f"{command[0]} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()


class Postgres(Service):
    """A server of PostgreSQL with the user `postgres`, who needs no password. Others may stand by for it."""

    def __init__(self, settings=None, primary=None, release=None):
        """`settings` go to the server. With a `primary`, it is a standby that follows it. Without a `release`, it
        is the system's latest."""
        self.folders = [*reversed(DEBIAN)]
        program("psql", self.folders)
        super().__init__()
        self.data = self.folder / "data"
        self.settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "max_connections": 200,
            "unix_socket_directories": "", "shared_buffers": "64MB", "max_wal_size": "256MB",
            "ssl": "on", "ssl_cert_file": self.folder / "server.crt", "ssl_key_file": self.folder / "server.key",
            **(settings or {}),
        }  # fmt: skip
        try:
            if release:
                self.folders.insert(0, copied(release, self.folder))
            self.run(
                program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "server.key", "-out", "server.crt",
            )  # fmt: skip
            if primary:
                source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
                self.run(self.beside("pg_basebackup"), "-d", source, "-D", self.data, "-R", "-c", "fast")
            else:
                self.run(
                    self.beside("initdb"), "-D", self.data, "-U", "postgres", "--auth=trust", "--no-sync",
                    "--encoding=UTF8", "--locale=C",
                )  # fmt: skip
        except BaseException:
            self.remove()
            raise

    def beside(self, name):
        """A program of the same release if it has one, else of the system's latest."""
        return program(name, self.folders)

    def command(self):
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        return [self.beside("postgres"), "-D", str(self.data), *options]

    def is_ready(self):
        return self.psql("SELECT 1", check=False) == "1"

    def url(self, database="postgres"):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def psql(self, sql, database="postgres", check=True):
        """The answer to one statement, its columns between bars."""
        done = subprocess.run(
            [self.beside("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(database)],
            capture_output=True, text=True, timeout=60, env={**os.environ, "PGCONNECT_TIMEOUT": "5"},
        )  # fmt: skip
        if check and done.returncode != 0:
            raise Fault(f"psql ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def crash(self):
        """Ends it as `kill -9` of its first process does: no checkpoint, the log is replayed at the next start."""
        self.kill()
        # What was killed could not take it away, and another process may have its number by now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def restart(self):
        """Ends it as an operator does who does not wait for sessions, and starts it again."""
        os.kill(self.process.pid, signal.SIGINT)
        self.process.wait(60)
        self.start()

    def wait_for_standby(self):
        """Lets no commit be one from now on before the standby has it on its disk, and waits for that standby."""
        self.psql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.psql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + START_SECONDS_MAX
        while self.psql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1":
            if time.monotonic() > deadline:
                raise Fault("the standby does not follow")
            time.sleep(0.05)

    def promote(self):
        """Makes a standby a primary."""
        self.run(self.beside("pg_ctl"), "promote", "-D", str(self.data), "-w", "-t", "30")


class PgBouncer(Service):
    """A pooler in front of `postgres`, which gives each transaction another connection."""

    def __init__(self, postgres):
        self.program = program("pgbouncer")
        super().__init__()
        self.postgres = postgres
        settings = self.folder / "pgbouncer.ini"
        # `auth_type = any` forgets who connects, so the server is told; it is asked again every second
        # when it is gone, not every fifteen.
        settings.write_text(
            "[databases]\n"
            f"* = user=postgres host=127.0.0.1 port={postgres.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\nadmin_users = postgres\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\nserver_login_retry = 1\n"
        )
        os.chmod(settings, 0o644)

    def command(self):
        return [self.program, str(self.folder / "pgbouncer.ini")]

    def url(self, database="postgres"):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def is_ready(self):
        done = subprocess.run(
            [self.postgres.beside("psql"), "-XqAt", "-c", "SELECT 1", self.url()], capture_output=True, text=True
        )
        return done.stdout.strip() == "1"


class Redis(Service):
    """A Redis that keeps nothing, with a password."""

    def __init__(self, password, options=()):
        """`options` are further words of its command."""
        self.program = program("redis-server")
        super().__init__()
        self.password = password
        self.options = ["--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", password, *options]

    def command(self):
        return [self.program, *self.options]

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as asked:
            asked.sendall(f"AUTH {self.password}\r\n".encode())
            return asked.recv(64).startswith(b"+OK")
        return False


class HAProxy(Service):
    """A load balancer with these settings, which say where `up` is: the port of a frontend that answers `/up`."""

    def __init__(self, settings, up):
        self.program = program("haproxy")
        super().__init__()
        self.up = up
        self.file = self.folder / "haproxy.cfg"
        self.file.write_text(settings)
        os.chmod(self.file, 0o644)

    def command(self):
        return [self.program, "-db", "-f", str(self.file)]

    def is_ready(self):
        """Whether it knows of a node that is ready."""
        asked = http.client.HTTPConnection("127.0.0.1", self.up, timeout=5)
        try:
            asked.request("GET", "/up")
            return asked.getresponse().status == 200
        except OSError:
            return False
        finally:
            asked.close()


def main():
    match sys.argv[1:]:
        case ["postgres", "--", *command] if command:
            release = None
        case ["postgres", release, "--", *command] if command:
            pass
        case ["installed", "postgres", release]:
            return 0 if installed(release) else 1
        case ["installed", "postgres"]:
            return 0 if all(program(name, DEBIAN) for name in ("initdb", "psql", "openssl")) else 1
        case ["installed", "pgbouncer" | "haproxy" as name]:
            return 0 if program(name) else 1
        case _:
            sys.exit(__doc__.split("\n\n")[1])
    # Asked to end, it takes its services with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # What is lost with the machine is lost anyway: it is the tests' own.
    with Postgres({"fsync": "off"}, release=release) as postgres:
        certificate = postgres.folder / "server.crt"
        environment = {
            **os.environ,
            "DOORWARD_TEST_POSTGRES": postgres.url(),
            "DOORWARD_TEST_POSTGRES_CA": str(certificate),
        }
        return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Missing, Fault) as reason:
        sys.exit(f"services: {reason}")
