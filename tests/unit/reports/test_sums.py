"""Monthly sums say what the ledger says, to the minor unit, or are not used."""

from datetime import date, timedelta
from itertools import combinations
from random import Random

import pytest

from pnl.reports.model import Scope
from pnl.reports.sql import COLUMN_OF, bounds_of
from pnl.reports.sums import plain_sums
from processors.policy import Policy
from sinks.months import Months, standing, valid
from sinks.store import Store
from sinks.verify import verify
from tests.support.books import Books, cost, sold, spread

DAYS = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3) for day in (1, 2, 15, 28)]
LATE = "2024-02-28 23:50"


def fill(books: Books, seed: int = 1) -> None:
    """Lay a quarter of entries with every dimension, some at the edges of months."""
    dice = Random(seed)
    entries = [
        sold("A1b", 7, LATE, queue="a"),
        spread("A3", 900, "2024-01-05", "2024-01-05", "2024-04-05"),
    ]
    for _ in range(60):
        dims = {
            "queue": dice.choice("ab"),
            "team": dice.choice("xy"),
            "agent_id": dice.choice("12"),
            "channel": dice.choice("vc"),
            "reason": dice.choice("pq"),
            "currency": dice.choice(("GBP", "GBP", "EUR")),
        }
        when = f"{dice.choice(DAYS)} {dice.choice(('00:10', '12:00', '23:50'))}"
        entries.append(
            dice.choice((sold, cost))(
                dice.choice(("A1b", "C1")), dice.randrange(-500, 500), when, **dims
            )
        )
    books.lay([], entries)


def asked(store: Store, scope: Scope, by: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Return the sums of a scope."""
    bounds = bounds_of(scope.start, scope.end, Policy(timezone="Asia/Kolkata").zone)
    columns = [COLUMN_OF[name] for name in by]
    rows = plain_sums(store, scope, bounds, columns)
    return {(row["line"], *(row[name] for name in columns)): row["total"] for row in rows}


QUARTER = {"start": date(2024, 1, 1), "end": date(2024, 4, 1)}
SCOPES = [
    Scope(currency="GBP"),
    Scope(currency="EUR", **QUARTER),
    Scope(currency="GBP", start=date(2024, 2, 15)),
    Scope(currency="GBP", **QUARTER, queue=("a",)),
    Scope(currency="GBP", **QUARTER, agent=("1",), reason=("p",)),
]


@pytest.mark.parametrize("scope", SCOPES)
def test_sums_are_the_same_with_and_without_monthly_sums(
    store: Store, books: Books, scope: Scope
) -> None:
    """By any two dimensions, in a zone half an hour off, for whole months and parts of them."""
    fill(books)
    names = ("queue", "team", "agent", "channel", "reason", "kind", "product_class")
    asks = [(), *((name,) for name in names), *list(combinations(names, 2))[::5]]
    before = [asked(store, scope, by) for by in asks]
    Months(store).make_all()
    assert len(valid(store)) == 3
    assert [asked(store, scope, by) for by in asks] == before
    fill(books, seed=2)
    assert valid(store) == set()
    changed = asked(store, scope)
    Months(store).make_all()
    assert "A10" not in {finding.law_id for finding in verify(store)}
    assert asked(store, scope) == changed


def test_monthly_sums_are_what_is_read(store: Store, books: Books) -> None:
    """Where they hold, the entries are not looked at: else they would save nothing."""
    fill(books)
    Months(store).make_all()
    store.command(
        "ALTER TABLE rollup_monthly UPDATE amount_minor = 1 WHERE 1 SETTINGS mutations_sync = 1"
    )
    found = asked(store, Scope(currency="GBP"), ("queue",))
    assert set(found.values()) <= {3, 4, 5, 6, 7, 8, 9, 10, 11, 12}


def test_a_month_is_summed_when_it_has_been_quiet(store: Store, books: Books) -> None:
    """One at a time, the newest first, not while it changes, and never twice."""
    fill(books)
    assert not Months(store, quiet=timedelta(hours=1)).step()
    months = Months(store, quiet=timedelta())
    made = []
    while months.step():
        made.append({edition.month for edition in valid(store)})
    assert made == [{202403}, {202402, 202403}, {202401, 202402, 202403}]


def test_only_the_last_editions_are_kept(store: Store, books: Books) -> None:
    """Sums of a month that changed again and again do not pile up."""
    for seed in range(4):
        fill(books, seed)
        Months(store).make_all()
    (row,) = store.query(
        "SELECT uniqExact(month, last_block) AS editions, max(last_block) AS last"
        " FROM rollup_monthly"
    )
    assert row["editions"] == 6
    assert row["last"] == max(edition.last_block for edition in standing(store))


def test_sums_of_another_ledger_do_not_count(store: Store, books: Books) -> None:
    """A ledger that was made anew is another table, whatever its parts are numbered."""
    fill(books)
    Months(store).make_all()
    store.command("CREATE TABLE ledger_anew AS ledger")
    store.command("EXCHANGE TABLES ledger AND ledger_anew")
    try:
        assert valid(store) == set()
        fill(books, seed=3)
        assert valid(store) == set()
        there = asked(store, Scope(currency="GBP"))
        Months(store).make_all()
        assert len(valid(store)) == 3
        assert asked(store, Scope(currency="GBP")) == there
    finally:
        store.command("EXCHANGE TABLES ledger AND ledger_anew")
        store.command("DROP TABLE ledger_anew SYNC")
