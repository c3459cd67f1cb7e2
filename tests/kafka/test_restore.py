"""The next owner has the whole state, or refuses: compaction, open transactions, rebalances, loss.

That the restored state is whole the worker itself asserts, by the hash of its last batch; the check
of every stage computes that hash once more from the topic, and holds the results that the restored
state leads to against the oracle.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from confluent_kafka import Producer

from pnl.errors import Exit
from streams.kafka_state import LAST_BATCH, LastBatch, encode_last_batch
from streams.topics import CONTACTS, JOURNEYS_STATE
from tests.kafka.checks import hash_of
from tests.kafka.load import load
from tests.kafka.plain_log import records
from tests.kafka.stage import Stage, stage_on
from tests.support.kafka_broker import COMPACTED_SOON, Cluster
from tests.support.waiting import until

SEED: Final = int(os.environ.get("PNL_RESTORE_SEED", "1"))
CUSTOMERS: Final = int(os.environ.get("PNL_RESTORE_CUSTOMERS", "6500"))
"""About eight keys each."""
FEW: Final = 60
COMPACTED_SOON_NAMED: Final = {
    key.replace(".", "_"): value for key, value in COMPACTED_SOON.items()
}
SLOW_RESTORE: Final = ",".join(f"W10:{nth}:delay" for nth in range(1, 17))


def worked_off(stage: Stage, first: int = 0) -> None:
    """Let a worker process some input, and stop it."""
    stage.send(load(SEED + first, FEW, first=first))
    worker = stage.crew.start()
    stage.await_drained()
    assert worker.stop() == Exit.OK, worker.said


def state_of(stage: Stage) -> dict[int, dict[bytes | None, bytes | None]]:
    """Return the newest value of each key of the state, by partition."""
    found = records(stage.cluster.bootstrap, stage.prefix, [JOURNEYS_STATE])
    return {at: {each.key: each.value for each in held} for (_, at), held in found.items()}


@contextmanager
def transaction(stage: Stage, name: str = "stranger") -> Iterator[Producer]:
    """Yield a plain producer in a transaction, which is committed at the end."""
    producer = Producer(
        {
            "bootstrap.servers": stage.cluster.bootstrap,
            "transactional.id": f"{stage.prefix}{name}",
            "log_level": 0,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    yield producer
    producer.commit_transaction(30)


def test_a_state_of_many_keys_survives_compaction_and_changing_owners(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Restored by another worker while it is compacted and written, the state is whole."""
    with stage_on(cluster, tmp_path, **COMPACTED_SOON_NAMED) as stage:
        held = load(SEED, CUSTOMERS)
        stage.send(held[: len(held) // 2])
        first = stage.crew.start("0", records_max="2000")
        stage.await_drained(120)
        second = stage.crew.start("1", records_max="2000")
        stage.send(held[len(held) // 2 :])
        stage.await_members(2)
        stage.await_some()
        first.kill()
        stage.await_drained(120)
        found = stage.finish(second)
        keys = sum(len(held) for held in state_of(stage).values())
        left = sum(len(held) for held in found.state.values())
        written = sum(held[-1].offset for held in found.state.values())
        print(f"restore: seed {SEED}, {keys} keys, {written} offsets, {left} records left")
        assert keys > 7 * CUSTOMERS
        assert left < written * 0.9


def test_a_restore_waits_for_an_open_transaction(cluster: Cluster, tmp_path: Path) -> None:
    """While it is undecided whether a record belongs to the state, nothing is read or written."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        producer = Producer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "transactional.id": f"{stage.prefix}open",
                "log_level": 0,
            }
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        for partition in range(2):
            producer.produce(stage.prefix + JOURNEYS_STATE, b"9", b"k0\0c?", partition)
        assert producer.flush(30) == 0
        stage.send(load(SEED + 1, FEW, first=FEW))
        before = stage.log.committed("journeys")
        worker = stage.crew.start(failpoints="W10:60:kill")
        worker.await_end()
        assert stage.log.committed("journeys") == before
        producer.abort_transaction(30)
        stage.finish(stage.crew.start())


def test_a_rebalance_in_the_middle_of_a_restore_leaves_nothing_behind(
    cluster: Cluster, tmp_path: Path
) -> None:
    """While one restores slowly, others join and leave; in the end every partition is worked on."""
    with stage_on(cluster, tmp_path, partitions=4) as stage:
        worked_off(stage)
        stage.send(load(SEED + 1, FEW, first=FEW))
        slow = stage.crew.start("0", SLOW_RESTORE)
        stage.await_members(1)
        second = stage.crew.start("1", SLOW_RESTORE)
        stage.await_members(2)
        third = stage.crew.start("2", SLOW_RESTORE)
        stage.await_members(3)
        third.kill()
        stage.finish(slow, second)


def test_a_state_that_is_gone_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """The topic of the state was created anew: nobody books as if there had been no customers."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        topic = stage.prefix + JOURNEYS_STATE
        admin = cluster.admin()
        admin.delete_topics([topic])[topic].result(30)
        until(lambda: topic not in admin.list_topics(timeout=10).topics, 30, "it is gone")
        cluster.create(topic, 2, {"cleanup.policy": "compact"})
        assert_refused(stage, "its state is empty")


def test_a_state_without_its_offsets_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """The broker forgot the group: starting anew would book everything twice."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        group = f"{stage.prefix}journeys"
        admin = cluster.admin()
        until(
            lambda: not admin.describe_consumer_groups([group])[group].result(10).members,
            30,
            "the group is empty",
        )
        admin.delete_consumer_groups([group])[group].result(30)
        assert_refused(stage, "no committed offsets")


@pytest.mark.parametrize("partition", [0, 1])
def test_a_state_with_a_stranger_s_record_is_refused(
    partition: int, cluster: Cluster, tmp_path: Path
) -> None:
    """One committed record too many shows in the hash."""
    with stage_on(cluster, tmp_path) as stage:
        worked_off(stage)
        with transaction(stage) as producer:
            producer.produce(stage.prefix + JOURNEYS_STATE, b"?", b"k0\0c?", partition)
        assert_refused(stage, "torn batch")


def assert_refused(stage: Stage, why: str) -> None:
    """Assert that a worker ends, says why, and has written nothing."""
    stage.send(load(SEED + 1, FEW, first=FEW))
    before = stage.outputs()
    worker = stage.crew.start()
    assert worker.await_end() == Exit.DAMAGED, worker.said
    assert why in worker.said
    assert stage.outputs() == before


def test_a_state_of_an_older_version_is_read(cluster: Cluster, tmp_path: Path) -> None:
    """Values that lack the fields added last are what they were; new facts find them so."""
    with stage_on(cluster, tmp_path) as stage:
        held = load(SEED, 2 * FEW)
        stage.send(held[: len(held) // 2])
        worker = stage.crew.start()
        stage.await_drained()
        assert worker.stop() == Exit.OK
        with transaction(stage) as producer:
            for partition, items in state_of(stage).items():
                rewrite_older(stage, producer, partition, items)
        stage.send(held[len(held) // 2 :])
        stage.finish(stage.crew.start())


def rewrite_older(
    stage: Stage, producer: Producer, partition: int, items: dict[bytes | None, bytes | None]
) -> None:
    """Write every value as a program wrote it that did not know the newest fields."""
    topic = stage.prefix + JOURNEYS_STATE
    last = msgspec.json.decode(items.pop(LAST_BATCH) or b"", type=LastBatch)
    older = {key: shortened(key or b"", value) for key, value in items.items() if value is not None}
    assert older != items
    for key, value in older.items():
        producer.produce(topic, value, key, partition)
    account = LastBatch(last.offsets, hash_of(older.items()), len(older))
    producer.produce(topic, encode_last_batch(account), LAST_BATCH, partition)


def shortened(key: bytes, value: bytes) -> bytes:
    """Return an item without those of its last two fields, and its fact's, that hold a default."""
    if key.startswith(b"\0"):
        return value
    item: list[Any] = msgspec.msgpack.decode(value[1:])
    for fields in (item[0], item):
        for _ in range(2):
            if len(fields) > 1 and fields[-1] in (0, [], False, None):
                fields.pop()
    return value[:1] + msgspec.msgpack.encode(item)


def test_a_worker_that_starts_with_nothing_begins_at_the_beginning(
    cluster: Cluster, tmp_path: Path
) -> None:
    """No state and no offsets: that is a beginning, also where a partition has no input yet."""
    with stage_on(cluster, tmp_path) as stage:
        worker = stage.crew.start()
        stage.await_members(1)
        stage.send([record for record in load(SEED, 1) if record.topic == CONTACTS][:1])
        stage.finish(worker)
