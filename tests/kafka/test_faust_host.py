"""Signals on Faust keep the contract of their hosts, on a real broker."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from pnl.metrics import Metrics
from pnl.workers.signals import FaustSignalsRole
from streams.clock import SystemClock
from streams.faust_host import FaustHost
from streams.faust_settings import FaustSettings
from streams.topics import SIGNALS_TABLE
from tests.kafka.places import QUICK, create_topics, open_log
from tests.support.kafka_broker import Cluster
from tests.support.signal_host_contract import TOPICS, Running, SignalHostContract, Tally

EVERY = WAIT = timedelta(milliseconds=50)


class FaustStand:
    """Hosts on one cluster, under a prefix."""

    def __init__(self, cluster: Cluster, prefix: str, folder: Path) -> None:
        create_topics(cluster, prefix)
        self.log = open_log(cluster, prefix)
        self.settings = FaustSettings(
            client={"bootstrap.servers": cluster.bootstrap, **QUICK},
            group="signals-faust",
            topics=TOPICS,
            changelog=SIGNALS_TABLE,
            prefix=prefix,
            folder=folder,
        )

    def start(self) -> AbstractContextManager[Running]:
        """Run a host."""
        metrics = Metrics(CollectorRegistry())
        host = FaustHost(self.settings, Tally(), metrics.registry)
        role = FaustSignalsRole(self.log, host, metrics, SystemClock(), topics=TOPICS, every=EVERY)
        return Running.of(role, WAIT)


@pytest.fixture
def stand(cluster: Cluster, prefix: str, tmp_path: Path) -> Iterator[FaustStand]:
    """Yield a stand on empty topics."""
    standing = FaustStand(cluster, prefix, tmp_path)
    yield standing
    standing.log.close()


class TestOnFaust(SignalHostContract):
    """The contract, on Faust."""
