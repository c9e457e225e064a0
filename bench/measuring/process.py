"""A server as a process: started on its core, waited for, looked at, stopped."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .machine import Unfit

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
PR_SET_TIMERSLACK = 29

PROBE = (
    b'{"client_name":"Probe","redirect_uris":["http://127.0.0.1:8090/callback"],'
    b'"grant_types":["authorization_code","refresh_token"],"response_types":["code"],'
    b'"token_endpoint_auth_method":"none","application_type":"native"}'
)


class WrongAnswer(Exception):
    """A server did something else than it should: the figures would mean nothing."""


def free_port():
    """A loopback port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def pinned(core, slack_ns=None):
    """For a child before it executes: only this core, no life after the parent's, and how late its timers
    may be, if that matters."""
    libc = ctypes.CDLL(None)

    def prepare():
        os.sched_setaffinity(0, {core})
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if slack_ns:
            libc.prctl(PR_SET_TIMERSLACK, slack_ns)

    return prepare


def register_once(port, path, timeout=5.0):
    """Registers one client over a connection of its own. Returns the status, the head and the body."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(PROBE)}\r\nConnection: close\r\n\r\n"
    ).encode() + PROBE
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    parts = head.split(b" ", 2)
    if len(parts) < 3 or not parts[1].isdigit():
        raise WrongAnswer(f"no HTTP answer from port {port}: {answer[:200]!r}")
    return int(parts[1]), head, body


class Process:
    """One run of one server. `started_ms` is from before the fork to the first client registered."""

    def __init__(self, server, core, folder, log):
        self.server = server
        self.port = free_port()
        self.registered = 0
        command = server.command(self.port, folder)
        environment = {**os.environ, **server.environment}
        self._log = open(log, "wb")
        began = time.perf_counter()
        try:
            self._child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                cwd=server.directory,
                start_new_session=True,
                preexec_fn=pinned(core),
            )
        except FileNotFoundError as missing:
            name = Path(command[0]).name
            raise Unfit(f"{name} is not there: run without --no-build") from missing
        try:
            self._wait_for_first_client(began, log)
        except BaseException:
            self.kill()
            raise
        self.started_ms = (time.perf_counter() - began) * 1000

    def _wait_for_first_client(self, began, log):
        while True:
            try:
                status, _, body = register_once(self.port, self.server.path)
                break
            except (ConnectionError, TimeoutError):
                time.sleep(0.0005)
            if self._child.poll() is not None:
                said = Path(log).read_text(errors="replace")[-800:]
                raise WrongAnswer(f"{self.server.name} ended before it served: {said}")
            if time.perf_counter() - began > START_SECONDS_MAX:
                raise WrongAnswer(f"{self.server.name} did not serve in {START_SECONDS_MAX} s")
        if status != 201 or b'"client_id"' not in body:
            raise WrongAnswer(f"{self.server.name} answered {status}: {body[:400]!r}")
        self.registered += 1

    @property
    def pid(self):
        return self._child.pid

    def memory(self):
        """Resident memory now and at its highest, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))

    def cpu_seconds(self):
        """CPU time of the process and its threads so far."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def is_alive(self):
        return self._child.poll() is None

    def stop(self):
        """Asks the server to end, and insists after a while. Returns the exit code."""
        if self.is_alive():
            self._child.terminate()
        try:
            code = self._child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise WrongAnswer(f"{self.server.name} did not stop when asked") from late
        self._log.close()
        return code

    def kill(self):
        """Ends the server at once, with whatever it started."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._child.wait()
        self._log.close()
