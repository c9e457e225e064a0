"""A decision of an operator and its event are both there or neither, across `kill -9`.

Operators suspend, resume, and remove clients, and create and remove rules, over the operator API and under load; then
the server is killed, again and again on one store. After each restart, the state of every client and rule is the one
that its events lead to, every answered decision is there, and of what was cut off at most one more of each operator.
"""

import http.client
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from doorward import run  # noqa: E402
from load import RFC7591, doorward, expect, register  # noqa: E402
from services import Postgres  # noqa: E402

OPERATORS = 4
# As many kills as there is time for, within these bounds.
ROUNDS_MIN, ROUNDS_MAX, SECONDS = 5, 15, 25
# Answers before a kill: one before the first would prove nothing.
ANSWERS_MIN = 20
CLIENTS, RULES = "/api/v2/oauth2/clients", "/api/v2/oauth2/admission_rules"
EVENT = {
    "suspend": "client.suspended",
    "resume": "client.resumed",
    "remove": "client.removed",
    "create rule": "rule.created",
    "delete rule": "rule.deleted",
}


class Operator(threading.Thread):
    """Decides about one client and one rule after the other, until the server is gone."""

    def __init__(self, server, token, number, chance):
        super().__init__(daemon=True)
        self.server, self.token, self.chance = server, token, chance
        self.rule = f"crash-{number}-{chance.randrange(1 << 32)}"
        self.answered = []  # (what, client or rule)
        self.asked = None  # what is not answered yet
        self.fault = None

    def run(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            while True:
                self.decide()
        except (OSError, http.client.HTTPException):
            pass  # The server was killed: what was in flight is noted.
        except Exception as fault:  # Else the thread would end in silence, and the check would pass.
            self.fault = fault
        finally:
            self.connection.close()

    def decide(self):
        status, body, _ = register(self.connection, RFC7591)
        expect(status == 201, f"a registration was answered {status}")
        client = body["client_id"]
        for _ in range(self.chance.randrange(1, 4)):
            self.ask("suspend", client, "PATCH", f"{CLIENTS}/{client}", standing(client, "suspended"))
            self.ask("resume", client, "PATCH", f"{CLIENTS}/{client}", standing(client, "active"))
        if self.chance.random() < 0.5:
            self.ask("remove", client, "DELETE", f"{CLIENTS}/{client}")
        attributes = {"name": self.rule, "effect": "allow"}
        rule = {"data": {"id": self.rule, "type": "oauth2_admission_rules", "attributes": attributes}}
        self.ask("create rule", self.rule, "POST", RULES, rule)
        self.ask("delete rule", self.rule, "DELETE", f"{RULES}/{self.rule}")

    def ask(self, what, target, method, path, document=None):
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        self.asked = (what, target)
        self.connection.request(method, path, json.dumps(document) if document else None, headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status == 503:  # Another operator changed the rules at the same moment.
            self.asked = None
            return
        expect(response.status in (200, 201, 204), f"{method} {path} was answered {response.status}: {body!r}")
        self.answered.append((what, target))
        self.asked = None


def standing(client, wanted):
    return {"data": {"id": client, "type": "oauth2_clients", "attributes": {"standing": wanted}}}


class Store:
    """What is in a store, read by commands."""

    def __init__(self, place):
        def lines(*command):
            return [json.loads(line) for line in run(*command, "--data", place).splitlines()]

        self.clients = {line["client_id"]: line.get("standing", "active") for line in lines("client", "export")}
        rules = lines("rule", "list", "--output", "jsonl")
        self.rules = {line["id"] for line in rules if line["origin"] == "store"}
        self.events = {}  # (what, target) -> how often
        for line in lines("audit", "export"):
            for what, action in EVENT.items():
                if line["action"] == action:
                    target = line.get("client_id") or line["detail"]["rule_id"]
                    self.events[what, target] = self.events.get((what, target), 0) + 1

    def count(self, what, target):
        return self.events.get((what, target), 0)


def settle(store, operators):
    """Compares what is there with its events and with the answers. Returns how many decisions were cut off and kept."""
    kept = 0
    for operator in operators:
        operator.join(60)
        expect(not operator.is_alive(), "an operator still waits for an answer")
        if operator.fault:
            raise operator.fault
        answered = list(operator.answered)
        for what, target in set(answered) | ({operator.asked} - {None}):
            more = store.count(what, target) - answered.count((what, target))
            is_cut_off = (what, target) == operator.asked
            expect(more in ((0, 1) if is_cut_off else (0,)), f"{what} {target}: {more} more events than answers")
            kept += more
    for target in {target for _, target in store.events}:
        if target.startswith("crash-"):
            open_ = store.count("create rule", target) - store.count("delete rule", target)
            expect(open_ == (target in store.rules), f"rule {target} is not what its events say")
            continue
        is_removed = store.count("remove", target) == 1
        expect(is_removed == (target not in store.clients), f"client {target} is there or not, against its events")
        if not is_removed:
            open_ = store.count("suspend", target) - store.count("resume", target)
            is_suspended = store.clients[target] == "suspended"
            expect(open_ == is_suspended, f"client {target} is {store.clients[target]}, against its events")
    return kept


def node_kills(folder, chance, store=None):
    """`kill -9` of the server, again and again on one store."""
    begun, rounds, answered, kept, everyone = time.monotonic(), 0, 0, 0, []
    with doorward(folder / "decisions", store=store) as server:
        server.start()
        create = ["operator", "token", "create", "--name", "crash", "--role", "admin", "--data", server.store]
        token = run("--quiet", *create).strip()
        while rounds < ROUNDS_MIN or rounds < ROUNDS_MAX and time.monotonic() - begun < SECONDS:
            rounds += 1
            operators = [Operator(server, token, number, chance) for number in range(OPERATORS)]
            for operator in operators:
                operator.start()
            deadline = time.monotonic() + 30
            while sum(len(operator.answered) for operator in operators) < ANSWERS_MIN:
                expect(time.monotonic() < deadline, "too few decisions were answered within 30 s")
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.3))
            server.kill()
            server.start()
            everyone += operators
            kept += settle(Store(server.store), operators)
            answered += sum(len(operator.answered) for operator in operators)
        # What one kill left is there after all later ones.
        settle(Store(server.store), everyone)
        server.stop()
    told = f"{rounds} kills, {answered} decisions answered and all there with their events"
    return f"{told}; of those cut off, {kept} kept whole"


def node_kills_on_postgres(folder, chance):
    with Postgres() as database:
        return node_kills(folder, chance, store=database.url())


CHECKS = {
    "decisions: kills": node_kills,
    "decisions: postgres: kills of a node": node_kills_on_postgres,
}
