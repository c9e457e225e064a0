"""The open loop: requests that arrive at a fixed rate, sent by the example `open_loop` on its own core."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import servers
from .process import WrongAnswer, pinned

GRACE_SECONDS = 60
# A generator that is busier than this no longer keeps its rate.
BUSY_MAX = 0.95


@dataclass
class Plan:
    """What is to arrive."""

    rate: int
    seconds: int
    tag: str
    connections: int = 256
    sources: int = 0
    accepted: Path | None = None

    def command(self, target):
        command = [
            servers.program("open_loop", True), target, "--rate", str(self.rate),
            "--seconds", str(self.seconds), "--connections", str(self.connections),
            "--sources", str(self.sources), "--run", self.tag,
        ]  # fmt: skip
        return command + (["--accepted", str(self.accepted)] if self.accepted else [])


@dataclass
class Seen:
    """What came of it. Latencies in milliseconds, from the moment at which a request was meant to be sent;
    None when there was none."""

    intended: int
    rate: float
    statuses: dict
    gave_up: int
    broken: int
    p50: float | None
    p99: float | None
    max: float | None
    refused_p99: float | None
    generator_busy: float

    @property
    def accepted(self):
        return sum(n for status, n in self.statuses.items() if status.startswith("2"))

    @property
    def is_too_much(self):
        """Whether the generator was the limit."""
        return self.generator_busy > BUSY_MAX


class Arrivals:
    """Requests under way."""

    def __init__(self, process, plan, core):
        self._process = process
        self._plan = plan
        self._child = subprocess.Popen(
            plan.command(f"127.0.0.1:{process.port}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(core, slack_ns=1),
        )

    def forget(self):
        """Ends it: the server is gone."""
        self._child.kill()
        self._child.communicate()

    def result(self):
        """Waits for the last answer."""
        try:
            out, said = self._child.communicate(timeout=self._plan.seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired as late:
            self._child.kill()
            raise WrongAnswer("open_loop did not come back") from late
        if self._child.returncode != 0:
            raise WrongAnswer(f"open_loop failed: {said[-400:]}")
        found = json.loads(out)
        accepted = found["accepted"]
        seen = Seen(
            intended=self._plan.rate * self._plan.seconds,
            rate=found["accepted_rate"],
            statuses=found["statuses"],
            gave_up=found["gave_up"],
            broken=found["broken"],
            p50=accepted["p50"],
            p99=accepted["p99"],
            max=accepted["max"],
            refused_p99=found["refused"]["p99"],
            generator_busy=found["busy"],
        )
        self._process.registered += seen.accepted
        return seen
