"""What a worker process does: journeys, the sink or the auditor, stepped, with its figures."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from pnl.auditor.auditor import Auditor
from pnl.auditor.findings import Found
from pnl.auditor.notices import Notices
from pnl.engine import GROUP as JOURNEYS
from pnl.engine import HOT_FACTS, JourneysHandler, LawBroken
from pnl.metrics import Metrics
from pnl.reports.freshness import freshness
from pnl.workers.metered import Metered
from processors.policy import Policies
from sinks.rows import SOURCES
from sinks.sink import GROUP as SINK
from sinks.sink import Sink
from sinks.store import Store
from streams.clock import Clock, Stopwatch, pause
from streams.kafka_consumer import KafkaConsumer
from streams.kafka_log import KafkaLog
from streams.log import Consumer, EventLog, TopicPartition
from streams.runner import Runner
from streams.topics import INPUT_NAMES, JOURNEYS_STATE, OUTPUT_NAMES, STORED_NAMES

if TYPE_CHECKING:
    from processors.live_churn import LiveModel

_LOGGER: Final = logging.getLogger("pnl")
_REVENUE: Final = """
SELECT currency, sumIf(amount_minor, line = 'unattributed') AS unattributed,
    -sumIf(amount_minor, line = 'net') AS net
FROM v_rollup_hourly WHERE line IN ('unattributed', 'net') GROUP BY currency"""
_DISKS: Final = "SELECT name, free_space, total_space FROM system.disks"
_TABLES: Final = tuple(target.table for each in SOURCES.values() for target in each.targets)
QUIET: Final = timedelta(minutes=1)
"""A partition number without a record for so long is told to be quiet, again and again."""
RESTORING: Final = "This worker does not own its partitions yet, or restores their state."


class Owned:
    """How far a group's member is behind in what it owns, and how often that changed."""

    def __init__(self, name: str, log: EventLog, consumer: Consumer, metrics: Metrics) -> None:
        self._name = name
        self._log = log
        self._consumer = consumer
        self._metrics = metrics
        self._assignment = 0
        self._replaced = 0
        self._shown: set[TopicPartition] = set()

    @property
    def is_settled(self) -> bool:
        """Whether this member knows its partitions and their state is restored."""
        if not isinstance(self._consumer, KafkaConsumer):
            return True
        return self._consumer.is_settled and self._consumer.assignment > 0

    def changed(self) -> bool:
        """Count what happened to the member since the last call; say whether it owns others."""
        if isinstance(self._consumer, KafkaConsumer):
            replaced = self._consumer.producers_replaced
            self._metrics.producers_replaced.labels(self._name).inc(replaced - self._replaced)
            self._replaced = replaced
        now, before = self._consumer.assignment, self._assignment
        self._metrics.assignments.labels(self._name).inc(now - before)
        self._assignment = now
        return now != before

    def show_lag(self, positions: Mapping[TopicPartition, int], topics: tuple[str, ...]) -> None:
        """Measure how far these positions are from the ends; forget those owned no more.

        On Kafka the last offset of an output is its transaction's end, which nobody reads.
        """
        is_output = topics == STORED_NAMES and isinstance(self._consumer, KafkaConsumer)
        unread = 1 if is_output else 0
        lag = self._metrics.consumer_lag
        ends = {topic: self._log.end_offsets(topic) for topic in topics} if positions else {}
        for place in self._shown - positions.keys():
            lag.remove(place.topic, str(place.partition))
        for place, at in positions.items():
            behind = max(0, ends[place.topic].get(place.partition, at) - at - unread)
            lag.labels(place.topic, str(place.partition)).set(behind)
        self._shown = set(positions)


class JourneysRole:
    """A member of the group `journeys`. `step` and `close` belong to one thread."""

    def __init__(
        self,
        log: EventLog,
        policies: Policies,
        metrics: Metrics,
        clock: Clock,
        *,
        code_version: str,
        records_max: int,
        hot_facts: int = HOT_FACTS,
        risk: "LiveModel | None" = None,
        newer: "Callable[[], LiveModel | None]" = lambda: None,
    ) -> None:
        self._newer = newer
        self._handler = JourneysHandler(
            policies, code_version=code_version, hot_facts=hot_facts, risk=risk
        )
        self._metered = Metered(self._handler, metrics, clock)
        self._metrics = metrics
        self._clock = clock
        self._consumer = log.consumer(JOURNEYS, INPUT_NAMES)
        self._owned = Owned(JOURNEYS, log, self._consumer, metrics)
        self._runner = Runner(
            self._consumer,
            self._metered,
            epoch=log.epoch,
            code_version=code_version,
            records_max=records_max,
        )
        self._positions = self._consumer.committed()

    def step(self, wait: timedelta) -> int:
        """Process one batch; return how many records it held. Raises as `Runner.step` does."""
        before = self._clock.now_ms()
        if (model := self._newer()) is not None:
            self._handler.use(model)
        try:
            records = self._runner.step(wait)
        except LawBroken as broken:
            self._metrics.law_breaches.labels(broken.law).inc()
            raise
        if self._owned.changed():
            self._positions = self._consumer.committed()
            self.assert_accepted()
        if not records:
            self._runner.tell_quiet(before, QUIET)
        return records

    def assert_accepted(self) -> None:
        """Raise ConfigurationRefused unless what is owned may be booked by our rules."""
        for partition in sorted({place.partition for place in self._consumer.committed()}):
            self._handler.assert_accepted(partition)

    def missing(self) -> str | None:
        """Say that partitions are being restored; None when they are."""
        return None if self._owned.is_settled else RESTORING

    def measure(self) -> None:
        """Measure the lag; from any thread. Busy or LogFailed when the log does not answer."""
        positions = self._positions
        known = {place: self._metered.positions.get(place, at) for place, at in positions.items()}
        self._owned.show_lag(known, INPUT_NAMES)
        self._metered.show_event_time_lag()

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()


