"""Alerts for tests: one of each sort, and how they come into a log."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from processors.signal_records import (
    AlertAction,
    AlertFigure,
    AlertRecord,
    DeliveryRecord,
    WindowRecord,
    delivery_key,
    window_key,
)
from streams.log import EventLog, Outgoing
from streams.topics import ALERT_ACTIONS, ALERTS, DELIVERIES, WINDOWS
from tests.support.facts import BASE, DAY

HOUR: Final = 3_600_000
encode: Final = msgspec.json.Encoder().encode


def alert(alert_id: str = "aaaa000000000001", **other: Any) -> AlertRecord:
    """Return that a customer may leave; `other` is what is different."""
    plain: dict[str, Any] = {
        "alert_id": alert_id,
        "revision": 1,
        "state": "raised",
        "rule": "churn-customer",
        "kind": "churn_customer",
        "severity": "warning",
        "subject_kind": "customer",
        "subject": "c-001",
        "raised_at": BASE,
        "logged_at": BASE + 1_000,
        "headline": "The risk of losing c-001 rose to 72 % after an unresolved contact",
        "figures": (
            AlertFigure(name="risk", value=720_000, unit="ppm", low=641_000, high=789_000),
            AlertFigure(name="risk a week ago", value=410_000, unit="ppm"),
            AlertFigure(name="value at risk", value=48_210, unit="minor"),
        ),
        "reasons": ("unresolved case: +0.9 on the logit, heuristic",),
        "contacts": ("k-0101", "k-0204"),
        "source": "pnl.churn.v1-1-42",
        "link": f"/alerts/{alert_id}",
        "routes": ("ops",),
        "value_minor": 48_210,
        "currency": "GBP",
    }
    return AlertRecord(**(plain | other))


def of_a_segment(alert_id: str = "bbbb000000000002", **other: Any) -> AlertRecord:
    """Return that waits rose in billing."""
    plain: dict[str, Any] = {
        "rule": "overload",
        "kind": "overload",
        "severity": "critical",
        "subject_kind": "segment",
        "subject": "queue=billing",
        "headline": "Waits in queue billing are 3.1 times the usual",
        "figures": (
            AlertFigure(name="wait", value=3_100, unit="milli", low=2_600, high=3_700),
            AlertFigure(name="contacts", value=64, unit="count"),
            AlertFigure(name="mean wait", value=187_000, unit="ms"),
        ),
        "reasons": (),
        "value_minor": None,
        "currency": "",
        "routes": (),
        "source": "pnl.windows.v1 5m 1000",
        "raised_at": BASE + HOUR,
    }
    return alert(alert_id, **(plain | other))


def tell(log: EventLog, *records: AlertRecord) -> None:
    """Append alerts the way signals do."""
    log.append(ALERTS, [Outgoing(each.alert_id.encode(), encode(each)) for each in records])


def answer(log: EventLog, **other: Any) -> None:
    """Append what Eve answered to the first alert."""
    plain: dict[str, Any] = {
        "alert_id": "aaaa000000000001",
        "rule": "churn-customer",
        "subject_kind": "customer",
        "subject": "c-001",
        "action": "ack",
        "by": "Eve",
        "at": BASE + HOUR,
    }
    log.append(ALERT_ACTIONS, [Outgoing(None, encode(AlertAction(**(plain | other))))])


def deliver(log: EventLog, **other: Any) -> None:
    """Append what became of sending the first alert to operations."""
    plain: dict[str, Any] = {
        "alert_id": "aaaa000000000001",
        "revision": 1,
        "route": "ops",
        "outcome": "delivered",
        "attempts": 2,
        "first_at": BASE + 2_000,
        "last_at": BASE + 5_000,
        "detail": "200",
    }
    record = DeliveryRecord(**(plain | other))
    key = delivery_key(record.alert_id, record.route)
    log.append(DELIVERIES, [Outgoing(key, encode(record))])


def hours(log: EventLog, end: int, waits: Sequence[int | None]) -> None:
    """Tell the hours up to `end` in queue billing: mean waits in ms, the oldest first."""
    first = end - len(waits) * HOUR
    windows = [
        WindowRecord(
            size="1h",
            start=first + at * HOUR,
            end=first + (at + 1) * HOUR,
            queue="billing",
            channel="voice",
            currency="GBP",
            waited=0 if wait is None else 4,
            wait_ms=4 * (wait or 0),
            revision=1,
            closed=True,
        )
        for at, wait in enumerate(waits)
    ]
    log.append(WINDOWS, [Outgoing(window_key(each), encode(each)) for each in windows])


def some(log: EventLog) -> None:
    """Tell of a customer (acknowledged, delivered), a segment, one that is over and one fading."""
    first, acked = alert(), alert(revision=2, state="acknowledged", by="Eve", note="calling")
    over = alert("cccc000000000003", subject="c-003", raised_at=BASE - DAY, severity="info")
    tell(log, first, of_a_segment(), over)
    tell(log, acked, msgspec.structs.replace(over, revision=2, state="cleared"))
    fading = {"rule": "fading", "kind": "fading", "severity": "info", "routes": ()}
    tell(log, alert("dddd000000000004", subject="c-004", headline="c-004 is fading", **fading))
    answer(log, note="calling")
    deliver(log)
