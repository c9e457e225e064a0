"""What came out, as text for a terminal and as Markdown: one table, the goals, the machine."""

from dataclasses import dataclass
from statistics import median


@dataclass
class Goal:
    """A ratio or figure and its bounds: the one that has to hold now, if any, and the one aimed at."""

    text: str
    of_round: callable
    bound: float | None
    aim: float
    at_least: bool
    unit: str = "x"

    def show(self, value):
        if self.unit == "%":
            return f"{value * 100:.0f} %"
        if self.unit == "x":
            return f"{value:.1f}x"
        return f"{value:.0f} {self.unit}"

    def is_met(self, value, bound):
        return value >= bound if self.at_least else value <= bound


def rate(name, connections):
    return lambda runs: runs[name].loads[connections].rate


def p99(name, connections):
    return lambda runs: runs[name].loads[connections].p99


def best(name):
    """The peer at the number of connections that suits it best."""
    return lambda runs: max(load.rate for load in runs[name].loads.values())


def over(numerator, denominator):
    """A ratio within one round; the machine drifts from round to round."""

    def value(runs):
        try:
            return numerator(runs) / denominator(runs)
        except KeyError:
            return None

    return value


def started(name):
    return lambda runs: runs[name].started_ms if name in runs else None


def goals():
    """All of them; a peer that has no bound now has one in the next step."""
    least, most = {"at_least": True}, {"at_least": False}
    found = []
    for kind in ("", "-quiet"):
        ours, top = f"doorward{kind}", f"ceiling{kind}"
        for connections, aim in ((64, 0.80), (256, 0.75)):
            found.append(Goal(
                f"{ours} / {top}, requests/s at {connections}",
                over(rate(ours, connections), rate(top, connections)), 0.55, aim, unit="%", **least,
            ))  # fmt: skip
        found.append(Goal(f"{ours} / {top}, p99 at 64",
                          over(p99(ours, 64), p99(top, 64)), 2.0, 1.5, **most))  # fmt: skip
        for peer, bound, aim in (
            ("oidc-provider", 10, 15), ("mcp-typescript", None, 15),
            ("mcp-python", None, 10), ("oidc-provider-durable", None, 30),
        ):  # fmt: skip
            for connections in (64, 256):
                found.append(Goal(
                    f"{ours} at {connections} / {peer} at its best",
                    over(rate(ours, connections), best(peer)), bound, aim, **least,
                ))  # fmt: skip
    for connections in (64, 256):
        found.append(Goal(
            f"ceiling-quiet / bare-hyper, requests/s at {connections}",
            over(rate("ceiling-quiet", connections), rate("bare-hyper", connections)),
            None, 0.75, unit="%", **least,
        ))  # fmt: skip
    found.append(Goal("doorward, from start to the first client registered",
                      started("doorward"), 50, 50, unit="ms", **most))  # fmt: skip
    return found


def spread(values, digits=0):
    """Median, least and greatest."""
    show = (lambda v: f"{v:,.0f}".replace(",", " ")) if digits == 0 else (lambda v: f"{v:.{digits}f}")
    middle, least, most = show(median(values)), show(min(values)), show(max(values))
    return middle if least == most else f"{middle} ({least}–{most})"


HEADER = ("server", "conn.", "requests/s", "p50 ms", "p99 ms", "resident MiB", "peak MiB", "start ms",
          "not 201", "CPU µs/request", "server busy", "generator busy")  # fmt: skip


def measurements(rounds):
    """The rows of the one table: median (least–greatest) over the rounds."""
    names = list(dict.fromkeys(name for runs in rounds for name in runs))
    rows = []
    for name in names:
        runs = [found[name] for found in rounds if name in found]
        for connections in runs[0].loads:
            loads = [run.loads[connections] for run in runs]
            is_first = connections == next(iter(runs[0].loads))
            rows.append((
                name if is_first else "",
                str(connections),
                spread([load.rate for load in loads]),
                spread([load.p50 for load in loads], 2),
                spread([load.p99 for load in loads], 2),
                spread([load.resident for load in loads]),
                spread([run.peak for run in runs]) if is_first else "",
                spread([run.started_ms for run in runs]) if is_first else "",
                str(sum(load.not_201 for load in loads)),
                spread([load.server_us for load in loads]),
                f"{median([load.server_busy for load in loads]) * 100:.0f} %",
                f"{median([load.generator_busy for load in loads]) * 100:.0f} %",
            ))  # fmt: skip
    return rows


def disk_row(syncs):
    p50 = spread([sync.p50 for sync in syncs], 2)
    p99 = spread([sync.p99 for sync in syncs], 2)
    empty = [""] * (len(HEADER) - 5)
    return ("fdatasync of 4 KiB", "1", spread([sync.rate for sync in syncs]), p50, p99, *empty)


def verdicts(rounds, million):
    """Every goal that these rounds can speak about."""
    rows = []
    for goal in goals():
        values = [value for runs in rounds if (value := goal.of_round(runs)) is not None]
        if not values:
            continue
        rows.append(verdict(goal, values))
    if million:
        unit = {"at_least": False, "unit": "MiB"}
        for text, value in (("now", million.resident), ("at its highest", million.peak)):
            goal = Goal(f"resident after {million.clients:,} registrations, {text}", None, 64, 64, **unit)
            rows.append(verdict(goal, [value]))
        goal = Goal(f"start on a store of {million.clients:,} clients", None, 50, 50,
                    at_least=False, unit="ms")  # fmt: skip
        rows.append(verdict(goal, [million.restarted_ms]))
    return rows


def verdict(goal, values):
    middle = median(values)
    shown = goal.show(middle)
    if len(values) > 1:
        shown += f" ({goal.show(min(values))}–{goal.show(max(values))})"
    sign = "≥" if goal.at_least else "≤"

    def says(bound):
        if bound is None:
            return ""
        return f"{sign} {goal.show(bound)}: {'met' if goal.is_met(middle, bound) else 'missed'}"

    return (goal.text, shown, says(goal.bound), says(goal.aim))


GOALS_HEADER = ("ratio within a round, median (least–greatest)", "measured", "goal", "next goal")


def as_text(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [row_text(header, widths), "  ".join("-" * width for width in widths)]
    return "\n".join(lines + [row_text(row, widths) for row in rows])


def row_text(row, widths):
    cells = [row[0].ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join(cells).rstrip()


def as_markdown(header, rows):
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows])


def document(machine, servers, tables, remarks):
    """The text of RESULTS.md."""
    origin = "Written by `bench/run`; [README.md](README.md) says what is measured and what is not."
    parts = ["# Results", "", origin, "", *remarks, "", "## The machine", ""]
    parts += [f"- {name}: {value}" for name, value in machine]
    parts += ["", "## The servers", ""]
    parts += [f"- `{server.name}`: {server.what}" for server in servers]
    for title, header, rows in tables:
        parts += ["", f"## {title}", "", as_markdown(header, rows)]
    return "\n".join(parts) + "\n"
