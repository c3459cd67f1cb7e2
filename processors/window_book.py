"""Windows in a state: deltas wait a moment, reach their windows together, windows end and close.

Law: what a crash leaves is a beginning of what was written, in order; so windows are written before
the index that names them, the index before the progress that says what they hold, and what is done
twice is done once. A record changes two keys, whatever it holds: itself, waiting, and the progress.

Keys: "progress", "windows" (the index), "waiting EPOCH OFFSET" (a record), "SIZE START" (a window).
"""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from processors.signal_records import ActivityRecord, WindowRecord, WindowSize
from processors.watermark import Source, heard, watermark
from processors.window_work import State as State
from processors.window_work import WindowWork, index_in, waiting_name
from processors.windows import (
    Position,
    Tally,
    Window,
    WindowRules,
    by_place,
    decode_window,
    window_name,
)
from streams.facts import Millis

_PROGRESS: Final = "progress"


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far the activity is read (`position`), and what time it is by log and by event.

    `clock` is the newest time of the log seen, `watermark` the event time before which nothing is
    expected. `waiting` are records whose deltas have not reached their windows; `too_late` counts
    the deltas that found none, of each size.
    """

    clock: Millis = 0
    watermark: Millis | None = None
    position: Position | None = None
    sources: dict[int, Source] = {}
    waiting: tuple[Position, ...] = ()
    too_late: dict[WindowSize, int] = {}


class Advanced(NamedTuple):
    """What time brought: records of windows to tell, and the windows that ended, by their end."""

    records: tuple[WindowRecord, ...] = ()
    ended: tuple[Window, ...] = ()


NOTHING: Final = Advanced()
_encode: Final = msgspec.msgpack.Encoder().encode
_progress: Final = msgspec.msgpack.Decoder(Progress).decode


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
        self._state[waiting_name(at)] = value
        self.progress = msgspec.structs.replace(
            before,
            clock=max(before.clock, logged_at),
            position=at,
            sources={**before.sources, record.source_partition: source},
            waiting=(*before.waiting, at),
        )
        self._state[_PROGRESS] = _encode(self.progress)

    def advance(self, clock: Millis, handled_at: Millis | None = None) -> Advanced:
        """Let the log's time go on; at most once in `flush_ms` anything comes of it.

        `handled_at`: a moment, all that lay in the log at which has been received; windows that
        had ended by then are closed.
        """
        before, rules = self.progress, self._rules
        index = index_in(self._state)
        if clock // rules.flush_ms <= before.clock // rules.flush_ms and not (
            handled_at is not None and index.unclosed
        ):
            return NOTHING
        clock = max(clock, before.clock)
        work = WindowWork(self._state, rules, index, clock)
        work.fill(before.waiting, before.watermark)
        now = watermark(before.sources, clock, rules.idle_ms)
        if now is not None and (before.watermark is None or now > before.watermark):
            reached: Millis | None = now
        else:
            reached = before.watermark
        if reached is not None:
            work.end(before.watermark, reached)
        if handled_at is not None:
            work.close(handled_at, reached)
        if clock // rules.provisional_ms > before.clock // rules.provisional_ms:
            work.tell_open(reached)
            work.make_room(reached)
        if clock // rules.correction_ms > before.clock // rules.correction_ms:
            work.tell_stale(reached)
            work.forget(reached)
        if not (work.save() or before.waiting):
            return NOTHING  # time passed, and nothing came of it
        self.progress = msgspec.structs.replace(
            before,
            clock=clock,
            watermark=reached,
            waiting=(),
            too_late=dict(Counter(before.too_late) + work.too_late),
        )
        self._state[_PROGRESS] = _encode(self.progress)
        for at in before.waiting:
            self._state.pop(waiting_name(at), None)
        return Advanced(tuple(work.records), tuple(work.ended))

    def window(self, size: WindowSize, start: Millis) -> Window | None:
        """Return a window that is kept."""
        value = self._state.get(window_name(size, start))
        return None if value is None else decode_window(value)

    def places(self, size: WindowSize, start: Millis) -> Mapping[str, Tally]:
        """Return the sums of a window by queue and channel; none of one that is not kept."""
        value = self._state.get(window_name(size, start))
        return {} if value is None else _places(value)


def too_late(state: State) -> Mapping[WindowSize, int]:
    """Return how many changes came for windows of each size that took no more, of all time."""
    value = state.get(_PROGRESS)
    return {} if value is None else _progress(value).too_late


@lru_cache(maxsize=1024)
def _places(value: bytes) -> Mapping[str, Tally]:
    """Return sums by place; remembered, as each is looked at for hours."""
    return by_place(decode_window(value))
