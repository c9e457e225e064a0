"""No event is left out of a webhook, and its order stays, across `kill -9` of the sender.

Callers register under load while a receiver verifies, and now and then refuses, what the webhook delivers. The node
that sends is killed, again and again. At the end every client that was answered 201 has arrived; what arrives again
was not left out; and of each caller, who registers one client after the other, clients arrive in that order.
"""

import base64
import collections
import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from load import Load, doorward, expect  # noqa: E402
from services import Postgres  # noqa: E402

# A lease of a killed node ends after half a minute.
TAKE_OVER_SECONDS_MAX = 60
ARRIVE_SECONDS_MAX = 240
ACCEPTED = re.compile(r'^doorward_webhook_deliveries_total\{webhook="crash",outcome="accepted"\} (\d+)$', re.MULTILINE)


class Receiver(http.server.ThreadingHTTPServer):
    """Verifies each delivery, and refuses one of five hundred: a pause follows each."""

    def __init__(self, key):
        super().__init__(("127.0.0.1", 0), Handler)
        self.key = key
        self.requests = 0
        self.accepted = []  # (webhook-id, client_id) in the order of arrival
        self.unverified = 0

    def count(self):
        return len(self.accepted)

    def handle_error(self, *_):
        pass  # The server was killed.


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver, id_ = self.server, self.headers["webhook-id"]
        receiver.requests += 1
        signed = f"{id_}.{self.headers['webhook-timestamp']}.".encode() + body
        signature = base64.b64encode(hmac.digest(receiver.key, signed, hashlib.sha256)).decode()
        if self.headers["webhook-signature"] != f"v1,{signature}":
            receiver.unverified += 1
        elif receiver.requests % 500:
            event = json.loads(body)
            if event["action"] == "client.registered":
                receiver.accepted.append((id_, event["client_id"]))
            return self.answer(204)
        self.answer(500)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def receiving(folder):
    """A receiver, and the settings of a server that sends to it."""
    key = os.urandom(32)
    secret = f"whsec_{base64.b64encode(key).decode()}"
    secret_file = folder / "webhook.secret"
    secret_file.touch(0o600)
    secret_file.write_text(secret)
    with Receiver(key) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_port}/secret-path"
        try:
            yield receiver, secret, {
                "DOORWARD_WEBHOOKS": f'[{{ name = "crash", url = "{url}", secret_file = "{secret_file}", '
                "allow_private_networks = true }]",
                "DOORWARD_LOG__FILTER": "debug",
            }  # fmt: skip
        finally:
            receiver.shutdown()


def wait_for(holds, seconds, what):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        expect(time.monotonic() < deadline, f"{what} within {seconds} s")
        time.sleep(0.05)
    return found


def delivered(server):
    """How many deliveries of this node were accepted."""
    connection = http.client.HTTPConnection("127.0.0.1", server.management_port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        return int(ACCEPTED.search(connection.getresponse().read().decode())[1])
    except OSError:
        return 0
    finally:
        connection.close()


def verify_deliveries(receiver, loads, secret, servers):
    """All clients arrived, and those of each caller in their order."""
    callers = [list(caller.registered) for load in loads for caller in load.callers]
    everyone = {client for caller in callers for client in caller}
    arrived = lambda: everyone <= {client for _, client in list(receiver.accepted)}  # noqa: E731
    wait_for(arrived, ARRIVE_SECONDS_MAX, f"{len(everyone)} clients did not all arrive")
    first = {client: place for place, (_, client) in reversed(list(enumerate(receiver.accepted)))}
    for caller in callers:
        places = [first[client] for client in caller]
        expect(places == sorted(places), "the clients of a caller arrived in another order")
    expect(all(id_ == client for id_, client in receiver.accepted), "an event has another identifier than its client")
    expect(receiver.unverified == 0, f"{receiver.unverified} deliveries were not verified")
    for server in servers:
        log = server.log.read_text(errors="replace")
        expect(secret not in log and "secret-path" not in log, "the secret or the URL of a webhook is in the log")
    repeats = sum(count - 1 for count in collections.Counter(client for _, client in receiver.accepted).values())
    return f"{len(everyone)} clients arrived in order, {repeats} of them again"


def kills(folder, chance, rounds=6):
    """`kill -9` of a server with the embedded store."""
    with receiving(folder) as (receiver, secret, settings), doorward(folder / "data", settings=settings) as server:
        loads = []
        for _ in range(rounds):
            server.start()
            load, before = Load(server), receiver.count()
            load.wait_for(20, seconds=20)
            wait_for(lambda: receiver.count() > before, TAKE_OVER_SECONDS_MAX, "nothing was delivered")
            time.sleep(chance.uniform(0, 0.6))
            server.kill()
            load.end()
            loads.append(load)
        server.start()
        told = verify_deliveries(receiver, loads, secret, [server])
        server.stop()
    return f"{rounds} kills, {told}"


def three_nodes(folder, chance, rounds=3):
    """Three nodes on one database, of which one sends, and is killed."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(Postgres())
        receiver, secret, settings = stack.enter_context(receiving(folder))
        servers = [
            stack.enter_context(doorward(folder / f"node{number}", store=database.url(), settings=settings))
            for number in range(3)
        ]
        for server in servers:
            server.start()
        loads, before = [], {server: 0 for server in servers}
        for _ in range(rounds):
            # No more than a receiver that refuses some can be sent in time.
            running = {server: Load(server, pause=0.05) for server in servers}
            sending = lambda: [server for server in servers if delivered(server) > before[server]]  # noqa: E731
            [sender] = wait_for(sending, TAKE_OVER_SECONDS_MAX, "nothing was delivered")
            time.sleep(chance.uniform(0.2, 0.8))
            expect(len(sending()) == 1, "more than one node sends")
            sender.kill()
            for load in running.values():
                load.end()
            loads.extend(running.values())
            sender.start()
            before = {server: delivered(server) for server in servers}
        told = verify_deliveries(receiver, loads, secret, servers)
        for server in servers:
            server.stop()
    return f"{rounds} kills of the sender, {told}"


CHECKS = {"webhooks: kills": kills, "webhooks: three nodes": three_nodes}
