"""A log in memory that several owners share out, as Kafka does: for what must hold on both.

It differs from `streams.memory_log` in what Kafka does differently. The members of a group own
some partitions each, and a rebalance begins when one joins or leaves; it ends once every member
has polled, or was evicted for not polling, and until then a commit under the old generation
counts. A commit of an evicted member is refused. Transactions leave offsets that hold no record.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from streams.clock import Clock, Deadline
from streams.gathered import Gathered
from streams.log import (
    EventLog,
    Fenced,
    OffsetRange,
    Outgoing,
    Record,
    StateReader,
    TopicPartition,
    Transaction,
)
from streams.partitions import by_partition
from streams.topics import OUTPUT_NAMES


class _Group:
    """Members, which of them have polled since the rebalance began, committed offsets."""

    def __init__(self) -> None:
        self.members: list[SharedConsumer] = []
        self.waited_for: set[SharedConsumer] = set()
        self.generation = 0
        self.positions: dict[TopicPartition, int] = {}

    def rebalance(self) -> None:
        """Begin: every member has to show up."""
        self.waited_for = set(self.members)
        if not self.members:
            self.generation += 1

    def show_up(self, member: "SharedConsumer") -> None:
        """Note that a member polls; the last one ends the rebalance."""
        if member in self.waited_for:
            self.waited_for.discard(member)
            if not self.waited_for:
                self.generation += 1


class SharedPlace:
    """Where a shared log lies."""

    def __init__(self, clock: Clock, partitions: int) -> None:
        self.clock = clock
        self.partitions = partitions
        self.changed = threading.Condition(threading.RLock())
        self.records: dict[TopicPartition, list[Record | None]] = {}
        self.groups: dict[str, _Group] = {}

    def append(self, place: TopicPartition, records: Iterable[Outgoing]) -> OffsetRange:
        """Append to one partition, with the control record of a transaction after them."""
        with self.changed:
            kept = self.records.setdefault(place, [])
            start = len(kept)
            kept += [
                Record(*place, start + n, self.clock.now_ms(), each.key, each.value, each.headers)
                for n, each in enumerate(records)
            ]
            end = len(kept)
            kept.append(None)
            self.changed.notify_all()
            return OffsetRange(*place, start, end)

    def evict(self, consumer: "SharedConsumer") -> None:
        """Give a member up that does not poll: it is not told."""
        with self.changed:
            group = self.groups[consumer.group]
            group.members.remove(consumer)
            group.rebalance()


class SharedConsumer:
    """A member of a group."""

    def __init__(self, place: SharedPlace, group: str, topics: Sequence[str]) -> None:
        self.group = group
        self._place = place
        self._topics = topics
        self._group = place.groups.setdefault(group, _Group())
        self._generation = 0
        self._assignment = 0
        self._committed: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        with place.changed:
            self._group.members.append(self)
            self._group.rebalance()

    @property
    def state(self) -> StateReader:
        """No group here keeps a state."""
        raise NotImplementedError

    @property
    def assignment(self) -> int:
        """How often the partitions owned have changed."""
        return self._assignment

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the next records of the partitions owned."""
        deadline = Deadline(wait)
        with self._place.changed:
            while True:
                self._show_up()
                polled = self._take(records_max)
                left = deadline.seconds_left()
                if polled or left == 0.0:
                    return polled
                self._place.changed.wait(min(left, 0.01))

    def keep(self) -> None:
        """Stay a member without taking records."""
        with self._place.changed:
            self._show_up()

    def rewind(self) -> None:
        """Forget what was polled and not committed."""
        self._next = dict(self._committed)

    def committed(self) -> dict[TopicPartition, int]:
        """Return the next offset of every partition owned."""
        return dict(self._committed)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction; Fenced when this member was evicted."""
        opened = Gathered(self._place.partitions, self._committed)
        yield opened
        with self._place.changed:
            if self not in self._group.members or self._generation != self._group.generation:
                raise Fenced("unknown member or illegal generation")
            for place, records in opened.outputs.items():
                self._place.append(place, records)
            self._group.positions.update(opened.offsets)
            self._committed.update(opened.offsets)

    def close(self) -> None:
        """Leave the group."""
        with self._place.changed:
            if self in self._group.members:
                self._place.evict(self)

    def _show_up(self) -> None:
        group = self._group
        if self not in group.members:
            raise Fenced("unknown member")
        if self in group.waited_for:
            self._own(())
            group.show_up(self)
        if self._generation != group.generation and not group.waited_for:
            self._generation = group.generation
            mine = group.members.index(self)
            numbers = range(mine, self._place.partitions, len(group.members))
            self._own([TopicPartition(t, p) for t in self._topics for p in numbers])

    def _own(self, places: Iterable[TopicPartition]) -> None:
        owned = {place: self._group.positions.get(place, 0) for place in places}
        if owned or self._committed:
            self._committed = owned
            self._next = dict(owned)
            self._assignment += 1

    def _take(self, records_max: int) -> list[Record]:
        polled: list[Record] = []
        for place, start in self._next.items():
            kept = self._place.records.get(place, [])
            end = min(len(kept), start + records_max - len(polled))
            polled += [record for record in kept[start:end] if record is not None]
            self._next[place] = max(start, end)
        return polled


class SharedLog:
    """An `EventLog` on a `SharedPlace`."""

    def __init__(self, place: SharedPlace) -> None:
        self.place = place

    @property
    def epoch(self) -> int:
        """Which life of the log this is."""
        return 1

    @property
    def partitions(self) -> int:
        """Partition count of every topic."""
        return self.place.partitions

    def append(self, topic: str, records: Sequence[Outgoing]) -> list[OffsetRange]:
        """Append by key."""
        return [
            self.place.append(TopicPartition(topic, partition), part)
            for partition, part in by_partition(records, self.partitions).items()
        ]

    def consumer(self, group: str, topics: Sequence[str]) -> SharedConsumer:
        """Join a group."""
        return SharedConsumer(self.place, group, topics)

    def read(self, topic: str, partition: int, start: int, records_max: int) -> list[Record]:
        """Return records from offset `start` on."""
        with self.place.changed:
            kept = self.place.records.get(TopicPartition(topic, partition), [])[max(0, start) :]
            return [record for record in kept if record is not None][:records_max]

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the offset that the next record will get."""
        with self.place.changed:
            return {
                number: len(self.place.records.get(TopicPartition(topic, number), ()))
                for number in range(self.partitions)
            }

    def start_offsets(self, topic: str) -> dict[int, int]:  # noqa: ARG002  # nothing ever expires
        """Return, per partition, the oldest offset still kept."""
        return dict.fromkeys(range(self.partitions), 0)

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the committed offsets of a group."""
        with self.place.changed:
            return dict(self.place.groups[group].positions) if group in self.place.groups else {}

    def close(self) -> None:
        """Nothing to release."""


def shared(log: EventLog, clock: Clock) -> SharedLog:
    """Return a shared log with the outputs of another, some in each transaction."""
    place = SharedPlace(clock, log.partitions)
    share_out(log, SharedLog(place))
    return SharedLog(place)


def share_out(log: EventLog, into: SharedLog, at_once: int = 3) -> None:
    """Append the outputs of a log that a shared one does not have yet."""
    for topic in OUTPUT_NAMES:
        for number in range(log.partitions):
            known = len(into.read(topic, number, 0, 10**9))
            records = log.read(topic, number, known, 10**9)
            for first in range(0, len(records), at_once):
                into.place.append(
                    TopicPartition(topic, number),
                    [Outgoing(*each[4:]) for each in records[first : first + at_once]],
                )
