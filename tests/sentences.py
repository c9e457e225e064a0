#!/usr/bin/env python3
"""Draws 100 sentences for fresh readers: 50 from documents and messages, 50 from comments. One seed, one draw."""

import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMENT = re.compile(r"^\s*(?:///?|//!)\s?(.*)$")
MESSAGE = re.compile(r'"([A-Z][^"\\{}]{24,}[^"\\{}])"')
SENTENCE = re.compile(r"(?<=[.?!:])\s+(?=[A-Z`])")


def sentences(text):
    """The sentences of a paragraph that are long enough to judge."""
    return [part for part in SENTENCE.split(" ".join(text.split())) if len(part.split()) >= 5]


def from_document(text):
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for paragraph in re.split(r"\n\s*\n|\n(?=[-|#])", prose):
        if not paragraph.startswith("|"):  # Rows of tables are no sentences.
            yield from sentences(paragraph.lstrip("-# "))


def from_comments(text):
    block = []
    for line in [*text.splitlines(), ""]:
        comment = COMMENT.match(line)
        if comment:
            block.append(comment[1])
        elif block:
            yield from sentences(" ".join(block))
            block = []


def main():
    seed = sys.argv[1] if len(sys.argv) > 1 else "1"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    people, comments = [], []
    for name in sorted(listed.stdout.splitlines()):
        if name.endswith(".md"):
            people += [(name, it) for it in from_document((ROOT / name).read_text())]
        elif name.endswith(".rs"):
            text = (ROOT / name).read_text()
            comments += [(name, it) for it in from_comments(text)]
            if name.startswith("src/"):
                code = "\n".join(line for line in text.splitlines() if not COMMENT.match(line))
                people += [(name, it) for it in MESSAGE.findall(code)]
    drawing = random.Random(seed)
    for title, pool in (("Documents and messages", people), ("Comments", comments)):
        print(f"# {title}\n")
        for number, (name, sentence) in enumerate(drawing.sample(pool, 50), 1):
            print(f"{number:2}. {sentence}  [{name}]")
        print()


if __name__ == "__main__":
    main()
