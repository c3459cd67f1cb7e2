"""The statement's lines: what stands in a range, and how it is split."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from pnl.reports.model import BadRequest, Scope
from pnl.reports.period import first_instant, utc
from pnl.reports.queries import Reports
from processors.policy import Policy
from sinks.store import Store
from streams.clock import ManualClock
from tests.support.books import Books, control, cost, day, sold, spread

GBP = Scope(currency="GBP")
LONDON = ZoneInfo("Europe/London")
MONTHLY_12000 = [950, 1017, 983, 1017, 983, 1017, 1016, 984, 1016, 984, 1016, 1017]


def month(year: int, number: int, **other: object) -> Scope:
    """Return the scope of a calendar month."""
    after = year * 12 + number
    return Scope(
        currency="GBP",
        start=date(year, number, 1),
        end=date(after // 12, after % 12 + 1, 1),
        **other,  # type: ignore[arg-type]
    )


def test_an_empty_store_gives_every_line_and_no_share(reports: Reports) -> None:
    """All lines are there at zero; shares without a denominator are unknown, not zero."""
    found = reports.statement(GBP)
    assert [line.line for line in found.lines] == (
        [
            *("A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5"),
            *("B", "C1", "C2", "C3", "C4", "C5", "C6", "C7"),
        ]
    )
    assert {line.amount_minor for line in found.lines} == {0}
    assert found.line("C2").note == "no shifts are booked"
    assert [total.total for total in found.totals] == ["A", "B", "C", "booked_result"]
    assert [memo.memo for memo in found.memo] == [f"M{n}" for n in range(1, 10)]
    assert [memo.value for memo in found.memo] == [0, 0, None, None, 0, None, None, 0, 0]
    assert found.as_of is None


def test_lines_add_up_to_their_totals(books: Books, reports: Reports) -> None:
    """A, B and C are plain sums, and so is the result."""
    books.book(
        sold("A1a", 1000, "2024-03-05"),
        sold("A1b", 600, "2024-03-06"),
        sold("A1b", 37, "2024-03-07"),
        sold("A5", -137, "2024-03-20"),
        sold("B", -700, "2024-03-06"),
        cost("C1", -250, "2024-03-05"),
        cost("C4", -50, "2024-03-09"),
        cost("A2b", 150, "2024-03-09"),
    )
    books.as_of("2024-04-10")
    found = reports.statement(month(2024, 3))
    amounts = {line.line: line.amount_minor for line in found.lines if line.amount_minor}
    assert amounts == {
        "A1a": 1000, "A1b": 637, "A2b": 150, "A5": -137, "B": -700, "C1": -250, "C4": -50,
    }  # fmt: skip
    assert found.total("A") == 1650
    assert found.total("B") == -700
    assert found.total("C") == -300
    assert found.total("booked_result") == 650


def test_a_month_begins_and_ends_at_local_midnight(books: Books, reports: Reports) -> None:
    """London's April 2024 lasts from 23:00 UTC in March to 23:00 UTC on 30 April."""
    books.book(
        sold("A1b", 1, "2024-03-31 22:59:59.999"),
        sold("A1b", 10, "2024-03-31 23:00"),
        sold("A1b", 100, "2024-04-30 22:59:59.999"),
        sold("A1b", 1000, "2024-04-30 23:00"),
    )
    books.as_of("2024-06-01")
    assert reports.statement(month(2024, 3)).line("A1b").amount_minor == 1
    assert reports.statement(month(2024, 4)).line("A1b").amount_minor == 110
    assert reports.statement(month(2024, 5)).line("A1b").amount_minor == 1000


def test_october_ends_in_winter_time(books: Books, reports: Reports) -> None:
    """London's October 2024 starts at 23:00 UTC in September and ends at midnight UTC."""
    books.book(
        sold("A1b", 1, "2024-09-30 22:59"),
        sold("A1b", 10, "2024-09-30 23:00"),
        sold("A1b", 100, "2024-10-31 23:59"),
        sold("A1b", 1000, "2024-11-01 00:00"),
    )
    books.as_of("2024-12-01")
    assert reports.statement(month(2024, 10)).line("A1b").amount_minor == 110


def test_a_year_of_maintenance_is_earned_by_the_day(books: Books, reports: Reports) -> None:
    """12000 over 366 days gives the months of VEC-ACCRUAL, and all of it in the end."""
    books.book(spread("A3", 12000, "2024-02-01", "2024-02-01", "2025-02-01"))
    books.as_of("2025-06-01")
    months = [(2024, number) for number in range(2, 13)] + [(2025, 1)]
    earned = [reports.statement(month(*each)).line("A3").amount_minor for each in months]
    assert earned == MONTHLY_12000
    assert reports.statement(GBP).line("A3").amount_minor == 12000
    assert reports.statement(month(2025, 2)).line("A3").amount_minor == 0


