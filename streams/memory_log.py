"""The event log in memory: a second implementation, for tests and simulations.

Law: it keeps every promise of `streams.log` but durability beyond its process. What several
logs opened on the same `MemoryPlace` append and commit, all of them see, as with a file.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from streams.clock import Clock, Deadline
from streams.gathered import Gathered
from streams.log import (
    Fenced,
    OffsetRange,
    Outgoing,
    Record,
    TopicPartition,
    Transaction,
    shelf_of,
)
from streams.partitions import by_partition
from streams.topics import PARTITIONS_DEFAULT


class _Group:
    """What the place keeps of a group."""

    def __init__(self) -> None:
        self.owner: object = None
        self.positions: dict[TopicPartition, int] = {}
        self.state: dict[int, dict[bytes, bytes]] = {}


class MemoryPlace:
    """Where a log lies: what survives closing it."""

    def __init__(self, clock: Clock, partitions: int = PARTITIONS_DEFAULT) -> None:
        self.clock = clock
        self.partitions = partitions
        self.changed = threading.Condition(threading.RLock())
        self.records: dict[TopicPartition, list[Record]] = {}
        self.groups: dict[str, _Group] = {}

    def append(self, place: TopicPartition, records: Iterable[Outgoing], now: int) -> OffsetRange:
        """Append to one partition. Under `changed`."""
        kept = self.records.setdefault(place, [])
        start = len(kept)
        kept += [
            Record(*place, start + n, now, record.key, record.value, record.headers)
            for n, record in enumerate(records)
        ]
        return OffsetRange(*place, start, len(kept))


class _State:
    """The committed state of a group."""

    def __init__(self, place: MemoryPlace, group: _Group) -> None:
        self._place = place
        self._group = group

    def load(self, partition: int, shelf: bytes) -> list[tuple[bytes, bytes]]:
        """Return every (key, value) of a shelf, in key order."""
        with self._place.changed:
            kept = self._group.state.get(partition, {})
            return sorted(item for item in kept.items() if shelf_of(item[0]) == shelf)

    def load_each(
        self, partition: int, shelves: Sequence[bytes]
    ) -> list[list[tuple[bytes, bytes]]]:
        """Return, for each shelf in the order given, what `load` would."""
        return [self.load(partition, shelf) for shelf in shelves]

    def shelves(self, partition: int) -> Iterator[bytes]:
        """Yield every shelf there is, each once."""
        with self._place.changed:
            kept = {shelf_of(key) for key in self._group.state.get(partition, {})}
        yield from sorted(kept)


class MemoryConsumer:
    """The one owner of a group."""

    def __init__(self, place: MemoryPlace, group: str, topics: Sequence[str]) -> None:
        self._place = place
        self._name = group
        self._token = object()
        self._open = True
        with place.changed:
            self._group = place.groups.setdefault(group, _Group())
            self._group.owner = self._token
            read = [TopicPartition(t, p) for t in topics for p in range(place.partitions)]
            for partition in read:
                self._group.positions.setdefault(partition, 0)
            self._committed = {partition: self._group.positions[partition] for partition in read}
        self._next = dict(self._committed)
        self._turns = read
        self._state = _State(place, self._group)

    @property
    def state(self) -> _State:
        """The group's committed state."""
        return self._state

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the next records, each partition in offset order; empty after `wait` without any.

        Consecutive polls go on from each other; `rewind` goes back to what is committed.
        """
        self._check_open()
        deadline = Deadline(wait)
        with self._place.changed:
            while True:
                polled = self._take(records_max)
                left = deadline.seconds_left()
                if polled or left == 0.0:
                    return polled
                self._place.changed.wait(left)

    def _take(self, records_max: int) -> list[Record]:
        """Share the batch among the partitions, starting one further each time."""
        self._turns = self._turns[1:] + self._turns[:1]
        kept = self._place.records
        taken = dict.fromkeys(self._turns, 0)
        left = records_max
        waiting = [turn for turn in self._turns if self._next[turn] < len(kept.get(turn, ()))]
        while waiting and left > 0:
            share = max(1, left // len(waiting))
            for turn in waiting:
                more = min(share, left, len(kept[turn]) - self._next[turn] - taken[turn])
                taken[turn] += more
                left -= more
            waiting = [t for t in waiting if self._next[t] + taken[t] < len(kept[t])]
        polled: list[Record] = []
        for turn, count in taken.items():
            start = self._next[turn]
            polled += kept.get(turn, [])[start : start + count]
            self._next[turn] = start + count
        return polled

    @property
    def assignment(self) -> int:
        """Nobody shares the group: it never changes."""
        return 0

    def keep(self) -> None:
        """Nothing to do: an owner stays one until another takes over."""

    def rewind(self) -> None:
        """Forget what was polled and not committed: the next poll starts at what is."""
        self._next = dict(self._committed)

    def committed(self) -> dict[TopicPartition, int]:
        """Return the next offset of every partition of the consumer's topics."""
        return dict(self._committed)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction: leaving it normally commits, leaving it by an exception drops it.

        Raises Fenced when another owner took the group over.
        """
        self._check_open()
        opened = Gathered(self._place.partitions, self._committed)
        yield opened
        with self._place.changed:
            self._commit(opened)
            self._place.changed.notify_all()

    def _commit(self, opened: Gathered) -> None:
        place, group = self._place, self._group
        if group.owner is not self._token:
            raise Fenced(f"group {self._name}: another owner took over; this one must stop")
        for partition, offset in opened.offsets.items():
            end = len(place.records.get(partition, ()))
            if not 0 <= offset <= end:
                raise ValueError(f"offset {offset} to commit is not within [0, {end}]")
        now = place.clock.now_ms()
        for partition, records in opened.outputs.items():
            place.append(partition, records, now)
        for number, changes in opened.state.items():
            kept = group.state.setdefault(number, {})
            kept.update({key: value for key, value in changes.items() if value is not None})
            for key in [key for key, value in changes.items() if value is None]:
                kept.pop(key, None)
        group.positions.update(opened.offsets)
        self._committed.update(opened.offsets)

    def close(self) -> None:
        """Give the group up."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError(f"the consumer of group {self._name} is closed")


