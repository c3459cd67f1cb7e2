"""Restating books whose log is on Kafka, on a broker in memory."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pnl.engine import GROUP, JourneysWorker
from pnl.errors import CheckFailed
from pnl.repairing import repair
from pnl.restating.accepted import ConfigurationRefused
from pnl.restating.restate import restate
from processors.policy import Policies
from streams import codec
from streams.clock import Deadline
from streams.facts import Fact
from streams.failpoints import VARIABLE, FailpointReached
from streams.kafka_log import KafkaLog
from streams.log import Outgoing
from streams.topics import INPUT_NAMES
from tests.oracle import settle
from tests.properties.histories import History
from tests.simulation.network import Network
from tests.simulation.places import open_log, real_time_network
from tests.support.facts import at, contact
from tests.unit.pnl.restating.test_restate import (
    CLOCK,
    FROM,
    NEW,
    OLD,
    TOPIC,
    books_of,
    many,
)

WAIT = timedelta(milliseconds=50)
PATIENCE = timedelta(seconds=60)


@pytest.fixture
def network() -> Network:
    """Return the way to a broker with our empty topics."""
    return real_time_network(CLOCK.now_ms)


@pytest.fixture
def log(network: Network) -> Iterator[KafkaLog]:
    """Yield a log whose books were made by the old rules."""
    opened = open_log(network)
    book(opened, many(), OLD)
    yield opened
    opened.close()


def send(log: KafkaLog, key: str, fact: Fact) -> None:
    """Append a fact."""
    log.append(TOPIC[type(fact).__name__], [Outgoing(key.encode(), codec.encode(fact))])


def book(log: KafkaLog, history: History, rules: Policies) -> None:
    """Append facts and have them booked."""
    for key, fact in history:
        send(log, key, fact)
    end = sum(sum(log.end_offsets(topic).values()) for topic in INPUT_NAMES)
    worker, limit = JourneysWorker(log, rules, code_version="test"), Deadline(PATIENCE)
    try:
        while sum(log.committed(GROUP).values()) < end:
            worker.step(WAIT)
            assert limit.seconds_left()
    finally:
        worker.close()


def again(log: KafkaLog) -> None:
    """Restate, three customers a transaction."""
    restate(log, NEW, CLOCK, since=FROM, accept=True, code_version="test", customers_max=3)


def test_books_on_kafka_are_restated_and_gone_on_with(
    log: KafkaLog, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, run again, gone on with by a worker that reads the state back."""
    monkeypatch.setenv(VARIABLE, "X2:2:raise")
    with pytest.raises(FailpointReached):
        again(log)
    monkeypatch.setenv(VARIABLE, "")
    other = open_log(network, "1")
    more: History = [(f"k{n}", contact("more", at(20), customer_id=f"k{n}")) for n in range(12)]
    tried: tuple[tuple[Policies, History], ...] = ((OLD, more), (NEW, []))
    for rules, facts in tried:
        with pytest.raises(ConfigurationRefused):
            book(other, facts, rules)
    again(other)
    last: History = [("k2", contact("last", at(20), customer_id="k2"))]
    book(other, last, NEW)
    assert books_of(other).balance == settle([*many(), *more, *last], NEW).balance
    other.close()


def test_no_book_is_restated_while_a_worker_runs(
    log: KafkaLog, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of the partitions are another's: after a while it says so, and nothing is written."""
    monkeypatch.setattr(repair, "OWNING_MAX", timedelta(seconds=1))
    elsewhere = open_log(network, "1")
    worker = JourneysWorker(elsewhere, OLD, code_version="test")
    before = books_of(log)
    for _ in range(20):  # so that it joins its group
        worker.step(WAIT)
    with pytest.raises(CheckFailed, match="stop all workers"):
        again(log)
    assert books_of(log) == before
    worker.close()
    elsewhere.close()
