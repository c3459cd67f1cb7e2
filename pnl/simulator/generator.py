"""Orders and contacts of customers who do not exist, in a stated mix, with effects both ways.

Law: an order is placed because its customer's own rate says so (baseline), or because a contact
caused it; a baseline order after an unresolved contact may be lost, and a customer may leave.
Each of these is in the truth. Contacts come at the customer's own rate too, whatever was bought.

A steering aims each day at what is left of the mix, so that the totals come out close to what
was asked for, however the dice fall; it moves how many orders and calls there are in a day, and
how often a case is closed with a resolution, never the effects.
"""

from bisect import bisect_right
from datetime import date
from typing import Final, NamedTuple

from pnl.simulator.centre import (
    CURRENCY,
    EFFECT_DAYS,
    ONE,
    QUEUES,
    RETENTION,
    VOICE,
    Behaviour,
)
from pnl.simulator.desk import Chain, Intent
from pnl.simulator.dice import happens, poisson, stream
from pnl.simulator.overlay import channel
from pnl.simulator.run import Plan, Run
from pnl.simulator.timeline import DAY_MS
from pnl.simulator.truth import Departure, LostOrder, MadeRefund
from streams.facts import Millis, Order, OrderLine, ProductClass

END: Final = date(2025, 1, 1)
"""The day after the last one: long past, because a fact of the future is refused."""

CONTACT_SHARE, RESOLUTION_SHARE, ORDER_SHARE, COST_SHARE = 0.70, 0.10, 0.18, 0.02

GENERATOR_BEHAVIOUR: Final = Behaviour(
    refund_ppm=110_000,
    refund_linked_ppm=600_000,
    churn_unresolved_ppm=40_000,
    churn_resolved_ppm=2_000,
    shift_hours=8,
    occupancy_ppm=640_000,
    unidentified_ppm=170_000,
)

_WEEKDAYS: Final = (1.15, 1.10, 1.05, 1.05, 1.05, 0.85, 0.75)  # Thursday first: 1970-01-01
_LEGS: Final = 1.075
_CASES: Final = 0.78  # of chains, those handled that have a case
_ONCE: Final = 1.45  # a concession's rate over all chains, per that of a resolved one
_QUEUE_BOUNDS: Final = (0.34, 0.54, 0.70, 0.92, 1.0)
_SKEW: Final = 1.6
_GUEST_PPM: Final = 40_000
_ORPHAN_PPM: Final = 2_000
_TRIES: Final = 50


class _Wound(NamedTuple):
    """An unresolved contact that may cost an order."""

    contact_id: str
    queue: int
    at: Millis