def test_a_negative_amount_is_spread_as_the_magnitude(books: Books, reports: Reports) -> None:
    """Overhead of -100 over 7 days is -14, -14, -14, -15, ...: the mirror of +100."""
    books.book(spread("C5", -100, "2024-06-03", "2024-06-03", "2024-06-10"))
    books.as_of("2024-07-01")
    days = [
        reports.statement(Scope(currency="GBP", start=date(2024, 6, n), end=date(2024, 6, n + 1)))
        for n in range(2, 11)
    ]
    assert [each.line("C5").amount_minor for each in days] == [
        0, -14, -14, -14, -15, -14, -14, -15, 0,
    ]  # fmt: skip


def test_days_count_only_before_as_of(books: Books, reports: Reports) -> None:
    """The day of the newest event is not over: after 100 whole days 3278 are earned."""
    books.book(spread("A3", 12000, "2024-02-01", "2024-02-01", "2025-02-01"))
    books.as_of("2024-05-11 12:00")
    assert reports.statement(GBP).line("A3").amount_minor == 3278
    assert reports.statement(month(2024, 6)).line("A3").amount_minor == 0


def test_a_cancelled_term_keeps_the_days_before(books: Books, reports: Reports) -> None:
    """The reversal from day 100 on takes back what was left, whatever the order of the months."""
    start, end, cut = "2024-02-01", "2025-02-01", "2024-05-11"
    books.book(
        spread("A3", 12000, "2024-02-01", start, end),
        spread("A3", -8722, "2024-05-11 09:00", start, end, cut=day(cut), spread_minor=-12000),
    )
    books.as_of("2025-06-01")
    earned = [reports.statement(month(2024, n)).line("A3").amount_minor for n in range(2, 7)]
    assert earned == [950, 1017, 983, 3278 - 950 - 1017 - 983, 0]
    assert reports.statement(GBP).line("A3").amount_minor == 3278


def test_support_terms_and_minutes_share_a_line(books: Books, reports: Reports) -> None:
    """A2b holds what is charged by the minute at once, and terms by the day."""
    books.book(
        cost("A2b", 150, "2024-06-05"),
        spread("A2b", 300, "2024-06-01", "2024-06-01", "2024-07-01", product_class="support"),
    )
    books.as_of("2024-06-11")
    assert reports.statement(month(2024, 6)).line("A2b").amount_minor == 150 + 100


def test_groups_add_up_to_their_line(books: Books, reports: Reports) -> None:
    """Every line's groups sum to it, spread amounts and empty dimensions included (I8)."""
    books.book(
        sold("A1b", 600, "2024-06-03", queue="billing", agent_id="a1"),
        sold("A1b", 50, "2024-06-04", queue="billing", agent_id="a2"),
        sold("A1b", 7, "2024-06-04", queue="sales", agent_id="a1"),
        spread("A3", 900, "2024-06-01", "2024-06-01", "2024-07-01"),
        spread("C5", -300, "2024-06-01", "2024-06-01", "2024-07-01", queue="sales"),
        cost("C5", -5, "2024-06-02", queue="sales"),
    )
    books.as_of("2024-06-11")
    found = reports.statement(month(2024, 6), ("queue",))
    assert {line.line for line in found.lines if line.groups} == {"A1b", "A3", "C5"}
    for line in found.lines:
        assert sum(group.amount_minor for group in line.groups) == line.amount_minor
    by_key = {
        (line.line, group.key): group.amount_minor for line in found.lines for group in line.groups
    }
    assert by_key == {
        ("A1b", (("queue", "billing"),)): 650,
        ("A1b", (("queue", "sales"),)): 7,
        ("A3", (("queue", ""),)): 300,
        ("C5", (("queue", "sales"),)): -105,
    }
    nested = reports.statement(month(2024, 6), ("agent", "queue")).line("A1b")
    assert [(group.key, group.amount_minor) for group in nested.groups] == [
        ((("agent", "a1"), ("queue", "billing")), 600),
        ((("agent", "a1"), ("queue", "sales")), 7),
        ((("agent", "a2"), ("queue", "billing")), 50),
    ]


def test_filters_limit_the_lines_and_leave_the_memo_alone(books: Books, reports: Reports) -> None:
    """Within a filter any value matches, all filters must; M1 and M2 stay company-wide."""
    books.book(
        sold("A1b", 600, "2024-06-03", queue="billing", channel="voice"),
        sold("A1b", 50, "2024-06-04", queue="sales", channel="voice"),
        sold("A1b", 7, "2024-06-04", queue="sales", channel="chat"),
        spread("C5", -300, "2024-06-01", "2024-06-01", "2024-07-01", queue="sales"),
        control("unattributed", 43, "2024-06-04"),
        control("net", -700, "2024-06-04"),
    )
    books.as_of("2024-06-11")
    both = reports.statement(month(2024, 6, queue=("billing", "sales"), channel=("voice",)))
    assert both.line("A1b").amount_minor == 650
    assert both.line("C5").amount_minor == 0
    sales = reports.statement(month(2024, 6, queue=("sales",)))
    assert sales.line("A1b").amount_minor == 57
    assert sales.line("C5").amount_minor == -100
    assert (sales.memo_value("M1"), sales.memo_value("M2")) == (43, 700)
    nobody = reports.statement(month(2024, 6, queue=("",)))
    assert nobody.total("A") == 0


