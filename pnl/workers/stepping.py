"""The loop around a worker's steps: it measures, waits where nothing can be done, and stops.

Law: a step that could do nothing is followed by a wait that grows, with jitter, so that many
workers do not ask a cluster in trouble at the same moment; whatever else a step raises ends the
process.
"""

import random
import threading
from datetime import timedelta
from typing import Final, Protocol

from pnl.health import Health
from pnl.metrics import Metrics
from streams.clock import Stopwatch
from streams.log import Busy

STEP_WAIT: Final = timedelta(milliseconds=200)
"""How long an idle step waits: stopping takes at most this much longer."""
BACKOFF_FIRST: Final = timedelta(milliseconds=100)
BACKOFF_MAX: Final = timedelta(seconds=5)


class Worker(Protocol):
    """What a loop drives: a step handles what there is, or waits for it."""

    def step(self, wait: timedelta) -> int:
        """Handle the next records; return how many they were, 0 after waiting in vain."""
        ...


class Backoff:
    """Waits that double up to a bound, each drawn from its upper half."""

    def __init__(self, first: timedelta = BACKOFF_FIRST, longest: timedelta = BACKOFF_MAX) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def reset(self) -> None:
        """Begin with the shortest wait again."""
        self._next = self._first

    def next(self) -> timedelta:
        """Return how long to wait now."""
        wait, self._next = self._next, min(2 * self._next, self._longest)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it


class Stepping:
    """Steps one worker, in one thread."""

    def __init__(
        self, name: str, worker: Worker, metrics: Metrics, stopping: threading.Event, health: Health
    ) -> None:
        self._name = name
        self._worker = worker
        self._metrics = metrics
        self._stopping = stopping
        self._health = health
        self._backoff = Backoff()
        self.busy: str | None = None
        """Why the last step could do nothing, in the log's words; None when it could."""

    def run(self) -> None:
        """Step until `stopping` is set. Raises what ends the process."""
        while not self._stopping.is_set():
            self.once()

    def once(self) -> None:
        """Make one step, or wait where nothing can be done."""
        took = Stopwatch()
        try:
            records = self._worker.step(STEP_WAIT)
        except Busy as busy:
            self.busy = str(busy)
            self._metrics.batches.labels(self._name, "busy").inc()
            self._stopping.wait(self._backoff.next().total_seconds())
        else:
            self.busy = None
            self._backoff.reset()
            if records:
                self._metrics.batches.labels(self._name, "committed").inc()
                self._metrics.batch_seconds.labels(self._name).observe(
                    took.elapsed().total_seconds()
                )
        self._health.beat()
