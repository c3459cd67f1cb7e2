"""Forgetting: what is older than the horizon leaves a customer, and nothing booked changes.

Law: forgetting books nothing and changes no later booking of what is still remembered. So a
chain stays as long as a remembered sale, cost or fee of its case may still depend on it, and a
refund keeps how much it took from orders that are gone (RUL-KEEP).

Resolutions and costs are kept for one horizon of the customer's own event time, orders for two,
contacts for one and the longest lookback, so that an order within the horizon finds all of its
path. What is due to be forgotten is looked for when the customer's time enters another day.
"""

from collections.abc import Iterable

from processors.customer import Customer
from processors.days import local_days
from processors.items import RISK, OrderItem, RiskItem
from processors.policy import DAY_MS, PolicyBook
from processors.purchase_days import past_with, purchase_of
from processors.refunds import settlement_of
from processors.touchpoints import Chain
from streams.facts import Millis, Order


def forget(customer: Customer, before: Millis | None, policies: PolicyBook) -> None:
    """Drop what the customer's watermark, which was `before`, has left behind."""
    now = customer.watermark
    if now is None or before is None or now // DAY_MS == before // DAY_MS:
        return
    single = now - policies.horizon_ms
    double = single - policies.horizon_ms
    if customer.oldest_double is not None and customer.oldest_double < double:
        _forget_orders(customer, double, policies)
    if customer.oldest_single is not None and customer.oldest_single < single:
        _forget_singles(customer, single)
    for chain in customer.chains_ended(0, single - policies.lookback_ms_max - 1):
        if not _is_needed(customer, chain, policies):
            customer.forget_chain(chain.contact_id)


def may_earn(chain: Chain, order: Order, lookback_ms: int) -> bool:
    """Say whether a chain can have a part in how an order is attributed."""
    at = order.occurred_at
    if chain.handled and chain.ended_at <= at <= chain.ended_at + lookback_ms:
        return True
    if order.contact_id is not None:
        return order.contact_id in chain.refs
    return order.agent_id is not None and chain.started_at <= at <= chain.open_until


def orders_near(customer: Customer, chain: Chain, lookback_ms: int) -> set[str]:
    """Return the sales whose attribution a chain can have a part in, and some others."""
    until = max(chain.ended_at + lookback_ms, chain.open_until)
    near = set(customer.sales_between(chain.started_at, until))
    if customer.refers.sold:
        for ref in chain.refs:
            near.update(customer.refers.sold.get(ref, ()))
    return near


def _is_needed(customer: Customer, chain: Chain, policies: PolicyBook) -> bool:
    """Say whether something remembered may still depend on a chain."""
    if any(ref in customer.refers.costs for ref in chain.refs):
        return True
    lookback = policies.lookback_ms_max
    for order_id in orders_near(customer, chain, lookback):
        item = customer.orders[order_id]
        if not item.late and may_earn(chain, item.fact, lookback):
            return True
    if chain.case_id is None:
        return False
    # A fee is charged once a case, at its earliest contact: the younger need the older.
    mates = [customer.chains[name] for name in customer.case_chains[chain.case_id]]
    youngest = max(mate.ended_at for mate in mates)
    return youngest > chain.ended_at and any(mate.has_fee for mate in mates)


def _forget_singles(customer: Customer, limit: Millis) -> None:
    """Drop resolutions, costs and withdrawn legs older than the limit."""
    oldest: list[Millis] = []
    for leg_id, leg in list(customer.legs.items()):
        if leg.fact.withdrawn and leg.fact.ended_at < limit:
            customer.forget_item(("c", leg_id), leg.fact.revision)
            del customer.legs[leg_id]
        elif leg.fact.withdrawn:
            oldest.append(leg.fact.ended_at)
    for event_id, resolution in list(customer.resolutions.items()):
        if resolution.fact.occurred_at < limit:
            customer.forget_item(("r", event_id), resolution.fact.revision)
            customer.refers.leave(resolution.fact)
            del customer.resolutions[event_id]
            customer.shown = None
        else:
            oldest.append(resolution.fact.occurred_at)
    for event_id, cost in list(customer.costs.items()):
        if cost.fact.occurred_at < limit:
            customer.forget_item(("x", event_id), cost.fact.revision)
            customer.refers.leave(cost.fact)
            del customer.costs[event_id]
        else:
            oldest.append(cost.fact.occurred_at)
    customer.oldest_single = min(oldest, default=None)


def _forget_orders(customer: Customer, limit: Millis, policies: PolicyBook) -> None:
    """Drop sales older than the limit, and refunds that take from no remembered sale."""
    gone = {
        order_id
        for order_id, item in customer.orders.items()
        if item.fact.kind == "sale" and item.fact.occurred_at < limit
    }
    bound: set[str] = set()
    for currency in {item.fact.currency for item in customer.orders.values()}:
        settlement = settlement_of(customer, currency, policies)
        for refund_id, pieces in settlement.taken.items():
            item = customer.orders[refund_id]
            lost = tuple(piece for piece in pieces if piece[0] in gone)
            if lost:
                item.gone = (*item.gone, *lost)
                customer.change("o", refund_id)
            if len(lost) < len(pieces):
                bound.add(refund_id)
    customer.settled.clear()
    remember_purchases(customer, [customer.orders[order_id] for order_id in gone], policies)
    oldest: list[Millis] = []
    for order_id, item in list(customer.orders.items()):
        at = item.fact.occurred_at
        if order_id in gone or (at < limit and order_id not in bound):
            customer.forget_item(("o", order_id), item.fact.revision)
            customer.leave_order(item.fact)
            del customer.orders[order_id]
        elif at >= limit:
            oldest.append(at)
    customer.oldest_double = min(oldest, default=None)


def remember_purchases(
    customer: Customer, items: Iterable[OrderItem], policies: PolicyBook
) -> None:
    """Keep of orders that leave on which days the customer bought: his risk goes by all of them."""
    day_of = local_days(policies.zone)
    found = [purchase_of(item, policies.currency, day_of) for item in items]
    bought = [each for each in found if each is not None and each.gone_at is None]
    if bought:
        risk = customer.risk or RiskItem()
        risk.past = past_with(risk.past, bought)
        customer.risk = risk
        customer.changed.add(RISK)
    customer.bought = None
