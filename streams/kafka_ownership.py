"""Which partitions a member of a group owns, from which offsets, with which state.

Law: a partition is owned once it was assigned, its state restored and found to be that of the
committed offsets. A rebalance is noted in the callback and acted upon in the loop: the callback
does no I/O. Whoever owned the partition before can commit no more by then: the broker refuses it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from streams.clock import Deadline
from streams.failpoints import failpoint
from streams.kafka_clients import (
    OFFSET_INVALID,
    KafkaClients,
    KafkaConsumerClient,
    KafkaException,
)
from streams.kafka_clients import TopicPartition as Place
from streams.kafka_questions import ANSWER_SECONDS, watermarks
from streams.kafka_restore import Restore
from streams.kafka_settings import KafkaSettings
from streams.kafka_state import KafkaState, PartitionState
from streams.log import LogDamaged, TopicPartition

KEPT_MAX: Final = timedelta(hours=1)
"""How long the state of a partition that was taken away is worth catching up from."""


class Ownership:
    """What one member owns. Methods that talk to the broker raise KafkaException."""

    def __init__(
        self, clients: KafkaClients, settings: KafkaSettings, group: str, topics: Sequence[str]
    ) -> None:
        self.group = group
        self.count = 0
        """How often what is owned has changed."""
        self.state = KafkaState()
        self.restored_records = 0
        """How many records of state were read when what is owned was taken over."""
        self.committed: dict[TopicPartition, int] = {}
        """The next offset of every partition that is owned."""
        self.names = {settings.prefix + topic: topic for topic in topics}
        """Topics by their name on the cluster."""
        self.state_topic = (
            settings.prefix + settings.states[group] if group in settings.states else None
        )
        self._prefix = settings.prefix
        self._clients = clients
        self._settings = settings
        self._assigned: list[Place] = []
        self._is_news = False
        self._left: dict[int, PartitionState] = {}
        self._left_until = Deadline(timedelta())
        self._coming: dict[int, PartitionState] | None = None
        self._restore: Restore | None = None

    @property
    def is_settled(self) -> bool:
        """Whether all that is assigned is owned."""
        return not self._is_news and self._coming is None

    def on_assign(self, client: KafkaConsumerClient, partitions: list[Place]) -> None:
        """Note what was assigned; nothing of it is read before its state is."""
        self._assigned = partitions
        self._is_news = True
        # No offset is right before the state is there: a fetch would slip in before a pause, and
        # where retention took the records it would fail.
        client.assign([])

    def on_revoke(self, client: KafkaConsumerClient, partitions: list[Place]) -> None:  # noqa: ARG002
        """Note that nothing is assigned: the assignor is an eager one."""
        failpoint("W9")
        self._assigned = []
        self._is_news = True
        client.unassign()

    def settle(self, client: KafkaConsumerClient, seconds: float) -> None:
        """Go a step towards owning what is assigned. Raises LogDamaged."""
        if self._is_news:
            self._let_go()
            self._take_up()
        if self._coming is None:
            return
        failpoint("W10")
        if self._restore is None or self._restore.step(seconds):
            self._own(client, self._coming)

    def read_from(self, client: KafkaConsumerClient, offsets: Mapping[TopicPartition, int]) -> None:
        """Read the partitions owned from these offsets on."""
        places = [
            Place(self._prefix + at.topic, at.partition, next_) for at, next_ in offsets.items()
        ]
        client.assign(places)
        client.resume(places)

    def places(self) -> list[Place]:
        """Return the partitions that are owned, by their names on the cluster."""
        return [Place(self._prefix + at.topic, at.partition) for at in self.committed]

    def ask_committed(
        self, client: KafkaConsumerClient, places: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Return what the group has committed, of those partitions where it has."""
        return {place: to for place, (to, _) in self.ask_marked(client, places).items()}

    def ask_marked(
        self, client: KafkaConsumerClient, places: Iterable[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, str]]:
        """Return what the group has committed, and the mark of the transaction that did it."""
        asked = [Place(self._prefix + place.topic, place.partition) for place in places]
        found = {}
        for place in client.committed(asked, timeout=ANSWER_SECONDS) if asked else ():
            if place.error is not None:
                raise KafkaException(place.error)
            if place.offset != OFFSET_INVALID:
                at = TopicPartition(self.names[place.topic], place.partition)
                found[at] = place.offset, place.metadata or ""
        return found

    def close(self) -> None:
        """Own nothing, read nothing."""
        self._let_go()

    def _let_go(self) -> None:
        """Own nothing; keep the states for a moment, since most of them come back."""
        if self._restore is not None:
            self._restore.close()
            self._restore = None
        self._coming = None
        if self.committed or self.state.partitions:
            self._left = self.state.partitions
            self._left_until = Deadline(KEPT_MAX)
            self.state.partitions = {}
            self.committed = {}
            self.count += 1

    def _take_up(self) -> None:
        """Begin to restore what was assigned."""
        numbers = self._co_partitioned()
        left = self._left if self._left_until.seconds_left() else {}
        coming = {number: left.get(number) or PartitionState() for number in numbers}
        if self.state_topic is not None and coming:
            self._restore = Restore(self._clients, self._settings, self.state_topic, coming)
        self._left = {}
        self._coming = coming or None
        self._is_news = False

    def _co_partitioned(self) -> list[int]:
        """Return the partition numbers assigned, which must be the same for every topic."""
        numbers: dict[str, set[int]] = {topic: set() for topic in self.names}
        for place in self._assigned:
            numbers[place.topic].add(place.partition)
        one, own_of_one = next(iter(numbers.items()))
        for topic, own in numbers.items():
            if own != own_of_one:
                raise LogDamaged(
                    f"group {self.group}: partitions {sorted(own)} of {topic} are assigned "
                    f"together with {sorted(own_of_one)} of {one}; all topics need equal "
                    "partition counts, all members the same topics and the assignor `range`"
                )
        return sorted(own_of_one)

    def _is_whole(
        self,
        coming: Mapping[int, PartitionState],
        found: Mapping[TopicPartition, int],
        topic: str,
    ) -> bool:
        """Say whether the states agree with what is committed; if not yet, read on.

        Another owner may have committed between our reading of the one and of the other: we were
        slow, and may have lost the partitions without knowing. Raises LogDamaged if it is not so.
        """
        try:
            for number, state in coming.items():
                known = {at.topic: offset for at, offset in found.items() if at.partition == number}
                state.assert_whole(f"{topic}/{number}", known)
        except LogDamaged:
            if self._restore is None or not self._restore.is_outdated():
                if self._settings.repairing:
                    return True
                raise
            self._restore = Restore(self._clients, self._settings, topic, coming)
            return False
        return True

    def _own(self, client: KafkaConsumerClient, coming: dict[int, PartitionState]) -> None:
        """Start reading at what is committed, if the state agrees with it."""
        places = {TopicPartition(self.names[at.topic], at.partition): at for at in self._assigned}
        found = self.ask_committed(client, places)
        if self.state_topic is not None and not self._is_whole(coming, found, self.state_topic):
            return
        offsets = {}
        for place, where in places.items():
            low, _ = watermarks(client, where)
            offsets[place] = found.get(place, low)
            if offsets[place] < low:
                raise LogDamaged(
                    f"{where.topic}/{where.partition}: group {self.group} stands at "
                    f"{offsets[place]}, the oldest record kept is {low}: retention was shorter "
                    "than the downtime"
                )
        self.state.partitions = coming
        self.committed = offsets
        self.count += 1
        self.restored_records = self._restore.records if self._restore is not None else 0
        self._coming = self._restore = None
        self.read_from(client, offsets)
