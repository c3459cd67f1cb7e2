"""Windows in a state: deltas wait a moment, reach their windows together, and windows close.

Law: what a crash leaves is a beginning of what was written, in order; so windows are written before
the index that names them, the index before the progress that says what they hold, and what is done
twice is done once. A record changes two keys, whatever it holds: itself, waiting, and the progress.

Keys: "progress", "windows" (the index), "waiting EPOCH OFFSET" (a record), "SIZE START" (a window).
"""

from bisect import insort
from collections.abc import Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import msgspec

from processors.signal_records import ActivityRecord, WindowRecord, WindowSize
from processors.windows import (
    SIZES,
    Delta,
    Position,
    Source,
    Tally,
    Window,
    WindowRules,
    bounds,
    by_place,
    closed,
    decode_window,
    delta_of,
    encode_window,
    heard,
    told,
    watermark,
    window_name,
    with_deltas,
)
from streams.facts import Millis

State: TypeAlias = MutableMapping[str, bytes]

_PROGRESS: Final = "progress"
_INDEX: Final = "windows"


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far the activity is read (`position`), and what time it is by log and by event.

    `clock` is the newest time of the log seen, `watermark` the event time before which nothing is
    expected. `waiting` are records whose deltas have not reached their windows.
    """

    clock: Millis = 0
    watermark: Millis | None = None
    position: Position | None = None
    sources: dict[int, Source] = {}
    waiting: tuple[Position, ...] = ()


class Index(msgspec.Struct, frozen=True, array_like=True):
    """The starts of the windows that are kept, in order; and the closed ones changed since told."""

    open: dict[WindowSize, list[Millis]] = {}
    closed: dict[WindowSize, list[Millis]] = {}
    stale: list[tuple[WindowSize, Millis]] = []


class Advanced(NamedTuple):
    """What time brought: records of windows to tell, and the windows that closed, by their end."""

    records: tuple[WindowRecord, ...] = ()
    closed: tuple[Window, ...] = ()


NOTHING: Final = Advanced()
_encode: Final = msgspec.msgpack.Encoder().encode
_progress: Final = msgspec.msgpack.Decoder(Progress).decode
_index: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(Index).decode)
read_activity: Final = msgspec.json.Decoder(ActivityRecord).decode


class WindowBook:
    """The windows of a state. Make one for each call; what it knows lies in the state alone."""

    def __init__(self, state: State, rules: WindowRules) -> None:
        self._state = state
        self._rules = rules
        value = state.get(_PROGRESS)
        self.progress = Progress() if value is None else _progress(value)

    def is_new(self, at: Position) -> bool:
        """Say whether a record was not received before."""
        return at.is_after(self.progress.position)

    def receive(
        self, at: Position, value: bytes, record: ActivityRecord, logged_at: Millis
    ) -> None:
        """Let a new record wait, as it came and as it was read.

        The clock must have been advanced to `logged_at`: what time alone decides comes first.
        """
        before = self.progress
        source = heard(
            before.sources.get(record.source_partition), record.event_time_max, logged_at
        )
        self._state[_waiting(at)] = value
        self.progress = msgspec.structs.replace(
            before,
            clock=max(before.clock, logged_at),
            position=at,
            sources={**before.sources, record.source_partition: source},
            waiting=(*before.waiting, at),
        )
        self._state[_PROGRESS] = _encode(self.progress)

    def advance(self, clock: Millis) -> Advanced:
        """Let the log's time go on; at most once in `flush_ms` anything comes of it."""
        before, rules = self.progress, self._rules
        if clock // rules.flush_ms <= before.clock // rules.flush_ms:
            return NOTHING
        value = self._state.get(_INDEX)
        index = Index() if value is None else _index(value)
        work = _Work(self._state, rules, index)
        work.fill(before.waiting, before.watermark)
        now = watermark(before.sources, clock, rules.idle_ms)
        if now is not None and (before.watermark is None or now > before.watermark):
            reached: Millis | None = now
        else:
            reached = before.watermark
        if reached is not None:
            work.close(before.watermark, reached)
            work.forget(reached)
        if clock // rules.provisional_ms > before.clock // rules.provisional_ms:
            work.tell_open(reached)
        if clock // rules.correction_ms > before.clock // rules.correction_ms:
            work.tell_stale(reached)
        if not (work.save() or before.waiting):
            return NOTHING  # time passed, and nothing came of it
        self.progress = msgspec.structs.replace(before, clock=clock, watermark=reached, waiting=())
        self._state[_PROGRESS] = _encode(self.progress)
        for at in before.waiting:
            self._state.pop(_waiting(at), None)
        return Advanced(tuple(work.records), tuple(work.closed))

    def window(self, size: WindowSize, start: Millis) -> Window | None:
        """Return a window that is kept."""
        value = self._state.get(window_name(size, start))
        return None if value is None else decode_window(value)

    def places(self, size: WindowSize, start: Millis) -> Mapping[str, Tally]:
        """Return the sums of a window by queue and channel; none of one that is not kept."""
        value = self._state.get(window_name(size, start))
        return {} if value is None else _places(value)


