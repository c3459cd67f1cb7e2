"""The contract of every EventLog, for the log on Kafka and a broker in memory.

What passes here and on the real broker shows that the one in memory is a broker.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from streams.kafka_clients import LibrdkafkaClients
from streams.log import EventLog
from tests.contract import test_event_log as contract
from tests.contract.test_event_log import NOW_MS, Partitioner, Place
from tests.simulation.places import open_log, real_time_network

SCHEDULED = {"test_no_partition_starves", "test_a_large_batch_is_shared_out"}
"""On Kafka the client takes what the brokers sent, in the order it came."""
globals().update(
    {
        name: test
        for name, test in vars(contract).items()
        if name.startswith("test_") and name not in SCHEDULED
    }
)


@pytest.fixture
def now_ms() -> int:
    """Return the time of the broker."""
    return NOW_MS


@pytest.fixture
def partition_in() -> Partitioner:
    """Return the function that decides a key's partition: that of every Kafka client."""
    return LibrdkafkaClients().partition_of


@pytest.fixture
def place() -> Iterator[Place]:
    """Yield a way to open logs on one empty broker; all of them are closed at the end."""
    network = real_time_network(lambda: NOW_MS)
    with ExitStack() as opened:

        def opening() -> EventLog:
            log = open_log(network)
            opened.callback(log.close)
            return log

        yield opening


@pytest.fixture
def log(place: Place) -> EventLog:
    """Return an empty log."""
    return place()
