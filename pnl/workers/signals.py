"""What a worker of signals does on our runner, with its figures: embedded, or on Kafka.

Law: it ticks when, and only when, all that was there at that moment has been handled: the facts
by journeys, and then what journeys made of them here. While journeys stand still, so does time.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from pnl.engine import GROUP as JOURNEYS
from pnl.metrics import Metrics
from pnl.workers.roles import RESTORING, Owned
from processors.alert_rules import AlertRules
from processors.signals import Signals
from processors.window_book import too_late
from processors.windows import WindowRules
from streams.clock import Clock
from streams.facts import Millis
from streams.log import EventLog, TopicPartition
from streams.runner import Runner
from streams.signal_host import Arrived, Emitted, SignalHandler
from streams.signals_on_runner import SignalsOnRunner
from streams.ticking import EVERY, Ticker, Upstream
from streams.topics import ACTIVITY, ALERT_ACTIONS, AUDIT, CHURN, INPUT_NAMES

GROUP: Final = "signals"
TOPICS: Final = (CHURN, ACTIVITY, ALERT_ACTIONS, AUDIT)


def signals(rules: AlertRules, timezone: str) -> Signals:
    """Return the handler: every host runs the same."""
    return Signals(rules, WindowRules(zone=timezone))


def journeys(log: EventLog) -> Upstream:
    """Return who has to have read the facts before time goes on."""
    return Upstream(log, JOURNEYS, INPUT_NAMES)


class Figured:
    """A handler whose state is looked at, after each tick, for the figures that are in it."""

    def __init__(self, handler: SignalHandler, metrics: Metrics) -> None:
        self._handler = handler
        self._gauge = metrics.windows_too_late

    def apply(self, state: MutableMapping[str, bytes], arrived: Arrived) -> Sequence[Emitted]:
        """Do as the handler does."""
        return self._handler.apply(state, arrived)

    def tick(
        self, state: MutableMapping[str, bytes], partition: int, now: Millis
    ) -> Sequence[Emitted]:
        """Do as the handler does, and say how much came too late for its window."""
        emitted = self._handler.tick(state, partition, now)
        if partition == 0:
            for size, count in too_late(state).items():
                self._gauge.labels(size).set(count)
        return emitted


class SignalsRole:
    """A member of the group `signals` on our runner. `step` and `close` belong to one thread."""

    def __init__(
        self,
        log: EventLog,
        handler: SignalHandler,
        metrics: Metrics,
        clock: Clock,
        *,
        code_version: str,
        topics: Sequence[str] = TOPICS,
        records_max: int = 1_000,
        every: timedelta = EVERY,
    ) -> None:
        self._metrics = metrics
        self._consumer = log.consumer(GROUP, topics)
        self._handler = SignalsOnRunner(Figured(handler, metrics), log.epoch)
        self._runner = Runner(
            self._consumer,
            self._handler,
            epoch=log.epoch,
            code_version=code_version,
            records_max=records_max,
        )
        self._owned = Owned(GROUP, log, self._consumer, metrics)
        self._ticker = Ticker(log, topics, clock, every, journeys(log))
        self._lag = Lag(log, metrics)
        self.ticks = 0
        """How often time did its part."""

    def step(self, wait: timedelta) -> int:
        """Handle the next records, or let time do its part; return how many records those were.

        Raises as `Runner.step` does.
        """
        records = self._runner.step(wait)
        self._owned.changed()
        at = self._ticker.due(self._consumer.committed()) if self._owned.is_settled else None
        if at is not None:
            self._runner.tick(self._handler, at)
            self.ticks += 1
            self._metrics.signals_ticks.inc()
        return records

    def positions(self) -> Mapping[TopicPartition, int]:
        """Return the next offset of each partition that is owned."""
        return self._consumer.committed()

    def missing(self) -> str | None:
        """Say that partitions are being restored; None when they are."""
        return None if self._owned.is_settled else RESTORING

    def measure(self) -> None:
        """Measure the lag; from any thread. Busy or LogFailed when the log does not answer."""
        self._lag.show(self._consumer.committed())

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()


class Lag:
    """How far places are from the ends of their topics; on Kafka a batch's end counts as one."""

    def __init__(self, log: EventLog, metrics: Metrics) -> None:
        self._log = log
        self._gauge = metrics.consumer_lag
        self._shown: set[TopicPartition] = set()

    def show(self, positions: Mapping[TopicPartition, int]) -> None:
        """Set the gauges, and forget what is owned no more."""
        ends = {topic: self._log.end_offsets(topic) for topic in {at.topic for at in positions}}
        for place in self._shown - positions.keys():
            with suppress(KeyError):
                self._gauge.remove(place.topic, str(place.partition))
        for place, at in positions.items():
            behind = max(0, ends[place.topic].get(place.partition, at) - at)
            self._gauge.labels(place.topic, str(place.partition)).set(behind)
        self._shown = set(positions)
