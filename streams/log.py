"""What an event log is: the protocol that SQLite keeps in one file and Kafka on a cluster.

Law: outputs, state and offsets of a transaction become visible together or not at all, and a
record once acknowledged is read by every later reader, in the order of its partition.

*Offset* is a record's position; *committed* is the next offset a group will read. A group has
one owner at a time: an owner that was replaced is *fenced* and can write nothing more.

A log that several owners share out (Kafka) gives each some of the partitions and may change which:
then the consumer's `assignment` changes, and what was read of records and state before is void.

Errors are instructions: `Busy` try again later; `Fenced`, `LogDamaged` and `LogFailed` end the
process.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import NamedTuple, Protocol, TypeAlias

from streams.facts import Millis

Headers: TypeAlias = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """One ordered sequence of records."""

    topic: str
    partition: int


class Record(NamedTuple):
    """A record as it lies in the log; `logged_at` is the log's time, kept by every replay."""

    topic: str
    partition: int
    offset: int
    logged_at: Millis
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Outgoing(NamedTuple):
    """A record to append; its key chooses the partition."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class OffsetRange(NamedTuple):
    """Offsets `[start, end)` that an append was given in one partition."""

    topic: str
    partition: int
    start: int
    end: int


class Busy(Exception):
    """The log could not take this now, and took nothing of it: the same call may be repeated."""


class Fenced(Exception):
    """Another owner took the group over: stop, write nothing more."""


class LogDamaged(Exception):
    """The log's content contradicts itself or is of an unknown format: stop, ask a person."""


class LogFailed(Exception):
    """The log refused for good, or nobody can tell what it did: end, writing nothing more.

    A restart goes on from what is committed.
    """


def shelf_of(key: bytes) -> bytes:
    """Return the shelf of a state key: all up to and with its last NUL, or nothing."""
    return key[: key.rfind(b"\0") + 1]


class StateReader(Protocol):
    """The committed key-value state of a group, per partition.

    A key is a *shelf* and a name: the shelf is all up to and with the last NUL, or nothing.
    """

    def load(self, partition: int, shelf: bytes) -> list[tuple[bytes, bytes]]:
        """Return every (key, value) of a shelf, in key order."""
        ...

    def load_each(
        self, partition: int, shelves: Sequence[bytes]
    ) -> list[list[tuple[bytes, bytes]]]:
        """Return, for each shelf in the order given, what `load` would: one look for a batch."""
        ...

    def shelves(self, partition: int) -> Iterator[bytes]:
        """Yield every shelf there is, each once; the state may change meanwhile."""
        ...


class Transaction(Protocol):
    """What becomes visible together."""

    def produce(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Append records to one partition, in this order."""
        ...

    def put_state(
        self, partition: int, changes: Iterable[tuple[bytes, bytes | None]]
    ) -> int | None:
        """Set keys of the group's state; None removes one.

        Returns the hash of the partition's state with these changes, in [0, 2**63), where log and
        state could come apart; None where one commit writes both.
        """
        ...

    def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Move the group to these next offsets."""
        ...


class Consumer(Protocol):
    """The one owner of a group's position over some topics."""

    @property
    def state(self) -> StateReader:
        """The group's committed state."""
        ...

    @property
    def assignment(self) -> int:
        """How often the partitions owned have changed: only `poll` and `keep` change it."""
        ...

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the next records, each partition in offset order; empty after `wait` without any.

        Consecutive polls go on from each other; `rewind` goes back to what is committed.
        """
        ...

    def keep(self) -> None:
        """Stay the owner without taking records: for who is held up longer than a batch takes."""
        ...

    def rewind(self) -> None:
        """Forget what was polled and not committed: the next poll starts at what is."""
        ...

    def committed(self) -> dict[TopicPartition, int]:
        """Return the next offset of every partition that this consumer owns."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction: leaving it normally commits, leaving it by an exception drops it.

        Raises Fenced when another owner took the group over, Busy when the log stayed locked.
        """
        ...

    def close(self) -> None:
        """Give the group up."""
        ...


class EventLog(Protocol):
    """Partitions of records, groups that read them, transactions that write them."""

    @property
    def epoch(self) -> int:
        """Which life of the log this is: it changes when offsets could be given out again."""
        ...

    @property
    def partitions(self) -> int:
        """Partition count of every topic."""
        ...

    def append(self, topic: str, records: Sequence[Outgoing]) -> list[OffsetRange]:
        """Append and return once durable; ranges in order of partition and offset.

        Records of one partition keep their order. A key decides its partition, always the same;
        a record without a key goes to partition 0.
        """
        ...

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """Own a group: the former owner, if it still lives, is fenced. Busy if it cannot be."""
        ...

    def read(self, topic: str, partition: int, start: int, records_max: int) -> list[Record]:
        """Return committed records from offset `start` on, without a group."""
        ...

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the offset that the next record will get."""
        ...

    def start_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the oldest offset still kept."""
        ...

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the committed offsets of a group, also while another process owns it."""
        ...

    def close(self) -> None:
        """Release everything; committed records stay."""
        ...
