"""`pnl restate` on a real broker: what it shows is what the statement then differs by."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from pnl.engine import GROUP, JourneysWorker
from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from pnl.restating.accepted import ConfigurationRefused
from pnl.restating.restate import Restatement, restate
from processors.policy import DatedPolicy, Policy, PolicyBook, book_of
from sinks.progress import is_reached
from sinks.sink import Sink
from sinks.store import Store
from sinks.verify import verify
from streams.clock import Deadline, SystemClock
from streams.log import TopicPartition
from streams.topics import INPUT_NAMES, STORED_NAMES
from tests.kafka.places import create_topics, open_log
from tests.support.facts import BASE, DAY, MINUTE, contact, order, refund
from tests.support.kafka_broker import Cluster
from tests.support.store import store as store
from tests.support.stored import append
from tests.support.waiting import until

WAIT = timedelta(milliseconds=200)
SINCE = BASE + 20 * DAY
OLD = book_of(Policy())
NEW = book_of(Policy(), [DatedPolicy(SINCE, Policy(loaded_per_hour_minor=6000, model="linear"))])
"""Dearer hours, and credit shared by all contacts, from the twentieth day on."""
CUSTOMERS = 12


class Stage:
    """A log on topics of a test's own, a store, and what is done with both."""

    def __init__(self, cluster: Cluster, prefix: str, store: Store) -> None:
        self.cluster, self.prefix, self.store = cluster, prefix, store
        create_topics(cluster, prefix, 2)
        self.log = open_log(cluster, prefix)

    def journey(self, book: PolicyBook) -> None:
        """Process every input record there is, by these rules."""
        ends = sum(sum(self.log.end_offsets(topic).values()) for topic in INPUT_NAMES)
        worker = JourneysWorker(self.log, book, code_version="test")
        limit = Deadline(timedelta(seconds=60))
        try:
            while sum(self.log.committed(GROUP).values()) < ends:
                worker.step(WAIT)
                assert limit.seconds_left(), "journeys did not catch up"
        finally:
            worker.close()

    def statement(self) -> dict[str, int]:
        """Copy what there is into the store; return the lines of its statement, minor units."""
        ends = {
            TopicPartition(topic, partition): end
            for topic in STORED_NAMES
            for partition, end in self.log.end_offsets(topic).items()
        }
        sink = Sink(self.log, self.store, linger=timedelta())

        def is_stored() -> bool:
            idle = sink.step(WAIT) == 0
            at = sink.progress()
            return idle and all(
                is_reached(self.log, place, at.get(place, 0), end) for place, end in ends.items()
            )

        try:
            until(is_stored, 60, "all is stored")
        finally:
            sink.close()
        assert verify(self.store) == []
        found = Reports(self.store, NEW, SystemClock()).statement(Scope(currency="GBP"))
        assert found.reconciles
        return {line.line: line.amount_minor for line in found.lines}

    def restated(self, *, accept: bool) -> Restatement:
        """Restate from the day on which the new rules begin."""
        log = open_log(self.cluster, self.prefix, "restate")
        try:
            return restate(log, NEW, SystemClock(), since=SINCE, accept=accept, code_version="test")
        finally:
            log.close()


def differences(restated: Restatement) -> Mapping[str, int]:
    """Return what a restatement changes, by line of the statement; zeros left out."""
    found: dict[str, int] = {}
    for (_, _, line), sums in restated.figures.sums.items():
        found[line] = found.get(line, 0) + sums.difference_minor
    return {line: amount for line, amount in found.items() if amount}


def test_what_a_dry_run_shows_is_what_the_statement_then_differs_by(
    cluster: Cluster, prefix: str, store: Store
) -> None:
    """New rules are refused, shown without a trace, accepted, and then gone on by."""
    stage = Stage(cluster, prefix, store)
    for number in range(CUSTOMERS):
        key, at = f"k{number}", BASE + (2 * number + 5) * DAY
        append(
            stage.log,
            [
                contact(f"c{number}-1", at, customer_id=key, queue="a"),
                contact(f"c{number}-2", at + DAY, customer_id=key, queue="b"),
                order(f"o{number}", at + 2 * DAY, 1_000 + number, customer_id=key),
                refund(f"r{number}", f"o{number}", at + 3 * DAY, 100 + number, customer_id=key),
            ],
        )
    stage.journey(OLD)
    before = stage.statement()
    append(stage.log, [contact("late", BASE + 30 * DAY + MINUTE, customer_id="k0")])
    with pytest.raises(ConfigurationRefused):
        stage.journey(NEW)
    shown = stage.restated(accept=False)
    assert stage.statement() == before
    accepted = stage.restated(accept=True)
    assert accepted.written
    assert differences(accepted) == differences(shown) != {}
    after = stage.statement()
    changed = {line: after[line] - before[line] for line in after if after[line] != before[line]}
    assert changed == differences(shown)
    assert stage.restated(accept=False).figures.entries == 0
    stage.journey(NEW)
    assert stage.statement()["C1"] < after["C1"]
