"""Callers who register through both doors, and a look at what is kept of them.

Standard library alone, as all of this folder.
"""

import contextlib
import http.client
import json
import pathlib
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from doorward import Doorward, Fault, run  # noqa: E402

DATADOG, RFC7591 = "/api/v2/oauth2/register", "/oauth2/register"
# What the server adds to the metadata in its answer (RFC 7591 §3.2.1, RFC 7592 §3).
ADDED = {"client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"}

CALLERS_PER_DOOR = 4


def expect(holds, what):
    if not holds:
        raise Fault(what)


@contextlib.contextmanager
def doorward(data, **options):
    """A server that is not started yet, and is not left running whatever happens."""
    server = Doorward(data, **options)
    try:
        yield server
    finally:
        server.kill()


class Caller(threading.Thread):
    """Registers over one connection, again and again, until told to end or until the server is gone."""

    def __init__(self, port, door, ending, pause):
        super().__init__(daemon=True)
        self.pause = pause  # seconds after each registration
        self.port, self.door, self.ending = port, door, ending
        self.registered = {}  # client_id -> the whole answer
        self.refused = {}  # client_name -> status
        self.slowest = 0.0  # seconds to an answer
        self.fault = None

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while not self.ending.is_set():
                self.register(connection)
                self.ending.wait(self.pause)
        except (OSError, http.client.HTTPException):
            pass  # The server was killed: what was in flight is neither answered nor promised.
        except Exception as fault:  # Else the thread would end in silence, and the check would pass.
            self.fault = fault
        finally:
            connection.close()

    def register(self, connection):
        begun = time.monotonic()
        status, body, name = register(connection, self.door)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        if status != 201:
            self.refused[name] = status
            # As a client does that is told to come again later, though it is told so in seconds.
            self.ending.wait(0.05)
            return
        expect(body["client_name"] == name, f"another's name was answered: {body}")
        expect(body["client_id"] not in self.registered, f"an identifier was given twice: {body}")
        self.registered[body["client_id"]] = body


def register(connection, door):
    """Registers once, under a name of its own. Returns the status, the JSON of the answer, and the name."""
    name = f"Caller {uuid.uuid4()}"
    request = {
        "client_name": name,
        "redirect_uris": [f"http://127.0.0.1:8000/{name.split()[1]}", "https://example.com/callback"],
        "client_uri": "https://example.com/",
        "scope": "openid profile",
    }
    connection.request("POST", door, json.dumps(request), {"content-type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    try:
        return response.status, json.loads(body), name
    except ValueError:
        raise Fault(f"{door} answered {response.status} with no JSON: {body!r}") from None


class Load:
    """Callers on both doors of a server, and what became of all that they asked for."""

    def __init__(self, server, pause=0):
        self.ending = threading.Event()
        self.callers = [
            Caller(server.port, door, self.ending, pause)
            for door in (DATADOG, RFC7591)
            for _ in range(CALLERS_PER_DOOR)
        ]
        for caller in self.callers:
            caller.start()

    def count(self):
        return sum(len(caller.registered) for caller in self.callers)

    def wait_for(self, count, seconds):
        """Until `count` registrations are answered: a kill before the first would prove nothing."""
        deadline = time.monotonic() + seconds
        while self.count() < count:
            expect(time.monotonic() < deadline, f"{self.count()} of {count} registrations within {seconds} s")
            time.sleep(0.01)

    def end(self, refusals=()):
        """Ends the callers; returns every answer of 201 by its identifier. Statuses other than `refusals`
        are a fault.
        """
        self.ending.set()
        registered = {}
        for caller in self.callers:
            caller.join(60)
            expect(not caller.is_alive(), "a caller still waits for its answer")
            if caller.fault:
                raise caller.fault
            unasked_for = [refusal for refusal in caller.refused.items() if refusal[1] not in refusals]
            expect(not unasked_for, f"unasked-for refusals: {unasked_for[:3]}")
            expect(not registered.keys() & caller.registered.keys(), "an identifier was given twice")
            registered.update(caller.registered)
        return registered

    def refused(self):
        """The names that were refused."""
        return {name for caller in self.callers for name in caller.refused}

    def slowest(self):
        """How long the slowest answer took, in seconds."""
        return max(caller.slowest for caller in self.callers)


def exported(store):
    """Every row of the store by its identifier; that each is whole is checked on the way."""
    rows = {}
    for line in run("client", "export", "--data", store).splitlines():
        try:
            row = json.loads(line)
            place = row["metadata"]["client_name"].removeprefix("Caller ")
            whole = row["metadata"]["redirect_uris"][0].endswith(place) and row["profile"] and row["client_id_issued_at"]
        except (ValueError, LookupError):
            whole = False
        expect(whole, f"half a row: {line}")
        expect(row["client_id"] not in rows, f"an identifier is kept twice: {line}")
        rows[row["client_id"]] = row
    return rows


def verify(store, answers):
    """Each answered client is kept as it was answered. Returns the rows."""
    rows = exported(store)
    missing = answers.keys() - rows.keys()
    expect(not missing, f"{len(missing)} of {len(answers)} answered clients are gone, such as {sorted(missing)[:3]}")
    for client_id, answer in answers.items():
        kept = rows[client_id]["metadata"]
        told = {name: value for name, value in answer.items() if name not in ADDED}
        if rows[client_id]["profile"] == "datadog":  # Its answer is six members whatever is kept.
            kept = {name: kept.get(name) for name in told}
        expect(kept == told, f"answered {told}, but kept {kept}")
    if isinstance(store, pathlib.Path):
        run("store", "check", "--data", store)
    return rows
