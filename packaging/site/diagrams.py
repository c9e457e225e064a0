#!/usr/bin/env python3
"""Draws docs/diagrams/*.svg from the text beside them, by Graphviz. A diagram follows the reader's light or dark mode.

    packaging/site/diagrams.py --write

Each drawing has the hash of its text in it, which `tests/documents.py` compares: nothing has to be installed for that.
"""

import hashlib
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/diagrams"
SETTINGS = ["-Gbgcolor=transparent", "-Gfontname=sans-serif", "-Nfontname=sans-serif", "-Efontname=sans-serif",
            "-Gfontsize=12", "-Nfontsize=13", "-Efontsize=11", "-Nshape=box", "-Nstyle=rounded,filled",
            "-Nmargin=0.2,0.12", "-Gpad=0.3"]  # fmt: skip
STYLE = """<style>
.paper { fill: #ffffff; } text { fill: #1c2430; } .node path, .node polygon { fill: #f1f4f9; stroke: #5b6b82; }
.node ellipse { fill: #5b6b82; stroke: #5b6b82; } .own path { fill: #dfe6ff; stroke: #3f51b5; stroke-width: 2; }
.edge text { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; } .edge path { stroke: #5b6b82; } .edge polygon { fill: #5b6b82; stroke: #5b6b82; } .cluster polygon { fill: none; stroke: #9aa7ba; }
@media (prefers-color-scheme: dark) {
.paper { fill: #1e2129; } text { fill: #e3e8f0; } .node path, .node polygon { fill: #2c313d; stroke: #93a1b8; }
.node ellipse { fill: #93a1b8; stroke: #93a1b8; } .own path { fill: #2f3a6b; stroke: #8c9eff; }
.edge text { stroke: #1e2129; } .edge path { stroke: #93a1b8; } .edge polygon { fill: #93a1b8; stroke: #93a1b8; } .cluster polygon { stroke: #5b6b82; }
}</style><rect class="paper" width="100%" height="100%" rx="8"/>"""


def mark(source):
    return f"<!-- {source.name}: {hashlib.sha256(source.read_bytes()).hexdigest()} -->"


def sources():
    return sorted(FOLDER.glob("*.dot"))


def drawn(source):
    svg = subprocess.run(["dot", "-Tsvg", *SETTINGS, source], check=True, text=True, stdout=subprocess.PIPE).stdout
    svg = re.sub(r"<!--.*?-->\s*", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r' (?:fill|stroke)="(?!none)[^"]*"', "", svg)
    svg = re.sub(r"(<svg[^>]*>)", lambda found: f"{found[1]}\n{mark(source)}\n{STYLE}", svg, count=1)
    return re.sub(r"<title>.*?</title>\n?", "", svg)


def faults():
    """Drawings that are not those of their text."""
    stale = [it.name for it in sources() if mark(it) not in (text(it.with_suffix(".svg")))]
    return [f"docs/diagrams/{name} has changed: run packaging/site/diagrams.py --write" for name in stale]


def text(path):
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        for source in sources():
            source.with_suffix(".svg").write_text(drawn(source))
    else:
        sys.exit("\n".join(faults()) or 0)
