"""Signals: from what journeys publish to windows and alerts, for whichever host holds the state.

Law: nothing is remembered between calls but the state, which says itself how far it goes; so every
host that gives it back gives the same alerts. Time reaches it by the log's time of a record before
that record, and by ticks: a tick brings forward what the next record would have brought, no more.

Churn is judged where it lies, in the customer's partition; activity, and with it every window and
segment, in partition 0. A host ticks only once it has read to the end: a tick says that nothing
came until then.

Keys: those of `window_book`, "usual", "watch" (what holds of segments), "alerts" (their memory),
"customer ID", "wakes" (when a customer's snooze ends), "at TOPIC" (how far a topic is read).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal, TypeVar

import msgspec

from processors import earning
from processors.alert_rules import AlertRules
from processors.alerts import AlertMemory, Snooze, act, decide, is_open, wakes_at
from processors.conditions import DAY_MS, HOUR_MS, Condition, Figure
from processors.detecting import Held
from processors.lateness import data_late, is_live, late_sources
from processors.rising import CALM, SegmentWatch, Watch, customer, segments
from processors.service import REACH, missed, overload
from processors.signal_records import (
    AlertAction,
    AlertRecord,
    ChurnRecord,
    WindowSize,
    window_key,
)
from processors.usual import Usual, by_queue, usual_of
from processors.window_book import Advanced, State, WindowBook, read_activity
from processors.windows import PANE_MS, Position, Tally, Window, WindowRules, bounds
from streams.facts import Millis
from streams.invalid import Refused
from streams.signal_host import Arrived, Emitted
from streams.topics import ACTIVITY, ALERT_ACTIONS, ALERTS, AUDIT, CHURN, WINDOWS

SYSTEM: Final = "activity"
"""The part of the system that data_late is about."""


class Notice(msgspec.Struct, frozen=True):
    """What of a notice of the auditor matters here; see `pnl.audit.v1`."""

    kind: Literal["alarm", "repair", "resume"]
    at: Millis
    law: str = ""
    subject: str = ""
    detail: str = ""
    halts: bool = False


class CustomerState(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a customer: only of those who have an alert, or may get one."""

    watch: Watch = CALM
    memory: AlertMemory = AlertMemory()
    at: Millis = 0


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


_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_pack: Final = msgspec.msgpack.Encoder().encode
_json: Final = msgspec.json.Encoder().encode
_positions: Final = msgspec.msgpack.Decoder(Position).decode
_customers: Final = msgspec.msgpack.Decoder(CustomerState).decode
# What every call reads and few change is decoded once; the values are frozen.
_segments: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(SegmentState).decode)
_usuals: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(Usual).decode)
_memories: Final = lru_cache(maxsize=4)(msgspec.msgpack.Decoder(AlertMemory).decode)
_wakes: Final = msgspec.msgpack.Decoder(dict[str, Millis]).decode
_churn: Final = msgspec.json.Decoder(ChurnRecord).decode
_action: Final = msgspec.json.Decoder(AlertAction).decode
_notice: Final = msgspec.json.Decoder(Notice).decode

_SEGMENTS: Final = "watch"
_USUAL: Final = "usual"
_ALERTS: Final = "alerts"
_WAKES: Final = "wakes"


