"""What a handled contact causes: sales in it, one more order after it, refunds, costs.

Law: everything made here is counted in the tally with the contact that caused it, and nothing
is made whose time would lie after the end of the simulation.
"""

from datetime import date, timedelta
from random import Random
from typing import Final

from pnl.simulator.centre import EFFECT_DAYS, ONE, QUEUES, Behaviour
from pnl.simulator.desk import Chain
from pnl.simulator.dice import around, happens
from pnl.simulator.tally import Tally
from pnl.simulator.timeline import DAY_MS, Timeline
from pnl.simulator.truth import CausedOrder, Effect, MadeRefund
from streams.facts import Cost, Millis, Order, OrderKind, OrderLine, ProductClass
from streams.topics import COSTS, ORDERS

_EPOCH: Final = date(1970, 1, 1)
_MEDIAN_MINOR: Final[dict[ProductClass, int]] = {
    "product": 9_500,
    "upgrade": 7_000,
    "maintenance": 12_000,
    "support": 2_500,
}
_SKUS: Final = ("bag", "lantern", "teapot", "bunting", "clock", "doormat", "candle", "tin")
_REFUND_DELAY_DAYS: Final = 9.3  # median; 95 % within 109 days, as in the real invoices
_REFUND_SPREAD: Final = 1.35
_REFUND_KINDS: Final[tuple[OrderKind, ...]] = (
    *("refund",) * 17,
    "credit_note",
    "chargeback",
    "cancellation",
)
_POST_DELAY_DAYS: Final = 6.0


