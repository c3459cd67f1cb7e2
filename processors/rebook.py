"""Rebooking: what a fact affects is worked out again, and the difference is booked.

Law: after a fact, what is booked for every chain, order and cost of the customer equals what is
due for it from the facts remembered (I1-I4 follow). The fact only decides where to look: looking
too widely costs time, never money; looking too narrowly breaks the law, and the properties of
tests/properties find it.
"""

from collections.abc import Iterable
from typing import Final

from processors.contact_lines import chain_entries, event_tariffs
from processors.corrections import corrections
from processors.cost_lines import cost_entries
from processors.customer import Customer
from processors.days import local_days
from processors.forget import orders_near
from processors.items import OrderItem
from processors.order_book import OrderBook
from processors.order_lines import Journey, book_adjustment, book_orphan, book_sale
from processors.period_lines import period_entries
from processors.policy import Policies, book_of
from processors.records import (
    attribution_record,
    contact_record,
    cost_record,
    order_record,
    period_record,
)
from processors.refunds import is_refunded, settlement_for
from processors.results import (
    AttributionRecord,
    ContactRecord,
    CostRecord,
    Entry,
    OrderRecord,
    PeriodRecord,
)
from processors.settlement import Settlement, Step
from processors.touchpoints import Chain, sold_in
from streams.facts import Contact, Order, Resolution

_NO_BOOK: Final = OrderBook()
_NO_JOURNEY: Final = Journey()


