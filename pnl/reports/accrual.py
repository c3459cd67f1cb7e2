"""Amounts that are earned by day: which days a report counts, and what they are worth.

Law: earned after k days of n = sign x floor(abs(amount) x k / n), in integers, so the days of a
term sum to its amount exactly, however they are cut into periods (DEF-ACCRUAL, RUL-SPREAD).

Days count only before the local day of *as of*: that day is not over yet, and before any event
no day has passed. No clock is asked.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from pnl.reports.model import Scope
from pnl.reports.period import day_number, first_instant, local_date
from pnl.reports.sql import Where
from processors.policy import Policy
from streams.facts import Day, Millis

SPREAD_LINES: Final = ("A2b", "A3", "C5")
"""Only these lines have entries with a term; naming them lets the store read little."""

NO_DAY: Final[Day] = -(10**6)
"""A day before every term: what is earned from here on is all that was ever earned."""

TERM_LENGTH: Final = (
    "greatest(1, toInt64(assumeNotNull(term_end)) - toInt64(assumeNotNull(term_start)))"
)
"""The expression of a term's days, to be named `days` beside `earned_between`."""

_EARNED: Final = (
    "sign(spread_minor) * intDiv(toInt128(abs(spread_minor))"
    " * least(greatest({day} - toInt64(assumeNotNull(term_start)), 0), days), days)"
)
_COUNTED_FROM: Final = "greatest({day}, toInt64(ifNull(cut, assumeNotNull(term_start))))"


@dataclass(frozen=True, slots=True)
class Days:
    """The local days [start, end) that a range may count as earned.

    `end_at` is the instant before which a sale counts: the earlier of the range's end and just
    after *as of*.
    """

    start: Day
    end: Day
    end_at: Millis


def earned_days(scope: Scope, as_of: Millis | None, policy: Policy) -> Days | None:
    """Return which days of spread amounts a scope counts; None before anything has happened."""
    if as_of is None:
        return None
    last = local_date(as_of, policy.zone)
    end: date = last if scope.end is None else min(scope.end, last)
    first = NO_DAY if scope.start is None else day_number(scope.start)
    over = scope.end is not None and scope.end <= last
    end_at = first_instant(end, policy.zone) if over else as_of + 1
    return Days(min(first, day_number(end)), day_number(end), end_at)


def spread_entries() -> Where:
    """Return the condition for entries with a term."""
    return Where().also(
        "line IN {spread_lines:Array(String)} AND term_start IS NOT NULL",
        spread_lines=list(SPREAD_LINES),
    )


def earned_between(first: str, end: str) -> str:
    """Return the expression of what an entry earned on the days [first, end), its cut obeyed.

    `first` and `end` are expressions of Int64 day numbers; `days` must be named (TERM_LENGTH).
    """
    until = _EARNED.format(day=_COUNTED_FROM.format(day=end))
    before = _EARNED.format(day=_COUNTED_FROM.format(day=first))
    return f"({until} - {before})"


RANGE_EARNED: Final = earned_between("{day_first:Int64}", "{day_end:Int64}")
"""What an entry earned in the range that `day_first` and `day_end` give as parameters."""
