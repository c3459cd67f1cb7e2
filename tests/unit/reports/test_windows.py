"""Windows of an hour, a day, a week and a month beside each other (R11)."""

import pytest

from pnl.reports.model import BadRequest, Scope
from pnl.reports.sheet import Asking, Sheet
from pnl.reports.windows import WINDOWS, windows_of
from processors.policy import Policy
from sinks.store import Store
from tests.support.books import Books, at, chain
from tests.unit.reports.test_channels import placed, replace_credit

HOURS = {"h": 3_600_000, "d": 86_400_000}


def sheet(store: Store, **options: str) -> Sheet:
    """Return the report by channel."""
    asking = Asking(
        store=store,
        policy=Policy(),
        as_of=at("2024-12-31"),
        scope=Scope(currency="GBP"),
        options=options,
    )
    return WINDOWS.asked(asking)


def test_each_window_gives_what_its_contacts_earn(books: Books, store: Store) -> None:
    """A contact 2 h, one 3 d, one 20 d before: the rest is unattributed, nothing is lost."""
    near = chain("c1", "2024-06-20 10:00")
    week = chain("c2", "2024-06-17 12:00", channel="chat")
    month = chain("c3", "2024-05-31 12:00", channel="email")
    sold = replace_credit(placed("o2", "2024-06-20", []), "c1", "A1a", "product")
    books.put(near, week, month, placed("o1", "2024-06-20 12:00", [near, week, month], 999), sold)
    found = sheet(store, model="linear")
    assert [column.name for column in found.columns[2:]] == [
        "pinned_minor",
        "within_1h_minor",
        "within_24h_minor",
        "within_7d_minor",
        "within_30d_minor",
    ]
    assert found.rows == (
        ("contact", "chat", 0, 0, 0, 500, 333),
        ("contact", "email", 0, 0, 0, 0, 333),
        ("contact", "voice", 1000, 0, 999, 499, 333),
        ("unattributed", None, 0, 999, 0, 0, 0),
    )
    assert found.total == ("total", None, 1000, 999, 999, 999, 999)


def test_a_window_beyond_the_stored_paths_is_not_answered(books: Books, store: Store) -> None:
    """Its cells are empty and a note says why: half a path would look like a whole one."""
    near = chain("c1", "2024-06-20 10:00")
    books.put(near, placed("o1", "2024-06-20 12:00", [near]))
    found = sheet(store, windows="24h,90d")
    assert found.rows[0] == ("contact", "voice", 0, 1000, None)
    assert "90d: longer than the longest booked lookback (30 d)" in found.notes[-1]


def test_windows_are_read_or_refused() -> None:
    """Hours and days; anything else is said with an example."""
    assert windows_of("1h, 7d") == {"1h": HOURS["h"], "7d": 7 * HOURS["d"]}
    with pytest.raises(BadRequest, match="must look like"):
        windows_of("1week")


def test_windows_have_one_model(store: Store) -> None:
    """Live is booked under its own lookback."""
    with pytest.raises(BadRequest, match="one model"):
        sheet(store, model="live")
