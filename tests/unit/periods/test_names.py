"""The names of periods, and the days they are made of."""

from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnl.errors import UserError
from pnl.periods.names import month, named, parse_name
from processors.policy import HOUR_MS

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("name", "start", "end", "months"),
    [
        ("2024-04", date(2024, 4, 1), date(2024, 5, 1), 1),
        ("2024-12", date(2024, 12, 1), date(2025, 1, 1), 1),
        ("2024-Q4", date(2024, 10, 1), date(2025, 1, 1), 3),
        ("2024", date(2024, 1, 1), date(2025, 1, 1), 12),
    ],
)
def test_a_name_is_a_range_of_whole_months(name: str, start: date, end: date, months: int) -> None:
    """And such a range has that name."""
    period = parse_name(name)
    assert (period.name, period.start, period.end) == (name, start, end)
    assert len(period.months()) == months
    assert named(start, end) == period


@given(st.dates(date(1971, 1, 1), date(2198, 1, 1)), st.integers(1, 800))
def test_a_range_that_is_no_period_has_no_name(start: date, days: int) -> None:
    """Only what begins and ends with a month, a quarter or a year is one."""
    end = date.fromordinal(start.toordinal() + days)
    found = named(start, end)
    whole = start.day == end.day == 1
    months = 12 * (end.year - start.year) + end.month - start.month
    expected = whole and (
        months == 1 or (months, (start.month - 1) % 3) == (3, 0) or (months, start.month) == (12, 1)
    )
    assert (found is not None) == expected
    assert found is None or (found.start, found.end) == (start, end)


def test_nothing_is_named_without_limits() -> None:
    """All time is no period."""
    assert named(None, date(2024, 1, 1)) is None
    assert named(date(2024, 1, 1), None) is None


@pytest.mark.parametrize("text", ["April", "2024-13", "2024-Q5", "24", ""])
def test_what_is_no_name_is_refused(text: str) -> None:
    """The sentence says how a period is written."""
    with pytest.raises(UserError, match="A period is a month 2026-04"):
        parse_name(text)


def test_days_of_a_month_touch_and_know_the_clocks() -> None:
    """October 2024 in London has 31 days, one of them with 25 hours."""
    period = month(date(2024, 10, 9))
    days = tuple(period.days(LONDON))
    assert len(days) == 31
    assert (days[0][0], days[-1][1]) == period.stretch(LONDON)
    assert all(before[1] == after[0] for before, after in pairwise(days))
    assert sorted({end - start for start, end in days}) == [24 * HOUR_MS, 25 * HOUR_MS]
