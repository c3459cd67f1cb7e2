"""Revenue per contact and per case, by cohort and by period."""

import random
from dataclasses import replace
from datetime import date
from statistics import mean, stdev
from typing import Any

import pytest

from pnl.reports.bootstrap import ratio_interval
from pnl.reports.contacts import contacts
from pnl.reports.converted import converted_report
from pnl.reports.model import BadRequest, Scope
from pnl.reports.revenue import REVENUE
from pnl.reports.sheet import Asking, Sheet
from processors.policy import Policy
from sinks.store import Store
from tests.support.books import Books, at, chain, cost, sold

GBP = Scope(currency="GBP")
JUNE = replace(GBP, start=date(2024, 6, 1), end=date(2024, 7, 1))


def sheet(
    store: Store,
    scope: Scope = GBP,
    by: tuple[str, ...] = (),
    as_of: str = "2024-12-31",
    **set_: str,
) -> Sheet:
    """Return the report."""
    return REVENUE.asked(
        Asking(store=store, policy=Policy(), as_of=at(as_of), scope=scope, by=by, options=set_)
    )


def figures(found: Sheet, key: tuple[Any, ...] | None = None) -> dict[str, Any]:
    """Return a row by its key, or the total."""
    width = len(found.by)
    rows = {row[:width]: row for row in found.rows}
    row = found.total if key is None else rows[key]
    assert row is not None
    return {column.name: cell for column, cell in zip(found.columns, row, strict=True)}


def lay(books: Books, count: int = 40) -> list[int]:
    """Lay contacts in June, every third in a case with the one before; return their credits."""
    rng = random.Random(1)
    amounts = [rng.choice((0, 0, 0, 1000, 2500)) for _ in range(count)]
    chains = [
        chain(
            f"c{n}",
            f"2024-06-{1 + n % 28:02} 10:00",
            customer_id="k",
            case_id=f"case{n // 3}" if n % 3 else "",
            queue="orders" if n % 2 else "billing",
        )
        for n in range(count)
    ]
    entries = [
        sold("A1b", amount, "2024-07-02", contact_id=f"c{n}", order_id=f"o{n}", queue="orders")
        for n, amount in enumerate(amounts)
        if amount
    ]
    entries += [cost("C1", -200, "2024-06-10", contact_id=f"c{n}") for n in range(count)]
    books.lay([*chains, chain("left", "2024-06-03", handled=False, abandoned=True)], entries)
    return amounts


def test_a_cohort_says_what_its_contacts_brought(books: Books, store: Store) -> None:
    """DEF-RPC, DEF-RPC-CI: credits whenever they came, over all handled, with mean ± z s / √n."""
    amounts = lay(books)
    found = figures(sheet(store, JUNE))
    n = len(amounts)
    half = 1.959963984540054 * stdev(amounts) / n**0.5
    assert (found["handled"], found["abandoned"]) == (n, 1)
    assert found["touched_minor"] == sum(amounts)
    assert found["touched_per_minor"] == round(mean(amounts))
    assert found["touched_per_minor_high"] - found["touched_per_minor"] == round(half)
    assert found["net_of_cost_per_minor"] == round(mean(amounts) - 200)
    assert (found["matured_ppm"], found["state"]) == (1_000_000, "mature")


@pytest.mark.parametrize("by", [(), ("queue",), ("queue", "channel")])
def test_it_is_the_same_query_as_contacts(books: Books, store: Store, by: tuple[str, ...]) -> None:
    """Page, list and sheet cannot disagree."""
    lay(books)
    old = contacts(store, Policy(), at("2024-12-31"), JUNE, by)
    new = sheet(store, JUNE, by)
    for row in old.rows:
        found = figures(new, tuple(value for _, value in row.key))
        assert (found["handled"], found["touched_minor"], found["cost_minor"]) == (
            row.handled,
            row.net_credit_minor,
            row.cost_minor,
        )
    total = figures(new)
    assert total["touched_per_minor"] == old.total.revenue_per_contact_minor
    assert total["matured_ppm"] == old.total.matured_ppm


def test_below_thirty_nothing_is_said_per_contact(books: Books, store: Store) -> None:
    """Counts and sums stand, rates and intervals do not, and a note says so."""
    lay(books, 29)
    found = sheet(store, JUNE)
    assert figures(found)["handled"] == 29
    assert figures(found)["touched_minor"] > 0
    for name in ("touched_per_minor", "touched_per_minor_low", "net_of_cost_per_minor"):
        assert figures(found)[name] is None
    assert "Below 30 handled" in " ".join(found.notes)


