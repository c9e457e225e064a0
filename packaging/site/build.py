#!/usr/bin/env python3
"""Builds the documentation site: the pages of `docs/` and of the root, and the HTTP API from `docs/openapi.json`.

Each page is there as Markdown too, and `llms.txt` lists them. The site is `.cache/site`; no page loads anything from another
host. A page that is missing in the navigation, and a link that leads nowhere, end the build.
"""

import json
import logging
import pathlib
import re
import shutil
import sys

from mkdocs import config, utils
from mkdocs.commands.build import build

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
PAGES, SITE = FOLDER / ".cache/pages", FOLDER / ".cache/site"

# Pages that do not stand in docs/, or have another name on the site.
ELSEWHERE = {
    "docs/README.md": "index.md",
    "ARCHITECTURE.md": "change/architecture.md",
    "CONTRIBUTING.md": "change/contributing.md",
    "CHANGELOG.md": "change/changelog.md",
    "SECURITY.md": "change/security.md",
    "packaging/observability/README.md": "run/observability.md",
}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")


def sources():
    """The file of each page, by the path of the page."""
    pages = {page: ROOT / file for file, page in ELSEWHERE.items()}
    for file in sorted((ROOT / "docs").rglob("*.md")):
        if str(file.relative_to(ROOT)) not in ELSEWHERE:
            pages[str(file.relative_to(ROOT / "docs"))] = file
    return pages


def moved(text, file, page, pages):
    """The text of a page with its links as the site has them. A link to a file that is no page becomes its path."""
    of_file = {source: path for path, source in pages.items()}

    def link(found):
        words, target = found.groups()
        path, mark, fragment = target.partition("#")
        if not path or re.match(r"[a-z][a-z+.-]*:", target):
            return found[0]
        file_there = (file.parent / path).resolve()
        if file_there in of_file or file_there.name == "openapi.json":
            there = of_file.get(file_there, "openapi.json")
            up = "../" * page.count("/")
            return f"[{words}]({up}{there}{mark}{fragment})"
        relative = file_there.relative_to(ROOT)
        return words if str(relative) in words else f"{words} (`{relative}`)"

    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if index % 2 else LINK.sub(link, part) for index, part in enumerate(parts))


def api(description):
    """The HTTP API as a page: each endpoint with its parameters and responses."""
    lines = ["# HTTP API", "", "Each endpoint with its parameters and responses, generated from "
             "[openapi.json](../openapi.json), which a server with the same settings serves at `/openapi.json`.", ""]  # fmt: skip
    for path, item in description["paths"].items():
        for method, operation in item.items():
            if "responses" not in operation:
                continue
            lines += [f"## {method.upper()} {path}", "", operation.get("summary", ""), ""]
            lines += [operation["description"], ""] if operation.get("description") else []
            parameters = [resolved(description, it) for it in operation.get("parameters", item.get("parameters", []))]
            if parameters:
                lines += ["| Parameter | In | Meaning |", "|---|---|---|"]
                for it in parameters:
                    needed = " (required)" if it.get("required") else ""
                    lines.append(f"| `{it['name']}`{needed} | {it['in']} | {cell(it.get('description', ''))} |")
                lines.append("")
            for kind, media in resolved(description, operation.get("requestBody", {})).get("content", {}).items():
                lines += body(description, kind, media)
            lines += ["| Response | Meaning |", "|---|---|"]
            for status, response in operation["responses"].items():
                meaning = resolved(description, response).get("description", "")
                lines.append(f"| {status} | {cell(meaning)} |")
            lines.append("")
    return "\n".join(lines)


def body(description, kind, media):
    """The members of a request body."""
    schema = resolved(description, media.get("schema", {}))
    properties = schema.get("properties", {})
    if not properties:
        return []
    lines = [f"Body, `{kind}`:", "", "| Member | Meaning |", "|---|---|"]
    for name, member in properties.items():
        needed = " (required)" if name in schema.get("required", []) else ""
        lines.append(f"| `{name}`{needed} | {cell(resolved(description, member).get('description', ''))} |")
    return [*lines, ""]


