"""No code and no refresh token is honoured twice, and what was answered is there, across `kill -9`.

Clients get codes through the pages, redeem them, rotate the refresh tokens that they buy, and revoke some, over
HTTP and under load; then the server or the database is killed. Afterwards, on the same store:

- the last refresh token of each grant buys the next one: nothing that was answered is lost;
- a rotation that was cut off is asked for again, and has one successor however often it is asked for;
- a code that was cut off buys tokens once at most;
- a code that was answered 200 never is again, and takes back what it bought;
- what was revoked, or ended so, stays ended across all later kills;
- once the grace is over, an old refresh token buys nothing, and ends its family.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import pathlib
import re
import secrets
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from load import RFC7591, doorward, expect, register  # noqa: E402
from postgres import SETTLING, until_not_ready, until_well  # noqa: E402
from services import Postgres  # noqa: E402

CALLERS = 4
# As many kills as there is time for, within these bounds.
ROUNDS_MIN, ROUNDS_MAX, SECONDS = 5, 15, 25
# Answers of a token endpoint before a kill: one before the first would prove nothing.
ANSWERS_MIN = 20
RESOURCE, RESOURCE_ID, RESOURCE_SECRET = "https://tools.example/mcp", "tools", "what the resource proves itself with"
SETTINGS = {
    # The port is another at each start, and the issuer stands in every access token.
    "DOORWARD_SERVER__ISSUER": "http://localhost",
    "DOORWARD_TOKEN__KEYS_SECRET": "a secret that is the same for every server of this run",
    "DOORWARD_TOKEN__PER_CLIENT": "0",
    "DOORWARD_AUTHORIZATION__RESOURCES": f'[{{ uri = "{RESOURCE}", id = "{RESOURCE_ID}", '
    f'secret_sha256 = "{hashlib.sha256(RESOURCE_SECRET.encode()).hexdigest()}" }}]',
    # Far longer than a check takes: nothing is refused here because it is too old.
    "DOORWARD_AUTHORIZATION__CODE_LIFETIME_SECONDS": "600",
    "DOORWARD_TOKEN__REFRESH_GRACE_SECONDS": "300",
}  # fmt: skip
# The last start is with this; until then, every rotation may be repeated.
GRACE_OVER = {"DOORWARD_TOKEN__REFRESH_GRACE_SECONDS": "0"}


def connect(server):
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)


def post(connection, path, fields, headers=None):
    """Posts a form. Returns the status, the headers and the body of the answer."""
    form = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
    connection.request("POST", path, urllib.parse.urlencode(fields), form)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


class Person:
    """Somebody who has signed in, and allows what is asked."""

    cookie = ""  # until then

    def __init__(self, server):
        # The log goes on across starts, and each has another password.
        password = re.findall(r"with the password (\S+)", server.log.read_text())[-1]
        with contextlib.closing(connect(server)) as connection:
            status, headers, body = self.post(
                connection, "/oauth2/sign-in", {"request": "client_id=x", "password": password}
            )
        expect(status == 303, f"nobody could sign in: {status} {body!r}")
        self.cookie = headers["set-cookie"].split(";")[0]

    def post(self, connection, path, fields):
        return post(connection, path, fields, {"sec-fetch-site": "same-origin", "cookie": self.cookie})

    def code(self, connection, client_id, verifier):
        """A code for a client; `None` while the store is away."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        request = urllib.parse.urlencode({
            "response_type": "code", "client_id": client_id, "redirect_uri": "https://example.com/callback",
            "code_challenge": challenge, "code_challenge_method": "S256",
        })  # fmt: skip
        connection.request("GET", f"/oauth2/authorize?{request}", headers={"cookie": self.cookie})
        response = connection.getresponse()
        page = response.read().decode()
        if response.status == 503:
            return None
        form_token = re.search(r'name="form_token" value="([^"]+)"', page)
        expect(form_token, f"nobody was asked, but answered {response.status}: {page}")
        decision = {"request": request, "form_token": form_token[1], "decision": "allow"}
        status, headers, body = self.post(connection, "/oauth2/consent", decision)
        if status == 503:
            return None
        expect(status == 303, f"a decision was answered {status}: {body!r}")
        answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["location"]).query))
        expect(answer.keys() & {"code", "error"}, f"neither allowed nor refused: {answer}")
        expect(answer.get("error", "temporarily_unavailable") == "temporarily_unavailable", f"refused: {answer}")
        return answer.get("code")


