"""What people ask about alerts and answer to them: `pnl alerts`, and the page.

Law: an answer is a record of the log, with the name of who gave it. What becomes of it is decided
where the alert was raised (`processors.alerts`), so it holds after every restart and replay.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

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
from processors.signal_records import AlertAction, AlertDoing, AlertRecord, SubjectKind
from streams.facts import Millis
from streams.log import EventLog, Outgoing
from streams.topics import ALERT_ACTIONS

NAME_MAX: Final = 100
NOTE_MAX: Final = 500
SNOOZE_MS_MAX: Final = 90 * 86_400_000
KEYS_MAX: Final = 10_000
_encode: Final = msgspec.json.Encoder().encode
NAMED_MAX: Final = 10
"""So many names of what there is are said to who named something else."""
_SHOWN: Final = {
    "ack": "as acknowledged by {by}",
    "snooze": "as snoozed",
    "unsnooze": "as no longer snoozed",
}
_ON_ITS_WAY: Final = "The answer is on its way: {what} once signals have taken it."


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
    rules: tuple[str, ...] = ()
    """The names of the rules in force."""


def answer_alert(reports: Reports, log: EventLog, asked: Asked, now: Millis) -> str:
    """Append a person's answer; return a sentence. UserError if it cannot be meant like this."""
    _check(asked, now)
    if not asked.alert_id:
        return _answer_many(reports, log, asked, now)
    found = reports.alert(asked.alert_id)
    if found is None:
        raise UserError(f"There is no alert {asked.alert_id!r}; `pnl alerts list` has them all.")
    if found.alert.state == "cleared":
        raise UserError(
            f"Alert {asked.alert_id} is over since its revision {found.alert.revision}."
        )
    log.append(ALERT_ACTIONS, [_of_alert(found.alert, asked, now)])
    shown = _SHOWN[asked.doing].format(by=asked.by.strip())
    return _ON_ITS_WAY.format(what=f"alert {asked.alert_id} shows {shown}")


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


def _answer_many(reports: Reports, log: EventLog, asked: Asked, now: Millis) -> str:
    """Append what is meant of a rule or a subject."""
    if asked.doing == "ack":
        raise UserError("Acknowledge one alert, by its id.")
    if not asked.rule and not asked.subject:
        raise UserError("Name an alert, or --rule, or --subject, or both of these.")
    if asked.rule:
        _check_rule(reports, asked.rule, asked.rules)
    kind: SubjectKind = "system"
    if asked.subject:
        kind = _kind_of(reports, asked.subject)
    what = " and ".join(
        part
        for part in (
            f"rule {asked.rule}" if asked.rule else "",
            f"{kind} {asked.subject}" if asked.subject else "",
        )
        if part
    )
    if asked.subject:
        action = _action(asked, asked.rule, kind, asked.subject, now)
        key = asked.subject.encode() if kind == "customer" else None
        log.append(ALERT_ACTIONS, [Outgoing(key, _encode(action))])
    else:
        _everywhere(log, _encode(_action(asked, asked.rule, kind, "", now)))
    said = "comes snoozed" if asked.doing == "snooze" else "is snoozed no more"
    return _ON_ITS_WAY.format(what=f"what the {what} raises {said}")


def _check_rule(reports: Reports, rule: str, rules: Sequence[str]) -> None:
    """Refuse a rule that is neither in force nor in any alert; UserError names those there are."""
    there = sorted({*rules, *reports.alert_rules()})
    if rule not in there:
        raise UserError(f"There is no rule {rule!r}; there are {', '.join(there) or 'none'}.")


def _kind_of(reports: Reports, subject: str) -> SubjectKind:
    """Return what a subject is; UserError, with some there are, where nobody has heard of it."""
    kind = reports.subject_kind(subject)
    if kind is None:
        there = ", ".join(reports.subjects(NAMED_MAX)) or "none yet"
        raise UserError(
            f"There is no subject {subject!r}: it is the id of a customer whose risk is known, or a"
            f" queue or currency as `pnl alerts list` has it. Some there are: {there}."
        )
    return kind


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
    """Answer `pnl alerts list`; UserError where it names a rule or a subject that there is not."""
    rules = (args["rule"],) if args["rule"] else ()
    if rules:
        _check_rule(reports, args["rule"], args.get("rules", ()))
    subjects = (args["subject"],) if args.get("subject") else ()
    if subjects:
        _kind_of(reports, args["subject"])
    found = reports.alerts(
        AlertQuery(state=args["state"], rules=rules, subjects=subjects, since=args["since"])
    )
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
    asked = Asked(**{**args, "rules": tuple(args.get("rules", ()))})
    return Answer(answer_alert(reports, log, asked, now))
