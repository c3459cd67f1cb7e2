"""The one place that reads the machine's clocks and sleeps.

Law: time enters our code as an argument or through a `Clock`; so a test or a replay decides
what time it is. Waiting is measured on the monotonic clock, which no one sets back.
"""

import time
from datetime import timedelta
from typing import Protocol

from streams.facts import Millis


class Clock(Protocol):
    """What tells the processing time."""

    def now_ms(self) -> Millis:
        """Return milliseconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> Millis:
        """Return milliseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told otherwise: for tests and simulations."""

    def __init__(self, now_ms: Millis = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> Millis:
        """Return the time it was last told."""
        return self._now_ms

    def advance(self, step: timedelta) -> None:
        """Move on by a step; a negative one sets the clock back, as operators do."""
        self._now_ms += step // timedelta(milliseconds=1)


class Deadline:
    """A point on the monotonic clock until which something may be waited for."""

    def __init__(self, wait: timedelta) -> None:
        self._at = time.monotonic() + wait.total_seconds()

    def seconds_left(self) -> float:
        """Return how long is left, 0.0 when it has passed."""
        return max(0.0, self._at - time.monotonic())


class Stopwatch:
    """Tells how long ago it was made, on the monotonic clock."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def elapsed(self) -> timedelta:
        """Return the time since it was made."""
        return timedelta(seconds=time.monotonic() - self._since)


def pause(seconds: float) -> None:
    """Sleep: only adapters that wait for something outside may do so."""
    time.sleep(seconds)
