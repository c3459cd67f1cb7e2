"""What signals remember, as it lies in a state.

Law: a state that cannot be read is refused and stays as it is; no record is blamed for it. The key
"version" says by which layout it was written: structs only ever gained fields at the end, so an
older one is read, and a newer one is refused. There was none before the first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

import msgspec

from processors.alerts import AlertMemory, Snooze
from processors.detecting import Held
from processors.rising import CALM, SegmentWatch, Watch
from processors.signal_records import WindowSize
from processors.usual import Usual
from processors.window_book import State
from processors.windows import Position
from streams.facts import Millis

VERSION: Final = 2
"""2: of alerts also when something was last heard, and whether they eased; the time of customers.
"""


class StateRefused(Exception):
    """The state of signals is damaged, or a newer program wrote it: a person must look."""


class CustomerState(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a customer: only of those who have an alert, or may get one."""

    watch: Watch = CALM
    memory: AlertMemory = AlertMemory()
    at: Millis = 0


class CustomerTime(msgspec.Struct, frozen=True, array_like=True):
    """How far the event time of a partition's customers has come, in whole hours.

    `swept` is the one for which those were looked for last of whom nothing more is heard.
    """

    at: Millis = 0
    swept: Millis = 0


class SegmentState(msgspec.Struct, frozen=True, array_like=True):
    """What holds of segments; `judged` is the end of the newest window of each size so far.

    `silent` are the source partitions that are late, with the event time they stopped at.
    """

    judged: dict[WindowSize, Millis] = {}
    risk: dict[str, SegmentWatch] = {}
    service: dict[str, Held] = {}
    offers: dict[str, Held] = {}
    revenue: dict[str, Held] = {}
    pressed: dict[str, Held] = {}
    unearned: dict[str, Held] = {}
    live: bool = False
    late: bool = False
    alarms: tuple[str, ...] = ()
    silent: dict[int, Millis] = {}


_pack: Final = msgspec.msgpack.Encoder().encode
_version: Final = msgspec.msgpack.Decoder(int).decode
_position: Final = msgspec.msgpack.Decoder(Position).decode
_customer: Final = msgspec.msgpack.Decoder(CustomerState).decode
# What every call reads and few change is decoded once; the values are frozen.
_segments: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(SegmentState).decode)
_usual: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(Usual).decode)
_memory: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(AlertMemory).decode)
_time: Final = msgspec.msgpack.Decoder(CustomerTime).decode
_wakes: Final = msgspec.msgpack.Decoder(dict[str, Millis]).decode

_VERSION: Final = "version"
_SEGMENTS: Final = "watch"
_USUAL: Final = "usual"
_ALERTS: Final = "alerts"
_WAKES: Final = "wakes"
_TIME: Final = "time"
_CUSTOMER: Final = "customer "


@contextmanager
def readable(state: State) -> Iterator[None]:
    """Work with a state: StateRefused if it is newer, or if anything in it cannot be read."""
    try:
        value = state.get(_VERSION)
        found = 0 if value is None else _version(value)
        if found > VERSION:
            raise StateRefused(
                f"that of signals has version {found}, and this program reads {VERSION}: run the"
                " program that wrote it"
            )
        yield
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise StateRefused(f"that of signals cannot be read: {problem}") from problem


def note_version(state: State) -> None:
    """Write by which layout the state is written."""
    if (value := _pack(VERSION)) != state.get(_VERSION):
        state[_VERSION] = value


def put_customer(state: State, name: str, held: CustomerState) -> None:
    """Write what is remembered of "customer ID"."""
    state[name] = _pack(held)


def position_of(state: State, topic: str) -> Position | None:
    """Return how far a topic is read."""
    value = state.get(f"at {topic}")
    return None if value is None else _position(value)


def put_position(state: State, topic: str, at: Position) -> None:
    """Write how far a topic is read."""
    state[f"at {topic}"] = _pack(at)


def customer_of(state: State, name: str) -> CustomerState | None:
    """Return what is remembered of "customer ID"."""
    value = state.get(name)
    return None if value is None else _customer(value)


def customers_in(state: State) -> list[str]:
    """Return the names of all customers of whom something is remembered, in order."""
    return sorted(name for name in state if name.startswith(_CUSTOMER))


def time_of(state: State) -> CustomerTime:
    """Return how far the event time of customers has come."""
    value = state.get(_TIME)
    return CustomerTime() if value is None else _time(value)


def put_time(state: State, time: CustomerTime) -> None:
    """Write how far the event time of customers has come."""
    state[_TIME] = _pack(time)


def watch_of(state: State) -> SegmentState:
    """Return what holds of segments."""
    value = state.get(_SEGMENTS)
    return SegmentState() if value is None else _segments(value)


def put_watch(state: State, watch: SegmentState) -> None:
    """Write what holds of segments."""
    state[_SEGMENTS] = _pack(watch)


def memory_of(state: State) -> AlertMemory:
    """Return what is remembered of alerts of segments and of the system."""
    value = state.get(_ALERTS)
    return AlertMemory() if value is None else _memory(value)


def put_memory(state: State, memory: AlertMemory) -> None:
    """Write what is remembered of alerts of segments and of the system."""
    state[_ALERTS] = _pack(memory)


def usual_in(state: State) -> Usual | None:
    """Return the usual figures that were worked out last."""
    value = state.get(_USUAL)
    return None if value is None else _usual(value)


def put_usual(state: State, usual: Usual) -> None:
    """Write the usual figures of a day."""
    state[_USUAL] = _pack(usual)


def whole_rules(state: State) -> tuple[Snooze, ...]:
    """Return the snoozes of whole rules, whatever the subject."""
    return tuple(each for each in memory_of(state).snoozes if not each.subject)


def wakes_in(state: State) -> dict[str, Millis]:
    """Return when the snooze of each customer ends who has one."""
    value = state.get(_WAKES)
    return {} if value is None else _wakes(value)


def set_wake(state: State, name: str, at: Millis | None) -> None:
    """Write when the snooze of a customer ends; None: there is none."""
    before = wakes_in(state)
    after = {key: each for key, each in before.items() if key != name}
    if at is not None:
        after[name] = at
    if after != before:
        state[_WAKES] = _pack(after)
