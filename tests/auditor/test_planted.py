"""Every kind of damage we can think of is planted once, and the auditor finds it by its law."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from pnl.auditor.findings import HALTING, LAWS, Found
from pnl.auditor.notices import Notices
from processors.results import LedgerRecord
from streams.kafka_state import LAST_BATCH, LastBatch, PartitionState, encode_last_batch
from streams.log import Outgoing, TopicPartition
from streams.topics import (
    ATTRIBUTIONS,
    BATCHES,
    CONTACTS,
    DEAD_LETTERS,
    LEDGER,
    ORDERS,
    OUTPUT_NAMES,
)
from tests.auditor.world import PARTITIONS, World, laws, made
from tests.support.facts import contact, order, refund
from tests.support.stored import journey

STATE = "pnl.journeys-state.v1"


def of_an_order(record: LedgerRecord) -> bool:
    """Say whether a ledger record credits an order to a contact after it."""
    return any(entry.line == "A1b" and entry.contact_id for entry in record.entries)


def of_a_contact(record: LedgerRecord) -> bool:
    """Say whether a ledger record books what contacts cost, and nothing of orders."""
    return all(not entry.order_id for entry in record.entries)


def with_entry(world: World, **fields: Any) -> None:
    """Change the first credit after a contact."""
    offset = world.find(LEDGER, of_an_order)
    entries = list(world.values(LEDGER)[offset].entries)
    at = next(n for n, entry in enumerate(entries) if entry.line == "A1b")
    entries[at] = replace(entries[at], **fields)
    world.change(LEDGER, offset, entries=tuple(entries))


def with_source(world: World, **by: int) -> None:
    """Change the numbers of the second batch's contacts by so much."""
    sources = list(world.values(BATCHES)[1].sources)
    at = next(n for n, source in enumerate(sources) if source.topic == CONTACTS)
    fields = {name: getattr(sources[at], name) + more for name, more in by.items()}
    sources[at] = replace(sources[at], **fields)
    world.change(BATCHES, 1, sources=tuple(sources))


def lose_an_entry(world: World) -> None:
    """Leave out what one contact cost."""
    world.put(LEDGER, world.find(LEDGER, of_a_contact))


def double_an_entry(world: World) -> None:
    """Put what one contact cost twice."""
    offset = world.find(LEDGER, of_a_contact)
    world.put(LEDGER, offset, *[world.values(LEDGER)[offset]] * 2)


def change_an_amount(world: World) -> None:
    """Let one credit be a penny more."""
    offset = world.find(LEDGER, of_a_contact)
    entry, *others = world.values(LEDGER)[offset].entries
    more = replace(entry, amount_minor=entry.amount_minor + 1)
    world.change(LEDGER, offset, entries=(more, *others))


def move_to_another_contact(world: World) -> None:
    """Credit another contact of the same customer: every total stays what it was."""
    of_it = world.values(LEDGER)[world.find(LEDGER, of_an_order)]
    credited = next(entry.contact_id for entry in of_it.entries if entry.line == "A1b")
    other = next(
        entry.contact_id
        for record in world.values(LEDGER)
        if record.customer_id == of_it.customer_id
        for entry in record.entries
        if entry.contact_id not in ("", credited)
    )
    with_entry(world, contact_id=other)


def move_to_another_customer(world: World) -> None:
    """Let a record of entries be another customer's, key and all."""
    offset = world.find(LEDGER, of_a_contact)
    mine = world.values(LEDGER)[offset]
    other = next(x.customer_id for x in world.values(LEDGER) if x.customer_id != mine.customer_id)
    world.change(LEDGER, offset, customer_id=other)
    kept = world.place.records[TopicPartition(LEDGER, 0)]
    kept[offset] = kept[offset]._replace(key=other.encode())


def more_facts(world: World) -> None:
    """Let there be a new batch in every partition."""
    now = world.clock.now_ms()
    facts = [
        fact
        for n in range(20)
        for fact in (
            (CONTACTS, contact(f"new-{n}", now - 5_000_000, customer_id=f"new customer {n}")),
            (ORDERS, order(f"sale-{n}", now - 60_000, 1_000 + n, customer_id=f"new customer {n}")),
        )
    ]
    world.append(facts)


