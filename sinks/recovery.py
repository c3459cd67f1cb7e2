"""Where a sink starts in the partitions it was given, when log and store may not agree.

Law: after `align`, everything before the group's committed offsets in these partitions is in the
store and in the roll-up, and the store holds nothing of them that the log does not.

The log is the system of record. A store that is behind (deleted, restored, or cut by a power
loss: chDB does not sync its files) is filled again: repeats are harmless. What was stored after
the last mark is read again, since it may not be in the roll-up. A store that is ahead, or of
another life of the log, holds records that the log will give out again with other content: it is
emptied and filled anew, if it is ours alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sinks.progress import Mark, read_marks
from sinks.rows import SOURCES
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from streams.failpoints import failpoint
from streams.log import Consumer, EventLog, TopicPartition

_KEPT: Final = frozenset({"ledger", "batches"})
"""Tables that hold a row of every record; in the others a newer record hides an older one."""

Ends = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class _Held:
    """What a table holds of one partition: its last offset, how many before the mark."""

    last_offset: int
    records: int


def align(
    log: EventLog,
    store: Store,
    consumer: Consumer,
    places: Collection[TopicPartition],
    ends: Ends | None,
) -> dict[TopicPartition, Mark]:
    """Move the sink's group in these partitions, or empty the store, until the law above holds.

    Returns a mark of each partition, at which the consumer goes on. `ends` are the end offsets of
    the outputs from before anybody wrote to them anew; None where others write and store all the
    time: then what they have stored by now lies before the ends of now.
    """
    failpoint("K5")
    marks = read_marks(store, log.epoch)
    held = {topic: _held(store, topic, log.epoch, places, marks) for topic in SOURCES}
    if _is_ahead(log, ends or {topic: log.end_offsets(topic) for topic in SOURCES}, held):
        _empty(store)
        marks, held = {}, {topic: {} for topic in SOURCES}
    starts = {topic: log.start_offsets(topic) for topic in SOURCES}
    committed = consumer.committed()
    begin = {
        place: _begin(
            starts[place.topic][place.partition],
            committed[place],
            marks.get(place),
            held[place.topic].get((log.epoch, place.partition)),
            is_kept=SOURCES[place.topic].targets[0].table in _KEPT,
        )
        for place in places
    }
    again = {
        place: mark.next_offset
        for place, mark in begin.items()
        if mark.next_offset != committed[place]
    }
    if again:
        with consumer.transaction() as transaction:
            transaction.commit_offsets(again)
        consumer.rewind()
    return begin


def _begin(
    start: int, committed: int, mark: Mark | None, held: _Held | None, *, is_kept: bool
) -> Mark:
    """Return where to go on: at the mark if the table holds what it says, else at the start."""
    if mark is None:
        return Mark(start, 0, -1)
    holds = mark.records == 0 or (
        held is not None
        and held.last_offset >= mark.last_offset
        and (held.records >= mark.records or not is_kept)
    )
    if holds and start <= mark.next_offset <= committed:
        return mark
    return Mark(start, 0, -1, mark.fill + 1)


def _held(
    store: Store,
    topic: str,
    epoch: int,
    places: Collection[TopicPartition],
    marks: Mapping[TopicPartition, Mark],
) -> dict[tuple[int, int], _Held]:
    """Return what the topic's table holds, by epoch and partition.

    A bitmap counts exactly and stays small, since offsets lie close together.
    """
    partitions = [place.partition for place in places if place.topic == topic]
    if not partitions:
        return {}
    counted = {
        number: mark.next_offset
        for number in partitions
        if (mark := marks.get(TopicPartition(topic, number))) is not None
    } or {partitions[0]: 0}
    rows = store.query(
        "SELECT log_epoch, log_partition, max(log_offset) AS last_offset,"
        " groupBitmapIf(toUInt64(log_offset), log_epoch = {epoch:UInt64} AND log_offset <"
        " transform(log_partition, {counted:Array(UInt16)}, {marks:Array(Int64)}, toInt64(0)))"
        " AS records"
        f" FROM {SOURCES[topic].targets[0].table}"
        " WHERE log_partition IN {partitions:Array(UInt16)} GROUP BY log_epoch, log_partition",
        {
            "epoch": epoch,
            "counted": list(counted),
            "marks": list(counted.values()),
            "partitions": partitions,
        },
    )
    return {
        (row["log_epoch"], row["log_partition"]): _Held(row["last_offset"], row["records"])
        for row in rows
    }


def _is_ahead(
    log: EventLog, ends: Ends, held: Mapping[str, Mapping[tuple[int, int], _Held]]
) -> bool:
    return any(
        epoch != log.epoch or found.last_offset >= ends[topic].get(partition, 0)
        for topic, by_place in held.items()
        for (epoch, partition), found in by_place.items()
    )


def _empty(store: Store) -> None:
    """Empty the store if it is ours alone."""
    if not store.embedded:
        raise StoreError(
            f"the store {store.database!r} holds records that this log does not: it belongs "
            "to another log, or the log was restored from a copy; empty the store's database "
            "to have it filled anew from the log",
            None,
            Remedy.STOP,
        )
    for source in SOURCES.values():
        for target in source.targets:
            store.command(f"TRUNCATE TABLE {target.table}")
    for table in (
        *("rollup_hourly", "rollup_monthly", "rollup_months"),
        *("rollup_contacts", "rollup_orders", "rollup_editions"),
    ):
        store.command(f"TRUNCATE TABLE {table}")
    store.command("TRUNCATE TABLE progress")
