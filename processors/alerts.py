"""When people are told: raised once, cleared when it is over, quiet when asked to be.

Law: event time decides what is raised and what is over, so a replay raises the same alerts under
the same ids; `now`, the log's time, decides only when somebody is told. Of one subject a rule tells
at most once in its cool-down, and what a person says of one alert changes no other.

An alert is *open* while its last revision is raised, acknowledged or snoozed; a revision is the
whole alert once more, with a higher number. What shows anew of a subject whose alert is open is a
revision of that alert, raised again with the figures of then; what nothing more is heard of ends,
in event time too. What this module remembers of a subject is an
`AlertMemory`; whoever calls keeps it, one per subject (`processors.signals` keeps them in its
state), and gives the snoozes of whole rules beside it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from processors.alert_revisions import again, first, following
from processors.alert_rules import AlertRule, AlertRules
from processors.conditions import DAY_MS, Condition
from processors.signal_records import AlertAction, AlertRecord, SubjectKind
from streams.facts import Millis


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
    first condition. `eased` says that it has not shown at some look since it was last told, and
    `seen_at` when anything was last heard of it.
    """

    rule: str
    subject_kind: SubjectKind
    subject: str
    held_since: Millis | None = None
    fell_since: Millis | None = None
    alert: AlertRecord | None = None
    eased: bool = False
    seen_at: Millis | None = None


class AlertMemory(msgspec.Struct, frozen=True, array_like=True):
    """What must be remembered of some subjects between two decisions."""

    known: tuple[Remembered, ...] = ()
    snoozes: tuple[Snooze, ...] = ()


NOTHING: Final = AlertMemory()
_Decision = tuple[tuple[AlertRecord, ...], AlertMemory]


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
    time: Millis | None = None,
) -> _Decision:
    """Return what is to be told of these conditions, and what to remember.

    `snoozes` are those of whole rules, kept apart from any subject's memory. A memory that comes
    back as it went (`is`) need not be stored. Open alerts whose snooze ended are told again, and
    those end of which nothing was heard until `time`, the event time that has come, for as long as
    their rule says; whether or not there is a condition of theirs.
    """
    told: list[AlertRecord] = []
    in_force = tuple(each for each in (*memory.snoozes, *snoozes) if each.until > now)
    known = {
        (each.rule, each.subject_kind, each.subject): _expired(rules, each, now, time, told)
        for each in memory.known
    }
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
    alert, eased = before.alert, before.eased or not condition.shows
    if alert is not None and is_open(alert):
        if fell is not None and condition.at - fell >= rule.clear_after_ms:
            alert = following(alert, rule, now, state="cleared")
            told.append(alert)
        elif _shows_anew(rule, alert, condition, eased=before.eased):
            alert, eased = again(alert, rule, condition, now), False
            told.append(alert)
    elif (
        held is not None and condition.at - held >= rule.for_ms and _is_new(rule, alert, condition)
    ):
        alert, eased = first(rule, condition, now), False
        snooze = _longest(snoozes, *_key(before))
        alert = alert if snooze is None else _asleep(alert, snooze)
        told.append(alert)
    elif fell is not None and _is_new(rule, alert, condition):
        alert = None  # over, and so is its cool-down: nothing of it is needed any more
    seen = max(condition.at, before.seen_at or 0)
    return Remembered(*_key(before), held, fell, alert, eased and alert is not None, seen)


def _key(each: Remembered) -> tuple[str, SubjectKind, str]:
    return each.rule, each.subject_kind, each.subject


def _shows_anew(rule: AlertRule, alert: AlertRecord, condition: Condition, *, eased: bool) -> bool:
    """Say whether what an open alert is about has risen again, and may be told again.

    That is: after the cool-down, and apart from what was told. It had not shown meanwhile, or
    what shows it now all came after that.
    """
    if not (condition.shows and rule.takes(condition) and _is_new(rule, alert, condition)):
        return False
    apart = condition.apart_ms
    return eased or (apart is not None and condition.at - alert.raised_at >= apart)


def _expired(
    rules: AlertRules,
    each: Remembered,
    now: Millis,
    time: Millis | None,
    told: list[AlertRecord],
) -> Remembered:
    """End an open alert of which nothing was heard for as long as its rule says."""
    alert, rule = each.alert, rules.get(each.rule)
    if alert is None or rule is None or time is None or not is_open(alert):
        return each
    seen = alert.raised_at if each.seen_at is None else each.seen_at
    if not rule.expire_ms or time - seen < rule.expire_ms:
        return each
    days = rule.expire_ms // DAY_MS
    note = f"expired: nothing was heard of it for {days} day{'' if days == 1 else 's'}"
    over = following(alert, rule, now, state="cleared", note=note)
    told.append(over)
    return Remembered(*_key(each), alert=over, seen_at=seen)


def _since(condition: Condition, before: Remembered) -> tuple[Millis | None, Millis | None]:
    """Return since when a condition holds, and since when it does not; one of them is None."""
    at = condition.at
    if condition.holds:
        return (at if before.held_since is None else before.held_since), None
    return None, (at if before.fell_since is None else before.fell_since)


def _is_new(rule: AlertRule, last: AlertRecord | None, condition: Condition) -> bool:
    """Say whether the cool-down since the last alert is over, in event time."""
    return last is None or condition.at - last.raised_at >= rule.cooldown_ms


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
        woken = following(alert, None, now, state="cleared", note="the rule is no more")
    elif alert.state == "snoozed" and alert.quiet_until is not None and alert.quiet_until <= now:
        snooze = _longest(snoozes, *_key(each))
        woken = following(alert, rule, now, state="raised", note="the snooze is over")
        if snooze is not None:
            woken = _asleep(woken, snooze)
    else:
        return each
    told.append(woken)
    return msgspec.structs.replace(each, alert=woken)


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
        return following(alert, rule, now, state="acknowledged", by=by, note=note)
    if action.action == "snooze":
        if action.until is None or action.until <= now:
            return None
        if alert.state == "snoozed" and alert.quiet_until == action.until:
            return None
        snoozed = following(alert, rule, now, state="snoozed", by=by, note=note)
        return msgspec.structs.replace(snoozed, quiet_until=action.until)
    if alert.state != "snoozed":
        return None
    return following(alert, rule, now, state="raised", by=by, note=note)


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
