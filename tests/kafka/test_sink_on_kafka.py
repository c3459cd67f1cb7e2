"""Sinks as members of a group on a real broker: shared out, killed, frozen, held up."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from pnl.engine import GROUP as JOURNEYS
from pnl.engine import JourneysWorker
from pnl.errors import Exit
from processors.policy import Policy
from sinks.progress import is_reached
from sinks.rebuild import rebuild
from sinks.sink import GROUP, Sink
from sinks.store import Store
from sinks.verify import verify
from streams.clock import Stopwatch
from streams.failpoints import VARIABLE
from streams.kafka_log import KafkaLog
from streams.log import Busy, TopicPartition
from streams.topics import INPUT_NAMES, STORED_NAMES
from tests.kafka.load import create_topics
from tests.kafka.worker import TRANSACTION, settings
from tests.support.chdb_http import ROOT, ChdbServer
from tests.support.kafka_broker import Cluster
from tests.support.stored import append
from tests.support.trade import net_minor, trade
from tests.support.waiting import until

NET = "SELECT -sum(toInt128(amount_minor)) AS net FROM v_ledger WHERE line = 'net'"
WAIT = timedelta(milliseconds=100)
SOON = timedelta(seconds=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbServer]:
    """Start a server for the stores of these tests."""
    with ChdbServer(tmp_path_factory.mktemp("server") / "store") as started:
        yield started


class Stage:
    """One test's topics, its store, a log to feed and to look with."""

    def __init__(self, cluster: Cluster, prefix: str, server: ChdbServer) -> None:
        self.cluster, self.prefix, self.server = cluster, prefix, server
        self.database = f"pnl_{prefix.rstrip('.')}"
        create_topics(cluster, prefix)
        self.store = Store.open(server.dsn, self.database)
        self.store.migrate()
        self.log = self.open_log("none")

    def open_log(self, slot: str) -> KafkaLog:
        """Open a log of this test's."""
        return KafkaLog(settings(self.cluster.bootstrap, self.prefix, slot, {}, TRANSACTION))

    def feed(self, first: int, days: int) -> None:
        """Let the facts of some days come and be processed."""
        append(self.log, trade(days, first))
        log = self.open_log("feeder")
        worker = JourneysWorker(log, Policy(), code_version="test")
        while not self._is_drained():
            worker.step(WAIT)
        worker.close()
        log.close()

    def ends(self) -> dict[TopicPartition, int]:
        """Return the ends of all outputs."""
        return {
            TopicPartition(topic, number): end
            for topic in STORED_NAMES
            for number, end in self.log.end_offsets(topic).items()
        }

    def sink(self, slot: str, armed: str = "") -> subprocess.Popen[str]:
        """Start a sink in a process."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.kafka.sink_worker", self.cluster.bootstrap),
                *(self.prefix, slot, self.server.dsn, self.database),
            ],
            cwd=ROOT,
            env=os.environ | {VARIABLE: armed},
            stderr=subprocess.PIPE,
            text=True,
        )

    def await_stored(self, *sinks: subprocess.Popen[str]) -> None:
        """Wait until the sinks have passed all there is; say why if one of them ended."""
        ends = self.ends()

        def is_so() -> bool:
            for sink in sinks:
                assert sink.poll() is None, sink.communicate()[1]
            committed = self.log.committed(GROUP)
            return all(
                is_reached(self.log, place, committed.get(place, 0), end)
                for place, end in ends.items()
            )

        until(is_so, SOON.total_seconds(), "all is stored")

    def assert_right(self, days: int) -> None:
        """Check every law and the money, once the roll-up has followed."""
        until(lambda: verify(self.store) == [], 20, "every law holds")
        assert self.store.query(NET) == [{"net": net_minor(days)}]

    def _is_drained(self) -> bool:
        committed = self.log.committed(JOURNEYS)
        return all(
            committed.get(TopicPartition(topic, number), 0) == end
            for topic in INPUT_NAMES
            for number, end in self.log.end_offsets(topic).items()
        )


@pytest.fixture
def stage(cluster: Cluster, prefix: str, server: ChdbServer) -> Iterator[Stage]:
    """Return a stage with the outputs of 40 days."""
    made = Stage(cluster, prefix, server)
    made.feed(0, 40)
    yield made
    made.log.close()
    made.store.close()


@contextmanager
def running(stage: Stage, slot: str = "0") -> Iterator[Sink]:
    """Run a sink in a thread."""
    log = stage.open_log(slot)
    sink = Sink(log, stage.store, linger=timedelta(milliseconds=20))
    over = threading.Event()
    errors: list[BaseException] = []

    def loop() -> None:
        try:
            while not over.is_set():
                try:
                    sink.step(WAIT)
                except Busy:
                    over.wait(0.02)
            sink.close()
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield sink
    finally:
        over.set()
        thread.join()
        log.close()
    assert errors == []


def ended(sink: subprocess.Popen[str], how: int) -> None:
    """Assert how a sink's process ends."""
    _, said = sink.communicate(timeout=60)
    assert sink.returncode == how, said


