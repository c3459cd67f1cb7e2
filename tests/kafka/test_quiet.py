"""The account of a quiet partition on a real broker: its state and offsets stay in step."""

from datetime import timedelta

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from pnl.metrics import Metrics
from pnl.workers.roles import JourneysRole
from processors.policy import Policy
from processors.results import BatchRecord
from streams.clock import ManualClock
from streams.kafka_log import KafkaLog
from streams.topics import BATCHES, TOPICS
from tests.kafka.places import create_topics, open_log
from tests.support.facts import BASE, at, contact, order
from tests.support.kafka_broker import Cluster
from tests.support.stored import append
from tests.support.waiting import until

PARTITIONS = 2
STEP = timedelta(seconds=0.2)


def role(log: KafkaLog) -> JourneysRole:
    """Return a member of the group of journeys."""
    clock, metrics = ManualClock(BASE + 365 * 86_400_000), Metrics(CollectorRegistry())
    return JourneysRole(log, Policy(), metrics, clock, code_version="test", records_max=100)


def batches(log: KafkaLog) -> list[BatchRecord]:
    """Return every batch record."""
    decode = msgspec.json.Decoder(BatchRecord).decode
    return [
        decode(record.value or b"")
        for number in range(PARTITIONS)
        for record in log.read(BATCHES, number, 0, 1_000)
    ]


def work_until(journeys: JourneysRole, log: KafkaLog, booked: int, quiet: int) -> None:
    """Step until there are so many batches with input, and without."""

    def is_told() -> bool:
        journeys.step(STEP)
        found = batches(log)
        with_input = sum(batch.sources != () for batch in found)
        return with_input >= booked and len(found) - with_input >= quiet

    until(is_told, 60, f"{booked} batches with input and {quiet} without")


def test_the_next_owner_goes_on_after_a_quiet_time(
    cluster: Cluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quiet batches carry the state's hash; who restores it afterwards finds it whole."""
    monkeypatch.setattr("pnl.workers.roles.QUIET", timedelta())
    create_topics(cluster, prefix, PARTITIONS, TOPICS)
    log = open_log(cluster, prefix)
    append(log, [contact("c1", at(1)), order("o1", at(2), 700)])
    for turn in (1, 2):
        journeys = role(log)
        work_until(journeys, log, turn, 4 * turn)
        journeys.close()
        append(log, [order(f"later-{turn}", at(3), 100)])
    quiet = [batch for batch in batches(log) if not batch.sources]
    assert all(batch.state_hash is not None and not batch.out_rows for batch in quiet)
    log.close()
