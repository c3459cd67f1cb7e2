"""The auditor and the repair on a real broker, whose transactions leave holes among the offsets."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Place

from pnl.auditor.auditor import Auditor, Rules
from pnl.auditor.findings import Found
from pnl.engine import JourneysWorker
from pnl.errors import CheckFailed
from pnl.repairing.repair import render, repair
from pnl.repairing.state import repair_state
from processors.policy import Policy
from streams.clock import Deadline, SystemClock
from streams.codec import encode
from streams.facts import Contact, Order, key_of
from streams.kafka_log import KafkaLog
from streams.log import LogDamaged, Outgoing
from streams.topics import CONTACTS, INPUT_NAMES, JOURNEYS_STATE, LEDGER, ORDERS
from tests.kafka.places import create_topics, settings
from tests.support.facts import contact, order, refund
from tests.support.kafka_broker import Cluster

WAIT = timedelta(milliseconds=300)
PARTITIONS = 2
CLOCK = SystemClock()
RULES = Rules(
    grace=timedelta(seconds=1),
    watch_every=timedelta(seconds=3),
    save_every=timedelta(),
    share_ppm=1_000_000,
)


class Stage:
    """A log on a test's own topics, and what is done with it."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self.cluster = cluster
        self.prefix = prefix
        self.log = self.opened("0")

    def opened(self, slot: str, *, repairing: bool = False) -> KafkaLog:
        """Open the log in a slot."""
        told = settings(self.cluster.bootstrap, self.prefix, slot)
        return KafkaLog(replace(told, repairing=repairing))

    def send(self, *facts: Contact | Order) -> None:
        """Append facts."""
        for fact in facts:
            topic = CONTACTS if isinstance(fact, Contact) else ORDERS
            self.log.append(topic, [Outgoing(key_of(fact).encode(), encode(fact))])

    def journey(self) -> None:
        """Process every input record there is."""
        with_all = sum(sum(self.log.end_offsets(topic).values()) for topic in INPUT_NAMES)
        worker = JourneysWorker(self.log, Policy(), code_version="test")
        limit = Deadline(timedelta(seconds=60))
        try:
            while sum(self.log.committed("journeys").values()) < with_all:
                worker.step(WAIT)
                assert limit.seconds_left(), "journeys did not catch up"
        finally:
            worker.close()

    def audited(self) -> list[Found]:
        """Return what an auditor finds that begins anew."""
        found: list[Found] = []
        log = self.opened("a")
        auditor = Auditor(
            log,
            None,
            Policy(),
            CLOCK,
            rules=RULES,
            state_topic=JOURNEYS_STATE,
            on_alarm=found.append,
        )
        settled = Deadline(timedelta(seconds=120))
        quiet = Deadline(timedelta(seconds=2))
        begun = False
        while settled.seconds_left():
            if auditor.step(WAIT):
                quiet = Deadline(timedelta(seconds=2))
            if auditor.gauges()["batches_total"] and not begun and not quiet.seconds_left():
                auditor.recompute_now(0)
                begun = True
            if begun and not auditor.is_recomputing:
                break
        assert begun
        self.figures = auditor.gauges()
        auditor.close()
        log.close()
        return [each for each in found if each.law != "A2"]

    def repaired(self) -> str:
        """Repair what is torn."""
        log = self.opened("repair")
        try:
            return render(
                repair(log, Policy(), CLOCK, reason="drill", code_version="test", accept=True)
            )
        finally:
            log.close()

    def state_repaired(self, *, rebuild: bool = False) -> list[str]:
        """Bring state and offsets together."""
        log = self.opened("repair", repairing=True)
        try:
            return repair_state(
                log, Policy(), CLOCK, reason="drill", code_version="test", rebuild=rebuild
            )
        finally:
            log.close()

    def move_group(self, topic: str, by: int) -> None:
        """Move the group's offsets in a topic behind everybody's back."""
        client = Consumer(
            {"bootstrap.servers": self.cluster.bootstrap, "group.id": f"{self.prefix}journeys"}
        )
        moved = [
            Place(self.prefix + at.topic, at.partition, to + by)
            for at, to in self.log.committed("journeys").items()
            if at.topic == topic and to + by >= 0
        ]
        client.commit(offsets=moved, asynchronous=False)
        client.close()


@pytest.fixture
def place(cluster: Cluster, prefix: str) -> Iterator[Stage]:
    """Yield a log that journeys have processed in several batches."""
    create_topics(cluster, prefix, PARTITIONS)
    opened = Stage(cluster, prefix)
    now = CLOCK.now_ms()
    for round_ in range(2):
        opened.send(
            *(contact(f"c{round_}-{n}", now - 10**7, customer_id=f"k{n}") for n in range(20)),
            *(
                order(f"o{round_}-{n}", now - 10**6, 500 + n, customer_id=f"k{n}")
                for n in range(20)
            ),
            *(
                refund(f"r{round_}-{n}", f"o{round_}-{n}", now, 70, customer_id=f"k{n}")
                for n in range(5)
            ),
        )
        opened.journey()
    yield opened
    opened.log.close()


def test_a_sound_log_raises_no_alarm(place: Stage) -> None:
    """Holes among the offsets are no gaps, and every state is that of its last batch."""
    assert place.audited() == []
    assert place.figures["states_checked_total"] == PARTITIONS
    assert place.figures["customers_recomputed_total"] == 20
    assert place.repaired() == "Nothing is torn."


def test_entries_that_stand_twice_are_found_and_taken_back(place: Stage) -> None:
    """What a torn batch left in the ledger is made good; then the auditor finds nothing more."""
    doubled = place.log.read(LEDGER, 0, 0, 3)
    place.log.append(LEDGER, [Outgoing(each.key, each.value) for each in doubled])
    assert {each.law for each in place.audited()} >= {"A1", "A4"}
    said = place.repaired()
    assert "stand twice" in said
    assert "to be judged" not in said
    assert place.repaired() == "Nothing is torn."
    assert place.audited() == []


def test_offsets_that_left_the_state_behind_are_brought_together(place: Stage) -> None:
    """A worker refuses a torn partition; after the repair it goes on, and the books are right."""
    place.move_group(CONTACTS, -3)
    place.send(contact("late", CLOCK.now_ms() - 10**6, customer_id="k1"))
    with pytest.raises(LogDamaged, match="torn batch"):
        place.journey()
    said = place.state_repaired()
    assert len(said) == PARTITIONS
    place.journey()
    assert place.repaired() == "Nothing is torn."
    assert place.audited() == []


def test_a_state_that_lost_keys_is_worked_out_anew(place: Stage) -> None:
    """From the facts, if a person allows it; then journeys go on, and the books are right."""
    rows = place.log.read(JOURNEYS_STATE, 0, 0, 1_000)
    victims = [each.key for each in rows if each.key is not None and each.key[:1] == b"k"]
    assert victims
    producer = Producer({"bootstrap.servers": place.cluster.bootstrap, "log_level": 0})
    for key in victims[:3]:
        producer.produce(place.prefix + JOURNEYS_STATE, None, key, 0)
    producer.flush()
    now = CLOCK.now_ms()
    place.send(*(order(f"last-{n}", now, 90, customer_id=f"k{n}") for n in range(20)))
    with pytest.raises(LogDamaged, match="torn batch"):
        place.journey()
    with pytest.raises(CheckFailed, match="--rebuild-state"):
        place.state_repaired()
    (said,) = place.state_repaired(rebuild=True)
    assert "worked out anew" in said
    place.journey()
    assert place.repaired() == "Nothing is torn."
    assert place.audited() == []
