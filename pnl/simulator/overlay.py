"""Contacts over orders that are given: the invoices stay as they are.

Law: every given order is in the events once, equal to what it was. What contacts cause is added
as orders of their own, marked by their id; given orders cause contacts, never the reverse. So
nothing can be lost here: effects that take orders away belong to the generator.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from pnl.simulator.centre import (
    BILLING,
    CHAT,
    EMAIL,
    ORDERS,
    QUEUES,
    RETENTION,
    RETURNS,
    TECHNICAL,
    VOICE,
    Behaviour,
)
from pnl.simulator.desk import Chain, Intent
from pnl.simulator.dice import happens, stream
from pnl.simulator.run import Run
from pnl.simulator.timeline import DAY_MS
from streams import topics
from streams.facts import Order

MARK: Final = "sim-"
"""Order ids that begin with it are ours; a given order must not."""

CONTACTS_PER_ORDER: Final = 0.7
_BEFORE_PPM: Final = 320_000
_AFTER_PPM: Final = 310_000
_GUEST_PPM: Final = 130_000
_REFUND_PPM: Final = 450_000
_OUTBOUND_PPM: Final = 35_000
_BEFORE: Final = (ORDERS, ORDERS, ORDERS, ORDERS, TECHNICAL, TECHNICAL, BILLING)
_AFTER: Final = (RETURNS, RETURNS, ORDERS, ORDERS, BILLING, TECHNICAL, TECHNICAL, RETENTION)
_BEFORE_DAYS: Final = 5.0
_AFTER_DAYS: Final = 8.0
LEAD_DAYS: Final = 25


class Given:
    """The demand that given orders make: calls before and after them, and refunds' calls.

    Raises ValueError when a given order carries our mark.
    """

    def __init__(self, orders: Sequence[Order], seed: int, behaviour: Behaviour) -> None:
        self._rng = stream(seed, "demand")
        self._behaviour = behaviour
        self._days: dict[int, list[Order]] = {}
        for order in sorted(orders, key=lambda each: (each.occurred_at, each.order_id)):
            if order.order_id.startswith(MARK):
                raise ValueError(f"order {order.order_id} carries the mark of simulated orders")
            self._days.setdefault(order.occurred_at // DAY_MS, []).append(order)
        # What we add is in the currency that most orders are in.
        currencies = Counter(order.currency for order in orders)
        self.currency: Final = min(currencies, key=lambda code: (-currencies[code], code))
        self.count: Final = sum(len(orders) for orders in self._days.values())
        self.first_day: Final = min(self._days, default=0)
        self.last_day: Final = max(self._days, default=0)
        self._looked_until = self.first_day - 1

    def begin(self, day: int, run: Run) -> None:
        """Put the day's orders; note the calls of orders that lie ahead, as far as calls lead."""
        while self._looked_until < day + LEAD_DAYS:
            self._looked_until += 1
            for order in self._days.get(self._looked_until, ()):
                self._calls(order, day, run)
        for order in self._days.get(day, ()):
            run.timeline.put(order.occurred_at, topics.ORDERS, order)
            run.tally.given(order)

    def heard(self, chain: Chain, run: Run) -> None:
        """Leave the invoices alone."""

    def gone(self, _customer_id: str, /) -> bool:
        """Deny it: nobody leaves, because their orders are given."""
        return False

    def _calls(self, order: Order, today: int, run: Run) -> None:
        rng = self._rng
        day = order.occurred_at // DAY_MS
        if order.kind == "adjustment":
            return
        if order.kind != "sale":
            if happens(rng, _REFUND_PPM):
                self._call(
                    rng, run, max(today, day - 1 - int(rng.expovariate(0.4))), RETURNS, order
                )
            return
        known = order.customer_id is not None
        if happens(rng, _BEFORE_PPM if known else _GUEST_PPM):
            lead = min(1 + int(rng.expovariate(1 / _BEFORE_DAYS)), LEAD_DAYS)
            self._call(rng, run, max(today, day - lead), _any(rng, _BEFORE), order)
        if happens(rng, _AFTER_PPM if known else _GUEST_PPM):
            lag = 1 + int(rng.expovariate(1 / _AFTER_DAYS))
            self._call(rng, run, day + lag, _any(rng, _AFTER), order)
        if known and happens(rng, _OUTBOUND_PPM):
            self._courtesy(rng, run, day + 2 + int(rng.expovariate(1 / _AFTER_DAYS)), order)

    def _call(self, rng: Random, run: Run, day: int, queue: int, order: Order) -> None:
        customer_id = order.customer_id
        if happens(rng, self._behaviour.unidentified_ppm):
            customer_id = None
        run.intend(
            day,
            Intent(
                at=run.moment(day),
                queue=queue,
                channel=channel(rng),
                reason=_reason(rng, queue),
                customer_id=customer_id,
                case_id=run.new_case(),
            ),
        )

    def _courtesy(self, rng: Random, run: Run, day: int, order: Order) -> None:
        control = happens(rng, self._behaviour.control_ppm)
        run.intend(
            day,
            Intent(
                at=run.moment(day),
                queue=RETENTION,
                channel=VOICE,
                reason="courtesy",
                customer_id=order.customer_id,
                case_id=None,
                kind="courtesy",
                direction="outbound",
                arm="control" if control else "treated",
            ),
        )


def channel(rng: Random) -> int:
    """Draw a channel: most people ring."""
    draw = rng.random()
    if draw < 0.62:
        return VOICE
    return CHAT if draw < 0.84 else EMAIL


def _any(rng: Random, choices: tuple[int, ...]) -> int:
    return choices[int(rng.random() * len(choices))]


def _reason(rng: Random, queue: int) -> str:
    reasons = QUEUES[queue].reasons
    return reasons[int(rng.random() * len(reasons))]
