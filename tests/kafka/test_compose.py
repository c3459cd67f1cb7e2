"""The brokers of docker-compose.yml, as far as they can be run without containers: their settings.

The image makes `a.b=c` of each variable `KAFKA_A_B=c`; addresses and folders are the tests' own.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from pnl.settings_load import load
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import KafkaTopics
from tests.kafka.test_topics import CLIENTS, WISH
from tests.support.kafka_broker import Cluster
from tests.support.kafka_plain import producer, read
from tests.unit.deploy.files import DEPLOY, compose

OWN = {"process.roles", "log.dirs", "listeners", "listener.security.protocol.map"} | {
    "controller.quorum.voters",
    "controller.listener.names",
    "inter.broker.listener.name",
    "heap.opts",
}


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start three brokers with the settings of docker-compose.yml."""
    given = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in compose()["x-kafka-settings"].items()
        if name.startswith("KAFKA_")
    }
    assert set(given) >= OWN
    settings = {name: value for name, value in given.items() if name not in OWN}
    with Cluster(tmp_path_factory.mktemp("compose"), nodes=3, settings=settings) as started:
        yield started


def commit(writer: Producer, topic: str, value: bytes) -> None:
    """Write a record in a transaction of its own."""
    writer.begin_transaction()
    writer.produce(topic, value)
    writer.commit_transaction(60)


def test_one_of_the_three_brokers_may_fall(brokers: Cluster) -> None:
    """A transaction is committed before and after, and both records are there."""
    brokers.create("kept", 1)
    writer = producer(brokers.bootstrap, transactional_id="one")
    writer.init_transactions(60)
    commit(writer, "kept", b"before")
    leader = brokers.leader("kept", 0)
    assert leader is not None
    leader.kill()
    commit(writer, "kept", b"after")
    leader.start()
    assert read(brokers.bootstrap, "kept") == [b"before", b"after"]


def test_our_own_rules_find_nothing_wrong(brokers: Cluster, tmp_path: Path) -> None:
    """What `pnl topics apply` creates with the settings of the containers is as it must be."""
    shutil.copyfile(DEPLOY / "pnl.toml", tmp_path / "pnl.toml")
    where = json.dumps({"bootstrap.servers": brokers.bootstrap})
    log = load(tmp_path, tmp_path, environ={"PNL_LOG__CLIENT": where}).settings.log
    wish = replace(WISH, partitions=log.partitions, replication=log.replication)
    topics = KafkaTopics(KafkaSettings(client=log.properties()), CLIENTS, wish)
    checked = topics.apply(correct=False, new_epoch=False, say=lambda _: None)
    assert [wrong.sentence for wrong in checked.wrongs] == []


def test_a_record_creates_no_topic(brokers: Cluster) -> None:
    """One that nobody created would have the wrong settings: the write fails instead."""
    errors: list[KafkaError | None] = []
    writer = producer(brokers.bootstrap, topic_metadata_propagation_max_ms=1_000)
    writer.produce("nobodys", b"x", on_delivery=lambda error, _: errors.append(error))
    writer.flush(60)
    assert [error.name() for error in errors if error] == ["UNKNOWN_TOPIC_OR_PART"]
    assert "nobodys" not in brokers.admin().list_topics(timeout=10).topics
