"""The revisions of an alert: each is the whole alert once more, with a higher number.

Law: what an alert rests on, and when it was raised, are of one moment: that of its last rise. Its
identity, its subject and its routes are those it was first raised with.
"""

import hashlib
from typing import Final

import msgspec

from processors.alert_rules import AlertRule
from processors.conditions import Condition
from processors.signal_records import AlertFigure, AlertRecord, AlertState
from streams.facts import Millis

ID_DIGITS: Final = 16
CONTACTS_MAX: Final = 50
"""So much evidence stands in an alert; its figures are of all of it."""
AGAIN: Final = "it rose again"


def alert_id(rule: str, subject: str, place: str) -> str:
    """Return the name of the alert that a record at this place raised: 16 hex digits of SHA-256."""
    return hashlib.sha256("\0".join((rule, subject, place)).encode()).hexdigest()[:ID_DIGITS]


def first(rule: AlertRule, condition: Condition, now: Millis) -> AlertRecord:
    """Return the alert that a condition raises."""
    named = alert_id(rule.name, condition.subject, condition.place)
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
        link=f"/alerts/{named}",
        routes=rule.routes,
        quiet_until=_quiet_until(rule, now),
    )
    return _stated(alert, condition)


def again(alert: AlertRecord, rule: AlertRule, condition: Condition, now: Millis) -> AlertRecord:
    """Return an open alert with what shows now; one that is snoozed sleeps on."""
    fresh = _stated(alert, condition)
    if alert.state == "snoozed":
        return msgspec.structs.replace(fresh, revision=alert.revision + 1, logged_at=now)
    return following(fresh, rule, now, state="raised", note=AGAIN)


def following(
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


def _stated(alert: AlertRecord, condition: Condition) -> AlertRecord:
    """Return an alert with what a condition says: when, on what evidence, what is at stake."""
    return msgspec.structs.replace(
        alert,
        raised_at=condition.at,
        headline=condition.headline,
        figures=tuple(
            AlertFigure(name=f.name, value=f.value, unit=f.unit, low=f.low, high=f.high)
            for f in condition.figures
        ),
        reasons=condition.reasons,
        contacts=condition.contacts[:CONTACTS_MAX],
        source=condition.place,
        value_minor=condition.value_minor,
        currency=condition.currency,
    )


def _quiet_until(rule: AlertRule | None, now: Millis) -> Millis | None:
    """Return until when nobody is to be told, by the rule's quiet hours."""
    if rule is None or rule.quiet is None or rule.breaks_quiet:
        return None
    return rule.quiet.until(now)
