"""What every EventLog promises. A log that passes here may stand behind the runner.

The tests name no implementation: a *place* is where a log lies, and calling it opens a log
there, any number of times. What another log opened on the same place sees, another process sees.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from streams.clock import Deadline, ManualClock
from streams.log import (
    Busy,
    Consumer,
    EventLog,
    Fenced,
    OffsetRange,
    Outgoing,
    Record,
    TopicPartition,
    shelf_of,
)
from streams.memory_log import MemoryLog, MemoryPlace
from streams.partitions import partition_of
from streams.sqlite_log import SqliteLog

Place: TypeAlias = Callable[[], EventLog]
Partitioner: TypeAlias = Callable[[bytes, int], int]

NOW_MS = 1_700_000_000_000
NO_WAIT = timedelta(0)
LONG_WAIT = timedelta(seconds=20)
INPUT, OTHER, OUTPUT = "contacts", "orders", "pnl.ledger.v1"
GROUP = "journeys"


def _memory(_: Path) -> Place:
    place = MemoryPlace(ManualClock(NOW_MS))
    return lambda: MemoryLog(place)


def _sqlite(folder: Path) -> Place:
    clock = ManualClock(NOW_MS)
    return lambda: SqliteLog(folder / "log", clock=clock, wait=timedelta(seconds=1))


PLACES: dict[str, Callable[[Path], Place]] = {"memory": _memory, "sqlite": _sqlite}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Yield a way to open logs on one empty place; all of them are closed at the end."""
    opening = PLACES[request.param](tmp_path)
    with ExitStack() as opened:

        def open_log() -> EventLog:
            log = opening()
            opened.callback(log.close)
            return log

        yield open_log


@pytest.fixture
def now_ms() -> int:
    """Return the time of the log's clock."""
    return NOW_MS


@pytest.fixture
def partition_in() -> Partitioner:
    """Return the function that decides a key's partition."""
    return partition_of


@pytest.fixture
def log(place: Place) -> EventLog:
    """Return an empty log."""
    return place()


def values(count: int, key: bytes | None = None, first: int = 0) -> list[Outgoing]:
    """Return records whose values are their numbers."""
    return [Outgoing(key, b"%d" % n) for n in range(first, first + count)]


def everything(log: EventLog, topic: str) -> dict[int, list[Record]]:
    """Return all records of a topic by partition."""
    return {
        partition: log.read(topic, partition, 0, 1_000_000) for partition in range(log.partitions)
    }


def owner_of(log: EventLog, group: str, topics: list[str]) -> Consumer:
    """Return a consumer that owns its partitions: some logs hand them over while it polls."""
    consumer = log.consumer(group, topics)
    deadline = Deadline(LONG_WAIT)
    while not consumer.committed():
        consumer.keep()
        assert deadline.seconds_left(), "nothing was assigned"
    return consumer


def drain(consumer: Consumer, count: int, records_max: int = 1_000) -> list[Record]:
    """Poll until so many records came; fails at the end of a long wait."""
    records: list[Record] = []
    while len(records) < count:
        more = consumer.poll(records_max, LONG_WAIT)
        assert more, f"{len(records)} of {count} records came"
        records += more
    return records


def standing(consumer: Consumer) -> dict[TopicPartition, int]:
    """Return where a consumer stands, without the partitions where nothing was committed."""
    return {place: offset for place, offset in consumer.committed().items() if offset}


def read_soon(log: EventLog, topic: str, partition: int, count: int) -> list[Record]:
    """Read records that were committed just now: a cluster shows them a moment later."""
    deadline = Deadline(LONG_WAIT)
    while True:
        records = log.read(topic, partition, 0, 1_000_000)
        if len(records) >= count or not deadline.seconds_left():
            return records


def assert_end(log: EventLog, topic: str, counts: dict[int, int]) -> None:
    """Fail unless a topic has so many records; its end may lie behind the end of a transaction."""
    for number, count in counts.items():
        read_soon(log, topic, number, count)
    records = {number: part for number, part in everything(log, topic).items() if part}
    assert {number: len(part) for number, part in records.items()} == counts
    for number, end in log.end_offsets(topic).items():
        last = records[number][-1].offset if number in records else -1
        assert last < end
        assert log.read(topic, number, end, 1) == []


class Abandoned(Exception):
    """Stands for whatever ends a transaction half-way."""


