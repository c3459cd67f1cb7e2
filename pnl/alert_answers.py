"""What people ask about alerts and answer to them: `pnl alerts`, and the page.

Law: an answer is a record of the log, with the name of who gave it. What becomes of it is decided
where the alert was raised (`processors.alerts`), so it holds after every restart and replay.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec

from pnl.control import Answer
from pnl.errors import CheckFailed, UserError
from pnl.reports.alerts import AlertQuery
from pnl.reports.queries import Reports
from pnl.reports.render_alerts import (
    alert_json,
    alerts_json,
    render_alert,
    render_alerts,
)
from processors.alert_rules import Dimension
from processors.signal_records import AlertAction, AlertDoing, AlertRecord, SubjectKind
from streams.facts import Millis
from streams.log import EventLog, Outgoing
from streams.topics import ALERT_ACTIONS

NAME_MAX: Final = 100
NOTE_MAX: Final = 500
SNOOZE_MS_MAX: Final = 90 * 86_400_000
KEYS_MAX: Final = 10_000
_SEGMENTS: Final = tuple(f"{name}=" for name in get_args(Dimension))
_encode: Final = msgspec.json.Encoder().encode
_DONE: Final = {
    "ack": "{by} has alert {alert} now",
    "snooze": "Alert {alert} is snoozed",
    "unsnooze": "Alert {alert} is no longer snoozed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants: of one alert, by its id; or of a rule, a subject or both."""

    doing: AlertDoing
    by: str
    alert_id: str = ""
    rule: str = ""
    subject: str = ""
    until: Millis | None = None
    note: str = ""


def answer_alert(reports: Reports, log: EventLog, asked: Asked, now: Millis) -> str:
    """Append a person's answer; return a sentence. UserError if it cannot be meant like this."""
    _check(asked, now)
    if not asked.alert_id:
        return _answer_many(log, asked, now)
    found = reports.alert(asked.alert_id)
    if found is None:
        raise UserError(f"There is no alert {asked.alert_id!r}; `pnl alerts list` has them all.")
    if found.alert.state == "cleared":
        raise UserError(
            f"Alert {asked.alert_id} is over since its revision {found.alert.revision}."
        )
    log.append(ALERT_ACTIONS, [_of_alert(found.alert, asked, now)])
    return _DONE[asked.doing].format(alert=asked.alert_id, by=asked.by.strip()) + "."


def _check(asked: Asked, now: Millis) -> None:
    if not asked.by.strip() or len(asked.by) > NAME_MAX or not asked.by.isprintable():
        raise UserError(f"A name has 1 to {NAME_MAX} characters, all of them printable.")
    if len(asked.note) > NOTE_MAX:
        raise UserError(f"A note has at most {NOTE_MAX} characters.")
    if asked.doing == "snooze":
        if asked.until is None or asked.until <= now:
            raise UserError("A snooze ends in the future.")
        if asked.until - now > SNOOZE_MS_MAX:
            raise UserError("A snooze ends within 90 days; turn a rule off in alerts.toml instead.")


def _of_alert(alert: AlertRecord, asked: Asked, now: Millis) -> Outgoing:
    """Return the record of an answer; it lies where the alert was raised."""
    action = _action(asked, alert.rule, alert.subject_kind, alert.subject, now)
    key = alert.subject.encode() if alert.subject_kind == "customer" else None
    return Outgoing(key, _encode(action))


def _answer_many(log: EventLog, asked: Asked, now: Millis) -> str:
    """Append what is meant of a rule or a subject."""
    if asked.doing == "ack":
        raise UserError("Acknowledge one alert, by its id.")
    if not asked.rule and not asked.subject:
        raise UserError("Name an alert, or --rule, or --subject, or both of these.")
    what = " and ".join(
        part
        for part in (
            f"rule {asked.rule}" if asked.rule else "",
            f"{_kind_of(asked.subject)} {asked.subject}" if asked.subject else "",
        )
        if part
    )
    if asked.subject:
        kind = _kind_of(asked.subject)
        action = _action(asked, asked.rule, kind, asked.subject, now)
        key = asked.subject.encode() if kind == "customer" else None
        log.append(ALERT_ACTIONS, [Outgoing(key, _encode(action))])
    else:
        _everywhere(log, _encode(_action(asked, asked.rule, "system", "", now)))
    said = "snoozed" if asked.doing == "snooze" else "no longer snoozed"
    return f"What the {what} raises is {said}."


def _everywhere(log: EventLog, value: bytes) -> None:
    """Append a record to every partition, for each decides of its own customers.

    Only the log knows which key leads where, so keys are tried until each partition has one; the
    same answer twice in one is the same answer.
    """
    missing = set(range(log.partitions))
    for number in range(KEYS_MAX):
        if not missing:
            return
        given = log.append(ALERT_ACTIONS, [Outgoing(f"\0all\0{number}".encode(), value)])
        missing -= {each.partition for each in given}
    raise CheckFailed(f"No key leads to partitions {sorted(missing)}.")


def _kind_of(subject: str) -> SubjectKind:
    """Return what a subject written by a person is: a segment begins with a dimension."""
    return "segment" if subject.startswith(_SEGMENTS) else "customer"


def _action(
    asked: Asked, rule: str, subject_kind: SubjectKind, subject: str, now: Millis
) -> AlertAction:
    return AlertAction(
        alert_id=asked.alert_id,
        rule=rule,
        subject_kind=subject_kind,
        subject=subject,
        action=asked.doing,
        by=asked.by.strip(),
        at=now,
        until=asked.until if asked.doing == "snooze" else None,
        note=asked.note,
    )


def listed(reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl alerts list`."""
    rules = (args["rule"],) if args["rule"] else ()
    found = reports.alerts(AlertQuery(state=args["state"], rules=rules, since=args["since"]))
    if args["format"] == "json":
        return Answer(json.dumps(alerts_json(found), indent=2, ensure_ascii=False))
    return Answer(render_alerts(found, reports.policy.timezone))


def explained(reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl alerts why`; `clears` says, by rule, what would clear its alerts."""
    found = reports.alert(args["id"])
    if found is None:
        raise UserError(f"There is no alert {args['id']!r}; `pnl alerts list` has them all.")
    clears = args["clears"].get(found.alert.rule, "")
    if args["format"] == "json":
        return Answer(json.dumps(alert_json(found, clears), indent=2, ensure_ascii=False))
    return Answer(render_alert(found, clears, reports.policy.timezone))


def answered(reports: Reports, log: EventLog, args: Mapping[str, Any], now: Millis) -> Answer:
    """Answer `pnl alerts ack`, `snooze` and `unsnooze`."""
    return Answer(answer_alert(reports, log, Asked(**args), now))