class Rebooking:
    """Collects what one fact affects, rebooks it, and holds what is to be published."""

    __slots__ = (
        "_chains",
        "_charged",
        "_costs",
        "_orders",
        "_periods",
        "_publish",
        "_publish_costs",
        "_settled",
        "attributions",
        "contacts",
        "costs",
        "customer",
        "entries",
        "orders",
        "periods",
        "policies",
    )

    def __init__(self, customer: Customer, rules: Policies) -> None:
        self.customer = customer
        self.policies = book_of(rules)
        self.entries: list[Entry] = []
        self.attributions: list[AttributionRecord] = []
        self.contacts: list[ContactRecord] = []
        self.orders: list[OrderRecord] = []
        self.costs: list[CostRecord] = []
        self.periods: list[PeriodRecord] = []
        self._chains: set[str] = set()
        self._orders: set[str] = set()
        self._costs: set[str] = set()
        self._periods: set[str] = set()
        self._publish_costs: set[str] = set()
        self._publish: set[str] = set()
        self._charged: dict[str, dict[str, str]] = {}
        self._settled: dict[tuple[str, str | None], Settlement] = {}

    # --- what is affected

    def relink(self, new: Contact, old: Contact | None) -> None:
        """Note what a leg's arrival, change or withdrawal affects."""
        customer = self.customer
        before, after = customer.relink(new, old)
        self._chains.update(before, after)
        for name in before.keys() | after.keys():
            was, now = before.get(name), after.get(name)
            for chain in (was, now):
                if chain is not None:
                    self._near(chain)

    def _near(self, chain: Chain) -> None:
        customer = self.customer
        if customer.sales:
            self.affect_orders(orders_near(customer, chain, self.policies.lookback_ms_max))
        if customer.refers.costs:
            for ref in chain.refs:
                self._costs.update(customer.refers.costs.get(ref, ()))
        if chain.case_id is not None:
            if chain.case_id in customer.refers.resolutions:
                self.affect_case(chain.case_id)
            for name in customer.case_chains.get(chain.case_id, ()):
                if customer.chains[name].has_fee:
                    self._chains.add(name)

    def affect_orders(self, order_ids: Iterable[str]) -> None:
        """Note orders to rebook, and the fees they may displace."""
        for order_id in order_ids:
            if order_id not in self._orders:
                self._orders.add(order_id)
                item = self.customer.orders.get(order_id)
                if item is not None:
                    self.affect_fees(item.fact)

    def affect_fees(self, order: Order) -> None:
        """Note the chains whose fee a support order may displace (RUL-FEE)."""
        if order.kind != "sale" or not _has_support(order):
            return
        customer = self.customer
        for chain in self._may_hold(order):
            if chain.has_fee:
                self._chains.add(chain.contact_id)
            for name in customer.case_chains.get(chain.case_id or "", ()):
                if customer.chains[name].has_fee:
                    self._chains.add(name)

    def affect_chains(self, names: Iterable[str]) -> None:
        """Note chains to rebook."""
        self._chains.update(names)

    def affect_cost(self, event_id: str) -> None:
        """Note a cost to rebook."""
        self._costs.add(event_id)

    def publish_cost(self, event_id: str) -> None:
        """Note a cost whose record is to be published."""
        self._publish_costs.add(event_id)

    def affect_period(self, event_id: str) -> None:
        """Note what was stated of a period, to rebook and publish."""
        self._periods.add(event_id)

    def affect_resolved(self, resolution: Resolution) -> None:
        """Note the chains that a resolution says something of: its case's, and the one it names."""
        self.affect_case(resolution.case_id)
        if resolution.contact_id is not None:
            named = self.customer.chains_named(resolution.contact_id)
            self._publish.update([chain.contact_id for chain in named])

    def affect_case(self, case_id: str) -> None:
        """Note the chains of a case, whose outcome may have changed."""
        self._publish.update(self.customer.case_chains.get(case_id, ()))

    def affect_all(self) -> None:
        """Note everything there is."""
        self._chains.update(self.customer.chains)
        self._costs.update(self.customer.costs)
        self._publish_costs.update(self.customer.costs)
        self._periods.update(self.customer.periods)
        self.affect_orders(set(self.customer.orders))

    def affect_legs(self, names: Iterable[str]) -> None:
        """Note legs to publish as they are: of a chain that is no more, that it is withdrawn."""
        self._publish.update(names)

    # --- rebooking

    def run(self) -> None:
        """Rebook all that was noted, in an order that a replay repeats."""
        for order_id in sorted(self._orders):
            item = self.customer.orders.get(order_id)
            if item is not None:
                self._order(item)
        for event_id in sorted(self._costs):
            self._cost(event_id)
        for name in sorted(self._chains):
            self._chain(name)
        for name in sorted(self._publish):
            self._contact(name)
        for event_id in sorted(self._publish_costs):
            cost = self.customer.costs[event_id]
            cost.version += 1
            self.costs.append(cost_record(self.customer.key, cost, self.policies.zone))
        for event_id in sorted(self._periods):
            self._period(event_id)

    def _may_hold(self, order: Order) -> list[Chain]:
        """Return the chains an order may have been sold in."""
        if order.contact_id is not None:
            return self.customer.chains_named(order.contact_id)
        if order.agent_id is not None:
            return self.customer.chains_open(order.occurred_at)
        return []

    def _sold_in(self, item: OrderItem) -> tuple[Chain | None, bool]:
        order = item.fact
        if order.contact_id is None and order.agent_id is None:
            return None, False
        return sold_in(order, self._may_hold(order))

    def _journey(self, item: OrderItem) -> Journey:
        """Gather what an order meets in the customer's journey."""
        if item.late:
            return Journey(late=True)
        order, customer = item.fact, self.customer
        at = order.occurred_at
        chain, unknown = self._sold_in(item)
        if chain is not None:
            return Journey(sold_in=chain)
        near = customer.chains_ended(at - self.policies.at(at).lookback_ms_max, at)
        if near:
            return Journey(tuple([c for c in near if c.handled]), None, unknown)
        begun = [chain for chain in customer.chains_open(at) if chain.handled]
        during = any(chain.started_at <= at < chain.ended_at for chain in begun)
        return Journey((), None, unknown, during=during)

    def _order(self, item: OrderItem) -> None:
        order, customer = item.fact, self.customer
        policy = self.policies.at(order.occurred_at)
        customer.change("o", order.order_id)
        settlement = None
        book, journey = _NO_BOOK, _NO_JOURNEY
        due: tuple[Entry, ...] = ()
        if order.withdrawn:
            pass
        elif order.kind == "sale":
            steps: tuple[Step, ...] = ()
            if is_refunded(customer, order):
                settlement = self._settlement(order)
                steps = settlement.steps.get(order.order_id, ())
            journey = self._journey(item)
            book = book_sale(order, steps, journey, policy, local_days(policy.zone))
            due = tuple(book.entries)
        elif order.kind == "adjustment":
            due = tuple(book_adjustment(order))
        else:
            settlement = self._settlement(order)
            due = tuple(book_orphan(order, settlement.orphaned.get(order.order_id, 0)))
        changed: set[str] = set()
        if item.booked != due:
            emitted = corrections(item.booked, due)
            self.entries += emitted
            changed = customer.add_credits(emitted, 1)
            item.booked = due
            self._publish |= changed
        if order.kind == "sale":
            item.revision += 1
            self.attributions.append(
                attribution_record(customer.key, item, book, journey, policy, changed)
            )
        item.version += 1
        self.orders.append(order_record(customer.key, item, settlement))

    def _settlement(self, order: Order) -> Settlement:
        """Settle a sale and all its refunds once, however many of them are rebooked."""
        named = order.order_id if order.kind == "sale" else order.refund_of
        key = order.currency, named
        if key not in self._settled:
            self._settled[key] = settlement_for(self.customer, order, self.policies)
        return self._settled[key]

    def _cost(self, event_id: str) -> None:
        customer = self.customer
        item = customer.costs.get(event_id)
        if item is None:
            return
        cost = item.fact
        due: tuple[Entry, ...] = ()
        if not cost.withdrawn:
            named = [] if cost.contact_id is None else customer.chains_named(cost.contact_id)
            chain = min(named, key=lambda c: c.contact_id, default=None)
            due = cost_entries(cost, chain, self.policies.at(cost.occurred_at))
        emitted = corrections(item.booked, due)
        if emitted:
            self.entries += emitted
            item.booked = due
            self._publish.update(entry.contact_id for entry in emitted if entry.contact_id)
        customer.change("x", event_id)

    def _chain(self, name: str) -> None:
        customer = self.customer
        chain = customer.chains.get(name)
        item = customer.legs[name]
        due: tuple[Entry, ...] = ()
        if chain is not None:
            charged: set[str] = set()
            displaced = False
            if chain.has_fee:
                displaced = self._displaced(chain)
                charged = self._events_charged(chain, displaced)
            due = chain_entries(
                chain, self.policies, displaced=displaced, events_charged_here=charged
            )
        self.entries += corrections(item.booked, due)
        item.booked = due
        customer.change("c", name)
        self._publish.add(name)

    def _period(self, event_id: str) -> None:
        item = self.customer.periods[event_id]
        due = period_entries(item.fact)
        self.entries += corrections(item.booked, due)
        item.booked = due
        self.customer.change("p", event_id)
        if item.fact.kind == "close":
            self.periods.append(period_record(item))

    def _displaced(self, chain: Chain) -> bool:
        """Say whether a support order line was sold in this chain."""
        customer = self.customer
        ids: set[str] = set()
        for ref in chain.refs:
            ids.update(customer.refers.sold.get(ref, ()))
        ids.update(customer.sales_between(chain.started_at, chain.open_until))
        for order_id in ids:
            item = customer.orders[order_id]
            if _has_support(item.fact):
                held, _ = self._sold_in(item)
                if held is not None and held.contact_id == chain.contact_id:
                    return True
        return False

    def _events_charged(self, chain: Chain, displaced: bool) -> set[str]:
        """Return the per-event tariffs charged at this chain: once a case, at its earliest."""
        tariffs = event_tariffs(chain.legs, self.policies.at(chain.ended_at))
        if displaced or not tariffs or chain.case_id is None:
            return set() if displaced else tariffs
        if chain.case_id not in self._charged:
            self._charged[chain.case_id] = self._charged_of(chain.case_id)
        at = self._charged[chain.case_id]
        return {tariff for tariff in tariffs if at.get(tariff) == chain.contact_id}

    def _charged_of(self, case_id: str) -> dict[str, str]:
        """Return the chain of a case at which each per-event tariff is charged; once a fact.

        None is, where a support order was sold in any of them.
        """
        mates = [self.customer.chains[name] for name in self.customer.case_chains[case_id]]
        if any(self._displaced(mate) for mate in mates):
            return {}
        mates = [mate for mate in mates if mate.handled and mate.has_fee]
        first: dict[str, str] = {}
        for mate in sorted(mates, key=lambda mate: (mate.ended_at, mate.contact_id)):
            for tariff in event_tariffs(mate.legs, self.policies.at(mate.ended_at)):
                first.setdefault(tariff, mate.contact_id)
        return first

    def _contact(self, name: str) -> None:
        customer = self.customer
        item = customer.legs.get(name)
        if item is None or (name not in customer.chains and item.version == 0):
            return
        item.version += 1
        customer.change("c", name)
        self.contacts.append(contact_record(customer, name, item, self.policies))


def _has_support(order: Order) -> bool:
    return "support" in [line.product_class for line in order.lines]
