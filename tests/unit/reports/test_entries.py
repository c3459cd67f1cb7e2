"""The entries behind a line: all of them, with what the range counts of each."""

from datetime import date

import pytest

from pnl.reports.entries import ENTRY_LINES
from pnl.reports.model import BadRequest, Scope
from pnl.reports.queries import Reports
from processors.statement import BOOKED_NAMES
from tests.support.books import Books, at, control, cost, day, sold, spread

JUNE = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))


def fill(books: Books) -> None:
    """Lay entries in and around June, spread and plain, and two that do not belong."""
    books.book(
        sold("A1b", 600, "2024-06-03"),
        sold("A1b", 50, "2024-06-04", contact_id="c2", queue="sales"),
        sold("A1b", 7, "2024-07-04"),
        sold("A1b", 9, "2024-06-04", currency="JPY"),
        control("unattributed", 43, "2024-06-04"),
        cost("A2b", 150, "2024-06-05"),
        spread("A2b", 300, "2024-05-01", "2024-05-02", "2024-07-01", product_class="support"),
        spread("A3", 12000, "2024-02-01", "2024-02-01", "2025-02-01"),
        spread("A3", -8722, "2024-05-11", "2024-02-01", "2025-02-01", cut=day("2024-05-11"),
               spread_minor=-12000),
        spread("A3", 900, "2024-01-01", "2024-01-01", "2024-06-01", order_id="o3"),
        spread("C5", -300, "2024-06-01", "2024-06-01", "2024-07-01", queue="sales"),
        cost("C5", -5, "2024-06-02", queue="sales"),
    )  # fmt: skip
    books.as_of("2024-06-11")


@pytest.mark.parametrize("queue", [(), ("sales",)])
def test_what_a_line_counts_is_what_its_entries_count(
    books: Books, reports: Reports, queue: tuple[str, ...]
) -> None:
    """The entries shown add up to the figure they were opened from."""
    fill(books)
    scope = Scope(currency="GBP", start=JUNE.start, end=JUNE.end, queue=queue)
    statement = reports.statement(scope)
    for line in BOOKED_NAMES:
        shown = reports.entries(scope, line).entries
        assert sum(entry.counted_minor for entry in shown) == statement.line(line).amount_minor


def test_a_term_without_a_day_in_the_range_is_not_shown(books: Books, reports: Reports) -> None:
    """The term that ended on 1 June is not behind June's figure; the cancelled one is."""
    fill(books)
    shown = reports.entries(JUNE, "A3").entries
    assert [(entry.amount_minor, entry.counted_minor) for entry in shown] == [
        (-8722, -328),
        (12000, 328),
    ]


def test_entries_come_newest_first_in_pages(books: Books, reports: Reports) -> None:
    """All lines together are one list, however it is paged."""
    fill(books)
    whole = reports.entries(JUNE).entries
    assert [entry.effective_at for entry in whole] == sorted(
        (entry.effective_at for entry in whole), reverse=True
    )
    paged, cursor = [], None
    for _ in range(20):
        page = reports.entries(JUNE, None, cursor, 2)
        paged += page.entries
        cursor = page.next_cursor
        if cursor is None:
            break
    assert tuple(paged) == whole
    assert len(whole) == 9


def test_an_entry_names_its_cause_and_its_source(books: Books, reports: Reports) -> None:
    """From the figure to the record in the log."""
    books.book(
        sold("A5", -9, "2024-06-03", change="reversal", note="unlinked"),
        booked_at="2024-06-07 08:00",
        cause="r1",
    )
    books.as_of("2024-06-11")
    (entry,) = reports.entries(JUNE, "A5").entries
    assert (entry.cause.fact, entry.cause.id, entry.cause.revision) == ("order", "r1", 0)
    assert (entry.source.topic, entry.source.partition, entry.source.offset) == ("orders", 2, 70)
    assert (entry.booked_at, entry.change, entry.note) == (
        at("2024-06-07 08:00"),
        "reversal",
        "unlinked",
    )
    assert (entry.term, entry.cut) == (None, None)


def test_only_lines_have_entries(reports: Reports) -> None:
    """The sentence lists the lines there are."""
    with pytest.raises(BadRequest) as raised:
        reports.entries(JUNE, "D9")
    assert all(name in str(raised.value) for name in ENTRY_LINES)
