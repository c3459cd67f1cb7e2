"""The alerts there were: what happened, on which evidence, who has it, whom it was sent to.

Law: an alert is what its last revision says, and every revision it ever had can be read. What is
only listed (fading) never counts as open: nobody has to look after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import convert

from pnl.reports.alert_now import AlertNow, alert_now
from pnl.reports.sql import Queryable, Row, Where
from processors.alert_rules import LISTED_ONLY, SEVERITIES
from processors.signal_records import (
    AlertAction,
    AlertFigure,
    AlertRecord,
    DeliveryRecord,
    SubjectKind,
)
from streams.facts import Millis

ROWS_MAX: Final = 500
STATES: Final = ("open", "raised", "acknowledged", "snoozed", "cleared", "all")
"""What can be asked for: *open* is all that is not cleared."""
_LISTED: Final = sorted(LISTED_ONLY)
_COLUMNS: Final = (
    "alert_id, revision, state, rule, kind, severity, subject_kind, subject,"
    " toUnixTimestamp64Milli(raised_at) AS raised_ms, toUnixTimestamp64Milli(logged_at)"
    " AS logged_ms, headline, figure_names, figure_values, figure_units, figure_lows, figure_highs,"
    " reasons, contacts, source, link, routes, value_minor, currency, person, note,"
    " toUnixTimestamp64Milli(quiet_until) AS quiet_ms"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery:
    """Which alerts: of a state, of severities, rules and subjects (none: all), since a moment."""

    state: str = "open"
    severities: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    since: Millis | None = None
    rows: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Alerts, newest first, and how many there are in all; `fading` are listed apart."""

    rows: tuple[AlertRecord, ...]
    total: int
    fading: tuple[AlertRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlerts:
    """How many alerts are open and of them critical, and the worst ones: severity, then value."""

    open: int = 0
    critical: int = 0
    worst: tuple[AlertRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertExplained:
    """An alert with each of its revisions, newest first, answers to it, and its deliveries.

    `now` is what is known of its subject today.
    """

    alert: AlertRecord
    history: tuple[AlertRecord, ...]
    actions: tuple[AlertAction, ...]
    deliveries: tuple[DeliveryRecord, ...]
    now: AlertNow | None = None


def alerts(store: Queryable, query: AlertQuery) -> Alerts:
    """Return the latest revision of the alerts asked for."""
    where = _where(query)
    shown = where.also("kind NOT IN {listed:Array(String)}", listed=_LISTED)
    (counted,) = store.query(
        f"SELECT count() AS alerts FROM v_alerts WHERE {shown}", shown.parameters
    )
    apart = where.also("kind IN {listed:Array(String)}", listed=_LISTED)
    rows = min(query.rows, ROWS_MAX)
    return Alerts(
        rows=_latest(store, shown, "raised_at DESC, alert_id", rows),
        total=int(counted["alerts"]),
        fading=_latest(store, apart, "raised_at DESC, alert_id", rows),
    )


def open_alerts(store: Queryable, worst: int = 3) -> OpenAlerts:
    """Return how many alerts are open, and the worst of them."""
    where = _where(AlertQuery()).also("kind NOT IN {listed:Array(String)}", listed=_LISTED)
    (counted,) = store.query(
        "SELECT count() AS alerts, countIf(severity = 'critical') AS critical"
        f" FROM v_alerts WHERE {where}",
        where.parameters,
    )
    if not counted["alerts"]:
        return OpenAlerts()
    where = where.also("1", severities=list(SEVERITIES))
    order = (
        "state = 'raised' DESC, indexOf({severities:Array(String)}, severity) DESC,"
        " ifNull(value_minor, 0) DESC, raised_at DESC, alert_id"
    )
    return OpenAlerts(
        open=int(counted["alerts"]),
        critical=int(counted["critical"]),
        worst=_latest(store, where, order, worst),
    )


def explain_alert(store: Queryable, alert_id: str, currency: str) -> AlertExplained | None:
    """Return an alert with all that became of it; None if there is none of this id.

    `currency` is that of reports.
    """
    where = Where().also("alert_id = {alert:String}", alert=alert_id)
    history = _read(
        store.query(
            f"SELECT {_COLUMNS} FROM v_alerts WHERE {where} ORDER BY revision DESC",
            where.parameters,
        )
    )
    if not history:
        return None
    return AlertExplained(
        alert=history[0],
        history=history,
        actions=_actions(store, history[-1]),
        deliveries=_deliveries(store, where),
        now=alert_now(store, history[0], currency),
    )


def alert_rules(store: Queryable) -> tuple[str, ...]:
    """Return the names of all rules of which there is an alert."""
    rows = store.query("SELECT DISTINCT toString(rule) AS name FROM alerts ORDER BY name")
    return tuple(row["name"] for row in rows)


def subject_kind(store: Queryable, subject: str) -> SubjectKind | None:
    """Return what a subject is, of which there was an alert or may be one; None: there is none."""
    asked = {"subject": subject}
    told = store.query(
        "SELECT toString(subject_kind) AS kind FROM alerts"
        " WHERE subject = {subject:String} LIMIT 1",
        asked,
    )
    if told:
        kind: SubjectKind = convert(told[0]["kind"], SubjectKind)
        return kind
    (row,) = store.query(
        "SELECT (SELECT count() FROM churn WHERE customer_id = {subject:String}) AS customers,"
        " (SELECT count() FROM windows WHERE {subject:String} IN (concat('queue=', queue),"
        " concat('currency=', currency), concat('queue=', queue, ';currency=', currency)))"
        " AS segments",
        asked,
    )
    return "customer" if row["customers"] else "segment" if row["segments"] else None


def subjects(store: Queryable, rows: int) -> tuple[str, ...]:
    """Return some subjects: queues first, then those of the newest alerts."""
    queues = store.query(
        "SELECT DISTINCT concat('queue=', queue) AS name FROM windows WHERE queue != ''"
        f" ORDER BY name LIMIT {int(rows)}"
    )
    told = store.query(
        "SELECT subject AS name, max(raised_at) AS last FROM alerts WHERE subject_kind != 'system'"
        f" GROUP BY name ORDER BY last DESC, name LIMIT {int(rows)}"
    )
    names = dict.fromkeys([*(row["name"] for row in queues), *(row["name"] for row in told)])
    return tuple(names)[:rows]


def alerts_mark(store: Queryable) -> tuple[int, ...]:
    """Return a mark that is another one after every alert, answer and delivery that was stored."""
    marks: list[int] = []
    for table in ("alerts", "alert_actions", "deliveries"):
        (row,) = store.query(
            f"SELECT count() AS stored, sum(toUInt64(log_offset)) AS offsets FROM {table}"
        )
        marks += [int(row["stored"]), int(row["offsets"])]
    return tuple(marks)


def _where(query: AlertQuery) -> Where:
    where = Where().also("is_latest")
    if query.state == "open":
        where = where.also("state != 'cleared'")
    elif query.state != "all":
        where = where.also("state = {state:String}", state=query.state)
    if query.severities:
        where = where.also("severity IN {asked:Array(String)}", asked=list(query.severities))
    if query.rules:
        where = where.also("rule IN {rules:Array(String)}", rules=list(query.rules))
    if query.subjects:
        where = where.also("subject IN {subjects:Array(String)}", subjects=list(query.subjects))
    if query.since is not None:
        where = where.also(
            "raised_at >= fromUnixTimestamp64Milli({since:Int64})", since=query.since
        )
    return where


def _latest(store: Queryable, where: Where, order: str, rows: int) -> tuple[AlertRecord, ...]:
    return _read(
        store.query(
            f"SELECT {_COLUMNS} FROM v_alerts WHERE {where} ORDER BY {order} LIMIT {int(rows)}",
            where.parameters,
        )
    )


def _read(rows: Sequence[Row]) -> tuple[AlertRecord, ...]:
    return tuple(_alert(row) for row in rows)


def _alert(row: Row) -> AlertRecord:
    columns = ("figure_names", "figure_values", "figure_units", "figure_lows", "figure_highs")
    figures = zip(*(row[name] for name in columns), strict=True)
    same: tuple[str, ...] = ("alert_id", "revision", "state", "rule", "kind", "severity")
    same += ("subject_kind", "subject")
    same += ("headline", "source", "link", "value_minor", "currency", "note")
    return AlertRecord(
        **{name: row[name] for name in same},
        raised_at=row["raised_ms"],
        logged_at=row["logged_ms"],
        quiet_until=row["quiet_ms"],
        by=row["person"],
        figures=tuple(
            AlertFigure(name=name, value=value, unit=unit, low=low, high=high)
            for name, value, unit, low, high in figures
        ),
        reasons=tuple(row["reasons"]),
        contacts=tuple(row["contacts"]),
        routes=tuple(row["routes"]),
    )


def _actions(store: Queryable, first: AlertRecord) -> tuple[AlertAction, ...]:
    """Return what people answered to the alert, to its subject or to its rule since, newest first.

    Of the whole rule an answer is written once for each partition: it is read once.
    """
    where = Where().also(
        "(alert_id = {alert:String} OR (alert_id = '' AND at >= fromUnixTimestamp64Milli"
        "({since:Int64}) AND rule IN ('', {rule:String}) AND subject IN ('', {subject:String})))",
        alert=first.alert_id,
        since=first.logged_at,
        rule=first.rule,
        subject=first.subject,
    )
    rows = store.query(
        "SELECT DISTINCT alert_id, rule, subject_kind, subject, action, person, note,"
        " toUnixTimestamp64Milli(at) AS at_ms, toUnixTimestamp64Milli(until) AS until_ms"
        f" FROM v_alert_actions WHERE {where} ORDER BY at_ms DESC, alert_id LIMIT {ROWS_MAX}",
        where.parameters,
    )
    same = ("alert_id", "rule", "subject_kind", "subject", "action", "note")
    return tuple(
        AlertAction(
            **{name: row[name] for name in same},
            by=row["person"],
            at=row["at_ms"],
            until=row["until_ms"],
        )
        for row in rows
    )


def _deliveries(store: Queryable, where: Where) -> tuple[DeliveryRecord, ...]:
    rows = store.query(
        "SELECT alert_id, revision, route, outcome, attempts, detail,"
        " toUnixTimestamp64Milli(first_at) AS first_ms, toUnixTimestamp64Milli(last_at) AS last_ms"
        f" FROM v_deliveries WHERE {where} ORDER BY route",
        where.parameters,
    )
    same = ("alert_id", "revision", "route", "outcome", "attempts", "detail")
    return tuple(
        DeliveryRecord(
            **{name: row[name] for name in same}, first_at=row["first_ms"], last_at=row["last_ms"]
        )
        for row in rows
    )
