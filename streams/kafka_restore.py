"""Reads the state of partitions back from their topic, a slice at a time.

Law: a restore is over when everything that was in the topic when it began has been read, committed
records only; never at the last stable offset, which lies before what a dead owner left undecided.
So it waits while a transaction is open, and its outcome is known when it ends.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from streams.clock import Deadline
from streams.kafka_clients import (
    IsolationLevel,
    KafkaClients,
    KafkaError,
    TopicPartition,
    latest_offset,
)
from streams.kafka_questions import listed
from streams.kafka_settings import KafkaSettings
from streams.kafka_state import PartitionState
from streams.log import LogFailed

SLICE_RECORDS: Final = 10_000
SLICE_SECONDS: Final = 0.25
"""How long a slice may take: between two of them the group is told that we live."""
_BEGINNING: Final = -2


class Restore:
    """One restore of some partitions' states. Raises KafkaException while no broker answers."""

    def __init__(
        self,
        clients: KafkaClients,
        settings: KafkaSettings,
        topic: str,
        states: Mapping[int, PartitionState],
    ) -> None:
        self._topic = topic
        self._states = states
        self._admin = clients.admin(settings.admin())
        self._targets = self._ends()
        self._waiting = {
            partition
            for partition, end in self._targets.items()
            if end > (states[partition].position or 0)
        }
        self._reader = clients.consumer(settings.reader())
        self.records = 0
        if self._waiting:
            self._reader.assign(
                [
                    TopicPartition(topic, partition, self._from(states[partition]))
                    for partition in sorted(self._waiting)
                ]
            )

    def step(self, seconds: float) -> bool:
        """Read for about so long; return whether all is read."""
        slice_end = Deadline(timedelta(seconds=min(seconds, SLICE_SECONDS)))
        while self._waiting:
            self._read(min(0.05, slice_end.seconds_left()))
            self._look_who_is_done()
            if not slice_end.seconds_left():
                break
        if self._waiting:
            return False
        self.close()
        for partition, state in self._states.items():
            state.rehash()
            state.position = self._targets[partition]
        return True

    def is_outdated(self) -> bool:
        """Say whether another owner has written since this began: then the rest is to be read."""
        return self._ends() != self._targets

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()

    @staticmethod
    def _from(state: PartitionState) -> int:
        return _BEGINNING if state.position is None else state.position

    def _ends(self) -> dict[int, int]:
        """Return the end of each partition, whatever is still undecided before it."""
        asked = {
            TopicPartition(self._topic, partition): latest_offset() for partition in self._states
        }
        return listed(self._admin, asked, IsolationLevel.READ_UNCOMMITTED)

    def _read(self, seconds: float) -> None:
        by_partition: dict[int, list[tuple[bytes, bytes | None]]] = {}
        for message in self._reader.consume(SLICE_RECORDS, seconds):
            error = message.error()
            if error is not None:
                _assert_passing(error, self._topic)
                continue
            partition, key = message.partition(), message.key()
            assert partition is not None
            if key is None:
                raise LogFailed(f"{self._topic}/{partition}: a record without a key is no state")
            by_partition.setdefault(partition, []).append((key, message.value()))
        for partition, records in by_partition.items():
            self._states[partition].restored(records)
            self.records += len(records)

    def _look_who_is_done(self) -> None:
        asked = [TopicPartition(self._topic, partition) for partition in self._waiting]
        for place in self._reader.position(asked):
            if place.offset >= self._targets[place.partition]:
                self._waiting.discard(place.partition)


def _assert_passing(error: KafkaError, topic: str) -> None:
    """Raise unless an error in the place of a record will pass by itself."""
    if error.code() == KafkaError._PARTITION_EOF or error.retriable():  # noqa: SLF001
        return
    if error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):  # noqa: SLF001
        return
    raise LogFailed(f"{topic}: reading the state: {error.name()}: {error.str()}")
