"""One intention to contact becomes the legs of a chain: waiting, talk, transfer, or giving up.

What a chain did (`Chain`) is returned for the effects that follow; its legs are facts, ended in
order, the last one being the leg that carries outcome, offers and fee.
"""

from random import Random
from typing import Final, Literal, NamedTuple, TypeAlias

from pnl.simulator.centre import (
    CHANNELS,
    EMAIL,
    ONE,
    ORDERS,
    OUTAGE_RESOLVE_PPM,
    OUTAGE_WAIT,
    QUEUES,
    TECHNICAL,
    Agent,
    Behaviour,
)
from pnl.simulator.dice import around, happens
from pnl.simulator.floor import Floor
from pnl.simulator.tally import EXPERIMENT_ID
from streams.facts import Contact, Experiment, Fee, Millis, Offer, ProductClass

Ending: TypeAlias = Literal["resolved", "unresolved", "escalated", "abandoned", "control"]

MINUTE_MS: Final = 60_000
_TALK_FACTOR: Final = (1.0, 1.25, 0.9)
_CONTROL: Final = Experiment(id=EXPERIMENT_ID, arm="control")
_TREATED: Final = Experiment(id=EXPERIMENT_ID, arm="treated")
_PAID: Final = Fee(tariff="paid")
_INCIDENT: Final = Fee(tariff="incident")
_OFFERED: Final[tuple[ProductClass, ...]] = ("product", "upgrade", "maintenance")


class Intent(NamedTuple):
    """Somebody means to contact somebody."""

    at: Millis
    queue: int
    channel: int
    reason: str
    customer_id: str | None
    case_id: str | None
    kind: str = "service"
    direction: str = "inbound"
    arm: Literal["", "treated", "control"] = ""
    attempt: int = 1


class Chain(NamedTuple):
    """What became of it. `key` is what a guest's order, resolution or cost names (RUL-KEY)."""

    intent: Intent
    name: str
    leg_id: str
    key: str
    queue: int
    agent: Agent | None
    connected_at: Millis
    ended_at: Millis
    ending: Ending
    sold: tuple[ProductClass, ...]


class _Leg(NamedTuple):
    """How long one leg took."""

    start: Millis
    connected: Millis
    talk: int
    hold: int
    wrap: int


