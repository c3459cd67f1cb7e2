"""The published state of a chain, an order with its credit vector, a cost, a closed period.

Law: a record says what the facts remembered and the entries booked say, nothing of its own; its
version or revision counts this thing's records, so the highest is the latest.
"""

from collections.abc import Collection
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from processors.customer import Customer
from processors.days import first_instant
from processors.items import CostItem, LegItem, OrderItem, PeriodItem
from processors.order_book import OrderBook
from processors.order_lines import Journey
from processors.policy import Policy, PolicyBook
from processors.results import (
    AttributionRecord,
    ContactRecord,
    CostRecord,
    LegPart,
    OrderRecord,
    PathContact,
    PeriodRecord,
)
from processors.settlement import Settlement, refund_total
from processors.touchpoints import Chain
from streams.facts import Contact, LocalDate, Millis, Offer, Resolution

_COST_LINES: Final = ("C1", "C3")

_Opinions: TypeAlias = tuple[int | None, int | None, int | None]
_Resolved: TypeAlias = tuple[Millis | None, int, bool, bool]
_NO_OPINION: Final[_Opinions] = (None, None, None)
_NEVER_RESOLVED: Final[_Resolved] = (None, 0, False, False)
_NOTHING_TOLD: Final = (*_NO_OPINION, _NEVER_RESOLVED)


def attribution_record(
    customer_id: str,
    item: OrderItem,
    book: OrderBook,
    journey: Journey,
    policy: Policy,
    changed: Collection[str],
) -> AttributionRecord:
    """Return the whole credit vector of a sale."""
    order = item.fact
    gross = net = 0
    for part in book.classes:
        gross += part.gross_minor
        net += part.net_minor
    return AttributionRecord(
        order.order_id,
        customer_id,
        order.currency,
        order.occurred_at,
        gross,
        net,
        book.unattributed_minor,
        policy.model,
        item.revision,
        tuple(book.credits),
        tuple(book.classes),
        tuple(
            [
                PathContact(chain.contact_id, chain.ended_at, chain.handle_ms, chain.case_id)
                for chain in journey.path
            ]
        ),
        journey.sold_in.contact_id if journey.sold_in else None,
        journey.sold_unknown,
        tuple(sorted(changed)),
        order.withdrawn,
    )


def order_record(customer_id: str, item: OrderItem, settlement: Settlement | None) -> OrderRecord:
    """Return an order as accepted, with its effect on net revenue, from order facts alone."""
    order = item.fact
    pieces: tuple[tuple[str, int], ...] = ()
    effect = 0
    orphan = False
    if not order.withdrawn:
        if order.kind in ("sale", "adjustment"):
            effect = refund_total(order)
        elif settlement is not None:
            pieces = item.gone + settlement.taken.get(order.order_id, ())
            orphaned = settlement.orphaned.get(order.order_id)
            orphan = orphaned is not None
            effect = -sum(amount for _, amount in pieces) - (orphaned or 0)
    return OrderRecord(
        order.order_id,
        customer_id,
        item.version,
        order.kind,
        order.occurred_at,
        order.currency,
        effect,
        order.customer_id is not None,
        order.refund_of or "",
        tuple([order_id for order_id, _ in pieces]),
        orphan,
        order.withdrawn,
        order.contact_id or "",
        order.agent_id or "",
        order.referred_by or "",
    )


def cost_record(customer_id: str, item: CostItem, zone: ZoneInfo) -> CostRecord:
    """Return a cost as accepted; a local date is the first instant of that day in the zone."""
    cost = item.fact
    return CostRecord(
        event_id=cost.event_id,
        customer_id=customer_id,
        version=item.version,
        kind=cost.kind,
        occurred_at=cost.occurred_at,
        currency=cost.currency,
        amount_minor=cost.amount_minor,
        agent_id=cost.agent_id or "",
        queue=cost.queue or "",
        channel=cost.channel or "",
        contact_id=cost.contact_id or "",
        period_start=_instant(cost.period_start, zone),
        period_end=_instant(cost.period_end, zone),
        withdrawn=cost.withdrawn,
    )


