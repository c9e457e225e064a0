"""The real binary as a child process, for the checks that are written in Python.

A `Doorward` listens on free loopback ports with its data in the folder it is given. Nothing here knows
what is being checked. Python's standard library alone.
"""

import http.client
import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("DOORWARD_BINARY", ROOT / "target/debug/doorward"))

READY_SECONDS_MAX = 10
STOP_SECONDS_MAX = 35

# The settings of whoever runs the check are none of the server's.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("DOORWARD_")}


class Fault(Exception):
    """Something that Doorward promises and did not keep."""


def free_port():
    """A port that nobody listens on now. Another process may take it first; the server then says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*arguments):
    """Runs a command of the binary to its end and returns what it printed; its failure is a `Fault`."""
    done = subprocess.run(
        [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=ENVIRONMENT
    )
    if done.returncode != 0:
        raise Fault(f"doorward {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr}")
    return done.stdout


class Doorward:
    """One server. As a context manager it is stopped at the end, and has to stop cleanly."""

    def __init__(self, data, settings=None, log=None, store=None, dev=True, flags=()):
        """`settings` are environment variables, such as `DOORWARD_RATE_LIMIT__PER_SOURCE`. The log goes
        beside the data unless `log` says where: on a full disk it has to go on elsewhere. With a `store`,
        the URL of a database, nothing else is in the folder. Without `dev`, all but the addresses is said by
        the settings. `flags` are more words of the command line.
        """
        self.dev = dev
        self.flags = flags
        self.data = pathlib.Path(data)
        self.store = store or self.data
        self.settings = settings or {}
        self.log = log or self.data.with_name(f"{self.data.name}.log")
        self.process = None

    def start(self, ports=None):
        """Starts the server and waits until it is ready. Returns the seconds that took. The two `ports` are
        chosen anew unless they are given.
        """
        self.port, self.management_port = ports or (free_port(), free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        begun = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**ENVIRONMENT, **self.settings}
            )
        while self.readiness() != 200:
            if self.process.poll() is not None:
                raise Fault(f"the server ended with {self.process.returncode} at its start:\n{self.tail()}")
            if time.monotonic() - begun > READY_SECONDS_MAX:
                self.kill()
                raise Fault(f"the server was not ready within {READY_SECONDS_MAX} s:\n{self.tail()}")
            time.sleep(0.005)
        return time.monotonic() - begun

    def command(self):
        """What starts the server."""
        return [
            BINARY, "serve", *(["--dev", "--data", self.store] if self.dev else []),
            *self.flags, "--listen", f"127.0.0.1:{self.port}", "--management", f"127.0.0.1:{self.management_port}",
        ]  # fmt: skip

    def readiness(self):
        """The status of `/readyz`; `None` when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.management_port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """Ends it without a word of warning. No effect on one that has ended."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Asks it to end, which has to succeed within the deadline and with exit code 0."""
        self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Fault(f"the server had not ended {STOP_SECONDS_MAX} s after SIGTERM") from None
        if code != 0:
            raise Fault(f"the server ended with {code} after SIGTERM:\n{self.tail()}")

    def tail(self, lines=20):
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()
