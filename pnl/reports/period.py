"""Local dates of the reporting zone, and the instants they stand for.

Law: a period is [start, end) in local dates. A local day begins at its first instant, so days
of 23 and 25 hours are whole days like the others, and neighbouring periods neither overlap nor
leave a gap.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pnl.reports.model import BadRequest
from streams.facts import Day, Millis

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DATE: Final = date(1970, 1, 1)
_MS: Final = timedelta(milliseconds=1)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
_QUARTER: Final = re.compile(r"(\d{4})-?[Qq]([1-4])")
_YEAR: Final = re.compile(r"\d{4}")
_WEEK: Final = re.compile(r"(\d{4})-?[Ww](\d{2})")
_MONTH_DAY: Final = re.compile(r"(\d{2})-(\d{2})")
FISCAL_WEEKS: Final = ("4-4-5", "4-5-4", "5-4-4")
"""How many weeks the months of a fiscal quarter may have."""


@dataclass(frozen=True, slots=True)
class Period:
    """Local dates [start, end); None: without that limit."""

    start: date | None = None
    end: date | None = None


def day_number(day: date) -> Day:
    """Return the days since 1970-01-01."""
    return (day - _EPOCH_DATE).days


def date_of(day: Day) -> date:
    """Return the date that is so many days after 1970-01-01."""
    return _EPOCH_DATE + timedelta(days=day)


def first_instant(day: date, zone: ZoneInfo) -> Millis:
    """Return when a local day begins."""
    # Where midnight is skipped, fold 0 reads it with the old offset: the instant of the change.
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MS


def local_date(at: Millis, zone: ZoneInfo) -> date:
    """Return the local date of an instant."""
    return utc(at).astimezone(zone).date()


def utc(at: Millis) -> datetime:
    """Return an instant as an aware time in UTC."""
    return _EPOCH + at * _MS


def rfc3339(at: Millis) -> str:
    """Return an instant as text in UTC, to the millisecond where it has any."""
    text = utc(at).isoformat(timespec="milliseconds" if at % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def parse_date(text: str, name: str) -> date:
    """Read `YYYY-MM-DD`; `name` says in the error which setting or option was wrong."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{name} must be a date like 2026-04-01, not {text!r}.") from None
    if day.isoformat() != text:
        raise BadRequest(f"{name} must be a date like 2026-04-01, not {text!r}.")
    return day


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a fiscal year begins: month and day, 28 at most. It is named by the year it ends in.

    With `weeks`, such as (4, 4, 5), it begins on the Monday nearest to that day, in whole weeks:
    four quarters of three months of so many weeks, 13 in all; a 53rd belongs to the last month.
    """

    month: int = 1
    day: int = 1
    weeks: tuple[int, ...] = ()

    @classmethod
    def of(cls, text: str, weeks: str = "") -> "Calendar":
        """Read `04-01`, and the weeks of a quarter's months; BadRequest says what is wrong."""
        found = _MONTH_DAY.fullmatch(text)
        if found is None or not (1 <= int(found[1]) <= 12 and 1 <= int(found[2]) <= 28):
            raise BadRequest(
                f"A fiscal year starts on a day such as 04-01, up to 28; not {text!r}."
            )
        if weeks and weeks not in FISCAL_WEEKS:
            raise BadRequest(f"Fiscal weeks are {' or '.join(FISCAL_WEEKS)}; not {weeks!r}.")
        counts = tuple(int(each) for each in weeks.split("-")) if weeks else ()
        return cls(int(found[1]), int(found[2]), counts)

    def year(self, name: int) -> Period:
        """Return the fiscal year that ends in a calendar year."""
        first = name if (self.month, self.day) == (1, 1) else name - 1
        start, end = (date(year, self.month, self.day) for year in (first, first + 1))
        return Period(_monday_near(start), _monday_near(end)) if self.weeks else Period(start, end)

    def quarter(self, name: int, number: int) -> Period:
        """Return a quarter, 1 to 4, of a fiscal year: three months each."""
        return Period(self.part(name, 3 * number - 2).start, self.part(name, 3 * number).end)

    def part(self, name: int, number: int) -> Period:
        """Return a month, 1 to 12, of a fiscal year."""
        year = self.year(name)
        assert year.start is not None
        if not self.weeks:
            return Period(_months_on(year.start, number - 1), _months_on(year.start, number))
        weeks = [0]
        for place in range(12):
            weeks.append(weeks[-1] + self.weeks[place % 3])
        start, end = (year.start + timedelta(weeks=weeks[at]) for at in (number - 1, number))
        return Period(start, year.end if number == 12 else end)

    def holding(self, day: date) -> int:
        """Return the name of the fiscal year in which a day lies."""
        names = (day.year - 1, day.year, day.year + 1, day.year + 2)
        return next(name for name in names if day < (self.year(name).end or day))


