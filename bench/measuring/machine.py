"""The machine: which cores are used, and a description of it that names no host, person or path."""

import contextlib
import os
import platform
import re
import subprocess
from pathlib import Path


class Unfit(Exception):
    """The machine or its installation does not allow this measurement; says what to do."""


def cores():
    """The core of the server and the core of the load generator."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise Unfit("two cores are needed: one for the server, one for the load generator")
    return allowed[0], allowed[1]


@contextlib.contextmanager
def starting_on(cores):
    """What is started inside stays on these cores."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def file_system(folder):
    """The type of the file system and the block device that hold `folder`."""
    folder = Path(folder).resolve()
    best = ("", "unknown", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, mount, kind = line.split()[:3]
        is_above = mount == "/" or folder == Path(mount) or Path(mount) in folder.parents
        if is_above and len(mount) >= len(best[0]):
            best = (mount, kind, device)
    return best[1], best[2]


def refuse_memory(folder):
    """Durability measured on memory would be no durability."""
    kind, _ = file_system(folder)
    if kind in ("tmpfs", "ramfs", "overlay"):
        raise Unfit(f"the data folder is on {kind}; name one on a disk with --data")


def describe(folder, versions):
    """Pairs of what the measurement depends on."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    kind, device = file_system(folder)
    return [
        ("CPU", f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores"),
        ("memory", f"{int(memory.group(1)) / 2**20:.1f} GiB" if memory else "unknown"),
        ("kernel", f"{platform.system()} {platform.release().partition('-')[0]}"),
        ("disk", f"{kind} on {disk_kind(device)}"),
        *versions,
    ]


def busy_seconds(both):
    """CPU time that these cores have spent on anything, the hypervisor's share included."""
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *times = line.split()
        if name in {f"cpu{core}" for core in both}:
            user, nice, system, _, _, interrupt, soft, steal = map(int, times[:8])
            ticks += user + nice + system + interrupt + soft + steal
    return ticks / os.sysconf("SC_CLK_TCK")


def disk_kind(device):
    """What kind of block device this is, as far as the kernel says."""
    name = re.sub(r"p?\d+$", "", os.path.basename(os.path.realpath(device)))
    queue = Path("/sys/block") / name / "queue"
    try:
        spins = (queue / "rotational").read_text().strip() == "1"
        cache = (queue / "write_cache").read_text().strip()
    except OSError:
        return "a device of unknown kind"
    # A virtual disk says of itself that it rotates, whatever lies beneath.
    kind = "virtual disk" if name.startswith(("vd", "xvd")) else "hard disk" if spins else "SSD"
    return f"{kind}, {cache} cache"


def version_of(*command):
    """The first line that a program says about its version."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return "not there"
    lines = (said.stdout + said.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"
