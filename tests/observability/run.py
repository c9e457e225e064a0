#!/usr/bin/env python3
"""Checks `packaging/observability/` with a real Prometheus that scrapes a running server.

The rules are valid and do what their tests say, each alert has a test and a runbook that exists, each query of a rule or
dashboard is valid and has an answer, and each metric in one is in docs/run/metrics.md. Python's standard library alone;
Prometheus and promtool are Debian's package `prometheus`.
"""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = ROOT / "packaging/observability"
sys.path[:0] = [str(HERE.parent), str(FOLDER)]
import generate  # noqa: E402
from doorward import Doorward, Fault, free_port  # noqa: E402

SCRAPES = 12
SETTINGS = {
    "DOORWARD_RATE_LIMIT__PER_SOURCE": "3",
    "DOORWARD_REGISTRATION__RULES":
        '[{ id = "games", name_contains = ["game"], effect = "reject", reason = "no games" }]',
    "DOORWARD_SIGN_IN__PROVIDERS":
        '[{ id = "acme", name = "Acme", issuer = "http://127.0.0.1:1", client_id = "doorward" }]',
}  # fmt: skip
# Without PostgreSQL and webhooks there are none: a query has to be valid, and its answer may be empty.
EMPTY = re.compile(r"doorward_(postgres|webhook)_")


class Checks:
    """Counts what passes, and prints what does not."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, holds, what):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}")


def promtool(checks, *arguments, **options):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, cwd=FOLDER, **options)
    checks.check(done.returncode == 0, f"promtool {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


def anchors(page):
    """The anchors of a Markdown page, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_files(checks):
    """What can be said without a server."""
    promtool(checks, "check", "rules", "alerts.yaml")
    promtool(checks, "test", "rules", "alerts_test.yaml")
    rules, tests = (FOLDER / name for name in ("alerts.yaml", "alerts_test.yaml"))
    alerts = re.findall(r"^ +- alert: (\w+)$", rules.read_text(), re.MULTILINE)
    tested = re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts", tests.read_text())
    checks.check(set(alerts) == set(tested), f"alerts without a test in which they fire: {set(alerts) - set(tested)}")
    runbooks = re.findall(r"^ +runbook: (\S+)#(\S+)$", rules.read_text(), re.MULTILINE)
    checks.check(len(runbooks) == len(alerts), "an alert has no runbook")
    for page, anchor in runbooks:
        checks.check(anchor in anchors(ROOT / page), f"{page} has no section #{anchor}")
    for path, text in generate.files().items():
        checks.check(path.exists() and path.read_text() == text, f"{path} is out of date: run {FOLDER}/generate.py")


def queries():
    """Each query with where it stands: of rules, and of panels, whose variables get values."""
    rules = (FOLDER / "alerts.yaml").read_text()
    for alert, block, line in re.findall(r"- alert: (\w+)\n +expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)", rules):
        yield f"alert {alert}", block or line
    for path in sorted((FOLDER / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$__rate_interval", "8s")
                query = query.replace("$job", "doorward").replace("$instance", ".*")
                yield f"{path.name}: {panel['title']}", query


def generate_traffic(server):
    """A bit of everything that the metrics count."""
    def post(path, body, kind="application/json"):
        request = urllib.request.Request(server.url + path, body.encode(), {"content-type": kind})
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10).close()

    client = {"client_name": "An app", "redirect_uris": ["https://app.example/cb"]}
    post("/oauth2/register", json.dumps(client))
    post("/oauth2/register", "{}")
    for _ in range(3):
        post("/api/v2/oauth2/register", json.dumps({**client, "client_name": "A game"}))
    form = "application/x-www-form-urlencoded"
    post("/oauth2/token", "grant_type=refresh_token&refresh_token=none&client_id=none", form)
    post("/oauth2/introspect", "token=none", form)
    post("/oauth2/sign-in", "request=&provider=acme", form)


class Prometheus:
    """A Prometheus that scrapes one server every second."""

    def __init__(self, folder, server):
        self.url = f"http://127.0.0.1:{free_port()}"
        settings = folder / "prometheus.yaml"
        settings.write_text(
            "global: { scrape_interval: 1s, evaluation_interval: 1s }\n"
            f"rule_files: [{json.dumps(str(FOLDER / 'alerts.yaml'))}]\n"
            "scrape_configs: [{ job_name: doorward, static_configs: "
            f"[{{ targets: ['127.0.0.1:{server.management_port}'] }}] }}]\n"
        )
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={settings}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={self.url.removeprefix('http://')}"],
            stdout=subprocess.DEVNULL, stderr=open(folder / "prometheus.log", "wb"),
        )  # fmt: skip

    def ask(self, query):
        """The result of a query, or the reason why there is none."""
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"], None
        except urllib.error.HTTPError as error:
            return [], json.load(error)["error"]

    def wait(self, query, seconds_max=90):
        """Waits until a query has an answer."""
        until = time.monotonic() + seconds_max
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if self.ask(query)[0]:
                    return
            time.sleep(0.5)
        raise Fault(f"Prometheus has no answer to {query} after {seconds_max} s")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def check_queries(checks, prometheus):
    known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/run/metrics.md").read_text(), re.MULTILINE))
    for where, query in queries():
        result, fault = prometheus.ask(query)
        checks.check(not fault, f"{where}: {fault}\n  {query}")
        names = set(re.findall(r"\b(?:doorward|process)_\w+", query))
        names = {re.sub(r"_(bucket|count|sum)$", "", name) if name not in known else name for name in names}
        checks.check(names <= known, f"{where}: {names - known} are not in docs/run/metrics.md")
        # An alert has no answer while nothing is wrong.
        if not where.startswith("alert ") and not EMPTY.search(query):
            checks.check(result, f"{where}: no answer to\n  {query}")


def check_served(checks, page):
    """What is served has no lint, and what is documented is served."""
    promtool(checks, "check", "metrics", input=page)
    served = set(re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE))
    documented = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/run/metrics.md").read_text(), re.MULTILINE))
    missing = {name for name in documented - served if not EMPTY.match(name)}
    checks.check(not missing and served <= documented, f"documented or served alone: {missing | served - documented}")


def main():
    checks = Checks()
    if not (shutil.which("promtool") and shutil.which("prometheus")):
        print("LEFT OUT: alert rules and dashboards (there is no Prometheus here: install `prometheus`)")
        return 0
    check_files(checks)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with Doorward(folder / "data", SETTINGS) as server:
            prometheus = Prometheus(folder, server)
            try:
                prometheus.wait("doorward_build_info")
                begun = time.monotonic()
                while time.monotonic() - begun < SCRAPES:
                    generate_traffic(server)
                    time.sleep(1)
                check_queries(checks, prometheus)
            finally:
                prometheus.stop()
            with urllib.request.urlopen(f"http://127.0.0.1:{server.management_port}/metrics") as page:
                check_served(checks, page.read().decode())
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
