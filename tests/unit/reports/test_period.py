"""Local dates and the instants they stand for."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pnl.reports.model import BadRequest
from pnl.reports.period import (
    Calendar,
    Period,
    date_of,
    day_number,
    first_instant,
    local_date,
    parse_period,
    rfc3339,
)
from tests.support.books import at

LONDON = ZoneInfo("Europe/London")
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2024-03-30", 24), ("2024-03-31", 23), ("2024-10-27", 25), ("2024-10-28", 24)],
)
def test_a_local_day_is_as_long_as_its_clock_says(day: str, hours: int) -> None:
    """The days on which London changes its clocks have 23 and 25 hours."""
    start = date.fromisoformat(day)
    after = date_of(day_number(start) + 1)
    assert first_instant(after, LONDON) - first_instant(start, LONDON) == hours * HOUR


def test_a_local_day_begins_at_its_first_instant_where_midnight_is_skipped() -> None:
    """In Sao Paulo 2018-11-04 began at 01:00, which is 03:00 UTC, the instant of the change."""
    zone = ZoneInfo("America/Sao_Paulo")
    begin = first_instant(date(2018, 11, 4), zone)
    assert begin == at("2018-11-04 03:00")
    assert local_date(begin, zone) == date(2018, 11, 4)
    assert local_date(begin - 1, zone) == date(2018, 11, 3)


@pytest.mark.parametrize(
    ("options", "start", "end"),
    [
        ({}, None, None),
        ({"start": "2026-04-01"}, "2026-04-01", None),
        ({"start": "2026-04-01", "end": "2026-04-02"}, "2026-04-01", "2026-04-02"),
        ({"month": "2026-12"}, "2026-12-01", "2027-01-01"),
        ({"month": "2024-02"}, "2024-02-01", "2024-03-01"),
        ({"quarter": "2026-Q2"}, "2026-04-01", "2026-07-01"),
        ({"quarter": "2026q4"}, "2026-10-01", "2027-01-01"),
        ({"year": "2026"}, "2026-01-01", "2027-01-01"),
        ({"week": "2026-W15"}, "2026-04-06", "2026-04-13"),
        ({"week": "2026w01"}, "2025-12-29", "2026-01-05"),
        ({"week": "2026-W53"}, "2026-12-28", "2027-01-04"),
        ({"fiscal_year": "2026"}, "2026-01-01", "2027-01-01"),
        ({"fiscal_quarter": "2026-Q2"}, "2026-04-01", "2026-07-01"),
    ],
)
def test_a_period_is_read_from_any_way_of_naming_it(
    options: dict[str, Any], start: str | None, end: str | None
) -> None:
    """The end is the first day that is not included."""
    expected = Period(
        None if start is None else date.fromisoformat(start),
        None if end is None else date.fromisoformat(end),
    )
    assert parse_period(**options) == expected


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"start": "2026-02-30"}, "--from must be a date like 2026-04-01, not '2026-02-30'."),
        ({"start": "20260401"}, "--from must be a date like 2026-04-01, not '20260401'."),
        ({"end": "soon"}, "--to must be a date like 2026-04-01, not 'soon'."),
        (
            {"start": "2026-04-02", "end": "2026-04-02"},
            "--to 2026-04-02 must be later than --from 2026-04-02: its day is not included.",
        ),
        ({"month": "2026-13"}, "--month must look like 2026-04, not '2026-13'."),
        ({"quarter": "2026-Q5"}, "--quarter must look like 2026-Q2, not '2026-Q5'."),
        ({"year": "26"}, "--year must look like 2026, not '26'."),
        ({"week": "2025-W53"}, "--week must look like 2026-W15, not '2025-W53'."),
        ({"fiscal_year": "26"}, "--fiscal-year must look like 2026, not '26'."),
        ({"fiscal_quarter": "2026"}, "--fiscal-quarter must look like 2026-Q2, not '2026'."),
        ({"fiscal_month": "2026-13"}, "--fiscal-month must look like 2026-04, not '2026-13'."),
        ({"year": "9999"}, "--year must look like 2026, not '9999'."),
        (
            {"month": "2026-04", "start": "2026-04-01"},
            "Give either --month or --from and --to, not both.",
        ),
        ({"month": "2026-04", "year": "2026"}, "Give one of --month and --year, not both."),
    ],
)
def test_a_wrong_period_is_refused_in_one_sentence(options: dict[str, Any], sentence: str) -> None:
    """The sentence names the option and shows what was given."""
    with pytest.raises(BadRequest) as raised:
        parse_period(**options)
    assert str(raised.value) == sentence


def test_a_fiscal_year_is_named_by_the_year_it_ends_in() -> None:
    """Its quarters are three months each, from its first day on, and cover it without a gap."""
    calendar = Calendar.of("04-06")
    year = parse_period(fiscal_year="2026", calendar=calendar)
    assert year == Period(date(2025, 4, 6), date(2026, 4, 6))
    quarters = [parse_period(fiscal_quarter=f"2026-Q{n}", calendar=calendar) for n in range(1, 5)]
    assert quarters[3] == Period(date(2026, 1, 6), date(2026, 4, 6))
    assert [q.end for q in quarters[:3]] == [q.start for q in quarters[1:]]
    assert (quarters[0].start, quarters[3].end) == (year.start, year.end)


def test_a_fiscal_year_of_weeks_has_months_of_four_four_and_five() -> None:
    """From the Monday nearest to its day; the 53rd week of a long year is the last month's."""
    calendar = Calendar.of("02-01", "4-4-5")
    for name, weeks in ((2024, 52), (2025, 53)):
        year = parse_period(fiscal_year=str(name), calendar=calendar)
        months = [
            parse_period(fiscal_month=f"{name}-{number:02}", calendar=calendar)
            for number in range(1, 13)
        ]
        lengths = [(month.end - month.start).days for month in months if month.start and month.end]
        assert lengths == [28, 28, 35] * 3 + [28, 28, 35 + 7 * (weeks - 52)]
        assert [month.end for month in months[:-1]] == [month.start for month in months[1:]]
        assert (months[0].start, months[-1].end) == (year.start, year.end)
        quarter = parse_period(fiscal_quarter=f"{name}-Q4", calendar=calendar)
        assert quarter == Period(months[9].start, year.end)
        assert year.start is not None
        assert year.start.weekday() == 0
        assert calendar.holding(year.start) == name
    assert parse_period(fiscal_year="2024", calendar=calendar).start == date(2023, 1, 30)
    with pytest.raises(BadRequest, match="4-4-5 or 4-5-4"):
        Calendar.of("02-01", "5-5-3")


def test_fiscal_months_of_a_plain_year_are_months() -> None:
    """They begin on the day on which the year begins."""
    calendar = Calendar.of("04-06")
    fifth = parse_period(fiscal_month="2026-05", calendar=calendar)
    assert fifth == Period(date(2025, 8, 6), date(2025, 9, 6))


@pytest.mark.parametrize("text", ["4-1", "13-01", "02-29", "00-01", "april"])
def test_a_fiscal_year_starts_on_a_day_that_every_month_has(text: str) -> None:
    """A 29th would skip Februaries."""
    with pytest.raises(BadRequest, match="such as 04-01"):
        Calendar.of(text)


def test_times_are_written_in_utc_to_the_millisecond() -> None:
    """Whole seconds show no fraction; an instant before 1970 is no exception."""
    assert rfc3339(at("2024-03-31 01:00")) == "2024-03-31T01:00:00Z"
    assert rfc3339(at("2024-03-31 01:00") + 7) == "2024-03-31T01:00:00.007Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999Z"
