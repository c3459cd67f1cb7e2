"""Windows of event time as values: tumbling ones, hopping sums of them, and how one closes.

Law: a window's sums are the sum of the deltas that belong to it, whatever their order; what came
once counts once. Event time alone *ends* a window (`processors.watermark`), so a replay with the
same times ends the same windows on the same sums. It is *closed* only when all that lay in the log
at a moment after that has been received, however fast it came and in whatever order.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from operator import add, attrgetter
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from processors.conditions import DAY_MS, HOUR_MS, MINUTE_MS
from processors.confidence import Sample
from processors.days import day_of_instant, first_instant
from processors.guardrails import SAMPLE_MIN
from processors.signal_records import SEPARATOR, ActivityCell, WindowRecord, WindowSize
from streams.facts import Millis

PANE_MS: Final = 5 * MINUTE_MS
SIZES: Final[tuple[WindowSize, ...]] = ("5m", "1h", "1d")
_QUARTER_MS: Final = 15 * MINUTE_MS
"""Every zone's day begins on a quarter of an hour."""


class WindowRules(msgspec.Struct, frozen=True, kw_only=True):
    """When windows end, close, are corrected and forgotten; all lengths in milliseconds.

    A window ends `lateness_ms` after its end, by the watermark. It is corrected until it is
    forgotten; of hours only `hour_corrected_ms` after their end, since they are kept for what is
    usual on a weekday, and orders would go on crediting contacts of a month ago in all of them.
    One that closed is corrected, and so kept, for `history_ms` of the log's time at least: history
    is loaded faster than life, one topic after another.

    Sums reach windows every `flush_ms`, live views every `provisional_ms`, and corrections of
    closed windows are published every `correction_ms`. A tick closes `closed_max` windows at most;
    more than `windows_max`, or than `bytes_max` bytes of them, are not kept.
    """

    zone: str = "UTC"
    idle_ms: int = MINUTE_MS
    lateness_ms: int = MINUTE_MS
    flush_ms: int = 1_000
    provisional_ms: int = 5_000
    correction_ms: int = MINUTE_MS
    pane_kept_ms: int = 3 * HOUR_MS
    hour_corrected_ms: int = 2 * DAY_MS
    hour_kept_ms: int = 29 * DAY_MS
    day_kept_ms: int = 100 * DAY_MS
    history_ms: int = HOUR_MS
    closed_max: int = 500
    windows_max: int = 50_000
    bytes_max: int = 48 * 1024 * 1024

    def corrected_ms(self, size: WindowSize) -> int:
        """Return how long after its end a window still changes."""
        return {
            "5m": self.pane_kept_ms,
            "1h": self.hour_corrected_ms,
            "1d": self.day_kept_ms,
        }[size]

    def kept_ms(self, size: WindowSize) -> int:
        """Return how long after its end a window is remembered."""
        return {"5m": self.pane_kept_ms, "1h": self.hour_kept_ms, "1d": self.day_kept_ms}[size]


class Tally(NamedTuple):
    """The sums of `signal_records.Sums` but the squares: see there for what each counts."""

    chains: int = 0
    handled: int = 0
    abandoned: int = 0
    waited: int = 0
    wait_ms: int = 0
    handle_ms: int = 0
    resolved: int = 0
    unresolved: int = 0
    reopened: int = 0
    csat_good: int = 0
    csat_bad: int = 0
    offers_missed: int = 0
    in_contact: int = 0
    high_risk: int = 0
    credit_minor: int = 0
    booked_minor: int = 0
    refund_minor: int = 0
    net_minor: int = 0
    unattributed_minor: int = 0
    cost_minor: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally._make(map(add, self, other))


ZERO: Final = Tally()
_tally_of: Final = attrgetter(*Tally._fields)


class Credits(NamedTuple):
    """Handled chains, their net credits in minor units, and the sum of the squares of each."""

    handled: int = 0
    credit_minor: int = 0
    squares: int = 0

    def plus(self, other: "Credits") -> "Credits":
        """Return both together."""
        return Credits._make(map(add, self, other))

    @property
    def sample(self) -> Sample:
        """The chains as a sample of what they earned."""
        return Sample(self.handled, float(self.credit_minor), float(self.squares))


