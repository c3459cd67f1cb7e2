"""What a transaction gathers before its commit touches the log.

Law: gathering changes nothing but itself, so dropping a transaction is forgetting it.
"""

from collections.abc import Iterable, Mapping, Sequence

from streams.log import Outgoing, TopicPartition


class Gathered:
    """A `Transaction` that only remembers: outputs in order, the last change of each key."""

    def __init__(self, partitions: int, positions: Mapping[TopicPartition, int]) -> None:
        self._partitions = partitions
        self._positions = positions
        self.outputs: dict[TopicPartition, list[Outgoing]] = {}
        self.state: dict[int, dict[bytes, bytes | None]] = {}
        self.offsets: dict[TopicPartition, int] = {}

    def produce(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Append records to one partition, in this order."""
        self._check(partition)
        self.outputs.setdefault(TopicPartition(topic, partition), []).extend(records)

    def put_state(
        self, partition: int, changes: Iterable[tuple[bytes, bytes | None]]
    ) -> int | None:
        """Set keys of the group's state; None removes one. No hash: one commit writes all."""
        self._check(partition)
        self.state.setdefault(partition, {}).update(changes)
        return None

    def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Move the group to these next offsets. ValueError for what the consumer does not read."""
        for place in offsets:
            if place not in self._positions:
                raise ValueError(f"{place[0]}/{place[1]} is not read by this consumer")
        self.offsets.update(offsets)

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self._partitions:
            raise ValueError(f"partition {partition}: there are {self._partitions}")
