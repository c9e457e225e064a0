"""The guard: its decisions, the proxies that ask for them against the same proxies alone, and the built-in proxy."""

import contextlib
import http.client
import json
from dataclasses import asdict, dataclass, field, replace

from . import goals, idle_streams, proxies, servers, tokens
from .bench import end_in_order, say
from .process import WrongAnswer
from .report import LOAD_HEADER, load_row, spread
from .section import Section

CONNECTIONS = 64
TOKENS, TOKENS_QUICK = 10_000, 500
BODY_BYTES = 1024
TOOLS = f"https://{proxies.HOST}/mcp"
BUILT_IN = "https://built-in.example/mcp"
STREAMING = "https://streams.example/mcp"
DIALECTS = {
    "nginx": ("/guard/nginx/tools", "X-Original-Method", "GET", "X-Original-URL", TOOLS),
    "forwarded": ("/guard/forwarded/tools", "X-Forwarded-Method", "GET", "X-Forwarded-Proto", "https",
                  "X-Forwarded-Host", proxies.HOST, "X-Forwarded-Uri", "/mcp"),
    "envoy": ("/guard/envoy/tools/mcp",),
}  # fmt: skip
# What the contract names beside them, and why it is not here.
NOT_HERE = (
    "Traefik has no package here; its dialect is that of Caddy. Istio, Envoy Gateway, and ingress-nginx need a cluster. "
    "oauth2-proxy, mcp-auth-proxy, and the hyprmcp gateway are not built by this bench."
)


@dataclass
class Found:
    """One round."""

    loads: dict = field(default_factory=dict)


def measure(bench):
    present = [name for name in proxies.ALL if proxies.program(name)]
    missing = [name for name in proxies.ALL if name not in present]
    rounds, streams = [], []
    with bench.fresh_folder() as filled, bench.fresh_folder() as requests:
        count = TOKENS_QUICK if bench.options.quick else TOKENS
        tokens.grant(3 * count, filled, requests, TOOLS, BUILT_IN, STREAMING)
        with (
            upstream(bench) as behind,
            idle_streams.upstream(bench) as streaming,
            guarding(bench, filled, behind, streaming) as running,
        ):
            files = issued(bench, running, requests, count)
            for number in range(1, bench.options.rounds + 1):
                rounds.append(one_round(bench, running, behind, files, present))
                rates = (f"{name} {load.rate:,.0f}" for name, load in rounds[-1].loads.items())
                say(f"guard, round {number}: requests a second: {', '.join(rates)}")
                streams.append(idle_streams.measure(bench, running, "streams.example", files[STREAMING]))
            end_in_order(running, running.stop())
    remarks = [f"Not installed: {', '.join(missing)}."] if missing else []
    names = rounds[0].loads
    return Section(
        "The guard", LOAD_HEADER, [load_row(name, [one.loads[name] for one in rounds]) for name in names],
        verdicts=[*verdicts(rounds, present), *idle_streams.verdicts(streams)], remarks=[*remarks, latencies(rounds, present), NOT_HERE],
        figures=[{"streams": streams, **{name: asdict(load) for name, load in one.loads.items()}} for one in rounds],
    )  # fmt: skip


@contextlib.contextmanager
def upstream(bench):
    """A server that answers the same to whatever comes, on the core of the generators."""
    with bench.fresh_folder() as folder, bench.running(servers.constant(), folder, bench.generator_core) as running:
        yield running


@contextlib.contextmanager
def guarding(bench, folder, behind, streaming):
    """Doorward with a resource for proxies that ask, and two with the built-in proxy."""
    file = folder / "guard.toml"
    file.write_text(f"""
[[authorization.resources]]
uri = "{TOOLS}"
[authorization.resources.guard]
id = "tools"
[[authorization.resources]]
uri = "{BUILT_IN}"
[authorization.resources.guard]
id = "built-in"
upstream = "http://127.0.0.1:{behind.port}/mcp"
streams_max = 100000
[[authorization.resources]]
uri = "{STREAMING}"
[authorization.resources.guard]
id = "streams"
upstream = "http://127.0.0.1:{streaming}/mcp"
streams_max = 100000
[server]
trusted_proxies = ["127.0.0.1"] # so that one address may have all connections
[connections]
max = 9500
answer_bytes_max = 1073741824
""")

    def serve(port, data):
        return [*servers.serving(servers.program("doorward"), port, data), "--config", str(file)]

    server = replace(servers.shipped(DOORWARD_LOG__FILTER="warn"), name="doorward-guard", command=serve)
    with bench.running(server, folder) as running:
        yield running


