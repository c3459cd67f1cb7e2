"""Brokers that stop, die, stand still or lose their peers, while workers are at work.

Workers wait and go on: nothing acknowledged is lost, nothing is seen in part, and within a minute
of the brokers' return all is processed.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Final

import pytest

from streams.topics import LEDGER, OUTPUT_NAMES
from tests.kafka.load import Sent, load
from tests.kafka.stage import Stage, stage_on
from tests.support.kafka_broker import Broker, Cluster

ALL: Final = os.environ.get("PNL_OUTAGES") == "all"
ROUNDS: Final = int(os.environ.get("PNL_OUTAGE_ROUNDS", "1"))
PAUSE_SECONDS: Final = float(os.environ.get("PNL_OUTAGE_PAUSE_SECONDS", "8"))
CUSTOMERS: Final = 300
PARTS: Final = 12
RESUMES_SECONDS: Final = 60

at_release = pytest.mark.skipif(not ALL, reason="a release run has it: PNL_OUTAGES=all")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start a broker that only these tests use, because they end it."""
    with Cluster(tmp_path_factory.mktemp("outages")) as started:
        yield started


def feed(stage: Stage, held: list[Sent]) -> None:
    """Append input in parts; each is acknowledged before the next."""
    size = len(held) // PARTS + 1
    for at in range(0, len(held), size):
        stage.send(held[at : at + size])


def through(cluster: Cluster, folder: Path, seed: int, fault: Callable[[Stage], None]) -> None:
    """Work through a fault with two workers, and check everything."""
    with stage_on(cluster, folder, partitions=4) as stage:
        held = load(seed, CUSTOMERS)
        stage.send(held[: len(held) // 4])
        crew = [stage.crew.start(slot, records_max="50") for slot in ("0", "1")]
        stage.await_some()
        feeder = Thread(target=feed, args=(stage, held[len(held) // 4 :]), daemon=True)
        feeder.start()
        seen = {topic: stage.log.end_offsets(topic) for topic in OUTPUT_NAMES}
        assert stage.log.read(LEDGER, 0, 0, 1)
        fault(stage)
        assert_answers(stage, seen)
        feeder.join(RESUMES_SECONDS)
        assert not feeder.is_alive()
        stage.keep_up(crew)
        stage.await_drained(RESUMES_SECONDS)
        stage.keep_up(crew)
        found = stage.finish(*crew)
        assert len(found.inputs) >= len(held)


def assert_answers(stage: Stage, seen: dict[str, dict[int, int]]) -> None:
    """Assert that a log opened before goes on answering, whoever leads now."""
    for topic, before in seen.items():
        after = stage.log.end_offsets(topic)
        assert all(after[partition] >= end for partition, end in before.items())
    assert stage.log.read(LEDGER, 0, 0, 1)


@pytest.mark.parametrize("ending", [Broker.stop, Broker.kill], ids=["term", "kill"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_workers_go_on_after_their_broker_was_restarted(
    seed: int, ending: Callable[[Broker], None], own: Cluster, tmp_path: Path
) -> None:
    """The only broker ends, cleanly or not, and starts again."""

    def fault(_: Stage) -> None:
        ending(own.brokers[0])
        own.brokers[0].start()

    through(own, tmp_path, seed, fault)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_workers_go_on_after_their_broker_stood_still(
    seed: int, own: Cluster, tmp_path: Path
) -> None:
    """Longer than a session and a transaction may last; nothing is torn by what comes late."""

    def fault(_: Stage) -> None:
        own.pause()
        Event().wait(PAUSE_SECONDS)
        own.resume()

    through(own, tmp_path, seed, fault)


def restarting(which: Callable[[Stage], Broker | None]) -> Callable[[Stage], None]:
    """Return a fault that kills one broker of several and starts it again."""

    def fault(stage: Stage) -> None:
        struck = which(stage)
        assert struck is not None
        struck.kill()
        stage.await_some()
        struck.start()

    return fault


def coordinator(stage: Stage) -> Broker | None:
    """Return the broker that coordinates the first worker's transactions."""
    return stage.cluster.transactions_of(f"{stage.prefix}journeys-0")


def leader(stage: Stage) -> Broker | None:
    """Return the broker that leads a partition of the ledger."""
    return stage.cluster.leader(f"{stage.prefix}pnl.ledger.v1", 0)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_two_of_three_brokers_are_enough(seed: int, three: Cluster, tmp_path: Path) -> None:
    """The coordinator of the transactions dies: workers go on with the other two."""
    through(three, tmp_path, seed, restarting(coordinator))


@at_release
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_lost_leader_is_replaced(seed: int, three: Cluster, tmp_path: Path) -> None:
    """The leader of a ledger partition dies: workers go on with the other two."""
    through(three, tmp_path, seed, restarting(leader))


@at_release
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_one_of_three_brokers_is_too_few(seed: int, three: Cluster, tmp_path: Path) -> None:
    """With two of three dead everything waits; what was acknowledged is there afterwards."""

    def fault(_: Stage) -> None:
        for broker in three.brokers[:2]:
            broker.kill()
        Event().wait(PAUSE_SECONDS)
        for broker in three.brokers[:2]:
            broker.launch()
        for broker in three.brokers:
            broker.await_ready(3)

    through(three, tmp_path, seed, fault)
