"""The list of chains: sorts, pages, cursors."""

from datetime import date

import pytest

from pnl.reports.cursor import read_cursor, write_cursor
from pnl.reports.model import BadRequest, Scope
from pnl.reports.queries import Reports
from tests.support.books import Books, chain, cost, sold

JUNE = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))


def fill(books: Books) -> None:
    """Lay seven chains, some of them alike in what they are sorted by."""
    chains = [
        chain("c1", "2024-06-02 10:00", queue="billing"),
        chain("c2", "2024-06-02 10:00", queue="sales", talk_ms=0),
        chain("c3", "2024-06-01 10:00", queue="billing"),
        chain("c4", "2024-06-05 10:00", queue="sales"),
        chain("c5", "2024-06-03 10:00", queue="billing", talk_ms=999),
        chain("c6", "2024-06-02 10:00", queue="billing"),
        chain("c7", "2024-07-02 10:00", queue="billing"),
    ]
    entries = [
        sold("A1b", 50, "2024-06-06", contact_id="c2"),
        sold("A1b", 50, "2024-06-06", contact_id="c3"),
        sold("A1b", 900, "2024-06-06", contact_id="c5"),
        sold("A5", -910, "2024-06-07", contact_id="c5"),
        cost("C1", -5, "2024-06-02", contact_id="c1"),
        cost("A2a", 3, "2024-06-02", contact_id="c1"),
    ]
    books.lay(chains, entries)
    books.as_of("2024-07-02 10:00")


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("ended", "c3 c1 c2 c6 c5 c4"),
        ("-ended", "c4 c5 c6 c2 c1 c3"),
        ("handle", "c2 c5 c1 c3 c4 c6"),
        ("-credit", "c3 c2 c6 c4 c1 c5"),
        ("credit", "c5 c1 c4 c6 c2 c3"),
        ("cost", "c1 c2 c3 c4 c5 c6"),
    ],
)
@pytest.mark.parametrize("rows", [1, 2, 50])
def test_pages_of_any_size_make_the_same_list(
    books: Books, reports: Reports, sort: str, ids: str, rows: int
) -> None:
    """Equal sort values are ordered by id, so nothing is shown twice or skipped."""
    fill(books)
    seen, cursor = [], None
    for _ in range(9):
        page = reports.contact_list(JUNE, sort, cursor, rows)
        assert page.total == 6
        assert len(page.rows) <= rows
        seen += [each.contact_id for each in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids.split()


def test_a_row_holds_the_chain_and_its_money(books: Books, reports: Reports) -> None:
    """Cost is negative, the fee apart from the credit, handle time the sum of its parts."""
    fill(books)
    rows = {row.contact_id: row for row in reports.contact_list(JUNE).rows}
    first = rows["c1"]
    assert (first.net_credit_minor, first.fee_minor, first.cost_minor) == (0, 3, -5)
    assert first.handle_ms == 240_000 + 20_000 + 40_000
    assert (first.mature, rows["c4"].mature) == (True, False)
    assert rows["c5"].net_credit_minor == -10


def test_a_list_obeys_its_filters_on_every_page(books: Books, reports: Reports) -> None:
    """A cursor grants nothing: the filter holds on the next page too."""
    fill(books)
    sales = Scope(currency="GBP", queue=("sales",))
    page = reports.contact_list(sales, "ended", None, 1)
    after = reports.contact_list(sales, "ended", page.next_cursor, 9)
    assert [row.contact_id for row in page.rows + after.rows] == ["c2", "c4"]
    assert page.total == 2


@pytest.mark.parametrize(
    ("sort", "cursor", "rows"),
    [
        ("agent", None, 50),
        ("--ended", None, 50),
        ("ended", None, 0),
        ("ended", None, 1001),
        ("ended", "nonsense", 50),
        ("ended", write_cursor("a", "b", "c"), 50),
        ("ended", write_cursor(2**63, "b", "c"), 50),
        ("ended", write_cursor(True, "b", "c"), 50),
        ("ended", "WyJcdWQ4MDAiXQ", 50),
    ],
)
def test_what_is_no_page_is_refused(
    reports: Reports, sort: str, cursor: str | None, rows: int
) -> None:
    """A wrong sort, cursor or size is one sentence, not an error of the store."""
    with pytest.raises(BadRequest):
        reports.contact_list(JUNE, sort, cursor, rows)


def test_a_cursor_brings_back_what_was_written() -> None:
    """Numbers and any text survive the way through an address."""
    assert read_cursor(write_cursor(-7, "a/b?ü"), (int, str)) == [-7, "a/b?ü"]
