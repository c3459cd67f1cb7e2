"""Which of a customer's orders a refund concerns, and the settlement they are booked from.

A customer without unlinked refunds is settled order by order; with them, all orders of the
currency together, and that settlement is remembered, so that the next one can be compared with it.
"""

from collections.abc import Iterable, Mapping

from processors.customer import Customer
from processors.days import local_days
from processors.policy import PolicyBook
from processors.settlement import Settlement, settle
from streams.facts import Order


def settlement_of(customer: Customer, currency: str, policies: PolicyBook) -> Settlement:
    """Settle all sales and refunds of one currency."""
    known = customer.settled.get(currency)
    if known is None:
        known = _settle(customer, currency, [order_id for _, order_id in customer.sales], policies)
        if currency in customer.refers.unlinked:
            customer.settled[currency] = known
    return known


def is_refunded(customer: Customer, sale: Order) -> bool:
    """Say whether any refund may concern a sale: one names it, or one names no order."""
    return sale.order_id in customer.refers.refunds or sale.currency in customer.refers.unlinked


def settlement_for(customer: Customer, order: Order, policies: PolicyBook) -> Settlement:
    """Return a settlement that is right for this sale or refund, settling no more than needed."""
    if order.currency in customer.refers.unlinked or order.currency in customer.settled:
        return settlement_of(customer, order.currency, policies)
    named = order.order_id if order.kind == "sale" else order.refund_of
    return _settle(customer, order.currency, [] if named is None else [named], policies, order)


def _settle(
    customer: Customer,
    currency: str,
    sale_ids: Iterable[str],
    policies: PolicyBook,
    only: Order | None = None,
) -> Settlement:
    sales = []
    for order_id in sale_ids:
        item = customer.orders.get(order_id)
        if item is not None and _is_sale(item.fact, currency):
            sales.append(item.fact)
    refund_ids = set(customer.refers.unlinked.get(currency, ()))
    if only is None:
        for ids in customer.refers.refunds.values():
            refund_ids.update(ids)
    else:
        refund_ids.update(customer.refers.refunds.get(only.order_id, ()))
        if only.refund_of is not None:
            refund_ids.update(customer.refers.refunds.get(only.refund_of, ()))
    refunds = [
        (item.fact, sum(amount for _, amount in item.gone))
        for item in (customer.orders[i] for i in refund_ids)
        if item.fact.currency == currency
    ]
    return settle(
        sales,
        refunds,
        local_days(policies.zone),
        policies.horizon_ms,
        is_linked=lambda refund: policies.at(refund.occurred_at).unlinked == "newest_first",
    )


def _is_sale(order: Order, currency: str) -> bool:
    return order.kind == "sale" and not order.withdrawn and order.currency == currency


def concerned(
    customer: Customer, order: Order, before: Settlement | None, policies: PolicyBook
) -> set[str]:
    """Return the orders and refunds that an order's arrival, change or withdrawal concerns.

    `before` is the settlement of its currency as it was, where the customer had unlinked refunds.
    """
    ids = {order.order_id}
    if before is None and order.kind == "sale" and not is_refunded(customer, order):
        return ids
    if order.kind == "sale":
        ids.update(customer.refers.refunds.get(order.order_id, ()))
    elif order.refund_of is not None:
        ids.add(order.refund_of)
        ids.update(customer.refers.refunds.get(order.refund_of, ()))
    if before is None and order.currency not in customer.refers.unlinked:
        return ids
    if order.kind == "adjustment" or (before is not None and _comes_last(customer, order)):
        return ids
    customer.settled.pop(order.currency, None)
    after = settlement_of(customer, order.currency, policies)
    if before is None:
        before = Settlement({}, {}, {})
    for old, new in (
        (before.steps, after.steps),
        (before.taken, after.taken),
        (before.orphaned, after.orphaned),
    ):
        ids.update(_differing(old, new))
    return ids


def _comes_last(customer: Customer, order: Order) -> bool:
    """Say whether no refund can be laid on this sale: none names it, none is later."""
    if order.kind != "sale" or order.order_id in customer.refers.refunds:
        return False
    return all(
        customer.orders[refund_id].fact.occurred_at <= order.occurred_at
        for refund_id in customer.refers.unlinked.get(order.currency, ())
    )


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> set[str]:
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
