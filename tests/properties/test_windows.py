"""Windows hold what belongs to them, in whatever order it comes and however often."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.conditions import DAY_MS, HOUR_MS, MINUTE_MS
from processors.signal_records import ActivityCell, ActivityRecord, WindowRecord, window_key
from processors.window_book import State, WindowBook
from processors.windows import PANE_MS, SIZES, Position, WindowRules, bounds

MONDAY = 20_000 * DAY_MS
RULES = WindowRules(zone="Europe/London", pane_kept_ms=DAY_MS)
encode = msgspec.json.encode

cells = st.builds(
    ActivityCell,
    minute=st.integers(0, 6 * 60).map(lambda minute: MONDAY + minute * MINUTE_MS),
    queue=st.sampled_from(["orders", "billing"]),
    channel=st.sampled_from(["voice", "chat"]),
    currency=st.just("GBP"),
    chains=st.integers(-3, 9),
    handled=st.integers(-3, 9),
    credit_minor=st.integers(-(10**9), 10**9),
    credit_minor2=st.integers(0, 10**30).map(str),
)
records = st.builds(
    ActivityRecord,
    epoch=st.just(1),
    source_partition=st.integers(0, 2),
    batch_id=st.just("b"),
    logged_at_max=st.just(0),
    event_time_max=st.integers(MONDAY, MONDAY + 7 * HOUR_MS),
    cells=st.lists(cells, min_size=1, max_size=4).map(tuple),
)
Sums = dict[bytes, tuple[int, str]]


def run(
    found: Sequence[ActivityRecord], times: Sequence[int], again: Sequence[int] = ()
) -> tuple[Sums, list[WindowRecord], State]:
    """Deliver records at times of the log, some once more; return what windows came to."""
    state: State = {}
    told: list[WindowRecord] = []
    order = [*range(len(found)), *again]
    for offset, at in zip(order, [*times, *[times[-1]] * len(again)], strict=True):
        book = WindowBook(state, RULES)
        told += book.advance(at).records
        take(book, offset, found[offset], at)
    for at in (times[-1] + 2_000, times[-1] + 2 * DAY_MS):
        told += WindowBook(state, RULES).advance(at, at).records
    return latest(told), told, state


def take(book: WindowBook, offset: int, record: ActivityRecord, at: int) -> None:
    """Let a book receive a record, if it is new."""
    if book.is_new(Position(1, offset)):
        book.receive(Position(1, offset), encode(record), record, at)


def latest(told: Sequence[WindowRecord]) -> Sums:
    """Return what a reader of the topic ends with, by key; windows of nothing left out."""
    last = {window_key(each): each for each in told}
    return {
        key: (each.chains, each.credit_minor2)
        for key, each in last.items()
        if each.chains or each.credit_minor2 != "0"
    }


def truth(found: Sequence[ActivityRecord]) -> dict[bytes, int]:
    """Return the chains of each pane of five minutes, added up by hand."""
    sums: dict[bytes, int] = {}
    for each in (cell for record in found for cell in record.cells):
        start = each.minute - each.minute % PANE_MS
        key = f"5m\0{start}\0{each.queue}\0{each.channel}\0\0GBP".encode()
        sums[key] = sums.get(key, 0) + each.chains
    return sums


@given(st.lists(records, min_size=1, max_size=8), st.data())
def test_order_and_repeats_do_not_matter(found: list[ActivityRecord], data: st.DataObject) -> None:
    """Any order, interleaving of partitions and repeated delivery ends in the same windows."""
    steps = data.draw(st.lists(st.integers(0, 3_000), min_size=len(found), max_size=len(found)))
    times = [MONDAY + sum(steps[: at + 1]) for at in range(len(found))]
    again = data.draw(st.lists(st.integers(0, len(found) - 1), max_size=5))
    shuffled = data.draw(st.permutations(found))
    plain, _, _ = run(found, [MONDAY] * len(found))
    other, _, _ = run(shuffled, times, again)
    assert other == plain
    expected = {key: chains for key, chains in truth(found).items() if chains}
    assert {key: n for key, (n, _) in other.items() if key.startswith(b"5m") and n} == expected


@given(st.lists(records, min_size=1, max_size=6), st.data())
def test_ticks_only_bring_forward(found: list[ActivityRecord], data: st.DataObject) -> None:
    """Ticks between records change when a window ends and closes, never what it comes to."""
    steps = data.draw(st.lists(st.integers(0, 200_000), min_size=len(found), max_size=len(found)))
    state: State = {}
    told: list[WindowRecord] = []
    clock = MONDAY
    for offset, step in enumerate(steps):
        for at in range(clock, clock + step, 7_000):
            handled_at = data.draw(st.sampled_from([None, at]))
            told += WindowBook(state, RULES).advance(at, handled_at).records
        clock += step
        told += WindowBook(state, RULES).advance(clock).records
        take(WindowBook(state, RULES), offset, found[offset], clock)
    for at in (clock + 2_000, clock + 2 * DAY_MS):
        told += WindowBook(state, RULES).advance(at, at).records
    plain, _, _ = run(found, [MONDAY + sum(steps[: at + 1]) for at in range(len(found))])
    assert latest(told) == plain


@given(st.lists(records, min_size=1, max_size=6), st.data())
def test_a_torn_state_is_made_whole(found: list[ActivityRecord], data: st.DataObject) -> None:
    """Of an advance any beginning of its writes may survive: done again it ends the same."""
    state: State = {}
    for offset, record in enumerate(found):
        take(WindowBook(state, RULES), offset, record, MONDAY)
    kept = data.draw(st.integers(0, 60))
    torn = Torn(state, kept)
    once = WindowBook(torn, RULES).advance(MONDAY + 2_000, MONDAY + 2_000)
    survived: State = dict(torn.survived)
    again = WindowBook(survived, RULES).advance(MONDAY + 2_000, MONDAY + 2_000)
    closed = {(window.size, window.start) for window in again.ended}
    assert closed in ({(window.size, window.start) for window in once.ended}, set())
    assert not closed or torn.survived != torn, "nothing closes twice but after a crash"
    told = [*once.records, *again.records]  # a host tells before it writes
    later = MONDAY + 2 * DAY_MS
    told += WindowBook(survived, RULES).advance(later, later).records
    plain, _, _ = run(found, [MONDAY] * len(found))
    assert latest(told) == plain


months = st.builds(
    ActivityCell,
    minute=st.integers(0, 400 * 24).map(lambda hour: MONDAY + hour * HOUR_MS),
    queue=st.sampled_from(["orders", "billing"]),
    currency=st.just("GBP"),
    chains=st.integers(1, 9),
    credit_minor=st.integers(0, 10**6),
)


@given(st.lists(st.lists(months, min_size=1, max_size=12), min_size=1, max_size=4), st.data())
def test_history_loaded_anyhow_ends_in_the_same_closed_windows(
    sources: list[list[ActivityCell]], data: st.DataObject
) -> None:
    """Months from several partitions, in batches of any size, interleaved and ticked at will."""
    expected: dict[tuple[str, int, str], tuple[int, int]] = {}
    for cell in (cell for cells in sources for cell in cells):
        for size in SIZES:
            key = size, bounds(size, cell.minute, RULES.zone)[0], cell.queue
            chains, credit = expected.get(key, (0, 0))
            expected[key] = chains + cell.chains, credit + cell.credit_minor
    load = Load()
    left = [list(cells) for cells in sources]
    while any(left):
        source = data.draw(st.sampled_from([n for n, cells in enumerate(left) if cells]))
        count = data.draw(st.integers(1, len(left[source])))
        load.send(source, left[source][:count])
        del left[source][:count]
        load.wait(data.draw(st.integers(0, 3 * 60_000)), ticks=data.draw(st.booleans()))
    for time_ms in (MINUTE_MS, 27 * HOUR_MS, MINUTE_MS):
        load.wait(time_ms, ticks=True)
    assert load.closed() == expected
    assert load.book.progress.too_late == {}


class Load:
    """A book that is fed, and what it told."""

    def __init__(self, rules: WindowRules = RULES) -> None:
        self.rules = rules
        self.state: State = {}
        self.clock = MONDAY + 1_000 * DAY_MS
        self.newest: dict[int, int] = {}
        self.sent = 0
        self.told: list[WindowRecord] = []

    @property
    def book(self) -> WindowBook:
        """The book of the state."""
        return WindowBook(self.state, self.rules)

    def send(self, source: int, cells: Sequence[ActivityCell]) -> None:
        """Deliver a batch of a source."""
        self.newest[source] = max(self.newest.get(source, 0), *(cell.minute for cell in cells))
        record = ActivityRecord(
            epoch=1,
            source_partition=source,
            batch_id="b",
            logged_at_max=self.clock,
            event_time_max=self.newest[source],
            cells=tuple(cells),
        )
        book = self.book
        self.told += book.advance(self.clock).records
        take(book, self.sent, record, self.clock)
        self.sent += 1

    def wait(self, time_ms: int, *, ticks: bool) -> None:
        """Let time pass; a tick says that all was handled."""
        self.clock += time_ms
        if ticks:
            self.told += self.book.advance(self.clock, self.clock).records

    def closed(self) -> dict[tuple[str, int, str], tuple[int, int]]:
        """Return chains and credit of what was told last of each window, which is closed."""
        last = {window_key(each): each for each in self.told}
        assert all(each.closed and not each.incomplete for each in last.values())
        return {
            (each.size, each.start, each.queue): (each.chains, each.credit_minor)
            for each in last.values()
        }


class Torn(dict[str, bytes]):
    """A state of which only the first changes survive a crash."""

    def __init__(self, state: State, kept: int) -> None:
        super().__init__(state)
        self.survived = dict(state)
        self._left = kept

    def __setitem__(self, key: str, value: bytes) -> None:
        """Write, and survive as long as that is left."""
        super().__setitem__(key, value)
        if self._left > 0:
            self._left -= 1
            self.survived[key] = value

    def pop(self, key: str, default: object = None) -> object:  # type: ignore[override]
        """Remove, and survive as long as that is left."""
        if self._left > 0:
            self._left -= 1
            self.survived.pop(key, None)
        return super().pop(key, default)
