"""The period job as a worker: stepped beside journeys and sink, mostly at rest.

Law: what a run reads is a fixed part of the time, however large the books: it rests so many times
as long as it worked. A month that is running gets new figures now and then, since every contact
moves them; one that is over gets them at once.
"""

from datetime import timedelta
from typing import Final

from pnl.periods.cut import Reaching
from pnl.periods.job import PeriodJob
from sinks.store_errors import Remedy, StoreError
from streams.clock import Deadline, Stopwatch, pause
from streams.log import Busy, EventLog

REST: Final = timedelta(seconds=10)
REST_TIMES: Final = 20
RUNNING_EVERY: Final = timedelta(minutes=10)


class PeriodsRole:
    """Runs a period job. `step` belongs to one thread."""

    def __init__(self, log: EventLog, job: PeriodJob) -> None:
        self._log = log
        self._job = job
        self._rest = Deadline(timedelta(0))
        self._running = Deadline(timedelta(0))
        self._reaching: Reaching | None = None
        self._trouble: str | None = None

    def step(self, wait: timedelta) -> int:
        """State what is new or close what is due; return how many facts, 0 after waiting."""
        if self._rest.seconds_left():
            pause(min(wait.total_seconds(), self._rest.seconds_left()))
            return 0
        if self._reaching is None:
            self._reaching = Reaching(self._log)
        cut = self._reaching.cut()
        if cut is None:
            pause(wait.total_seconds())
            return 0
        self._reaching = None
        took = Stopwatch()
        running = not self._running.seconds_left()
        try:
            stated = self._job.refresh(cut, running=running) or self._job.estimate(cut)
            closed = () if stated else self._job.close_due(cut)
        except StoreError as error:
            if error.remedy is Remedy.STOP:
                raise
            self._trouble = str(error)
            raise Busy(f"the store does not answer: {error}") from error
        self._trouble = None
        if not stated:
            self._rest = Deadline(max(REST, REST_TIMES * took.elapsed()))
            if running:
                self._running = Deadline(RUNNING_EVERY)
        return stated + len(closed)

    def missing(self) -> str | None:
        """Say that the store does not answer; None when it does."""
        return None if self._trouble is None else f"The store does not answer: {self._trouble}"

    def measure(self) -> None:
        """Measure nothing: what the job states, journeys and sink measure."""

    def close(self) -> None:
        """Give nothing up: the job owns nothing."""
