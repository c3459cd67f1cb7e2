"""Every metric moves, and counts what was committed alone."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from pnl.auditor.findings import Found
from pnl.auditor.notices import raise_alarms, resume
from pnl.metrics import Metrics
from pnl.workers.gauges import Gauges
from pnl.workers.metered import Metered
from pnl.workers.roles import JourneysRole, Owned, SinkRole
from processors.policy import Policy
from sinks.store import Store
from streams.clock import ManualClock
from streams.kafka_consumer import KafkaConsumer
from streams.log import Busy, Outgoing
from streams.memory_log import MemoryLog
from streams.runner import Runner
from streams.topics import CONTACTS, ORDERS
from tests.support.facts import BASE, at, contact, order
from tests.support.store import store as store
from tests.support.stored import NOW, append, memory_log

CLOCK = ManualClock(BASE + 365 * 86_400_000)
FACTS = [contact("c1", at(1)), order("o1", at(2)), order("o1", at(2))]


@pytest.fixture
def metrics() -> Metrics:
    """Return metrics in a registry of their own."""
    return Metrics(CollectorRegistry())


@pytest.fixture
def log() -> MemoryLog:
    """Return a log that holds a contact, an order twice and a record that is none."""
    held = memory_log()
    append(held, FACTS)
    held.append(ORDERS, [Outgoing(b"anna", b"no order")])
    return held


@pytest.fixture
def journeys(log: MemoryLog, metrics: Metrics) -> Iterator[JourneysRole]:
    """Return journeys on that log."""
    role = JourneysRole(log, Policy(), metrics, CLOCK, code_version="test", records_max=100)
    yield role
    role.close()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return a sample; None if it was never set."""
    return metrics.registry.get_sample_value(name, labels)


def test_records_are_counted_by_how_they_ended(journeys: JourneysRole, metrics: Metrics) -> None:
    """Applied, duplicate, dead with its reason; how old the newest event is; the lag before it."""
    journeys.step(NOW)
    journeys.measure()
    ended = {
        (topic, how): value(metrics, "pnl_records_total", topic=topic, disposition=how)
        for topic in (CONTACTS, ORDERS)
        for how in ("applied", "duplicate", "dead", "late")
    }
    assert {key: count for key, count in ended.items() if count} == {
        (CONTACTS, "applied"): 1, (ORDERS, "applied"): 1,
        (ORDERS, "duplicate"): 1, (ORDERS, "dead"): 1,
    }  # fmt: skip
    assert value(metrics, "pnl_dead_letters_total", topic=ORDERS, reason="not_json") == 1


def test_event_time_lag_is_how_old_the_newest_record_of_a_topic_is(
    journeys: JourneysRole, metrics: Metrics, log: MemoryLog
) -> None:
    """It grows while nothing comes; a record that cannot be read does not change it."""

    def lag() -> float:
        journeys.measure()
        lags = [
            value(metrics, "pnl_event_time_lag_seconds", topic=CONTACTS, partition=number)
            for number in "01"
        ]
        return max((each for each in lags if each is not None), default=-1)

    assert lag() == -1
    journeys.step(NOW)
    first = lag()
    assert first == (CLOCK.now_ms() - at(1)) / 1000
    CLOCK.advance(timedelta(seconds=60))
    log.append(CONTACTS, [Outgoing(b"k", b"no contact")])
    journeys.step(NOW)
    assert lag() == first + 60


def test_what_a_later_fact_takes_back_is_counted_by_line(
    journeys: JourneysRole, metrics: Metrics, log: MemoryLog
) -> None:
    """A revision of an order takes its former entries back."""
    append(log, [order("o2", at(2), 700)])
    journeys.step(NOW)
    assert value(metrics, "pnl_restatements_total", line="net") is None
    append(log, [order("o2", at(2), 500, revision=2)])
    journeys.step(NOW)
    assert value(metrics, "pnl_restatements_total", line="net") == 1


def test_lag_is_what_is_not_committed(
    journeys: JourneysRole, metrics: Metrics, log: MemoryLog
) -> None:
    """What came after the last batch is behind; nothing is once it was processed."""

    def behind() -> float:
        journeys.measure()
        found = (
            value(metrics, "pnl_consumer_lag_records", topic=CONTACTS, partition=str(n))
            for n in range(2)
        )
        return sum(lag for lag in found if lag is not None)

    journeys.step(NOW)
    assert behind() == 0
    append(log, [contact(f"c{n}", at(3)) for n in range(2, 7)])
    assert behind() == 5
    journeys.step(NOW)
    assert behind() == 0


