"""Money and its harms: told when a week differs from three by more than looking daily explains."""

from typing import Any

import pytest

from processors.conditions import DAY_MS, Thresholds
from processors.earning import pressed, revenue_drop
from processors.windows import Part, Tally, Window

T = Thresholds()
AGES = range(28)


def day(age: int, sold: int, bad: int, apart: int) -> Window:
    """Return a day of a hundred contacts, of which so many sell for ten pounds each."""
    bad += apart * (-1) ** age
    tally = Tally(
        handled=100,
        in_contact=100,
        high_risk=20,
        csat_good=40 - bad,
        csat_bad=bad,
        refund_minor=-100,
    )
    part = Part(
        tally,
        closed_handled=100,
        closed_credit_minor=1000 * sold,
        closed_squares=str(1_000_000 * sold),
    )
    start = (20_000 - age) * DAY_MS
    return Window(
        "1d", start, start + DAY_MS, closed=True, parts={"orders\0voice\0north\0GBP": part}
    )


def days(sold: int, bad: int, *, apart: int = 0) -> list[Window]:
    """Return three weeks of ten sales and ten bad ratings a day, and a week of others after."""
    return [day(age, *((sold, bad) if age < 7 else (10, 10)), apart) for age in AGES]


def holds(found: Any) -> list[bool]:
    """Return what is said to hold."""
    return [each.holds for each in found[0]]


@pytest.mark.parametrize(
    ("sold", "bad", "expected"),
    [
        (20, 20, True),
        (20, 10, False),  # sales alone
        (10, 20, False),  # a harm alone
        (13, 20, False),  # by its interval sales rose; who looks each day sees that by chance
        (20, 13, False),  # and so did dissatisfaction
    ],
)
def test_pressure_takes_both_at_the_level_of_daily_looks(
    sold: int, bad: int, *, expected: bool
) -> None:
    """Sales up while satisfaction is down, each by more than a week of looks explains."""
    assert holds(pressed(days(sold, bad), AGES, {}, T, "p")) == [expected]


def test_a_harm_that_days_scatter_by_is_none() -> None:
    """Ratings that swing from day to day are no sign of pressure, however many there are."""
    assert holds(pressed(days(20, 16), AGES, {}, T, "p")) == [True]
    assert holds(pressed(days(20, 16, apart=9), AGES, {}, T, "p")) == [False]


def test_revenue_that_halves_is_told() -> None:
    """Half as many sales of a week are told; nine tenths are chance."""
    assert holds(revenue_drop(days(5, 10), AGES, {}, T, "p")) == [True]
    assert holds(revenue_drop(days(9, 10), AGES, {}, T, "p")) == [False]
