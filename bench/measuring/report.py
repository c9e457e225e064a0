"""What came out, as text for a terminal and as Markdown."""

from statistics import median

LOAD_HEADER = ("what", "a second", "p50 ms", "p99 ms", "CPU µs/request", "server busy", "generator busy")


def spread(values, digits=0):
    """Median, least and greatest."""
    show = (lambda v: f"{v:,.0f}".replace(",", " ")) if digits == 0 else (lambda v: f"{v:.{digits}f}")
    middle, least, most = show(median(values)), show(min(values)), show(max(values))
    return middle if least == most else f"{middle} ({least}–{most})"


def milliseconds(values):
    """As `spread`; nothing when nothing was measured."""
    values = [value for value in values if value is not None]
    return spread(values, 2) if values else ""


def load_row(name, loads):
    """A row under `LOAD_HEADER`: the same load of every round."""
    return (
        name,
        spread([load.rate for load in loads]),
        spread([load.p50 for load in loads], 2),
        spread([load.p99 for load in loads], 2),
        spread([load.server_us for load in loads]),
        spread([load.server_busy * 100 for load in loads]) + " %",
        spread([load.generator_busy * 100 for load in loads]) + " %",
    )


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


def document(machine, sections, remarks, goals):
    """The text of RESULTS.md. `goals` is the header and the rows of one table for all sections."""
    origin = "Written by `bench/run`; [README.md](README.md) says what is measured and what is not."
    parts = ["# Results", "", origin, "", *remarks, "", "## The machine", ""]
    parts += [f"- {name}: {value}" for name, value in machine]
    if goals[1]:
        parts += ["", "## Goals", "", as_markdown(*goals)]
    for section in sections:
        parts += ["", f"## {section.title}"]
        if section.rows:
            parts += ["", as_markdown(section.header, section.rows)]
        for remark in section.remarks:
            parts += ["", remark]
        for reason in section.wrong:
            parts += ["", f"**Wrong:** {reason}"]
    return "\n".join(parts) + "\n"