@pytest.mark.parametrize("name", ["a'b", "c\\d", "x') OR 1=1 --", "{x:String}", "new\nline", "ü"])
def test_a_queue_may_be_named_anything(books: Books, reports: Reports, name: str) -> None:
    """Outside text is a value wherever it goes, never SQL."""
    books.book(
        sold("A1b", 600, "2024-06-03", queue=name), sold("A1b", 1, "2024-06-03", queue="other")
    )
    books.as_of("2024-06-11")
    found = reports.statement(Scope(currency="GBP", queue=(name,)), ("queue",)).line("A1b")
    assert [(group.key, group.amount_minor) for group in found.groups] == [
        ((("queue", name),), 600)
    ]


def test_currencies_are_never_mixed(books: Books, reports: Reports) -> None:
    """A statement holds the entries of its own currency only (I10)."""
    books.book(
        sold("A1b", 600, "2024-06-03"),
        sold("A1b", 5, "2024-06-03", currency="JPY"),
        spread("A3", 30, "2024-06-01", "2024-06-01", "2024-07-01", currency="JPY"),
    )
    books.as_of("2024-06-11")
    assert reports.statement(GBP).total("A") == 600
    assert reports.statement(Scope(currency="JPY")).total("A") == 5 + 10
    assert reports.statement(Scope(currency="EUR")).total("A") == 0


def test_a_sum_beyond_64_bits_does_not_wrap(books: Books, reports: Reports) -> None:
    """Three amounts near the largest integer add up to more than it holds."""
    largest = 2**63 - 1
    books.book(
        *(sold("A1b", largest, "2024-06-03", order_id=f"o{n}") for n in range(3)),
        spread("A3", largest, "2024-06-01", "2024-06-01", "2024-06-04"),
    )
    books.as_of("2024-06-11")
    found = reports.statement(GBP)
    assert found.line("A1b").amount_minor == 3 * largest
    assert found.line("A3").amount_minor == largest
    two_days = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 6, 3))
    assert reports.statement(two_days).line("A3").amount_minor == largest * 2 // 3


def test_days_are_those_of_the_reporting_zone(books: Books, store: Store) -> None:
    """In Kolkata, at UTC+5:30, 2 June starts at 18:30 UTC and is over 24 hours later."""
    reports = Reports(store, Policy(timezone="Asia/Kolkata"), ManualClock(0))
    books.book(
        sold("A1b", 1, "2024-06-01 18:29"),
        sold("A1b", 10, "2024-06-01 18:30"),
        sold("A1b", 100, "2024-06-02 18:30"),
        spread("A3", 30, "2024-06-01", "2024-06-01", "2024-07-01"),
    )
    books.as_of("2024-06-10 18:30")
    one = Scope(currency="GBP", start=date(2024, 6, 2), end=date(2024, 6, 3))
    assert reports.statement(one).line("A1b").amount_minor == 10
    assert reports.statement(GBP).line("A3").amount_minor == 10


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        (
            ("shoe_size",),
            (
                "--by takes queue, team, agent, channel, reason, kind, product_class;"
                " 'shoe_size' is none of them."
            ),
        ),
        (("queue", "queue"), "--by names a dimension twice: queue,queue."),
    ],
)
def test_only_dimensions_can_split(reports: Reports, by: tuple[str, ...], sentence: str) -> None:
    """Anything else is refused in one sentence."""
    with pytest.raises(BadRequest) as raised:
        reports.statement(GBP, by)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("sunday", ["2024-03-31", "2024-10-27"])
def test_a_week_in_which_clocks_change_is_the_sum_of_its_days(
    books: Books, reports: Reports, sunday: str
) -> None:
    """An entry every half hour of 23 or 25 hours: each stands on one day, none is lost."""
    last = date.fromisoformat(sunday)
    begin = first_instant(last - timedelta(days=6), LONDON)
    end = first_instant(last + timedelta(days=1), LONDON)
    step = 1_800_000
    moments = [
        utc(at).strftime("%Y-%m-%d %H:%M:%S") for at in range(begin - step, end + step, step)
    ]
    books.lay([], [cost("C1", -1, moment) for moment in moments])
    days = [last - timedelta(days=back) for back in range(6, -1, -1)]

    def booked(start: date, days: int) -> int:
        scope = Scope(currency="GBP", start=start, end=start + timedelta(days=days))
        return reports.statement(scope).line("C1").amount_minor

    by_day = [booked(day, 1) for day in days]
    hours = 23 if sunday == "2024-03-31" else 25
    assert by_day == [-48] * 6 + [-2 * hours]
    assert booked(days[0], 7) == sum(by_day)
