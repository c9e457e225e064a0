"""The `standardwebhooks` library for Python, unmodified, as the receiver of a webhook. It listens where
DOORWARD_WEBHOOK_PORT says, with the secret in DOORWARD_WEBHOOK_SECRET; the server is at DOORWARD_URL.
"""

import http.server
import json
import os
import threading
import time
import unittest
import urllib.request

from standardwebhooks import Webhook, WebhookVerificationError

URL = os.environ["DOORWARD_URL"]
SECRET = os.environ["DOORWARD_WEBHOOK_SECRET"]
SECONDS_MAX = 60


class Receiver(http.server.BaseHTTPRequestHandler):
    """Accepts what the library verifies, but for the first delivery of each event, which it refuses."""

    protocol_version = "HTTP/1.1"
    seen, accepted, unverified = set(), [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = dict(self.headers)
        try:
            event = Webhook(SECRET).verify(body, headers)
        except WebhookVerificationError as error:
            self.unverified.append(error)
            return self.answer(401)
        if event["id"] not in self.seen:
            self.seen.add(event["id"])
            return self.answer(503)
        self.accepted.append((event, headers, body))
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def register():
    request = urllib.request.Request(
        f"{URL}/oauth2/register",
        json.dumps({"client_name": "Example", "redirect_uris": ["https://example.com/callback"]}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["client_id"]


class Receiving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["DOORWARD_WEBHOOK_PORT"])), Receiver)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.registered = [register() for _ in range(3)]
        deadline = time.monotonic() + SECONDS_MAX
        while not cls.arrived() and time.monotonic() < deadline:
            time.sleep(0.05)

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()

    @classmethod
    def arrived(cls):
        ids = [event.get("client_id") for event, _, _ in Receiver.accepted]
        return all(client in ids for client in cls.registered)

    def test_every_event_is_verified_and_arrives_in_order_though_each_is_refused_once(self):
        events = [event for event, _, _ in Receiver.accepted if event["action"] == "client.registered"]
        arrived = list(dict.fromkeys(event["client_id"] for event in events))
        self.assertEqual([client for client in arrived if client in self.registered], self.registered)
        self.assertEqual(Receiver.unverified, [])

    def test_a_body_that_was_changed_is_not_verified(self):
        # Other events may come first: a server for development makes an operator token.
        registrations = (one for one in Receiver.accepted if one[0]["action"] == "client.registered")
        _, headers, body = next(registrations)
        Webhook(SECRET).verify(body, headers)
        with self.assertRaises(WebhookVerificationError):
            Webhook(SECRET).verify(body.replace(b"client.registered", b"client.suspended"), headers)

    def test_a_replay_under_another_time_is_not_verified(self):
        _, headers, body = Receiver.accepted[0]
        headers = {name.lower(): value for name, value in headers.items()}
        with self.assertRaises(WebhookVerificationError):
            Webhook(SECRET).verify(body, {**headers, "webhook-timestamp": str(int(time.time()) - 1)})


if __name__ == "__main__":
    unittest.main()
