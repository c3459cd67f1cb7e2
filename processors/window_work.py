"""One advance of the windows in a state: deltas reach them, they end, close, are told, forgotten.

Law: windows are written before the index that names them, so what a crash leaves can be done again.
A window that is not closed takes whatever belongs in it, and one that was never seen is made, be it
of years ago. What belongs in a window that takes no more, or was forgotten, is counted.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from processors.forgotten import Spans, covers, with_span
from processors.signal_records import ActivityRecord, WindowRecord, WindowSize
from processors.windows import (
    SIZES,
    Delta,
    Position,
    Window,
    WindowRules,
    bounds,
    closed,
    decode_window,
    delta_of,
    encode_window,
    ended,
    told,
    untold,
    window_name,
    with_deltas,
)
from streams.facts import Millis

State: TypeAlias = MutableMapping[str, bytes]

_INDEX: Final = "windows"


class Index(msgspec.Struct, frozen=True, array_like=True):
    """The starts of the windows that are kept, in order: those that are open, and have ended.

    `stale` are closed ones changed since they were told, `unclosed` have ended and are not closed,
    the first to end first. `forgotten`: None in a state of before it was noted.
    """

    open: dict[WindowSize, list[Millis]] = {}
    ended: dict[WindowSize, list[Millis]] = {}
    stale: list[tuple[WindowSize, Millis]] = []
    unclosed: list[tuple[WindowSize, Millis]] = []
    forgotten: dict[WindowSize, Spans] | None = None


_encode: Final = msgspec.msgpack.Encoder().encode
_index: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(Index).decode)
read_activity: Final = msgspec.json.Decoder(ActivityRecord).decode


def index_in(state: State) -> Index:
    """Return the index of a state."""
    value = state.get(_INDEX)
    return Index() if value is None else _index(value)


class WindowWork:
    """One advance: windows that change stay decoded until they are saved."""

    def __init__(self, state: State, rules: WindowRules, index: Index, clock: Millis) -> None:
        self._state = state
        self._rules = rules
        self._clock = clock
        self._open = {size: list(index.open.get(size, ())) for size in SIZES}
        self._ended = {size: list(index.ended.get(size, ())) for size in SIZES}
        self._stale = set(index.stale)
        self._unclosed = dict.fromkeys(index.unclosed)
        self._forgotten = self._forgotten_of(index)
        self._before = self._index()
        self._changed: dict[tuple[WindowSize, Millis], Window] = {}
        self._gone: list[str] = []
        self.too_late: Counter[WindowSize] = Counter()
        self.records: list[WindowRecord] = []
        self.ended: list[Window] = []

    def _forgotten_of(self, index: Index) -> dict[WindowSize, Spans]:
        """Return what was forgotten; all that is older than what is kept, where nobody noted it."""
        if index.forgotten is not None:
            return dict(index.forgotten)
        kept = {size: [*self._open[size], *self._ended[size]] for size in SIZES}
        return {size: ((0, min(starts)),) for size, starts in kept.items() if starts}

    def fill(self, waiting: tuple[Position, ...], reached: Millis | None) -> None:
        """Put the deltas that wait into their windows, unless a window changes no more."""
        found: dict[tuple[WindowSize, Millis], list[tuple[Position, Delta]]] = {}
        ends: dict[tuple[WindowSize, Millis], Millis] = {}
        refused: dict[tuple[WindowSize, Millis], bool] = {}
        for at, delta in self._deltas(waiting):
            for size in SIZES:
                start, end = bounds(size, delta.minute, self._rules.zone)
                key = size, start
                if key not in refused:
                    refused[key] = self._is_too_late(size, start, end, reached)
                if refused[key]:
                    self.too_late[size] += 1
                else:
                    found.setdefault(key, []).append((at, delta))
                    ends[key] = end
        for (size, start), deltas in found.items():
            window = self._get(size, start)
            if window is None:
                window = Window(size, start, ends[size, start])
            self._add(window, deltas)

    def _is_too_late(
        self, size: WindowSize, start: Millis, end: Millis, reached: Millis | None
    ) -> bool:
        """Say whether a window takes no more: it closed long ago by both times, or is forgotten."""
        if reached is None or end + self._rules.corrected_ms(size) >= reached:
            return False
        if _holds(self._open[size], start) or (size, start) in self._unclosed:
            return False
        if _holds(self._ended[size], start):
            return not self._is_young(size, start)
        return covers(self._forgotten.get(size, ()), start)

    def _is_young(self, size: WindowSize, start: Millis) -> bool:
        """Say whether a window closed a short time ago, by the log's time."""
        window = self._get(size, start)
        return window is not None and self._clock - window.since < self._rules.history_ms

    def end(self, before: Millis | None, reached: Millis) -> None:
        """End those whose time is over, in the order of their end.

        Once more what ended since `before`: a crash may have kept the windows and lost the rest.
        """
        over = set()
        for size in SIZES:
            for start in self._open[size]:
                end = self._due(size, start)
                if end > reached:
                    break
                over.add((end, SIZES.index(size), start))
            for start in reversed(self._ended[size]):
                end = self._due(size, start)
                if before is not None and end <= before:
                    break
                over.add((end, SIZES.index(size), start))
        for _, place, start in sorted(over):
            size = SIZES[place]
            window = self._get(size, start)
            assert window is not None
            window = self._changed[size, start] = ended(window, self._clock)
            self.ended.append(window)
            if window.closed:
                self._stale.add((size, start))
            else:
                self._unclosed[size, start] = None
            if _holds(self._open[size], start):
                self._open[size].remove(start)
                insort(self._ended[size], start)

    def close(self, handled_at: Millis, reached: Millis | None) -> None:
        """Close what had ended by a moment all that lay in the log at which has been received."""
        for size, start in list(self._unclosed)[: self._rules.closed_max]:
            window = self._get(size, start)
            assert window is not None
            if window.since > handled_at:
                break
            window, records = told(closed(window, self._clock), reached)
            self._changed[size, start] = window
            self.records += records
            del self._unclosed[size, start]
            self._stale.discard((size, start))

    def forget(self, reached: Millis | None) -> None:
        """Drop the closed windows that have been kept long enough, by both times."""
        for size in SIZES:
            kept_ms = self._rules.kept_ms(size)
            for start in list(self._ended[size]):
                if reached is None or self._end(size, start) + kept_ms >= reached:
                    break
                if (size, start) not in self._unclosed and not self._is_young(size, start):
                    self._tell(size, start, reached)
                    self._drop(size, start)

    def make_room(self, reached: Millis | None) -> None:
        """Give up the oldest windows where there are too many, the small ones first.

        One that was not closed is told as incomplete, and never closes.
        """
        rules, kept = self._rules, list(self._kept())
        bytes_ = {key: len(self._state.get(window_name(*key), b"")) for key in kept}
        count, total = len(kept), sum(bytes_.values())
        if count <= rules.windows_max and total <= rules.bytes_max:
            return
        for key in kept:
            if count <= rules.windows_max * 9 // 10 and total <= rules.bytes_max * 9 // 10:
                return
            window = self._get(*key)
            if window is not None:
                lacking = not window.closed
                window = untold(window) if lacking else window
                self.records += told(window, reached, incomplete=lacking)[1]
            self._drop(*key)
            count, total = count - 1, total - bytes_[key]

    def _kept(self) -> Iterator[tuple[WindowSize, Millis]]:
        for size in SIZES:
            for start in sorted([*self._open[size], *self._ended[size]]):
                yield size, start

    def _drop(self, size: WindowSize, start: Millis) -> None:
        for starts in (self._open[size], self._ended[size]):
            if _holds(starts, start):
                starts.remove(start)
        self._stale.discard((size, start))
        self._unclosed.pop((size, start), None)
        self._changed.pop((size, start), None)
        self._gone.append(window_name(size, start))
        spans = self._forgotten.get(size, ())
        self._forgotten[size] = with_span(spans, start, self._end(size, start))

    def tell_open(self, as_of: Millis | None) -> None:
        """Tell the open windows as they are by now."""
        for size in SIZES:
            for start in self._open[size]:
                self._tell(size, start, as_of)

    def tell_stale(self, as_of: Millis | None) -> None:
        """Tell the corrections of closed windows."""
        for size, start in sorted(self._stale):
            self._tell(size, start, as_of)

    def _end(self, size: WindowSize, start: Millis) -> Millis:
        return bounds(size, start, self._rules.zone)[1]

    def _due(self, size: WindowSize, start: Millis) -> Millis:
        return self._end(size, start) + self._rules.lateness_ms

    def save(self) -> bool:
        """Write the windows, then the index; say whether anything changed."""
        for window in self._changed.values():
            self._state[window.key] = encode_window(window)
        index = self._index()
        if index != self._before:
            self._state[_INDEX] = index
        for key in self._gone:
            self._state.pop(key, None)
        return bool(self._changed or self._gone)

    def _index(self) -> bytes:
        unclosed = list(self._unclosed)
        return _encode(
            Index(self._open, self._ended, sorted(self._stale), unclosed, self._forgotten)
        )

    def _deltas(self, waiting: tuple[Position, ...]) -> Iterator[tuple[Position, Delta]]:
        for at in waiting:
            for cell in read_activity(self._state[waiting_name(at)]).cells:
                yield at, delta_of(cell)

    def _get(self, size: WindowSize, start: Millis) -> Window | None:
        window = self._changed.get((size, start))
        if window is None:
            value = self._state.get(window_name(size, start))
            window = None if value is None else decode_window(value)
        return window

    def _add(self, window: Window, deltas: list[tuple[Position, Delta]]) -> None:
        size, start = window.size, window.start
        self._changed[size, start] = with_deltas(window, deltas)
        if _holds(self._open[size], start) or (size, start) in self._unclosed:
            return
        if _holds(self._ended[size], start):
            self._stale.add((size, start))
        else:  # new, or a crash lost that it is known
            insort(self._open[size], start)

    def _tell(self, size: WindowSize, start: Millis, as_of: Millis | None) -> None:
        self._stale.discard((size, start))
        window = self._get(size, start)
        if window is not None:
            window, records = told(window, as_of)
            if records:
                self.records += records
                self._changed[size, start] = window


def _holds(starts: Sequence[Millis], start: Millis) -> bool:
    """Say whether a start is among those that stand in order."""
    at = bisect_left(starts, start)
    return at < len(starts) and starts[at] == start


def waiting_name(at: Position) -> str:
    """Return the name of a record that waits."""
    return f"waiting {at.epoch} {at.offset}"
