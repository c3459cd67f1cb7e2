"""What a worker of signals does on Faust: it watches a host, and tells it when to tick.

Law: a host that stands still while the log answers ends the process, for a supervisor to start
anew; nothing is lost by that, since a host goes on from its state.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from pnl.errors import UserError
from pnl.metrics import Metrics
from pnl.workers.roles import RESTORING
from pnl.workers.signals import TOPICS, Lag, journeys
from streams.clock import Clock, Stopwatch
from streams.faust_host import FaustHost
from streams.faust_settings import FaustSettings, NotForFaust, credentials_of
from streams.kafka_settings import KafkaSettings
from streams.log import Busy, EventLog, LogFailed, TopicPartition
from streams.ticking import EVERY, Ticker

FAUST_GROUP: Final = "signals-faust"
STILL: Final = timedelta(minutes=2)
"""A host that neither handles nor ticks for so long, while the log answers, stands still."""
STOP: Final = timedelta(seconds=8)


def faust_settings(
    kafka: KafkaSettings, partitions: int, code_version: str, topics: Sequence[str] = TOPICS
) -> FaustSettings:
    """Return what a host is told. UserError names a property that Faust cannot keep."""
    try:
        credentials_of(kafka.client)
    except (NotForFaust, OSError) as problem:
        raise UserError(
            f'[log.client] {problem}. Let signals run on our own runner: [signals] host = "runner".'
        ) from problem
    return FaustSettings(
        client=kafka.client,
        group=FAUST_GROUP,
        topics=tuple(topics),
        changelog=kafka.states[FAUST_GROUP],
        prefix=kafka.prefix,
        epoch=kafka.epoch,
        partitions=partitions,
        folder=Path(mkdtemp(prefix="pnl-signals-")),
        code_version=code_version,
    )


class FaustSignalsRole:
    """A host on Faust, watched. `step` and `close` belong to one thread."""

    def __init__(
        self,
        log: EventLog,
        host: FaustHost,
        metrics: Metrics,
        clock: Clock,
        *,
        topics: Sequence[str] = TOPICS,
        every: timedelta = EVERY,
        still: timedelta = STILL,
    ) -> None:
        self._host = host
        self._metrics = metrics
        self._ticker = Ticker(log, topics, clock, every, journeys(log))
        self._lag = Lag(log, metrics)
        self._still = still
        self._moved = Stopwatch()
        self._progress = -1
        self._handled = self.ticks = 0
        host.start()

    def step(self, wait: timedelta) -> int:
        """Let the host work; return how many records it has handled since.

        Raises what the host ended with, and LogFailed where it stands still while the log answers.
        """
        if self._host.wait(wait):
            raise self._host.fault or LogFailed("Faust has ended by itself")
        if self._host.is_ready:
            at = self._due()
            if at is not None:
                self._host.tick(at)
        self._watch()
        handled, self._handled = self._host.handled - self._handled, self._host.handled
        ticks, self.ticks = self._host.ticks - self.ticks, self._host.ticks
        self._metrics.signals_ticks.inc(ticks)
        return handled

    def _due(self) -> int | None:
        try:
            return self._ticker.due(self._host.positions())
        except Busy:
            self._moved = Stopwatch()
            raise

    def _watch(self) -> None:
        """Blame a host that stands still; not one that waits for journeys."""
        if self._ticker.is_held or self._host.progress != self._progress:
            self._progress, self._moved = self._host.progress, Stopwatch()
        elif self._moved.elapsed() > self._still:
            raise LogFailed(
                f"Faust stands still: nothing was handled for {self._still.total_seconds():.0f} "
                "seconds, though the log answers"
            )

    def positions(self) -> Mapping[TopicPartition, int]:
        """Return the next offset of each partition that is owned."""
        return self._host.positions()

    def missing(self) -> str | None:
        """Say that partitions are being restored; None when they are."""
        return None if self._host.is_ready else RESTORING

    def measure(self) -> None:
        """Measure the lag; from any thread. Busy or LogFailed when the log does not answer."""
        self._lag.show(self._host.positions())

    def close(self) -> None:
        """Leave the group; what takes longer ends with the process."""
        self._host.stop(STOP)
