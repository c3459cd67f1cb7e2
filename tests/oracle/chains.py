"""Legs into chains, chains into touchpoints (DEF-CHAIN, DEF-HANDLED, DEF-TOUCH, DEF-ELIG)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from processors.policy import Policy
from streams.facts import NOT_HANDLED, SELF_SERVICE, Contact, Order
from tests.oracle.exact import weights

CENTRE_CLASSES = ("maintenance", "support")


def is_control(leg: Contact) -> bool:
    """Say whether the customer was deliberately not contacted."""
    return leg.experiment is not None and leg.experiment.arm == "control"


def leg_handled(leg: Contact) -> bool:
    """Say whether a leg makes its chain a handled one (RUL-HANDLED)."""
    if is_control(leg):
        return False
    if leg.disposition_code == SELF_SERVICE:
        return True
    return leg.connected_at is not None and leg.disposition_code not in NOT_HANDLED


@dataclass(frozen=True)
class Chain:
    """Legs joined by transfer, from the first to the last."""

    legs: tuple[Contact, ...]

    @property
    def name(self) -> str:
        """The first leg's contact_id."""
        return self.legs[0].contact_id

    @property
    def end(self) -> int:
        """The latest end of a leg."""
        return max(leg.ended_at for leg in self.legs)

    @property
    def rank(self) -> tuple[int, bytes]:
        """The order of touchpoints in time."""
        return self.end, self.name.encode()

    @property
    def handled(self) -> bool:
        """Whether somebody, or a self-service, dealt with it."""
        return any(leg_handled(leg) for leg in self.legs)

    @property
    def abandoned(self) -> bool:
        """Whether the customer gave up; reserved words are neither."""
        reserved = any(leg.disposition_code in NOT_HANDLED for leg in self.legs)
        return not self.handled and not reserved and any(leg.abandoned for leg in self.legs)

    @property
    def handle_ms(self) -> int:
        """Talk, hold and wrap of all legs."""
        return sum(leg.talk_ms + leg.hold_ms + leg.wrap_ms for leg in self.legs)

    @property
    def case_id(self) -> str:
        """The case of the latest leg that has one."""
        named = [leg.case_id for leg in self.legs if leg.case_id is not None]
        return named[-1] if named else ""

    @property
    def face(self) -> Contact:
        """The leg that gives the chain its dimensions: the last connected, else the last."""
        connected = [leg for leg in self.legs if leg.connected_at is not None]
        return (connected or list(self.legs))[-1]

    @property
    def charged_legs(self) -> list[Contact]:
        """The legs that cost something: all but the controls of an experiment."""
        return [leg for leg in self.legs if not is_control(leg)]


def chains_of(legs: Iterable[Contact]) -> list[Chain]:
    """Join legs into chains, by growing groups until no two of them touch."""
    groups: list[list[Contact]] = [[leg] for leg in legs]

    def touch(one: Contact, other: Contact) -> bool:
        if one.chain_id is not None and one.chain_id == other.chain_id:
            return True
        return one.chain_id is None and one.transfer_of == other.contact_id

    merged = True
    while merged:
        merged = False
        for at, group in enumerate(groups):
            for other in groups[at + 1 :]:
                if any(touch(a, b) or touch(b, a) for a in group for b in other):
                    group.extend(other)
                    groups.remove(other)
                    merged = True
                    break
            if merged:
                break
    by_start = [
        tuple(sorted(group, key=lambda leg: (leg.started_at, leg.contact_id.encode())))
        for group in groups
    ]
    return sorted((Chain(group) for group in by_start), key=lambda chain: chain.rank)


def chains_named(name: str, chains: Sequence[Chain]) -> list[Chain]:
    """Find the chains that a contact_id or a chain_id means, by their own names (RUL-SOLD)."""
    named = [
        chain
        for chain in chains
        if any(name in (leg.contact_id, leg.chain_id) for leg in chain.legs)
    ]
    return sorted(named, key=lambda chain: chain.name.encode())


def sold_in(order: Order, chains: Sequence[Chain]) -> tuple[Chain | None, bool]:
    """Return the chain an order was sold in, and whether it names one we cannot credit."""
    if order.contact_id is not None:
        handled = [chain for chain in chains_named(order.contact_id, chains) if chain.handled]
        return (handled[0], False) if handled else (None, True)
    if order.agent_id is None:
        return None, False
    at = order.occurred_at
    open_chains = [
        chain
        for chain in chains
        if chain.handled
        and any(
            leg.agent_id == order.agent_id and leg.started_at <= at <= leg.ended_at + leg.wrap_ms
            for leg in chain.legs
        )
    ]
    return (open_chains[0], False) if len(open_chains) == 1 else (None, False)


@dataclass(frozen=True)
class Slots:
    """Who may earn an amount: touchpoints in time order, each one or more chains; or the centre."""

    touches: tuple[tuple[Chain, ...], ...] = ()
    weights: tuple[int, ...] = ()
    centre: bool = False


def slots_of(order: Order, product_class: str, chains: Sequence[Chain], policy: Policy) -> Slots:
    """Return who earns what an order is worth in one product class, with unnormalised weights."""
    if product_class in CENTRE_CLASSES:
        return Slots(centre=True)
    sold, unknown = sold_in(order, chains)
    if unknown:
        return Slots()
    if sold is not None:
        return Slots(touches=((sold,),), weights=(1,))
    lookback = policy.lookback_of(product_class)
    cases: dict[tuple[str, str], list[Chain]] = {}
    for chain in chains:
        if chain.handled and 0 <= order.occurred_at - chain.end <= lookback:
            touch = ("case", chain.case_id) if chain.case_id else ("chain", chain.name)
            cases.setdefault(touch, []).append(chain)
    touches = sorted(
        (tuple(sorted(group, key=lambda chain: chain.rank)) for group in cases.values()),
        key=lambda group: group[-1].rank,
    )
    ages = [order.occurred_at - group[-1].end for group in touches]
    return Slots(touches=tuple(touches), weights=tuple(weights(policy.model, ages)))