def torn(world: World, lost: Iterable[str] = (), *, replayed: bool = True) -> None:
    """Let outputs of a batch become visible without its offsets and state; some may be lost."""
    more_facts(world)
    group = world.place.groups["journeys"]
    positions = dict(group.positions)
    state = {number: dict(kept) for number, kept in group.state.items()}
    lengths = world.mark()
    journey(world.log)
    group.positions, group.state = positions, state
    for topic in lost:
        truncate(world, topic, lengths)
    if replayed:
        journey(world.log)


def truncate(world: World, topic: str, lengths: dict[TopicPartition, int]) -> None:
    """Leave out what came after."""
    for partition in range(PARTITIONS):
        at = TopicPartition(topic, partition)
        del world.place.records.get(at, [])[lengths.get(at, 0) :]


def lose_outputs(world: World) -> None:
    """Let the offsets and the state of a batch be committed, and nothing that it put out."""
    more_facts(world)
    lengths = world.mark()
    journey(world.log)
    for topic in OUTPUT_NAMES:
        truncate(world, topic, lengths)


def lose_state(world: World) -> None:
    """Let journeys forget a customer whose order is then refunded."""
    at = world.clock.now_ms() - 1_000_000
    world.append([(ORDERS, order("soon-back", at, 5_000, customer_id="c"))])
    journey(world.log)
    for kept in world.place.groups["journeys"].state.values():
        for key in [key for key in kept if key.startswith(b"c\0")]:
            del kept[key]
    world.append([(ORDERS, refund("back", "soon-back", at + 1, 5_000, customer_id="c"))])
    journey(world.log)


def write_state(world: World, damage: Callable[[PartitionState], None]) -> None:
    """Write the state to a topic as Kafka's log does, after doing damage to it."""
    for number, kept in world.place.groups["journeys"].state.items():
        state = PartitionState()
        for key, value in kept.items():
            state.set(key, value)
        state.rehash()
        positions = world.place.groups["journeys"].positions
        offsets = {at.topic: to for at, to in positions.items() if at.partition == number}
        last = LastBatch(offsets, state.hash, state.keys)
        for offset, batch in enumerate(world.values(BATCHES, number)):
            if offset == len(world.values(BATCHES, number)) - 1:
                world.put(BATCHES, offset, replace(batch, state_hash=state.hash), partition=number)
        damage(state)
        rows = [row for shelf in state.shelves for row in state.load(shelf)]
        world.place.append(
            TopicPartition(STATE, number),
            [Outgoing(*row) for row in [*rows, (LAST_BATCH, encode_last_batch(last))]],
            0,
        )


def lose_a_key(state: PartitionState) -> None:
    """Lose one key of the state."""
    shelf = max(state.shelves)
    state.set(state.load(shelf)[0][0], None)


def sink_stays(world: World) -> None:
    """Let the sink stop in the middle of the ledger, ten minutes ago."""
    positions = world.place.groups["sink"].positions
    positions[TopicPartition(LEDGER, 0)] //= 2
    world.clock._now_ms += 600_000


def only_dead(world: World) -> None:
    """Let a producer send rubbish."""
    world.log.append(CONTACTS, [Outgoing(b"k", b"rubbish")] * 200)
    journey(world.log)


