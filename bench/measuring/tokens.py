"""What clients do after they have registered: tokens for codes and refresh tokens, against another server;
metadata, keys and authorization requests, against what a registration costs at least."""

import contextlib
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from . import goals, servers
from .bench import end_in_order, say
from .load import Load
from .process import WrongAnswer
from .report import LOAD_HEADER, load_row
from .section import Section

CONNECTIONS = 64
# Requests to prepare, over what `signed` answers in the same time: no server that signs answers more. The
# peer answers less than an eighth of it.
OURS_OF_SIGNED = 1.0
PEERS_OF_SIGNED = 0.2
# As many as `grants` makes.
PREPARED_MAX = 1_000_000
FILL_SECONDS_MAX = 600

EXCHANGES = {"codes": "codes", "refresh_tokens": "refresh tokens"}
READS = {
    "metadata": "/.well-known/oauth-authorization-server",
    "keys": "/oauth2/jwks",
    "authorization requests": "/oauth2/authorize?",
}


@dataclass
class Figures:
    """One round, by what was asked for."""

    ceiling: Load
    constant: Load
    signed: Load
    ours: dict[str, Load]
    peer: dict[str, Load]


def measure(bench):
    rounds = []
    for number in range(1, bench.options.rounds + 1):
        rounds.append(one_round(bench))
        ours, peer = rounds[-1].ours, rounds[-1].peer
        rates = (f"{name} {ours[name].rate:,.0f} and {peer[name].rate:,.0f}/s" for name in EXCHANGES.values())
        say(f"tokens, round {number}: {', '.join(rates)}")
    named = {
        "constant (hyper alone, one answer)": [one.constant for one in rounds],
        "signed (hyper alone, a signature in each)": [one.signed for one in rounds],
        "registrations, nothing kept": [one.ceiling for one in rounds],
    }
    for name in rounds[0].ours:
        named[f"doorward, {name}"] = [one.ours[name] for one in rounds]
    for name in rounds[0].peer:
        named[f"oidc-provider, {name}"] = [one.peer[name] for one in rounds]
    return Section(
        "Tokens", LOAD_HEADER, [load_row(name, loads) for name, loads in named.items()],
        verdicts=verdicts(rounds), remarks=used_up(named), figures=[asdict(one) for one in rounds],
    )  # fmt: skip


def used_up(named):
    """Which measurements ended before their time, and after how long."""
    early = {name: [load.seconds for load in loads if load.used_up] for name, loads in named.items()}
    return [
        f"{name} used up its prepared requests after {min(seconds):.1f} s; rates are over the time until then."
        for name, seconds in early.items()
        if seconds
    ]


def one_round(bench):
    options = bench.options
    with bench.running_on_nothing(servers.ceiling_quiet()) as running:
        bench.warm_up(running)
        ceiling = bench.generator.run(running, CONNECTIONS, options.seconds)
    with bench.running_on_nothing(servers.constant()) as running:
        bench.warm_up(running)
        constant = bench.generator.run(running, CONNECTIONS, options.seconds)
    with bench.running_on_nothing(servers.signed()) as running:
        bench.warm_up(running)
        signed = bench.generator.run(running, CONNECTIONS, options.seconds)
    with bench.fresh_folder() as folder, bench.fresh_folder() as requests:
        grant(prepared(options, signed.rate * OURS_OF_SIGNED), folder, requests)
        with bench.running(servers.shipped(DOORWARD_LOG__FILTER="warn"), folder) as running:
            ours = exchanges(bench, running, "/oauth2/token", requests) | reads(bench, running, requests)
            end_in_order(running, running.stop())
    with bench.fresh_folder() as requests:
        server = servers.oidc_provider_tokens(requests, prepared(options, signed.rate * PEERS_OF_SIGNED))
        with bench.running_on_nothing(server) as running:
            peer = exchanges(bench, running, "/token", requests)
    return Figures(ceiling, constant, signed, ours, peer)


def prepared(options, a_second):
    """How many requests of one kind a server needs at that rate, the warm-up included."""
    return min(PREPARED_MAX, round(a_second * (options.seconds + min(2, options.seconds))))


def grant(count, folder, requests, *resources):
    """Fills `folder`, and `requests` with what can be asked for then; grants are for these protected resources."""
    command = [servers.program("grants", True), str(count), str(folder), str(requests), *resources]
    with contextlib.suppress(FileExistsError):
        Path(requests).mkdir()
    subprocess.run(command, check=True, timeout=FILL_SECONDS_MAX)


def exchanges(bench, running, path, requests):
    found = {}
    for file, name in EXCHANGES.items():
        warm_up = min(2, bench.options.seconds)
        warm = bench.generator.tokens(running, path, requests / file, warm_up, strict=True)
        if warm.used_up:
            raise WrongAnswer(f"{running.server.name} used up all prepared {name} while it warmed up")
        # What was still on its way when the warm-up ended was sent, too.
        first = warm.requests + CONNECTIONS
        found[name] = bench.generator.tokens(running, path, requests / file, bench.options.seconds, first)
    return found


def reads(bench, running, requests, names=tuple(READS)):
    (requests / "nothing").write_text("\n")
    found = {}
    for name in names:
        path = READS[name]
        lines = requests / ("queries" if path.endswith("?") else "nothing")
        found[name] = bench.generator.gets(running, CONNECTIONS, bench.options.seconds, path, lines)
    return found


def verdicts(rounds):
    def ratios(name, other):
        return [one.ours[name].rate / other(one, name).rate for one in rounds]

    def peer(one, name):
        return one.peer[name]

    def ceiling(one, _):
        return one.ceiling

    found = []
    for name in EXCHANGES.values():
        text = f"doorward, durable / oidc-provider, in memory: {name}/s at 64"
        found.append(goals.at_least(text, 10).verdict(ratios(name, peer)))
    for name, aim in (("metadata", 0.8), ("keys", 0.8), ("authorization requests", 0.5)):
        text = f"{name}/s / registrations/s with nothing kept, at 64"
        found.append(goals.at_least(text, aim, "%").verdict(ratios(name, ceiling)))
    return found
