"""One fact in, results out: the composition of everything else for one customer.

Law: the sums booked for a customer depend on which facts are known, not on the order or the
number of times they arrived (I4). A fact with a higher revision takes the place of the former
one; equal or lower is a duplicate; equal revision with other values is a conflict, and the first
stands (RUL-SAME).

A fact older than the horizon is booked, but it is too late to take part in attribution, and it
is not kept (RUL-KEEP). Of a fact that is not kept only its revision is remembered: sent again it
is a duplicate, and a new revision is refused, for what it booked can no longer be corrected.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from processors.contact_lines import chain_entries, event_tariffs
from processors.customer import Customer
from processors.forget import forget
from processors.items import (
    CostItem,
    Item,
    LegItem,
    OrderItem,
    PeriodItem,
    ResolutionItem,
    key_of_item,
)
from processors.policy import Policies, book_of
from processors.rebook import Rebooking
from processors.records import contact_record
from processors.refunds import concerned, settlement_of
from processors.results import (
    AttributionRecord,
    ContactRecord,
    CostRecord,
    Disposition,
    Entry,
    OrderRecord,
    PeriodRecord,
)
from streams.facts import (
    Contact,
    Cost,
    Fact,
    Millis,
    Order,
    Period,
    Resolution,
    event_time_of,
)


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What a fact did. `conflict` says in words why it is dead-lettered, else it is empty."""

    disposition: Disposition
    entries: tuple[Entry, ...] = ()
    attributions: tuple[AttributionRecord, ...] = ()
    contacts: tuple[ContactRecord, ...] = ()
    orders: tuple[OrderRecord, ...] = ()
    costs: tuple[CostRecord, ...] = ()
    periods: tuple[PeriodRecord, ...] = ()
    conflict: str = ""


_DUPLICATE = Applied("duplicate")

Recall: TypeAlias = Callable[[Customer, Fact], int | None]


def _nothing(customer: Customer, fact: Fact) -> int | None:  # noqa: ARG001
    """Recall nothing."""
    return None


class Journeys:
    """Applies facts to customers. Holds the policies and nothing else."""

    def __init__(self, rules: Policies) -> None:
        self.policies = book_of(rules)

    def apply(
        self, customer: Customer, fact: Fact, recall: Recall = _nothing, logged_at: Millis = 0
    ) -> Applied:
        """Apply one fact to the customer whose key it carries, changing the customer.

        `recall` is asked for the revision under which a fact that is too old to be kept was
        applied before, None if it was not. `logged_at` is the log's time of the fact: when a
        period was closed.
        """
        if isinstance(fact, Contact) and is_plain(customer, fact):
            since = fact.ended_at if customer.watermark is None else customer.watermark
            if fact.ended_at >= since - self.policies.horizon_ms:
                return self._plain_contact(customer, fact)
        old = _former(customer, fact)
        late, kept = False, True
        if old is None:
            late = self._is_late(customer, fact)
            kept = not late or self._is_kept(customer, fact)
            forgotten = None if kept else recall(customer, fact)
            if forgotten is not None:
                if fact.revision <= forgotten:
                    return _DUPLICATE
                why = f"revision {forgotten} of it is no longer remembered"
                return Applied("dead", conflict=why)
        else:
            if fact.revision < old.revision or fact == old:
                return _DUPLICATE
            conflict = _conflict(old, fact)
            if conflict:
                return Applied("dead", conflict=conflict)
        before = customer.watermark
        # A late fact that is not kept is booked as if the customer had no other.
        target = customer if kept else Customer(customer.key)
        rebooking = Rebooking(target, self.policies)
        self._enter(target, fact, rebooking, logged_at, late=late)
        if old is not None:
            customer.unobserve(old)
        rebooking.run()
        if not kept:
            customer.forget_item(key_of_item(fact), fact.revision)
        elif not late:
            forget(customer, before, self.policies)
        return Applied(
            "late" if late else "applied",
            tuple(rebooking.entries),
            tuple(rebooking.attributions),
            tuple(rebooking.contacts),
            tuple(rebooking.orders),
            tuple(rebooking.costs),
            tuple(rebooking.periods),
        )

    def _plain_contact(self, customer: Customer, leg: Contact) -> Applied:
        """Apply a contact that affects nothing but itself, and the outcomes of its case."""
        policies = self.policies
        before = customer.watermark
        customer.observe(leg)
        item = LegItem(leg)
        chain = customer.add_alone(item)
        policy = policies.at(leg.ended_at)
        charged = event_tariffs((leg,), policy) if chain.has_fee else ()
        item.booked = chain_entries(chain, policies, displaced=False, events_charged_here=charged)
        names = [leg.contact_id]
        if leg.case_id is not None and leg.case_id in customer.refers.resolutions:
            names = sorted(customer.case_chains[leg.case_id])
        records = []
        for name in names:
            item = customer.legs[name]
            item.version += 1
            customer.changed.add(("c", name))
            records.append(contact_record(customer, name, item, policies))
        forget(customer, before, policies)
        return Applied("applied", customer.legs[leg.contact_id].booked, (), tuple(records), ())

    def _is_late(self, customer: Customer, fact: Fact) -> bool:
        """Say whether a fact is too old to take part: refunds find orders for two horizons."""
        if customer.watermark is None or isinstance(fact, Period):
            return False
        horizons = 2 if isinstance(fact, Order) and fact.kind != "sale" else 1
        return event_time_of(fact) < customer.watermark - horizons * self.policies.horizon_ms

    def _is_kept(self, customer: Customer, fact: Fact) -> bool:
        """Say whether a late fact is kept all the same: a sale is, for two horizons."""
        if not isinstance(fact, Order) or customer.watermark is None:
            return False
        return fact.occurred_at >= customer.watermark - 2 * self.policies.horizon_ms

    def _enter(
        self,
        customer: Customer,
        fact: Fact,
        rebooking: Rebooking,
        logged_at: Millis,
        *,
        late: bool,
    ) -> None:
        """Put a fact in the place of its former revision and note what that affects."""
        customer.observe(fact)
        if isinstance(fact, Contact):
            leg = customer.legs.get(fact.contact_id)
            former = None
            if leg is None:
                customer.legs[fact.contact_id] = LegItem(fact)
            else:
                former, leg.fact = leg.fact, fact
            customer.change("c", fact.contact_id)
            rebooking.relink(fact, former)
        elif isinstance(fact, Order):
            self._enter_order(customer, fact, rebooking, late=late)
        elif isinstance(fact, Resolution):
            _enter_resolution(customer, fact, rebooking)
        elif isinstance(fact, Cost):
            _enter_cost(customer, fact, rebooking)
        else:
            _enter_period(customer, fact, rebooking, logged_at)

    def _enter_order(
        self, customer: Customer, order: Order, rebooking: Rebooking, *, late: bool
    ) -> None:
        unlinked = customer.refers.unlinked
        before = {
            currency: settlement_of(customer, currency, self.policies) for currency in unlinked
        }
        item = customer.orders.get(order.order_id)
        versions = [order]
        if item is None:
            item = customer.orders[order.order_id] = OrderItem(order, late=late)
        else:
            versions.append(item.fact)
            customer.leave_order(item.fact)
            item.fact = order
        customer.enter_order(order)
        for version in versions:
            rebooking.affect_fees(version)
            ids = concerned(customer, version, before.get(version.currency), self.policies)
            rebooking.affect_orders(ids)


