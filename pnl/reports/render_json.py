"""Reports as JSON: a contract that other programs read.

Law: keys are only ever added. Amounts are integers in minor units with the report's `currency`,
shares parts per million, times RFC 3339 in UTC, dates local to `timezone`, ranges [from, to).
What cannot be known is null; so is a dimension without a value.
"""

import json
from typing import Any, TypeAlias

from pnl.reports.evidence import ContactExplained, ExplainedEntry, OrderExplained
from pnl.reports.model import (
    ContactListRow,
    ContactsReport,
    ContactsRow,
    Estimate,
    Interval,
    Key,
    Memo,
    Scope,
    Statement,
    StatementLine,
)
from pnl.reports.period import rfc3339
from streams.facts import Millis

Json: TypeAlias = dict[str, Any]


def dumps(value: Json) -> str:
    """Return JSON as text that a person can read too."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def statement_json(statement: Statement) -> Json:
    """Return the statement: every line and memo, zero included."""
    bridge = statement.bridge
    return {
        "report": "statement",
        **_head(statement.scope, statement.timezone, statement.as_of, statement.by),
        "view": statement.view,
        "closed_at": None if statement.closed_at is None else rfc3339(statement.closed_at),
        "lines": [_line(line, bool(statement.by)) for line in statement.lines],
        "totals": [
            {"total": total.total, "amount_minor": total.amount_minor} for total in statement.totals
        ],
        "memo": [_memo(memo) for memo in statement.memo],
        "memo_scope": "company",
        "reconciliation": {
            "orders_minor": statement.reconciliation.orders_minor,
            "refunds_minor": statement.reconciliation.refunds_minor,
            "adjustments_minor": statement.reconciliation.adjustments_minor,
            "net_minor": statement.reconciliation.net_minor,
        },
        "bridge": {
            "a_minor": bridge.a_minor,
            "fees_minor": bridge.fees_minor,
            "deferred_minor": bridge.deferred_minor,
            "unattributed_minor": bridge.unattributed_minor,
            "adjustments_minor": bridge.adjustments_minor,
            "net_minor": bridge.net_minor,
        },
        "unbooked": [
            {"kind": each.kind, "amount_minor": each.amount_minor} for each in statement.unbooked
        ],
        "estimates": [_estimate(each, bool(statement.by)) for each in statement.estimates],
        "payroll": None
        if statement.payroll is None
        else {
            "paid_minor": statement.payroll.paid_minor,
            "in_lines_minor": statement.payroll.in_lines_minor,
        },
    }


def contacts_json(report: ContactsReport) -> Json:
    """Return revenue per contact: a row per key, and all together."""
    return {
        "report": "contacts",
        **_head(report.scope, report.timezone, report.as_of, report.by),
        "rows": [_contacts_row(row) for row in report.rows],
        "total": _contacts_row(report.total),
        "next_cursor": report.next_cursor,
    }


def order_json(order: OrderExplained) -> Json:
    """Return an order down to its events."""
    return {
        "order_id": order.order_id,
        "kind": order.kind,
        "linked_to": list(order.linked_to),
        "customer_id": order.customer_id,
        "occurred_at": rfc3339(order.occurred_at),
        "currency": order.currency,
        "gross_minor": order.gross_minor,
        "net_minor": order.net_minor,
        "unattributed_minor": order.unattributed_minor,
        "model": order.model,
        "revision": order.revision,
        "booked": order.booked,
        "sold_in": order.sold_in,
        "sold_unknown": order.sold_unknown,
        "withdrawn": order.withdrawn,
        "credits": [
            {
                "contact_id": credit.contact_id,
                "case_id": credit.case_id,
                "product_class": credit.product_class,
                "line": credit.line,
                "weight": credit.weight,
                "credit_minor": credit.credit_minor,
            }
            for credit in order.credits
        ],
        "classes": [
            {
                "product_class": each.product_class,
                "gross_minor": each.gross_minor,
                "net_minor": each.net_minor,
                "lookback_ms": each.lookback_ms,
            }
            for each in order.classes
        ],
        "path": [
            {
                "contact_id": step.contact_id,
                "ended_at": rfc3339(step.ended_at),
                "handle_ms": step.handle_ms,
                "case_id": step.case_id,
            }
            for step in order.path
        ],
        "entries": [entry_json(entry) for entry in order.entries],
    }


def contact_json(contact: ContactExplained, currency: str) -> Json:
    """Return a chain down to its events; its money in one currency, its entries in each."""
    row = contact.row
    return {
        "contact_id": row.contact_id,
        "customer_id": row.customer_id,
        "identified": row.identified,
        "case_id": row.case_id or None,
        "started_at": rfc3339(row.started_at),
        "ended_at": rfc3339(row.ended_at),
        "matures_at": rfc3339(contact.matures_at),
        "mature": row.mature,
        "handled": row.handled,
        "abandoned": row.abandoned,
        "outcome": row.outcome,
        "legs": row.legs,
        **_dimensions(row),
        "direction": row.direction,
        "talk_ms": contact.talk_ms,
        "hold_ms": contact.hold_ms,
        "wrap_ms": contact.wrap_ms,
        "wait_ms": row.wait_ms,
        "disposition_code": contact.disposition_code or None,
        "currency": currency,
        "net_credit_minor": row.net_credit_minor,
        "fee_minor": row.fee_minor,
        "cost_minor": row.cost_minor,
        "orders": [
            {
                "order_id": order.order_id,
                "occurred_at": rfc3339(order.occurred_at),
                "currency": order.currency,
                "product_class": order.product_class,
                "line": order.line,
                "weight": order.weight,
                "credit_minor": order.credit_minor,
            }
            for order in contact.orders
        ],
        "entries": [entry_json(entry) for entry in contact.entries],
    }


def entry_json(entry: ExplainedEntry) -> Json:
    """Return an entry with its cause and source; `term` and `cut` only where it has them."""
    terms: Json = {}
    if entry.term is not None:
        start, end = entry.term
        terms["term"] = {"from": start.isoformat(), "to": end.isoformat()}
        terms["spread_minor"] = entry.spread_minor
    if entry.cut is not None:
        terms["cut"] = entry.cut.isoformat()
    return {
        "line": entry.line,
        "basis": entry.basis,
        "amount_minor": entry.amount_minor,
        "currency": entry.currency,
        "effective_at": rfc3339(entry.effective_at),
        "booked_at": rfc3339(entry.booked_at),
        **terms,
        "order_id": entry.order_id or None,
        "contact_id": entry.contact_id or None,
        "leg_id": entry.leg_id or None,
        "product_class": entry.product_class or None,
        "change": entry.change or None,
        "note": entry.note or None,
        "model": entry.model or None,
        "policy": entry.policy,
        "cause": {
            "fact": entry.cause.fact,
            "id": entry.cause.id,
            "revision": entry.cause.revision,
        },
        "source": {
            "topic": entry.source.topic,
            "partition": entry.source.partition,
            "offset": entry.source.offset,
        },
    }


def _head(scope: Scope, timezone: str, as_of: Millis | None, by: tuple[str, ...]) -> Json:
    return {
        "from": None if scope.start is None else scope.start.isoformat(),
        "to": None if scope.end is None else scope.end.isoformat(),
        "timezone": timezone,
        "currency": scope.currency,
        "as_of": None if as_of is None else rfc3339(as_of),
        "by": list(by),
        "filters": {name: list(values) for name, values in scope.filters().items()},
    }


def _line(line: StatementLine, with_groups: bool) -> Json:
    found: Json = {
        "line": line.line,
        "title": line.title,
        "basis": line.basis,
        "amount_minor": line.amount_minor,
        "controllable": line.controllable,
        "note": line.note or None,
    }
    if with_groups:
        found["groups"] = [
            {"key": _key(group.key), "amount_minor": group.amount_minor} for group in line.groups
        ]
    return found


def _memo(memo: Memo) -> Json:
    found: Json = {"memo": memo.memo, memo.unit: memo.value}
    if memo.parts:
        found["parts"] = {name.replace(" ", "_"): value for name, value in memo.parts}
    return found


def _estimate(estimate: Estimate, with_groups: bool) -> Json:
    found: Json = {
        "line": estimate.line,
        "title": estimate.title,
        **_interval(estimate.value),
        "note": estimate.note or None,
    }
    if with_groups:
        found["groups"] = [
            {"key": _key(group.key), **_interval(group.value)} for group in estimate.groups
        ]
    return found


def _interval(value: Interval | None) -> Json:
    return {
        "amount_minor": None if value is None else value.amount_minor,
        "low_minor": None if value is None else value.low_minor,
        "high_minor": None if value is None else value.high_minor,
    }


def _contacts_row(row: ContactsRow) -> Json:
    return {
        "key": _key(row.key),
        "handled": row.handled,
        "abandoned": row.abandoned,
        "net_credit_minor": row.net_credit_minor,
        "fee_minor": row.fee_minor,
        "cost_minor": row.cost_minor,
        "revenue_per_contact_minor": row.revenue_per_contact_minor,
        "matured_ppm": row.matured_ppm,
    }


def _key(key: Key) -> Json:
    return {name: value or None for name, value in key}


def _dimensions(row: ContactListRow) -> Json:
    return {
        "queue": row.queue or None,
        "team": row.team or None,
        "agent": row.agent or None,
        "channel": row.channel or None,
        "reason": row.reason or None,
        "kind": row.kind or None,
    }