# Appending and reading


def test_an_empty_log_has_offsets_of_zero_and_no_records(log: EventLog) -> None:
    """A topic that nobody wrote is empty, not unknown."""
    zero = dict.fromkeys(range(log.partitions), 0)
    assert log.partitions == 4
    assert (log.start_offsets(INPUT), log.end_offsets(INPUT)) == (zero, zero)
    assert everything(log, INPUT) == {partition: [] for partition in zero}
    assert log.committed(GROUP) == {}


def test_appending_nothing_gives_no_ranges(log: EventLog) -> None:
    """No records, no ranges, no offsets."""
    assert log.append(INPUT, []) == []
    assert set(log.end_offsets(INPUT).values()) == {0}


def test_a_record_comes_back_as_it_was_sent(log: EventLog) -> None:
    """Keys, values and headers are bytes that nobody looks into; each of them may be missing."""
    sent = [
        Outgoing(b"key", b"value", (("h", b"1"), ("h", b""), ("é", b"\xff\x00"))),
        Outgoing(b"key", None),
        Outgoing(b"key", b""),
        Outgoing(b"key", b"\x00\xff" * 3),
    ]
    (given,) = log.append(INPUT, sent)
    read = log.read(INPUT, given.partition, 0, 10)
    assert [(record.key, record.value, record.headers) for record in read] == sent
    assert [record.offset for record in read] == [0, 1, 2, 3]
    assert {(record.topic, record.partition) for record in read} == {(INPUT, given.partition)}
    assert all(isinstance(record, Record) for record in read)


def test_a_record_without_a_key_lies_in_partition_zero(
    log: EventLog, partition_in: Partitioner
) -> None:
    """Null and empty keys are keys too; only the missing one has no partition of its own."""
    assert log.append(INPUT, values(2)) == [OffsetRange(INPUT, 0, 0, 2)]
    (empty,) = log.append(OTHER, [Outgoing(b"", None)])
    assert empty.partition == partition_in(b"", log.partitions)
    assert log.read(INPUT, 0, 0, 1)[0].key is None
    assert log.read(OTHER, empty.partition, 0, 1)[0].key == b""


def test_a_key_keeps_to_its_partition_in_the_order_sent(
    log: EventLog, partition_in: Partitioner
) -> None:
    """Every record of a key lies in one partition, oldest first, over several appends."""
    keys = [b"customer-%d" % n for n in range(50)]
    for round_number in range(4):
        log.append(INPUT, [Outgoing(key, b"%d" % round_number) for key in keys])
    for partition, records in everything(log, INPUT).items():
        for key in {record.key for record in records}:
            assert partition_in(key or b"", log.partitions) == partition
            assert [r.value for r in records if r.key == key] == [b"0", b"1", b"2", b"3"]


def test_offsets_are_gapless_and_the_ranges_say_which(log: EventLog) -> None:
    """Each partition counts from zero without a hole; an append is told what it was given."""
    for first in (0, 100, 250):
        sent = [Outgoing(b"%d" % n, b"%d" % n) for n in range(first, first + 100)]
        before = log.end_offsets(INPUT)
        ranges = log.append(INPUT, sent)
        assert [given.partition for given in ranges] == sorted({r.partition for r in ranges})
        assert {r.partition: r.start for r in ranges} == {
            r.partition: before[r.partition] for r in ranges
        }
        assert sum(given.end - given.start for given in ranges) == 100
        after = log.end_offsets(INPUT)
        assert {r.partition: r.end for r in ranges} == {
            r.partition: after[r.partition] for r in ranges
        }
    for partition, records in everything(log, INPUT).items():
        assert [r.offset for r in records] == list(range(log.end_offsets(INPUT)[partition]))


def test_a_record_bears_the_time_of_the_log(log: EventLog, now_ms: int) -> None:
    """`logged_at` is processing time when it was appended, whoever reads it later."""
    log.append(INPUT, values(1))
    (read,) = log.read(INPUT, 0, 0, 1)
    (polled,) = drain(owner_of(log, GROUP, [INPUT]), 1)
    assert read == polled
    assert abs(read.logged_at - now_ms) <= 60_000


