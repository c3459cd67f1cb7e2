"""Members that come and go all the time: work goes on all the same, and exactly."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from streams.topics import INPUT_NAMES
from tests.kafka.load import load
from tests.kafka.stage import Stage, stage_on
from tests.kafka.worker import QUICK
from tests.support.kafka_broker import Cluster

SEED: Final = int(os.environ.get("PNL_STORM_SEED", "1"))
JOINS: Final = int(os.environ.get("PNL_STORM_JOINS", "20"))
BETWEEN_SECONDS: Final = (0.5, 1.5)
CUSTOMERS: Final = 600
PARTITIONS: Final = 6
REBALANCES: Final = 6
STALL_JOINS_MAX: Final = 10
"""After so many joins in a row without a batch committed there would be no progress."""


@contextmanager
def joined(stage: Stage) -> Iterator[Consumer]:
    """Yield a member of the workers' group that processes nothing, and leaves at the end."""
    member = Consumer(
        {
            **QUICK,
            "bootstrap.servers": stage.cluster.bootstrap,
            "group.id": f"{stage.prefix}journeys",
            "partition.assignment.strategy": "range",
            "enable.auto.commit": False,
        }
    )
    member.subscribe([stage.prefix + topic for topic in INPUT_NAMES])
    yield member
    member.close()


def test_a_storm_of_rebalances_does_not_stop_the_work(cluster: Cluster, tmp_path: Path) -> None:
    """Strangers join and leave; batches are committed all the while, none twice."""
    dice = Random(SEED)
    held = load(SEED, CUSTOMERS)
    size = len(held) // JOINS + 1
    stalled = longest = 0
    between = Event()
    with stage_on(cluster, tmp_path, partitions=PARTITIONS) as stage:
        crew = [stage.crew.start(slot) for slot in ("0", "1")]
        stage.send(held[:size])
        stage.await_some()
        for number in range(1, JOINS + 1):
            before = stage.log.committed("journeys")
            stage.send(held[number * size : (number + 1) * size])
            with joined(stage) as member:
                member.poll(dice.uniform(*BETWEEN_SECONDS))
            between.wait(dice.uniform(*BETWEEN_SECONDS))
            stalled = stalled + 1 if stage.log.committed("journeys") == before else 0
            longest = max(longest, stalled)
            assert stalled < STALL_JOINS_MAX, stage.crew.said()
        stage.finish(*crew)
    print(f"storm: seed {SEED}, {JOINS} joins, at most {longest} in a row without a commit")


def test_a_rebalance_reads_nothing_where_records_are_gone(cluster: Cluster, tmp_path: Path) -> None:
    """Retention took what was processed long ago: no reason for anybody to stop."""
    with stage_on(cluster, tmp_path, partitions=PARTITIONS) as stage:
        stage.send(load(SEED, 60))
        crew = [stage.crew.start(slot) for slot in ("0", "1")]
        stage.await_drained()
        admin = cluster.admin()
        processed = [
            TopicPartition(stage.prefix + place.topic, place.partition, end)
            for place, end in stage.log.committed("journeys").items()
        ]
        for done in admin.delete_records(processed).values():
            done.result(30)
        for _ in range(REBALANCES):
            with joined(stage) as member:
                member.poll(BETWEEN_SECONDS[0])
            stage.await_members(2, unless=lambda: any(each.code is not None for each in crew))
        stage.send(load(SEED + 1, 60, first=60))
        stage.await_drained()
        assert [worker.stop() for worker in crew] == [0, 0], stage.crew.said()
        stage.watcher.assert_whole()
