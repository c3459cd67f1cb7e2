"""Alerts as text for a terminal, and as JSON."""

from typing import Any

from pnl.reports.alert_now import beside
from pnl.reports.alert_words import (
    KIND_TITLES,
    figure_words,
    reason_words,
    subject_words,
)
from pnl.reports.alerts import AlertExplained, Alerts
from pnl.reports.render_table import moment
from pnl.reports.table import Column, printable, table
from processors.signal_records import AlertAction, AlertFigure, AlertRecord, DeliveryRecord
from streams.facts import Millis

Json = dict[str, Any]


def render_alerts(found: Alerts, timezone: str) -> str:
    """Return alerts as a table, newest first; what is fading stands below, apart."""
    if not found.rows and not found.fading:
        return "There are no such alerts."
    parts = []
    if found.rows:
        parts.append(_table(found.rows, timezone))
    if len(found.rows) < found.total:
        parts.append(f"{len(found.rows)} of {found.total}; ask for less with --since or --rule.")
    if found.fading:
        parts += ["", "Fading: the risk rises with no fact to explain it. Nobody was told.", ""]
        parts.append(_table(found.fading, timezone))
    return "\n".join(parts)


def _table(rows: tuple[AlertRecord, ...], timezone: str) -> str:
    heads = [Column(name) for name in ("id", "raised", "severity", "state", "rule", "what")]
    return table(
        heads,
        [
            [
                each.alert_id,
                moment(each.raised_at, timezone),
                each.severity,
                f"{each.state} by {each.by}" if each.by else each.state,
                each.rule,
                each.headline,
            ]
            for each in rows
        ],
    )


def render_alert(found: AlertExplained, clears: str, timezone: str) -> str:
    """Return an alert with its evidence, what would clear it, and all that became of it."""
    alert = found.alert
    lines = [
        alert.headline,
        "",
        (
            f"{alert.severity}, {alert.state}{f' by {alert.by}' if alert.by else ''}"
            f"{f': {alert.note}' if alert.note else ''}"
        ),
        (
            f"{KIND_TITLES.get(alert.kind, alert.kind)}: "
            f"{subject_words(alert.subject_kind, alert.subject)}, by rule {alert.rule}"
        ),
        f"raised   {moment(alert.raised_at, timezone)}",
        f"source   {alert.source or 'none'}",
        f"page     {alert.link}",
    ]
    if alert.quiet_until is not None and alert.state != "cleared":
        lines.append(f"quiet    until {moment(alert.quiet_until, timezone)}")
    lines += _figures(found, timezone)
    lines += _section("Reasons", [reason_words(each) for each in alert.reasons])
    lines += _section("Contacts behind it", list(alert.contacts))
    if clears and alert.state != "cleared":
        lines += ["", clears]
    lines += _section("Delivered", [_delivery(each, timezone) for each in found.deliveries])
    if not found.deliveries:
        routes = ", ".join(alert.routes)
        lines += ["", f"Not delivered yet to {routes}." if routes else "Sent to nobody: no route."]
    lines += _section("Answers", [_action(each, timezone) for each in found.actions])
    lines += _section("History", [_revision(each, timezone) for each in found.history])
    return "\n".join(printable(line) for line in lines)


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _figures(found: AlertExplained, timezone: str) -> list[str]:
    """Return the figures it was raised with, and beside them those of today."""
    alert, now = found.alert, found.now
    title = "Figures" if now is None else f"Figures, and as of {moment(now.as_of, timezone)}"
    lines = []
    for name, then, today in beside(alert, now):
        said = [] if then is None else [figure_words(then, alert.currency)]
        said += [] if today is None else [f"now {figure_words(today, alert.currency)}"]
        lines.append(f"{name}: {', '.join(said)}")
    return _section(title, lines)


def _delivery(each: DeliveryRecord, timezone: str) -> str:
    tries = f"{each.attempts} attempt{'' if each.attempts == 1 else 's'}"
    what = f"{each.route}: {each.outcome}, revision {each.revision}, {tries}"
    return f"{what}, {moment(each.last_at, timezone)}{f': {each.detail}' if each.detail else ''}"


def _action(each: AlertAction, timezone: str) -> str:
    until = "" if each.until is None else f" until {moment(each.until, timezone)}"
    about = (
        "" if each.alert_id else f" ({each.subject or 'all subjects'}, {each.rule or 'any rule'})"
    )
    note = f": {each.note}" if each.note else ""
    return f"{moment(each.at, timezone)}  {each.action}{until} by {each.by}{about}{note}"


def _revision(each: AlertRecord, timezone: str) -> str:
    by = f" by {each.by}" if each.by else ""
    note = f": {each.note}" if each.note else ""
    return f"{moment(each.logged_at, timezone)}  revision {each.revision} {each.state}{by}{note}"


def alerts_json(found: Alerts) -> Json:
    """Return alerts as JSON; times are milliseconds since 1970."""
    return {
        "total": found.total,
        "alerts": [record_json(each) for each in found.rows],
        "fading": [record_json(each) for each in found.fading],
    }


def alert_json(found: AlertExplained, clears: str) -> Json:
    """Return an alert as JSON, with its history, answers and deliveries."""
    return {
        **record_json(found.alert),
        "clears": clears or None,
        "now": None
        if found.now is None
        else {"as_of": found.now.as_of, "figures": _figures_json(found.now.figures)},
        "history": [
            {
                "revision": each.revision,
                "state": each.state,
                "at": each.logged_at,
                "by": each.by,
                "note": each.note,
                "quiet_until": each.quiet_until,
            }
            for each in found.history
        ],
        "answers": [
            {
                "action": each.action,
                "alert_id": each.alert_id,
                "rule": each.rule,
                "subject": each.subject,
                "at": each.at,
                "until": each.until,
                "by": each.by,
                "note": each.note,
            }
            for each in found.actions
        ],
        "deliveries": [
            {
                "route": each.route,
                "revision": each.revision,
                "outcome": each.outcome,
                "attempts": each.attempts,
                "first_at": each.first_at,
                "last_at": each.last_at,
                "detail": each.detail,
            }
            for each in found.deliveries
        ],
    }


def _figures_json(figures: tuple[AlertFigure, ...]) -> list[Json]:
    return [
        {"name": f.name, "value": f.value, "unit": f.unit, "low": f.low, "high": f.high}
        for f in figures
    ]


def record_json(alert: AlertRecord) -> Json:
    """Return one revision of an alert as JSON; `changed_at` is the log's time of it."""
    said: dict[str, Millis | str | int | None] = {
        "alert_id": alert.alert_id,
        "revision": alert.revision,
        "state": alert.state,
        "rule": alert.rule,
        "kind": alert.kind,
        "severity": alert.severity,
        "subject_kind": alert.subject_kind,
        "subject": alert.subject,
        "raised_at": alert.raised_at,
        "changed_at": alert.logged_at,
        "headline": alert.headline,
        "value_minor": alert.value_minor,
        "currency": alert.currency or None,
        "quiet_until": alert.quiet_until,
        "source": alert.source,
        "link": alert.link,
        "by": alert.by,
        "note": alert.note,
    }
    return {
        **said,
        "figures": _figures_json(alert.figures),
        "reasons": list(alert.reasons),
        "contacts": list(alert.contacts),
        "routes": list(alert.routes),
    }
