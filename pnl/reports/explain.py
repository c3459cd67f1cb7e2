"""From a number to the events: an order's credits, a chain's money, and every entry of both.

Law: credits + unattributed = net, under every model (I1, I11). Another model than the booked one
is worked out from the path that was stored with the credits, so it needs no fact again.
"""

from collections.abc import Collection, Iterable

from pnl.reports.cohort import CHAIN_COST_LINES
from pnl.reports.contact_list import SHOWN, list_row
from pnl.reports.entries import entries_where
from pnl.reports.evidence import (
    ClassAmounts,
    ContactExplained,
    ContactOrder,
    ExplainedCredit,
    ExplainedEntry,
    OrderExplained,
    PathStep,
)
from pnl.reports.sql import Queryable, Row
from processors.attribution import shares
from processors.order_lines import SHARED_CLASSES
from processors.policy import Model
from processors.results import PathContact
from processors.statement import ORDER_LINES
from streams.facts import Millis


def explain_order(
    store: Queryable, order_id: str, model: Model | None = None
) -> OrderExplained | None:
    """Return an order's credits, path and entries; None if no entry or record knows it."""
    parameters = {"order_id": order_id}
    found = store.query(
        "SELECT *, toUnixTimestamp64Milli(occurred_at) AS occurred_ms,"
        " arrayMap(t -> toUnixTimestamp64Milli(t), path_ended_at) AS path_ended_ms"
        " FROM v_attributions WHERE order_id = {order_id:String}"
        " ORDER BY version DESC LIMIT 1",
        parameters,
    )
    if not found:
        return _without_credits(store, order_id)
    row = found[0]
    booked = model is None or model == row["model"]
    credited = _credits(row)
    unattributed = row["unattributed_minor"]
    if not booked:
        assert model is not None
        credited, unattributed = recomputed(row, credited, model)
    return OrderExplained(
        order_id=order_id,
        kind="sale",
        linked_to=(),
        customer_id=row["customer_id"],
        currency=row["currency"],
        occurred_at=row["occurred_ms"],
        gross_minor=row["gross_minor"],
        net_minor=row["net_minor"],
        unattributed_minor=unattributed,
        model=row["model"] if booked else str(model),
        revision=row["revision"],
        booked=booked,
        sold_in=row["sold_in"] or None,
        sold_unknown=row["sold_unknown"],
        withdrawn=False,
        credits=credited,
        classes=_classes(row),
        path=tuple(
            PathStep(contact_id=contact_id, ended_at=at, handle_ms=handle, case_id=case or None)
            for contact_id, at, handle, case in _path(row)
        ),
        entries=entries_where(store, "order_id = {order_id:String}", parameters),
    )


def recomputed(
    row: Row, booked: tuple[ExplainedCredit, ...], model: Model
) -> tuple[tuple[ExplainedCredit, ...], int]:
    """Return the credits of an order under another model, and what stays unattributed.

    A class that nobody was given any part of stays so: it came too late, or names an unknown
    contact. One sold in a contact stays with it: there is nothing to share.
    """
    path = [
        PathContact(contact_id=contact_id, ended_at=at, handle_ms=handle, case_id=case or None)
        for contact_id, at, handle, case in _path(row)
    ]
    credited: list[ExplainedCredit] = []
    unattributed = 0
    for part in _classes(row):
        mine = tuple(credit for credit in booked if credit.product_class == part.product_class)
        if part.product_class not in SHARED_CLASSES or row["sold_in"] or not mine:
            credited += mine
            unattributed += part.net_minor - sum(credit.credit_minor for credit in mine)
            continue
        shared = shares(model, path, row["occurred_ms"], part.lookback_ms)
        vector, rest = shared.vector(part.gross_minor, part.net_minor)
        credited += [
            ExplainedCredit(
                contact_id=contact.contact_id,
                case_id=contact.case_id,
                product_class=part.product_class,
                line=mine[0].line,
                weight=weight,
                credit_minor=credit,
            )
            for contact, weight, credit in shared.by_contact(vector)
        ]
        unattributed += rest
    return tuple(credited), unattributed


def _path(row: Row) -> list[tuple[str, Millis, int, str]]:
    return list(
        zip(
            row["path_contact_ids"],
            row["path_ended_ms"],
            row["path_handle_ms"],
            row["path_case_ids"],
            strict=True,
        )
    )


def _credits(row: Row) -> tuple[ExplainedCredit, ...]:
    return tuple(
        ExplainedCredit(
            contact_id=contact_id or None,
            case_id=case_id or None,
            product_class=product_class,
            line=line,
            weight=weight,
            credit_minor=credit,
        )
        for contact_id, case_id, product_class, line, weight, credit in zip(
            row["credit_contact_ids"],
            row["credit_case_ids"],
            row["credit_classes"],
            row["credit_lines"],
            row["credit_weights"],
            row["credits_minor"],
            strict=True,
        )
    )


def _classes(row: Row) -> tuple[ClassAmounts, ...]:
    return tuple(
        ClassAmounts(product_class=name, gross_minor=gross, net_minor=net, lookback_ms=lookback)
        for name, gross, net, lookback in zip(
            row["classes"],
            row["class_gross_minor"],
            row["class_net_minor"],
            row["class_lookback_ms"],
            strict=True,
        )
    )


