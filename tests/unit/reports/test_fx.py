"""Conversion: entry by entry at the rate of the order's day, against a naive reckoning."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from random import Random

import pytest

from pnl.rates.reading import day_text
from pnl.reports.model import BadRequest, Scope
from pnl.reports.queries import Reports
from pnl.reports.sheet import Sheet
from processors.results import RateRecord
from sinks.store import Store
from tests.support.books import Books, chain, control, cost, day, order, sold, spread

JUNE = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))


def rates(books: Books, *known: tuple[str, str, str, str]) -> None:
    """Lay rates: (date, base, quote, rate)."""
    books.put(
        *(
            RateRecord(day=day(when), base=base, quote=quote, rate_e10=int(Decimal(rate) * 10**10))
            for when, base, quote, rate in known
        )
    )


def row(sheet: Sheet, name: str, *key: str) -> tuple[object, object]:
    """Return an amount and how many entries lack a rate."""
    names = [column.name for column in sheet.columns]
    (found,) = (
        each for each in sheet.rows
        if each[1] == name and (not key or each[4 : 4 + len(key)] == key)
        and (each[0] == "group") == bool(key)
    )  # fmt: skip
    return found[names.index("amount_minor")], found[names.index("unrated")]


def test_a_refund_has_its_orders_rate_and_the_difference_stands_apart(
    books: Books, reports: Reports
) -> None:
    """Sold at 0.80, refunded when the dollar is at 0.75: A5 at 0.80, five pounds to treasury."""
    rates(books, ("2024-06-03", "USD", "GBP", "0.8"), ("2024-06-20", "USD", "GBP", "0.75"))
    books.put(order("o1", "sale", 20000, "2024-06-03", currency="USD"))
    books.lay(
        [],
        [
            sold("A1b", 20000, "2024-06-03", currency="USD"),
            control("net", -20000, "2024-06-03", currency="USD"),
            sold("A5", -10000, "2024-06-20", currency="USD"),
            control("net", 10000, "2024-06-20", currency="USD"),
            sold("A1b", 50, "2024-06-05", order_id="o2"),
            control("net", -50, "2024-06-05", order_id="o2"),
            cost("C1", -1000, "2024-06-20", currency="USD"),
        ],
    )
    books.as_of("2024-07-12 08:00")
    sheet = reports.converted("statement", JUNE)
    assert row(sheet, "A1b") == (16050, 0)
    assert row(sheet, "A5") == (-8000, 0)
    assert row(sheet, "C1") == (-750, 0)
    assert row(sheet, "M2") == (8050, 0)
    assert row(sheet, "booked_result") == (7300, 0)
    assert row(sheet, "exchange_difference") == (500, 0)


def test_what_has_no_rate_is_null_and_counted(books: Books, reports: Reports) -> None:
    """Never converted at one: the line, its group and its totals are null; others are known."""
    rates(books, ("2024-06-03", "USD", "GBP", "0.8"))
    books.lay(
        [],
        [
            sold("A1b", 1000, "2024-06-03", currency="USD", queue="a", order_id="x"),
            sold("A1b", 1000, "2024-06-04", currency="USD", queue="b", order_id="y"),
            sold("A4", 1000, "2024-06-03", currency="USD", order_id="z"),
        ],
    )
    books.as_of("2024-07-12 08:00")
    sheet = reports.converted("statement", JUNE, ("queue",))
    assert row(sheet, "A1b") == (None, 1)
    assert row(sheet, "A1b", "a") == (800, 0)
    assert row(sheet, "A1b", "b") == (None, 1)
    assert row(sheet, "A4") == (800, 0)
    assert row(sheet, "A") == (None, 1)
    assert row(sheet, "booked_result") == (None, 1)
    assert any("1 entries have no rate" in note for note in sheet.notes)


def test_every_entry_is_rounded_once_half_to_even(books: Books, reports: Reports) -> None:
    """Direct, inverse and crossed rates, currencies of 0, 2 and 3 decimals, all exact."""
    dice = Random(3)
    days = [f"2024-06-{number:02}" for number in range(3, 9)]
    known = [
        (when, base, quote, f"{dice.randrange(5000, 20000) / 10000}")
        for when in days
        for base, quote in (("USD", "GBP"), ("GBP", "JPY"), ("EUR", "GBP"), ("EUR", "KWD"))
    ]
    rates(books, *known)
    rate = {(when, base, quote): Fraction(value) for when, base, quote, value in known}
    expected, entries = Fraction(0), []
    for number in range(200):
        currency, exponent = dice.choice((("USD", 2), ("JPY", 0), ("KWD", 3), ("GBP", 2)))
        amount, when = dice.randrange(-9999, 9999), dice.choice(days)
        one = {
            "USD": lambda w: rate[w, "USD", "GBP"],
            "JPY": lambda w: 1 / rate[w, "GBP", "JPY"],
            "KWD": lambda w: rate[w, "EUR", "GBP"] / rate[w, "EUR", "KWD"],
            "GBP": lambda _: Fraction(1),
        }[currency](when)
        entries.append(sold("A1b", amount, when, currency=currency, order_id=f"o{number}"))
        exact = amount * one * Fraction(100, 10**exponent)
        expected += round(exact)  # Python rounds a fraction half to even
    books.lay([], entries)
    books.as_of("2024-07-12 08:00")
    assert row(reports.converted("statement", JUNE), "A1b") == (expected, 0)
    assert Decimal("2.5").quantize(Decimal(1), ROUND_HALF_EVEN) == round(Fraction(5, 2))


def test_a_term_is_converted_whole_and_then_earned_by_day(books: Books, reports: Reports) -> None:
    """So its days sum to the converted amount exactly, at the rate of the day it was sold."""
    rates(books, ("2024-05-20", "USD", "GBP", "0.333"))
    books.put(order("o1", "sale", 10000, "2024-05-20", currency="USD"))
    term = spread("A3", 10000, "2024-05-20", "2024-06-01", "2024-06-04", currency="USD")
    books.lay([], [term])
    books.as_of("2024-07-12 08:00")
    parts = [
        row(reports.converted("statement", Scope(currency="GBP", start=start, end=end)), "A3")[0]
        for start, end in (
            (date(2024, 6, 1), date(2024, 6, 2)),
            (date(2024, 6, 2), date(2024, 6, 3)),
            (date(2024, 6, 3), date(2024, 6, 4)),
        )
    ]
    assert parts == [1110, 1110, 1110]
    assert row(reports.converted("statement", JUNE), "A3") == (3330, 0)


def test_cohorts_are_converted_from_the_ledger(books: Books, reports: Reports) -> None:
    """What a chain brought in any currency counts; without a rate all amounts are null."""
    rates(books, ("2024-06-03", "USD", "GBP", "0.8"))
    books.lay(
        [chain("c1", "2024-06-02 10:00")],
        [sold("A1b", 1000, "2024-06-03", currency="USD"), sold("A1b", 5, "2024-06-03")],
    )
    for name in ("contacts", "daily"):
        sheet = reports.converted(name, JUNE)
        place = [column.name for column in sheet.columns].index("net_credit_minor")
        assert [each[place] for each in sheet.rows] == [805]
    books.lay([], [sold("A1b", 7, "2024-06-04", currency="USD", order_id="late")])
    sheet = reports.converted("daily", JUNE)
    assert sheet.rows[0][4:8] == (None,) * 4
    assert "1 entries have no rate" in sheet.notes[-1]


def test_a_report_in_one_currency_says_so(reports: Reports) -> None:
    """What cannot be converted rightly is refused, not approximated."""
    with pytest.raises(BadRequest, match="made in one currency"):
        reports.converted("service", JUNE)


def test_nothing_is_mixed_without_conversion(books: Books, store: Store, reports: Reports) -> None:
    """I10: the plain statement of a currency has nothing of another, rates or not."""
    rates(books, ("2024-06-03", "USD", "GBP", "0.8"))
    books.lay([], [sold("A1b", 1000, "2024-06-03", currency="USD"), sold("A1b", 5, "2024-06-03")])
    assert reports.statement(JUNE).line("A1b").amount_minor == 5
    (known,) = store.query("SELECT day FROM v_rates")
    assert day_text(known["day"]) == "2024-06-03"
