"""How current the figures are.

Law: what is behind is counted in the log itself, end to end: a record counts as arrived when the
batch that accounts for it is in the store. Batch records are stored last, so what they account
for is there before them.
"""

from collections.abc import Mapping

from pnl.reports.evidence import Freshness, PartitionFreshness
from pnl.reports.sql import Queryable
from streams.clock import Clock
from streams.facts import Millis
from streams.log import Busy, EventLog, LogFailed, TopicPartition
from streams.topics import INPUT_NAMES


def as_of(store: Queryable) -> Millis | None:
    """Return the largest event time applied, None before there is any."""
    (row,) = store.query(
        "SELECT toUnixTimestamp64Milli(max(event_time_max)) AS as_of FROM v_batches"
    )
    return None if row["as_of"] is None else int(row["as_of"])


def version(store: Queryable) -> tuple[int, ...]:
    """Return a mark that is another one after every batch that was stored."""
    (row,) = store.query(
        "SELECT count() AS batches, max(log_epoch) AS epoch, sum(log_offset) AS offsets"
        " FROM v_batches"
    )
    return int(row["epoch"]), int(row["batches"]), int(row["offsets"])


def freshness(store: Queryable, clock: Clock, log: EventLog | None) -> Freshness:
    """Return how current the figures are; what is behind is unknown while no log answers."""
    rows = store.query(
        "SELECT log_partition, toUnixTimestamp64Milli(max(event_time_max)) AS as_of,"
        " toUnixTimestamp64Milli(max(logged_at_max)) AS logged"
        " FROM v_batches GROUP BY log_partition ORDER BY log_partition"
    )
    behind = None if log is None else _behind_if_known(store, clock, log)
    partitions = tuple(
        PartitionFreshness(
            partition=row["log_partition"],
            as_of=row["as_of"],
            logged_at_max=row["logged"],
            behind_records=None
            if behind is None
            else behind.get(row["log_partition"], (0, 0.0))[0],
            behind_seconds=None
            if behind is None
            else behind.get(row["log_partition"], (0, 0.0))[1],
        )
        for row in rows
    )
    return Freshness(
        as_of=max((row["as_of"] for row in rows if row["as_of"] is not None), default=None),
        logged_at_max=max((row["logged"] for row in rows), default=None),
        behind_records=None if behind is None else sum(count for count, _ in behind.values()),
        behind_seconds=None
        if behind is None
        else max((seconds for _, seconds in behind.values()), default=0.0),
        partitions=partitions,
    )


def _behind_if_known(
    store: Queryable, clock: Clock, log: EventLog
) -> dict[int, tuple[int, float]] | None:
    try:
        return _behind(store, clock, log)
    except (Busy, LogFailed):  # the books can be read without it
        return None


def _behind(store: Queryable, clock: Clock, log: EventLog) -> dict[int, tuple[int, float]]:
    """Return, per partition number, the records not yet stored and the age of the oldest."""
    done = _stored_to(store, log.epoch)
    now = clock.now_ms()
    found: dict[int, tuple[int, float]] = {}
    for topic in INPUT_NAMES:
        starts = log.start_offsets(topic)
        for partition, end in log.end_offsets(topic).items():
            stored = max(done.get(TopicPartition(topic, partition), 0), starts.get(partition, 0))
            records, seconds = found.get(partition, (0, 0.0))
            if stored < end:
                oldest = log.read(topic, partition, stored, 1)
                if oldest:  # the last offsets may hold no record
                    age = max(0, now - oldest[0].logged_at) / 1000
                    records, seconds = records + end - stored, max(seconds, age)
            found[partition] = records, seconds
    return found


def _stored_to(store: Queryable, epoch: int) -> Mapping[TopicPartition, int]:
    rows = store.query(
        "SELECT src_topic, src_partition, max(end_offset) AS stored_to FROM v_batch_sources"
        " WHERE log_epoch = {epoch:UInt64} GROUP BY src_topic, src_partition",
        {"epoch": epoch},
    )
    return {
        TopicPartition(row["src_topic"], row["src_partition"]): row["stored_to"] for row in rows
    }
