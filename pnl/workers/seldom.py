"""A role that is given a small share of a process's time, beside those that must not wait.

Law: after a step it rests so long that its steps take no more than that share, on average. It is
made only when it is first due: a process that ends soon never begins.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from pnl.workers.process import Role
from streams.clock import Deadline, Stopwatch, pause

SHARE: Final = 0.05
FIRST: Final = timedelta(seconds=30)
"""So a process that has just started is busy with what people wait for."""
REST_MIN: Final = timedelta(seconds=1)
_NOW: Final = timedelta()


class Seldom:
    """Steps a role seldom. `step` and `close` belong to one thread."""

    def __init__(
        self, make: Callable[[], Role], share: float = SHARE, first: timedelta = FIRST
    ) -> None:
        self._make = make
        self._share = share
        self._rest = Deadline(first)
        self._role: Role | None = None

    def step(self, wait: timedelta) -> int:
        """Let the role make a step if it is due; return how many records, 0 after waiting."""
        left = self._rest.seconds_left()
        if left:
            pause(min(wait.total_seconds(), left))
            return 0
        took = Stopwatch()
        try:
            if self._role is None:
                self._role = self._make()
            return self._role.step(_NOW)
        finally:
            self._rest = Deadline(max(REST_MIN, took.elapsed() * (1 / self._share - 1)))

    def missing(self) -> str | None:
        """Say what keeps the role from being ready; who has not begun lacks nothing."""
        return None if self._role is None else self._role.missing()

    def measure(self) -> None:
        """Set the role's gauges; from any thread."""
        if self._role is not None:
            self._role.measure()

    def close(self) -> None:
        """Give the role's group up."""
        if self._role is not None:
            self._role.close()