def _monday_near(day: date) -> date:
    """Return the Monday that is at most three days away."""
    return day + timedelta(days=(3 - day.weekday()) % 7 - 3)


_CALENDAR: Final = Calendar()


def parse_period(
    start: str | None = None,
    end: str | None = None,
    month: str | None = None,
    quarter: str | None = None,
    year: str | None = None,
    week: str | None = None,
    fiscal_year: str | None = None,
    fiscal_quarter: str | None = None,
    fiscal_month: str | None = None,
    calendar: Calendar = _CALENDAR,
) -> Period:
    """Read a period from options: `--from`/`--to`, or one that names it, such as `--month`.

    Nothing given means everything. BadRequest says in one sentence what is wrong.
    """
    named = {
        "--month": (month, _month),
        "--quarter": (quarter, _quarter),
        "--year": (year, _year),
        "--week": (week, _week),
        "--fiscal-year": (fiscal_year, lambda text: _fiscal_year(text, calendar)),
        "--fiscal-quarter": (fiscal_quarter, lambda text: _fiscal_quarter(text, calendar)),
        "--fiscal-month": (fiscal_month, lambda text: _fiscal_month(text, calendar)),
    }
    given = [(name, text, read) for name, (text, read) in named.items() if text is not None]
    if len(given) > 1:
        raise BadRequest(f"Give one of {' and '.join(name for name, _, _ in given)}, not both.")
    if given and (start is not None or end is not None):
        raise BadRequest(f"Give either {given[0][0]} or --from and --to, not both.")
    for _, text, read in given:
        return read(text)
    period = Period(
        None if start is None else parse_date(start, "--from"),
        None if end is None else parse_date(end, "--to"),
    )
    if period.start is not None and period.end is not None and period.end <= period.start:
        raise BadRequest(
            f"--to {period.end} must be later than --from {period.start}: its day is not included."
        )
    return period


def week_of(text: str) -> Period | None:
    """Return an ISO week such as 2026-W15, Monday to Monday; None if it is none."""
    found = _WEEK.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= 9998:
        return None
    try:
        start = date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        return None
    return Period(start, start + timedelta(days=7))


def quarter_of(text: str) -> Period | None:
    """Return a quarter of a calendar year such as 2026-Q2; None if it is none."""
    found = _QUARTER.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= 9998:
        return None
    return _months(int(found[1]), 3 * int(found[2]) - 2, 3)


def _week(text: str) -> Period:
    period = week_of(text)
    if period is None:
        raise BadRequest(f"--week must look like 2026-W15, not {text!r}.")
    return period


def _fiscal_year(text: str, calendar: Calendar) -> Period:
    if _YEAR.fullmatch(text) is None or not 2 <= int(text) <= 9998:
        raise BadRequest(f"--fiscal-year must look like 2026, not {text!r}.")
    return calendar.year(int(text))


def _fiscal_quarter(text: str, calendar: Calendar) -> Period:
    found = _QUARTER.fullmatch(text)
    if found is None or not 2 <= int(found[1]) <= 9998:
        raise BadRequest(f"--fiscal-quarter must look like 2026-Q2, not {text!r}.")
    return calendar.quarter(int(found[1]), int(found[2]))


def _fiscal_month(text: str, calendar: Calendar) -> Period:
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or not 2 <= int(found[1]) <= 9998:
        raise BadRequest(f"--fiscal-month must look like 2026-04, not {text!r}.")
    return calendar.part(int(found[1]), int(found[2]))


def _months_on(day: date, count: int) -> date:
    after = day.year * 12 + day.month - 1 + count
    return date(after // 12, after % 12 + 1, day.day)


def _month(text: str) -> Period:
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or not 1 <= int(found[1]) <= 9998:
        raise BadRequest(f"--month must look like 2026-04, not {text!r}.")
    return _months(int(found[1]), int(found[2]), 1)


def _quarter(text: str) -> Period:
    period = quarter_of(text)
    if period is None:
        raise BadRequest(f"--quarter must look like 2026-Q2, not {text!r}.")
    return period


def _year(text: str) -> Period:
    if _YEAR.fullmatch(text) is None or not 1 <= int(text) <= 9998:
        raise BadRequest(f"--year must look like 2026, not {text!r}.")
    return _months(int(text), 1, 12)


def _months(year: int, month: int, count: int) -> Period:
    after = year * 12 + month - 1 + count
    return Period(date(year, month, 1), date(after // 12, after % 12 + 1, 1))
