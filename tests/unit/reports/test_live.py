"""`pnl report live`: windows of event time as journeys told them."""

from typing import Any

import pytest

from pnl.reports.model import BadRequest, Scope
from pnl.reports.queries import Reports
from pnl.reports.sheet import Sheet
from processors.signal_records import WindowRecord, WindowSize
from tests.support.books import Books, at

ALL = Scope(currency="GBP")
MINUTE_MS = 60_000
LENGTHS = {"5m": 5 * MINUTE_MS, "1h": 60 * MINUTE_MS, "1d": 1440 * MINUTE_MS}


def window(size: WindowSize, start: int, handled: int, credit: int, **other: Any) -> WindowRecord:
    """Return a window in which every handled contact earned the same."""
    each = credit // handled if handled else 0
    given: dict[str, Any] = {
        "size": size,
        "start": start,
        "end": start + LENGTHS[size],
        "queue": "billing",
        "channel": "voice",
        "currency": "GBP",
        "chains": handled,
        "handled": handled,
        "credit_minor": credit,
        "credit_minor2": str(each * each * handled),
        "as_of": start + MINUTE_MS,
    }
    return WindowRecord(**(given | other))


def told(sheet: Sheet) -> list[dict[str, Any]]:
    """Return the rows by the names of their columns."""
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


def test_the_last_window_of_each_size_adds_up_its_segments(books: Books, reports: Reports) -> None:
    """Sums over segments; the interval is of all contacts together; another currency is out."""
    day = at("2024-06-10")
    books.as_of("2024-06-10")
    books.put(
        window("5m", day, 20, 2_000),
        window("5m", day, 20, 6_000, queue="sales"),
        window("5m", day - LENGTHS["5m"], 50, 1, closed=True),
        window("1h", day, 40, 8_000, cost_minor=-4_000),
        window("1h", day, 40, 8_000, currency="USD"),
    )
    five, hour = told(reports.sheet("live", ALL))
    assert (five["size"], five["handled"], five["credit_minor"]) == ("5 minutes", 40, 8_000)
    assert (five["rpc_minor"], five["state"]) == (200, "open")
    assert five["rpc_minor_low"] < 200 < five["rpc_minor_high"]
    assert (hour["size"], hour["rpc_minor"], hour["cost_minor"]) == ("hour", 200, -4_000)
    assert hour["rpc_minor_low"] == hour["rpc_minor_high"] == 200


def test_few_contacts_have_no_revenue_per_contact(books: Books, reports: Reports) -> None:
    """Null below 30 handled: by queue each is too small, together they are enough."""
    day = at("2024-06-10")
    books.put(window("1h", day, 20, 2_000), window("1h", day, 29, 2_900, queue="sales"))
    rows = told(reports.sheet("live", ALL, ("queue",)))
    assert [(row["queue"], row["rpc_minor"]) for row in rows] == [
        ("billing", None),
        ("sales", None),
    ]
    assert [row["rpc_minor"] for row in told(reports.sheet("live", ALL))] == [100]


def test_a_correction_takes_the_place_of_what_it_corrects(books: Books, reports: Reports) -> None:
    """The latest record of a window is the window; its revision is told."""
    day = at("2024-06-10")
    books.put(window("1d", day, 40, 4_000, closed=True))
    books.put(window("1d", day, 40, 8_000, closed=True, revision=1))
    (row,) = told(reports.sheet("live", ALL))
    assert (row["rpc_minor"], row["revision"], row["state"]) == (200, 1, "closed")


def test_earlier_windows_can_be_asked_for(books: Books, reports: Reports) -> None:
    """So many of a size, the newest first; a size that is none is refused."""
    day = at("2024-06-10")
    books.put(*(window("5m", day + n * LENGTHS["5m"], 1, n) for n in range(4)))
    sheet = reports.sheet("live", ALL, options={"size": "5m", "last": "3"})
    assert [row["credit_minor"] for row in told(sheet)] == [3, 2, 1]
    with pytest.raises(BadRequest, match="must be of 5m"):
        reports.sheet("live", ALL, options={"size": "2h"})
    assert reports.sheet("live", Scope(currency="GBP", queue=("nobody",))).rows == ()


def test_the_last_window_is_that_of_all_segments(books: Books, reports: Reports) -> None:
    """A queue that is quiet now is not shown with what it earned before."""
    day = at("2024-06-10")
    books.put(
        window("5m", day, 40, 4_000), window("5m", day + LENGTHS["5m"], 40, 4_000, queue="sales")
    )
    assert reports.sheet("live", Scope(currency="GBP", queue=("billing",))).rows == ()
    both = reports.sheet("live", Scope(currency="GBP", queue=("billing",)), options={"last": "2"})
    assert [row["start"] for row in told(both)] == [day]
