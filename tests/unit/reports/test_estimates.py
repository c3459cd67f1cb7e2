"""What is estimated stands below the result, with its interval; payroll and offers beside it."""

import json
from datetime import date
from typing import Any

import pytest

from pnl.reports.model import Interval, Scope, Statement
from pnl.reports.queries import Reports
from pnl.reports.render import render_statement
from processors.results import CostRecord
from streams.facts import Offer
from tests.support.books import Books, at, chain, control, cost

MINUS = "\u2212"
JUNE = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))


def estimate(line: str, amount_minor: int, when: str, **other: Any) -> Any:
    """Build an entry of an estimate."""
    return cost(line, amount_minor, when, **({"basis": "estimated", "contact_id": ""} | other))


def payroll(event_id: str, when: str, **other: Any) -> CostRecord:
    """Build a payment of 500 to an agent."""
    fields: dict[str, Any] = {"customer_id": "a1", "version": 1, "kind": "payroll"}
    money: dict[str, Any] = {"currency": "GBP", "amount_minor": 500, "occurred_at": at(when)}
    return CostRecord(event_id=event_id, **(fields | money | other))


def figures(found: Statement) -> dict[str, Interval | None]:
    """Return the estimates of a statement by name."""
    return {each.line: each.value for each in found.estimates}


def test_what_was_never_estimated_is_null_and_says_so(reports: Reports) -> None:
    """W78: not zero; D too."""
    found = reports.statement(JUNE)
    assert figures(found) == {"D1": None, "D2": None, "D": None}
    assert all("cannot be told" in each.note for each in found.estimates)


def test_an_estimate_has_its_interval_and_is_in_no_total(books: Books, reports: Reports) -> None:
    """Amount ± 1.96 standard errors, of any scope: variances add up, a reversal takes both back."""
    books.book(
        estimate("D1", -400, "2024-06-02", queue="billing", variance_minor2=90_000),
        estimate("D1", 100, "2024-06-30", queue="sales", variance_minor2=160_000),
        estimate("D1", 77, "2024-06-30", queue="sales", variance_minor2=4),
        estimate("D1", -77, "2024-06-30", queue="sales", variance_minor2=-4, change="reversal"),
        estimate("D1", 999, "2024-07-01", variance_minor2=1),
        cost("C1", -10, "2024-06-02"),
    )
    found = reports.statement(JUNE, ("queue",))
    whole = Interval(amount_minor=-300, low_minor=-1280, high_minor=680)
    assert figures(found) == {"D1": whole, "D2": None, "D": whole}
    assert {g.key[0][1]: g.value for g in found.estimate("D1").groups} == {
        "billing": Interval(amount_minor=-400, low_minor=-988, high_minor=188),
        "sales": Interval(amount_minor=100, low_minor=-684, high_minor=884),
    }
    assert found.estimate("D").note == "without D2"
    assert found.total("booked_result") == -10


def test_an_estimate_of_nothing_is_zero_with_an_interval(books: Books, reports: Reports) -> None:
    """DEF-POOL: what cannot be distinguished from 0 is booked as 0, and is known."""
    books.book(estimate("D1", 0, "2024-06-02", variance_minor2=100))
    books.book(estimate("D2", 40, "2024-06-02", variance_minor2=0))
    found = figures(reports.statement(JUNE))
    assert found["D1"] == Interval(amount_minor=0, low_minor=-20, high_minor=20)
    assert found["D"] == Interval(amount_minor=40, low_minor=20, high_minor=60)


def test_an_estimate_all_taken_back_is_unknown_again(books: Books, reports: Reports) -> None:
    """A run that was withdrawn leaves null, not zero."""
    books.book(
        estimate("D2", 40, "2024-06-02", variance_minor2=9),
        estimate("D2", -40, "2024-06-02", variance_minor2=-9, change="reversal"),
    )
    assert figures(reports.statement(JUNE))["D2"] is None