class Invented:
    """The demand of invented customers. Memory grows with them, not with the events."""

    def __init__(self, customers: int, events: int, plan: Plan) -> None:
        self._customers = customers
        self._plan = plan
        self._rng = stream(plan.seed, "demand")
        self._contacts = round(events * CONTACT_SHARE)
        self._orders = round(events * ORDER_SHARE)
        self._resolutions = round(events * RESOLUTION_SHARE)
        self._costs = round(events * COST_SHARE)
        weights = [_WEEKDAYS[day % 7] for day in range(plan.first_day, plan.last_day + 1)]
        self._weight_left = sum(weights)
        # What follows from contacts and orders without being asked for: a moving mean.
        self._others = self._contacts / plan.days * 0.06
        self._orders_before = 0
        self._fresh = 0
        self._adjustments = 0
        self._wounds: dict[str, _Wound] = {}
        self._gone: set[str] = set()

    def begin(self, day: int, run: Run) -> None:
        """Put a day's baseline orders on the timeline and its calls on the list."""
        weight = _WEEKDAYS[day % 7]
        share = weight / self._weight_left
        self._weight_left = max(self._weight_left - weight, 1e-9)
        self._steer(day, run)
        self._place_orders(day, run, share, weight)
        self._place_calls(day, run, share)

    def heard(self, chain: Chain, run: Run) -> None:
        """Remember an unresolved contact until one is resolved; perhaps the customer leaves."""
        customer_id = chain.intent.customer_id
        assert customer_id is not None
        if chain.agent is None:
            return
        behaviour = self._plan.behaviour
        resolved = chain.ending == "resolved"
        if resolved:
            self._wounds.pop(customer_id, None)
        else:
            self._wounds[customer_id] = _Wound(chain.name, chain.queue, chain.ended_at)
        rate_ppm = behaviour.churn_resolved_ppm if resolved else behaviour.churn_unresolved_ppm
        if happens(self._rng, rate_ppm):
            self._leave(customer_id, chain, run)

    def gone(self, customer_id: str, /) -> bool:
        """Tell whether a customer has left."""
        return customer_id in self._gone

    def baseline_ppm(self, run: Run) -> int:
        """Return the mean baseline orders of a customer in 30 days, lost ones included."""
        span = self._customers * self._plan.days
        return run.tally.baseline_orders * EFFECT_DAYS * ONE // span

    def _leave(self, customer_id: str, chain: Chain, run: Run) -> None:
        self._gone.add(customer_id)
        self._wounds.pop(customer_id, None)
        run.tally.departures.append(
            Departure(
                customer_id=customer_id,
                contact_id=chain.name,
                queue=QUEUES[chain.queue].name,
                resolved=chain.ending == "resolved",
                churned_at=chain.ended_at,
            )
        )

    def _steer(self, day: int, run: Run) -> None:
        """Aim the rates that belong to the mix at what is left of it."""
        tally, plan = run.tally, self._plan
        chains_left = max((self._contacts - tally.contacts) / _LEGS, 1.0)
        closed = (self._resolutions - tally.resolutions) / (chains_left * _CASES)
        reopened = plan.behaviour.reopened_ppm / ONE
        run.resolution_ppm = _within(round((closed - reopened) * ONE), 0, ONE)
        days_left = plan.last_day - day + 1
        shifts_left = run.headcount * len(run.turns) * days_left
        costs_left = max(self._costs - tally.costs - days_left // 6, 0)
        run.expenses.shifts_paid_ppm = min(round(costs_left * 0.75 / shifts_left * ONE), ONE)
        paid = shifts_left * run.expenses.shifts_paid_ppm / ONE
        rate = (costs_left - paid) / (chains_left * _ONCE)
        run.effects.concession_ppm = _within(round(rate * ONE), 1_000, 60_000)

    def _place_orders(self, day: int, run: Run, share: float, weight: float) -> None:
        made = run.tally.orders - self._orders_before - self._fresh
        if self._orders_before:
            self._others += (made - self._others) * 0.05
        self._orders_before = run.tally.orders
        quota = (self._orders - run.tally.orders) * share
        rng = self._rng
        self._fresh = poisson(rng, quota - self._others * weight)
        effects = run.effects
        for at in sorted(day * DAY_MS + int(rng.random() * DAY_MS) for _ in range(self._fresh)):
            order = self._place(at, run)
            if order is not None:
                effects.refund_later(order)
                if happens(rng, _ORPHAN_PPM):
                    self._orphan(order, run)
        # What follows from fresh orders is among the others, where the mean expects it.
        if day % 30 == 0:
            self._adjust(day, run)

    def _place(self, at: Millis, run: Run) -> Order | None:
        """Place a baseline order, unless an unresolved contact takes it away."""
        rng = self._rng
        draw = rng.random()
        product_class: ProductClass = "product"
        if draw > 0.90:
            product_class = "upgrade" if draw < 0.95 else "maintenance"
            product_class = "support" if draw > 0.98 else product_class
        if happens(rng, _GUEST_PPM):
            return run.effects.sell(at, None, product_class)
        customer_id = self._customer()
        run.tally.baseline_orders += 1
        wound = self._wounds.get(customer_id)
        if wound is not None and wound.at < at <= wound.at + EFFECT_DAYS * DAY_MS:
            run.tally.wounded_by_queue[wound.queue] += 1
            if happens(rng, QUEUES[wound.queue].lost_ppm):
                lost = LostOrder(
                    customer_id=customer_id,
                    contact_id=wound.contact_id,
                    queue=QUEUES[wound.queue].name,
                    amount_minor=run.effects.amount(product_class),
                    would_have_occurred_at=at,
                )
                run.tally.lost.append(lost)
                return None
        return run.effects.sell(at, customer_id, product_class)

    def _orphan(self, order: Order, run: Run) -> None:
        """Take back an order from before the simulated time."""
        refund_id = run.effects.new_id()
        line = OrderLine("1", "product", run.effects.amount("product"))
        fact = Order(
            refund_id,
            refund_id,
            "refund",
            order.occurred_at + 1,
            order.currency,
            (line,),
            order.customer_id,
            f"before-{refund_id}",
        )
        run.effects.book(fact)
        run.tally.refunds.append(
            MadeRefund(
                order_id=refund_id,
                of=None,
                linked=True,
                amount_minor=line.amount_minor,
                occurred_at=fact.occurred_at,
            )
        )

    def _adjust(self, day: int, run: Run) -> None:
        """Write off bad debt: an adjustment touches no order and no contact."""
        self._adjustments += 1
        adjustment_id = f"bad-debt-{self._adjustments}"
        line = OrderLine("1", "product", -run.effects.amount("product") * 3)
        at = day * DAY_MS + DAY_MS // 2
        run.effects.book(Order(adjustment_id, adjustment_id, "adjustment", at, CURRENCY, (line,)))

    def _place_calls(self, day: int, run: Run, share: float) -> None:
        rng = self._rng
        quota = (self._contacts - run.tally.contacts) * share / _LEGS
        behaviour = self._plan.behaviour
        for _ in range(round(quota) - run.intended(day)):
            if happens(rng, behaviour.experiment_ppm):
                run.intend(day, self._courtesy(day, run))
                continue
            draw = rng.random()
            queue = bisect_right(_QUEUE_BOUNDS, draw)
            reasons = QUEUES[queue].reasons
            known = not happens(rng, behaviour.unidentified_ppm)
            intent = Intent(
                run.moment(day),
                queue,
                channel(rng),
                reasons[int(rng.random() * len(reasons))],
                self._customer() if known else None,
                run.new_case(),
                "save" if queue == RETENTION else "service",
            )
            run.intend(day, intent)

    def _courtesy(self, day: int, run: Run) -> Intent:
        """Call somebody at random, or on purpose not: a fair experiment."""
        control = happens(self._rng, self._plan.behaviour.control_ppm)
        return Intent(
            at=run.moment(day),
            queue=RETENTION,
            channel=VOICE,
            reason="courtesy",
            customer_id=self._customer(),
            case_id=None,
            kind="courtesy",
            direction="outbound",
            arm="control" if control else "treated",
        )

    def _customer(self) -> str:
        """Draw a customer: a few buy and call often, most seldom. Those who left do neither."""
        rng = self._rng
        for _ in range(_TRIES):
            number = int(rng.random() ** _SKEW * self._customers)
            customer_id = f"c{number + 1}"
            if customer_id not in self._gone:
                break
        return customer_id


def plan(seed: int, years: int, events: int) -> Plan:
    """Return the plan of a generated simulation: it ends before `END`."""
    last_day = END.toordinal() - date(1970, 1, 1).toordinal() - 1
    return Plan(
        seed=seed,
        first_day=last_day - 365 * years + 1,
        last_day=last_day,
        contacts=round(events * CONTACT_SHARE),
        prefix="o",
        currency=CURRENCY,
        behaviour=GENERATOR_BEHAVIOUR,
    )


def _within(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)
