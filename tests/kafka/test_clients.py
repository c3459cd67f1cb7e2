"""What the simulation takes for granted of Kafka, held against a real broker."""

from collections.abc import Iterator

import pytest

from streams.kafka_clients import LibrdkafkaClients
from tests.contract import test_kafka_clients as contract
from tests.contract.test_kafka_clients import Kafka
from tests.support.kafka_broker import Cluster

globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})


@pytest.fixture
def kafka(cluster: Cluster, prefix: str) -> Iterator[Kafka]:
    """Yield a real broker."""
    client: dict[str, object] = {"bootstrap.servers": cluster.bootstrap, "log_level": 0}
    opened = Kafka(LibrdkafkaClients, client, prefix, cluster.create)
    yield opened
    opened.close()
