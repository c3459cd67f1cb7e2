"""What the log removes, and what it must not."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from streams import sqlite_trim
from streams.clock import ManualClock
from streams.failpoints import FailpointReached
from streams.log import Outgoing, Record, TopicPartition
from streams.sqlite_log import SqliteLog
from streams.sqlite_trim import DAY_MS, TRANSACTIONS_A_CALL
from streams.topics import TOPICS, Topic

EXPIRING = Topic(name="t", key="none", policy="expire", retention_days=30)
COMPACTED = Topic(name="t", key="number", policy="compact")
NO_WAIT = timedelta(0)
PLACE = TopicPartition("t", 0)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands at zero."""
    return ManualClock(0)


@pytest.fixture
def log(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteLog]:
    """Yield a log of one partition; at the end its content must agree with itself."""
    opened = SqliteLog(tmp_path / "log", clock=clock, partitions=1)
    yield opened
    opened.check()
    opened.close()


def append(log: SqliteLog, *keys: bytes | None) -> None:
    """Append records in one block; the value says how many there were before."""
    first = log.end_offsets("t")[0]
    log.append("t", [Outgoing(key, b"%d" % (first + n)) for n, key in enumerate(keys)])


def kept(log: SqliteLog) -> list[int]:
    """Return the offsets that are still there."""
    return [record.offset for record in log.read("t", 0, 0, 1_000_000)]


def trim_all(log: SqliteLog, topic: Topic, now: int = 0) -> int:
    """Trim until nothing goes any more; fails if that never comes."""
    removed = 0
    for _ in range(100):
        more = log.trim(topic, now)
        removed += more
        if more == 0 and log.trim(topic, now) == 0:
            return removed
    raise AssertionError("trimming finds no end")


# Expiry


def test_blocks_past_their_retention_go(log: SqliteLog, clock: ManualClock) -> None:
    """The start offset moves to the first that is younger; offsets are never given out again."""
    for _ in range(4):
        append(log, b"a", b"b")
        clock.advance(timedelta(days=10))
    assert log.trim(EXPIRING, 30 * DAY_MS) == 0, "not older than its retention"
    assert log.trim(EXPIRING, 40 * DAY_MS + 1) == 4
    assert kept(log) == [4, 5, 6, 7]
    assert (log.start_offsets("t"), log.end_offsets("t")) == ({0: 4}, {0: 8})
    assert log.trim(EXPIRING, 400 * DAY_MS) == 4
    assert kept(log) == []
    assert (log.start_offsets("t"), log.end_offsets("t")) == ({0: 8}, {0: 8})
    append(log, b"c")
    assert kept(log) == [8]


def test_what_a_group_has_not_read_stays(log: SqliteLog) -> None:
    """However old it is; it goes when the slowest group is through."""
    for _ in range(3):
        append(log, b"a", b"b")
    fast, slow = log.consumer("fast", ["t"]), log.consumer("slow", ["t"])
    with fast.transaction() as transaction:
        transaction.commit_offsets({PLACE: 6})
    assert log.trim(EXPIRING, 99 * DAY_MS) == 0
    with slow.transaction() as transaction:
        transaction.commit_offsets({PLACE: 3})
    assert log.trim(EXPIRING, 99 * DAY_MS) == 2, "the block it is in the middle of stays"
    slow.rewind()
    assert [record.offset for record in slow.poll(10, NO_WAIT)] == [3, 4, 5]


def test_a_new_group_starts_at_the_oldest_record_kept(log: SqliteLog, clock: ManualClock) -> None:
    """Not at offset 0, where nothing is any more."""
    append(log, b"a", b"b")
    clock.advance(timedelta(days=40))
    append(log, b"c")
    log.trim(EXPIRING, clock.now_ms())
    consumer = log.consumer("late", ["t"])
    assert consumer.committed() == {PLACE: 2}
    assert [record.offset for record in consumer.poll(10, NO_WAIT)] == [2]


def test_a_call_removes_a_bounded_amount(log: SqliteLog) -> None:
    """So that appenders wait only shortly; the next call goes on."""
    blocks_a_call = sqlite_trim.BLOCKS_A_TRANSACTION * TRANSACTIONS_A_CALL
    for _ in range(blocks_a_call + 5):
        append(log, b"a")
    assert log.trim(EXPIRING, 99 * DAY_MS) == blocks_a_call
    assert log.trim(EXPIRING, 99 * DAY_MS) == 5


def test_a_clock_that_was_set_back_removes_nothing_early(
    log: SqliteLog, clock: ManualClock
) -> None:
    """An old block behind a younger one waits for it: what goes is always the oldest part."""
    clock.advance(timedelta(days=20))
    append(log, b"a")
    clock.advance(timedelta(days=-20))
    append(log, b"b")
    assert log.trim(EXPIRING, 31 * DAY_MS) == 0
    assert log.trim(EXPIRING, 51 * DAY_MS) == 2


def test_the_ledger_is_never_trimmed(log: SqliteLog) -> None:
    """Its policy says keep, and so does that of the batch records."""
    for name in ("pnl.ledger.v1", "pnl.batches.v1"):
        log.append(name, [Outgoing(b"a", b"1"), Outgoing(b"a", b"2")])
        assert log.trim(TOPICS[name], 9_999 * DAY_MS) == 0
        assert len(log.read(name, 0, 0, 10)) == 2


def test_an_unknown_topic_has_nothing_to_trim(log: SqliteLog) -> None:
    """It is empty."""
    assert log.trim(EXPIRING, 0) == log.trim(COMPACTED, 0) == 0