STUCK = {TopicPartition(LEDGER, 1): (50, 60)}
PLANTED: dict[str, tuple[Callable[[World], object], set[str]]] = {
    "a ledger record is lost": (lose_an_entry, {"A1"}),
    "a ledger record is doubled": (double_an_entry, {"A1"}),
    "an amount is changed": (change_an_amount, {"A1"}),
    "an amount of an order is changed": (
        lambda world: with_entry(world, amount_minor=1),
        {"A1", "R1"},
    ),
    "an order id is moved": (lambda world: with_entry(world, order_id="another"), {"R1"}),
    "a credit goes to another contact": (move_to_another_contact, {"A4"}),
    "entries go to another customer": (move_to_another_customer, {"A4"}),
    "entries lie under another customer's key": (
        lambda world: world.change(LEDGER, 3, customer_id="somebody"),
        {"A1"},
    ),
    "a batch record is missing": (lambda world: world.put(BATCHES, 1), {"A1", "R2"}),
    "a batch record is there twice": (
        lambda world: world.put(BATCHES, 1, *[world.values(BATCHES)[1]] * 2),
        {"A1", "R2"},
    ),
    "ranges overlap": (lambda world: with_source(world, start=-1, applied=1), {"R2"}),
    "ranges leave a gap": (lambda world: with_source(world, start=1, applied=-1), {"R2"}),
    "counts are wrong": (lambda world: with_source(world, applied=-1, late=1), {"R3"}),
    "a count is too low": (lambda world: with_source(world, applied=-1), {"R3"}),
    "a torn batch was done again": (torn, {"A1", "R2"}),
    "a torn batch without its record was done again": (
        lambda world: torn(world, [BATCHES]),
        {"A1"},
    ),
    "a torn batch was not done again yet": (lambda world: torn(world, replayed=False), {"A1"}),
    "a torn batch left entries alone": (
        lambda world: torn(world, [BATCHES], replayed=False),
        {"A1"},
    ),
    "outputs are lost, offsets are not": (lose_outputs, {"A1"}),
    "outputs are lost, and journeys went on": (
        lambda world: (lose_outputs(world), more_facts(world), journey(world.log)),
        {"R2"},
    ),
    "a credit vector does not add up": (
        lambda world: world.change(ATTRIBUTIONS, 0, unattributed_minor=987_654),
        {"S1"},
    ),
    "a dead letter is lost": (
        lambda world: world.put(DEAD_LETTERS, 0, partition=where(world)),
        {"A1"},
    ),
    "a dead letter is doubled": (
        lambda world: world.put(
            DEAD_LETTERS,
            0,
            *[world.values(DEAD_LETTERS, where(world))[0]] * 2,
            partition=where(world),
        ),
        {"A1"},
    ),
    "journeys lost a customer's state": (lose_state, {"A4"}),
    "the state lacks a key": (lambda world: write_state(world, lose_a_key), {"A7"}),
    "a transaction stays open": (lambda _: None, {"A3"}),
    "the sink is stale": (sink_stays, {"A2"}),
    "a producer sends rubbish": (only_dead, {"A6"}),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "the state lacks a key": {"state_topic": STATE},
    "a transaction stays open": {"open_ends": lambda: STUCK},
}


def where(world: World) -> int:
    """Return a partition that has dead letters."""
    return next(p for p in range(PARTITIONS) if world.values(DEAD_LETTERS, p))


def test_an_undamaged_log_raises_no_alarm() -> None:
    """Duplicates, dead letters, refunds and revisions are all in order."""
    world = made()
    write_state(world, lambda _: None)
    assert world.audited(state_topic=STATE) == []
    assert Notices(world.log).halted() is None


@pytest.mark.parametrize("what", list(PLANTED))
def test_what_is_planted_is_found(what: str) -> None:
    """Damage is found by the law that speaks of it, and halts the sink if it is about money."""
    plant, expected = PLANTED[what]
    world = made()
    plant(world)
    found = world.audited(**OPTIONS.get(what, {}))
    assert expected <= laws(found), found
    assert (Notices(world.log).halted() is not None) == bool(expected & HALTING)


def test_every_law_of_the_log_was_seen_to_fail() -> None:
    """None of them passes because it looks at nothing."""
    assert {law for _, expected in PLANTED.values() for law in expected} == set(LAWS)


@pytest.mark.parametrize("what", list(PLANTED))
def test_an_alarm_is_raised_once(what: str) -> None:
    """An auditor that begins anew finds the same and says nothing twice."""
    plant, _ = PLANTED[what]
    world = made()
    plant(world)
    first = world.audited(**OPTIONS.get(what, {}))
    world.place.groups.pop("auditor")
    again: list[Found] = world.audited(**OPTIONS.get(what, {}))
    assert {(each.law, each.subject) for each in again} & {
        (each.law, each.subject) for each in first
    } == set()
