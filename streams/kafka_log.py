"""The event log on Apache Kafka: what one cluster keeps and many processes share.

Law: the promises of `streams.log`, kept by one Kafka transaction per batch. They hold as long as
the topics do what `pnl topics apply` set: equal and fixed partition counts, replication, no unclean
leader election. A transaction's end takes an offset of its own, so offsets grow with holes.
"""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from streams.clock import Deadline
from streams.kafka_clients import (
    IsolationLevel,
    KafkaClients,
    KafkaError,
    KafkaException,
    KafkaMessage,
    KafkaProducerClient,
    LibrdkafkaClients,
    earliest_offset,
    latest_offset,
)
from streams.kafka_clients import TopicPartition as Place
from streams.kafka_consumer import KafkaConsumer
from streams.kafka_errors import Verdict, answered, verdict
from streams.kafka_questions import ANSWER_SECONDS, listed
from streams.kafka_reader import KafkaReader
from streams.kafka_settings import KafkaSettings
from streams.log import Busy, LogFailed, OffsetRange, Outgoing, Record, TopicPartition
from streams.topics import TOPICS

APPEND_MAX: Final = timedelta(seconds=60)
"""How long an append may take before it is given up; the client tries again until then."""


class KafkaLog:
    """An `EventLog` on a cluster. `append` and `read` may be used by several threads."""

    def __init__(self, settings: KafkaSettings, *, clients: KafkaClients | None = None) -> None:
        self._settings = settings
        self._clients = clients or LibrdkafkaClients()
        self._admin = self._clients.admin(settings.admin())
        self._lock = threading.Lock()
        self._producer: KafkaProducerClient | None = None
        self._reader = KafkaReader(self._clients, settings)
        self._consumers: list[KafkaConsumer] = []
        self._partitions: int | None = None
        self._counts: dict[str, int] = {}
        self._closed = False

    @property
    def epoch(self) -> int:
        """Which life of the topics this is, as the settings say."""
        return self._settings.epoch

    @property
    def partitions(self) -> int:
        """Partition count of the topics. Busy while no broker answers."""
        if self._partitions is None:
            self._partitions = self._reader.count_partitions(TOPICS)
        return self._partitions

    def append(self, topic: str, records: Sequence[Outgoing]) -> list[OffsetRange]:
        """Append and return once durable; ranges in order of partition and offset.

        A partition has several where others appended in between. Busy when the cluster did not take
        all of it: then some of it may be there, and sending it again may double it (facts bear
        that).
        """
        if self._closed:
            raise ValueError("the log is closed")
        if not records:
            return []
        appended = _Appended(len(records))
        with self._lock:
            if self._producer is None:
                self._producer = self._clients.producer(
                    self._settings.producer(), on_error=lambda _: None
                )
            producer = self._producer
            physical = self._settings.prefix + topic
            for key, value, headers in records:
                partition = -1 if key is not None else 0
                while True:
                    try:
                        producer.produce(
                            physical,
                            value,
                            key,
                            partition,
                            on_delivery=appended.delivered,
                            headers=list(headers) or None,
                        )
                    except BufferError:
                        producer.poll(0.05)
                        continue
                    break
            limit = Deadline(APPEND_MAX)
            while producer.flush(0.5) and limit.seconds_left():
                pass
        appended.assert_all(topic)
        return [
            OffsetRange(topic, partition, start, end)
            for partition, spans in sorted(appended.spans.items())
            for start, end in spans
        ]

    def consumer(self, group: str, topics: Sequence[str]) -> KafkaConsumer:
        """Join a group in this log's slot: whoever was in the slot before is fenced.

        What is assigned comes with the first polls. Raises LogFailed when no broker answers.
        """
        if self._closed:
            raise ValueError("the log is closed")
        partitions = self._reader.count_partitions(topics)
        consumer = KafkaConsumer(self._clients, self._settings, group, topics, partitions)
        self._consumers.append(consumer)
        return consumer

    def read(self, topic: str, partition: int, start: int, records_max: int) -> list[Record]:
        """Return committed records from offset `start` on, without a group."""
        if self._closed:
            raise ValueError("the log is closed")
        return self._reader.read(topic, partition, start, records_max)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the offset behind the last record that readers may see."""
        return self._offsets(topic, latest_offset(), IsolationLevel.READ_COMMITTED)

    def start_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the oldest offset still kept."""
        return self._offsets(topic, earliest_offset(), IsolationLevel.READ_UNCOMMITTED)

    def undecided_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, how many offsets lie behind what readers may see.

        They belong to open transactions; one that stays open holds readers up.
        """
        ends = self._offsets(topic, latest_offset(), IsolationLevel.READ_UNCOMMITTED)
        stable = self.end_offsets(topic)
        return {partition: max(0, end - stable[partition]) for partition, end in ends.items()}

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the committed offsets of a group, also while another process owns it."""
        return self._reader.committed(group)

    def close(self) -> None:
        """Leave every group, close every client; closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        for consumer in self._consumers:
            consumer.close()
        self._reader.close()
        if self._producer is not None:
            self._producer.flush(ANSWER_SECONDS)

    def _offsets(self, topic: str, which: Any, isolation: IsolationLevel) -> dict[int, int]:  # noqa: ANN401
        physical = self._settings.prefix + topic
        if topic not in self._counts:  # a topic's count is fixed, and asking takes 50 ms
            self._counts[topic] = self._reader.count_partitions([topic])
        asked = {Place(physical, number): which for number in range(self._counts[topic])}

        def ask() -> dict[int, int]:
            try:
                return listed(self._admin, asked, isolation)
            except KafkaException:
                # It would ask the leader it knows, in the epoch it knows, for a quarter of an hour.
                self._admin = self._clients.admin(self._settings.admin())
                raise

        return answered(ask, f"{physical}: asking for its offsets")


class _Appended:
    """What became of the records of one append."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.error: KafkaError | None = None
        self.spans: dict[int, list[tuple[int, int]]] = {}

    def delivered(self, error: KafkaError | None, message: KafkaMessage) -> None:
        """Note one record's place."""
        self.left -= 1
        if error is not None:
            self.error = error
            return
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        spans = self.spans.setdefault(partition, [])
        if spans and spans[-1][1] == offset:
            spans[-1] = (spans[-1][0], offset + 1)
        else:
            spans.append((offset, offset + 1))

    def assert_all(self, topic: str) -> None:
        """Raise unless every record was taken."""
        if self.error is not None:
            what = f"{topic}: append: {self.error.name()}: {self.error.str()}"
            if verdict(self.error) is Verdict.REPEAT:
                raise Busy(what)
            raise LogFailed(what)
        if self.left:
            raise Busy(f"{topic}: append: {self.left} records were not acknowledged in time")
