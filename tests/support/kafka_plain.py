"""Kafka by its plain clients, none of ours in between: what was sent, what a reader sees."""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

SECONDS = 30


def producer(bootstrap: str, **settings: Any) -> Producer:
    """Return a producer; an underscore in a setting's name stands for a dot."""
    named = {key.replace("_", "."): value for key, value in settings.items()}
    return Producer({"bootstrap.servers": bootstrap, "log_level": 0} | named)


def send(bootstrap: str, topic: str, *values: bytes) -> None:
    """Append records of one key to partition 0; return when every copy has them."""
    sender = producer(bootstrap, acks="all")
    for value in values:
        sender.produce(topic, value, b"key", 0)
    assert sender.flush(SECONDS) == 0


def read(
    bootstrap: str, topic: str, partition: int = 0, settings: Mapping[str, str] | None = None
) -> list[bytes | None]:
    """Return the values that a reader of committed records gets up to the present end."""
    own = {"group.id": "plain", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
    usual = {"bootstrap.servers": bootstrap, "log_level": 0, "isolation.level": "read_committed"}
    consumer = Consumer(own | usual | {"enable.partition.eof": True} | dict(settings or {}))
    consumer.assign([TopicPartition(topic, partition, 0)])
    found: list[Message] = []
    while not found or found[-1].error() is None:
        consumed = consumer.consume(1, SECONDS)
        assert consumed, f"no end of {topic} within {SECONDS} s"
        found += consumed
    consumer.close()
    error = found.pop().error()
    assert error is not None
    assert error.name() == "_PARTITION_EOF"
    return [message.value() for message in found]
