"""When people are told: raised once, cleared when it is over, quiet when asked to be.

Law: event time decides what is raised and what is over, so a replay raises the same alerts under
the same ids; `now`, the log's time, decides only when somebody is told. Of one subject a rule tells
at most once in its cool-down, and what a person says of one alert changes no other.

An alert is *open* while its last revision is raised, acknowledged or snoozed; a revision is the
whole alert once more, with a higher number. What this module remembers of a subject is an
`AlertMemory`; whoever calls keeps it, one per subject (`processors.signals` keeps them in its
state), and gives the snoozes of whole rules beside it.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from processors.alert_rules import AlertRule, AlertRules
from processors.conditions import Condition
from processors.signal_records import AlertAction, AlertFigure, AlertRecord, AlertState, SubjectKind
from streams.facts import Millis

ID_DIGITS: Final = 16
CONTACTS_MAX: Final = 50
"""So much evidence stands in an alert; its figures are of all of it."""


class Snooze(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Somebody's wish to hear nothing until a moment: of a rule, a subject, or both ("" is any)."""

    rule: str
    subject_kind: SubjectKind
    subject: str
    until: Millis
    by: str
    note: str = ""

    def covers(self, rule: str, subject_kind: str, subject: str) -> bool:
        """Say whether it is about this rule and subject."""
        return self.rule in ("", rule) and (
            not self.subject or (self.subject_kind, self.subject) == (subject_kind, subject)
        )


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one rule and one subject.

    `alert` is the last revision of the last alert. `held_since` and `fell_since` are event times
    since which the condition holds or no longer does; one of them is None, and both are before the
    first condition.
    """

    rule: str
    subject_kind: SubjectKind
    subject: str
    held_since: Millis | None = None
    fell_since: Millis | None = None
    alert: AlertRecord | None = None


class AlertMemory(msgspec.Struct, frozen=True, array_like=True):
    """What must be remembered of some subjects between two decisions."""

    known: tuple[Remembered, ...] = ()
    snoozes: tuple[Snooze, ...] = ()


NOTHING: Final = AlertMemory()
_Decision = tuple[tuple[AlertRecord, ...], AlertMemory]


def alert_id(rule: str, subject: str, place: str) -> str:
    """Return the name of the alert that a record at this place raised: 16 hex digits of SHA-256."""
    return hashlib.sha256("\0".join((rule, subject, place)).encode()).hexdigest()[:ID_DIGITS]


def wakes_at(memory: AlertMemory) -> Millis | None:
    """Return when the first snooze of an open alert ends: `decide` must be called again by then."""
    ends = [
        each.alert.quiet_until
        for each in memory.known
        if each.alert is not None
        and each.alert.state == "snoozed"
        and each.alert.quiet_until is not None
    ]
    return min(ends, default=None)


def is_open(alert: AlertRecord | None) -> bool:
    """Say whether somebody still has to look after an alert."""
    return alert is not None and alert.state != "cleared"


def decide(
    rules: AlertRules,
    conditions: Sequence[Condition],
    memory: AlertMemory,
    now: Millis,
    snoozes: Sequence[Snooze] = (),
) -> _Decision:
    """Return what is to be told of these conditions, and what to remember.

    `snoozes` are those of whole rules, kept apart from any subject's memory. A memory that comes
    back as it went (`is`) need not be stored. Open alerts whose snooze ended are told again,
    whether or not there is a condition of theirs.
    """
    told: list[AlertRecord] = []
    in_force = tuple(each for each in (*memory.snoozes, *snoozes) if each.until > now)
    known = {(each.rule, each.subject_kind, each.subject): each for each in memory.known}
    for condition in conditions:
        for rule in rules.of(condition.rule_kind):
            key = (rule.name, condition.subject_kind, condition.subject)
            if key in known or rule.takes(condition):
                before = known.get(key) or Remembered(*key)
                known[key] = _weighed(rule, condition, before, now, in_force, told)
    for key, each in known.items():
        known[key] = _woken(rules, each, now, in_force, told)
    kept = tuple(each for each in known.values() if _matters(each))
    snoozed = tuple(each for each in memory.snoozes if each.until > now)
    after = AlertMemory(kept, snoozed)
    return tuple(told), memory if after == memory else after


def act(rules: AlertRules, action: AlertAction, memory: AlertMemory, now: Millis) -> _Decision:
    """Return what an acknowledgement or snooze changes, and what to remember.

    With an `alert_id` it is about that alert alone, if it is still open; without one about what the
    action's `rule` and `subject` name ("" is any), now and until the snooze ends.
    """
    told: list[AlertRecord] = []
    snoozes = memory.snoozes
    if not action.alert_id and action.action != "ack":
        snoozes = tuple(
            each
            for each in snoozes
            if (each.rule, each.subject_kind, each.subject)
            != (action.rule, action.subject_kind, action.subject)
        )
        if action.action == "snooze" and action.until is not None and action.until > now:
            snoozes = (*snoozes, _snooze_of(action, action.until))
    known = tuple(_acted(rules, action, each, now, told) for each in memory.known)
    after = AlertMemory(known, snoozes)
    return tuple(told), memory if after == memory else after


def _weighed(
    rule: AlertRule,
    condition: Condition,
    before: Remembered,
    now: Millis,
    snoozes: Sequence[Snooze],
    told: list[AlertRecord],
) -> Remembered:
    """Take a condition into what is remembered; add what is to be told of it."""
    held, fell = _since(condition, before)
    alert = before.alert
    if alert is not None and is_open(alert):
        if fell is not None and condition.at - fell >= rule.clear_after_ms:
            alert = _next(alert, rule, now, state="cleared")
            told.append(alert)
    elif (
        held is not None and condition.at - held >= rule.for_ms and _is_new(rule, alert, condition)
    ):
        alert = _raised(rule, condition, now, snoozes)
        told.append(alert)
    elif fell is not None and _is_new(rule, alert, condition):
        alert = None  # over, and so is its cool-down: nothing of it is needed any more
    return msgspec.structs.replace(before, held_since=held, fell_since=fell, alert=alert)


def _since(condition: Condition, before: Remembered) -> tuple[Millis | None, Millis | None]:
    """Return since when a condition holds, and since when it does not; one of them is None."""
    at = condition.at
    if condition.holds:
        return (at if before.held_since is None else before.held_since), None
    return None, (at if before.fell_since is None else before.fell_since)


def _is_new(rule: AlertRule, last: AlertRecord | None, condition: Condition) -> bool:
    """Say whether the cool-down since the last alert is over, in event time."""
    return last is None or condition.at - last.raised_at >= rule.cooldown_ms


def _raised(
    rule: AlertRule, condition: Condition, now: Millis, snoozes: Sequence[Snooze]
) -> AlertRecord:
    named = alert_id(rule.name, condition.subject, condition.place)
    snooze = _longest(snoozes, rule.name, condition.subject_kind, condition.subject)
    alert = AlertRecord(
        alert_id=named,
        revision=1,
        state="raised",
        rule=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        subject_kind=condition.subject_kind,
        subject=condition.subject,
        raised_at=condition.at,
        logged_at=now,
        headline=condition.headline,
        figures=tuple(
            AlertFigure(name=f.name, value=f.value, unit=f.unit, low=f.low, high=f.high)
            for f in condition.figures
        ),
        reasons=condition.reasons,
        contacts=condition.contacts[:CONTACTS_MAX],
        source=condition.place,
        link=f"/alerts/{named}",
        routes=rule.routes,
        quiet_until=_quiet_until(rule, now),
        value_minor=condition.value_minor,
        currency=condition.currency,
    )
    return alert if snooze is None else _asleep(alert, snooze)


def _woken(
    rules: AlertRules,
    each: Remembered,
    now: Millis,
    snoozes: Sequence[Snooze],
    told: list[AlertRecord],
) -> Remembered:
    """Tell an open alert again whose snooze is over; end one whose rule is gone."""
    alert, rule = each.alert, rules.get(each.rule)
    if alert is None or not is_open(alert):
        return each
    if rule is None:
        again = _next(alert, None, now, state="cleared", note="the rule is no more")
    elif alert.state == "snoozed" and alert.quiet_until is not None and alert.quiet_until <= now:
        snooze = _longest(snoozes, each.rule, each.subject_kind, each.subject)
        again = _next(alert, rule, now, state="raised", note="the snooze is over")
        if snooze is not None:
            again = _asleep(again, snooze)
    else:
        return each
    told.append(again)
    return msgspec.structs.replace(each, alert=again)


def _asleep(alert: AlertRecord, snooze: Snooze) -> AlertRecord:
    """Return an alert as a snooze leaves it."""
    return msgspec.structs.replace(
        alert, state="snoozed", quiet_until=snooze.until, by=snooze.by, note=snooze.note
    )


def _matters(each: Remembered) -> bool:
    """Say whether anything is left to remember; times alone say nothing once it does not hold."""
    return each.alert is not None or each.held_since is not None


def _acted(
    rules: AlertRules,
    action: AlertAction,
    each: Remembered,
    now: Millis,
    told: list[AlertRecord],
) -> Remembered:
    """Take a person's word into one alert, if it is about it and changes it."""
    alert, rule = each.alert, rules.get(each.rule)
    if alert is None or rule is None or not is_open(alert) or not _is_about(action, each, alert):
        return each
    after = _after(action, alert, rule, now)
    if after is None:
        return each
    told.append(after)
    return msgspec.structs.replace(each, alert=after)


