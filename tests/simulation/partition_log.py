"""One partition on the broker: records, control records, what is decided and what is not.

Law: offsets are given once and never again; a reader of committed records sees nothing at or
behind the last stable offset, and nothing of a transaction that was aborted.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError

from tests.simulation.refusal import Refusal

Headers = list[tuple[str, bytes]] | None


@dataclass(slots=True, eq=False)
class Entry:
    """A record or, with `control`, the mark that ends a transaction."""

    offset: int
    at_ms: int
    producer: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = None
    transactional: bool = False
    control: bool = False
    aborted: bool = False


@dataclass(slots=True)
class _Producer:
    epoch: int
    next_sequence: int = 0
    last: tuple[int, int, int] | None = None
    """First sequence, count and offset of the newest batch."""


Sent = Sequence[tuple[bytes | None, bytes | None, Headers]]


@dataclass(eq=False)
class PartitionLog:
    """The log of one partition."""

    entries: list[Entry] = field(default_factory=list)
    end: int = 0
    producers: dict[int, _Producer] = field(default_factory=dict)
    undecided: dict[int, int] = field(default_factory=dict)
    """Producer -> first offset of its open transaction here."""

    @property
    def stable(self) -> int:
        """The last stable offset: everything before it is decided."""
        return min(self.undecided.values(), default=self.end)

    def append(
        self,
        records: Sent,
        at_ms: int,
        producer: int = -1,
        epoch: int = -1,
        sequence: int = -1,
        *,
        transactional: bool = False,
    ) -> int:
        """Append a batch and return its first offset; one sent twice is there once."""
        if producer >= 0:
            known = self._producer(producer, epoch)
            if known.last is not None and known.last[:2] == (sequence, len(records)):
                return known.last[2]
            if sequence != known.next_sequence:
                raise Refusal(
                    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"sequence {sequence}, expected {known.next_sequence}",
                )
            known.next_sequence += len(records)
            known.last = sequence, len(records), self.end
        first = self.end
        if transactional:
            self.undecided.setdefault(producer, first)
        for key, value, headers in records:
            self.entries.append(
                Entry(self.end, at_ms, producer, key, value, headers, transactional)
            )
            self.end += 1
        return first

    def has_sent(self, producer: int, epoch: int, sequence: int, count: int) -> bool:
        """Say whether a batch is the newest one of its producer, sent again."""
        known = self.producers.get(producer)
        return (
            known is not None
            and known.epoch == epoch
            and (known.last is not None and known.last[:2] == (sequence, count))
        )

    def _producer(self, producer: int, epoch: int) -> _Producer:
        known = self.producers.get(producer)
        if known is None or known.epoch < epoch:
            known = self.producers[producer] = _Producer(epoch)
        elif known.epoch > epoch:
            raise Refusal(KafkaError.INVALID_PRODUCER_EPOCH, f"epoch {epoch} < {known.epoch}")
        return known

    def decide(self, producer: int, epoch: int, at_ms: int, *, commit: bool) -> None:
        """Write the mark that ends a producer's transaction; it takes an offset."""
        known = self.producers.get(producer)
        if known is None or known.epoch < epoch:
            self.producers[producer] = _Producer(epoch)
        first = self.undecided.pop(producer, None)
        if first is not None and not commit:
            for entry in self.entries[self._index(first) :]:
                if entry.producer == producer and entry.transactional:
                    entry.aborted = True
        self.entries.append(Entry(self.end, at_ms, producer, control=True))
        self.end += 1

    def read(self, start: int, count: int, *, committed: bool) -> tuple[list[Entry], int]:
        """Return up to so many records from an offset on, and the offset to go on from."""
        limit = self.stable if committed else self.end
        found: list[Entry] = []
        if start >= limit:
            return found, start
        for entry in self.entries[self._index(start) :]:
            if entry.offset >= limit:
                break
            if len(found) == count:
                return found, entry.offset
            if not (entry.control or (committed and entry.aborted)):
                found.append(entry)
        return found, limit

    def has_news(self, start: int, *, committed: bool) -> bool:
        """Say whether there is anything behind an offset, if only marks."""
        return start < (self.stable if committed else self.end)

    def compact(self, limit: int) -> None:
        """Keep, of what is decided before `limit`, the newest record of each key, and marks.

        A key that was removed stays as a record without value. The newest record stays as it is.
        """
        limit = min(limit, self.stable, self.end - 1)
        newest = {
            entry.key: entry.offset
            for entry in self.entries
            if entry.offset < self.stable and not (entry.control or entry.aborted)
        }
        self.entries = [
            entry
            for entry in self.entries
            if entry.offset >= limit
            or entry.control
            or (not entry.aborted and newest[entry.key] == entry.offset)
        ]

    def _index(self, offset: int) -> int:
        return bisect_left(self.entries, offset, key=lambda entry: entry.offset)


def committed_records(entries: Iterable[Entry], stable: int) -> list[Entry]:
    """Return what a reader of committed records would see of these entries."""
    return [
        entry for entry in entries if entry.offset < stable and not (entry.control or entry.aborted)
    ]
