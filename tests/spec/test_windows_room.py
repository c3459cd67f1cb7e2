"""Windows that are given up for want of room, and times that were forgotten."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.conditions import DAY_MS, HOUR_MS
from processors.forgotten import SPANS_MAX, covers, with_span
from processors.signal_records import ActivityCell, ActivityRecord, WindowRecord
from processors.window_book import State, WindowBook, too_late
from processors.window_work import index_in
from processors.windows import Position, WindowRules

MONDAY = 20_000 * DAY_MS
NOW = MONDAY + 100 * DAY_MS
FEW = WindowRules(windows_max=20)


def hours(count: int) -> ActivityRecord:
    """Return what a source says of so many hours, a contact in each."""
    return ActivityRecord(
        epoch=1,
        source_partition=0,
        batch_id="b",
        logged_at_max=NOW,
        event_time_max=MONDAY + count * HOUR_MS,
        cells=tuple(
            ActivityCell(minute=MONDAY + hour * HOUR_MS, queue="orders", currency="GBP", chains=1)
            for hour in range(count)
        ),
    )


def take(state: State, offset: int, record: ActivityRecord, at: int) -> list[WindowRecord]:
    """Let a record in, and time go on by a minute; return what is told."""
    told = list(WindowBook(state, FEW).advance(at).records)
    WindowBook(state, FEW).receive(Position(1, offset), msgspec.json.encode(record), record, at)
    return told + list(WindowBook(state, FEW).advance(at + 60_000).records)


def test_the_oldest_are_given_up_and_said_to_be_incomplete() -> None:
    """Small windows first; what is kept is within the bound, and what is told is never closed."""
    state: State = {}
    told = take(state, 0, hours(30), NOW)
    index = index_in(state)
    kept = [start for starts in (*index.open.values(), *index.ended.values()) for start in starts]
    assert 0 < len(kept) <= FEW.windows_max
    given_up = {(each.size, each.start) for each in told if each.incomplete}
    assert len(given_up) == 30 + 30 + 2 - len(kept)
    assert {("5m", MONDAY + hour * HOUR_MS) for hour in range(30)} <= given_up
    assert not any(each.closed for each in told if each.incomplete)


def test_what_comes_for_a_window_that_was_given_up_is_counted() -> None:
    """It is not begun anew with a part of what belongs in it."""
    state: State = {}
    take(state, 0, hours(30), NOW)
    assert too_late(state) == {}
    late = msgspec.structs.replace(hours(1), event_time_max=MONDAY + 30 * DAY_MS)
    take(state, 1, late, NOW + 120_000)  # event time leaps beyond what is corrected
    told = take(state, 2, late, NOW + 240_000)
    assert too_late(state)["5m"] > 0
    assert not [each for each in told if each.size == "5m" and each.start == MONDAY]


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 9)), max_size=120), st.integers(0, 9))
def test_what_was_forgotten_stays_so(days: list[tuple[int, int]], apart: int) -> None:
    """However many spans there were, they are few, in order, apart, and cover all of it."""
    spans: tuple[tuple[int, int], ...] = ()
    for start, length in days:
        spans = with_span(spans, start * DAY_MS, (start + length) * DAY_MS, apart * DAY_MS)
    assert len(spans) <= SPANS_MAX
    assert all(covers(spans, start * DAY_MS) for start, _ in days)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(set(edges))