@pytest.mark.parametrize("start", [0, 1, 499, 500, 999, 1_000, 1_234, 2_999])
def test_reading_starts_at_any_offset(log: EventLog, start: int) -> None:
    """Also in the middle of what one call appended."""
    for first in (0, 1_000, 2_000):
        log.append(INPUT, values(1_000, first=first))
    assert [r.offset for r in log.read(INPUT, 0, start, 7)] == list(
        range(start, min(3_000, start + 7))
    )


def test_reading_at_or_behind_the_end_gives_nothing(log: EventLog) -> None:
    """The end offset is the place of the next record, not of one."""
    log.append(INPUT, values(3))
    assert log.read(INPUT, 0, 3, 10) == []
    assert log.read(INPUT, 0, 99, 10) == []


def test_a_large_append_keeps_its_order(log: EventLog) -> None:
    """However the log divides what it was given, the order is that of the call."""
    log.append(INPUT, values(25_000))
    assert [r.value for r in log.read(INPUT, 0, 0, 30_000)] == [b"%d" % n for n in range(25_000)]


def test_large_values_come_back_whole(log: EventLog) -> None:
    """Five records of 900 KiB are nothing special."""
    sent = [Outgoing(b"k", bytes([n]) * 900 * 1024) for n in range(5)]
    (given,) = log.append(INPUT, sent)
    assert [r.value for r in log.read(INPUT, given.partition, 0, 10)] == [r.value for r in sent]


def test_several_appenders_lose_and_double_nothing(place: Place) -> None:
    """Threads on two logs append at once: every record is there once, each one's own in order."""
    logs = [place(), place()]

    def append(worker: int) -> None:
        for n in range(20):
            logs[worker % 2].append(INPUT, [Outgoing(b"same", b"%d:%d" % (worker, n))])

    workers = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    (records,) = [records for records in everything(logs[0], INPUT).values() if records]
    assert [record.offset for record in records] == list(range(80))
    for number in range(4):
        own = [r.value for r in records if r.value and r.value.startswith(b"%d:" % number)]
        assert own == [b"%d:%d" % (number, n) for n in range(20)]


# Polling


def test_a_new_group_starts_at_the_beginning(log: EventLog) -> None:
    """Records from before the group existed are read too."""
    log.append(INPUT, values(5))
    consumer = owner_of(log, GROUP, [INPUT])
    assert [r.value for r in drain(consumer, 5)] == [b"0", b"1", b"2", b"3", b"4"]
    assert set(consumer.committed().values()) == {0}
    assert consumer.committed().keys() == {
        TopicPartition(INPUT, partition) for partition in range(log.partitions)
    }


def test_polls_go_on_from_each_other(log: EventLog) -> None:
    """No record is polled twice or left out, whatever the batch size."""
    log.append(INPUT, values(1_000))
    consumer = owner_of(log, GROUP, [INPUT])
    polled = drain(consumer, 1_000, records_max=300)
    assert [r.offset for r in polled] == list(range(1_000))
    assert consumer.poll(300, NO_WAIT) == []


def test_a_batch_is_never_larger_than_asked_for(log: EventLog) -> None:
    """`records_max` bounds a poll over all partitions and topics together."""
    for topic in (INPUT, OTHER):
        log.append(topic, [Outgoing(b"%d" % n, None) for n in range(200)])
    consumer = owner_of(log, GROUP, [INPUT, OTHER])
    sizes: list[int] = []
    while sum(sizes) < 400:
        sizes.append(len(consumer.poll(7, LONG_WAIT)))
    assert max(sizes) == 7
    assert sum(sizes) == 400


def test_no_partition_starves(log: EventLog) -> None:
    """Each of them comes up within as many polls of one record as there are partitions."""
    for topic in (INPUT, OTHER):
        log.append(topic, [Outgoing(b"%d" % n, None) for n in range(400)])
    consumer = owner_of(log, GROUP, [INPUT, OTHER])
    seen = {
        (record.topic, record.partition)
        for _ in range(2 * log.partitions)
        for record in consumer.poll(1, LONG_WAIT)
    }
    assert seen == {(topic, p) for topic in (INPUT, OTHER) for p in range(log.partitions)}


def test_a_large_batch_is_shared_out(log: EventLog) -> None:
    """A partition with little to say leaves its share to the others: the batch gets full."""
    log.append(INPUT, values(1_000))
    log.append(OTHER, values(10))
    records = owner_of(log, GROUP, [INPUT, OTHER]).poll(100, LONG_WAIT)
    assert len(records) == 100
    assert sum(record.topic == OTHER for record in records) == 10