class Signals:
    """The handler of signals: pure, whatever the host."""

    def __init__(self, rules: AlertRules, windows: WindowRules | None = None) -> None:
        self._rules = rules
        self._windows = windows or WindowRules()
        self._cooldown_ms = max((rule.cooldown_ms for rule in rules.rules), default=0)

    def apply(self, state: State, arrived: Arrived) -> list[Emitted]:
        """Take a record into the state of its partition number; return what it makes known.

        Raises Refused where the record cannot be read.
        """
        if arrived.value is None:
            return []
        try:
            if arrived.topic == ACTIVITY:
                return self._activity(state, arrived, arrived.value)
            at = Position(arrived.epoch, arrived.offset)
            key = f"at {arrived.topic}"
            before = state.get(key)
            if before is not None and not at.is_after(_positions(before)):
                return []
            told = self._other(state, arrived, arrived.value)
        except msgspec.ValidationError as problem:
            raise Refused("wrong_type", str(problem)) from problem
        except msgspec.DecodeError as problem:
            raise Refused("not_json", "the value is not JSON") from problem
        state[key] = _pack(at)
        return told

    def tick(self, state: State, partition: int, now: Millis) -> list[Emitted]:
        """Do what only time brings about: windows that close, data that is late, snoozes' ends."""
        told = self._wake(state, now)
        if partition != 0:
            return told
        book = WindowBook(state, self._windows)
        return told + self._passed(state, book, now)

    def _other(self, state: State, arrived: Arrived, value: bytes) -> list[Emitted]:
        if arrived.topic == CHURN:
            return self._churn(state, arrived, _churn(value))
        if arrived.topic == ALERT_ACTIONS:
            return self._answered(state, _action(value), arrived.logged_at)
        assert arrived.topic == AUDIT, "a host gives only what it was asked for"
        return self._audit(state, arrived, _notice(value))

    # Customers

    def _churn(self, state: State, arrived: Arrived, record: ChurnRecord) -> list[Emitted]:
        name = f"customer {record.customer_id}"
        value = state.get(name)
        before = CustomerState() if value is None else _customers(value)
        thresholds = self._rules.thresholds
        conditions, watch = customer(record, before.watch, _place(arrived), thresholds)
        if value is None and not conditions:
            return []
        records, memory = decide(
            self._rules, conditions, before.memory, arrived.logged_at, _whole_rules(state)
        )
        self._keep(state, name, CustomerState(watch, memory, max(before.at, record.as_of)))
        return _alerts(records)

    def _keep(self, state: State, name: str, after: CustomerState) -> None:
        """Write a customer's state; one of whom nothing is open, and no cool-down runs, is gone."""
        alerts = [each.alert for each in after.memory.known if each.alert is not None]
        matters = after.watch != CALM or any(
            is_open(alert) or after.at - alert.raised_at < self._cooldown_ms for alert in alerts
        )
        if matters or after.memory.snoozes:
            state[name] = _pack(after)
        else:
            state.pop(name, None)
        _set_wake(state, name, wakes_at(after.memory))

    def _wake(self, state: State, now: Millis) -> list[Emitted]:
        """Tell alerts of customers again whose snooze is over."""
        value = state.get(_WAKES)
        if value is None:
            return []
        told: list[Emitted] = []
        for name in sorted(name for name, at in _wakes(value).items() if at <= now):
            held = state.get(name)
            if held is None:
                _set_wake(state, name, None)
                continue
            before = _customers(held)
            records, memory = decide(self._rules, (), before.memory, now, _whole_rules(state))
            self._keep(state, name, msgspec.structs.replace(before, memory=memory))
            told += _alerts(records)
        return told

    # Answers and alarms

    def _answered(self, state: State, action: AlertAction, now: Millis) -> list[Emitted]:
        if action.subject_kind == "customer" and action.subject:
            name = f"customer {action.subject}"
            value = state.get(name)
            before = CustomerState() if value is None else _customers(value)
            records, memory = act(self._rules, action, before.memory, now)
            if value is not None or memory.snoozes:
                self._keep(state, name, msgspec.structs.replace(before, memory=memory))
            return _alerts(records)
        records, memory = act(self._rules, action, _memory(state), now)
        _set(state, _ALERTS, memory)
        return _alerts(records)

    def _audit(self, state: State, arrived: Arrived, notice: Notice) -> list[Emitted]:
        watch = _watch(state)
        if notice.kind == "alarm":
            name = f"{notice.law}: {notice.subject}"
            alarms = (*(each for each in watch.alarms if each != name), name)
            changed = {name: True}
        elif notice.kind == "resume":
            alarms, changed = (), dict.fromkeys(watch.alarms, False)
        else:
            return []
        _set(state, _SEGMENTS, msgspec.structs.replace(watch, alarms=alarms))
        conditions = [
            Condition(
                rule_kind="reconciliation_failure",
                subject_kind="system",
                subject=name,
                holds=holds,
                at=notice.at,
                place=_place(arrived),
                headline=f"The books do not reconcile: {name}",
                figures=(Figure("the sink is halted", int(notice.halts), "count"),),
                reasons=(notice.detail,) if notice.detail else (),
            )
            for name, holds in changed.items()
        ]
        return self._decide(state, conditions, arrived.logged_at)

    # Windows

    def _activity(self, state: State, arrived: Arrived, value: bytes) -> list[Emitted]:
        book, at = WindowBook(state, self._windows), Position(arrived.epoch, arrived.offset)
        if not book.is_new(at):
            return []
        record = read_activity(value)
        told = self._passed(state, book, arrived.logged_at)
        book.receive(at, value, record, arrived.logged_at)
        return told

    def _passed(self, state: State, book: WindowBook, now: Millis) -> list[Emitted]:
        """Let time go on to `now`: windows close and are judged in the order of their end."""
        advanced: Advanced = book.advance(now)
        told = [Emitted(WINDOWS, window_key(each), _json(each)) for each in advanced.records]
        watch = before = _watch(state)
        conditions: list[Condition] = []
        for window in advanced.closed:
            if window.end > watch.judged.get(window.size, 0):
                found, watch = self._judge(state, book, window, watch)
                conditions += found
        found, watch = self._late(state, book, watch, now)
        conditions += found
        if watch != before:
            _set(state, _SEGMENTS, watch)
        memory = _memory(state)
        wakes = wakes_at(memory)
        if conditions or (wakes is not None and wakes <= now):
            told += self._decide(state, conditions, now)
        return told

    def _decide(self, state: State, conditions: Sequence[Condition], now: Millis) -> list[Emitted]:
        """Decide on conditions in their order: those of one moment together."""
        told: list[Emitted] = []
        memory = before = _memory(state)
        records, memory = decide(self._rules, (), memory, now)
        told += _alerts(records)
        for condition in conditions:
            records, memory = decide(self._rules, (condition,), memory, now)
            told += _alerts(records)
        if memory != before:
            _set(state, _ALERTS, memory)
        return told

    def _judge(
        self, state: State, book: WindowBook, window: Window, watch: SegmentState
    ) -> tuple[list[Condition], SegmentState]:
        """Judge a window that has closed; return what holds, and what to remember."""
        watch = msgspec.structs.replace(watch, judged={**watch.judged, window.size: window.end})
        place = f"{WINDOWS} {window.size} {window.start}"
        thresholds = self._rules.thresholds
        if window.size == "1d":
            return self._judge_day(book, window, watch, place)
        usual = self._usual(state, book, window.start)
        if not usual.weeks:
            return [], watch
        if window.size == "5m":
            panes = [book.places("5m", window.start - age * PANE_MS) for age in range(REACH)]
            found, service = overload(panes, usual, watch.service, thresholds, window.end, place)
            return list(found), msgspec.structs.replace(watch, service=service)
        hour = by_queue(book.places("1h", window.start))
        so_far = self._so_far(book, usual.day, window.end)
        rising, risk = segments(hour, so_far, usual, watch.risk, thresholds, window.end, place)
        unmade, offers = missed(so_far, usual, watch.offers, thresholds, window.end, place)
        return [*rising, *unmade], msgspec.structs.replace(watch, risk=risk, offers=offers)

    def _judge_day(
        self, book: WindowBook, window: Window, watch: SegmentState, place: str
    ) -> tuple[list[Condition], SegmentState]:
        days, ages = [window], [0]
        for age in range(1, 29):
            start, _ = bounds("1d", window.start + DAY_MS // 2 - age * DAY_MS, self._windows.zone)
            day = book.window("1d", start)
            if day is not None:
                days.append(day)
                ages.append(age)
        t = self._rules.thresholds
        fell, revenue = earning.revenue_drop(days, ages, watch.revenue, t, place)
        hard, pressed = earning.pressed(days, ages, watch.pressed, t, place)
        moved, unearned = earning.unattributed(days, watch.unearned, t, place)
        after = msgspec.structs.replace(watch, revenue=revenue, pressed=pressed, unearned=unearned)
        return [*fell, *hard, *moved], after

    def _so_far(self, book: WindowBook, start: Millis, end: Millis) -> dict[str, Tally]:
        sums: dict[str, Tally] = {}
        for at in range(start - start % HOUR_MS, end, HOUR_MS):
            for queue, tally in by_queue(book.places("1h", at)).items():
                sums[queue] = sums[queue].plus(tally) if queue in sums else tally
        return sums

    def _usual(self, state: State, book: WindowBook, at: Millis) -> Usual:
        """Return what the day of an instant usually is; worked out once a day."""
        day, _ = bounds("1d", at, self._windows.zone)
        value = state.get(_USUAL)
        if value is not None:
            usual = _usuals(value)
            if usual.day == day:
                return usual
        usual = usual_of(day, lambda start: book.places("1h", start), self._windows.zone)
        _set(state, _USUAL, usual)
        return usual

    def _late(
        self, state: State, book: WindowBook, watch: SegmentState, now: Millis
    ) -> tuple[list[Condition], SegmentState]:
        """Say whether data is late, once it was live: an import of old facts never was."""
        progress, thresholds = book.progress, self._rules.thresholds
        live = watch.live or is_live(progress.sources, now, thresholds)
        if not live:
            return [], watch
        watch = msgspec.structs.replace(watch, live=True)
        usual = self._usual(state, book, now)
        assert progress.position is not None
        place = f"{ACTIVITY}-0-{progress.position.offset}"
        silent = late_sources(progress.sources, usual, now, thresholds, watch.silent)
        if not silent and not watch.late:
            return [], watch
        watch = msgspec.structs.replace(watch, late=bool(silent), silent=silent)
        return [data_late(silent, len(progress.sources), usual, now, SYSTEM, place)], watch


def _place(arrived: Arrived) -> str:
    return f"{arrived.topic}-{arrived.partition}-{arrived.offset}"


def _alerts(records: Sequence[AlertRecord]) -> list[Emitted]:
    return [Emitted(ALERTS, each.alert_id.encode(), _json(each)) for each in records]


def _set(state: State, key: str, value: msgspec.Struct) -> None:
    state[key] = _pack(value)


def _memory(state: State) -> AlertMemory:
    value = state.get(_ALERTS)
    return AlertMemory() if value is None else _memories(value)


def _watch(state: State) -> SegmentState:
    value = state.get(_SEGMENTS)
    return SegmentState() if value is None else _segments(value)


def _whole_rules(state: State) -> tuple[Snooze, ...]:
    """Return the snoozes of whole rules, whatever the subject."""
    return tuple(each for each in _memory(state).snoozes if not each.subject)


def _set_wake(state: State, name: str, at: Millis | None) -> None:
    value = state.get(_WAKES)
    before = {} if value is None else _wakes(value)
    after = {key: each for key, each in before.items() if key != name}
    if at is not None:
        after[name] = at
    if after != before:
        state[_WAKES] = _pack(after)
