"""Reads a cluster without being a member of a group: records, a group's offsets, partition counts.

Law: committed records only, from the place asked for; asking changes nothing on the cluster.
"""

import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from streams.clock import Deadline
from streams.kafka_clients import (
    OFFSET_INVALID,
    KafkaClients,
    KafkaConsumerClient,
    KafkaError,
    KafkaException,
)
from streams.kafka_clients import TopicPartition as Place
from streams.kafka_errors import answered
from streams.kafka_questions import watermarks
from streams.kafka_records import records_of
from streams.kafka_settings import KafkaSettings
from streams.log import Busy, LogDamaged, LogFailed, Record, TopicPartition
from streams.topics import TOPICS

ANSWER: Final = timedelta(seconds=10)


class KafkaReader:
    """A client of its own, used by one thread at a time."""

    def __init__(self, clients: KafkaClients, settings: KafkaSettings) -> None:
        self._clients = clients
        self._settings = settings
        self._lock = threading.Lock()
        self._client: KafkaConsumerClient | None = None
        self._askers: dict[str, KafkaConsumerClient] = {}
        self._at: tuple[Place, int] | None = None
        self._at_end = False

    def read(self, topic: str, partition: int, start: int, records_max: int) -> list[Record]:
        """Return committed records from offset `start` on; fewer than asked for at the end."""
        place = Place(self._settings.prefix + topic, partition)
        with self._lock:
            return answered(
                lambda: self._read_anew(place, topic, start, records_max),
                f"{place.topic}/{partition}: reading",
            )

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return a group's committed offsets, of the topics we know."""
        with self._lock:
            return answered(
                lambda: self._committed(group), f"group {group}: asking for its offsets"
            )

    def count_partitions(self, topics: Iterable[str]) -> int:
        """Return how many partitions the topics have: LogDamaged unless it is one number.

        LogFailed if one of them is not there.
        """
        with self._lock:
            found = answered(self._counts, "asking for the topics")
        missing = [topic for topic in topics if topic not in found]
        if missing:
            raise LogFailed(f"topics are missing: {', '.join(missing)}; run `pnl topics apply`")
        counts = {topic: found[topic] for topic in topics}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{topic} {count}" for topic, count in sorted(counts.items()))
            raise LogDamaged(f"topics have different partition counts: {told}")
        return next(iter(counts.values()))

    def close(self) -> None:
        """Close the clients."""
        with self._lock:
            for client in [self._client, *self._askers.values()]:
                if client is not None:
                    client.close()
            self._client, self._askers = None, {}

    def _read_anew(self, place: Place, topic: str, start: int, records_max: int) -> list[Record]:
        """Read; after an error with a new client, since an old one may forget a partition."""
        try:
            return self._read(place, topic, start, records_max)
        except KafkaException:
            client, self._client, self._at = self._client, None, None
            if client is not None:
                client.close()
            raise

    def _read(self, place: Place, topic: str, start: int, records_max: int) -> list[Record]:
        client = self._opened()
        if self._at != (place, start):
            low, end = watermarks(client, place)
            start = max(start, low)
            if start >= end:
                return []
            client.assign([Place(place.topic, place.partition, start)])
        self._at = None
        records: list[Record] = []
        limit = Deadline(ANSWER)
        self._at_end = False
        while len(records) < records_max and not self._at_end:
            messages = client.consume(min(records_max - len(records), 10_000), 0.2)
            records += records_of(messages, {place.topic: topic}, self._judge)
            if messages:
                limit = Deadline(ANSWER)
            elif not limit.seconds_left():
                raise Busy(f"{place.topic}/{place.partition}: no broker answers")
        if records and not self._at_end:
            self._at = (place, records[-1].offset + 1)
        return records

    def _judge(self, error: KafkaError) -> None:
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
            raise KafkaException(error)
        self._at_end = True

    def _committed(self, group: str) -> dict[TopicPartition, int]:
        asker = self._askers.get(group)
        if asker is None:
            asker = self._askers[group] = self._clients.consumer(self._settings.consumer(group))
        prefix = self._settings.prefix
        asked = [
            Place(prefix + topic, number)
            for topic, count in self._counts().items()
            if topic in TOPICS
            for number in range(count)
        ]
        found = {}
        for place in asker.committed(asked, timeout=ANSWER.total_seconds()) if asked else ():
            if place.error is not None:
                raise KafkaException(place.error)
            if place.offset != OFFSET_INVALID:
                topic = place.topic[len(prefix) :]
                found[TopicPartition(topic, place.partition)] = place.offset
        return found

    def _counts(self) -> dict[str, int]:
        prefix = self._settings.prefix
        found = self._opened().list_topics(timeout=ANSWER.total_seconds()).topics
        return {
            name[len(prefix) :]: len(data.partitions)
            for name, data in found.items()
            if name.startswith(prefix) and data.error is None
        }

    def _opened(self) -> KafkaConsumerClient:
        if self._client is None:
            self._client = self._clients.consumer(self._settings.reader())
        return self._client