def test_a_poll_keeps_the_order_of_each_partition(log: EventLog) -> None:
    """Within a batch too, a partition's records are in offset order."""
    log.append(INPUT, [Outgoing(b"%d" % n, None) for n in range(500)])
    last: dict[int, int] = {}
    for record in drain(owner_of(log, GROUP, [INPUT]), 500, records_max=33):
        assert record.offset == last.get(record.partition, -1) + 1
        last[record.partition] = record.offset


def test_a_poll_without_records_ends_after_its_wait(log: EventLog) -> None:
    """It returns empty-handed, and not before."""
    consumer = owner_of(log, GROUP, [INPUT])
    deadline = Deadline(timedelta(milliseconds=50))
    assert consumer.poll(10, timedelta(milliseconds=60)) == []
    assert deadline.seconds_left() == 0.0


def test_a_waiting_poll_sees_what_another_log_appends(place: Place) -> None:
    """Who waits for records gets them long before the wait is over."""
    reader, writer = place(), place()
    consumer = owner_of(reader, GROUP, [INPUT])
    polled: list[Record] = []
    waiting = threading.Thread(target=lambda: polled.extend(consumer.poll(10, LONG_WAIT)))
    deadline = Deadline(LONG_WAIT / 2)
    waiting.start()
    writer.append(INPUT, values(1))
    waiting.join()
    assert [record.value for record in polled] == [b"0"]
    assert deadline.seconds_left() > 0.0


def test_rewinding_goes_back_to_what_is_committed(log: EventLog) -> None:
    """What was polled and not committed comes again; what was committed does not."""
    log.append(INPUT, values(100))
    consumer = owner_of(log, GROUP, [INPUT])
    drain(consumer, 30, records_max=30)
    with consumer.transaction() as transaction:
        transaction.commit_offsets({TopicPartition(INPUT, 0): 30})
    consumer.poll(30, LONG_WAIT)
    consumer.rewind()
    assert [r.offset for r in drain(consumer, 70)] == list(range(30, 100))


@pytest.mark.parametrize("polled", [5, 10, 15, 30])
def test_rewinding_goes_back_over_several_appends(log: EventLog, polled: int) -> None:
    """From wherever the polls had come, in the middle of an append or at its end."""
    for first in (0, 10, 20):
        log.append(INPUT, values(10, first=first))
    consumer = owner_of(log, GROUP, [INPUT])
    drain(consumer, polled, records_max=polled)
    consumer.rewind()
    assert [r.offset for r in drain(consumer, 30, records_max=7)] == list(range(30))


def test_groups_do_not_feel_each_other(log: EventLog) -> None:
    """Each reads all records at its own pace and keeps its own state."""
    log.append(INPUT, values(10))
    first, second = owner_of(log, GROUP, [INPUT]), owner_of(log, "sink", [INPUT])
    drain(first, 10)
    with first.transaction() as transaction:
        transaction.commit_offsets({TopicPartition(INPUT, 0): 10})
        transaction.put_state(0, [(b"k", b"v")])
    drain(second, 10)
    assert standing(second) == {}
    assert second.state.load(0, b"") == []


# Transactions


def write(consumer: Consumer, *, abandoned: bool = False) -> None:
    """Write outputs, state and offsets in one transaction, and end it well or badly."""
    with consumer.transaction() as transaction:
        transaction.produce(OUTPUT, 2, values(3))
        transaction.put_state(1, [(b"c/1", b"one"), (b"c/2", b"two")])
        transaction.commit_offsets({TopicPartition(INPUT, 0): 4})
        if abandoned:
            raise Abandoned


