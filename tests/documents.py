#!/usr/bin/env python3
"""Every link between the documents leads somewhere: to a file that is there, and to a heading in it. The table of clients
is what the tests make it, and each diagram is drawn from its text."""

import pathlib
import re
import sys

import works_with

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "packaging/site"))
import diagrams  # noqa: E402

# Folders with documents that are not ours.
ELSEWHERE = {".cache", ".git", "node_modules", "target"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def markdown(folder):
    """Our own documents, in and below a folder."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in ELSEWHERE and not path.is_symlink():
            yield from markdown(path)
        elif path.suffix == ".md":
            yield path


def anchors(path):
    """The fragments that lead into a document, made from its headings as forges make them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document):
    for target in LINK.findall(FENCE.sub("", document.read_text())):
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue  # To the outside: nothing to look up here.
        path, _, fragment = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists():
            yield target, "no such file"
        elif fragment and file.suffix == ".md" and fragment not in anchors(file):
            yield target, "no such heading"


def main():
    documents = list(markdown(ROOT))
    dead = [(document, *link) for document in documents for link in dead_links(document)]
    for document, target, reason in dead:
        print(f"{document.relative_to(ROOT)}: {target}: {reason}")
    stale = works_with.faults() + diagrams.faults()
    for fault in stale:
        print(fault)
    print(f"{len(documents)} documents, {len(dead)} dead links")
    return 1 if dead or stale else 0


if __name__ == "__main__":
    sys.exit(main())
