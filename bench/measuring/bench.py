"""Where servers run and what loads them, and the filled stores that several parts share."""

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import arrivals, load, process, servers

FILL_SECONDS_MAX = 3600
SMALL = 10_000
SAMPLE = 100_000
# A larger store is not copied: what is registered there does not change what it is.
COPIED_MAX = 1_000_000


@dataclass
class Store:
    """A folder that `bench/fill` filled."""

    folder: Path
    clients: int
    document_bytes: int
    store_bytes: int
    seconds: float

    def sample(self):
        """A file with identifiers drawn from the whole of the store."""
        file = self.folder.with_suffix(".ids")
        if not file.exists():
            file.write_text("\n".join(drawn(self)) + "\n")
        return file


class Bench:
    """The servers' core, the generators' core, and a folder for everything."""

    def __init__(self, options, scratch, cores):
        self.options = options
        self.scratch = scratch
        self.core, self.generator_core = cores
        self.generator = load.Generator(cores)
        self._runs = 0

    @contextlib.contextmanager
    def fresh_folder(self):
        self._runs += 1
        folder = self.scratch / str(self._runs)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    @contextlib.contextmanager
    def running(self, server, folder, core=None):
        """A server that has registered one client; killed in the end unless it was stopped."""
        log = self.scratch / f"{server.name}.log"
        running = process.Process(server, self.core if core is None else core, folder, log)
        try:
            yield running
        finally:
            running.kill()

    @contextlib.contextmanager
    def running_on_nothing(self, server):
        """The same, with a folder of its own, and held to what it answered once it is stopped."""
        with self.fresh_folder() as folder, self.running(server, folder) as running:
            yield running
            code = running.stop()
            if server.stored is None:
                return
            end_in_order(running, code)
            if (kept := server.stored(folder)) < running.registered:
                raise process.WrongAnswer(f"{server.name} answered {running.registered} and kept {kept}")

    def warm_up(self, running):
        seconds = min(2, self.options.seconds)
        self.generator.run(running, 64, seconds, strict=True)

    def arrive(self, running, rate, seconds, **more):
        """Requests at a fixed rate, begun; `.result()` waits for the end."""
        plan = arrivals.Plan(rate=max(1, round(rate)), seconds=seconds, tag=self.generator.tag(), **more)
        return arrivals.Arrivals(running, plan, self.generator_core)

    def store(self, clients):
        """A store with so many clients, filled unless an earlier part has filled it."""
        folder = self.scratch.parent / f"filled-{clients}"
        summary = folder.with_suffix(".json")
        if not summary.exists():
            say(f"filling a store with {clients:,} clients")
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".ids").unlink(missing_ok=True)
            command = [servers.program("fill", True), str(clients), str(folder)]
            both = {self.core, self.generator_core}
            filled = subprocess.run(
                command, stdout=subprocess.PIPE, check=True, timeout=FILL_SECONDS_MAX,
                preexec_fn=lambda: os.sched_setaffinity(0, both),
            )  # fmt: skip
            summary.write_bytes(filled.stdout)
        return Store(folder, **json.loads(summary.read_text()))

    @contextlib.contextmanager
    def folder_of(self, store):
        """The folder to run a server on: a copy, unless the store is large."""
        if store.clients > COPIED_MAX:
            yield store.folder
            return
        with self.fresh_folder() as folder:
            shutil.copytree(store.folder, folder, dirs_exist_ok=True)
            yield folder

    def remove_stores(self):
        for left in self.scratch.parent.glob("filled-*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def end_in_order(running, code):
    if code != 0:
        raise process.WrongAnswer(f"{running.server.name} ended with {code} when asked to stop")


def drawn(store):
    """Identifiers at places of chance between the first and the last, the same in every run."""
    chance = random.Random(store.clients)
    file = store.folder / "doorward.sqlite3"
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        ends = (f"SELECT {end}(client_id) FROM clients" for end in ("min", "max"))
        first, last = (int.from_bytes(database.execute(ask).fetchone()[0]) for ask in ends)
        for _ in range(min(SAMPLE, store.clients)):
            place = chance.randint(first, last).to_bytes(16)
            ask = "SELECT client_id FROM clients WHERE client_id >= ? LIMIT 1"
            text = database.execute(ask, [place]).fetchone()[0].hex()
            yield "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    finally:
        database.close()


def say(text):
    print(text, file=sys.stderr, flush=True)
