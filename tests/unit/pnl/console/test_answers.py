"""Answers from the page: when a snooze until Monday ends."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pnl.console.answers import next_monday

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-22T23:30", "2026-11-23T08:00"),
        ("2026-11-23T07:00", "2026-11-30T08:00"),
        ("2026-03-27T12:00", "2026-03-30T08:00"),  # the clocks go forward on the 29th
    ],
)
def test_monday_is_the_next_one_that_is_not_today(now: str, end: str) -> None:
    """At eight by the wall clock, also where the clocks change on the way."""
    moments = [datetime.fromisoformat(text).replace(tzinfo=LONDON) for text in (now, end)]
    start, wanted = (round(each.astimezone(UTC).timestamp() * 1000) for each in moments)
    assert next_monday(start, LONDON) == wanted
