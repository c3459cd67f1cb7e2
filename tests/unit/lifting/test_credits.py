"""D1 and D2 from the books: what matured cohorts say, as lines for the period job."""

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from bench.calibration.trials import FAIR
from bench.calibration.world import START_MS, World, world
from pnl.lifting.credits import (
    estimated_lines,
    expected_margin,
    referred,
    retention,
    retention_rates,
)
from pnl.lifting.from_store import Assigned, Known, Segment
from pnl.lifting.stakes import BY_MEAN, BY_MODELS, margins_at_stake
from processors.comparison import compared
from processors.history import COARSER, DAY_MS
from processors.matching import Rules
from processors.policy import Policy
from processors.referral import Referring
from tests.support.facts import DAY, at, contact, order
from tests.support.store import opened_store
from tests.support.stored import store_facts

UTC = ZoneInfo("UTC")
NONE = np.empty(0, dtype=np.int64)


@pytest.fixture(scope="module")
def made() -> World:
    """Return a world in which unresolved cases drive many away."""
    return world(5, replace(FAIR, leave=0.35, customers=1200))


@pytest.fixture(scope="module")
def found(made: World) -> Known:
    """Return it as the books would tell it."""
    seen = made.history
    return Known(
        compared(seen, Rules()),
        Assigned(NONE, NONE, NONE, NONE, NONE, ()),
        tuple(f"k{number}" for number in range(seen.customers)),
        (Segment("q0", "north", "voice", ""), Segment("q1", "south", "voice", "")),
        tuple(f"case-{number}" for number in range(int(seen.contact_case.max()) + 1)),
        1,
    )


def span(first: int, last: int) -> tuple[int, int]:
    """Return days of the world as instants."""
    return START_MS + first * DAY_MS, START_MS + last * DAY_MS


def test_unresolved_cases_are_charged_and_resolved_ones_are_not(found: Known) -> None:
    """DEF-RC: who leaves after an unresolved case costs; what differs by chance is not booked."""
    rates = retention_rates(found)
    assert {cell.outcome for cell in rates} == {"resolved", "unresolved"}
    for cell, rate in rates.items():
        assert rate.distinguishable == (cell.outcome == "unresolved"), cell
        if cell.outcome == "unresolved":
            assert rate.interval.high < 0
    credits_ = retention(found, UTC, *span(400, 500))
    assert credits_ is not None
    charged = [each for each in credits_ if each.outcome == "unresolved"]
    assert sum(each.amount_minor for each in charged) < 0
    assert all(each.variance_minor2 > 0 for each in charged)
    assert {each.amount_minor for each in credits_ if each.outcome == "resolved"} == {0}
    assert {each.queue: each.team for each in credits_} == {"q0": "north", "q1": "south"}


def test_the_charge_covers_what_was_lost(made: World, found: Known) -> None:
    """The 95 % interval of a mature span's D1 holds the margin that really did not come."""
    start, end = span(300, 650)
    credits_ = retention(found, UTC, start, end)
    assert credits_ is not None
    amount = sum(each.amount_minor for each in credits_ if each.outcome == "unresolved")
    error = sum(each.variance_minor2 for each in credits_) ** 0.5
    asked = found.compared
    window = asked.window("retention")
    rows = (asked.outcome() == 1) & (asked.found.at_ms >= start) & (asked.found.at_ms < end)
    customer, at_ms = asked.found.customer[rows], asked.found.at_ms[rows]
    stayed = asked.history.first_purchase(customer, at_ms + window[0], at_ms + window[1], own=False)
    without = made.without(customer, at_ms, window)
    value = expected_margin(asked, asked.stratum[rows])
    lost = float((((stayed < 1 << 61) - without) * value).sum())
    assert lost < 0
    # Cases of one customer share a credit, so the books charge somewhat less than each index.
    assert 1.4 * lost - 2 * error < amount < 0.6 * lost + 2 * error


def test_a_span_is_the_sum_of_its_days(found: Known) -> None:
    """Lines of two halves are the lines of the whole: a case is booked once."""
    whole = retention(found, UTC, *span(800, 860))
    halves = [retention(found, UTC, *span(800, 830)), retention(found, UTC, *span(830, 860))]
    assert whole is not None
    parts = [each for half in halves if half is not None for each in half]
    assert sum(each.cases for each in whole) == sum(each.cases for each in parts)
    assert sum(each.amount_minor for each in whole) == sum(each.amount_minor for each in parts)


