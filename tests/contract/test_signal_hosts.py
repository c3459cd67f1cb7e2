"""Signals behind the runner keep the contract of their hosts, in memory and on a file."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from pnl.metrics import Metrics
from pnl.workers.signals import SignalsRole
from streams.clock import ManualClock
from streams.log import EventLog
from streams.memory_log import MemoryLog, MemoryPlace
from streams.sqlite_log import SqliteLog
from tests.support.signal_host_contract import (
    TOPICS,
    Running,
    SignalHostContract,
    Tally,
    append,
    said,
)

NO_WAIT = timedelta(0)


class RunnerStand:
    """Hosts on one log of this process."""

    def __init__(self, log: EventLog) -> None:
        self.log = log

    def start(self) -> AbstractContextManager[Running]:
        """Run a host."""
        role = SignalsRole(
            self.log,
            Tally(),
            Metrics(CollectorRegistry()),
            ManualClock(1_700_000_000_000),
            code_version="test",
            topics=TOPICS,
            records_max=7,
            every=NO_WAIT,
        )
        return Running.of(role, NO_WAIT)


@pytest.fixture(params=["memory", "sqlite"])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunnerStand]:
    """Yield a stand on an empty log."""
    clock = ManualClock(1_700_000_000_000)
    if request.param == "memory":
        yield RunnerStand(MemoryLog(MemoryPlace(clock)))
        return
    log = SqliteLog(tmp_path / "log", clock=clock, wait=timedelta(seconds=1))
    yield RunnerStand(log)
    log.close()


class TestOnRunner(SignalHostContract):
    """The contract, on our own runner."""

    def test_nothing_is_written_twice(self, stand: RunnerStand) -> None:
        """Behind the runner even the number of records written is exact."""
        append(stand.log, 25)
        for _ in range(3):
            with stand.start() as host:
                host.settle()
        ends = stand.log.end_offsets("pnl.alerts.v1")
        assert sum(ends.values()) == len(said(stand.log)) == 25 * len(TOPICS)