class Effects:
    """Makes orders, refunds and concessions, and lets them wait on the timeline."""

    def __init__(
        self,
        timeline: Timeline,
        tally: Tally,
        behaviour: Behaviour,
        rng: Random,
        *,
        prefix: str,
        currency: str,
        end_at: Millis,
    ) -> None:
        self.concession_ppm = behaviour.concession_ppm
        self._timeline = timeline
        self._tally = tally
        self._behaviour = behaviour
        self._rng = rng
        self._prefix = prefix
        self._currency = currency
        self._end_at = end_at
        self._number = 0

    def follow(self, chain: Chain) -> None:
        """Make what a handled chain causes."""
        if chain.ending == "resolved":
            for product_class in chain.sold:
                self._in_contact(chain, product_class)
            if chain.intent.customer_id is not None:
                self._post_contact(chain)
        self._concession(chain)

    def sell(self, at: Millis, customer_id: str | None, product_class: ProductClass) -> Order:
        """Place an order that no contact caused."""
        return self._order(at, product_class, customer_id)

    def new_id(self) -> str:
        """Return the next order id, marked as ours."""
        self._number += 1
        return f"{self._prefix}{self._number}"

    def amount(self, product_class: ProductClass) -> int:
        """Draw what an order line of a class is worth."""
        return round(around(self._rng, _MEDIAN_MINOR[product_class], 0.7)) + 100

    def book(self, order: Order) -> None:
        """Let an order fact wait for its time, and count it."""
        self._timeline.put(order.occurred_at, ORDERS, order)
        self._tally.made(order)

    def refund_later(self, order: Order) -> None:
        """Perhaps take an order back, as late as real ones are."""
        rng = self._rng
        if not happens(rng, self._behaviour.refund_ppm) or not order.lines:
            return
        days = min(around(rng, _REFUND_DELAY_DAYS, _REFUND_SPREAD), 300.0)
        at = order.occurred_at + round(days * DAY_MS) + 1
        if at < self._end_at:
            kind = _REFUND_KINDS[int(rng.random() * len(_REFUND_KINDS))]
            # Only a plain refund may come without the order's number.
            named = kind != "refund" or order.customer_id is None
            linked = named or happens(rng, self._behaviour.refund_linked_ppm)
            self.refund(order, at, kind, linked=linked)

    def refund(self, order: Order, at: Millis, kind: OrderKind, *, linked: bool) -> None:
        """Take an order back, or part of its first line. A guest's refund carries its key."""
        first = order.lines[0]
        amount_minor = first.amount_minor
        if kind != "cancellation" and happens(self._rng, self._behaviour.refund_partial_ppm):
            amount_minor = max(1, amount_minor * self._rng.randrange(10, 90) // 100)
        if kind == "cancellation":
            amount_minor = sum(line.amount_minor for line in order.lines)
        refund_id = self.new_id()
        lines = (OrderLine(first.line_id, first.product_class, amount_minor, first.sku),)
        fact = Order(
            refund_id,
            refund_id,
            kind,
            at,
            order.currency,
            () if kind == "cancellation" else lines,
            order.customer_id,
            order.order_id if linked else None,
            order.contact_id if order.customer_id is None else None,
        )
        self.book(fact)
        made = MadeRefund(
            order_id=refund_id,
            of=order.order_id,
            linked=linked,
            amount_minor=amount_minor,
            occurred_at=at,
        )
        self._tally.refunds.append(made)

    def _in_contact(self, chain: Chain, product_class: ProductClass) -> None:
        talk_ms = chain.ended_at - chain.connected_at
        at = chain.connected_at + talk_ms // 2 + int(self._rng.random() * (talk_ms // 2))
        known = chain.intent.customer_id is not None
        order = self._order(
            at,
            product_class,
            chain.intent.customer_id,
            contact_id=chain.leg_id if known else chain.key,
            agent_id=None if chain.agent is None else chain.agent.agent_id,
        )
        self._caused(order, chain, "in_contact")

    def _post_contact(self, chain: Chain) -> None:
        assert chain.agent is not None
        rng = self._rng
        queue = chain.queue
        rate_ppm = QUEUES[queue].post_contact_ppm * chain.agent.sales_ppm // ONE
        matured = chain.ended_at + EFFECT_DAYS * DAY_MS < self._end_at
        if matured:
            self._tally.chances_by_queue[queue] += 1
            self._tally.expected_ppm_by_queue[queue] += rate_ppm
        if not happens(rng, rate_ppm):
            return
        days = min(rng.expovariate(1.0 / _POST_DELAY_DAYS), EFFECT_DAYS - 1.0)
        at = chain.ended_at + round(days * DAY_MS) + 600_000
        if at < self._end_at:
            upgrade = rng.random() < 0.12
            order = self._order(at, "upgrade" if upgrade else "product", chain.intent.customer_id)
            self._tally.post_by_queue[queue] += matured
            self._caused(order, chain, "post_contact")

    def _caused(self, order: Order, chain: Chain, effect: Effect) -> None:
        assert chain.agent is not None
        self._tally.caused.append(
            CausedOrder(
                order_id=order.order_id,
                contact_id=chain.name,
                effect=effect,
                queue=QUEUES[chain.queue].name,
                agent_id=chain.agent.agent_id,
                amount_minor=sum(line.amount_minor for line in order.lines),
                occurred_at=order.occurred_at,
            )
        )
        self.refund_later(order)

    def _order(
        self,
        at: Millis,
        product_class: ProductClass,
        customer_id: str | None,
        *,
        contact_id: str | None = None,
        agent_id: str | None = None,
    ) -> Order:
        order_id = self.new_id()
        lines = [self._line("1", product_class, at)]
        if product_class == "product" and self._rng.random() < 0.15:
            lines.append(self._line("2", "product", at))
        order = Order(
            order_id,
            order_id,
            "sale",
            at,
            self._currency,
            tuple(lines),
            customer_id,
            None,
            contact_id,
            agent_id,
        )
        self.book(order)
        return order

    def _line(self, line_id: str, product_class: ProductClass, at: Millis) -> OrderLine:
        rng = self._rng
        amount_minor = self.amount(product_class)
        if product_class in ("product", "upgrade"):
            cost_minor = amount_minor * rng.randrange(45, 75) // 100 if rng.random() < 0.5 else None
            sku = _SKUS[int(rng.random() * len(_SKUS))]
            return OrderLine(line_id, product_class, amount_minor, sku, cost_minor)
        if product_class == "support" and rng.random() < 0.6:
            return OrderLine(line_id, product_class, amount_minor, "support hour")
        days = 90 if product_class == "support" else 365
        start = _EPOCH + timedelta(days=at // DAY_MS + 1)
        return OrderLine(
            line_id,
            product_class,
            amount_minor,
            f"{product_class} {days} days",
            None,
            start.isoformat(),
            (start + timedelta(days=days)).isoformat(),
        )

    def _concession(self, chain: Chain) -> None:
        rng = self._rng
        rate_ppm = self.concession_ppm * (1 if chain.ending == "resolved" else 3)
        if not happens(rng, rate_ppm):
            return
        known = chain.intent.customer_id is not None
        cost = Cost(
            f"x-{chain.name}",
            "concession",
            chain.ended_at,
            rng.randrange(300, 2_500),
            self._currency,
            chain.intent.customer_id,
            chain.name if known else chain.key,
            None,
            QUEUES[chain.queue].name,
        )
        self._timeline.put(cost.occurred_at, COSTS, cost)
        self._tally.spent(cost)
