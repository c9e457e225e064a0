#!/usr/bin/env python3
"""Runs every console block of the documents, in order, and compares what it prints with what the document shows.

    tests/consoles.py [DOCUMENT...]

The blocks of one document share a folder, as a reader's terminal would. A command that serves runs until the next one or the end of
its document. What differs from run to run (identifiers, times, passwords, ports, versions) is compared by its form.
The binary is the debug build; blocks for other machines are fenced as `sh`, without output.
"""

import fcntl
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from documents import markdown
from doorward import BINARY, ENVIRONMENT, ROOT, free_port

BLOCK = re.compile(r"^( *)```console\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SECONDS_MAX = 60

# What a document says, and what is run in its place.
BUILDS = ("cargo run --release --", "target/release/doorward")
# Programs that take minutes, and are parts of `./check` themselves.
CHECKS = ("./check", "tests/journey/run.py")

FORMS = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "IDENTIFIER"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"\b\d{4}-\d\d-\d\d\b(?=  )", "DAY"),
    (r"\b\d\d:\d\d:\d\dZ", "TIME"),
    (r'"client_id_issued_at":\d+', "TIME"),
    (r"(?<=with the password )\S+", "PASSWORD"),
    (r"\bdw[mo]_[A-Za-z0-9_-]+", "TOKEN"),
    (r"\b\d+ MiB are free\b", "ROOM"),
    (r"\b[A-Za-z0-9_-]{43}\b", "KEY"),
    (r"\d+\.\d+\.\d+(?=\s|$)", "VERSION"),
    (r"/tmp/\S+?/(?=doorward)", ""),
    (r" {2,}", "  "),
    (r"[ \t]+$", ""),
]


def commands(block):
    """The commands of a block, each with what it prints."""
    command, expected = None, []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        elif command and (command.endswith("\\") and not expected):
            command = command[:-1] + line.strip()
        else:
            expected.append(line)
    if command:
        yield command, expected


def form(text):
    for pattern, name in FORMS:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text.strip()


class Terminal:
    """The folder in which the blocks of one document run, and the servers they leave running."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ports = {"8080": str(free_port()), "9000": str(free_port())}
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "doorward").symlink_to(BINARY)
        self.environment = ENVIRONMENT | {
            "PATH": f"{tools}:{os.environ['PATH']}", "HOME": folder, "COLUMNS": "160", "NO_COLOR": "1",
            "DOORWARD_SERVER__LISTEN": f"127.0.0.1:{self.ports['8080']}",
            "DOORWARD_SERVER__MANAGEMENT": f"127.0.0.1:{self.ports['9000']}",
        }  # fmt: skip
        self.work = self.folder / "work"
        self.work.mkdir()
        self.servers = []

    def here(self, text):
        """A command or an output with the ports of this run."""
        for shown, port in self.ports.items():
            text = re.sub(rf"(?<=127\.0\.0\.1:){shown}\b", port, text)
        return text

    def run(self, command):
        for build in BUILDS:
            command = command.replace(build, "doorward")
        command = self.here(command)
        if re.search(r"doorward serve\b", command):
            return self.serve(command)
        # On a terminal, as the reader sees it.
        primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        done = subprocess.Popen(
            ["bash", "-c", command], cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=secondary, stderr=secondary,
        )  # fmt: skip
        os.close(secondary)
        printed = b""
        try:
            while part := os.read(primary, 65536):
                printed += part
        except OSError:
            pass  # The terminal has closed.
        os.close(primary)
        done.wait(SECONDS_MAX)
        return printed.decode().replace("\r\n", "\n")

    def serve(self, command):
        # A reader stops one server before starting the next.
        self.close()
        output = self.folder / f"served-{time.monotonic_ns()}"
        with output.open("w") as stdout, (self.folder / "log").open("a") as stderr:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=self.work, env=self.environment, stdout=stdout, stderr=stderr
            )
        self.servers.append(server)
        until = time.monotonic() + SECONDS_MAX
        while not output.read_text() and server.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.2)
        return output.read_text()

    def close(self):
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            server.wait(SECONDS_MAX)
        self.servers.clear()


def differences(document):
    with tempfile.TemporaryDirectory(prefix="doorward-consoles-") as folder:
        terminal = Terminal(folder)
        try:
            for _, block in BLOCK.findall((ROOT / document).read_text()):
                for command, expected in commands(block):
                    if command.startswith(CHECKS):
                        continue
                    printed = terminal.run(command)
                    shown = terminal.here("\n".join(expected))
                    yield command, form(shown), form(printed)
        finally:
            terminal.close()


def main():
    documents = sys.argv[1:] or [str(path.relative_to(ROOT)) for path in markdown(ROOT)]
    passed = failed = 0
    for document in documents:
        for command, shown, printed in differences(document):
            if shown == printed:
                passed += 1
                continue
            failed += 1
            print(f"{document}: $ {command}\n--- the document shows\n{shown}\n--- it prints\n{printed}\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
