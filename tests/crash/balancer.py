"""What packaging/compose/ puts together, without containers: PostgreSQL, Redis, two nodes and HAProxy, with the
settings of that folder as they are but for addresses.

Clients register through the balancer, one node is killed, then the other, and registrations go on. What the balancer
says of callers is believed, and what callers say of themselves is not; limits hold for both nodes together.
"""

import http.client
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from doorward import BINARY, ENVIRONMENT, ROOT, free_port  # noqa: E402
from load import RFC7591, doorward, expect, verify  # noqa: E402
from services import HAProxy, Postgres, Redis, program  # noqa: E402

FILES = ROOT / "packaging" / "compose"
NAMES = ("node-1", "node-2")
CALLERS = 6
# The balancer asks each node every second, but a connection that is refused is tried at the other node at once.
WELL_AGAIN_SECONDS = 1.2
# `rate_limit.per_source` unless set.
PER_SOURCE = 60
REGISTRATIONS = "doorward_registrations_total"
SHARED = "doorward_rate_limit_redis_connected"


class Caller(threading.Thread):
    """Registers through the balancer, each time from another address, until told to end."""

    def __init__(self, number, port, ending):
        super().__init__(daemon=True)
        self.number, self.port, self.ending = number, port, ending
        self.registered = {}
        self.refused = []  # (moment, status)
        self.fault = None

    def run(self):
        try:
            for count in range(1 << 16):
                if self.ending.is_set():
                    return
                self.register(f"127.{self.number + 10}.{count >> 8}.{count & 255}")
        except Exception as fault:  # Else the thread would end in silence, and the check would pass.
            self.fault = fault

    def register(self, address):
        try:
            status, body = ask(self.port, address)
        except (OSError, http.client.HTTPException):
            status = None
        if status == 201:
            self.registered[body["client_id"]] = body
        else:
            self.refused.append((time.monotonic(), status))
        # All together stay within `rate_limit.total`.
        self.ending.wait(0.03)


