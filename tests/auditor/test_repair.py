"""What is torn is made good: the laws hold again, the books are those of a run without a fault."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pnl.auditor.notices import Notices
from pnl.auditor.recompute import Account, add
from pnl.repairing.repair import render, repair
from processors.policy import Policy
from sinks.store import Store
from sinks.verify import verify
from streams.log import TopicPartition
from streams.topics import ATTRIBUTIONS, BATCHES, CONTACT_FACTS, DEAD_LETTERS, LEDGER, OUTPUT_NAMES
from tests.auditor.test_planted import (
    double_an_entry,
    lose_an_entry,
    lose_outputs,
    more_facts,
    torn,
    where,
)
from tests.auditor.world import PARTITIONS, World, made
from tests.support.store import store as store
from tests.support.stored import copy, journey


def repaired(world: World, *, accept: bool = True) -> str:
    """Repair a world and return what was said."""
    world.clock._now_ms += 1_000
    return render(
        repair(
            world.log,
            Policy(),
            world.clock,
            reason="a drill",
            code_version="test",
            accept=accept,
        )
    )


def books(world: World) -> Counter[tuple[str, Account]]:
    """Return what every customer's accounts come to."""
    sums: Counter[tuple[str, Account]] = Counter()
    for partition in range(PARTITIONS):
        for record in world.values(LEDGER, partition):
            mine: Counter[Account] = Counter()
            add(mine, record.entries)
            for account, amount in mine.items():
                sums[record.customer_id, account] += amount
    return Counter({place: amount for place, amount in sums.items() if amount})


def rightly(world: World) -> Counter[tuple[str, Account]]:
    """Return what the books come to when nothing is torn."""
    more_facts(world)
    journey(world.log)
    return books(world)


def lose_in_the_middle(world: World) -> None:
    """Lose a stretch of the ledger, entries of orders among them."""
    kept = world.place.records[TopicPartition(LEDGER, 0)]
    del kept[100:140]
    kept[:] = [record._replace(offset=n) for n, record in enumerate(kept)]
    more_facts(world)
    journey(world.log)


def lose_and_go_on(world: World) -> None:
    """Lose all that a batch put out, and have two more batches."""
    lose_outputs(world)
    journey(world.log)


def with_more(plant: Callable[[World], None]) -> Callable[[World], None]:
    """Plant damage and have one more batch."""

    def planted(world: World) -> None:
        plant(world)
        more_facts(world)
        journey(world.log)

    return planted


TORN: dict[str, Callable[[World], Any]] = {
    "all outputs, done again": torn,
    "outputs without their record, done again": lambda world: torn(world, [BATCHES]),
    "the record without its entries, done again": lambda world: torn(world, [LEDGER]),
    "all outputs, not done again": lambda world: torn(world, replayed=False),
    "entries alone, not done again": lambda world: torn(world, [BATCHES], replayed=False),
    "offsets and state without outputs": lose_outputs,
    "offsets and state without outputs, and on": lose_and_go_on,
    "some entries are lost": lose_in_the_middle,
    "one record of entries is lost": with_more(lose_an_entry),
    "one record of entries is doubled": with_more(double_an_entry),
    "a batch record is lost": with_more(lambda world: world.put(BATCHES, 1)),
    "a dead letter is lost": with_more(
        lambda world: world.put(DEAD_LETTERS, 0, partition=where(world))
    ),
}


def test_where_nothing_is_torn_nothing_is_written() -> None:
    """Repairing a sound log changes nothing, and says so."""
    world = made()
    lengths = world.mark()
    assert repaired(world) == "Nothing is torn."
    assert world.mark() == lengths


@pytest.mark.parametrize("what", list(TORN))
def test_a_dry_run_writes_nothing(what: str) -> None:
    """Without consent it is only said what would be done."""
    world = made()
    TORN[what](world)
    lengths = world.mark()
    assert "--accept" in repaired(world, accept=False)
    assert world.mark() == lengths


@pytest.mark.parametrize("what", list(TORN))
def test_what_is_torn_is_made_good(what: str, store: Store) -> None:
    """The books come to what they would have, every law holds in the log and in the store."""
    due = rightly(made())
    world = made()
    TORN[what](world)
    said = repaired(world)
    assert "to be judged" not in said, said
    assert "Repaired" in said
    journey(world.log)
    assert books(world) == due
    copy(world.log, store)
    assert verify(store) == []
    world.stored_all()
    assert world.audited() == []
    assert repaired(world) == "Nothing is torn."


def test_a_repair_tells_what_was_reported_from_what_is_right(store: Store) -> None:
    """Entries booked before the repair give what was reported, all of them what is right."""
    world = made()
    torn(world, [BATCHES])
    before = books(world)
    world.clock._now_ms += 5_000
    at = world.clock.now_ms()
    repaired(world)
    reported: Counter[tuple[str, Account]] = Counter()
    for partition in range(PARTITIONS):
        for record in world.values(LEDGER, partition):
            assert (record.booked_at > at) == bool(record.repair)
            mine: Counter[Account] = Counter()
            if not record.repair:
                add(mine, record.entries)
            for account, amount in mine.items():
                reported[record.customer_id, account] += amount
    assert Counter({k: v for k, v in reported.items() if v}) == before
    copy(world.log, store)
    rows = store.query("SELECT DISTINCT repair, change FROM v_ledger WHERE repair != ''")
    assert rows == [{"repair": "doubled", "change": "reversal"}]


def test_a_repair_is_kept_with_its_reason() -> None:
    """The auditor's topic says what a repair amended and why it was made."""
    world = made()
    torn(world)
    repaired(world)
    notices = Notices(world.log)
    notices.refresh()
    assert notices.repairs == PARTITIONS


def test_what_was_published_is_published_again(store: Store) -> None:
    """Vectors, chains and orders that were lost with a batch are in the store after a repair."""
    world = made()
    torn(world, [LEDGER, ATTRIBUTIONS, CONTACT_FACTS], replayed=False)
    group = world.place.groups["journeys"]
    journey(world.log)
    for topic in (ATTRIBUTIONS, CONTACT_FACTS, LEDGER):
        for partition in range(PARTITIONS):
            del world.place.records[TopicPartition(topic, partition)][-5:]
    assert group.positions
    repaired(world)
    copy(world.log, store)
    assert verify(store) == []
    assert set(OUTPUT_NAMES) > {LEDGER}