class Desk:
    """Handles intents one after the other, in the order of their times within a day."""

    def __init__(self, floor: Floor, behaviour: Behaviour, rng: Random) -> None:
        self.day_end: Millis = 0
        self._floor = floor
        self._behaviour = behaviour
        self._rng = rng
        self._number = 0

    def handle(self, intent: Intent) -> tuple[Chain, list[Contact]]:
        """Return what became of an intent, and its legs in order of their ends."""
        name = self._id()
        if intent.arm == "control":
            return self._control(intent, name)
        rng = self._rng
        agent, connected = self._connect(intent.at, intent.queue, intent.channel)
        connected = self._waited(intent.queue, intent.at, connected)
        patience = round(rng.expovariate(1.0 / self._behaviour.patience_s) * 1000) + 5_000
        gives_up = intent.channel != EMAIL and intent.direction == "inbound"
        if gives_up and connected - intent.at > patience:
            return self._abandoned(intent, name, intent.at + patience)
        if happens(rng, self._behaviour.transfer_ppm):
            return self._transferred(intent, name, agent, connected)
        leg = self._leg(intent.at, connected, intent.queue, intent.channel, agent)
        ending, sold = self._ending(intent.queue, agent, intent.at)
        contact = self._contact(intent, name, None, None, intent.queue, agent, leg, sold)
        chain = _chain(intent, name, name, name, intent.queue, agent, leg, ending, sold)
        return chain, [contact]

    def _id(self) -> str:
        self._number += 1
        return f"k{self._number}"

    def _connect(self, at: Millis, queue: int, channel: int) -> tuple[Agent, Millis]:
        rng = self._rng
        if channel == EMAIL:
            # Mail waits for a quiet moment of the same day.
            left = max(self.day_end - at - 10 * MINUTE_MS, MINUTE_MS)
            at += round(min(around(rng, 45.0, 0.9) * MINUTE_MS, left))
        else:
            at += round(around(rng, 40.0, 1.1) * 1000)
        return self._floor.offer(at, queue)

    def _waited(self, queue: int, since: Millis, connected: Millis) -> Millis:
        """Return when somebody is connected who waits since then; later in an outage."""
        if not self._behaviour.in_trouble(queue, since):
            return connected
        return since + (connected - since) * OUTAGE_WAIT

    def _leg(self, start: Millis, connected: Millis, queue: int, channel: int, by: Agent) -> _Leg:
        rng = self._rng
        median_s = QUEUES[queue].talk_s * _TALK_FACTOR[channel] * by.pace_ppm / ONE
        talk = round(min(max(around(rng, median_s, 0.45), 45.0), 2400.0) * 1000)
        hold = rng.randrange(20_000, 150_000) if rng.random() < 0.25 else 0
        wrap = rng.randrange(20_000, 120_000)
        self._floor.occupy(by, connected, connected + talk + hold + wrap, channel)
        return _Leg(start, connected, talk, hold if channel != EMAIL else 0, wrap)

    def _ending(
        self, queue: int, agent: Agent, at: Millis
    ) -> tuple[Ending, tuple[ProductClass, ...]]:
        rng = self._rng
        rules = QUEUES[queue]
        resolve_ppm = min(rules.resolve_ppm * agent.skill_ppm // ONE, 970_000)
        if self._behaviour.in_trouble(queue, at):
            resolve_ppm = resolve_ppm * OUTAGE_RESOLVE_PPM // ONE
        if not happens(rng, resolve_ppm):
            escalated = happens(rng, self._behaviour.escalated_ppm)
            return ("escalated" if escalated else "unresolved"), ()
        # One draw decides whether anything is sold, and what: the rates are small.
        draw = rng.random() * ONE * ONE / agent.sales_ppm
        sold: ProductClass
        for sold, rate in (
            ("product", rules.product_sale_ppm),
            ("upgrade", rules.upgrade_sale_ppm),
            ("maintenance", rules.maintenance_sale_ppm),
            ("support", rules.support_sale_ppm),
        ):
            if draw < rate:
                return "resolved", (sold,)
            draw -= rate
        return "resolved", ()

    def _contact(
        self,
        intent: Intent,
        contact_id: str,
        chain_id: str | None,
        transfer_of: str | None,
        queue: int,
        agent: Agent,
        leg: _Leg,
        sold: tuple[ProductClass, ...],
    ) -> Contact:
        return Contact(
            contact_id,
            contact_id,
            CHANNELS[intent.channel],
            intent.direction,
            intent.kind,
            QUEUES[queue].name,
            leg.start,
            leg.connected + leg.talk + leg.hold,
            leg.talk,
            leg.hold,
            leg.wrap,
            leg.connected - leg.start,
            False,
            leg.connected,
            intent.customer_id,
            chain_id,
            intent.case_id,
            transfer_of,
            agent.team,
            agent.agent_id,
            intent.reason,
            None,
            None,
            self._fee(queue, sold),
            self._offers(queue, agent, sold),
            _TREATED if intent.arm else None,
        )

    def _fee(self, queue: int, sold: tuple[ProductClass, ...]) -> Fee | None:
        rules = QUEUES[queue]
        if not rules.paid_ppm or "support" in sold or not happens(self._rng, rules.paid_ppm):
            return None
        return _PAID if self._rng.random() < 0.75 else _INCIDENT

    def _offers(
        self, queue: int, agent: Agent, sold: tuple[ProductClass, ...]
    ) -> tuple[Offer, ...]:
        rng = self._rng
        if not sold and (queue not in (ORDERS, TECHNICAL) or rng.random() >= 0.5):
            return ()
        taken = sold[0] if sold else _OFFERED[int(rng.random() * len(_OFFERED))]
        offered = bool(sold) or rng.random() * ONE * 2 < agent.sales_ppm
        return (Offer(product_class=taken, eligible=True, offered=offered, accepted=bool(sold)),)

    def _transferred(
        self, intent: Intent, first_id: str, first: Agent, connected: Millis
    ) -> tuple[Chain, list[Contact]]:
        """Two legs: somebody takes it, finds that it is for others, and hands it over."""
        rng = self._rng
        opening = _Leg(intent.at, connected, rng.randrange(40_000, 150_000), 0, 15_000)
        self._floor.occupy(first, connected, connected + opening.talk + 15_000, intent.channel)
        handed_over = connected + opening.talk
        last_id = self._id()
        # A guest's legs can be joined by nothing but a chain_id.
        named = intent.customer_id is None or happens(rng, self._behaviour.chain_id_ppm)
        chain_id = first_id if named else None
        queue = (intent.queue + 1 + int(rng.random() * (len(QUEUES) - 1))) % len(QUEUES)
        agent, answered = self._floor.offer(handed_over + rng.randrange(10_000, 70_000), queue)
        answered = self._waited(queue, handed_over, answered)
        leg = self._leg(handed_over, answered, queue, intent.channel, agent)
        ending, sold = self._ending(queue, agent, handed_over)
        legs = [
            self._contact(intent, first_id, chain_id, None, intent.queue, first, opening, ()),
            self._contact(intent, last_id, chain_id, first_id, queue, agent, leg, sold),
        ]
        chain = _chain(intent, first_id, last_id, first_id, queue, agent, leg, ending, sold)
        return chain, legs

    def _abandoned(self, intent: Intent, name: str, left_at: Millis) -> tuple[Chain, list[Contact]]:
        contact = Contact(
            event_id=name,
            contact_id=name,
            channel=CHANNELS[intent.channel],
            direction=intent.direction,
            kind=intent.kind,
            queue=QUEUES[intent.queue].name,
            started_at=intent.at,
            ended_at=left_at,
            talk_ms=0,
            hold_ms=0,
            wrap_ms=0,
            wait_ms=left_at - intent.at,
            abandoned=True,
            customer_id=intent.customer_id,
            case_id=intent.case_id,
            reason=intent.reason,
        )
        return _unheard(intent, name, left_at, "abandoned"), [contact]

    def _control(self, intent: Intent, name: str) -> tuple[Chain, list[Contact]]:
        """Nobody was called, on purpose: a fact that costs nothing and is never handled."""
        contact = Contact(
            event_id=name,
            contact_id=name,
            channel=CHANNELS[intent.channel],
            direction=intent.direction,
            kind=intent.kind,
            queue=QUEUES[intent.queue].name,
            started_at=intent.at,
            ended_at=intent.at,
            talk_ms=0,
            hold_ms=0,
            wrap_ms=0,
            wait_ms=0,
            abandoned=False,
            customer_id=intent.customer_id,
            reason=intent.reason,
            experiment=_CONTROL,
        )
        return _unheard(intent, name, intent.at, "control"), [contact]


def _chain(
    intent: Intent,
    name: str,
    leg_id: str,
    key: str,
    queue: int,
    agent: Agent,
    leg: _Leg,
    ending: Ending,
    sold: tuple[ProductClass, ...],
) -> Chain:
    ended_at = leg.connected + leg.talk + leg.hold
    return Chain(intent, name, leg_id, key, queue, agent, leg.connected, ended_at, ending, sold)


def _unheard(intent: Intent, name: str, ended_at: Millis, ending: Ending) -> Chain:
    return Chain(intent, name, name, name, intent.queue, None, ended_at, ended_at, ending, ())
