"""Counts what was put into the events, as it is put there: the raw material of the truth."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from pnl.simulator.centre import EFFECT_DAYS, QUEUES, TIMEZONE, Agent, Behaviour
from pnl.simulator.truth import (
    AgentTruth,
    CausedOrder,
    Counts,
    Departure,
    Experiment,
    LostOrder,
    MadeRefund,
    OutageTruth,
    QueueTruth,
    Totals,
    Truth,
)
from streams.facts import Cost, Millis, Order

EXPERIMENT_ID: Final = "courtesy-1"


class Tally:
    """What happened so far. The lists grow with effects, not with events."""

    def __init__(self) -> None:
        self.contacts = 0
        self.resolutions = 0
        self.orders = 0
        self.costs = 0
        self.given_orders = 0
        self.baseline_orders = 0
        self.handled = 0
        self.abandoned = 0
        self.controls = 0
        self.treated = 0
        self.unidentified = 0
        self.transferred = 0
        self.order_kinds: Counter[str] = Counter()
        self.cost_kinds: Counter[str] = Counter()
        self.order_sums: Counter[str] = Counter()
        self.cost_sums: Counter[str] = Counter()
        self.handled_by_queue = [0] * len(QUEUES)
        self.resolved_by_queue = [0] * len(QUEUES)
        self.chances_by_queue = [0] * len(QUEUES)
        self.post_by_queue = [0] * len(QUEUES)
        self.expected_ppm_by_queue = [0] * len(QUEUES)
        self.unresolved_known_by_queue = [0] * len(QUEUES)
        self.wounded_by_queue = [0] * len(QUEUES)
        self.handled_by_agent: Counter[str] = Counter()
        self.resolved_by_agent: Counter[str] = Counter()
        self.caused: list[CausedOrder] = []
        self.refunds: list[MadeRefund] = []
        self.lost: list[LostOrder] = []
        self.departures: list[Departure] = []

    def given(self, order: Order) -> None:
        """Count an order that was there before."""
        self.orders += 1
        self.given_orders += 1
        self.order_kinds[order.kind] += 1

    def made(self, order: Order) -> None:
        """Count an order fact of our making."""
        self.orders += 1
        self.order_kinds[order.kind] += 1
        self.order_sums[order.kind] += sum(line.amount_minor for line in order.lines)

    def spent(self, cost: Cost) -> None:
        """Count a cost."""
        self.costs += 1
        self.cost_kinds[cost.kind] += 1
        self.cost_sums[cost.kind] += cost.amount_minor

    def truth(
        self,
        *,
        mode: Literal["overlay", "generate"],
        seed: int,
        currency: str,
        arguments: dict[str, int],
        span: tuple[Millis, Millis],
        agents: Sequence[Agent],
        behaviour: Behaviour,
        baseline_ppm: int | None,
    ) -> Truth:
        """Put it together."""
        caused_by_agent = Counter(order.agent_id for order in self.caused)
        return Truth(
            version=1,
            mode=mode,
            seed=seed,
            arguments=arguments,
            currency=currency,
            timezone=TIMEZONE,
            effect_days=EFFECT_DAYS,
            from_at=span[0],
            to_at=span[1],
            baseline_ppm=baseline_ppm,
            churn_unresolved_ppm=behaviour.churn_unresolved_ppm,
            churn_resolved_ppm=behaviour.churn_resolved_ppm,
            queues=[self._queue(number) for number in range(len(QUEUES))],
            agents=[
                AgentTruth(
                    agent_id=agent.agent_id,
                    team=agent.team,
                    skill_ppm=agent.skill_ppm,
                    sales_ppm=agent.sales_ppm,
                    pace_ppm=agent.pace_ppm,
                    handled=self.handled_by_agent[agent.agent_id],
                    resolved=self.resolved_by_agent[agent.agent_id],
                    caused_orders=caused_by_agent[agent.agent_id],
                )
                for agent in agents
            ],
            experiments=[Experiment(id=EXPERIMENT_ID, treated=self.treated, control=self.controls)],
            outages=[
                OutageTruth(queue=each.queue, starts_at=each.start, ends_at=each.end)
                for each in behaviour.outages
            ],
            counts=self._counts(),
            totals=Totals(
                orders_by_kind_minor=dict(self.order_sums),
                costs_by_kind_minor=dict(self.cost_sums),
                caused_minor=sum(order.amount_minor for order in self.caused),
                lost_minor=sum(order.amount_minor for order in self.lost),
            ),
            caused_orders=self.caused,
            refunds=self.refunds,
            lost_orders=self.lost,
            departures=self.departures,
        )

    def _counts(self) -> Counts:
        return Counts(
            contacts=self.contacts,
            resolutions=self.resolutions,
            orders=self.orders,
            costs=self.costs,
            chains=self.handled + self.abandoned + self.controls,
            handled=self.handled,
            abandoned=self.abandoned,
            controls=self.controls,
            unidentified=self.unidentified,
            transferred=self.transferred,
            orders_by_kind=dict(self.order_kinds),
            costs_by_kind=dict(self.cost_kinds),
            given_orders=self.given_orders,
            made_orders=self.orders - self.given_orders,
        )

    def _queue(self, number: int) -> QueueTruth:
        queue = QUEUES[number]
        mine = [order.effect for order in self.caused if order.queue == queue.name]
        chances = self.chances_by_queue[number]
        return QueueTruth(
            queue=queue.name,
            resolve_ppm=queue.resolve_ppm,
            post_contact_ppm=queue.post_contact_ppm,
            lost_ppm=queue.lost_ppm,
            product_sale_ppm=queue.product_sale_ppm,
            upgrade_sale_ppm=queue.upgrade_sale_ppm,
            maintenance_sale_ppm=queue.maintenance_sale_ppm,
            support_sale_ppm=queue.support_sale_ppm,
            handled=self.handled_by_queue[number],
            resolved=self.resolved_by_queue[number],
            post_contact_chances=chances,
            post_contact_orders=self.post_by_queue[number],
            post_contact_expected_ppm=self.expected_ppm_by_queue[number] // max(chances, 1),
            in_contact_orders=mine.count("in_contact"),
            unresolved_known=self.unresolved_known_by_queue[number],
            lost_order_chances=self.wounded_by_queue[number],
            lost_orders=sum(order.queue == queue.name for order in self.lost),
        )
