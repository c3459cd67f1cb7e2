"""Several worker processes under one: started, watched, started again, ended together.

Law: a slot has one process at a time. A process that ended in a way that starting it again can help
is started again, after a wait that grows; any other end is everybody's, with its exit code. When
the supervisor is told to stop, it ends once all of them have.
"""

import http.client
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pnl.errors import RESTARTABLE, Exit
from pnl.health import Health, listen
from pnl.workers.process import Stopping
from pnl.workers.stepping import Backoff
from streams.clock import Deadline, Stopwatch, pause

LOOK_SECONDS: Final = 0.2
WAIT_FIRST: Final = timedelta(seconds=1)
WAIT_MAX: Final = timedelta(minutes=1)
STEADY: Final = timedelta(minutes=5)
"""A process that ran so long is started again at once, and its waits begin anew."""
ASK_SECONDS: Final = 2.0
KILL_AFTER: Final = timedelta(seconds=2)
"""How long after its own limit a process may still take before it is killed."""
LOOPBACK: Final = "127.0.0.1"

Command = Callable[[str, int], Sequence[str]]
"""Makes the command of a slot, given the descriptor of the socket it is to answer on."""


class Child:
    """One slot: its socket, which stays, and its process, which may be another one each time."""

    def __init__(self, slot: str, command: Command) -> None:
        self.slot = slot
        self._socket = listen(LOOPBACK, 0)
        self._command = command(slot, self._socket.fileno())
        self._process: subprocess.Popen[bytes] | None = None
        self._ran = Stopwatch()
        self._backoff = Backoff(WAIT_FIRST, WAIT_MAX)
        self._not_before = Deadline(timedelta())

    @property
    def is_running(self) -> bool:
        """Whether there is a process, or was at the last look."""
        return self._process is not None

    def start_if_due(self) -> None:
        """Start a process unless there is one, or it is too early."""
        if self._process is None and not self._not_before.seconds_left():
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, pass_fds=[self._socket.fileno()], stdin=subprocess.DEVNULL
            )
            self._ran = Stopwatch()

    def ended(self) -> int | None:
        """Return the exit code of a process that has ended since the last look; else None."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            self._process = None
            if self._ran.elapsed() >= STEADY:
                self._backoff.reset()
            self._not_before = Deadline(self._backoff.next())
        return code

    def signal(self, which: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None:
            self._process.send_signal(which)

    def ask(self, path: str) -> tuple[int, bytes]:
        """Return status and body that the process answers; (0, b"") when it does not."""
        if self._process is None:
            return 0, b""
        connection = http.client.HTTPConnection(
            LOOPBACK, self._socket.getsockname()[1], timeout=ASK_SECONDS
        )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def missing(self) -> str | None:
        """Say that the process is not ready; None when it is."""
        status, body = self.ask("/readyz")
        if status == http.HTTPStatus.OK:
            return None
        told = body.decode(errors="replace") or "it does not answer"
        return f"Slot {self.slot}: {told}"

    def close(self) -> None:
        """Give the socket up."""
        self._socket.close()


class Supervisor:
    """Runs the slots until it is told to stop, or one of them ends for good."""

    def __init__(
        self,
        slots: Sequence[str],
        command: Command,
        stopping: Stopping,
        say: Callable[[str], None],
        stop_limit: timedelta,
    ) -> None:
        self.children = [Child(slot, command) for slot in slots]
        self._registry = CollectorRegistry()
        self._restarts = Counter(
            "pnl_worker_restarts_total",
            "Worker processes that ended and were started again, by exit code",
            ("code",),
            registry=self._registry,
        )
        self._stopping = stopping
        self._say = say
        self._stop_limit = stop_limit + KILL_AFTER
        self._health = Health()
        self._registry.register(_OfChildren(self.children))

    def text(self) -> bytes:
        """Return what /metrics answers: our own figures, and those of every process."""
        return generate_latest(self._registry)

    def health(self) -> Health:
        """Return the health of all together: alive while we look, ready when all are."""
        for child in self.children:
            self._health.need(child.missing)
        return self._health

    def run(self) -> Exit | int:
        """Return the exit code to end with."""
        code: int = Exit.OK
        try:
            while not self._stopping.is_set():
                for child in self.children:
                    child.start_if_due()
                    ended = child.ended()
                    if ended is not None and not self._goes_on(child, ended):
                        code = ended
                        self._stopping.set()
                self._health.beat()
                self._stopping.wait(LOOK_SECONDS)
        finally:
            self._end_all()
        return code

    def _goes_on(self, child: Child, code: int) -> bool:
        """Say whether the slot is started again."""
        if code > 0 and code not in RESTARTABLE:
            self._say(f"Worker {child.slot} ended with {code}; all are stopped.")
            return False
        self._restarts.labels(str(code)).inc()
        self._say(f"Worker {child.slot} ended with {code}; it is started again.")
        return True

    def _end_all(self) -> None:
        for child in self.children:
            child.signal(signal.SIGTERM)
        limit = Deadline(self._stop_limit)
        while any(child.is_running for child in self.children):
            for child in self.children:
                child.ended()
                if not limit.seconds_left():
                    child.signal(signal.SIGKILL)
            pause(LOOK_SECONDS)
        for child in self.children:
            child.close()


class _OfChildren(Collector):
    """The figures of every process under ours, each with its slot."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children

    def describe(self) -> list[Metric]:
        """Return nothing: what there is, the processes say."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each figure once, with the samples of all processes."""
        together: dict[str, Metric] = {}
        for child in self._children:
            status, body = child.ask("/metrics")
            if status != http.HTTPStatus.OK:
                continue
            for family in text_string_to_metric_families(body.decode()):
                if not family.name.startswith("pnl_"):
                    continue
                metric = together.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = {**sample.labels, "slot": child.slot}
                    metric.add_sample(sample.name, labels, sample.value)
        yield from together.values()


def inherited(descriptor: int) -> socket.socket:
    """Return the socket that a supervisor handed down."""
    return socket.socket(fileno=descriptor)