class Grant:
    """What a client was answered about one grant, and what it may still be waiting for."""

    def __init__(self, client_id, code, verifier):
        self.client_id, self.code, self.verifier = client_id, code, verifier
        self.tokens = []  # every refresh token that was answered, the oldest first
        self.access_token = None  # the last one
        self.bought = 0  # how often the code was answered 200
        self.waits_for = None  # what was asked and not answered: "code", "rotation", "revocation"
        self.has_ended = False

    def redeem(self, connection):
        """Shows the code. Returns whether it bought anything; `None` while the store is away."""
        fields = {"grant_type": "authorization_code", "code": self.code, "code_verifier": self.verifier}
        answer = self.ask(connection, "code", fields)
        if answer:
            self.bought += 1
            expect(self.bought == 1, "a code was answered 200 twice")
            self.tokens.append(answer["refresh_token"])
        return None if answer is None else bool(answer)

    def rotate(self, connection, nth=-1):
        """Shows one of the refresh tokens. Returns as `redeem` does."""
        nth %= len(self.tokens)
        fields = {"grant_type": "refresh_token", "refresh_token": self.tokens[nth]}
        answer = self.ask(connection, "rotation", fields)
        if answer and nth == len(self.tokens) - 1:
            self.tokens.append(answer["refresh_token"])
        elif answer:
            known = answer["refresh_token"] == self.tokens[nth + 1]
            expect(known and nth == len(self.tokens) - 2, "a family has forked")
        return None if answer is None else bool(answer)

    def revoke(self, connection):
        answer = self.ask(connection, "revocation", {"token": self.tokens[-1]}, "/oauth2/revoke")
        if answer is not None:
            self.has_ended = True

    def ask(self, connection, what, fields, path="/oauth2/token"):
        """The answer of 200; `False` for a grant that is good no longer; `None` while the store is away,
        or when the connection ends, of what nobody knows whether it happened.
        """
        self.waits_for = what
        status, _, body = post(connection, path, {"client_id": self.client_id, **fields})
        if status == 503:
            return None
        self.waits_for = None
        answer = json.loads(body)
        if status == 200:
            self.access_token = answer.get("access_token", self.access_token)
            return answer
        expect((status, answer["error"]) == (400, "invalid_grant"), f"a {what} was answered {status}: {answer}")
        return False

    def is_active(self, connection):
        """What its resource is told of the last access token."""
        credentials = base64.b64encode(f"{RESOURCE_ID}:{urllib.parse.quote(RESOURCE_SECRET)}".encode()).decode()
        headers = {"authorization": f"Basic {credentials}"}
        status, _, body = post(connection, "/oauth2/introspect", {"token": self.access_token}, headers)
        expect(status == 200, f"introspection was answered {status}: {body!r}")
        return json.loads(body)["active"]

    def verify_ended(self, connection):
        """None of its tokens is good, nor its code."""
        # The last one first: of a grant that lives, an old one and the code end it.
        for nth in (-1, 0) if self.tokens else ():
            expect(self.rotate(connection, nth) is False, "a refresh token outlives its grant")
        if self.access_token:
            expect(not self.is_active(connection), "an access token that outlives its grant is called active")
        self.verify_spent(connection)
        self.has_ended = True

    def verify_spent(self, connection):
        """Its code is not good, and ends what it has bought."""
        expect(self.redeem(connection) is False, "a code that was spent was answered 200")


class Caller(threading.Thread):
    """A client that gets grants and uses them, one after the other, until told to end or until the server is
    gone.
    """

    def __init__(self, server, person, chance, ending):
        super().__init__(daemon=True)
        self.server, self.person, self.chance, self.ending = server, person, chance, ending
        self.grants = []
        self.answers = 0
        self.fault = None

    def run(self):
        try:
            with contextlib.closing(connect(self.server)) as connection:
                status, client, _ = register(connection, RFC7591)
                expect(status == 201, f"a client could not register: {status} {client}")
                while not self.ending.is_set():
                    self.go_through(connection, client["client_id"])
        except (OSError, http.client.HTTPException):
            pass  # The server was killed: what was in flight is noted in its grant.
        except Exception as fault:  # Else the thread would end in silence, and the check would pass.
            self.fault = fault

    def go_through(self, connection, client_id):
        """One grant, from its code to a few refresh tokens, or to its end."""
        verifier = secrets.token_urlsafe(32)
        code = self.person.code(connection, client_id, verifier)
        if code is None:
            self.ending.wait(0.05)
            return
        grant = Grant(client_id, code, verifier)
        self.grants.append(grant)
        if self.answered(grant.redeem(connection)):
            for _ in range(self.chance.randrange(4)):
                if not self.answered(grant.rotate(connection)):
                    return
            if self.chance.random() < 0.15:
                grant.revoke(connection)

    def answered(self, outcome):
        """Whether it is time to go on: nobody else uses these codes and tokens, so that none is refused."""
        expect(outcome is not False, "what was never used before was refused")
        self.answers += outcome is True
        return outcome


