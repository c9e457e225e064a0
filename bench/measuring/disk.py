"""What the disk itself can do: small appends, each made durable before the next."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

BLOCK = b"\0" * 4096


@dataclass
class Syncs:
    """Durable appends of 4 KiB. Latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


def fdatasync_rate(folder, seconds):
    """Appends and syncs in a loop."""
    file = Path(folder) / "fdatasync"
    took = []
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
    try:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            before = time.perf_counter()
            os.write(descriptor, BLOCK)
            os.fdatasync(descriptor)
            took.append(time.perf_counter() - before)
        elapsed = time.perf_counter() - began
    finally:
        os.close(descriptor)
        file.unlink()
    took.sort()
    p50, p99 = (took[int(len(took) * share)] * 1000 for share in (0.50, 0.99))
    return Syncs(rate=len(took) / elapsed, p50=p50, p99=p99)