def issued(bench, running, requests, count):
    """Files of access tokens, a third of the codes for each resource."""
    codes = (requests / "codes").read_text().split()
    files = {}
    for number, audience in enumerate((TOOLS, BUILT_IN, STREAMING)):
        file = requests / f"access-{number}"
        bodies = codes[number * count : (number + 1) * count]
        file.write_text("".join(f"{token}\n" for token in redeemed(running.port, bodies, audience)))
        files[audience] = file
    say(f"guard: {3 * count:,} access tokens")
    return files


def redeemed(port, bodies, audience):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in bodies:
        connection.request("POST", "/oauth2/token", f"{body}&resource={audience}", headers)
        answer = connection.getresponse()
        document = answer.read()
        if answer.status != 200:
            raise WrongAnswer(f"a code was answered {answer.status}: {document[:300]!r}")
        yield json.loads(document)["access_token"]


def one_round(bench, running, behind, files, present):
    found, seconds = Found(), bench.options.seconds
    ask = bench.generator.guarded

    def get(host, file, path="/mcp", *headers):
        return ["GET", path, host, file, 0, *headers]

    def post(host, file):
        return ["POST", "/mcp", host, file, BODY_BYTES]

    with bench.running_on_nothing(servers.constant()) as constant:
        found.loads["hyper alone, the same answer to each"] = ask(
            constant, constant.port, CONNECTIONS, seconds, get(proxies.HOST, files[TOOLS]))  # fmt: skip
    for dialect, (path, *headers) in DIALECTS.items():
        arguments = get(proxies.HOST, files[TOOLS], path, *headers)
        found.loads[f"decisions, {dialect}"] = ask(running, running.port, CONNECTIONS, seconds, arguments)
    found.loads["upstream alone, on the generators' core"] = ask(
        behind, behind.port, CONNECTIONS, seconds, post(proxies.HOST, files[TOOLS]))  # fmt: skip
    found.loads["the built-in proxy"] = ask(
        running, running.port, CONNECTIONS, seconds, post("built-in.example", files[BUILT_IN]))  # fmt: skip
    for name in present:
        for what, guard in ((f"{name} alone", None), (f"{name} with the guard", running.port)):
            with proxies.started(bench, name, behind.port, guard) as port:
                found.loads[what] = ask(running, port, CONNECTIONS, seconds, post(proxies.HOST, files[TOOLS]))
    return found


def added(one, name):
    """Milliseconds that the guard adds to the 99th percentile."""
    return one.loads[f"{name} with the guard"].p99 - one.loads[f"{name} alone"].p99


def verdicts(rounds, present):
    hyper = "hyper alone, the same answer to each"
    rows = [
        goals.at_least(f"decisions/s, {dialect}, {CONNECTIONS} connections / hyper alone", 0.60, "%").verdict(
            [one.loads[f"decisions, {dialect}"].rate / one.loads[hyper].rate for one in rounds])
        for dialect in DIALECTS
    ]  # fmt: skip
    if "nginx" in present:
        rows.append(goals.at_most("nginx with the guard / nginx alone, p99 added", 500, "µs").verdict(
            [added(one, "nginx") * 1000 for one in rounds]))  # fmt: skip
        rows.append(goals.at_least("the built-in proxy / nginx alone, requests/s", 0.60, "%").verdict(
            [one.loads["the built-in proxy"].rate / one.loads["nginx alone"].rate for one in rounds]))  # fmt: skip
    return rows


def latencies(rounds, present):
    each = (f"{name} {spread([added(one, name) for one in rounds], 2)}" for name in present)
    return f"Milliseconds that the guard adds to p99: {', '.join(each)}."
