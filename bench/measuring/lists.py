"""The first page of every list of the operator API, by every filter: how long it takes."""

import http.client
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from .process import WrongAnswer

REQUESTS = 40
REQUESTS_QUICK = 3
# A page that takes this long is as good as none: the next filter is next.
SECONDS_MAX = 20
# No question is asked for longer than this and one answer.
SECONDS_IN_ALL = 4


@dataclass
class Page:
    """The first page of one list with one filter. Times in milliseconds."""

    what: str
    took: list
    rows: int

    def at(self, share):
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def moment(days):
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def filters(examples):
    """The values that each filter is asked with, frequent ones and rare ones, ones that nothing has among them."""
    address = examples["source"] + "/32"
    network = examples["source"].rsplit(".", 1)[0] + ".0/24"
    times = [moment(1), moment(290)]
    names = [examples["name"], "o", "no such name"]
    return {
        "filter[name]": names,
        "filter": names,
        "filter[oauth2_client][name]": names,
        "filter[standing]": ["active", "pending", "suspended", "dormant"],
        "filter[profile]": ["rfc7591", "datadog", "document"],
        "filter[flag]": ["look_alike"],
        "filter[registered][from]": [*times, moment(-1)],
        "filter[registered][until]": times,
        "filter[used][from]": [*times, moment(-1)],
        "filter[used][until]": times,
        "filter[unused]": ["true", "false"],
        "filter[destination]": ["harbor.example", "*.example", "loopback", "scheme:cursor", "nowhere.example"],
        "filter[family]": [examples["family"], examples["large_family"], "00000000-0000-8000-8000-000000000000"],
        "filter[source]": [address, network, "203.0.113.0/24"],
        "filter[client_id]": [examples["client_id"]],
        "filter[sub]": [examples["person"], "acme:nobody"],
        "filter[from]": times,
        "filter[to]": times,
        "filter[query]": [
            f"@client_id:{examples['client_id']}", f"@grant_id:{examples['grant_id']}",
            f"@sub:{examples['person']}", f"@sub:{examples['person']} @action:rule.created",
            f"@actor.id:{examples['person']}", "@actor.id:acme:nobody", "@action:rule.created",
            "@action:client.registered", "@action:consent.denied",
        ],
        "filter[disabled]": ["true", "false"],
        "sort": ["timestamp", "-timestamp"],
    }  # fmt: skip


# Parameters whose values are those of another list.
OTHERS = {("/api/v2/org_authorized_clients", "sort")}

# Filters that people combine, each selective only together with the other.
TOGETHER = {
    "/api/v2/oauth2/clients": [
        {"filter[profile]": "datadog", "filter[flag]": "look_alike"},
        {"filter[standing]": "pending", "filter[unused]": "true"},
        {"filter[unused]": "false", "filter[flag]": "look_alike"},
    ],
}


class NotForOperators(Exception):
    """A list that only people see."""


class Api:
    """The operator API of a running server."""

    def __init__(self, port, token):
        self._port, self._token = port, token
        self._connection = None

    def get(self, path):
        """The document at a path, and how long it took in milliseconds."""
        headers = {"Authorization": f"Bearer {self._token}"}
        began = time.perf_counter()
        try:
            self._connection = self._connection or http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=SECONDS_MAX)  # fmt: skip
            self._connection.request("GET", path, headers=headers)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            return None, (time.perf_counter() - began) * 1000
        took = (time.perf_counter() - began) * 1000
        if answer.status in (401, 403):
            raise NotForOperators(path)
        if answer.status != 200:
            raise WrongAnswer(f"GET {path} answered {answer.status}: {body[:300]!r}")
        return json.loads(body), took


def every_list(api):
    """The lists that the server describes, each with its filters."""
    document, _ = api.get("/openapi.json")
    for path, operations in sorted(document["paths"].items()):
        names = [parameter.get("name", "") for parameter in operations.get("get", {}).get("parameters", ())]
        if path.startswith("/api/v2") and "{" not in path and any(name.startswith("page[") for name in names):
            yield path, [name for name in names if name.startswith(("filter", "sort"))]
    yield "/api/v2/oauth2/overview", []


def questions(api, examples):
    """Each list alone, with each value of each filter, and with those that belong together. Also the filters that there
    is no value for."""
    values, asked, unknown = filters(examples), [], []
    for path, names in every_list(api):
        asked.append((path, {}))
        for name in names:
            if name not in values:
                unknown.append(f"{path}?{name}")
            asked += [(path, {name: value}) for value in values.get(name, ()) if (path, name) not in OTHERS]
        asked += [(path, query) for query in TOGETHER.get(path, ())]
    return asked, unknown


def for_operators(api, asked):
    """Those that an operator token opens, and the paths of the others."""
    closed = set()
    for path in {path for path, _ in asked}:
        try:
            api.get(path)
        except NotForOperators:
            closed.add(path)
    return [(path, query) for path, query in asked if path not in closed], sorted(closed)


def measure(api, examples, is_quick):
    """Every first page, over and over, one question after another."""
    asked, unknown = questions(api, examples)
    asked, closed = for_operators(api, asked)
    return [page(api, path, query, REQUESTS_QUICK if is_quick else REQUESTS) for path, query in asked], [*unknown, *closed]


def page(api, path, query, requests):
    address = f"{path}?{urlencode(query)}" if query else path
    took, rows, began = [], 0, time.perf_counter()
    while len(took) < requests and (not took or time.perf_counter() - began < SECONDS_IN_ALL):
        document, milliseconds = api.get(address)
        took.append(milliseconds)
        if document is None:
            break
        rows = len(document["data"]) if isinstance(document["data"], list) else 1
    said = "&".join(f"{name}={value}" for name, value in query.items())
    return Page(f"{path.removeprefix('/api/v2')}{'?' if said else ''}{said}", took, rows)
