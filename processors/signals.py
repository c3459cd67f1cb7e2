"""Signals: from what journeys publish to windows and alerts, for whichever host holds the state.

Law: nothing is remembered between calls but the state, which says itself how far it goes; so every
host that gives it back gives the same alerts. Time reaches it by the log's time of a record before
that record, and by ticks: a tick brings forward what the next record would have brought, and says
alone that data is late.

Churn is judged where it lies, in the customer's partition; activity, and with it every window and
segment, in partition 0. A host ticks only once journeys and it have read to the end: a tick says
that nothing came until then.

Keys: those of `window_book`, "usual", "watch" (what holds of segments), "alerts" (their memory),
"customer ID", "wakes" (when a customer's snooze ends), "time" (how far that of customers has come),
"at TOPIC" (how far a topic is read), and "version"; all of them are those of `signal_state`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from processors import earning
from processors.alert_rules import AlertRules
from processors.alerts import act, decide, wakes_at
from processors.conditions import DAY_MS, HOUR_MS, Condition, Figure
from processors.lateness import data_late, is_live, late_sources
from processors.rising import customer, segments
from processors.service import REACH, missed, overload
from processors.signal_records import (
    ActivityRecord,
    AlertAction,
    AlertRecord,
    ChurnRecord,
    window_key,
)
from processors.signal_state import (
    CustomerState,
    SegmentState,
    customer_of,
    memory_of,
    note_version,
    position_of,
    put_memory,
    put_position,
    put_usual,
    put_watch,
    readable,
    set_wake,
    usual_in,
    wakes_in,
    watch_of,
    whole_rules,
)
from processors.silent import keep, note_time, sweep, watch_at
from processors.usual import Usual, by_queue, usual_of
from processors.window_book import Advanced, State, WindowBook
from processors.window_work import read_activity
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


_json: Final = msgspec.json.Encoder().encode
_Read: TypeAlias = ChurnRecord | ActivityRecord | AlertAction | Notice
_READ: Final[Mapping[str, Callable[[bytes], _Read]]] = {
    CHURN: msgspec.json.Decoder(ChurnRecord).decode,
    ACTIVITY: read_activity,
    ALERT_ACTIONS: msgspec.json.Decoder(AlertAction).decode,
    AUDIT: msgspec.json.Decoder(Notice).decode,
}


class Signals:
    """The handler of signals: pure, whatever the host."""

    def __init__(self, rules: AlertRules, windows: WindowRules | None = None) -> None:
        self._rules = rules
        self._windows = windows or WindowRules()

    def apply(self, state: State, arrived: Arrived) -> list[Emitted]:
        """Take a record into the state of its partition number; return what it makes known.

        Raises Refused where the record cannot be read, and StateRefused where the state cannot.
        """
        if arrived.value is None:
            return []
        try:
            record = _READ[arrived.topic](arrived.value)
        except msgspec.ValidationError as problem:
            raise Refused("wrong_type", str(problem)) from problem
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise Refused("not_json", "the value is not JSON") from problem
        with readable(state):
            note_version(state)
            if isinstance(record, ActivityRecord):
                return self._activity(state, arrived, arrived.value, record)
            at, before = Position(arrived.epoch, arrived.offset), position_of(state, arrived.topic)
            if before is not None and not at.is_after(before):
                return []
            told = self._other(state, arrived, record)
            put_position(state, arrived.topic, at)
            return told

    def tick(self, state: State, partition: int, now: Millis) -> list[Emitted]:
        """Do what only time brings about: windows that close, data that is late, snoozes' ends."""
        with readable(state):
            told = self._wake(state, now) + _alerts(sweep(self._rules, state, now))
            if partition != 0:
                return told
            book = WindowBook(state, self._windows)
            told += self._passed(state, book, book.advance(now, now), now)
            return told + self._late(state, book, now)

    def _other(
        self, state: State, arrived: Arrived, record: ChurnRecord | AlertAction | Notice
    ) -> list[Emitted]:
        if isinstance(record, ChurnRecord):
            return self._churn(state, arrived, record)
        if isinstance(record, AlertAction):
            return self._answered(state, record, arrived.logged_at)
        return self._audit(state, arrived, record)

    # Customers

    def _churn(self, state: State, arrived: Arrived, record: ChurnRecord) -> list[Emitted]:
        name = f"customer {record.customer_id}"
        held = customer_of(state, name)
        before, now = held or CustomerState(), arrived.logged_at
        note_time(state, min(record.as_of, now))
        conditions, watch = customer(
            record,
            watch_at(self._rules, before, record.as_of),
            _place(arrived),
            self._rules.thresholds,
        )
        if held is None and not conditions:
            return []
        records, memory = decide(
            self._rules, conditions, before.memory, now, whole_rules(state), record.as_of
        )
        at = max(before.at, record.as_of)
        keep(self._rules, state, name, CustomerState(watch, memory, at), at)
        return _alerts(records)

    def _wake(self, state: State, now: Millis) -> list[Emitted]:
        """Tell alerts of customers again whose snooze is over."""
        told: list[Emitted] = []
        for name in sorted(name for name, at in wakes_in(state).items() if at <= now):
            before = customer_of(state, name)
            if before is None:
                set_wake(state, name, None)
                continue
            records, memory = decide(self._rules, (), before.memory, now, whole_rules(state))
            keep(
                self._rules, state, name, msgspec.structs.replace(before, memory=memory), before.at
            )
            told += _alerts(records)
        return told

    # Answers and alarms

    def _answered(self, state: State, action: AlertAction, now: Millis) -> list[Emitted]:
        if action.subject_kind == "customer" and action.subject:
            name = f"customer {action.subject}"
            held = customer_of(state, name)
            before = held or CustomerState()
            records, memory = act(self._rules, action, before.memory, now)
            if held is not None or memory.snoozes:
                after = msgspec.structs.replace(before, memory=memory)
                keep(self._rules, state, name, after, before.at)
            return _alerts(records)
        records, memory = act(self._rules, action, memory_of(state), now)
        put_memory(state, memory)
        return _alerts(records)

    def _audit(self, state: State, arrived: Arrived, notice: Notice) -> list[Emitted]:
        watch = watch_of(state)
        if notice.kind == "alarm":
            name = f"{notice.law}: {notice.subject}"
            alarms = (*(each for each in watch.alarms if each != name), name)
            changed = {name: True}
        elif notice.kind == "resume":
            alarms, changed = (), dict.fromkeys(watch.alarms, False)
        else:
            return []
        put_watch(state, msgspec.structs.replace(watch, alarms=alarms))
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

    def _activity(
        self, state: State, arrived: Arrived, value: bytes, record: ActivityRecord
    ) -> list[Emitted]:
        book, at = WindowBook(state, self._windows), Position(arrived.epoch, arrived.offset)
        if not book.is_new(at):
            return []
        now = arrived.logged_at
        until = _silent_until(book, record, now, self._windows)
        told = self._passed(state, book, book.advance(until), now)
        book.receive(at, value, record, now)
        return told

    def _passed(self, state: State, book: WindowBook, came: Advanced, now: Millis) -> list[Emitted]:
        """Let time go on: windows end and are judged in the order of their end."""
        told = [Emitted(WINDOWS, window_key(each), _json(each)) for each in came.records]
        watch = before = watch_of(state)
        conditions: list[Condition] = []
        for window in came.ended:
            if window.end > watch.judged.get(window.size, 0):
                found, watch = self._judge(state, book, window, watch)
                conditions += found
        if watch != before:
            put_watch(state, watch)
        wakes = wakes_at(memory_of(state))
        if came.ended or (wakes is not None and wakes <= now):
            time = max((window.end for window in came.ended), default=None)
            told += self._decide(state, conditions, now, time)
        return told

    def _decide(
        self,
        state: State,
        conditions: Sequence[Condition],
        now: Millis,
        time: Millis | None = None,
    ) -> list[Emitted]:
        """Decide on conditions in their order, then on what has ended by the time that has come."""
        told: list[Emitted] = []
        memory = before = memory_of(state)
        records, memory = decide(self._rules, (), memory, now)
        told += _alerts(records)
        for condition in conditions:
            records, memory = decide(self._rules, (condition,), memory, now)
            told += _alerts(records)
        records, memory = decide(self._rules, (), memory, now, time=time)
        told += _alerts(records)
        if memory != before:
            put_memory(state, memory)
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
        usual = usual_in(state)
        if usual is not None and usual.day == day:
            return usual
        usual = usual_of(day, lambda start: book.places("1h", start), self._windows.zone)
        put_usual(state, usual)
        return usual

    def _late(self, state: State, book: WindowBook, now: Millis) -> list[Emitted]:
        """Say whether data is late, once it was live: an import of old facts never was.

        A tick alone may say so: while records come, others may still be on their way here.
        """
        progress, thresholds, before = book.progress, self._rules.thresholds, watch_of(state)
        if not (before.live or is_live(progress.sources, now, thresholds)):
            return []
        usual = self._usual(state, book, now)
        silent = late_sources(progress.sources, usual, now, thresholds, before.silent)
        after = msgspec.structs.replace(before, live=True, late=bool(silent), silent=silent)
        if after != before:
            put_watch(state, after)
        if not silent and not before.late:
            return []
        assert progress.position is not None
        place = f"{ACTIVITY}-0-{progress.position.offset}"
        condition = data_late(silent, len(progress.sources), usual, now, SYSTEM, place)
        return self._decide(state, [condition], now)


def _silent_until(
    book: WindowBook, record: ActivityRecord, now: Millis, rules: WindowRules
) -> Millis:
    """Return until when nothing had come before a record, as far as that can be said.

    Where no source has spoken for a while it may have been journeys that stood still: then what
    they found of that time begins with the earliest minute of the first record.
    """
    if any(now - each.heard_at < rules.idle_ms for each in book.progress.sources.values()):
        return now
    return min(now, min((cell.minute for cell in record.cells), default=0))


def _place(arrived: Arrived) -> str:
    return f"{arrived.topic}-{arrived.partition}-{arrived.offset}"


def _alerts(records: Sequence[AlertRecord]) -> list[Emitted]:
    return [Emitted(ALERTS, each.alert_id.encode(), _json(each)) for each in records]
