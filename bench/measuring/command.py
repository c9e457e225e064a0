"""A command of `doorward` on a store: how long it takes, and how much memory at its highest."""

import contextlib
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import servers
from .process import WrongAnswer, pinned

SECONDS_MAX = 1800
LOOK_SECONDS = 0.005


@dataclass
class Ran:
    """What one command took."""

    seconds: float
    peak: float


def start(core, *arguments, **streams):
    command = [servers.program("doorward"), *map(str, arguments)]
    streams = {"stderr": subprocess.DEVNULL, **streams}
    return subprocess.Popen(command, start_new_session=True, preexec_fn=pinned(core), **streams)


def finish(child, began):
    """Waits for its end. Peak memory, in MiB, is as of a moment before it: the kernel's own figure for a
    child that has ended counts what it was forked from."""
    peak = 0
    while child.poll() is None:
        with contextlib.suppress(OSError):
            peak = max(peak, high_water(child.pid))
        time.sleep(LOOK_SECONDS)
    if child.returncode != 0:
        raise WrongAnswer(f"`{' '.join(child.args[1:3])}` ended with {child.returncode}")
    return Ran(time.perf_counter() - began, peak)


def high_water(pid):
    """Nothing while it is not yet the program that it is to be, or is gone."""
    program = Path(os.readlink(f"/proc/{pid}/exe")).name
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found.group(1)) / 1024 if found and program == "doorward" else 0


def run(core, *arguments):
    began = time.perf_counter()
    return finish(start(core, *arguments, stdout=subprocess.DEVNULL), began)


def pipe(core, first, second):
    """The output of the one into the other. Returns what the second took."""
    began = time.perf_counter()
    source = start(core, *first, stdout=subprocess.PIPE)
    target = start(core, *second, stdin=source.stdout, stdout=subprocess.DEVNULL)
    source.stdout.close()
    ran = finish(target, began)
    finish(source, began)
    return ran