def test_a_transaction_makes_its_parts_visible_together(place: Place) -> None:
    """Before the end of it nobody sees anything, afterwards everybody everything."""
    log, other = place(), place()
    log.append(INPUT, values(10))
    consumer = owner_of(log, GROUP, [INPUT])
    with consumer.transaction() as transaction:
        transaction.produce(OUTPUT, 2, values(3))
        transaction.put_state(1, [(b"k", b"v")])
        transaction.commit_offsets({TopicPartition(INPUT, 0): 4})
        assert other.read(OUTPUT, 2, 0, 10) == []
        assert other.end_offsets(OUTPUT)[2] == 0
        assert consumer.state.load(1, b"") == []
        assert standing(consumer) == {}
        assert not any(other.committed(GROUP).values())
    assert [r.value for r in read_soon(other, OUTPUT, 2, 3)] == [b"0", b"1", b"2"]
    assert_end(other, OUTPUT, {2: 3})
    assert consumer.state.load(1, b"") == [(b"k", b"v")]
    assert standing(consumer) == {TopicPartition(INPUT, 0): 4}
    assert standing(consumer) == {at: to for at, to in other.committed(GROUP).items() if to}


def test_an_abandoned_transaction_leaves_nothing(log: EventLog) -> None:
    """Neither output nor state nor offset survives, and the exception goes on to the caller."""
    log.append(INPUT, values(10))
    consumer = owner_of(log, GROUP, [INPUT])
    with pytest.raises(Abandoned):
        write(consumer, abandoned=True)
    assert everything(log, OUTPUT) == {0: [], 1: [], 2: [], 3: []}
    assert consumer.state.load(1, b"") == []
    assert standing(consumer) == {}
    write(consumer)
    assert [r.value for r in read_soon(log, OUTPUT, 2, 3)] == [b"0", b"1", b"2"]


def test_outputs_of_a_transaction_keep_their_order(log: EventLog) -> None:
    """Several calls for one partition follow each other; other partitions do not matter."""
    consumer = owner_of(log, GROUP, [INPUT])
    with consumer.transaction() as transaction:
        transaction.produce(OUTPUT, 1, values(2))
        transaction.produce(OUTPUT, 3, values(1, first=50))
        transaction.produce(OUTPUT, 1, values(2, first=2))
        transaction.produce(OUTPUT, 0, [])
    assert [r.value for r in read_soon(log, OUTPUT, 1, 4)] == [b"0", b"1", b"2", b"3"]
    assert [r.value for r in read_soon(log, OUTPUT, 3, 1)] == [b"50"]
    assert_end(log, OUTPUT, {1: 4, 3: 1})


def test_a_transaction_may_write_nothing(log: EventLog) -> None:
    """An empty one is allowed and changes nothing."""
    consumer = owner_of(log, GROUP, [INPUT])
    with consumer.transaction():
        pass
    assert standing(consumer) == {}


def test_a_partition_that_is_not_there_is_refused(log: EventLog) -> None:
    """Neither outputs nor state nor offsets can be put where nobody would find them."""
    consumer = owner_of(log, GROUP, [INPUT])
    with pytest.raises(ValueError, match="partition"), consumer.transaction() as transaction:
        transaction.produce(OUTPUT, 4, values(1))
    with pytest.raises(ValueError, match="partition"), consumer.transaction() as transaction:
        transaction.put_state(-1, [(b"k", b"v")])
    with pytest.raises(ValueError, match="orders"), consumer.transaction() as transaction:
        transaction.commit_offsets({TopicPartition(OTHER, 0): 0})


def test_an_offset_behind_the_end_cannot_be_committed(log: EventLog) -> None:
    """And nothing of the transaction that tried survives."""
    log.append(INPUT, values(3))
    consumer = owner_of(log, GROUP, [INPUT])
    with pytest.raises(ValueError, match="offset 4"):
        write(consumer)
    assert_end(log, OUTPUT, {})
    assert standing(consumer) == {}


def test_read_process_write_takes_every_record_once(log: EventLog) -> None:
    """Whatever is abandoned between, the output is the input, in order, once."""
    log.append(INPUT, [Outgoing(b"%d" % n, b"%d" % n) for n in range(1_000)])
    consumer = owner_of(log, GROUP, [INPUT])
    attempts = 0
    left = 1_000
    while left:
        records = consumer.poll(77, LONG_WAIT)
        attempts += 1
        try:
            with consumer.transaction() as transaction:
                for record in records:
                    transaction.produce(
                        OUTPUT, record.partition, [Outgoing(record.key, record.value)]
                    )
                    place = TopicPartition(INPUT, record.partition)
                    transaction.commit_offsets({place: record.offset + 1})
                if attempts % 3 == 1:
                    raise Abandoned
        except Abandoned:
            consumer.rewind()
        else:
            left -= len(records)
    counts = {number: len(part) for number, part in everything(log, INPUT).items()}
    assert_end(log, OUTPUT, counts)
    inputs, outputs = everything(log, INPUT), everything(log, OUTPUT)
    assert {p: [r.value for r in records] for p, records in outputs.items()} == {
        p: [r.value for r in records] for p, records in inputs.items()
    }


