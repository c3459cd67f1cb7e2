"""Damage in the store is found by the laws of the store, which the auditor looks at twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sinks.store import Store
from sinks.verify import verify_moving
from streams.log import TopicPartition
from streams.topics import LEDGER
from tests.auditor.world import RULES, World, laws, made
from tests.support.store import copied_store, prepared
from tests.support.stored import copy


def filled(store: Store) -> None:
    """Copy the world's log into a store."""
    copy(made().log, store)


@pytest.fixture
def world() -> World:
    """Return a world whose sink has stored everything."""
    return made()


@pytest.fixture
def stored(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store that holds the world's log."""
    with copied_store(prepared(tmp_path_factory, "audited", filled), tmp_path / "store") as opened:
        yield opened


HOURLY = replace(RULES, store_every=timedelta(hours=1))
"""The store's laws are looked at once, and what does not hold once more, as it is at work."""
PLANTED = {
    "an identity lies in another month": (
        (
            "INSERT INTO ledger SELECT * REPLACE (202001 AS month,"
            " toDateTime64('2020-01-01 00:00:00', 3, 'UTC') AS effective_at)"
            " FROM v_ledger WHERE line = 'A1b' LIMIT 1"
        ),
        "R5",
    ),
    "a stored entry is lost": (
        "DELETE FROM ledger WHERE log_partition = 0 AND log_offset = 7",
        "R4",
    ),
    "a credit has no net entry": (
        (
            "INSERT INTO ledger SELECT * REPLACE (99 AS log_position, 'stray' AS order_id)"
            " FROM v_ledger WHERE line = 'A1b' LIMIT 1"
        ),
        "R7a",
    ),
    "a chain is live in two partitions": (
        (
            "INSERT INTO contacts SELECT * REPLACE ('other' AS customer_id, 1 AS log_partition)"
            " FROM v_contacts WHERE contact_id = 'k5'"
        ),
        "R7b",
    ),
    "the roll-up is off by one": (
        (
            "INSERT INTO rollup_hourly SELECT * REPLACE (amount_minor + 1 AS amount_minor,"
            " generation + 1 AS generation) FROM v_rollup_hourly LIMIT 1"
        ),
        "A5",
    ),
}


def test_an_undamaged_store_raises_no_alarm(world: World, stored: Store) -> None:
    """What the sink stored keeps every law."""
    assert world.audited(stored, rules=HOURLY) == []


@pytest.mark.parametrize("what", list(PLANTED))
def test_what_is_planted_in_the_store_is_found(world: World, stored: Store, what: str) -> None:
    """Damage is found by the law that speaks of it."""
    statement, law = PLANTED[what]
    stored.command(statement)
    assert law in laws(world.audited(stored, rules=HOURLY))


def test_what_is_only_on_its_way_is_no_finding(stored: Store) -> None:
    """A breach that is gone once the sink has passed the log's end is not reported."""
    late = stored.query("SELECT * FROM ledger WHERE log_partition = 0 AND log_offset = 7")
    stored.command("CREATE TABLE aside AS ledger")
    stored.command(
        "INSERT INTO aside SELECT * FROM ledger WHERE log_partition = 0 AND log_offset = 7"
    )
    stored.command("DELETE FROM ledger WHERE log_partition = 0 AND log_offset = 7")

    def passed() -> bool:
        stored.command("INSERT INTO ledger SELECT * FROM aside")
        return True

    assert late
    assert verify_moving(stored, passed) == []
    stored.command("DELETE FROM ledger WHERE log_partition = 0 AND log_offset = 7")
    assert "R4" in {finding.law_id for finding in verify_moving(stored, lambda: True)}


def test_a_store_that_is_behind_is_looked_at_when_it_has_caught_up(
    world: World, stored: Store
) -> None:
    """The second look waits until the sink has passed what the log held at the first."""
    stored.command("DELETE FROM ledger WHERE log_partition = 0 AND log_offset = 7")
    world.place.groups["sink"].positions[TopicPartition(LEDGER, 0)] = 7
    assert "R4" not in laws(world.audited(stored))