class Load:
    """Callers of a server, who all share one resource owner."""

    def __init__(self, server, chance):
        self.ending = threading.Event()
        person = Person(server)
        self.callers = [Caller(server, person, chance, self.ending) for _ in range(CALLERS)]
        for caller in self.callers:
            caller.start()

    def wait_for(self, more):
        """Until so many more codes and tokens are answered."""
        count = lambda: sum(caller.answers for caller in self.callers)  # noqa: E731
        before, deadline = count(), time.monotonic() + 30
        while count() < before + more:
            fault = next((caller.fault for caller in self.callers if caller.fault), None)
            if fault:
                raise fault
            expect(time.monotonic() < deadline, f"{count() - before} of {more} answers within 30 s")
            time.sleep(0.01)

    def end(self):
        """Ends the callers; returns every grant of theirs."""
        self.ending.set()
        for caller in self.callers:
            caller.join(60)
            expect(not caller.is_alive(), "a caller still waits for its answer")
            if caller.fault:
                raise caller.fault
        return [grant for caller in self.callers for grant in caller.grants]


class Book:
    """All grants of a store, across its kills."""

    def __init__(self, chance):
        self.chance = chance
        self.grants = []
        self.cut_off = {"code": 0, "rotation": 0, "revocation": 0}
        self.bought_late = 0  # codes that were cut off and not spent

    def settle(self, server, grants):
        """After a kill: what was cut off is asked for again; what was answered is there, what has ended is not."""
        self.grants += grants
        with contextlib.closing(connect(server)) as connection:
            for grant in self.grants:
                waited_for = grant.waits_for
                if waited_for:
                    self.cut_off[waited_for] += 1
                if waited_for == "code":
                    self.bought_late += grant.redeem(connection)
                    grant.verify_spent(connection)
                    grant.has_ended = True
                elif waited_for == "revocation":
                    grant.revoke(connection)
                elif not grant.has_ended:
                    expect(grant.rotate(connection), "a refresh token that was answered is lost")
                if waited_for == "rotation":
                    expect(grant.rotate(connection, -2), "a rotation cannot be repeated within the grace")
            for grant in self.grants:
                if grant.has_ended:
                    grant.verify_ended(connection)
                elif self.chance.random() < 0.5:
                    expect(grant.is_active(connection), "an access token that was answered is not active")
                    grant.verify_spent(connection)
                    grant.verify_ended(connection)

    def close(self, server):
        """Without a grace: an old refresh token ends its family, whichever it is."""
        with contextlib.closing(connect(server)) as connection:
            left = [grant for grant in self.grants if not grant.has_ended]
            expect(left, "no grant is left")
            for grant in left:
                expect(grant.rotate(connection), "a refresh token that was answered is lost")
            time.sleep(0.01)  # The grace is over a millisecond later.
            for grant in left:
                old = self.chance.randrange(len(grant.tokens) - 1)
                expect(grant.rotate(connection, old) is False, "an old refresh token was answered 200")
                grant.verify_ended(connection)
        return len(left)

    def told(self, rounds, left):
        bought = sum(grant.bought for grant in self.grants)
        rotated = sum(max(0, len(grant.tokens) - 1) for grant in self.grants)
        return (
            f"{rounds} kills, {bought} codes and {rotated} refresh tokens answered 200 once and all there; cut off: "
            f"{self.cut_off['code']} codes, {self.bought_late} of them unspent, {self.cut_off['rotation']} "
            f"rotations, {self.cut_off['revocation']} revocations; {left} families ended by an old token"
        )


def node_kills(folder, chance, store=None):
    """`kill -9` of the server, again and again on one store."""
    book, begun, rounds = Book(chance), time.monotonic(), 0
    with doorward(folder / "grants", store=store, settings=dict(SETTINGS)) as server:
        server.start()
        while rounds < ROUNDS_MIN or rounds < ROUNDS_MAX and time.monotonic() - begun < SECONDS:
            rounds += 1
            load = Load(server, chance)
            load.wait_for(ANSWERS_MIN)
            time.sleep(chance.uniform(0, 0.4))
            server.kill()
            grants = load.end()
            server.start()
            book.settle(server, grants)
        server.stop()
        server.settings |= GRACE_OVER
        server.start()
        left = book.close(server)
        server.stop()
    return book.told(rounds, left)


def node_kills_on_postgres(folder, chance):
    with Postgres() as database:
        return node_kills(folder, chance, store=database.url())


def database_kill(folder, chance):
    """`kill -9` of the database and all its processes under load; the server stays."""
    book = Book(chance)
    settings = {**SETTINGS, **SETTLING}
    with Postgres() as database, doorward(folder / "grants", store=database.url(), settings=settings) as server:
        server.start()
        load = Load(server, chance)
        load.wait_for(ANSWERS_MIN)
        time.sleep(chance.uniform(0, 0.4))
        database.crash()
        until_not_ready(server)
        database.start()
        until_well(server)
        load.wait_for(ANSWERS_MIN)
        book.settle(server, load.end())
        server.stop()
        server.settings |= GRACE_OVER
        server.start()
        left = book.close(server)
        server.stop()
    return book.told(1, left)


CHECKS = {
    "grants: kills": node_kills,
    "grants: postgres: kills of a node": node_kills_on_postgres,
    "grants: postgres: kill of the database": database_kill,
}
