"""Where the sink starts when log and store do not agree about what was stored.

Law: after `align`, everything before the group's committed offsets is in the store, and the store
holds nothing that the log does not.

The log is the system of record. A store that is behind (deleted, restored, or cut by a power
loss: chDB does not sync its files) is filled again: repeats are harmless. A store that is ahead,
or of another life of the log, holds records that the log will give out again with other content:
it is emptied and filled anew, if it is ours alone.
"""

from dataclasses import dataclass
from typing import Final

from sinks.rows import SOURCES
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from streams.log import Consumer, EventLog, TopicPartition

_KEPT: Final = frozenset({"ledger", "batches"})
"""Tables that hold a row of every offset; in the others a newer record hides an older one."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a table holds of one partition: the offset after its last, how many offsets."""

    next_offset: int
    offsets: int


def align(log: EventLog, store: Store, consumer: Consumer, ends: dict[str, dict[int, int]]) -> None:
    """Move the sink's group, or empty the store, until the law above holds.

    `ends` are the end offsets of the outputs from before anybody wrote to them anew.
    """
    held = {topic: _held(store, source.targets[0].table) for topic, source in SOURCES.items()}
    if _is_ahead(log.epoch, ends, held):
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
        store.command("TRUNCATE TABLE rollup_hourly")
        held = {topic: {} for topic in SOURCES}
    refused = _refused(store)
    starts = {topic: log.start_offsets(topic) for topic in SOURCES}
    again: dict[TopicPartition, int] = {}
    for place, committed in consumer.committed().items():
        start = starts[place.topic][place.partition]
        if start < committed and _lacks(
            SOURCES[place.topic].targets[0].table,
            held[place.topic].get((log.epoch, place.partition), _Held(start, 0)),
            committed,
            committed - start - refused.get((place.topic, log.epoch, place.partition), 0),
        ):
            again[place] = start
    if again:
        with consumer.transaction() as transaction:
            transaction.commit_offsets(again)
        consumer.rewind()


def _held(store: Store, table: str) -> dict[tuple[int, int], _Held]:
    rows = store.query(
        "SELECT log_epoch, log_partition, max(log_offset) + 1 AS next_offset,"
        f" uniqExact(log_offset) AS offsets FROM {table} GROUP BY log_epoch, log_partition"
    )
    return {
        (row["log_epoch"], row["log_partition"]): _Held(row["next_offset"], row["offsets"])
        for row in rows
    }


def _is_ahead(
    log_epoch: int,
    ends: dict[str, dict[int, int]],
    held: dict[str, dict[tuple[int, int], _Held]],
) -> bool:
    for topic, by_place in held.items():
        for (epoch, partition), held_here in by_place.items():
            if epoch != log_epoch or held_here.next_offset > ends[topic].get(partition, 0):
                return True
    return False


def _lacks(table: str, held: _Held, committed: int, offsets: int) -> bool:
    if table in _KEPT:
        return held.offsets < offsets
    return held.next_offset < committed


def _refused(store: Store) -> dict[tuple[str, int, int], int]:
    """Return how many offsets of an output the store refused: they are missing rightly."""
    rows = store.query(
        "SELECT src_topic, src_epoch, src_partition, uniqExact(src_offset) AS offsets"
        " FROM dead_letters GROUP BY src_topic, src_epoch, src_partition"
    )
    return {
        (row["src_topic"], row["src_epoch"], row["src_partition"]): row["offsets"] for row in rows
    }
