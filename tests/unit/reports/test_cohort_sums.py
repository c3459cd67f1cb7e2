"""Sums of contacts and order facts say what these say themselves, or are not used."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from pnl.reports.model import CONTACT_DIMENSIONS, Scope
from pnl.reports.queries import Reports
from processors.policy import Policy
from processors.results import CurrencyAmount
from sinks.cohorts import Cohorts, edition
from sinks.store import Store
from sinks.verify import verify
from streams.clock import ManualClock
from streams.facts import Offer
from tests.support.books import Books, at, chain, order

DAYS = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3) for day in (1, 2, 15, 28)]
TIMES = ("00:05", "00:20", "05:29", "05:31", "23:50")
QUARTER: dict[str, Any] = {"start": date(2024, 1, 1), "end": date(2024, 4, 1)}
SCOPES = [
    Scope(currency="GBP"),
    Scope(currency="GBP", **QUARTER),
    Scope(currency="EUR", start=date(2024, 2, 15)),
    Scope(currency="GBP", start=date(2024, 2, 2), end=date(2024, 3, 16)),
    Scope(currency="GBP", start=date(2024, 2, 10), end=date(2024, 2, 20)),
    Scope(currency="GBP", **QUARTER, queue=("a",), kind=("sales", "save")),
    Scope(currency="GBP", **QUARTER, agent=("1",), reason=("p",)),
    Scope(currency="GBP", **QUARTER, product_class=("product",)),
]


def fill(books: Books, seed: int = 1, count: int = 120) -> None:
    """Lay a quarter of contacts and orders of every sort, some at the edges of months and days."""
    dice = Random(seed)

    def when() -> str:
        return f"{dice.choice(DAYS)} {dice.choice(TIMES)}"

    records: list[msgspec.Struct] = []
    for number in range(count):
        made, taken = number % 3 > 0, number % 2 > 0
        offer = Offer(product_class="product", eligible=True, offered=made, accepted=taken)
        handled = dice.random() < 0.8
        records += (
            chain(
                f"c{seed}-{number}",
                when(),
                queue=dice.choice("ab"),
                team=dice.choice("xy"),
                agent_id=dice.choice("12"),
                channel=dice.choice("vc"),
                reason=dice.choice("pq"),
                kind=dice.choice(("service", "sales", "save")),
                handled=handled,
                abandoned=not handled,
                identified=dice.random() < 0.7,
                cost_currency=dice.choice(("GBP", "GBP", "EUR", "")),
                cost_minor=-dice.randrange(100),
                fee_minor=dice.randrange(3),
                credits=tuple(
                    CurrencyAmount(each, dice.randrange(-50, 500))
                    for each in dice.sample(("GBP", "EUR"), dice.randrange(3))
                ),
                offers=(offer,) if dice.random() < 0.5 else (),
            ),
            order(
                f"o{seed}-{number}",
                dice.choice(("sale", "refund", "adjustment")),
                dice.randrange(-500, 500),
                when(),
                currency=dice.choice(("GBP", "EUR")),
            ),
        )
    books.put(*records)


def answers(reports: Reports, scope: Scope) -> list[Any]:
    """Return all that counts contacts or order facts."""
    asks: list[Callable[[], object]] = [
        lambda: reports.daily(scope),
        lambda: reports.contacts(scope, ()),
        lambda: reports.contacts(scope, ("contact",)),
        *(lambda each=each: reports.contacts(scope, (each,)) for each in CONTACT_DIMENSIONS),
        lambda: reports.contacts(scope, ("agent", "reason")),
        lambda: (reports.statement(scope).memo, reports.statement(scope).reconciliation),
        lambda: reports.quality(scope),
    ]
    return [ask() for ask in asks]


@pytest.fixture
def reports(store: Store) -> Reports:
    """Return the reports of a company whose days begin at half past."""
    return Reports(store, Policy(timezone="Asia/Kolkata"), ManualClock(0))


def test_figures_are_the_same_with_and_without_sums(
    store: Store, books: Books, reports: Reports
) -> None:
    """For whole months and parts of them, filtered, split, also in a second currency."""
    fill(books)
    books.as_of("2024-02-20 12:00")
    before = [answers(reports, scope) for scope in SCOPES]
    Cohorts(store).make_all()
    assert edition(store, "contacts", at("2024-02-20 12:00")) is not None
    assert edition(store, "orders") is not None
    assert [answers(reports, scope) for scope in SCOPES] == before
    assert not {"A8", "A9"} & {finding.law_id for finding in verify(store)}


def test_sums_are_what_is_read(store: Store, books: Books, reports: Reports) -> None:
    """Where they hold, contacts and order facts are not looked at: else they would save nothing."""
    fill(books)
    books.as_of("2024-02-20")
    Cohorts(store).make_all()
    for change in ("rollup_contacts UPDATE n = n + 1000", "rollup_orders UPDATE amount_minor = 1"):
        store.command(f"ALTER TABLE {change} WHERE 1 SETTINGS mutations_sync = 1")
    scope = Scope(currency="GBP", **QUARTER)
    assert min(point.chains for point in reports.daily(scope)) > 1000
    assert reports.contacts(scope, ("team", "agent")).total.chains > 1000
    assert 0 < (reports.statement(scope).memo_value("M6") or 0) < 2_000
    assert 0 < reports.statement(scope).reconciliation.orders_minor < 200
    assert {"A8", "A9"} <= {finding.law_id for finding in verify(store)}


def test_what_changed_is_read_itself(store: Store, books: Books, reports: Reports) -> None:
    """After a contact, an order, or a later *as of*, at which others are mature."""
    scope = Scope(currency="GBP")
    fill(books)
    books.as_of("2024-02-20")
    Cohorts(store).make_all()
    young = reports.contacts(scope, ()).total.matured_ppm
    books.as_of("2024-03-15")
    assert edition(store, "contacts", at("2024-03-15")) is None
    assert reports.contacts(scope, ()).total.matured_ppm != young
    Cohorts(store).make_all()
    fill(books, seed=2, count=3)
    assert edition(store, "contacts", at("2024-03-15")) is edition(store, "orders") is None
    assert reports.contacts(scope, ()).total.chains == 123


def test_sums_are_made_of_large_tables_that_are_quiet(store: Store, books: Books) -> None:
    """Each once, not while it changes, and none of a table that is read as fast itself."""
    fill(books, count=5)
    assert not Cohorts(store, quiet=timedelta(hours=1), rows_min=1).step()
    assert not Cohorts(store, quiet=timedelta()).step()
    cohorts = Cohorts(store, quiet=timedelta(), rows_min=1)
    assert cohorts.step()
    assert edition(store, "contacts", 0) is not None
    Cohorts(store, quiet=timedelta(), rows_min=1).step()
    assert edition(store, "orders") is not None
    assert not Cohorts(store, quiet=timedelta(), rows_min=1).step()


def test_only_the_last_editions_lie_there(store: Store, books: Books) -> None:
    """Sums of a table that changed again and again do not pile up."""
    for seed in range(4):
        fill(books, seed, count=3)
        Cohorts(store).make_all()
    (row,) = store.query("SELECT uniqExact(last_block) AS editions FROM rollup_contacts")
    assert row["editions"] == 2
