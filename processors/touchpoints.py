"""Chains: legs joined into what the customer would call one contact; and who may earn credit.

Law: the chains of a customer are the connected components of the legs, over a shared `chain_id`
and, for a leg without one, the leg its `transfer_of` names (DEF-CHAIN, RUL-CHAIN). Components
do not depend on the order in which legs arrived, and a loop of transfers is harmless.

Legs of a chain are ordered by (started_at, contact_id): the first names the chain, the last
connected one gives its dimensions (RUL-DIMS).
"""

from collections.abc import Iterable, Sequence

import msgspec

from streams.facts import NOT_HANDLED, SELF_SERVICE, Contact, Millis, Order


class Chain(msgspec.Struct, frozen=True, gc=False):
    """A chain as orders and costs see it: its legs in leg order, and what follows from them.

    `contact_id` names it; `face` is the leg that gives its dimensions.
    """

    contact_id: str
    case_id: str | None
    started_at: Millis
    ended_at: Millis
    handle_ms: int
    handled: bool
    abandoned: bool
    has_fee: bool
    face: Contact
    legs: tuple[Contact, ...]

    @property
    def refs(self) -> set[str]:
        """The ids it may be named by: its legs' contact_ids and chain_ids."""
        return {leg.contact_id for leg in self.legs} | {
            leg.chain_id for leg in self.legs if leg.chain_id is not None
        }

    @property
    def open_until(self) -> Millis:
        """The end of the last agent's work on it, wrap-up included (RUL-OPEN)."""
        until = self.ended_at
        for leg in self.legs:
            if leg.agent_id is not None and leg.ended_at + leg.wrap_ms > until:
                until = leg.ended_at + leg.wrap_ms
        return until

    def has_with(self, agent_id: str, at: Millis) -> bool:
        """Say whether an agent was with the customer at a moment, wrap-up included (RUL-OPEN)."""
        return any(
            leg.agent_id == agent_id and leg.started_at <= at <= leg.ended_at + leg.wrap_ms
            for leg in self.legs
        )


def is_control(leg: Contact) -> bool:
    """Say whether this is a customer deliberately not contacted: no contact, no cost."""
    return leg.experiment is not None and leg.experiment.arm == "control"


def is_handled(leg: Contact) -> bool:
    """Say whether the leg reached someone, or was contained by self-service (RUL-HANDLED)."""
    if is_control(leg):
        return False
    if leg.disposition_code == SELF_SERVICE:
        return True
    return leg.connected_at is not None and leg.disposition_code not in NOT_HANDLED


def leg_order(leg: Contact) -> tuple[Millis, str]:
    """Order the legs of a chain."""
    return leg.started_at, leg.contact_id


def chain_of_leg(leg: Contact) -> Chain:
    """Build the chain of a single leg: the usual case, kept short because it is hot."""
    handled = is_handled(leg)
    return Chain(
        leg.contact_id,
        leg.case_id,
        leg.started_at,
        leg.ended_at,
        leg.talk_ms + leg.hold_ms + leg.wrap_ms,
        handled,
        leg.abandoned and not handled and leg.disposition_code not in NOT_HANDLED,
        leg.fee is not None,
        leg,
        (leg,),
    )


def chain_of(legs: Sequence[Contact]) -> Chain:
    """Build a chain from its legs, given in leg order."""
    if len(legs) == 1:
        return chain_of_leg(legs[0])
    handled = any(is_handled(leg) for leg in legs)
    connected = [leg for leg in legs if leg.connected_at is not None]
    cases = [leg.case_id for leg in legs if leg.case_id is not None]
    reserved = any(leg.disposition_code in NOT_HANDLED for leg in legs)
    return Chain(
        legs[0].contact_id,
        cases[-1] if cases else None,
        legs[0].started_at,
        max([leg.ended_at for leg in legs]),
        sum([leg.talk_ms + leg.hold_ms + leg.wrap_ms for leg in legs]),
        handled,
        any(leg.abandoned for leg in legs) and not handled and not reserved,
        any(leg.fee is not None for leg in legs),
        connected[-1] if connected else legs[-1],
        tuple(legs),
    )


def sold_in(order: Order, chains: Iterable[Chain]) -> tuple[Chain | None, bool]:
    """Return the chain an order was sold in, and whether it names one that cannot be found.

    An order that names a contact was sold in the handled chain of that name, or in none we know
    (RUL-SOLD). One that names only an agent was sold in the one handled chain that this agent
    had open at that moment; if there are two or none, it was not sold in a contact (RUL-OPEN).
    """
    if order.contact_id is not None:
        named = [chain for chain in chains if order.contact_id in chain.refs and chain.handled]
        if not named:
            return None, True
        return min(named, key=lambda chain: chain.contact_id), False
    if order.agent_id is None:
        return None, False
    at, agent_id = order.occurred_at, order.agent_id
    found = [chain for chain in chains if chain.handled and chain.has_with(agent_id, at)]
    return (found[0] if len(found) == 1 else None), False
