"""System calls per registration, counted by the kernel's trace points through `perf`."""

import json
import os
import platform
import re
import shutil
import subprocess

from . import servers
from .bench import say
from .machine import Unfit
from .process import pinned
from .section import Section

CONNECTIONS = 64
# What the server's threads do while they serve.
CALLS = ("epoll_wait", "recvfrom", "read", "sendto", "write", "futex", "sched_yield", "getrandom",
         "fdatasync", "pwrite64", "pread64", "fcntl")  # fmt: skip
ALL = "raw_syscalls:sys_enter"


def measure(bench):
    if not shutil.which("perf") or os.geteuid() != 0:
        raise Unfit("system calls are counted by perf, as root: install linux-perf")
    found = {}
    for server in (servers.shipped(DOORWARD_LOG__FILTER="warn"), servers.ceiling_quiet()):
        with bench.running_on_nothing(server) as running:
            bench.warm_up(running)
            found[server.name] = of_load(bench, running)
        say(f"calls: {server.name}: {found[server.name][ALL]:.2f} a registration")
    rows = [
        ("all" if name == ALL else name, *(f"{counts.get(name, 0):.2f}" for counts in found.values()))
        for name in (ALL, *CALLS)
    ]
    return Section(
        f"System calls per registration, {CONNECTIONS} connections",
        ("call", "log at warn", "the same, nothing kept"), rows, remarks=of_the_pure_part(), figures=found,
    )  # fmt: skip


def of_the_pure_part():
    """What `bench/counts` counted when its file was written."""
    counted = json.loads((servers.BENCH / "counts.json").read_text()).get(platform.machine())
    if not counted:
        return []
    said = " and ".join(f"{number:,} {name}" for name, number in counted.items())
    return [f"The pure part of a registration takes {said} (`bench/counts`)."]


def of_load(bench, running):
    """Every call of the process during one load, by name, over the registrations."""
    events = ",".join([ALL, *(f"syscalls:sys_enter_{name}" for name in CALLS)])
    command = ["perf", "stat", "--field-separator", ";", "--event", events, "--pid", str(running.pid)]
    perf = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=pinned(bench.generator_core)
    )
    before = running.registered
    bench.generator.run(running, CONNECTIONS, bench.options.seconds)
    perf.send_signal(2)
    _, said = perf.communicate(timeout=30)
    counted = re.findall(r"^(\d+);;(?:syscalls:sys_enter_)?([\w:]+);", said, re.M)
    if not counted:
        raise Unfit(f"perf counted nothing: {said.strip()[:200]}")
    registered = running.registered - before
    return {name: int(number) / registered for number, name in counted}