NO_CREDITS: Final = Credits()


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A segment of a window. `squares` is text, as it may exceed 64 bits; so is `closed_squares`.

    `closed_handled` and `closed_credit_minor` are as they were known when the window ended:
    credits go on coming for weeks, so windows of unlike age can only be compared by these.
    """

    tally: Tally = ZERO
    squares: str = "0"
    revision: int = 0
    told: bool = True
    closed_handled: int = 0
    closed_credit_minor: int = 0
    closed_squares: str = "0"

    @property
    def credits(self) -> Credits:
        """What the chains have earned by now (DEF-RPC)."""
        return Credits(self.tally.handled, self.tally.credit_minor, int(self.squares))

    @property
    def credits_at_close(self) -> Credits:
        """What they had earned when the window ended."""
        return Credits(self.closed_handled, self.closed_credit_minor, int(self.closed_squares))


NO_PART: Final = Part()


class Position(NamedTuple):
    """Where a record lies in its topic and partition."""

    epoch: int
    offset: int

    def is_after(self, other: "Position | None") -> bool:
        """Say whether it is newer; a log of another epoch is another log."""
        return other is None or self.epoch != other.epoch or self.offset > other.offset


class Delta(NamedTuple):
    """What a record changed of a minute and segment; `squares` is text of a sum of squares."""

    minute: Millis
    segment: str
    tally: Tally
    squares: str


class Window(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """[start, end) and the sums of its segments ("QUEUE NUL CHANNEL NUL TEAM NUL CURRENCY").

    `upto` is the newest record whose deltas are in it; `since` the log's time at which it ended
    or, once closed, closed.
    """

    size: WindowSize
    start: Millis
    end: Millis
    closed: bool = False
    upto: Position | None = None
    parts: dict[str, Part] = {}
    since: Millis = 0

    @property
    def key(self) -> str:
        """Its name in a state."""
        return window_name(self.size, self.start)


_encode_window: Final = msgspec.msgpack.Encoder().encode
_decode_window: Final = msgspec.msgpack.Decoder(Window).decode
_REMEMBERED: Final = 128
_decoded: Final[dict[bytes, Window]] = {}
"""Windows by their encoding: what is written is read again at once, and by every baseline."""


def encode_window(window: Window) -> bytes:
    """Return a window as bytes."""
    value = _encode_window(window)
    _remember(value, window)
    return value


def decode_window(value: bytes) -> Window:
    """Return the window that was encoded so."""
    window = _decoded.get(value)
    if window is None:
        window = _decode_window(value)
        _remember(value, window)
    return window


def _remember(value: bytes, window: Window) -> None:
    if len(_decoded) >= _REMEMBERED:
        _decoded.pop(next(iter(_decoded)), None)
    _decoded[value] = window


def window_name(size: WindowSize, start: Millis) -> str:
    """Return the name of a window in a state."""
    return f"{size} {start}"


def bounds(size: WindowSize, at: Millis, zone: str) -> tuple[Millis, Millis]:
    """Return [start, end) of the window of a size that an instant falls into."""
    if size == "1d":
        return _day(at - at % _QUARTER_MS, zone)
    width = PANE_MS if size == "5m" else HOUR_MS
    start = at - at % width
    return start, start + width


@lru_cache(maxsize=4096)
def _day(at: Millis, zone: str) -> tuple[Millis, Millis]:
    info = ZoneInfo(zone)
    day = date(1970, 1, 1) + timedelta(days=day_of_instant(at, info))
    after = day + timedelta(days=1)
    return first_instant(day.isoformat(), info), first_instant(after.isoformat(), info)


def weekday(at: Millis, zone: str) -> int:
    """Return the local day of the week of an instant, 0 for Monday."""
    return (day_of_instant(at, ZoneInfo(zone)) + 3) % 7


def delta_of(cell: ActivityCell) -> Delta:
    """Return a cell of a record as a delta."""
    segment = SEPARATOR.join((cell.queue, cell.channel, cell.team, cell.currency))
    return Delta(cell.minute, segment, Tally._make(_tally_of(cell)), cell.credit_minor2)


def with_deltas(window: Window, found: Sequence[tuple[Position, Delta]]) -> Window:
    """Return a window with the deltas it does not hold yet, given in the order of the log."""
    new = [(at, delta) for at, delta in found if at.is_after(window.upto)]
    if not new:
        return window
    parts = dict(window.parts)
    for _, delta in new:
        part = parts.get(delta.segment, NO_PART)
        squares = delta.squares
        parts[delta.segment] = msgspec.structs.replace(
            part,
            tally=part.tally.plus(delta.tally),
            squares=part.squares if squares == "0" else str(int(part.squares) + int(squares)),
            told=False,
        )
    return msgspec.structs.replace(window, parts=parts, upto=new[-1][0])


def ended(window: Window, clock: Millis) -> Window:
    """Return a window whose time is over at the log's time `clock`: its credits are noted."""
    parts = {
        segment: msgspec.structs.replace(
            part,
            told=False,
            closed_handled=part.tally.handled,
            closed_credit_minor=part.tally.credit_minor,
            closed_squares=part.squares,
        )
        for segment, part in window.parts.items()
    }
    return msgspec.structs.replace(window, parts=parts, since=clock)


