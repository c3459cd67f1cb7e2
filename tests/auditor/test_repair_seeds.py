"""Batches torn at random, in parts of topics and of partitions: a repair makes all of it good."""

from random import Random

import pytest

from streams.facts import Fact
from streams.log import Outgoing, TopicPartition
from streams.topics import CONTACTS, COSTS, LEDGER, ORDERS, OUTPUT_NAMES
from tests.auditor.test_repair import books, repaired
from tests.auditor.world import PARTITIONS, World, made
from tests.support.bulk import few_first
from tests.support.facts import contact, cost, order, refund
from tests.support.stored import journey

SEEDS = 60
TEN_DAYS = 864_000_000


def some_facts(world: World, seed: int) -> None:
    """Append facts of a few customers that depend on each other, in no order."""
    random, now = Random(seed), world.clock.now_ms()
    facts: list[tuple[str, Fact]] = []
    for n in range(random.randrange(5, 40)):
        who, at = f"customer {random.randrange(8)}", now - random.randrange(TEN_DAYS)
        other = f"{seed}-{random.randrange(30)}"
        kinds: list[tuple[str, Fact]] = [
            (CONTACTS, contact(f"c{seed}-{n}", at, customer_id=who)),
            (CONTACTS, contact(f"d{seed}-{n}", at, customer_id=who, chain_id=f"chain {n % 4}")),
            (ORDERS, order(f"o{seed}-{n}", at, random.randrange(1, 9_999), customer_id=who)),
            (ORDERS, refund(f"r{seed}-{n}", f"o{other}", at, 700, customer_id=who)),
            (ORDERS, refund(f"u{seed}-{n}", None, at, 300, customer_id=who)),
            (COSTS, cost(f"x{seed}-{n}", "concession", at, 9, customer_id=who, contact_id=other)),
        ]
        facts.append(random.choice(kinds))
    world.append(facts)
    if seed % 3 == 0:
        world.log.append(CONTACTS, [Outgoing(b"k", b"rubbish")])


def tear(world: World, random: Random, lengths: dict[TopicPartition, int]) -> None:
    """Lose some of what some partitions put out since the lengths were taken."""
    for partition in range(PARTITIONS):
        for topic in random.sample(OUTPUT_NAMES, random.randrange(len(OUTPUT_NAMES) + 1)):
            kept = world.place.records.get(TopicPartition(topic, partition), [])
            start = lengths.get(TopicPartition(topic, partition), 0)
            del kept[random.randrange(start, len(kept) + 1) if random.random() < 0.5 else start :]


def damage(world: World, random: Random) -> None:
    """Process what there is with a fault: torn, lost, or entries left out or doubled."""
    group, lengths = world.place.groups["journeys"], world.mark()
    positions = dict(group.positions)
    state = {number: dict(kept) for number, kept in group.state.items()}
    journey(world.log)
    kind = random.choice(["not committed", "outputs lost", "entries lost", "an entry twice"])
    if kind == "not committed":
        tear(world, random, lengths)
        for partition in random.sample(range(PARTITIONS), random.randrange(1, PARTITIONS + 1)):
            group.positions |= {at: to for at, to in positions.items() if at.partition == partition}
            group.state[partition] = state.get(partition, {})
        if random.random() < 0.6:
            journey(world.log)
    elif kind == "outputs lost":
        tear(world, random, lengths)
    else:
        kept = world.place.records[TopicPartition(LEDGER, 0)]
        at = random.randrange(len(kept) - 5)
        kept[at : at + 1] = [] if kind == "entries lost" else [kept[at]] * 2
        kept[:] = [record._replace(offset=n) for n, record in enumerate(kept)]


def run(seed: int, *, damaged: bool) -> World:
    """Process a few batches; one of them may go wrong."""
    random, world = Random(seed), made()
    steps = random.randrange(2, 5)
    wrong = random.randrange(steps)
    for step in range(steps):
        some_facts(world, seed * 10 + step)
        if damaged and step == wrong:
            damage(world, random)
        else:
            journey(world.log)
    return world


@pytest.mark.parametrize("first", few_first(range(0, SEEDS, 10), 2))
def test_whatever_is_torn_is_made_good(first: int) -> None:
    """After a repair the books are those of a run without the fault, and nothing is found."""
    torn = 0
    for seed in range(first, first + 10):
        due = books(run(seed, damaged=False))
        world = run(seed, damaged=True)
        said = repaired(world)
        torn += "Repaired" in said
        journey(world.log)
        world.stored_all()
        assert "to be judged" not in said, seed
        assert books(world) == due, seed
        assert world.audited() == [], seed
        assert repaired(world) == "Nothing is torn.", seed
    assert torn > 3, "most seeds tear something"
