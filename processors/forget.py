"""Forgetting: what is older than the horizon leaves a customer, and nothing booked changes.

Law: forgetting books nothing and changes no later booking of what is still remembered. So a
chain that may have earned a remembered order is kept by that order, as the split saw it, and a
refund keeps how much it took from orders that are gone (RUL-KEEP).

Contacts, resolutions and costs are kept for one horizon of the customer's own event time, orders
for two.
"""

from processors.customer import Customer
from processors.policy import Policy
from processors.refunds import settlement_of
from processors.touchpoints import Chain
from streams.facts import Millis, Order


def forget(customer: Customer, policy: Policy) -> None:
    """Drop what the customer's watermark has left behind by more than the horizon."""
    if customer.watermark is None:
        return
    single = customer.watermark - policy.horizon_ms
    double = single - policy.horizon_ms
    if customer.ends and customer.ends[0][0] < single:
        _forget_chains(customer, single, policy)
    if customer.oldest_single is not None and customer.oldest_single < single:
        _forget_singles(customer, single)
    if customer.oldest_double is not None and customer.oldest_double < double:
        _forget_orders(customer, double, policy)


def may_earn(chain: Chain, order: Order, lookback_ms: int) -> bool:
    """Say whether a chain can have a part in how an order is attributed."""
    at = order.occurred_at
    if chain.handled and chain.ended_at <= at <= chain.ended_at + lookback_ms:
        return True
    if order.contact_id is not None:
        return order.contact_id in chain.refs
    return order.agent_id is not None and chain.started_at <= at <= chain.open_until


def orders_near(customer: Customer, chain: Chain, lookback_ms: int) -> set[str]:
    """Return the sales whose attribution a chain can have a part in."""
    until = max(chain.ended_at + lookback_ms, chain.open_until)
    near = set(customer.sales_between(chain.started_at, until))
    if customer.sold_refs:
        for ref in chain.refs:
            near |= customer.sold_refs.get(ref, set())
    return near


def _forget_chains(customer: Customer, limit: Millis, policy: Policy) -> None:
    old = []
    for at, name in customer.ends:
        if at >= limit:
            break
        if not _held_by_case(customer, customer.chains[name], limit):
            old.append(name)
    for name in old:
        _forget_chain(customer, name, policy)


def _held_by_case(customer: Customer, chain: Chain, limit: Millis) -> bool:
    """Say whether a younger chain of its case needs this one: a fee is charged once a case."""
    if chain.case_id is None:
        return False
    mates = [customer.chains[name] for name in customer.case_chains[chain.case_id]]
    return any(mate.has_fee for mate in mates) and any(mate.ended_at >= limit for mate in mates)


def _forget_chain(customer: Customer, name: str, policy: Policy) -> None:
    chain = customer.chains[name]
    for ref in chain.refs:
        for event_id in customer.cost_refs.get(ref, ()):
            customer.costs[event_id].kept = chain
            customer.change("x", event_id)
    for order_id in orders_near(customer, chain, policy.lookback_ms_max):
        item = customer.orders[order_id]
        if not item.late and may_earn(chain, item.fact, policy.lookback_ms_max):
            item.kept = (*item.kept, chain)
            customer.change("o", order_id)
    customer.forget_chain(name)


def _forget_singles(customer: Customer, limit: Millis) -> None:
    """Drop resolutions, costs and withdrawn legs older than the limit."""
    oldest: list[Millis] = []
    for leg_id, leg in list(customer.legs.items()):
        if leg.fact.withdrawn and leg.fact.ended_at < limit:
            customer.change("c", leg_id)
            del customer.legs[leg_id]
        else:
            oldest.append(leg.fact.ended_at)
    for event_id, resolution in list(customer.resolutions.items()):
        if resolution.fact.occurred_at < limit:
            customer.change("r", event_id)
            customer.unindex_resolution(resolution.fact)
            del customer.resolutions[event_id]
        else:
            oldest.append(resolution.fact.occurred_at)
    for event_id, cost in list(customer.costs.items()):
        if cost.fact.occurred_at < limit:
            customer.change("x", event_id)
            customer.unindex_cost(cost.fact)
            del customer.costs[event_id]
        else:
            oldest.append(cost.fact.occurred_at)
    customer.oldest_single = min(oldest, default=None)


def _forget_orders(customer: Customer, limit: Millis, policy: Policy) -> None:
    """Drop sales older than the limit, and refunds that take from no remembered sale."""
    gone = {
        order_id
        for order_id, item in customer.orders.items()
        if item.fact.kind == "sale" and item.fact.occurred_at < limit
    }
    bound: set[str] = set()
    for currency in {item.fact.currency for item in customer.orders.values()}:
        settlement = settlement_of(customer, currency, policy)
        for refund_id, pieces in settlement.taken.items():
            item = customer.orders[refund_id]
            lost = tuple(piece for piece in pieces if piece[0] in gone)
            if lost:
                item.gone = (*item.gone, *lost)
                customer.change("o", refund_id)
            if len(lost) < len(pieces):
                bound.add(refund_id)
    customer.settled.clear()
    oldest: list[Millis] = []
    for order_id, item in list(customer.orders.items()):
        at = item.fact.occurred_at
        if order_id in gone or (at < limit and order_id not in bound):
            customer.change("o", order_id)
            customer.unindex_order(item.fact)
            del customer.orders[order_id]
        elif at >= limit:
            oldest.append(at)
    customer.oldest_double = min(oldest, default=None)
