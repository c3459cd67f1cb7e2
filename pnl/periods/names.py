"""The names of periods that are closed: 2026-04, 2026-Q2, 2026.

Law: a name is a range of local dates and such a range has one name. Figures are worked out by
month; a quarter and a year are periods of their own that are closed as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pnl.errors import UserError
from pnl.reports.model import BadRequest
from pnl.reports.period import first_instant, parse_period
from processors.intervals_of_time import Stretch


@dataclass(frozen=True, slots=True)
class Named:
    """A period by name: local dates [start, end)."""

    name: str
    start: date
    end: date

    def stretch(self, zone: ZoneInfo) -> Stretch:
        """Return the instants [start, end) it covers."""
        return first_instant(self.start, zone), first_instant(self.end, zone)

    def days(self, zone: ZoneInfo) -> Iterator[Stretch]:
        """Yield its local days as instants; the ones when clocks change have 23 or 25 hours."""
        number = self.start.toordinal()
        start = first_instant(self.start, zone)
        while number < self.end.toordinal():
            number += 1
            end = first_instant(date.fromordinal(number), zone)
            yield start, end
            start = end

    def months(self) -> tuple["Named", ...]:
        """Return the months it is made of."""
        found = [month(self.start)]
        while found[-1].end < self.end:
            found.append(month(found[-1].end))
        return tuple(found)


def month(day: date) -> Named:
    """Return the month of a local date."""
    after = day.year * 12 + day.month
    return Named(
        f"{day.year:04}-{day.month:02}",
        day.replace(day=1),
        date(after // 12, after % 12 + 1, 1),
    )


def parse_name(text: str) -> Named:
    """Read the name of a month, quarter or year; UserError if it is none."""
    for option in ("month", "quarter", "year"):
        asked: dict[str, Any] = {option: text}
        try:
            period = parse_period(**asked)
        except BadRequest:
            continue
        assert period.start is not None
        assert period.end is not None
        return _named(period.start, period.end)
    raise UserError(f"A period is a month 2026-04, a quarter 2026-Q2 or a year 2026, not {text!r}.")


def named(start: date | None, end: date | None) -> Named | None:
    """Return the period with these local dates; None if no name has them."""
    if start is None or end is None:
        return None
    found = _named(start, end)
    return found if start == found.start and end == found.end else None


def _named(start: date, end: date) -> Named:
    months = 12 * (end.year - start.year) + end.month - start.month
    if months == 12:
        return Named(f"{start.year:04}", date(start.year, 1, 1), date(start.year + 1, 1, 1))
    if months == 3:
        quarter = (start.month - 1) // 3
        last = month(date(start.year, 3 * quarter + 3, 1))
        return Named(
            f"{start.year:04}-Q{quarter + 1}", date(start.year, 3 * quarter + 1, 1), last.end
        )
    return month(start)
