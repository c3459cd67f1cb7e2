"""What may happen to signals on Faust, and what is there afterwards: all, under one identity.

Every record is counted in the value of each later one, so a record that a fault lost, or let count
twice, would show in all that follow.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from pnl.workers.signals_faust import FAUST_GROUP
from streams.clock import Deadline, pause
from streams.kafka_log import KafkaLog
from streams.topics import ALERTS
from tests.kafka.test_faust_host import FaustStand, stand
from tests.support.kafka_broker import Cluster
from tests.support.kafka_plain import producer
from tests.support.signal_host_contract import SHUT, TOPICS, append, by_hand, said
from tests.support.waiting import until

__all__ = ["stand"]
ROOT = Path(__file__).parents[2]
SECONDS = 60
HALVES = {"[0, 1]", "[2, 3]", "[0, 2]", "[1, 3]", "[0, 3]", "[1, 2]"}


class Worker:
    """A process of tests/kafka/signals_worker.py."""

    def __init__(self, folder: Path, number: int, *arguments: str) -> None:
        self._out = folder / f"signals-{number}.log"
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kafka.signals_worker", *arguments],
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        """Return what it said so far."""
        return self._out.read_text()

    @property
    def owns(self) -> str:
        """Return the partitions it owned when it last said so."""
        lines = [line for line in self.said.splitlines() if line.endswith("]")]
        return lines[-1].partition(" ")[2] if lines else "[]"

    def await_owning(self, wanted: str = "[0, 1, 2, 3]") -> None:
        """Return once it owns these partitions, and has restored them."""
        until(lambda: self.owns == wanted or self._gone(), SECONDS, f"it owns {wanted}")

    def send(self, which: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, which)

    def kill(self) -> None:
        """End it as a crash does; nothing if it has ended."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as an operator does; return its exit code."""
        self.send(signal.SIGTERM)
        return self._process.wait(SECONDS)

    def _gone(self) -> bool:
        assert self._process.poll() is None, self.said
        return False


class Workers:
    """The workers of one test."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, opened: ExitStack) -> None:
        self._arguments = (bootstrap, prefix)
        self._folder = folder
        self._opened = opened
        self._count = 0

    def start(self) -> Worker:
        """Start one."""
        self._count += 1
        worker = Worker(self._folder, self._count, *self._arguments)
        self._opened.callback(worker.kill)
        return worker


@pytest.fixture
def workers(tmp_path: Path, cluster: Cluster, stand: FaustStand, prefix: str) -> Iterator[Workers]:
    """Yield what starts workers on the topics of the stand."""
    del stand
    with ExitStack() as opened:
        yield Workers(tmp_path, cluster.bootstrap, prefix, opened)


def await_all(log: KafkaLog) -> None:
    """Return once what workers wrote is what calling the handler by hand gives."""
    wanted = by_hand(log)
    limit = Deadline(timedelta(seconds=SECONDS))
    while len(said(log)) < len(wanted) and limit.seconds_left():
        pause(0.5)
    assert said(log) == wanted


def test_records_of_an_aborted_transaction_are_never_seen(
    stand: FaustStand, cluster: Cluster, prefix: str
) -> None:
    """Faust alone would hand them to an agent: here they are as if they had never been."""
    sender = producer(cluster.bootstrap, transactional_id=f"{prefix}x")
    sender.init_transactions(30)
    for turn in range(6):
        sender.begin_transaction()
        for partition in range(4):
            for topic in TOPICS:
                sender.produce(prefix + topic, b"aborted" if turn % 2 else b"x", b"k", partition)
        sender.flush(30)
        if turn % 2:
            sender.abort_transaction(30)
        else:
            sender.commit_transaction(30)
    with stand.start() as host:
        host.settle()
    assert len(said(stand.log)) == 3 * 4 * len(TOPICS)
    assert said(stand.log) == by_hand(stand.log)


def test_killed_at_any_moment_nothing_is_lost_and_nothing_has_a_new_identity(
    stand: FaustStand, workers: Workers
) -> None:
    """A kill -9 while records come, again and again; what is repeated is the same record."""
    dice = Random(6)
    for _ in range(3):
        worker = workers.start()
        worker.await_owning()
        for _ in range(dice.randrange(1, 6)):
            append(stand.log, 50, SHUT)
        worker.kill()
    workers.start()
    await_all(stand.log)


def test_partitions_move_between_two_workers(stand: FaustStand, workers: Workers) -> None:
    """One joins, one leaves, one falls: whoever owns a partition goes on with its state."""
    first = workers.start()
    first.await_owning()
    append(stand.log, 80)
    second = workers.start()
    until(
        lambda: first.owns != second.owns and {first.owns, second.owns} < HALVES,
        SECONDS,
        "each owns half",
    )
    append(stand.log, 80)
    assert first.stop() == 0
    second.await_owning()
    append(stand.log, 80)
    await_all(stand.log)


def test_a_worker_that_slept_through_its_own_replacement_does_no_harm(
    stand: FaustStand, workers: Workers
) -> None:
    """It wakes with work under way that another has done meanwhile."""
    first = workers.start()
    first.await_owning()
    append(stand.log, 200)
    first.send(signal.SIGSTOP)
    append(stand.log, 50)
    second = workers.start()
    second.await_owning()
    append(stand.log, 50)
    await_all(stand.log)
    first.send(signal.SIGCONT)
    append(stand.log, 50)
    await_all(stand.log)


def test_what_the_group_committed_decides_nothing(
    stand: FaustStand, cluster: Cluster, prefix: str
) -> None:
    """A group that committed past records nobody handled: they are handled all the same."""
    append(stand.log, 40)
    with stand.start() as host:
        host.settle()
    append(stand.log, 40)
    ends = [
        TopicPartition(prefix + topic, partition, end)
        for topic in TOPICS
        for partition, end in stand.log.end_offsets(topic).items()
    ]
    committed = ConsumerGroupTopicPartitions(prefix + FAUST_GROUP, ends)
    admin = cluster.admin()
    for future in admin.alter_consumer_group_offsets([committed]).values():
        future.result(30)
    with stand.start() as host:
        host.settle()
    assert said(stand.log) == by_hand(stand.log)
    assert sum(stand.log.end_offsets(ALERTS).values()) == len(said(stand.log))
