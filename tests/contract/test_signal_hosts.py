"""Signals behind the runner keep the contract of their hosts, in memory and on a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from streams.clock import ManualClock
from streams.log import EventLog
from streams.memory_log import MemoryLog, MemoryPlace
from streams.runner import Runner
from streams.signals_on_runner import SignalsOnRunner
from streams.sqlite_log import SqliteLog
from tests.support.signal_host_contract import TOPICS, SignalHostContract, Tally, append, said

NO_WAIT = timedelta(0)


class OnRunner:
    """A host of the tally, stepped by hand."""

    def __init__(self, log: EventLog) -> None:
        self._consumer = log.consumer("signals", TOPICS)
        self._handler = SignalsOnRunner(Tally(), log.epoch)
        self._runner = Runner(
            self._consumer, self._handler, epoch=log.epoch, code_version="test", records_max=7
        )

    def settle(self) -> None:
        """Step until nothing comes; tick between the steps, as its worker does."""
        while self._runner.step(NO_WAIT):
            self._runner.tick(self._handler, 0)
        self._runner.tick(self._handler, 0)

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()


class RunnerStand:
    """Hosts on one log of this process."""

    def __init__(self, log: EventLog) -> None:
        self.log = log

    @contextmanager
    def start(self) -> Iterator[OnRunner]:
        """Run a host."""
        host = OnRunner(self.log)
        try:
            yield host
        finally:
            host.close()


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
