"""Kafka logs on a broker in memory: the same settings and topics as on a real one."""

from collections.abc import Callable
from datetime import timedelta

from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.topics import STATES, TOPICS
from tests.simulation.broker import Broker
from tests.simulation.fake_clients import FakeClients
from tests.simulation.network import Network
from tests.simulation.pace import Pace, Process, RealPace

QUICK = {
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "500",
    "max.poll.interval.ms": "6000",
}
"""A worker that stops is given up after six seconds."""


def settings(
    slot: str = "0",
    said: Callable[[str], None] = lambda _: None,
    session_ms: int = 6_000,
    gather_ms: int = 40,
) -> KafkaSettings:
    """Return the settings of one worker."""
    return KafkaSettings(
        client={
            **QUICK,
            "session.timeout.ms": str(session_ms),
            "max.poll.interval.ms": str(session_ms if session_ms <= 6_000 else 60_000),
        },
        slot=slot,
        states=STATES,
        transaction_timeout=timedelta(seconds=10),
        gather=timedelta(milliseconds=gather_ms),
        said=said,
    )


def create_topics(broker: Broker, partitions: int) -> None:
    """Create our topics."""
    for topic in (*TOPICS, *STATES.values()):
        broker.create(topic, partitions)
    broker.groups.counts = lambda topic: len(broker.topics.get(topic, ()))


def new_network(pace: Pace, now_ms: Callable[[], int], partitions: int = 4) -> Network:
    """Return the way to a broker with our empty topics, on which nothing goes wrong."""
    broker = Broker(pace, now_ms)
    create_topics(broker, partitions)
    return Network(pace, broker)


def real_time_network(now_ms: Callable[[], int]) -> Network:
    """Return the way to a broker for several threads."""
    return new_network(RealPace(), now_ms)


def open_log(network: Network, slot: str = "0") -> KafkaLog:
    """Open a log in a process of its own."""
    clients = FakeClients(network, Process(f"slot-{slot}"))
    return KafkaLog(settings(slot), clients=clients)