def _instant(at: Millis | LocalDate | None, zone: ZoneInfo) -> Millis | None:
    return first_instant(at, zone) if isinstance(at, str) else at


def period_record(item: PeriodItem) -> PeriodRecord:
    """Return that a period is closed."""
    fact = item.fact
    return PeriodRecord(
        event_id=fact.event_id,
        period=fact.period,
        revision=fact.revision,
        closed_at=item.logged_at,
        cut=fact.cut,
        withdrawn=fact.withdrawn,
    )


def contact_record(
    customer: Customer, name: str, item: LegItem, policies: PolicyBook
) -> ContactRecord:
    """Return a chain with its cost, outcome and revenue so far; withdrawn if it is no more."""
    chain = customer.chains.get(name)
    if chain is None:
        return _withdrawn(customer, item, policies)
    legs, face = chain.legs, chain.face
    first, last = legs[0], legs[-1]
    cost, fee = _money(customer, chain, item, policies)
    parts: tuple[LegPart, ...] = ()
    if len(legs) == 1:
        talk, hold, wrap, wait = first.talk_ms, first.hold_ms, first.wrap_ms, first.wait_ms
        identified = first.customer_id is not None
        connected_at, offers, experiment = first.connected_at, first.offers, first.experiment
    else:
        talk, hold = sum(x.talk_ms for x in legs), sum(x.hold_ms for x in legs)
        wrap, wait = sum(x.wrap_ms for x in legs), sum(x.wait_ms for x in legs)
        identified = any(leg.customer_id is not None for leg in legs)
        connected_at, offers = None, _offers_of(legs)
        experiment = next((leg.experiment for leg in legs if leg.experiment is not None), None)
        parts = tuple([_part(leg) for leg in legs])
    is_told = customer.refers.resolutions or customer.refers.surveys
    csat, nps, ces, case = _told(customer, chain) if is_told else _NOTHING_TOLD
    # By position: a call with over 15 keywords first builds a dictionary of them.
    return ContactRecord(
        name,
        customer.key,
        item.version,
        chain.started_at,
        chain.ended_at,
        policies.matures_at(chain.ended_at),
        identified,
        chain.handled,
        chain.abandoned,
        outcome_of(customer, chain, policies),
        len(legs),
        face.channel,
        first.direction,
        face.kind,
        face.queue,
        talk,
        hold,
        wrap,
        wait,
        policies.currency,
        cost,
        fee,
        chain.case_id or "",
        face.team or "",
        face.agent_id or "",
        face.reason or "",
        last.tier or "",
        last.disposition_code or "",
        customer.credits.get(name, ()),
        False,
        connected_at,
        parts,
        offers,
        csat,
        nps,
        ces,
        case[0],
        case[1],
        case[2],
        case[3],
        "" if experiment is None else experiment.id,
        "" if experiment is None else experiment.arm,
    )


def _money(
    customer: Customer, chain: Chain, item: LegItem, policies: PolicyBook
) -> tuple[int, int]:
    """Return what a chain cost and was charged, in the reporting currency."""
    cost = fee = 0
    for entry in item.booked:
        if entry.currency != policies.currency:
            continue  # a fee in another, or booked before the reporting currency was changed
        if entry.line in _COST_LINES:
            cost += entry.amount_minor
        else:
            fee += entry.amount_minor
    if customer.refers.costs:
        cost += _concessions(customer, chain, policies)
    return cost, fee


def _told(customer: Customer, chain: Chain) -> tuple[int | None, int | None, int | None, _Resolved]:
    """Return what resolution facts say of a chain (CSAT, NPS, CES) and of its case."""
    refers = customer.refers
    ids = refers.resolutions.get(chain.case_id) if chain.case_id is not None else None
    if not ids and not refers.surveys:
        return _NOTHING_TOLD
    of_case = [customer.resolutions[event_id].fact for event_id in ids or ()]
    return (*_opinions(customer, chain, of_case), _resolved(of_case))


