"""The contract of every EventLog, on a real broker.

Two properties belong to logs that schedule their reading themselves: how a batch is shared among
partitions. On Kafka the client takes what the brokers sent, in the order it came.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from streams.clock import SystemClock
from streams.kafka_clients import LibrdkafkaClients
from streams.log import EventLog
from tests.contract import test_event_log as contract
from tests.contract.test_event_log import Partitioner, Place
from tests.kafka.places import create_topics, open_log
from tests.support.kafka_broker import Cluster

SCHEDULED = {"test_no_partition_starves", "test_a_large_batch_is_shared_out"}
globals().update(
    {
        name: test
        for name, test in vars(contract).items()
        if name.startswith("test_") and name not in SCHEDULED
    }
)


@pytest.fixture
def now_ms() -> int:
    """Return the time of the broker, which is this machine."""
    return SystemClock().now_ms()


@pytest.fixture
def partition_in() -> Partitioner:
    """Return the function that decides a key's partition: that of every Kafka client."""
    return LibrdkafkaClients().partition_of


@pytest.fixture
def place(cluster: Cluster, prefix: str) -> Iterator[Place]:
    """Yield a way to open logs on the empty topics of a test."""
    create_topics(cluster, prefix)
    with ExitStack() as opened:

        def opening() -> EventLog:
            log = open_log(cluster, prefix)
            opened.callback(log.close)
            return log

        yield opening


@pytest.fixture
def log(place: Place) -> EventLog:
    """Return an empty log."""
    return place()