def closed(window: Window, clock: Millis) -> Window:
    """Return a window closed at the log's time `clock`: all its segments are to be told."""
    return msgspec.structs.replace(untold(window), closed=True, since=clock)


def untold(window: Window) -> Window:
    """Return a window all of whose segments are to be told."""
    parts = {
        segment: msgspec.structs.replace(part, told=False) for segment, part in window.parts.items()
    }
    return msgspec.structs.replace(window, parts=parts)


def told(
    window: Window, as_of: Millis | None, *, incomplete: bool = False
) -> tuple[Window, tuple[WindowRecord, ...]]:
    """Return a window as told, and the records of its segments that were not told yet."""
    new = {
        segment: msgspec.structs.replace(part, told=True, revision=part.revision + 1)
        for segment, part in window.parts.items()
        if not part.told
    }
    if not new:
        return window, ()
    records = tuple(
        _record(window, segment, part, as_of, incomplete=incomplete)
        for segment, part in new.items()
    )
    return msgspec.structs.replace(window, parts={**window.parts, **new}), records


def _record(
    window: Window, segment: str, part: Part, as_of: Millis | None, *, incomplete: bool
) -> WindowRecord:
    queue, channel, team, currency = segment.split(SEPARATOR)
    sample = part.credits.sample
    mean = sample.mean if sample.n >= SAMPLE_MIN else None
    interval = sample.interval() if mean is not None else None
    return WindowRecord(
        size=window.size,
        start=window.start,
        end=window.end,
        queue=queue,
        channel=channel,
        team=team,
        currency=currency,
        revision=part.revision,
        closed=window.closed,
        rpc_minor=None if mean is None else round(mean),
        rpc_low_minor=None if interval is None else round(interval.low),
        rpc_high_minor=None if interval is None else round(interval.high),
        as_of=as_of,
        incomplete=incomplete,
        credit_minor2=part.squares,
        **part.tally._asdict(),
    )


def hop(windows: Iterable[Window], start: Millis, end: Millis) -> dict[str, Part]:
    """Return the sums of the windows within [start, end) by segment: a hopping window of them."""
    sums: dict[str, Part] = {}
    for window in windows:
        if window.start < start or window.end > end:
            continue
        for segment, part in window.parts.items():
            sums[segment] = _together(sums[segment], part) if segment in sums else part
    return sums


def by_place(window: Window) -> dict[str, Tally]:
    """Return the sums of a window by "QUEUE NUL CHANNEL", of all teams and currencies."""
    sums: dict[str, Tally] = {}
    for segment, part in window.parts.items():
        place = SEPARATOR.join(segment.split(SEPARATOR, 2)[:2])
        sums[place] = sums[place].plus(part.tally) if place in sums else part.tally
    return sums


def _together(one: Part, other: Part) -> Part:
    at_close = one.credits_at_close.plus(other.credits_at_close)
    return Part(
        one.tally.plus(other.tally),
        str(int(one.squares) + int(other.squares)),
        closed_handled=at_close.handled,
        closed_credit_minor=at_close.credit_minor,
        closed_squares=str(at_close.squares),
    )