def test_a_case_counts_once(books: Books, store: Store) -> None:
    """Per case the contacts of a case are one, in each row in which one of them stands."""
    lay(books, 120)
    found = figures(sheet(store, JUNE, per="case"))
    assert found["handled"] == 80
    assert found["touched_minor"] == figures(sheet(store, JUNE))["touched_minor"]
    by_queue = sheet(store, JUNE, ("queue",), per="case")
    assert sum(figures(by_queue, (queue,))["handled"] for queue in ("orders", "billing")) == 120


def test_a_young_cohort_is_a_lower_bound(books: Books, store: Store) -> None:
    """DEF-MATURE: mature when the longest lookback of every chain has passed; age in whole days."""
    lay(books)
    found = figures(sheet(store, JUNE, as_of="2024-07-15 12:00"))
    assert found["state"] == "lower bound"
    assert 0 < found["matured_ppm"] < 1_000_000
    assert found["age_days"] == 17


def test_cohorts_stand_under_their_first_day(books: Books, store: Store) -> None:
    """Month, week and day of the reporting zone; every cohort matures by itself."""
    lay(books)
    books.lay([chain("may", "2024-05-31 22:59")], [])
    books.lay([chain("june", "2024-05-31 23:00")], [])
    found = sheet(store, cohort="month")
    assert found.by == ("month",)
    assert figures(found, (date(2024, 5, 1),))["handled"] == 1
    assert figures(found, (date(2024, 6, 1),))["handled"] == 41


def test_the_period_view_is_kept_apart(books: Books, store: Store) -> None:
    """DEF-RPC-PERIOD: what became effective in July stands in July, whoever called in June."""
    amounts = lay(books)
    july = replace(GBP, start=date(2024, 7, 1), end=date(2024, 8, 1))
    assert figures(sheet(store, july, view="period"))["net_credit_minor"] == sum(amounts)
    assert figures(sheet(store, july, view="period"))["period_per_minor"] is None
    june = sheet(store, JUNE, view="period")
    assert figures(june)["net_credit_minor"] == 0
    assert figures(june)["cost_minor"] == -200 * len(amounts)
    assert figures(june)["period_per_minor"] == 0
    names = {column.name for column in june.columns}
    assert not names & {
        column.name for column in sheet(store, JUNE).columns if "per" in column.name
    }
    assert "Never compare" in june.notes[0]


def test_a_cohort_can_be_had_in_one_currency(books: Books, store: Store) -> None:
    """DEF-FX: from the ledger, entry by entry; what a period earned is in one currency only."""
    lay(books)
    asking = Asking(store=store, policy=Policy(), as_of=at("2024-12-31"), scope=JUNE)
    found = figures(converted_report("revenue", asking))
    assert found == figures(sheet(store, JUNE))
    with pytest.raises(BadRequest, match="takes no --convert"):
        converted_report("revenue", replace(asking, options={"view": "period"}))


def test_the_bootstrap_is_seeded_and_by_customer(books: Books, store: Store) -> None:
    """The same seed gives the same interval; contacts of one customer are drawn together."""
    chains, entries = [], []
    for n in range(60):
        name = f"c{n}"
        chains.append(chain(name, "2024-06-05", customer_id=f"k{n // 2}"))
        entries.append(sold("A1b", 1000 * (n // 2 % 2), "2024-06-06", contact_id=name))
    books.lay(chains, entries)
    found = figures(sheet(store, JUNE, interval="bootstrap", seed="3"))
    assert found == figures(sheet(store, JUNE, interval="bootstrap", seed="3"))
    running = figures(sheet(store, JUNE))
    assert found["touched_per_minor"] == running["touched_per_minor"] == 500
    width = found["touched_per_minor_high"] - found["touched_per_minor_low"]
    assert width > 1.2 * (running["touched_per_minor_high"] - running["touched_per_minor_low"])


def test_the_bootstrap_covers_the_mean_it_should() -> None:
    """For values that are nearly normal it is close to z s / √n; without a denominator None."""
    rng = random.Random(2)
    values = [round(rng.gauss(1000, 100)) for _ in range(400)]
    found = ratio_interval(values, [1] * 400, [1] * 400, 1)
    assert found is not None
    half = 1.96 * stdev(values) / 20
    assert found[0] == pytest.approx(mean(values) - half, abs=2)
    assert found[1] == pytest.approx(mean(values) + half, abs=2)
    assert ratio_interval([5], [0], [1], 1) is None


@pytest.mark.parametrize(
    "wrong",
    [{"view": "both"}, {"view": "period", "per": "case"}, {"seed": "x"}, {"cohort": "year"}],
)
def test_what_cannot_be_asked_is_said(store: Store, wrong: dict[str, str]) -> None:
    """A sentence, not a guess."""
    with pytest.raises(BadRequest):
        sheet(store, **wrong)
