"""What lies on the cluster, read by a plain client: every committed record, by topic and partition.

Nothing of ours stands in between, so what our own readers would not see is seen here.
"""

import time
from collections.abc import Iterable
from typing import Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from streams.log import Record

SECONDS: Final = 60


def reader(bootstrap: str, isolation: str = "read_committed") -> Consumer:
    """Return a client without a group."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "group.id": "plain",
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )


def partitions_of(consumer: Consumer, prefix: str, topics: Iterable[str]) -> list[TopicPartition]:
    """Return every partition of some topics, at its beginning."""
    known = consumer.list_topics(timeout=SECONDS).topics
    return [
        TopicPartition(prefix + topic, number, 0)
        for topic in topics
        for number in known[prefix + topic].partitions
    ]


def records(
    bootstrap: str, prefix: str, topics: Iterable[str], isolation: str = "read_committed"
) -> dict[tuple[str, int], list[Record]]:
    """Return the records of some topics up to their present ends, by (topic, partition)."""
    consumer = reader(bootstrap, isolation)
    places = partitions_of(consumer, prefix, topics)
    found: dict[tuple[str, int], list[Record]] = {
        (place.topic.removeprefix(prefix), place.partition): [] for place in places
    }
    consumer.assign(places)
    ended: set[tuple[str | None, int | None]] = set()
    limit = time.monotonic() + SECONDS
    while len(ended) < len(places):
        assert time.monotonic() < limit, f"not read within {SECONDS} s"
        for message in consumer.consume(1_000, 0.05):
            error = message.error()
            if error is None:
                record = as_record(message, prefix)
                found[record.topic, record.partition].append(record)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add((message.topic(), message.partition()))
    consumer.close()
    return found


def as_record(message: object, prefix: str) -> Record:
    """Return a message as a record of ours, without its headers."""
    return Record(
        message.topic().removeprefix(prefix),  # type: ignore[attr-defined]
        message.partition(),  # type: ignore[attr-defined]
        message.offset(),  # type: ignore[attr-defined]
        message.timestamp()[1],  # type: ignore[attr-defined]
        message.key(),  # type: ignore[attr-defined]
        message.value(),  # type: ignore[attr-defined]
    )