@pytest.mark.parametrize("topic", [EXPIRING, COMPACTED], ids=["expire", "compact"])
def test_a_failure_in_the_middle_removes_nothing(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, topic: Topic
) -> None:
    """The blocks and what is noted about them change together."""
    append(log, b"a")
    append(log, b"a")
    monkeypatch.setenv("PNL_FAILPOINTS", "S8:1:raise")
    with pytest.raises(FailpointReached):
        log.trim(topic, 99 * DAY_MS)
    monkeypatch.delenv("PNL_FAILPOINTS")
    assert kept(log) == [0, 1]
    log.check()


# Compaction


def test_compaction_keeps_the_newest_record_of_each_key(log: SqliteLog) -> None:
    """At the offset it always had; records without a key are nobody's to replace."""
    append(log, b"a", b"b", None, b"a")
    append(log, b"c", b"a", None)
    assert trim_all(log, COMPACTED) == 2
    assert kept(log) == [1, 2, 4, 5, 6]
    assert [r.value for r in log.read("t", 0, 0, 10)] == [b"1", b"2", b"4", b"5", b"6"]
    assert (log.start_offsets("t"), log.end_offsets("t")) == ({0: 0}, {0: 7})


def test_a_compacted_record_keeps_its_time_and_headers(log: SqliteLog, clock: ManualClock) -> None:
    """Blocks are joined, their records are not altered."""
    log.append("t", [Outgoing(b"a", b"1", (("h", b"x"),)), Outgoing(b"b", b"2")])
    clock.advance(timedelta(seconds=1))
    log.append("t", [Outgoing(b"b", None), Outgoing(b"c", b"3")])
    trim_all(log, COMPACTED)
    assert log.read("t", 0, 0, 10) == [
        Record("t", 0, 0, 0, b"a", b"1", (("h", b"x"),)),
        Record("t", 0, 2, 1_000, b"b", None, ()),
        Record("t", 0, 3, 1_000, b"c", b"3", ()),
    ]


def test_compaction_waits_for_the_slowest_group(log: SqliteLog) -> None:
    """What it has not read it may still want to see, one after the other."""
    consumer = log.consumer("slow", ["t"])
    for _ in range(4):
        append(log, b"a", b"a")
    with consumer.transaction() as transaction:
        transaction.commit_offsets({PLACE: 4})
    trim_all(log, COMPACTED)
    assert kept(log) == [3, 4, 5, 6, 7]
    consumer.rewind()
    assert [record.offset for record in consumer.poll(10, NO_WAIT)] == [4, 5, 6, 7]


@pytest.mark.parametrize("start", range(9))
def test_reading_goes_on_over_the_gaps(log: SqliteLog, start: int) -> None:
    """From any offset, held or not, the next records held follow, in batches of any size."""
    append(log, b"a", b"b", b"a", b"c", b"a")
    append(log, b"a", b"b", b"d")
    trim_all(log, COMPACTED)
    assert kept(log) == [3, 5, 6, 7]
    expected = [offset for offset in (3, 5, 6, 7) if offset >= start]
    assert [r.offset for r in log.read("t", 0, start, 10)] == expected
    assert [r.offset for r in log.read("t", 0, start, 2)] == expected[:2]
    consumer = log.consumer("reader", ["t"])
    with consumer.transaction() as transaction:
        transaction.commit_offsets({PLACE: min(start, 8)})
    consumer.rewind()
    polled: list[int] = []
    while records := consumer.poll(1, NO_WAIT):
        polled += [record.offset for record in records]
    assert polled == expected


def test_small_blocks_are_joined(log: SqliteLog) -> None:
    """A topic written a record at a time ends up in few blocks."""
    for n in range(300):
        append(log, b"%d" % n)
    assert log.check() == 300
    trim_all(log, COMPACTED)
    assert log.check() <= 5
    assert kept(log) == list(range(300))


@pytest.mark.parametrize("seed", range(6))
def test_any_mixture_of_appends_and_calls_keeps_the_newest(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Against a dictionary: the newest is always there, and in the end nearly nothing else."""
    monkeypatch.setattr(sqlite_trim, "RUN_RECORDS", 40)
    monkeypatch.setattr(sqlite_trim, "RUN_BLOCKS", 5)
    monkeypatch.setattr(sqlite_trim, "TRANSACTIONS_A_CALL", 3)
    monkeypatch.setattr(sqlite_trim, "SWEEP_KEYS_MAX", 60)
    chosen = random.Random(seed)
    append(log, b"0")
    newest = {b"0": 0}
    end = 1
    for _ in range(200):
        if chosen.random() < 0.6:
            keys = [b"%d" % chosen.randrange(50) for _ in range(chosen.randrange(1, 20))]
            append(log, *keys)
            newest.update((key, end + n) for n, key in enumerate(keys))
            end += len(keys)
        else:
            log.trim(COMPACTED, 0)
            there = {r.offset: r for r in log.read("t", 0, 0, 1_000_000)}
            assert list(there) == sorted(there)
            assert {offset: there[offset].key for offset in newest.values()} == {
                offset: key for key, offset in newest.items()
            }
            assert all(r.value == b"%d" % r.offset for r in there.values())
            swept, sweep_end = log._writer.execute("SELECT swept, sweep_end FROM stream").fetchone()
            if sweep_end == 0:
                older = [r.key for offset, r in there.items() if offset < swept]
                assert len(older) == len(set(older)), "below `swept` every key is there once"
    for _ in range(100):
        log.trim(COMPACTED, 0)
    log.check()
    assert len(kept(log)) <= len(newest) * 3 // 2 + 20
