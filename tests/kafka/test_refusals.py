"""What a worker must not go on from: it says why and ends, and has written nothing."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.cimpl import NewPartitions

from pnl.engine import JourneysWorker
from pnl.errors import Exit
from streams import failpoints
from streams.kafka_log import KafkaLog
from streams.log import Busy
from streams.topics import ORDERS
from tests.kafka.draining import is_drained
from tests.kafka.load import POLICY, load
from tests.kafka.stage import Stage, stage_on
from tests.kafka.worker import TRANSACTION, WAIT, settings
from tests.support.kafka_broker import Cluster
from tests.support.waiting import until

FEW = 40


def worked_off(stage: Stage) -> None:
    """Let a worker process some input, and stop it."""
    stage.send(load(1, FEW))
    worker = stage.crew.start()
    stage.await_drained()
    assert worker.stop() == Exit.OK, worker.said


def assert_refused(stage: Stage, code: Exit, *why: str) -> None:
    """Assert that a worker ends with a code, says why, and has written nothing."""
    before = stage.outputs()
    worker = stage.crew.start()
    assert worker.await_end() == code, worker.said
    assert all(part in worker.said for part in why), worker.said
    assert stage.outputs() == before


def delete_orders(stage: Stage) -> None:
    """Delete every order that is there, as retention does."""
    ends = stage.log.end_offsets(ORDERS)
    places = [TopicPartition(stage.prefix + ORDERS, at, end) for at, end in ends.items()]
    admin = stage.cluster.admin()
    for done in admin.delete_records(places).values():
        done.result(30)


def test_records_deleted_unread_stop_the_worker(cluster: Cluster, tmp_path: Path) -> None:
    """Retention was shorter than the downtime: facts are lost, and nobody goes on as if not."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        stage.send(load(2, FEW, first=FEW))
        delete_orders(stage)
        assert_refused(stage, Exit.DAMAGED, "the oldest record kept is", "retention")


def test_records_deleted_while_they_are_read_stop_the_worker(
    cluster: Cluster, tmp_path: Path
) -> None:
    """A worker that is behind finds its next record gone: it stops, the offset as it was."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        worker = stage.crew.start(failpoints="W0:8:stop")
        worker.await_frozen()
        stage.send(load(2, FEW, first=FEW))
        delete_orders(stage)
        worker.thaw()
        assert worker.await_end() == Exit.DAMAGED, worker.said
        assert "retention was shorter" in worker.said


def test_an_input_that_was_created_anew_stops_the_worker(cluster: Cluster, tmp_path: Path) -> None:
    """Its offsets are given out again: those committed mean nothing any more."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        topic = stage.prefix + ORDERS
        admin = cluster.admin()
        admin.delete_topics([topic])[topic].result(30)
        until(lambda: topic not in admin.list_topics(timeout=10).topics, 30, "it is gone")
        cluster.create(topic, 2, {"retention.ms": "-1"})
        assert_refused(stage, Exit.DAMAGED)


def test_unequal_partition_counts_stop_the_worker(cluster: Cluster, tmp_path: Path) -> None:
    """A customer's facts would no longer meet."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        topic = stage.prefix + ORDERS
        admin = cluster.admin()
        admin.create_partitions([NewPartitions(topic, 3)])[topic].result(30)
        assert_refused(stage, Exit.DAMAGED, "different partition counts")


@pytest.mark.parametrize("told", [{"isolation.level": "read_uncommitted"}], ids=str)
def test_what_exactly_once_rests_on_cannot_be_set(
    told: Mapping[str, str], cluster: Cluster
) -> None:
    """A property of ours stands, whatever it was set to."""
    mine = settings(cluster.bootstrap, "p.", "0", told, TRANSACTION)
    assert mine.consumer("journeys")["isolation.level"] == "read_committed"
    assert mine.reader()["isolation.level"] == "read_committed"


def test_a_batch_held_too_long_is_not_committed_and_done_again(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past max.poll.interval.ms the partitions are another's: nothing of the batch counts."""
    monkeypatch.setenv(failpoints.VARIABLE, "W1:2:delay")
    monkeypatch.setattr(failpoints, "DELAY_SECONDS", 4)
    short = {"session.timeout.ms": "1000", "max.poll.interval.ms": "1500"}
    with stage_on(cluster, tmp_path) as stage:
        stage.send(load(1, FEW))
        log = KafkaLog(settings(cluster.bootstrap, stage.prefix, "0", short, TRANSACTION))
        worker = JourneysWorker(log, POLICY, code_version="test", records_max=50)
        refused = 0
        while not is_drained(log):
            try:
                worker.step(WAIT)
            except Busy:
                refused += 1
        assert refused > 0
        worker.close()
        log.close()
        stage.finish()
