"""An open transaction on Kafka: outputs go to the producer at once, state is held until the commit.

Law: beside the state of every partition whose offsets move stands the account of the last batch:
the offsets and the hash the state then has. A restore compares it with what is committed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from streams.kafka_ownership import Ownership
from streams.kafka_producer import SlotProducer
from streams.kafka_state import LAST_BATCH, LastBatch, PartitionState, encode_last_batch
from streams.log import Busy, Outgoing, TopicPartition


class KafkaTransaction:
    """What one transaction sends, and what becomes of the state once it is committed."""

    def __init__(
        self, owned: Ownership, producer: SlotProducer, prefix: str, partitions: int
    ) -> None:
        self._owned = owned
        self._producer = producer
        self._prefix = prefix
        self._partitions = partitions
        self.offsets: dict[TopicPartition, int] = {}
        self._changes: dict[int, dict[bytes, bytes | None]] = {}
        self._hashes: dict[int, tuple[int, int]] = {}
        self._accounts: dict[int, LastBatch] = {}
        self._positions: dict[int, int] = {}

    def produce(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Append records to one partition, in this order."""
        self._check(partition)
        self._producer.produce(self._prefix + topic, partition, records)

    def put_state(
        self, partition: int, changes: Iterable[tuple[bytes, bytes | None]]
    ) -> int | None:
        """Set keys of the group's state; None removes one. Returns the state's hash with them."""
        self._check(partition)
        topic = self._owned.state_topic
        if topic is None:
            raise ValueError(f"group {self._owned.group} has no topic for its state")
        state = self._state(partition)
        changed = list(changes)
        self._producer.produce(topic, partition, [Outgoing(key, value) for key, value in changed])
        held = self._changes.setdefault(partition, {})
        held.update(changed)
        self._hashes[partition] = state.hash_with(held)
        return self._hashes[partition][0]

    def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Move the group to these next offsets. ValueError for what the consumer does not read."""
        for place in offsets:
            if place not in self._owned.committed:
                raise ValueError(f"{place[0]}/{place[1]} is not read by this consumer")
        self.offsets.update(offsets)

    def complete(self) -> None:
        """Name the offsets of every topic of the partitions that move, and account for them."""
        moving = {place.partition for place in self.offsets} | self._changes.keys()
        standing = self._owned.committed
        self.offsets = {
            place: self.offsets.get(place, at)
            for place, at in standing.items()
            if place.partition in moving
        }
        topic = self._owned.state_topic
        if topic is None:
            return
        for number in sorted(moving):
            state = self._state(number)
            total, keys = self._hashes.get(number, (state.hash, state.keys))
            offsets = {at.topic: to for at, to in self.offsets.items() if at.partition == number}
            account = self._accounts[number] = LastBatch(offsets, total, keys)
            value = encode_last_batch(account)
            note = self._noting(number)
            self._producer.produce_noting(topic, number, LAST_BATCH, value, note)

    def promote(self) -> None:
        """Take over what was committed."""
        for partition, changes in self._changes.items():
            self._state(partition).apply(changes, self._hashes[partition])
        for partition, account in self._accounts.items():
            self._state(partition).last = account
        for partition, position in self._positions.items():
            self._state(partition).position = position
        self._owned.committed.update(self.offsets)

    def _state(self, partition: int) -> PartitionState:
        if partition not in self._owned.state.partitions:
            raise Busy(f"group {self._owned.group}: partition {partition} is not owned just now")
        return self._owned.state.partitions[partition]

    def _noting(self, partition: int) -> Callable[[int], None]:
        """Return what notes how much of its topic a state has, once this is committed.

        Before, records of another owner may lie between what we have and what we write.
        """

        def note(offset: int) -> None:
            self._positions[partition] = offset + 1

        return note

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self._partitions:
            raise ValueError(f"partition {partition}: there are {self._partitions}")