class SinkRole:
    """A member of the group `sink`. `step` and `close` belong to one thread.

    It stores nothing while the auditor has halted it, and stays a member of its group.
    """

    def __init__(
        self, log: EventLog, store: Store, metrics: Metrics, clock: Clock, *, code_version: str
    ) -> None:
        self.sink = Sink(log, store, code_version=code_version)
        self._owned = Owned(SINK, log, self.sink.owner, metrics)
        self._notices = Notices(log)
        self._halted: str | None = None
        self._log = log
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._rows: Counter[str] = Counter()

    def step(self, wait: timedelta) -> int:
        """Store the next records; return how many. Raises as `Sink.step` does."""
        took = Stopwatch()
        self._halted = self._notices.halted()
        self._metrics.sink_halted.set(0 if self._halted is None else 1)
        if self._halted is not None:
            self.sink.owner.keep()
            pause(wait.total_seconds())
            return 0
        records = self.sink.step(wait)
        self._owned.changed()
        self._metrics.sink_stalled.set(0 if self.sink.trouble is None else 1)
        if records:
            self._metrics.sink_records.inc(records)
            self._metrics.sink_flush_seconds.observe(took.elapsed().total_seconds())
            rows = self.sink.stored_rows()
            for table, count in (rows - self._rows).items():
                self._metrics.sink_rows.labels(table).inc(count)
            self._rows = rows
        return records

    def missing(self) -> str | None:
        """Say what keeps the sink from storing; None when nothing does."""
        if self._halted is not None:
            return f"The sink is {self._halted}."
        if not self._owned.is_settled:
            return RESTORING
        trouble = self.sink.trouble
        return None if trouble is None else f"The store takes no rows: {trouble}"

    def measure(self) -> None:
        """Measure lag, what is held, freshness, revenue, disks; from any thread.

        What the log and our own memory tell comes first: the store may not answer.
        """
        self._owned.show_lag(self.sink.progress(), STORED_NAMES)
        held = self.sink.held_rows()
        for table in _TABLES:
            self._metrics.sink_buffer_rows.labels(table).set(held[table])
        for each in freshness(self._store, self._clock, self._log).partitions:
            if each.behind_seconds is not None:
                self._metrics.store_freshness.labels(str(each.partition)).set(each.behind_seconds)
        for row in self._store.query(_REVENUE):
            self._metrics.unattributed.labels(row["currency"]).set(row["unattributed"])
            self._metrics.net_revenue.labels(row["currency"]).set(row["net"])
        for row in self._store.query(_DISKS):
            self._metrics.disk_free.labels(row["name"]).set(row["free_space"])
            self._metrics.disk_size.labels(row["name"]).set(row["total_space"])

    def close(self) -> None:
        """Give the group up."""
        self.sink.close()


class AuditorRole:
    """The auditor. `step` and `close` belong to one thread."""

    def __init__(
        self, log: EventLog, store: Store | None, policies: Policies, metrics: Metrics, clock: Clock
    ) -> None:
        self._metrics = metrics
        self._auditor = Auditor(
            log,
            store,
            policies,
            clock,
            open_ends=partial(_open_ends, log) if isinstance(log, KafkaLog) else None,
            state_topic=JOURNEYS_STATE if isinstance(log, KafkaLog) else None,
            on_alarm=self._alarmed,
        )

    def step(self, wait: timedelta) -> int:
        """Recount what is new; return how many records that were. Raises as `Auditor.step` does."""
        return self._auditor.step(wait)

    def missing(self) -> None:
        """Say nothing: the auditor reads on from wherever it is."""

    def measure(self) -> None:
        """Show the auditor's own figures; from any thread."""
        for name, value in self._auditor.gauges().items():
            if not name.startswith("alarms_total"):
                self._metrics.audit.labels(name).set(value)

    def close(self) -> None:
        """Commit where it got to and give the group up."""
        self._auditor.close()

    def _alarmed(self, found: Found) -> None:
        self._metrics.law_breaches.labels(found.law).inc()
        _LOGGER.error("alarm: %s: %s: %s", found.law, found.subject, found.detail)


def _open_ends(log: KafkaLog) -> dict[TopicPartition, tuple[int, int]]:
    """Return the last stable offset and the end of every output partition."""
    ends = {}
    for topic in OUTPUT_NAMES:
        undecided = log.undecided_offsets(topic)
        for partition, stable in log.end_offsets(topic).items():
            ends[TopicPartition(topic, partition)] = stable, stable + undecided[partition]
    return ends
