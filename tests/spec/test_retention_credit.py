"""DEF-RC, DEF-POOL, DEF-REF: what is credited for customers kept, lost, and brought."""

from typing import Any

import pytest

from processors.confidence import Z95, Interval, about
from processors.lift import Effect
from processors.referral import (
    ReferredOrder,
    Referring,
    ReferringContact,
    referral_credits,
)
from processors.retention import (
    CAPPED,
    NOT_DISTINGUISHABLE,
    Cell,
    RetainedCase,
    RetentionRate,
    SegmentCredit,
    pooled_rates,
    retention_credits,
)
from tests.support.facts import DAY, at

BILLING = Cell("billing", "voice", "invoice", "unresolved")
SALES = Cell("sales", "voice", "price", "resolved")


def measured(difference: float, error: float) -> Effect:
    """Return an effect with its standard error."""
    return Effect(
        n=100,
        n_0=500,
        rate=0.5 + difference,
        rate_0=0.5,
        difference=difference,
        interval=about(difference, error * error),
        variance=error * error,
        matched_share=1.0,
        strata=3,
        suppressed=0,
    )


def rate(difference: float, error: float) -> RetentionRate:
    """Return a rate as it is."""
    half = Z95 * error
    bounds = Interval(difference - half, difference + half)
    return RetentionRate(own=measured(difference, error), difference=difference, interval=bounds)


def case(
    case_id: str, day: float, customer: str, cell: Cell = BILLING, value: Any = 10_000.0
) -> RetainedCase:
    """Return a case at its index."""
    return RetainedCase(
        customer_id=customer,
        case_id=case_id,
        index_at=at(day),
        cell=cell,
        team="",
        value_minor=value,
    )


def booked(
    cases: list[RetainedCase], rates: dict[Cell, RetentionRate], **other: Any
) -> list[SegmentCredit]:
    """Return D1 of April and May, all on one day."""
    options = {"start_at": at(0), "end_at": at(60), "horizon_ms": 365 * DAY, "realised_minor": None}
    return list(retention_credits(cases, rates, day_of=lambda _: at(0), **(options | other)))


def test_a_bad_contact_is_charged() -> None:
    """DEF-RC: (r - r0) x V, signed, with the error of the rate."""
    (credit,) = booked([case("a", 1, "k"), case("b", 2, "l")], {BILLING: rate(-0.1, 0.02)})
    assert (credit.line, credit.amount_minor, credit.cases) == ("D1", -2000, 2)
    assert credit.variance_minor2 == round((0.02 * 20_000) ** 2)


def test_what_cannot_be_told_from_0_is_not_credited() -> None:
    """DEF-POOL: the interval holds 0: nothing is booked, and the line says why."""
    (credit,) = booked([case("a", 1, "k")], {BILLING: rate(-0.1, 0.06)})
    assert (credit.amount_minor, credit.variance_minor2, credit.note) == (0, 0, NOT_DISTINGUISHABLE)


def test_no_rate_no_credit() -> None:
    """A cell nobody could estimate is named and credited nothing; unknown V is left out."""
    (credit,) = booked([case("a", 1, "k"), case("b", 1, "l", value=None)], {})
    assert (credit.amount_minor, credit.note, credit.cases) == (0, NOT_DISTINGUISHABLE, 1)


def test_cases_of_one_horizon_share_a_credit() -> None:
    """Two cases in a year are half a credit each; the next year begins anew."""
    cases = [case("a", 1, "k"), case("b", 50, "k"), case("c", 400, "k")]
    (credit,) = booked(cases, {BILLING: rate(-0.1, 0.01)}, end_at=at(500))
    assert credit.amount_minor == -1000 // 2 * 2 - 1000
    (early,) = booked(cases, {BILLING: rate(-0.1, 0.01)}, end_at=at(10))
    assert early.amount_minor == -500


