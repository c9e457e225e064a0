"""A receiver of webhooks on loopback that accepts everything, and counts."""

import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    """Answers 204 on a connection that stays open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(204)
        self.end_headers()
        self.server.received.append(time.perf_counter())

    def log_message(self, *_):
        pass


class Receiver(socketserver.ThreadingTCPServer):
    """Begun as a context manager. `received` has the moment of each event."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.received = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/events"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def rate(self, seconds):
        """Events a second from the first one on, for at most so long."""
        began = time.perf_counter()
        while not self.received and time.perf_counter() - began < 30:
            time.sleep(0.01)
        if not self.received:
            return 0.0
        time.sleep(seconds)
        times = self.received[:]
        return (len(times) - 1) / max(times[-1] - times[0], 1e-9) if len(times) > 1 else 0.0
