"""Revenue per contact: cohorts, denominators, days and pages."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from math import sqrt

import pytest

from pnl.reports.contacts import half_width
from pnl.reports.model import BadRequest, ContactsRow, Scope
from pnl.reports.queries import Reports
from tests.support.books import Books, chain, cost, sold

JUNE = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))


def fill(books: Books) -> None:
    """Lay five chains of June, one of July, and their money."""
    chains = [
        chain("c1", "2024-06-02 10:00", queue="billing", agent_id="a1"),
        chain("c2", "2024-06-03 10:00", queue="billing", agent_id="a2"),
        chain("c3", "2024-06-03 11:00", queue="billing", handled=False, abandoned=True),
        chain("c4", "2024-06-20 11:00", queue="sales", identified=False),
        chain("c5", "2024-06-20 12:00", queue="spam", handled=False),
        chain("c6", "2024-06-30 23:00", queue="billing"),
        chain("c7", "2024-06-02 10:00", queue="billing", withdrawn=True),
    ]
    entries = [
        sold("A1b", 1001, "2024-06-05", contact_id="c1"),
        sold("A5", -300, "2024-09-01", contact_id="c1"),
        sold("B", -500, "2024-06-05", contact_id="c1"),
        sold("A4", 50, "2024-06-05", contact_id="c1", product_class="upgrade"),
        cost("A2c", 99, "2024-06-02", contact_id="c1"),
        cost("C1", -200, "2024-06-02", contact_id="c1"),
        cost("C3", -12, "2024-06-02", contact_id="c1"),
        cost("C4", -30, "2024-07-09", contact_id="c1"),
        cost("C5", -77, "2024-06-09", contact_id="c1"),
        cost("C3", -12, "2024-06-03", contact_id="c3"),
        sold("A1a", 7, "2024-06-20", contact_id="c4"),
        sold("A1b", 70, "2024-07-05", contact_id="c6"),
        sold("A1b", 9, "2024-07-05", contact_id="c1", currency="JPY"),
    ]
    books.lay(chains, entries)
    books.as_of("2024-07-03 09:00")


def row(key: dict[str, str], *figures: int | None) -> ContactsRow:
    """Build a row from its figures in the order of the table."""
    names = (
        *("chains", "handled", "abandoned", "net_credit_minor", "fee_minor", "cost_minor"),
        *("revenue_per_contact_minor", "cost_per_contact_minor", "matured_ppm"),
    )
    values = dict(zip(names, figures, strict=True))
    return ContactsRow(key=tuple(key.items()), **values)  # type: ignore[arg-type]


def test_a_cohort_holds_all_that_its_chains_earned_and_cost(books: Books, reports: Reports) -> None:
    """Later refunds and costs count; fees, goods, overhead and other currencies do not.

    751 over two handled chains is 375.5, 254 is 127: half to even gives 376.
    """
    fill(books)
    found = reports.contacts(JUNE, ("queue",))
    assert found.rows == (
        row({"queue": "billing"}, 3, 2, 1, 751, 99, -254, 376, 127, 500_000),
        row({"queue": "sales"}, 1, 1, 0, 7, 0, 0, 7, 0, 0),
        row({"queue": "spam"}, 1, 0, 0, 0, 0, 0, None, None, None),
    )
    assert found.total == row({}, 5, 3, 1, 758, 99, -254, 253, 85, 333_333)
    assert reports.contacts(JUNE, ()).rows == (found.total,)


def test_records_and_ledger_give_the_same_figures(books: Books, reports: Reports) -> None:
    """A filter that names every product class reads the ledger, and changes nothing."""
    fill(books)
    ledger = replace(JUNE, product_class=("product", "upgrade", "maintenance", "support"))
    for by in ((), ("queue",), ("contact",)):
        assert reports.contacts(ledger, by).rows == reports.contacts(JUNE, by).rows
    assert reports.daily(ledger) == reports.daily(JUNE)
    assert reports.contact_list(ledger, "-credit") == reports.contact_list(JUNE, "-credit")


def test_without_chains_nothing_is_known(reports: Reports) -> None:
    """No chain: no revenue per contact, not a revenue of zero."""
    found = reports.contacts(JUNE, ("queue",))
    assert found.rows == ()
    assert found.total == row({}, 0, 0, 0, 0, 0, 0, None, None, None)


def test_every_chain_has_a_row_of_its_own(books: Books, reports: Reports) -> None:
    """By contact the pages follow each other without a gap, in the order of the ids."""
    fill(books)
    seen, cursor = [], None
    for _ in range(9):
        page = reports.contacts(JUNE, ("contact",), cursor, rows=2)
        seen += [dict(each.key)["contact"] for each in page.rows]
        assert page.total.chains == 5
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["c1", "c2", "c3", "c4", "c5"]
    first = reports.contacts(JUNE, ("contact",)).rows[0]
    assert first == row({"contact": "c1"}, 1, 1, 0, 751, 99, -242, 751, 242, 1_000_000)


def test_another_currency_has_the_same_denominators(books: Books, reports: Reports) -> None:
    """All handled chains are counted in each currency's report (RUL-RPC)."""
    fill(books)
    yen = Scope(currency="JPY", start=JUNE.start, end=JUNE.end)
    total = reports.contacts(yen, ()).total
    assert (total.handled, total.net_credit_minor, total.cost_minor) == (3, 9, 0)
    assert total.revenue_per_contact_minor == 3


