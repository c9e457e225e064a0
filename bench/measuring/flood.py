"""Memory under a flood from a million addresses, which a trusted proxy names, with limits on."""

from dataclasses import asdict

from . import goals, servers
from .bench import say
from .report import milliseconds, spread
from .section import Section

SOURCES = 1_000_000
RATE = 20_000
CONNECTIONS = 256
# `--dev` has no limits unless they are set.
LIMITED = {
    "DOORWARD_SERVER__TRUSTED_PROXIES": "127.0.0.1",
    "DOORWARD_RATE_LIMIT__PER_SOURCE": "60",
    "DOORWARD_RATE_LIMIT__TOTAL": "6000",
}
UNLIMITED_IN_ALL = {**LIMITED, "DOORWARD_RATE_LIMIT__TOTAL": "0"}


def measure(bench):
    is_quick = bench.options.seconds < 5
    sources = SOURCES // 10 if is_quick else SOURCES
    rows, figures, peaks = [], {}, []
    for what, settings in (("limits as shipped", LIMITED), ("no limit in all", UNLIMITED_IN_ALL)):
        with bench.running_on_nothing(servers.shipped(**settings)) as running:
            before = running.memory()[0]
            seconds = -(-sources // RATE) + 1
            load = bench.arrive(running, RATE, seconds, connections=CONNECTIONS, sources=sources)
            seen = load.result()
            resident, peak = running.memory()
        say(f"flood, {what}: {before:.0f} MiB before, {peak:.0f} MiB at its highest; {seen.statuses}")
        rows.append((
            what, f"{sources:,}", spread([seen.rate]), str(seen.statuses.get("429", 0)),
            str(seen.statuses.get("503", 0)), milliseconds([seen.refused_p99]),
            f"{before:.0f}", f"{resident:.0f}", f"{peak:.0f}",
        ))  # fmt: skip
        figures[what] = {"seen": asdict(seen), "before": before, "resident": resident, "peak": peak}
        peaks.append(peak)
    header = ("limits", "addresses", "registered/s", "429", "503", "p99 of refusals, ms", "MiB before",
              "MiB after", "at its highest")  # fmt: skip
    text = f"resident at its highest, under a flood from {sources:,} addresses"
    return Section(
        "Flat under a flood", header, rows,
        verdicts=[goals.at_most(text, 64, "MiB").verdict([max(peaks)])], figures=figures,
    )  # fmt: skip
