"""How far each output is in the store: what a sink says of its partitions, for the next one.

Law: a mark is true whoever writes it and whenever: all before `next_offset` is stored and in the
roll-up, and that was `records` records, the last of them at `last_offset`. So of several marks the
one furthest on counts, and a late one of a sink that owns the partition no more does no harm.
Only a partition that lost rows and is filled again from the start is marked anew: by its `fill`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sinks.store import Store
from streams.log import EventLog, TopicPartition


@dataclass(frozen=True, slots=True)
class Mark:
    """What of a partition is stored; records that the store refused are not counted."""

    next_offset: int
    records: int
    last_offset: int
    fill: int = 0

    def then(self, end: int, records: int, last_offset: int) -> "Mark":
        """Return the mark after a batch that stored so many records, up to `end`."""
        last = last_offset if records else self.last_offset
        return Mark(end, self.records + records, last, self.fill)


NOTHING: Final = Mark(0, 0, -1)
_VERSION: Final = 2**48
_READ: Final = (
    "SELECT topic, log_partition, next_offset, records, last_offset, fill FROM v_progress"
)
_WRITE: Final = """
INSERT INTO progress
    (topic, log_epoch, log_partition, next_offset, records, last_offset, fill, version)
SELECT tupleElement(mark, 1), {epoch:UInt64}, tupleElement(mark, 2), tupleElement(mark, 3),
    tupleElement(mark, 4), tupleElement(mark, 5), tupleElement(mark, 6), tupleElement(mark, 7)
FROM (SELECT arrayJoin(arrayZip({topics:Array(String)}, {partitions:Array(UInt16)},
    {next_offsets:Array(Int64)}, {records:Array(Int64)}, {last_offsets:Array(Int64)},
    {fills:Array(UInt16)}, {versions:Array(UInt64)})) AS mark)"""


def read_marks(store: Store, epoch: int) -> dict[TopicPartition, Mark]:
    """Return the marks of a life of the log."""
    rows = store.query(f"{_READ} WHERE log_epoch = {{epoch:UInt64}}", {"epoch": epoch})
    return {
        TopicPartition(row["topic"], row["log_partition"]): Mark(
            row["next_offset"], row["records"], row["last_offset"], row["fill"]
        )
        for row in rows
    }


def write_marks(store: Store, epoch: int, marks: Mapping[TopicPartition, Mark]) -> None:
    """Note how far the store is."""
    store.insert(
        _WRITE,
        {
            "epoch": epoch,
            "topics": [place.topic for place in marks],
            "partitions": [place.partition for place in marks],
            "next_offsets": [mark.next_offset for mark in marks.values()],
            "records": [mark.records for mark in marks.values()],
            "last_offsets": [mark.last_offset for mark in marks.values()],
            "fills": [mark.fill for mark in marks.values()],
            "versions": [mark.fill * _VERSION + mark.next_offset for mark in marks.values()],
        },
    )


def is_reached(log: EventLog, place: TopicPartition, at: int, end: int) -> bool:
    """Say whether no record lies in the offsets `[at, end)`: the last ones may hold none."""
    return at >= end or all(
        record.offset >= end for record in log.read(place.topic, place.partition, at, 1)
    )
