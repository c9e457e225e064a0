"""Memory with very many clients stored: of the server, and of the commands that go through all of them."""

from dataclasses import asdict

from . import command, goals, servers
from .bench import end_in_order, say
from .report import spread
from .section import Section

CONNECTIONS = 256
# Enough for the caches of a command to be as full as they ever are.
FEW = 100_000
IMPORTED_MAX = 1_000_000


def measure(bench):
    small, large = (bench.store(count) for count in (FEW, bench.options.clients))
    few = commands(bench, small)
    # The server runs on the large store, and serves before and after.
    with bench.running(servers.shipped(), large.folder) as running:
        bench.warm_up(running)
        bench.generator.run(running, CONNECTIONS, bench.options.seconds)
        many = commands(bench, large)
        bench.generator.run(running, CONNECTIONS, bench.options.seconds)
        resident, peak = running.memory()
        end_in_order(running, running.stop())
    say(f"memory: server {resident:.0f} MiB, {peak:.0f} MiB at its highest")
    clients = f"{large.clients:,}"
    rows = [
        (name, f"{few[name].peak:.0f}", f"{many[name].peak:.0f}", spread([many[name].seconds], 1))
        for name in many
    ]
    growth = [many[name].peak / few[name].peak for name in many]
    return Section(
        "Flat in memory", ("command", f"MiB at {small.clients:,}", f"MiB at {clients}", "seconds"), rows,
        verdicts=[
            goals.at_most(f"server, resident with {clients} clients", 64, "MiB").verdict([resident]),
            goals.at_most("the same at its highest", 64, "MiB").verdict([peak]),
            goals.at_most(f"commands, peak with {clients} clients", 64, "MiB").verdict(
                [max(ran.peak for ran in many.values())]),
            goals.at_most(f"the same / with {small.clients:,}, the worst", 1.25, "%").verdict([max(growth)]),
        ],
        figures={"resident": resident, "peak": peak,
                 "commands": {name: [asdict(few[name]), asdict(many[name])] for name in many}},
    )  # fmt: skip


def commands(bench, store):
    """Each command that goes through all clients, on the core of the generators."""
    core, data = bench.generator_core, ("--data", store.folder)
    first_of_all = ("client", "list", *data, "--limit", IMPORTED_MAX, "--output", "jsonl")
    with bench.fresh_folder() as folder:
        return {
            "client list": command.run(core, "client", "list", *data, "--output", "jsonl"),
            "client list --name, none found": command.run(
                core, "client", "list", *data, "--name", "no such"),
            "client list --flag, none found": command.run(
                core, "client", "list", *data, "--flag", "look_alike"),
            "client export": command.run(core, "client", "export", *data),
            f"client import, at most {IMPORTED_MAX:,}": command.pipe(
                core, first_of_all, ("client", "import", "-", "--data", folder / "imported")),
        }  # fmt: skip
