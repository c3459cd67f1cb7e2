"""Local days: the calendar of the reporting time zone, as days since 1970-01-01.

A day is a day, 23 or 25 hours long where the clocks change: spread amounts know only days.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.facts import Day, LocalDate, Millis

_EPOCH_DATE = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_MS = 900_000
_QUARTERS_MAX = 200_000


def day_of_date(value: date) -> Day:
    """Return the day of a calendar date."""
    return (value - _EPOCH_DATE).days


def day_of_instant(at: Millis, zone: ZoneInfo) -> Day:
    """Return the local day an instant falls on."""
    return day_of_date((_EPOCH + timedelta(milliseconds=at)).astimezone(zone).date())


def first_instant(date_text: LocalDate, zone: ZoneInfo) -> Millis:
    """Return the first instant of a local day, also where midnight does not exist."""
    day = date.fromisoformat(date_text)
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (start.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=8)
def quick_days(zone: ZoneInfo) -> Callable[[Millis], Day]:
    """Return the function from an instant to its local day, which remembers what it was asked.

    A local day begins on a quarter of an hour everywhere, so it is asked once a quarter.
    """
    known: dict[int, Day] = {}

    def day_of(at: Millis) -> Day:
        quarter = at // _QUARTER_MS
        day = known.get(quarter)
        if day is None:
            if len(known) >= _QUARTERS_MAX:
                known.clear()
            day = known[quarter] = day_of_instant(at, zone)
        return day

    return day_of


@lru_cache(maxsize=8)
def local_days(zone: ZoneInfo) -> Callable[[Millis | LocalDate], Day]:
    """Return the function from an instant or a written local date to its local day."""

    def local_day(value: Millis | LocalDate) -> Day:
        if isinstance(value, str):
            return day_of_date(date.fromisoformat(value))
        return day_of_instant(value, zone)

    return local_day