class Refusing:
    """A handler under which no batch is ever committed."""

    def __init__(self, role: JourneysRole) -> None:
        self._metered: Metered = role._metered

    def __getattr__(self, name: str) -> object:
        if name == "promote":
            raise Busy("not committed")
        return getattr(self._metered, name)


def test_what_is_dropped_counts_nothing(log: MemoryLog, metrics: Metrics) -> None:
    """A batch that was processed and not committed is in no figure."""
    role = JourneysRole(log, Policy(), metrics, CLOCK, code_version="test", records_max=100)
    runner = Runner(role._consumer, Refusing(role), epoch=1, code_version="test")  # type: ignore[arg-type]
    with pytest.raises(Busy):
        runner.step(NOW)
    assert value(metrics, "pnl_records_total", topic=CONTACTS, disposition="applied") is None
    assert role._metered._batches == []
    role.close()


def test_the_sink_tells_what_it_stored_and_how_fresh_that_is(
    journeys: JourneysRole, metrics: Metrics, log: MemoryLog, store: Store
) -> None:
    """Records, time of a flush, revenue nobody earned, and the age of what is not stored."""
    append(log, [order("o9", at(2), 700, customer_id="nobody-called")])
    journeys.step(NOW)
    sink = SinkRole(log, store, metrics, CLOCK, code_version="test")
    while sink.step(timedelta()):
        pass
    sink.measure()
    assert (value(metrics, "pnl_sink_records_total") or 0) > 3
    assert value(metrics, "pnl_sink_flush_seconds_count") == 1
    assert value(metrics, "pnl_sink_stalled") == 0
    assert {value(metrics, "pnl_store_freshness_seconds", partition=n) for n in "01"} <= {0, None}
    assert value(metrics, "pnl_unattributed_minor", currency="GBP") == 700
    append(log, [contact("later", at(4))])
    CLOCK.advance(timedelta(seconds=30))
    sink.measure()
    ages = [value(metrics, "pnl_store_freshness_seconds", partition=n) for n in "01"]
    assert max(age for age in ages if age is not None) >= 30
    sink.close()


def test_a_halted_sink_stores_nothing_until_it_is_resumed(
    journeys: JourneysRole, metrics: Metrics, log: MemoryLog, store: Store
) -> None:
    """An alarm about money halts it before its first batch; it says so and stays a member."""
    journeys.step(NOW)
    raise_alarms(log, [Found("A1", "batch 1", "holds -1 entries")], 1, halting=True)
    sink = SinkRole(log, store, metrics, CLOCK, code_version="test")
    assert sink.step(timedelta()) == 0
    assert value(metrics, "pnl_sink_halted") == 1
    assert "halted by the auditor: A1" in str(sink.missing())
    resume(log, "looked into it", 2)
    fresh = SinkRole(log, store, metrics, CLOCK, code_version="test")
    assert fresh.step(timedelta()) > 0
    assert value(metrics, "pnl_sink_halted") == 0
    assert fresh.missing() is None
    fresh.close()


class Member(KafkaConsumer):
    """A member of a group on a cluster, as its figures see it."""

    def __init__(self) -> None:
        self.seen = (False, 0, 0)

    @property
    def is_settled(self) -> bool:
        """Whether its partitions are restored."""
        return self.seen[0]

    @property
    def assignment(self) -> int:
        """How often they changed."""
        return self.seen[1]

    @property
    def producers_replaced(self) -> int:
        """How often a commit was in doubt."""
        return self.seen[2]


def test_what_happens_to_a_member_is_counted(metrics: Metrics, log: MemoryLog) -> None:
    """New partitions and replaced producers are; ready is who owns what it was given."""
    member = Member()
    owned = Owned("journeys", log, member, metrics)
    assert (owned.changed(), owned.is_settled) == (False, False)
    member.seen = (True, 2, 1)
    assert (owned.changed(), owned.is_settled) == (True, True)
    assert not owned.changed()
    assert value(metrics, "pnl_assignments_total", worker="journeys") == 2
    assert value(metrics, "pnl_producers_replaced_total", worker="journeys") == 1


def test_a_gauge_that_cannot_be_measured_ends_nothing(metrics: Metrics) -> None:
    """It is counted, and the other gauges are measured."""
    measured: list[int] = []

    def busy() -> None:
        raise Busy("no broker answers")

    Gauges((busy, lambda: measured.append(1)), metrics).measure()
    assert measured == [1]
    assert value(metrics, "pnl_unmeasured_total") == 1