# State


def test_state_is_loaded_by_shelf_in_key_order(log: EventLog) -> None:
    """A shelf is all of a key up to its last NUL: longer and shorter ones are other shelves."""
    consumer = owner_of(log, GROUP, [INPUT])
    keys = [
        b"",
        b"a",
        b"a\x00",
        b"a\xff",
        b"a\x00b",
        b"a\x00\xff",
        b"a\x00b\x00",
        b"\x00c",
        b"\xff",
    ]
    with consumer.transaction() as transaction:
        transaction.put_state(0, [(key, b"v" + key) for key in reversed(keys)])
    load = consumer.state.load
    assert load(0, b"") == [(key, b"v" + key) for key in (b"", b"a", b"a\xff", b"\xff")]
    assert [key for key, _ in load(0, b"a\x00")] == [b"a\x00", b"a\x00b", b"a\x00\xff"]
    assert [key for key, _ in load(0, b"a\x00b\x00")] == [b"a\x00b\x00"]
    assert [key for key, _ in load(0, b"\x00")] == [b"\x00c"]
    assert load(0, b"c\x00") == []
    assert load(1, b"") == []


def test_state_of_many_shelves_is_loaded_at_once(log: EventLog) -> None:
    """Each shelf gets what it would get alone, in the order asked, however many there are."""
    consumer = owner_of(log, GROUP, [INPUT])
    keys = [b"%04d\x00%d" % (n, m) for n in range(0, 1500, 2) for m in range(n % 4)]
    with consumer.transaction() as transaction:
        transaction.put_state(0, [(key, b"v" + key) for key in [*keys, b"\xff\x00\x01"]])
    shelves = [*(b"%04d\x00" % n for n in reversed(range(1500))), b"\xff\x00", b"0002\x00", b""]
    state = consumer.state
    assert state.load_each(0, shelves) == [state.load(0, shelf) for shelf in shelves]
    assert sum(map(len, state.load_each(0, shelves[:-2]))) == len(keys) + 1
    assert state.load_each(1, shelves) == [[] for _ in shelves]
    assert state.load_each(0, []) == []


def test_every_shelf_is_named_once(log: EventLog) -> None:
    """Also those between whose keys another shelf's lie, and more than one look finds."""
    consumer = owner_of(log, GROUP, [INPUT])
    keys = [b"", b"a", b"a\x00a", b"a\x00b\x00c", b"a\x00c", b"b\x00", b"\x00x", b"\xff"]
    keys += [b"%05d\x00%d" % (n, m) for n in range(3_000) for m in range(2)]
    with consumer.transaction() as transaction:
        transaction.put_state(0, [(key, b"v") for key in keys])
    found = list(consumer.state.shelves(0))
    assert len(found) == len(set(found))
    assert set(found) == {shelf_of(key) for key in keys}
    assert list(consumer.state.shelves(1)) == []


def test_state_is_replaced_and_removed(log: EventLog) -> None:
    """The last change of a key counts, within a transaction and over several."""
    consumer = owner_of(log, GROUP, [INPUT])
    with consumer.transaction() as transaction:
        transaction.put_state(0, [(b"a", b"1"), (b"b", b"1"), (b"c", b"1"), (b"e", b"")])
    with consumer.transaction() as transaction:
        transaction.put_state(0, [(b"a", b"2"), (b"b", None), (b"d", None)])
        transaction.put_state(0, [(b"a", b"3"), (b"c", None)])
        transaction.put_state(0, [(b"c", b"2")])
    assert consumer.state.load(0, b"") == [(b"a", b"3"), (b"c", b"2"), (b"e", b"")]


def test_much_state_is_kept(log: EventLog) -> None:
    """Thousands of keys in one transaction, half of them removed in the next."""
    consumer = owner_of(log, GROUP, [INPUT])
    keys = [b"%05d" % n for n in range(5_000)]
    with consumer.transaction() as transaction:
        transaction.put_state(3, ((key, key * 20) for key in keys))
    with consumer.transaction() as transaction:
        transaction.put_state(3, ((key, None) for key in keys[::2]))
    assert consumer.state.load(3, b"") == [(key, key * 20) for key in keys[1::2]]