def test_a_sink_stores_all_and_knows_it(stage: Stage) -> None:
    """Offsets that hold no record are not waited for; a restart repeats nothing."""
    with running(stage) as sink:
        assert sink.wait_until(stage.ends(), SOON)
        assert any(end > sink.progress()[place] for place, end in stage.ends().items())
        until(
            lambda: stage.store.query("SELECT count() AS n FROM v_progress WHERE records > 0"),
            10,
            "the marks are written",
        )
    stage.assert_right(40)
    before = stage.store.query("SELECT count() AS n FROM ledger")
    with running(stage) as sink:
        until(lambda: sink.progress().keys() == stage.ends().keys(), 30, "all is owned again")
        assert sink.wait_until(stage.ends(), SOON)
    assert stage.store.query("SELECT count() AS n FROM ledger") == before


def test_partitions_move_between_sinks(stage: Stage) -> None:
    """One sink, two, one again, facts all the while: nothing is lost at a handover."""
    with running(stage, "0") as first:
        until(lambda: first.progress().keys() == stage.ends().keys(), 30, "it owns all")
        with running(stage, "1") as second:
            until(second.progress, 30, "the second owns its share")
            stage.feed(40, 20)
            assert first.wait_until(stage.ends(), SOON)
            assert not first.progress().keys() & second.progress().keys()
        until(lambda: first.progress().keys() == stage.ends().keys(), 30, "it owns all again")
        stage.feed(60, 10)
        assert first.wait_until(stage.ends(), SOON)
    stage.assert_right(70)


@pytest.mark.parametrize("step", ["K0:1", "K1:3", "K2:2", "K3:1", "K4:2", "K5:1", "K6:1"])
def test_a_killed_sink_is_made_good_by_another(stage: Stage, step: str) -> None:
    """A sink is killed at a step; another takes its partitions over once its session is out."""
    ended(stage.sink("0", f"{step}:kill"), -signal.SIGKILL)
    other = stage.sink("1")
    try:
        stage.await_stored(other)
        stage.assert_right(40)
    finally:
        other.terminate()
        ended(other, Exit.OK)


@pytest.mark.parametrize("step", ["K1:2", "K3:1"])
def test_a_frozen_sink_that_wakes_late_is_harmless(stage: Stage, step: str) -> None:
    """A sink frozen past its session writes, when it wakes, what its heir has stored: repeats.

    Its commit is refused, and it goes on as a new member of the group.
    """
    zombie = stage.sink("0", f"{step}:stop")
    until(lambda: _state_of(zombie.pid) == "T", 60, "the sink stands still")
    heir = stage.sink("1")
    try:
        stage.await_stored(heir)
        stage.assert_right(40)
        zombie.send_signal(signal.SIGCONT)
        stage.feed(40, 10)
        stage.await_stored(heir, zombie)
        stage.assert_right(50)
    finally:
        for sink in (zombie, heir):
            sink.send_signal(signal.SIGCONT)
            sink.terminate()
    for sink in (zombie, heir):
        ended(sink, Exit.OK)


def test_an_outage_longer_than_the_poll_interval_costs_no_membership(
    stage: Stage, server: ChdbServer
) -> None:
    """While the store is down the sink goes on polling: it keeps its partitions, then drains."""
    with running(stage) as sink:
        assert sink.wait_until(stage.ends(), SOON)
        owned = sink._consumer.assignment
        server.kill()
        outage = Stopwatch()
        stage.feed(40, 10)
        until(lambda: sink.trouble is not None, 20, "the sink has noticed")
        until(lambda: outage.elapsed() > timedelta(seconds=9), 20, "the outage is over")
        server.start()
        assert sink.wait_until(stage.ends(), SOON)
        assert sink._consumer.assignment == owned
    stage.assert_right(50)


def test_a_store_is_rebuilt_beside_a_sink(stage: Stage) -> None:
    """New tables from the log take the place of damaged ones while a sink goes on."""
    with running(stage) as sink:
        assert sink.wait_until(stage.ends(), SOON)
        stage.store.command("DELETE FROM ledger WHERE log_offset < 3")
        assert rebuild(stage.log, stage.store, accept_differences=True).differences
        stage.feed(40, 10)
        assert sink.wait_until(stage.ends(), SOON)
    stage.assert_right(50)


def _state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
