"""The broker in memory: topics, transactions and, with `groups`, consumer groups.

Law: it answers as Apache Kafka does to a client of the first version of the transaction protocol
(EndTxn v1), which is the one that our client library speaks: whoever names the right producer and
epoch ends whatever transaction is open just then, also if he meant the one before (KAFKA-17754).

A method is one request as it takes effect; it raises `Refusal` where the broker answers an error.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from confluent_kafka import KafkaError

from tests.simulation.groups import Groups, Membership
from tests.simulation.pace import Pace
from tests.simulation.partition_log import PartitionLog, Sent
from tests.simulation.refusal import Refusal

Place: TypeAlias = tuple[str, int]
EXPIRY_CHECK_SECONDS = 1.0


class Ended(Enum):
    """Where a transactional id stands."""

    EMPTY = "empty"
    ONGOING = "ongoing"
    PREPARE_COMMIT = "prepare commit"
    PREPARE_ABORT = "prepare abort"
    COMMITTED = "complete commit"
    ABORTED = "complete abort"


_PREPARED = (Ended.PREPARE_COMMIT, Ended.PREPARE_ABORT)


@dataclass(eq=False)
class Transactional:
    """What the coordinator knows of a transactional id."""

    name: str
    producer: int
    epoch: int
    timeout: float
    state: Ended = Ended.EMPTY
    began: float = 0.0
    number: int = 0
    places: set[Place] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    epoch_before: int = -1


class Broker:
    """One broker that is every coordinator and every leader."""

    def __init__(
        self,
        pace: Pace,
        now_ms: Callable[[], int],
        marks_take: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.pace = pace
        self.topics: dict[str, list[PartitionLog]] = {}
        self.groups = Groups(pace)
        self.down_until = 0.0
        self.mute_until = 0.0
        self.transactional: dict[str, Transactional] = {}
        self._now_ms = now_ms
        self._marks_take = marks_take
        self._producers = 0

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic."""
        self.topics[topic] = [PartitionLog() for _ in range(partitions)]

    def partition(self, place: Place) -> PartitionLog:
        """Return a partition's log."""
        logs = self.topics.get(place[0], ())
        if not 0 <= place[1] < len(logs):
            raise Refusal(KafkaError.UNKNOWN_TOPIC_OR_PART, f"{place[0]}[{place[1]}]")
        return logs[place[1]]

    def is_up(self) -> bool:
        """Say whether it answers."""
        return self.pace.now() >= self.down_until

    def stop(self, seconds: float) -> None:
        """Answer nothing for so long; what was acknowledged stays."""
        self.down_until = max(self.down_until, self.pace.now() + seconds)
        self.pace.at(self.down_until - self.pace.now(), self.groups.greet_all)

    def mute(self, seconds: float) -> None:
        """Do what is asked for so long, and have the answers lost."""
        self.mute_until = max(self.mute_until, self.pace.now() + seconds)

    def is_heard(self) -> bool:
        """Say whether its answers arrive."""
        return self.is_up() and self.pace.now() >= self.mute_until

    # Producing

    def new_producer(self) -> int:
        """Return an id for a producer without transactions."""
        self._producers += 1
        return self._producers

    def produce(
        self,
        place: Place,
        records: Sent,
        producer: int,
        epoch: int,
        sequence: int,
        name: str | None,
    ) -> int:
        """Append a batch, in a transaction if `name` is that of a transactional id."""
        log = self.partition(place)
        if name is not None and not log.has_sent(producer, epoch, sequence, len(records)):
            self._verify(name, producer, epoch, place)
        first = log.append(
            records, self._now_ms(), producer, epoch, sequence, transactional=name is not None
        )
        self.pace.touch()
        return first

    def _verify(self, name: str, producer: int, epoch: int, place: Place) -> None:
        """Partition verification: the open transaction must name the partition."""
        known = self._known(name, producer, epoch, KafkaError.INVALID_PRODUCER_EPOCH)
        if known.state is not Ended.ONGOING or place not in known.places:
            raise Refusal(KafkaError.INVALID_TXN_STATE, f"{place[0]}[{place[1]}] was not added")

    # Transactions

    def init_producer(
        self, name: str, timeout: float, before: tuple[int, int] | None = None
    ) -> tuple[int, int]:
        """Give out a new epoch, which fences all before; ends what they left open."""
        known = self.transactional.get(name)
        if known is None:
            self._producers += 1
            known = Transactional(name, self._producers, -1, timeout)
            self.transactional[name] = known
        if before is not None and (
            before[0] != known.producer or before[1] not in (known.epoch, known.epoch_before)
        ):
            raise Refusal(KafkaError.PRODUCER_FENCED, f"{name}: epoch {before[1]} is over")
        if known.state in _PREPARED:
            raise Refusal(KafkaError.CONCURRENT_TRANSACTIONS)
        if known.state is Ended.ONGOING:
            known.epoch_before, known.epoch = known.epoch, known.epoch + 1
            self._prepare(known, commit=False)
            raise Refusal(KafkaError.CONCURRENT_TRANSACTIONS)
        known.epoch_before, known.epoch = known.epoch, known.epoch + 1
        known.state, known.timeout = Ended.EMPTY, timeout
        return known.producer, known.epoch

    def add_partitions(self, name: str, producer: int, epoch: int, places: Iterable[Place]) -> None:
        """Make partitions part of the open transaction, or of a new one."""
        known = self._known(name, producer, epoch)
        places = list(places)
        for place in places:
            self.partition(place)
        self._open(known)
        known.places.update(places)

    def add_offsets(self, name: str, producer: int, epoch: int, group: str) -> None:
        """Make a group's offsets part of the open transaction, or of a new one."""
        known = self._known(name, producer, epoch)
        self._open(known)
        known.groups.add(group)

    def commit_offsets(
        self,
        name: str,
        producer: int,
        epoch: int,
        member: Membership,
        offsets: dict[Place, int],
        marks: dict[Place, str] | None = None,
    ) -> None:
        """Hold a group's offsets until the transaction ends."""
        known = self._known(name, producer, epoch, KafkaError.INVALID_PRODUCER_EPOCH)
        if known.state is not Ended.ONGOING or member.group not in known.groups:
            raise Refusal(KafkaError.INVALID_TXN_STATE, f"group {member.group} was not added")
        self.groups.hold(member, producer, offsets, marks)

    def end(self, name: str, producer: int, epoch: int, *, commit: bool) -> None:
        """End whatever is open: answered once it is certain, not when it is done."""
        known = self._known(name, producer, epoch)
        prepared = Ended.PREPARE_COMMIT if commit else Ended.PREPARE_ABORT
        complete = Ended.COMMITTED if commit else Ended.ABORTED
        if known.state is Ended.ONGOING:
            self._prepare(known, commit=commit)
        elif known.state is prepared:
            raise Refusal(KafkaError.CONCURRENT_TRANSACTIONS)
        elif known.state is not complete:
            raise Refusal(KafkaError.INVALID_TXN_STATE, f"{name} is at {known.state.value}")

    def is_idle(self) -> bool:
        """Say whether no transaction is open."""
        return all(
            known.state is not Ended.ONGOING and known.state not in _PREPARED
            for known in self.transactional.values()
        )

    def _known(
        self, name: str, producer: int, epoch: int, fenced: int = KafkaError.PRODUCER_FENCED
    ) -> Transactional:
        known = self.transactional.get(name)
        if known is None or known.producer != producer:
            raise Refusal(KafkaError.INVALID_PRODUCER_ID_MAPPING, name)
        if known.epoch != epoch:
            raise Refusal(fenced, f"{name}: epoch {epoch}, the newest is {known.epoch}")
        return known

    def _open(self, known: Transactional) -> None:
        if known.state in _PREPARED:
            raise Refusal(KafkaError.CONCURRENT_TRANSACTIONS)
        if known.state is not Ended.ONGOING:
            known.state, known.began = Ended.ONGOING, self.pace.now()
            known.number += 1
            number = known.number
            self.pace.at(known.timeout, lambda: self._expire(known, number))

    def _expire(self, known: Transactional, number: int) -> None:
        """Abort what stayed open too long, and fence who left it open."""
        if known.state is Ended.ONGOING and known.number == number:
            if not self.is_up():
                self.pace.at(EXPIRY_CHECK_SECONDS, lambda: self._expire(known, number))
                return
            known.epoch_before, known.epoch = known.epoch, known.epoch + 1
            self._prepare(known, commit=False)

    def _prepare(self, known: Transactional, *, commit: bool) -> None:
        known.state = Ended.PREPARE_COMMIT if commit else Ended.PREPARE_ABORT
        places, groups = sorted(known.places), sorted(known.groups)
        known.places, known.groups = set(), set()
        producer, epoch = known.producer, known.epoch
        left = len(places) + len(groups)

        def marked() -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                known.state = Ended.COMMITTED if commit else Ended.ABORTED
            self.pace.touch()

        def mark_place(place: Place) -> None:
            self.partition(place).decide(producer, epoch, self._now_ms(), commit=commit)
            marked()

        def mark_group(group: str) -> None:
            self.groups.decide(group, producer, commit=commit)
            marked()

        if not left:
            marked()
        for place in places:
            self.pace.at(self._marks_take(), lambda place=place: mark_place(place))  # type: ignore[misc]
        for group in groups:
            self.pace.at(self._marks_take(), lambda group=group: mark_group(group))  # type: ignore[misc]