class MemoryLog:
    """An `EventLog` on a `MemoryPlace`."""

    def __init__(self, place: MemoryPlace) -> None:
        self._place = place
        self._consumers: list[MemoryConsumer] = []
        self._closed = False

    @property
    def epoch(self) -> int:
        """Which life of the log this is: it has only one."""
        return 1

    @property
    def partitions(self) -> int:
        """Partition count of every topic."""
        return self._place.partitions

    def append(self, topic: str, records: Sequence[Outgoing]) -> list[OffsetRange]:
        """Append and return; ranges in order of partition, one each."""
        if self._closed:
            raise ValueError("the log is closed")
        now = self._place.clock.now_ms()
        with self._place.changed:
            ranges = [
                self._place.append(TopicPartition(topic, partition), part, now)
                for partition, part in by_partition(records, self.partitions).items()
            ]
            self._place.changed.notify_all()
        return ranges

    def consumer(self, group: str, topics: Sequence[str]) -> MemoryConsumer:
        """Own a group: the former owner, if it still lives, is fenced."""
        consumer = MemoryConsumer(self._place, group, topics)
        self._consumers.append(consumer)
        return consumer

    def read(self, topic: str, partition: int, start: int, records_max: int) -> list[Record]:
        """Return committed records from offset `start` on, without a group."""
        with self._place.changed:
            kept = self._place.records.get(TopicPartition(topic, partition), [])
            return kept[max(0, start) : max(0, start) + records_max]

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the offset that the next record will get."""
        with self._place.changed:
            return {
                partition: len(self._place.records.get(TopicPartition(topic, partition), ()))
                for partition in range(self.partitions)
            }

    def start_offsets(self, topic: str) -> dict[int, int]:  # noqa: ARG002  # nothing ever expires
        """Return, per partition, the oldest offset still kept."""
        return dict.fromkeys(range(self.partitions), 0)

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the committed offsets of a group, also while another process owns it."""
        with self._place.changed:
            known = self._place.groups.get(group)
            return dict(known.positions) if known else {}

    def close(self) -> None:
        """Release everything; committed records stay in the place."""
        self._closed = True
        for consumer in self._consumers:
            consumer.close()
