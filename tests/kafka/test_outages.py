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
from tests.kafka.load import Sent, load, send
from tests.kafka.stage import Stage, stage_on
from tests.support.kafka_broker import Broker, Cluster
from tests.support.kafka_proxy import Proxy
from tests.support.waiting import until

ALL: Final = os.environ.get("PNL_OUTAGES") == "all"
ROUNDS: Final = int(os.environ.get("PNL_OUTAGE_ROUNDS", "1"))
PAUSE_SECONDS: Final = float(os.environ.get("PNL_OUTAGE_PAUSE_SECONDS", "8"))
CUSTOMERS: Final = 300
PARTS: Final = 12
RESUMES_SECONDS: Final = 60
SLOW_BYTES_PER_SECOND: Final = 100_000

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start a broker that only these tests use, because they end it."""
    with Cluster(tmp_path_factory.mktemp("outages")) as started:
        yield started


def feed(stage: Stage, held: list[Sent]) -> None:
    """Append input in parts; each is acknowledged before the next."""
    size = len(held) // PARTS + 1
    for at in range(0, len(held), size):
        send(stage.cluster.bootstrap, stage.prefix, held[at : at + size])


def through(cluster: Cluster, folder: Path, seed: int, fault: Callable[[Stage], None]) -> None:
    """Work through a fault with two workers, and check everything."""
    with stage_on(cluster, folder, partitions=4) as stage:
        held = load(seed, CUSTOMERS)
        stage.send(held[: len(held) // 4])
        stage.kept += [stage.crew.start(slot, records_max="50") for slot in ("0", "1")]
        stage.await_some()
        feeder = Thread(target=feed, args=(stage, held[len(held) // 4 :]), daemon=True)
        feeder.start()
        seen = {topic: stage.log.end_offsets(topic) for topic in OUTPUT_NAMES}
        until(lambda: bool(stage.log.read(LEDGER, 0, 0, 1)), 60, "the ledger's first entry is seen")
        fault(stage)
        assert_answers(stage, seen)
        feeder.join(RESUMES_SECONDS)
        assert not feeder.is_alive()
        stage.await_drained(RESUMES_SECONDS)
        found = stage.finish(*stage.kept)
        assert len(found.inputs) >= len(held)


def assert_answers(stage: Stage, seen: dict[str, dict[int, int]]) -> None:
    """Assert that a log opened before goes on answering, whoever leads now."""
    for topic, before in seen.items():
        after = stage.log.end_offsets(topic)
        assert all(after[partition] >= end for partition, end in before.items())
    stage.log.read(LEDGER, 0, 0, 1)


def restarted(cluster: Cluster, ending: Callable[[Broker], None]) -> None:
    """End the only broker and start it again."""
    ending(cluster.brokers[0])
    cluster.brokers[0].start()


def stood_still(cluster: Cluster) -> None:
    """Let the only broker stand still for longer than a session and a transaction may last."""
    cluster.pause()
    Event().wait(PAUSE_SECONDS)
    cluster.resume()


ON_ONE: Final[dict[str, Callable[[Stage], None]]] = {
    "term": lambda stage: restarted(stage.cluster, Broker.stop),
    "kill": lambda stage: restarted(stage.cluster, Broker.kill),
    "pause": lambda stage: stood_still(stage.cluster),
}


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("fault", ON_ONE)
def test_workers_go_on_after_their_broker_was_away(
    fault: str, seed: int, own: Cluster, tmp_path: Path
) -> None:
    """Ended cleanly or not, or standing still: nothing is torn, also not by what comes late."""
    through(own, tmp_path, seed, ON_ONE[fault])


def without(stage: Stage, struck: Broker | None) -> None:
    """Kill one broker of several, see that work goes on, and start it again."""
    assert struck is not None
    struck.kill()
    try:
        stage.send(load(0, PARTS, first=CUSTOMERS))
        stage.await_some()
    finally:
        struck.start()


def too_few(stage: Stage) -> None:
    """Kill two brokers of three, so that nothing can be written, and start them again."""
    brokers = stage.cluster.brokers
    for broker in brokers[:2]:
        broker.kill()
    Event().wait(PAUSE_SECONDS)
    for broker in brokers[:2]:
        broker.launch()
    for broker in brokers:
        broker.await_ready(len(brokers))


ON_THREE: Final[dict[str, Callable[[Stage], None]]] = {
    "coordinator": lambda stage: without(
        stage, stage.cluster.transactions_of(f"{stage.prefix}journeys-0")
    ),
    "leader": lambda stage: without(stage, stage.cluster.leader(f"{stage.prefix}{LEDGER}", 0)),
    "two of three": too_few,
}


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("fault", ON_THREE if ALL else ["coordinator"])
def test_workers_go_on_when_brokers_of_three_are_lost(
    fault: str, seed: int, three: Cluster, tmp_path: Path
) -> None:
    """One may be lost at any time; with two lost all waits, and what was acknowledged is kept."""
    through(three, tmp_path, seed, ON_THREE[fault])


ON_WIRE: Final[dict[str, Callable[[Proxy, str], None]]] = {
    "cut": lambda proxy, client: proxy.cut_all(client),
    "half-open": lambda proxy, client: proxy.half_open(client),
    "slow": lambda proxy, client: proxy.slow(SLOW_BYTES_PER_SECOND, client),
}


@pytest.mark.parametrize("fault", ON_WIRE)
def test_workers_go_on_over_a_bad_network(
    fault: str, cluster: Cluster, proxy: Proxy, tmp_path: Path
) -> None:
    """Connections are cut again and again, fall silent, or are slow: all is exact, if late."""
    with stage_on(cluster, tmp_path) as stage:
        held = load(1, CUSTOMERS // 3)
        named = {"client.id": stage.prefix, "socket.timeout.ms": "1000", "records_max": "50"}
        stage.kept.append(stage.crew.start("0", "", cluster.proxied_bootstrap, **named))
        size = len(held) // PARTS + 1
        for at in range(0, len(held), size):
            stage.send(held[at : at + size])
            stage.await_some()
            ON_WIRE[fault](proxy, stage.prefix)
        proxy.heal()
        stage.await_drained()
        stage.finish(*stage.kept)
