"""Signals on Faust keep the contract of their hosts, on a real broker."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from pnl.metrics import Metrics
from pnl.workers.signals_faust import FaustSignalsRole, faust_settings
from streams.clock import SystemClock
from streams.faust_host import FaustHost
from tests.kafka.places import create_topics, open_log, settings
from tests.support.kafka_broker import Cluster
from tests.support.signal_host_contract import TOPICS, Running, SignalHostContract, Tally

EVERY = WAIT = timedelta(milliseconds=50)


class FaustStand:
    """Hosts on one cluster, under a prefix."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        create_topics(cluster, prefix)
        self.log = open_log(cluster, prefix)
        kafka = settings(cluster.bootstrap, prefix)
        self.settings = faust_settings(kafka, self.log.partitions, "test", TOPICS)

    def start(self) -> AbstractContextManager[Running]:
        """Run a host."""
        metrics = Metrics(CollectorRegistry())
        host = FaustHost(self.settings, Tally(), self.log.read, metrics.registry)
        role = FaustSignalsRole(self.log, host, metrics, SystemClock(), topics=TOPICS, every=EVERY)
        return Running.of(role, WAIT)


@pytest.fixture
def stand(cluster: Cluster, prefix: str) -> Iterator[FaustStand]:
    """Yield a stand on empty topics."""
    standing = FaustStand(cluster, prefix)
    yield standing
    standing.log.close()


class TestOnFaust(SignalHostContract):
    """The contract, on Faust."""