def _part(leg: Contact) -> LegPart:
    return LegPart(
        leg.contact_id,
        leg.agent_id or "",
        leg.queue,
        leg.started_at,
        leg.connected_at,
        leg.ended_at,
        leg.talk_ms,
        leg.hold_ms,
        leg.wrap_ms,
    )


def _offers_of(legs: Collection[Contact]) -> tuple[Offer, ...]:
    return tuple([offer for leg in legs for offer in leg.offers])


def _resolved(of_case: Collection[Resolution]) -> _Resolved:
    """Return when a case was first resolved, how often, whether it was reopened, escalated."""
    times = [fact.occurred_at for fact in of_case if fact.outcome == "resolved"]
    outcomes = {fact.outcome for fact in of_case}
    return min(times, default=None), len(times), "reopened" in outcomes, "escalated" in outcomes


def _opinions(customer: Customer, chain: Chain, of_case: Collection[Resolution]) -> _Opinions:
    """Return what the customer last said of the case, else of the chain itself: CSAT, NPS, CES."""
    surveys = customer.refers.surveys
    ids = {event_id for ref in chain.refs for event_id in surveys.get(ref, ())} if surveys else ()
    own = [customer.resolutions[event_id].fact for event_id in ids]
    # The case's own come last, so they win.
    told = sorted(own, key=_last) + sorted(of_case, key=_last)
    csat = nps = ces = None
    for fact in told:
        csat = csat if fact.csat is None else fact.csat
        nps = nps if fact.nps is None else fact.nps
        ces = ces if fact.ces is None else fact.ces
    return csat, nps, ces


def _last(resolution: Resolution) -> tuple[Millis, str]:
    return resolution.occurred_at, resolution.event_id


def _concessions(customer: Customer, chain: Chain, policies: PolicyBook) -> int:
    ids: set[str] = set()
    for ref in chain.refs:
        ids.update(customer.refers.costs.get(ref, ()))
    return sum(
        entry.amount_minor
        for event_id in ids
        for entry in customer.costs[event_id].booked
        if entry.line in ("C3", "C4")
        and entry.contact_id == chain.contact_id
        and entry.currency == policies.currency
    )


def _withdrawn(customer: Customer, item: LegItem, policies: PolicyBook) -> ContactRecord:
    leg = item.fact
    return ContactRecord(
        contact_id=leg.contact_id,
        customer_id=customer.key,
        version=item.version,
        started_at=leg.started_at,
        ended_at=leg.ended_at,
        matures_at=policies.matures_at(leg.ended_at),
        identified=leg.customer_id is not None,
        handled=False,
        abandoned=False,
        outcome="unknown",
        legs=0,
        channel=leg.channel,
        direction=leg.direction,
        kind=leg.kind,
        queue=leg.queue,
        talk_ms=0,
        hold_ms=0,
        wrap_ms=0,
        wait_ms=0,
        cost_currency=policies.currency,
        cost_minor=0,
        fee_minor=0,
        withdrawn=True,
    )


def outcome_of(customer: Customer, chain: Chain, policies: PolicyBook) -> str:
    """Return how a chain's case stands (DEF-OUTCOME).

    The latest resolution of the case decides; a contact of the case that starts within the
    first-contact window after a `resolved` makes it unresolved again. Unknown without a case or
    a resolution; a chain that reached nobody is abandoned.
    """
    if not chain.handled:
        return "abandoned" if chain.abandoned else "unknown"
    if chain.case_id is None:
        return "unknown"
    ids = customer.refers.resolutions.get(chain.case_id)
    if not ids:
        return "unknown"
    last = max(
        (customer.resolutions[event_id].fact for event_id in ids),
        key=_last,
    )
    if last.outcome != "resolved":
        return "unresolved"
    until = last.occurred_at + policies.first_contact_resolution_ms
    for name in customer.case_chains.get(chain.case_id, ()):
        if last.occurred_at < customer.chains[name].started_at <= until:
            return "unresolved"
    return "resolved"