def test_a_value_is_that_of_customers_who_buy_as_often(found: Known) -> None:
    """V rises with how often the customer bought, and is discounted."""
    seldom, often = expected_margin(found.compared, np.array([0, 4 * COARSER[-1]]))
    assert 2000 / 1.01**13 < seldom < often


def test_v_comes_from_the_lifetime_models_where_they_can_be_fitted(
    made: World, found: Known
) -> None:
    """DEF-RC: just before the case, of each customer; where all spend alike nothing is fitted."""
    rng, seen = np.random.default_rng(3), made.history
    level = rng.gamma(4, 500, seen.customers)
    margins = rng.gamma(6, level[seen.orders.customer] / 6).astype(np.int64) + 1
    varied = replace(seen, order_margin_minor=margins)
    books = replace(found, compared=compared(varied, Rules()))
    start, end = span(300, 650)
    rows = (books.compared.found.at_ms >= start) & (books.compared.found.at_ms < end)
    customer, at_ms = books.compared.found.customer[rows], books.compared.found.at_ms[rows]
    mean = expected_margin(books.compared, books.compared.stratum[rows])
    value, method = margins_at_stake(books, UTC, start, customer, at_ms, mean)
    window = books.compared.window("retention")
    active = varied.first_purchase(customer, at_ms + window[0], at_ms + window[1], own=False)
    real = varied.margin(customer, at_ms + window[0], at_ms + window[1])[active < 1 << 61]
    assert method == BY_MODELS
    assert value[active < 1 << 61].mean() == pytest.approx(real.mean(), rel=0.15)
    found_credits = retention(books, UTC, start, end)
    assert found_credits is not None
    plain = retention(found, UTC, start, end)
    assert plain is not None
    for credits_, said in ((found_credits, BY_MODELS), (plain, BY_MEAN)):
        assert {each.note for each in credits_ if each.amount_minor} == {f"unresolved, {said}"}


def test_books_too_young_tell_nothing(made: World) -> None:
    """Before W + H has passed since any case there is no rate, and D1 cannot be known."""
    young = replace_as_of(made, 200)
    assert retention(young, UTC, *span(100, 150)) is None


def replace_as_of(made: World, day: int) -> Known:
    """Return what the books tell of the first days."""
    seen = replace(made.history, as_of_ms=START_MS + day * DAY_MS)
    return Known(
        compared(seen, Rules()),
        Assigned(NONE, NONE, NONE, NONE, NONE, ()),
        tuple(f"k{number}" for number in range(seen.customers)),
        (Segment("q0", "", "voice", ""), Segment("q1", "", "voice", "")),
        tuple(f"case-{number}" for number in range(int(seen.contact_case.max()) + 1)),
        1,
    )


def test_referrals_are_read_with_the_contact_they_thank(tmp_path: Path) -> None:
    """DEF-REF from the store: the referrer's last contact, the margin of 90 days, what A1 holds."""
    told = [
        order("old-1", at(0), 4000, customer_id="old"),
        contact("c1", at(5), customer_id="old", queue="care"),
        contact("c2", at(9), customer_id="old", queue="billing"),
        contact("c3", at(30), customer_id="old", queue="later"),
        order("new-1", at(20), 6000, customer_id="new", referred_by="old"),
        order("new-2", at(60), 5000, customer_id="new"),
        order("new-3", at(120), 9000, customer_id="new"),
        order("known", at(21), 1000, customer_id="old", referred_by="new"),
    ]
    policy = Policy()
    with opened_store(tmp_path) as store:
        store_facts(store, told, policy)
        found = {each.order_id: each for each in referred(store, policy, at(0), at(400))}
        nothing = estimated_lines(store, policy, at(120), at(0), at(400))
        rule = Referring(theta_ppm=100_000, cap_minor=100_000)
        lines = estimated_lines(store, policy, at(120), at(0), at(400), rule)
    new = found["new-1"]
    assert (new.referrer_id, new.first, new.credited_minor) == ("old", True, 0)
    assert new.margin_minor == (6000 + 5000) * 400_000 // 1_000_000
    assert new.contact is not None
    assert (new.contact.queue, new.contact.ended_at) == ("billing", at(9))
    assert not found["known"].first
    assert "D2" not in nothing
    (line,) = lines["D2"]
    assert (line.amount_minor, line.queue, line.basis) == (440, "billing", "estimated")
    assert line.effective_at == at(0) + 20 * DAY