def _after(
    action: AlertAction, alert: AlertRecord, rule: AlertRule, now: Millis
) -> AlertRecord | None:
    """Return the alert after an action; None if it is as the action wants it."""
    by, note = action.by, action.note
    if action.action == "ack":
        if alert.state == "acknowledged":
            return None
        return _next(alert, rule, now, state="acknowledged", by=by, note=note)
    if action.action == "snooze":
        if action.until is None or action.until <= now:
            return None
        if alert.state == "snoozed" and alert.quiet_until == action.until:
            return None
        snoozed = _next(alert, rule, now, state="snoozed", by=by, note=note)
        return msgspec.structs.replace(snoozed, quiet_until=action.until)
    if alert.state != "snoozed":
        return None
    return _next(alert, rule, now, state="raised", by=by, note=note)


def _next(
    alert: AlertRecord,
    rule: AlertRule | None,
    now: Millis,
    *,
    state: AlertState,
    by: str = "",
    note: str = "",
) -> AlertRecord:
    """Return the next revision of an alert; its routes are those it was raised with."""
    return msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        state=state,
        logged_at=now,
        quiet_until=_quiet_until(rule, now),
        by=by,
        note=note,
    )


def _is_about(action: AlertAction, each: Remembered, alert: AlertRecord) -> bool:
    if action.alert_id:
        return action.alert_id == alert.alert_id
    return _snooze_of(action, 0).covers(each.rule, each.subject_kind, each.subject)


def _snooze_of(action: AlertAction, until: Millis) -> Snooze:
    return Snooze(
        rule=action.rule,
        subject_kind=action.subject_kind,
        subject=action.subject,
        until=until,
        by=action.by,
        note=action.note,
    )


def _longest(
    snoozes: Sequence[Snooze], rule: str, subject_kind: str, subject: str
) -> Snooze | None:
    """Return the snooze that covers a rule and subject longest."""
    covering = [each for each in snoozes if each.covers(rule, subject_kind, subject)]
    return max(covering, key=lambda each: each.until, default=None)


def _quiet_until(rule: AlertRule | None, now: Millis) -> Millis | None:
    """Return until when nobody is to be told, by the rule's quiet hours."""
    if rule is None or rule.quiet is None or rule.breaks_quiet:
        return None
    return rule.quiet.until(now)