def test_a_cohort_is_not_credited_more_than_it_brought() -> None:
    """The cap lowers gains in proportion; losses stay as they are."""
    cases = [
        case("a", 1, "k"),
        case("b", 1, "l", SALES),
        case("c", 1, "m", Cell("sales", "chat", "price", "resolved")),
    ]
    rates = {BILLING: rate(-0.1, 0.01), SALES: rate(0.3, 0.01), cases[2].cell: rate(0.1, 0.01)}
    found = {each.queue + each.channel: each for each in booked(cases, rates, realised_minor=1000)}
    assert sum(each.amount_minor for each in found.values()) == 1000
    assert found["billingvoice"].amount_minor == -1000
    assert (found["salesvoice"].amount_minor, found["saleschat"].amount_minor) == (1500, 500)
    assert found["saleschat"].note == CAPPED
    assert found["saleschat"].variance_minor2 == round(100**2 * 0.25)


def test_errors_of_one_rate_are_one_error() -> None:
    """Split over teams, the variances still add up to that of the rate times all its value."""
    cases = [case(f"c{n}", 1, f"k{n}") for n in range(3)]
    teams = [
        RetainedCase(
            customer_id=c.customer_id,
            case_id=c.case_id,
            index_at=c.index_at,
            cell=c.cell,
            team=f"t{n % 2}",
            value_minor=c.value_minor,
        )
        for n, c in enumerate(cases)
    ]
    found = booked(teams, {BILLING: rate(-0.1, 0.01)})
    assert len(found) == 2
    assert sum(each.variance_minor2 for each in found) == round((0.01 * 30_000) ** 2)


def test_cells_are_drawn_to_their_queue() -> None:
    """DEF-POOL: a cell that knows little says what its queue does; other queues do not matter."""
    weak = Cell("billing", "chat", "invoice", "unresolved")
    rates = pooled_rates(
        {BILLING: measured(-0.10, 0.01), weak: measured(0.30, 0.40), SALES: measured(0.2, 0.02)}
    )
    assert rates[weak].difference == pytest.approx(-0.10, abs=0.01)
    assert rates[SALES].difference == pytest.approx(0.2)
    assert rates[SALES].interval == pytest.approx(measured(0.2, 0.02).interval)
    assert rates[SALES].variance == pytest.approx(0.02**2)


CONTACT = ReferringContact(
    ended_at=at(10), queue="billing", team="", channel="voice", reason="", outcome="resolved"
)


def referred(order_id: str, day: float, **other: Any) -> ReferredOrder:
    """Return an order of a new customer who names another."""
    fields: dict[str, Any] = {
        "customer_id": "new",
        "referrer_id": "old",
        "first": True,
        "margin_minor": 8000,
        "credited_minor": 0,
        "contact": CONTACT,
    }
    return ReferredOrder(order_id=order_id, occurred_at=at(day), **(fields | other))


RULE = Referring(theta_ppm=250_000, theta_error_ppm=50_000, cap_minor=5000)


def test_a_referral_is_thanked_once_and_up_to_the_cap() -> None:
    """DEF-REF: theta x min(cap, margin), less what A1 and A4 hold; one referrer a customer."""
    found = referral_credits([referred("b", 30), referred("a", 20, credited_minor=200)], RULE)
    assert found is not None
    (credit,) = found
    assert (credit.line, credit.amount_minor, credit.effective_at) == ("D2", 1250 - 200, at(20))
    assert credit.variance_minor2 == 250**2


def test_what_is_no_referral_is_not_thanked() -> None:
    """No contact of the referrer in the 90 days before, an old customer, oneself: no credit."""
    late = referred("a", 101, customer_id="n1")
    before = referred("b", 9, customer_id="n2")
    old = referred("c", 20, customer_id="n3", first=False)
    self_named = referred("d", 20, customer_id="old")
    never = referred("e", 20, customer_id="n4", contact=None)
    assert referral_credits([late, before, old, self_named, never], RULE) == ()


def test_an_unknown_theta_books_nothing() -> None:
    """It is not known, which is not 0."""
    assert referral_credits([referred("a", 20)], None) is None
