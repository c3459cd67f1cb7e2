"""A partition to which nothing comes says so once a minute, and costs its books nothing."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from pnl.auditor.partition import _SEED_BATCHES
from pnl.metrics import Metrics
from pnl.reports.freshness import freshness
from pnl.workers.roles import JourneysRole
from processors.policy import Policy
from processors.results import BatchRecord
from sinks.store import Store
from streams.clock import ManualClock
from streams.log import EventLog, TopicPartition
from streams.memory_log import MemoryLog, MemoryPlace
from streams.sqlite_log import SqliteLog
from streams.topics import BATCHES
from tests.auditor.world import World
from tests.support.facts import BASE, at, contact, order
from tests.support.store import store as store
from tests.support.stored import NOW, append, copy, memory_log


def batches(log: EventLog, partition: int) -> list[BatchRecord]:
    """Return the batch records of a partition number."""
    decode = msgspec.json.Decoder(BatchRecord).decode
    return [decode(record.value or b"") for record in log.read(BATCHES, partition, 0, 10_000)]


def role(log: EventLog, clock: ManualClock) -> JourneysRole:
    """Return journeys on a log."""
    metrics = Metrics(CollectorRegistry())
    return JourneysRole(log, Policy(), metrics, clock, code_version="test", records_max=100)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_quiet_partition_is_accounted_for(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch without records, of now; offsets stay, and the next facts are read."""
    clock = ManualClock(BASE + 365 * 86_400_000)
    log: EventLog = (
        MemoryLog(MemoryPlace(clock, 2))
        if kind == "memory"
        else SqliteLog(tmp_path / "log", clock=clock, partitions=2)
    )
    append(log, [contact("c1", at(1)), order("o1", at(2), 700)])
    journeys = role(log, clock)
    monkeypatch.setattr("pnl.workers.roles.QUIET", timedelta())
    assert journeys.step(NOW) == 2
    before = log.committed("journeys")
    clock.advance(timedelta(minutes=1))
    assert journeys.step(NOW) == 0
    told = [batches(log, number)[-1] for number in range(2)]
    assert [each.logged_at_max for each in told] == [clock.now_ms()] * 2
    assert [(each.sources, each.out_rows) for each in told] == [((), 0)] * 2
    assert {each.event_time_max for each in told} == {None, at(2)}
    assert {place: to for place, to in log.committed("journeys").items() if to} == {
        place: to for place, to in before.items() if to
    }
    append(log, [contact("c2", at(3))])
    assert journeys.step(NOW) == 1
    ids = [batch.batch_id for number in range(2) for batch in batches(log, number)]
    assert len(ids) == len(set(ids)) == 4
    journeys.close()
    log.close()


def test_a_partition_is_told_to_be_quiet_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with every step that finds nothing."""
    log, clock = memory_log(), ManualClock()
    journeys = role(log, clock)
    for _ in range(3):
        journeys.step(NOW)
    assert batches(log, 0) == []
    monkeypatch.setattr("pnl.workers.roles.QUIET", timedelta(milliseconds=50))
    for _ in range(3):
        journeys.step(timedelta(milliseconds=60))
    assert 1 <= len(batches(log, 0)) <= 3


def test_what_is_quiet_is_fresh_and_adds_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition to which nothing ever came is known to be up to date; no law is broken."""
    clock = ManualClock(BASE + 365 * 86_400_000)
    world = World(MemoryPlace(clock, 2), clock)
    log = world.log
    append(log, [contact("c1", at(1)), order("o1", at(2), 700)])
    journeys = role(log, clock)
    journeys.step(NOW)
    monkeypatch.setattr("pnl.workers.roles.QUIET", timedelta())
    clock.advance(timedelta(minutes=1))
    journeys.step(NOW)
    copy(log, store)
    found = freshness(store, clock, log).partitions
    assert [(each.partition, each.behind_seconds) for each in found] == [(0, 0.0), (1, 0.0)]
    assert {each.logged_at_max for each in found} == {clock.now_ms()}
    append(log, [order("o1", at(2), 500, revision=2)])
    journeys.step(NOW)
    world.stored_all()
    assert world.audited() == []


def test_an_auditor_looks_back_through_a_quiet_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After hours without input it still knows where the ranges ended, and misses a gap in them."""
    clock = ManualClock(BASE + 365 * 86_400_000)
    world = World(MemoryPlace(clock, 1), clock)
    append(world.log, [contact(f"c{number}", at(1)) for number in range(5)])
    journeys = role(world.log, clock)
    journeys.step(NOW)
    monkeypatch.setattr("pnl.workers.roles.QUIET", timedelta())
    for _ in range(_SEED_BATCHES + 10):
        clock.advance(timedelta(minutes=1))
        journeys.step(NOW)
    world.stored_all()
    assert world.audited() == []
    assert world.log.committed("auditor")[TopicPartition(BATCHES, 0)] > _SEED_BATCHES
    append(world.log, [contact("later", at(2))])
    journeys.step(NOW)
    last = len(world.values(BATCHES)) - 1
    (source,) = world.values(BATCHES)[last].sources
    skipped = msgspec.structs.replace(source, start=source.start + 1, end=source.end + 1)
    world.change(BATCHES, last, sources=(skipped,))
    world.stored_all()
    assert "R2" in {each.law for each in world.audited()}