def test_missed_offers_are_counted_and_null_where_nobody_said(
    books: Books, reports: Reports
) -> None:
    """M4: eligible and not offered, offered and not accepted, of the chains that ended there."""

    def memo() -> Any:
        (found,) = [each for each in reports.statement(JUNE).memo if each.memo == "M4"]
        return found.value, dict(found.parts)

    books.put(chain("c0", "2024-06-03 10:00"))
    assert memo() == (None, {})
    made = [(True, True, True), (True, True, False), (True, False, False), (False, False, False)]
    offers = tuple(
        Offer(product_class="upgrade", eligible=e, offered=o, accepted=a) for e, o, a in made
    )
    books.put(
        chain("c1", "2024-06-02 10:00", offers=offers),
        chain("c2", "2024-06-02 11:00", offers=offers[2:3]),
        chain("c3", "2024-07-02 11:00", offers=offers),
    )
    assert memo() == (3, {"not offered": 2, "not accepted": 1})


@pytest.mark.parametrize(
    ("payments", "c2", "c7"),
    [
        ([], "no shifts are booked", "no payroll is booked"),
        ([{}], "no shifts are booked", "not worked out yet"),
        (
            [{"agent_id": "a1", "period_start": 0, "period_end": 86_400_001}],
            "no shifts are booked",
            "not worked out yet",
        ),
        (
            [{"agent_id": "a1", "period_start": 0, "period_end": 86_400_000}],
            "not worked out yet",
            "not worked out yet",
        ),
    ],
)
def test_lines_that_payroll_is_the_base_of_say_why_they_are_empty(
    books: Books, reports: Reports, payments: list[dict[str, Any]], c2: str, c7: str
) -> None:
    """C2 needs shifts: payroll with an agent and at most 24 hours; C7 needs payroll."""
    books.put(*(payroll(f"x{n}", "2024-06-10", **each) for n, each in enumerate(payments)))
    found = reports.statement(JUNE)
    assert (found.line("C2").note, found.line("C7").note) == (c2, c7)


def test_payroll_is_shown_beside_the_lines_that_account_for_it(
    books: Books, reports: Reports
) -> None:
    """C1 + C2 + C7 = -payroll once the period is worked out; payroll itself is in no total."""
    books.put(payroll("x1", "2024-06-10"))
    books.book(
        control("payroll", -500, "2024-06-10", order_id="", kind="payroll"),
        cost("C1", -200, "2024-06-02"),
        cost("C2", -250, "2024-06-02", basis="standard"),
        cost("C7", -50, "2024-06-30"),
        cost("C6", -30, "2024-06-30"),
    )
    found = reports.statement(JUNE)
    assert found.payroll is not None
    assert (found.payroll.paid_minor, found.payroll.in_lines_minor) == (-500, -500)
    assert found.total("booked_result") == -530
    assert found.unbooked == ()


def test_overhead_is_marked_as_not_controllable(reports: Reports) -> None:
    """W79: C5 alone is decided above the centre."""
    found = reports.statement(JUNE)
    assert [line.line for line in found.lines if not line.controllable] == ["C5"]
    assert "Overhead (not controllable)" in render_statement(found, "table")


def test_estimates_are_in_every_format_with_their_interval(books: Books, reports: Reports) -> None:
    """The table says that they are beside the result; JSON and CSV have the bounds."""
    books.book(estimate("D1", -300, "2024-06-02", variance_minor2=250_000))
    found = reports.statement(JUNE)
    shown = render_statement(found, "table")
    assert "Estimated, beside the result, never in it" in shown
    (row,) = [line for line in shown.splitlines() if line.startswith("D1")]
    assert row.split()[-3:] == [f"{MINUS}3.00", f"{MINUS}12.80", "6.80"]
    (first, *_) = json.loads(render_statement(found, "json"))["estimates"]
    assert (first["amount_minor"], first["low_minor"], first["high_minor"]) == (-300, -1280, 680)
    assert ",-3.00,-12.80,6.80," in render_statement(found, "csv")