def _enter_resolution(customer: Customer, fact: Resolution, rebooking: Rebooking) -> None:
    item = customer.resolutions.get(fact.event_id)
    if item is None:
        customer.resolutions[fact.event_id] = ResolutionItem(fact)
    else:
        customer.refers.leave(item.fact)
        rebooking.affect_resolved(item.fact)
        item.fact = fact
    customer.refers.enter(fact)
    customer.change("r", fact.event_id)
    rebooking.affect_resolved(fact)


def _enter_cost(customer: Customer, fact: Cost, rebooking: Rebooking) -> None:
    item = customer.costs.get(fact.event_id)
    if item is None:
        customer.costs[fact.event_id] = CostItem(fact)
    else:
        customer.refers.leave(item.fact)
        item.fact = fact
    customer.refers.enter(fact)
    rebooking.affect_cost(fact.event_id)
    rebooking.publish_cost(fact.event_id)


def _enter_period(
    customer: Customer, fact: Period, rebooking: Rebooking, logged_at: Millis
) -> None:
    item = customer.periods.get(fact.event_id)
    if item is None:
        customer.periods[fact.event_id] = PeriodItem(fact, logged_at=logged_at)
    else:
        item.fact = fact
        item.logged_at = logged_at
    rebooking.affect_period(fact.event_id)


def is_plain(customer: Customer, leg: Contact) -> bool:
    """Say whether a contact is the usual one, which affects nothing but itself.

    It is new and joins no other leg; no order, cost or fee of the customer can depend on it. Then
    the general way would only find that out again, at three times the cost.
    """
    if leg.transfer_of is not None or leg.withdrawn or leg.contact_id in customer.legs:
        return False
    if customer.sales and customer.sales[-1][0] >= leg.started_at:
        return False
    if leg.case_id is not None and leg.fee is not None:
        return False
    return not customer.knows(leg.contact_id) and (
        leg.chain_id is None or not customer.knows(leg.chain_id)
    )


def _former(customer: Customer, fact: Fact) -> Fact | None:
    """Return the fact of the same identity that is remembered."""
    item: Item | None
    if isinstance(fact, Contact):
        item = customer.legs.get(fact.contact_id)
    elif isinstance(fact, Order):
        item = customer.orders.get(fact.order_id)
    elif isinstance(fact, Resolution):
        item = customer.resolutions.get(fact.event_id)
    elif isinstance(fact, Period):
        item = customer.periods.get(fact.event_id)
    else:
        item = customer.costs.get(fact.event_id)
    return None if item is None else item.fact


def _conflict(old: Fact, new: Fact) -> str:
    """Say why a fact cannot take the place of a remembered one, or nothing."""
    if new.revision == old.revision:
        return f"revision {new.revision} was already seen with other values; the first stands"
    if isinstance(old, Order) and isinstance(new, Order) and not (new.withdrawn or old.withdrawn):
        pair = {_role(old), _role(new)}
        if len(pair) > 1:
            return f"order_id is already that of a {old.kind}; a {new.kind} needs its own"
    return ""


def _role(order: Order) -> str:
    return order.kind if order.kind in ("sale", "adjustment") else "refund"
