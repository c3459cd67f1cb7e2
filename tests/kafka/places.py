"""Kafka logs of one test: its own topics under its own prefix, with short timeouts."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.topics import STATES, TOPICS
from tests.support.kafka_broker import Cluster

QUICK = {
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "500",
    "max.poll.interval.ms": "6000",
    "log_level": "0",
}
"""A worker that stops is given up after six seconds."""


def settings(bootstrap: str, prefix: str, slot: str = "0", **client: str) -> KafkaSettings:
    """Return settings for a test's own topics; in `client` names a _ stands for a dot."""
    named = {name.replace("_", "."): value for name, value in client.items()}
    return KafkaSettings(
        client={"bootstrap.servers": bootstrap, **QUICK, **named},
        slot=slot,
        prefix=prefix,
        states=STATES,
        transaction_timeout=timedelta(seconds=10),
    )


def create_topics(
    cluster: Cluster, prefix: str, partitions: int = 4, names: Iterable[str] = TOPICS
) -> None:
    """Create our topics under a prefix; return once they are there."""
    configs: dict[str, Mapping[str, str]] = {name: {} for name in names}
    configs |= {name: {"cleanup.policy": "compact"} for name in STATES.values()}
    cluster.create_all({prefix + name: each for name, each in configs.items()}, partitions)


def open_log(cluster: Cluster, prefix: str, slot: str = "0") -> KafkaLog:
    """Open a log on a test's own topics."""
    return KafkaLog(settings(cluster.bootstrap, prefix, slot))