# Ownership


def test_a_former_owner_is_fenced(log: EventLog) -> None:
    """Who takes a group over is its owner; the other one can write nothing more."""
    log.append(INPUT, values(10))
    former = owner_of(log, GROUP, [INPUT])
    drain(former, 10)
    owner = owner_of(log, GROUP, [INPUT])
    with pytest.raises(Fenced, match=GROUP):
        write(former)
    assert everything(log, OUTPUT) == {0: [], 1: [], 2: [], 3: []}
    write(owner)
    with pytest.raises(Fenced, match=GROUP):
        write(former)
    assert_end(log, OUTPUT, {2: 3})
    former.close()
    write(owner)


def test_two_logs_never_own_a_group_both(place: Place) -> None:
    """Either the second must wait for the first to go, or the first is fenced."""
    first = place()
    first.append(INPUT, values(10))
    former = owner_of(first, GROUP, [INPUT])
    try:
        owner = owner_of(place(), GROUP, [INPUT])
    except Busy:
        write(former)
    else:
        write(owner)
        with pytest.raises(Fenced):
            write(former)
    assert_end(first, OUTPUT, {2: 3})


def test_a_group_given_up_goes_on_where_it_stood(place: Place) -> None:
    """Its next owner, on another log, has its offsets and its state."""
    first = place()
    first.append(INPUT, values(10))
    former = owner_of(first, GROUP, [INPUT])
    write(former)
    former.close()
    former.close()
    owner = owner_of(place(), GROUP, [INPUT])
    assert standing(owner) == {TopicPartition(INPUT, 0): 4}
    assert [r.offset for r in drain(owner, 6)] == [4, 5, 6, 7, 8, 9]
    assert owner.state.load(1, b"") == [(b"c/1", b"one"), (b"c/2", b"two")]


def test_a_closed_consumer_says_so(log: EventLog) -> None:
    """Using what was given up is a mistake of ours, not an empty topic."""
    consumer = owner_of(log, GROUP, [INPUT])
    consumer.close()
    with pytest.raises(ValueError, match="closed"):
        consumer.poll(1, NO_WAIT)
    with pytest.raises(ValueError, match="closed"):
        write(consumer)


def test_a_group_may_come_to_read_another_topic(log: EventLog) -> None:
    """The topics it knew go on where they stood, the new one starts at its beginning."""
    log.append(INPUT, values(10))
    log.append(OTHER, values(2))
    former = owner_of(log, GROUP, [INPUT])
    write(former)
    former.close()
    owner = owner_of(log, GROUP, [INPUT, OTHER])
    assert sorted((r.topic, r.offset) for r in drain(owner, 8)) == [
        *((INPUT, offset) for offset in range(4, 10)),
        *((OTHER, offset) for offset in range(2)),
    ]


# Closing and opening


def test_what_was_committed_is_there_when_the_log_is_opened_again(place: Place) -> None:
    """Records, offsets, state and the log's epoch outlive every log that was open."""
    log = place()
    log.append(INPUT, values(10))
    write(owner_of(log, GROUP, [INPUT]))
    epoch, inputs, outputs = log.epoch, everything(log, INPUT), everything(log, OUTPUT)
    log.close()
    log.close()
    again = place()
    assert again.epoch == epoch
    assert (everything(again, INPUT), everything(again, OUTPUT)) == (inputs, outputs)
    assert again.committed(GROUP)[TopicPartition(INPUT, 0)] == 4
    assert owner_of(again, GROUP, [INPUT]).state.load(1, b"")[0] == (b"c/1", b"one")
    assert again.append(INPUT, values(1)) == [OffsetRange(INPUT, 0, 10, 11)]


def test_a_closed_log_takes_nothing(place: Place) -> None:
    """Appending to it is a mistake of ours and is named as one; so is using its consumers."""
    log = place()
    consumer = owner_of(log, GROUP, [INPUT])
    log.close()
    with pytest.raises(ValueError, match="closed"):
        log.append(INPUT, values(1))
    with pytest.raises(ValueError, match="closed"):
        consumer.poll(1, NO_WAIT)
    assert set(place().end_offsets(INPUT).values()) == {0}
