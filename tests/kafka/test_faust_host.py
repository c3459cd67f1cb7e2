"""Signals on Faust keep the contract of their hosts, on a real broker."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from streams.clock import SystemClock
from streams.faust_host import FaustHost
from streams.faust_settings import FaustSettings
from streams.kafka_log import KafkaLog
from streams.topics import SIGNALS_TABLE
from tests.kafka.places import QUICK, create_topics, open_log
from tests.support.kafka_broker import Cluster
from tests.support.signal_host_contract import TOPICS, SignalHostContract, Tally
from tests.support.waiting import until

SECONDS = 60
TICK = timedelta(milliseconds=100)
STOP = timedelta(seconds=20)


class OnFaust:
    """A host of the tally on Faust."""

    def __init__(self, log: KafkaLog, settings: FaustSettings) -> None:
        self._log = log
        self.registry = CollectorRegistry()
        self.host = FaustHost(settings, Tally(), SystemClock(), self.registry, tick=TICK)
        self.host.start()

    def settle(self) -> None:
        """Wait until its places are the ends of its topics, and it has ticked."""
        until(self._is_done, SECONDS, "all records are handled")
        ticks = self.host.ticks
        until(lambda: self.host.ticks > ticks + 1, SECONDS, "it ticks")

    def _is_done(self) -> bool:
        if self.host.fault is not None:
            raise self.host.fault
        at = self.host.positions()
        return self.host.is_ready and all(
            at.get((topic, partition)) == end
            for topic in TOPICS
            for partition, end in self._log.end_offsets(topic).items()
        )

    def close(self) -> None:
        """Leave the group."""
        assert self.host.stop(STOP)


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

    @contextmanager
    def start(self) -> Iterator[OnFaust]:
        """Run a host."""
        host = OnFaust(self.log, self.settings)
        try:
            yield host
        finally:
            host.close()


@pytest.fixture
def stand(cluster: Cluster, prefix: str, tmp_path: Path) -> Iterator[FaustStand]:
    """Yield a stand on empty topics."""
    standing = FaustStand(cluster, prefix, tmp_path)
    yield standing
    standing.log.close()


class TestOnFaust(SignalHostContract):
    """The contract, on Faust."""
