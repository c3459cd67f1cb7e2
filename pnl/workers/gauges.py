"""Measures every few seconds, beside the loops, what also changes between batches.

Law: a gauge that cannot be measured keeps its last value and is counted; it never ends a process.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from pnl.metrics import Metrics
from sinks.store_errors import StoreError
from streams.log import Busy, LogFailed

EVERY: Final = timedelta(seconds=10)


class Gauges:
    """A thread that calls its measures until it is stopped."""

    def __init__(
        self, measures: tuple[Callable[[], None], ...], metrics: Metrics, every: timedelta = EVERY
    ) -> None:
        self._measures = measures
        self._metrics = metrics
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)

    def start(self) -> None:
        """Begin to measure, at once."""
        self._thread.start()

    def measure(self) -> None:
        """Measure once."""
        for measure in self._measures:
            try:
                measure()
            except (Busy, LogFailed, StoreError):
                self._metrics.unmeasured.inc()

    def stop(self, seconds_max: float) -> bool:
        """Measure no more; return whether the last measure was done within so long."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(seconds_max)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.measure()
            self._stopping.wait(self._every.total_seconds())