@lru_cache(maxsize=1024)
def _places(value: bytes) -> Mapping[str, Tally]:
    """Return sums by place; remembered, as each is looked at for hours."""
    return by_place(decode_window(value))


class _Work:
    """One advance: windows that change stay decoded until they are saved."""

    def __init__(self, state: State, rules: WindowRules, index: Index) -> None:
        self._state = state
        self._rules = rules
        self._open = {size: list(index.open.get(size, ())) for size in SIZES}
        self._closed = {size: list(index.closed.get(size, ())) for size in SIZES}
        self._stale = set(index.stale)
        self._before = self._index()
        self._changed: dict[tuple[WindowSize, Millis], Window] = {}
        self._gone: list[str] = []
        self.records: list[WindowRecord] = []
        self.closed: list[Window] = []

    def fill(self, waiting: tuple[Position, ...], reached: Millis | None) -> None:
        """Put the deltas that wait into their windows, unless a window changes no more."""
        found: dict[tuple[WindowSize, Millis], list[tuple[Position, Delta]]] = {}
        ends: dict[tuple[WindowSize, Millis], Millis] = {}
        for at, delta in self._deltas(waiting):
            for size in SIZES:
                start, end = bounds(size, delta.minute, self._rules.zone)
                if reached is not None and end + self._rules.corrected_ms(size) < reached:
                    continue
                found.setdefault((size, start), []).append((at, delta))
                ends[size, start] = end
        for (size, start), deltas in found.items():
            window = self._get(size, start)
            if window is None:
                window = Window(size, start, ends[size, start])
            self._add(window, deltas)

    def close(self, before: Millis | None, reached: Millis) -> None:
        """Close what has ended, in the order of its end.

        Once more what ended since `before`: a crash may have kept the windows and lost the rest.
        """
        ended = set()
        for size in SIZES:
            for start in self._open[size]:
                end = self._due(size, start)
                if end > reached:
                    break
                ended.add((end, SIZES.index(size), start))
            for start in reversed(self._closed[size]):
                end = self._due(size, start)
                if before is not None and end <= before:
                    break
                ended.add((end, SIZES.index(size), start))
        for _, place, start in sorted(ended):
            size = SIZES[place]
            window = self._get(size, start)
            assert window is not None
            window, records = told(closed(window), reached)
            self.records += records
            self.closed.append(window)
            self._changed[size, start] = window
            if start in self._open[size]:
                self._open[size].remove(start)
                insort(self._closed[size], start)

    def forget(self, reached: Millis) -> None:
        """Drop the windows that have been kept long enough, by event time."""
        for size in SIZES:
            kept_ms, starts = self._rules.kept_ms(size), self._closed[size]
            while starts and bounds(size, starts[0], self._rules.zone)[1] + kept_ms < reached:
                start = starts.pop(0)
                self._tell(size, start, reached)
                self._changed.pop((size, start), None)
                self._gone.append(window_name(size, start))

    def tell_open(self, as_of: Millis | None) -> None:
        """Tell the open windows as they are by now."""
        for size in SIZES:
            for start in self._open[size]:
                self._tell(size, start, as_of)

    def tell_stale(self, as_of: Millis | None) -> None:
        """Tell the corrections of closed windows."""
        for size, start in sorted(self._stale):
            self._tell(size, start, as_of)

    def _due(self, size: WindowSize, start: Millis) -> Millis:
        return bounds(size, start, self._rules.zone)[1] + self._rules.lateness_ms

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
        return _encode(Index(self._open, self._closed, sorted(self._stale)))

    def _deltas(self, waiting: tuple[Position, ...]) -> Iterator[tuple[Position, Delta]]:
        for at in waiting:
            for cell in read_activity(self._state[_waiting(at)]).cells:
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
        if start in self._open[size]:
            return
        if start in self._closed[size]:
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


def _waiting(at: Position) -> str:
    return f"waiting {at.epoch} {at.offset}"
