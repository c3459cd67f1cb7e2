"""Signals on our own runner keep the contract of their hosts on a real broker, exactly once."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from pnl.metrics import Metrics
from pnl.workers.signals import SignalsRole
from streams.clock import SystemClock
from streams.topics import ALERTS
from tests.kafka.places import create_topics, open_log
from tests.support.kafka_broker import Cluster
from tests.support.signal_host_contract import (
    TOPICS,
    Running,
    SignalHostContract,
    Tally,
    append,
    by_hand,
    said,
)

EVERY = WAIT = timedelta(milliseconds=50)


class RunnerStand:
    """Hosts on one cluster, under a prefix."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        create_topics(cluster, prefix)
        self.log = open_log(cluster, prefix)

    def start(self) -> AbstractContextManager[Running]:
        """Run a host."""
        metrics = Metrics(CollectorRegistry())
        role = SignalsRole(
            self.log,
            Tally(),
            metrics,
            SystemClock(),
            code_version="test",
            topics=TOPICS,
            every=EVERY,
        )
        return Running.of(role, WAIT)


@pytest.fixture
def stand(cluster: Cluster, prefix: str) -> Iterator[RunnerStand]:
    """Yield a stand on empty topics."""
    standing = RunnerStand(cluster, prefix)
    yield standing
    standing.log.close()


class TestOnRunner(SignalHostContract):
    """The contract, on our runner."""

    def test_nothing_is_written_twice(self, stand: RunnerStand) -> None:
        """What `said` would forgive, a record that lies there twice, there is none of."""
        for count in (30, 20):
            append(stand.log, count)
            with stand.start() as host:
                host.settle()
        lying = sum(
            len(stand.log.read(ALERTS, partition, 0, 1_000))
            for partition in range(stand.log.partitions)
        )
        assert lying == len(by_hand(stand.log)) == len(said(stand.log))