def ask(port, address, headers=None):
    """Registers from an address of this machine. The status, and the JSON of an answer of ours."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(address, 0))
    try:
        # `verify` knows a whole row by it.
        name = uuid.uuid4()
        request = {"client_name": f"Caller {name}", "redirect_uris": [f"http://127.0.0.1/{name}"]}
        headers = {"content-type": "application/json", **(headers or {})}
        connection.request("POST", RFC7591, json.dumps(request), headers)
        response = connection.getresponse()
        body = response.read()
        # A page of the balancer's own is none.
        return response.status, json.loads(body) if response.status == 201 else None
    finally:
        connection.close()


class Load:
    """Callers at the balancer."""

    def __init__(self, port):
        self.ending = threading.Event()
        self.callers = [Caller(number, port, self.ending) for number in range(CALLERS)]
        for caller in self.callers:
            caller.start()

    def wait_for_more(self, more, seconds=10):
        wanted = self.count() + more
        deadline = time.monotonic() + seconds
        while self.count() < wanted:
            expect(time.monotonic() < deadline, f"no {more} registrations within {seconds} s")
            time.sleep(0.01)

    def count(self):
        return sum(len(caller.registered) for caller in self.callers)

    def refused_since(self, moment):
        """Who was not answered 201, and how long after that."""
        refused = [one for caller in self.callers for one in list(caller.refused)]
        return [(at - moment, status) for at, status in refused if at >= moment]

    def end(self):
        self.ending.set()
        for caller in self.callers:
            caller.join(60)
            if caller.fault:
                raise caller.fault
        return {id_: answer for caller in self.callers for id_, answer in caller.registered.items()}


def replaced(text, *pairs):
    """The text with each thing, which has to be there, in the place of another."""
    for old, new in pairs:
        changed = re.sub(old, new, text, flags=re.MULTILINE)
        expect(changed != text, f"{old} is not in packaging/compose any more")
        text = changed
    return text


def environment(folder, database, redis, password):
    """The variables of a node, of compose.yaml, and the files that they name."""
    settings = folder / "doorward.toml"
    text = (FILES / "doorward.toml").read_text()
    settings.write_text(replaced(text, (r'trusted_proxies = \[".*"\]', 'trusted_proxies = ["127.0.0.1"]')))
    (folder / "postgres-password").write_text(password + "\n")
    (folder / "redis-url").write_text(f"redis://:{password}@127.0.0.1:{redis.port}/0\n")
    text = replaced(
        (FILES / "compose.yaml").read_text(),
        (r"@postgres:5432/", f"@127.0.0.1:{database.port}/"),
        (r"/etc/doorward/", f"{folder}/"),
        (r"(: )/run/secrets/", rf"\1{folder}/"),
    )
    return dict(re.findall(r"^    (DOORWARD_\w+): (.+)$", text, flags=re.MULTILINE))


def balancing(nodes, port, up):
    """haproxy.cfg with the addresses of this machine."""
    text = (FILES / "haproxy.cfg").read_text()
    servers = [
        (rf"^( *server {name}) {name}:8080$", rf"\1 127.0.0.1:{public} port {management}")
        for name, (public, management) in nodes.items()
    ]
    return replaced(text, (r"bind :8080$", f"bind 127.0.0.1:{port}"), (r"bind 127.0.0.1:8081$", f"bind 127.0.0.1:{up}"), *servers)


def command(settings, *words):
    """Runs a command with the settings of the nodes, as `docker compose run` does."""
    done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, env={**ENVIRONMENT, **settings})
    expect(done.returncode == 0, f"doorward {' '.join(words)} ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def metric(node, name):
    connection = http.client.HTTPConnection("127.0.0.1", node.management_port, timeout=5)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if re.match(rf"{name}[ {{]", line))


def until(comes_about, complaint):
    deadline = time.monotonic() + 10
    while not comes_about():
        expect(time.monotonic() < deadline, complaint)
        time.sleep(0.05)


def one_source(port, url):
    """Both nodes together admit what one caller may ask for, whatever it says of itself."""
    # Within one period.
    while time.time() % 60 > 56:
        time.sleep(0.2)
    forged = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.2"}
    answers = [ask(port, "127.9.9.9", forged) for _ in range(PER_SOURCE + 10)]
    statuses = [status for status, _ in answers]
    expect(statuses == [201] * PER_SOURCE + [429] * 10, f"one source was answered {statuses}")
    registered = {body["client_id"]: body for status, body in answers if status == 201}
    sources = {row["source"] for id_, row in verify(url, registered).items() if id_ in registered}
    expect(sources == {"127.9.9.9"}, f"the source of a caller is {sources}")
    return registered


def topology(folder, chance):
    """Everything started, a node killed and started again, then the other."""
    password = f"of-this-check-{chance.randrange(1 << 32)}"
    program("haproxy")
    with Postgres() as database, Redis(password, ("--save", "", "--appendonly", "no")) as redis:
        database.psql(f"CREATE ROLE doorward LOGIN PASSWORD '{password}'")
        database.psql("CREATE DATABASE doorward OWNER doorward")
        rules = database.data / "pg_hba.conf"
        rules.write_text("host all doorward 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        database.psql("SELECT pg_reload_conf()")
        settings = environment(folder, database, redis, password)
        command(settings, "migrate", "up")

        ports = {name: (free_port(), free_port()) for name in NAMES}
        port, up = free_port(), free_port()
        with (
            doorward(folder / NAMES[0], settings=settings, dev=False) as first,
            doorward(folder / NAMES[1], settings=settings, dev=False) as second,
        ):
            nodes = dict(zip(NAMES, (first, second)))
            for name, node in nodes.items():
                node.start(ports[name])
            with HAProxy(balancing(ports, port, up), up) as balancer:
                return under_load(nodes, ports, balancer, port, settings, database.url("doorward"))


def under_load(nodes, ports, balancer, port, settings, url):
    for name, node in nodes.items():
        until(lambda node=node: metric(node, SHARED) == 1, f"{name} does not share its limits")
        listen = zip(("DOORWARD_SERVER__LISTEN", "DOORWARD_SERVER__MANAGEMENT"), ports[name])
        command({**settings, **{key: f"127.0.0.1:{at}" for key, at in listen}}, "--quiet", "doctor")
    answers = one_source(port, url)

    load = Load(port)
    load.wait_for_more(40)
    lost, slowest = 0, 0.0
    for name, node in nodes.items():
        expect(metric(node, REGISTRATIONS) > 0, f"{name} was given nothing")
        killed = time.monotonic()
        node.kill()
        # As long as a request can be tried again and again at the killed node.
        time.sleep(2 * WELL_AGAIN_SECONDS)
        load.wait_for_more(20)
        refused = load.refused_since(killed)
        # What was under way at the killed node has no answer; all else has, from the other one.
        lost += len(refused)
        slowest = max([slowest, *(seconds for seconds, _ in refused)])
        late = [status for seconds, status in refused if seconds > WELL_AGAIN_SECONDS]
        expect(not late, f"{len(late)} refusals long after {name} was killed: {set(late)}")
        expect(len(refused) <= CALLERS, f"{len(refused)} refusals after {name} was killed")
        node.start(ports[name])
        until(lambda node=node: metric(node, REGISTRATIONS) > 0, f"{name} was given nothing when it had come back")
    answers.update(load.end())
    rows = verify(url, answers)
    expect(len(rows) - len(answers) <= lost, f"{len(rows) - len(answers)} rows that nobody asked for")

    for node in nodes.values():
        node.stop()
    until(lambda: not balancer.is_ready(), "the balancer is well without a node")
    return (
        f"{len(answers)} answered 201 and all there through two kills of a node, {lost} not answered, "
        f"the last of them {slowest:.1f} s after a kill"
    )


CHECKS = {"compose: two nodes behind a balancer": topology}
