"""Appending rows to the log, and finding out how each of them ended.

Law: the counts are those of the rows this import appended, however many others append at the
same time: read = applied + duplicate + late + dead-lettered.

Every append is given ranges of offsets; a batch record says which offsets of its range did not
end as *applied*. Where the two meet are our rows that ended otherwise.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

import msgspec

from pnl.errors import CheckFailed
from processors.results import BatchRecord
from streams.clock import Deadline, pause
from streams.log import Busy, EventLog, OffsetRange, Outgoing, TopicPartition
from streams.topics import BATCHES

BATCH_BYTES_MAX: Final = 8 << 20
BUSY_WAIT: Final = timedelta(seconds=60)
BUSY_PAUSE_SECONDS: Final = 0.05
READ_RECORDS_MAX: Final = 500


class Keyed(Protocol):
    """What is appended: a key and a value."""

    @property
    def key(self) -> bytes:
        """The record's key."""
        ...

    @property
    def value(self) -> bytes:
        """The record's value."""
        ...


@dataclass(slots=True)
class Appended:
    """The offsets that were given to us: per topic and partition, ranges in order, not touching."""

    ranges: dict[TopicPartition, list[tuple[int, int]]] = field(default_factory=dict)
    records: int = 0

    def add(self, given: Iterable[OffsetRange]) -> None:
        """Note the ranges of one append; offsets only ever grow."""
        for topic, partition, start, end in given:
            known = self.ranges.setdefault(TopicPartition(topic, partition), [])
            if known and known[-1][1] == start:
                known[-1] = (known[-1][0], end)
            else:
                known.append((start, end))
            self.records += end - start

    def ends(self) -> dict[TopicPartition, int]:
        """Return, per partition, the offset that has to be committed for all of ours to be."""
        return {place: ranges[-1][1] for place, ranges in self.ranges.items()}

    def overlap(self, place: TopicPartition, start: int, end: int) -> int:
        """Return how many of the offsets `[start, end)` are ours."""
        ranges = self.ranges.get(place, [])
        first = bisect.bisect_right(ranges, (start, start)) - 1
        count = 0
        for ours_start, ours_end in ranges[max(first, 0) :]:
            if ours_start >= end:
                break
            count += max(0, min(end, ours_end) - max(start, ours_start))
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispositions:
    """How the rows of an import ended."""

    read: int
    applied: int
    duplicate: int
    late: int
    dead_lettered: int


def append_patiently(log: EventLog, topic: str, records: list[Outgoing]) -> list[OffsetRange]:
    """Append, waiting while the log takes nothing. CheckFailed when that lasts a minute."""
    deadline = Deadline(BUSY_WAIT)
    while True:
        try:
            return log.append(topic, records)
        except Busy as busy:
            if not deadline.seconds_left():
                raise CheckFailed(
                    f"The log took no records for a minute ({busy}). What was appended before "
                    "stays; import the same file again for the rest."
                ) from None
            pause(BUSY_PAUSE_SECONDS)


def append_rows(
    log: EventLog, topic: str, rows: Iterable[Keyed], batch_records: int, appended: Appended
) -> Iterator[int]:
    """Append rows in batches; yield after each how many are durable so far."""
    batch: list[Outgoing] = []
    size = 0
    for row in rows:
        batch.append(Outgoing(row.key, row.value))
        size += len(row.value)
        if len(batch) >= batch_records or size >= BATCH_BYTES_MAX:
            appended.add(append_patiently(log, topic, batch))
            yield appended.records
            batch, size = [], 0
    if batch:
        appended.add(append_patiently(log, topic, batch))
        yield appended.records


def dispositions(log: EventLog, appended: Appended, since: Mapping[int, int]) -> Dispositions:
    """Count how our rows ended, from the batch records written since an offset per partition.

    Call it once all of them are committed; CheckFailed when the batch records leave one out.
    """
    ended = {"duplicate": 0, "late": 0, "dead": 0}
    seen = 0
    decode = msgspec.json.Decoder(BatchRecord).decode
    for partition in {place.partition for place in appended.ranges}:
        for value in _values(log, partition, since.get(partition, 0)):
            for source in decode(value).sources:
                place = TopicPartition(source.topic, source.partition)
                seen += appended.overlap(place, source.start, source.end)
                for exception in source.exceptions:
                    ended[exception.disposition] += appended.overlap(
                        place, exception.start, exception.end
                    )
    if seen != appended.records:
        raise CheckFailed(
            f"{appended.records} records were appended, the batch records account for {seen}; "
            "`pnl verify` says more."
        )
    return Dispositions(
        read=appended.records,
        applied=appended.records - sum(ended.values()),
        duplicate=ended["duplicate"],
        late=ended["late"],
        dead_lettered=ended["dead"],
    )


def _values(log: EventLog, partition: int, start: int) -> Iterator[bytes]:
    while records := log.read(BATCHES, partition, start, READ_RECORDS_MAX):
        start = records[-1].offset + 1
        yield from (record.value for record in records if record.value is not None)