def test_filters_choose_chains_and_a_product_class_chooses_credit(
    books: Books, reports: Reports
) -> None:
    """A product class limits what was earned, not who was handled."""
    fill(books)
    agent = Scope(currency="GBP", start=JUNE.start, end=JUNE.end, agent=("a1", "a2"))
    assert reports.contacts(agent, ()).total.chains == 2
    upgrades = Scope(currency="GBP", start=JUNE.start, end=JUNE.end, product_class=("upgrade",))
    total = reports.contacts(upgrades, ()).total
    assert (total.handled, total.net_credit_minor, total.fee_minor) == (3, 50, 99)


def test_a_contact_of_another_customer_with_the_same_id_keeps_its_own_money(
    books: Books, reports: Reports
) -> None:
    """A chain belongs to a customer: two customers may have used one id."""
    books.lay([chain("c1", "2024-06-02 10:00", queue="billing")], [sold("A1b", 10, "2024-06-05")])
    books.lay(
        [chain("c1", "2024-06-02 10:00", queue="sales", customer_id="other")],
        [sold("A1b", 3, "2024-06-05")],
        customer_id="other",
    )
    books.as_of("2024-06-10")
    for scope in (JUNE, replace(JUNE, product_class=("product",))):
        found = reports.contacts(scope, ("queue",))
        assert [each.net_credit_minor for each in found.rows] == [10, 3]


def test_days_are_local_and_mature_one_by_one(books: Books, reports: Reports) -> None:
    """A chain that ended at 23:30 UTC in June ended the next day in London."""
    books.lay(
        [
            chain("c1", "2024-06-02 23:30"),
            chain("c2", "2024-06-03 10:00", handled=False, abandoned=True, identified=False),
            chain("c3", "2024-06-04 10:00"),
        ],
        [
            sold("A1b", 100, "2024-06-05", contact_id="c1"),
            cost("C1", -40, "2024-06-04", contact_id="c3"),
        ],
    )
    books.as_of("2024-07-03 12:00")
    first, second = reports.daily(JUNE)
    assert (first.day, second.day) == (date(2024, 6, 3), date(2024, 6, 4))
    assert (first.chains, first.handled, first.abandoned, first.unidentified) == (2, 1, 1, 1)
    assert (first.net_credit_minor, first.square_sum, first.mature) == (100, 10_000, True)
    assert (second.cost_minor, second.cost_per_contact_minor) == (-40, 40)
    assert (second.matured, second.mature, second.ci_minor) == (0, False, None)


def test_an_interval_is_shown_from_thirty_chains_on(books: Books, reports: Reports) -> None:
    """Z s / sqrt(n) of 30 chains of which ten earned 300: 1.96 x 143.8 / 5.48."""
    books.lay(
        [chain(f"c{n}", "2024-06-03 10:00") for n in range(30)],
        [sold("A1b", 300, "2024-06-05", contact_id=f"c{n}") for n in range(10)],
    )
    books.as_of("2024-07-03 12:00")
    (point,) = reports.daily(JUNE)
    assert point.revenue_per_contact_minor == 100
    assert point.ci_minor == 51
    assert half_width(29, 3000, 900_000) is None


def test_the_interval_is_that_of_the_sample() -> None:
    """Running sums give what the textbook formula gives on the values themselves."""
    values = [n * n % 97 - 20 for n in range(200)]
    mean = Fraction(sum(values), len(values))
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    expected = round(1.959963984540054 * sqrt(variance / len(values)))
    assert half_width(len(values), sum(values), sum(v * v for v in values)) == expected


@pytest.mark.parametrize("by", [("product_class",), ("shoe_size",), ("contact", "queue")])
def test_contacts_are_split_by_what_a_contact_has(reports: Reports, by: tuple[str, ...]) -> None:
    """Anything else is refused."""
    with pytest.raises(BadRequest):
        reports.contacts(JUNE, by)