def resolved(description, item):
    """What a reference leads to."""
    while "$ref" in item:
        found = description
        for step in item["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        item = found
    return item


def cell(text):
    return " ".join(text.replace("|", "\\|").split())


def navigation(settings):
    """The title and pages of each part."""
    for entry in settings["nav"]:
        ((title, pages),) = entry.items()
        yield title, [pages] if isinstance(pages, str) else pages


def listed(settings, texts):
    """`llms.txt`: every page with its first sentence, for programs that read."""
    lines = [f"# {settings['site_name']}", "", f"> {settings['site_description']}", ""]
    for part, pages in navigation(settings):
        lines += [f"## {part}", ""]
        for page in pages:
            title, sentence = opening(texts[page])
            lines.append(f"- [{title}]({page}): {sentence}")
        lines.append("")
    return "\n".join(lines)


def opening(text):
    """The title of a page, and the first sentence below it."""
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    rest = re.sub(r"<!--.*?-->", "", text[title.end() :], flags=re.DOTALL)
    first = next(part for part in rest.strip().split("\n\n") if not part.startswith("#"))
    sentence = re.split(r"(?<=\.)\s", " ".join(LINK.sub(r"\1", first).split()))[0]
    return title[1], sentence.removesuffix(":")


def main():
    settings = utils.yaml_load((FOLDER / "mkdocs.yaml").open())
    pages = sources()
    texts = {page: moved(file.read_text(), file, page, pages) for page, file in pages.items()}
    texts["connect/http-api.md"] = api(json.loads((ROOT / "docs/openapi.json").read_text()))
    shutil.rmtree(FOLDER / ".cache/pages", ignore_errors=True)
    for page, text in texts.items():
        (PAGES / page).parent.mkdir(parents=True, exist_ok=True)
        (PAGES / page).write_text(text)
    shutil.copy(ROOT / "docs/openapi.json", PAGES)
    shutil.copytree(ROOT / "docs/diagrams", PAGES / "diagrams", ignore=shutil.ignore_patterns("*.dot"), dirs_exist_ok=True)

    shown = {page for _, pages in navigation(settings) for page in pages}
    forgotten = {page for page in texts if page not in shown and not page.startswith("change/decisions/")}
    if forgotten:
        print(f"not in the navigation of mkdocs.yaml: {', '.join(sorted(forgotten))}")
        return 1

    logging.getLogger("mkdocs").setLevel(logging.WARNING)
    counter = utils.CountHandler()
    counter.setLevel(logging.WARNING)
    logging.getLogger("mkdocs").addHandler(counter)
    logging.getLogger("mkdocs").addHandler(logging.StreamHandler())
    build(config.load_config(str(FOLDER / "mkdocs.yaml")))
    for page, text in texts.items():
        (SITE / page).write_text(text)
    (SITE / "llms.txt").write_text(listed(settings, texts))
    return check(texts, counter.get_counts())


def check(texts, warnings):
    """Whether the site is whole, and every page keeps to itself."""
    faults = [f"{count} warnings of the build" for _, count in warnings if count]
    for page in texts:
        html = (SITE / page).with_suffix(".html").read_text()
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?://[^\s\">]+)", html)
        faults += [f"{page} loads {url}" for url in loaded]
        if "data-md-color-scheme=slate" not in html.replace('"', ""):
            faults.append(f"{page} has no dark mode")
    index = json.loads((SITE / "search/search_index.json").read_text())
    found = {entry["location"].partition("#")[0].removesuffix(".html") for entry in index["docs"]}
    faults += [f"the search does not know {page}" for page in texts if page.removesuffix(".md") not in found]
    for fault in faults:
        print(f"FAILED: {fault}")
    print(f"{len(texts)} pages in {SITE.relative_to(ROOT)}, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