def _without_credits(store: Queryable, order_id: str) -> OrderExplained | None:
    """Explain what has no credit vector: a refund, an adjustment, an order withdrawn."""
    parameters = {"order_id": order_id}
    orders = store.query(
        "SELECT *, toUnixTimestamp64Milli(occurred_at) AS occurred_ms FROM v_orders"
        " WHERE order_id = {order_id:String} ORDER BY version DESC LIMIT 1",
        parameters,
    )
    caused = entries_where(
        store,
        "(order_id = {order_id:String} OR (cause_fact = 'order' AND cause_id = {order_id:String}))",
        parameters,
    )
    if not orders and not caused:
        return None
    order = orders[0] if orders else None
    effect = order["net_effect_minor"] if order else 0
    own = [entry for entry in caused if entry.order_id == order_id]
    return OrderExplained(
        order_id=order_id,
        kind=order["kind"] if order else "withdrawn",
        linked_to=tuple(order["linked_to"]) if order else (),
        customer_id=order["customer_id"] if order else caused[0].customer_id,
        currency=order["currency"] if order else caused[0].currency,
        occurred_at=order["occurred_ms"] if order else caused[0].effective_at,
        gross_minor=effect,
        net_minor=effect,
        unattributed_minor=sum(
            entry.amount_minor for entry in own if entry.line in ("unattributed", "A5x")
        ),
        model="",
        revision=order["record_version"] if order else 0,
        booked=True,
        sold_in=None,
        sold_unknown=False,
        withdrawn=order is None,
        credits=(),
        classes=(),
        path=(),
        entries=caused,
    )


def explain_contact(
    store: Queryable, as_of: Millis | None, contact_id: str, currency: str
) -> ContactExplained | None:
    """Return a chain's money in a currency, what it earned of which order, and its entries.

    A leg's id stands for its chain.
    """
    found = _chain(store, as_of, contact_id, currency)
    if found is None:
        named = store.query(
            "SELECT contact_id FROM v_ledger WHERE leg_id = {leg_id:String}"
            " ORDER BY booked_at DESC, log_offset DESC, log_position DESC LIMIT 1",
            {"leg_id": contact_id},
        )
        if named:
            found = _chain(store, as_of, named[0]["contact_id"], currency)
    return found


def _chain(
    store: Queryable, as_of: Millis | None, contact_id: str, currency: str
) -> ContactExplained | None:
    found = store.query(
        f"SELECT {SHOWN}, tier, disposition_code, record_version, cost_currency FROM v_contacts"
        " WHERE contact_id = {contact_id:String} ORDER BY version DESC LIMIT 1",
        {"contact_id": contact_id},
    )
    if not found:
        return None
    row = found[0]
    entries = entries_where(
        store,
        "contact_id = {contact_id:String} AND customer_id = {customer_id:String}",
        {"contact_id": contact_id, "customer_id": row["customer_id"]},
    )
    return ContactExplained(
        row=list_row({**row, **_money(entries, currency)}, as_of),
        matures_at=row["matures_ms"],
        cost_currency=row["cost_currency"],
        talk_ms=row["talk_ms"],
        hold_ms=row["hold_ms"],
        wrap_ms=row["wrap_ms"],
        tier=row["tier"],
        disposition_code=row["disposition_code"],
        version=row["record_version"],
        withdrawn=False,
        orders=_orders_of(store, contact_id, {entry.order_id for entry in entries}),
        entries=entries,
    )


def _money(entries: Iterable[ExplainedEntry], currency: str) -> dict[str, int]:
    """Return a chain's credit, fee and cost in a currency from its entries."""
    money = {"credit": 0, "fee": 0, "cost": 0}
    for entry in entries:
        if entry.currency != currency:
            continue
        if entry.line in CHAIN_COST_LINES:
            money["cost"] += entry.amount_minor
        elif entry.line in ORDER_LINES:
            money["credit" if entry.order_id else "fee"] += entry.amount_minor
    return money


def _orders_of(
    store: Queryable, contact_id: str, order_ids: Collection[str]
) -> tuple[ContactOrder, ...]:
    rows = store.query(
        "SELECT order_id, currency, toUnixTimestamp64Milli(occurred_at) AS occurred_ms, class,"
        " line, weight, credit FROM v_attributions"
        " ARRAY JOIN credit_contact_ids AS earner, credit_classes AS class,"
        " credit_lines AS line, credit_weights AS weight, credits_minor AS credit"
        " WHERE order_id IN {order_ids:Array(String)} AND earner = {contact_id:String}"
        " ORDER BY occurred_ms, order_id, class",
        {"contact_id": contact_id, "order_ids": sorted(order_ids)},
    )
    return tuple(
        ContactOrder(
            order_id=row["order_id"],
            currency=row["currency"],
            occurred_at=row["occurred_ms"],
            product_class=row["class"],
            line=row["line"],
            weight=row["weight"],
            credit_minor=row["credit"],
        )
        for row in rows
    )
