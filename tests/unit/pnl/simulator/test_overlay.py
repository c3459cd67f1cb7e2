"""Contacts over given orders: the invoices stay, what is added is marked and explained."""

import hashlib
from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest

from pnl.importing import INVOICES, INVOICES_MAP, example, facts_of, load_map, read
from pnl.simulator import MARK, Simulation, Truth, overlay
from streams.codec import Invalid, decode_value, encode
from streams.facts import (
    Contact,
    Cost,
    Fact,
    Order,
    Resolution,
    event_time_of,
    identity_of,
    key_of,
)

pytestmark = pytest.mark.timeout(120)

Events = list[tuple[str, Fact]]
SEED = 5


@pytest.fixture(scope="module")
def invoices() -> list[Order]:
    """Return the shipped invoices."""
    rows = read("orders", example(INVOICES), rules=load_map(example(INVOICES_MAP)))
    return [fact for fact in facts_of("orders", rows) if isinstance(fact, Order)]


@pytest.fixture(scope="module")
def simulation(invoices: list[Order]) -> Simulation:
    """Lay contacts over them."""
    return overlay(invoices, SEED)


@pytest.fixture(scope="module")
def events(simulation: Simulation) -> Events:
    """Return all events."""
    return list(simulation.events())


@pytest.fixture(scope="module")
def truth(simulation: Simulation, events: Events) -> Truth:
    """Return the truth of the same run."""
    assert events
    return simulation.truth()


def contacts(events: Events) -> list[Contact]:
    """Return the contacts among events."""
    return [fact for _, fact in events if isinstance(fact, Contact)]


def orders(events: Events) -> dict[str, Order]:
    """Return the orders among events."""
    return {fact.order_id: fact for _, fact in events if isinstance(fact, Order)}


def digest(facts: Iterable[Fact]) -> str:
    """Return one hash of facts, whatever their order."""
    lines = sorted(encode(fact) for fact in facts)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def test_the_invoices_come_out_as_they_went_in(invoices: list[Order], events: Events) -> None:
    """Every one, once, byte for byte; everything else is marked."""
    given = [order for _, order in events if isinstance(order, Order)]
    unmarked = [order for order in given if not order.order_id.startswith(MARK)]
    assert len(unmarked) == len(invoices) == 28_816
    assert digest(unmarked) == digest(invoices)


def test_events_are_in_order_of_event_time(events: Events) -> None:
    """So they can be replayed as they are."""
    times = [event_time_of(fact) for _, fact in events]
    assert times == sorted(times)


def test_every_event_keeps_its_contract(events: Events) -> None:
    """Each fact, written and read again, is the same fact."""
    for topic, fact in events:
        read_again = decode_value(topic, encode(fact))
        assert not isinstance(read_again, Invalid), (fact, read_again)
        assert read_again == fact


def test_no_identity_is_used_twice(events: Events) -> None:
    """Within a topic, whatever the key."""
    ids = Counter((topic, identity_of(fact)) for topic, fact in events)
    assert [each for each, count in ids.items() if count > 1] == []
    event_ids = Counter((topic, fact.event_id) for topic, fact in events)
    assert max(event_ids.values()) == 1


def test_the_centre_looks_like_one(events: Events, truth: Truth) -> None:
    """Its headline shares are near what was aimed at."""
    counts = truth.counts
    legs = contacts(events)
    assert 0.6 < counts.chains / 24_221 < 0.85
    assert 0.04 < counts.abandoned / counts.chains < 0.08
    assert 0.12 < counts.unidentified / counts.chains < 0.18
    assert 0.05 < counts.transferred / counts.handled < 0.11
    handle_minutes = sorted(
        (leg.talk_ms + leg.hold_ms + leg.wrap_ms) / 60_000 for leg in legs if leg.connected_at
    )
    middle = handle_minutes[len(handle_minutes) // 10 : -len(handle_minutes) // 10]
    assert 2 < middle[0] < middle[-1] < 12
    assert {leg.queue for leg in legs} == {
        "orders",
        "returns",
        "billing",
        "technical",
        "retention",
    }
    assert {leg.channel for leg in legs} == {"voice", "chat", "email"}
    assert len({leg.agent_id for leg in legs} - {None}) == 25
    assert len({leg.team for leg in legs} - {None}) == 4


def test_the_counts_of_the_truth_are_those_of_the_events(events: Events, truth: Truth) -> None:
    """Facts by topic, orders and costs by kind, sums by kind."""
    counts = truth.counts
    topics = Counter(topic for topic, _ in events)
    assert topics == {
        "contacts": counts.contacts,
        "resolutions": counts.resolutions,
        "orders": counts.orders,
        "costs": counts.costs,
    }
    assert Counter(o.kind for o in orders(events).values()) == counts.orders_by_kind
    costs = [fact for _, fact in events if isinstance(fact, Cost)]
    assert Counter(cost.kind for cost in costs) == counts.costs_by_kind
    spent: Counter[str] = Counter()
    for cost in costs:
        spent[cost.kind] += cost.amount_minor
    assert spent == truth.totals.costs_by_kind_minor
    made: Counter[str] = Counter()
    for order in orders(events).values():
        if order.order_id.startswith(MARK):
            made[order.kind] += sum(line.amount_minor for line in order.lines)
    assert made == Counter(truth.totals.orders_by_kind_minor)
    assert counts.given_orders == 28_816
    assert counts.chains == counts.handled + counts.abandoned + counts.controls
    legs = contacts(events)
    assert counts.abandoned == sum(leg.abandoned for leg in legs)
    controls = [leg for leg in legs if leg.experiment and leg.experiment.arm == "control"]
    assert counts.controls == len(controls) == truth.experiments[0].control
    assert sum(queue.handled for queue in truth.queues) == counts.handled
    assert sum(agent.handled for agent in truth.agents) == counts.handled


def test_every_marked_order_is_explained(events: Events, truth: Truth) -> None:
    """It is caused by a contact, or takes such an order back; nothing else is in the truth."""
    marked = {number for number in orders(events) if number.startswith(MARK)}
    caused = {order.order_id for order in truth.caused_orders}
    refunds = {refund.order_id for refund in truth.refunds}
    assert len(caused) == len(truth.caused_orders)
    assert caused | refunds == marked
    assert caused & refunds == set()
    assert truth.lost_orders == []
    assert truth.departures == []
    assert truth.totals.caused_minor == truth.totals.orders_by_kind_minor["sale"]


def test_a_caused_order_follows_its_contact(events: Events, truth: Truth) -> None:
    """In the contact it carries its agent; after it, it comes within thirty days."""
    legs = {leg.contact_id: leg for leg in contacts(events)}
    found = orders(events)
    effects = Counter(caused.effect for caused in truth.caused_orders)
    assert min(effects["in_contact"], effects["post_contact"]) > 300
    for caused in truth.caused_orders:
        order, leg = found[caused.order_id], legs[caused.contact_id]
        assert order.customer_id == leg.customer_id
        assert sum(line.amount_minor for line in order.lines) == caused.amount_minor
        if caused.effect == "post_contact":
            assert (order.contact_id, order.agent_id) == (None, None)
            assert leg.ended_at < order.occurred_at <= leg.ended_at + 31 * 86_400_000
        else:
            assert order.agent_id == caused.agent_id
            assert order.contact_id in legs


def test_what_was_sold_in_a_contact_was_an_accepted_offer(events: Events, truth: Truth) -> None:
    """The leg that sold carries the offer, was open at the time, and no other leg has one."""
    accepted = {
        leg.contact_id if leg.customer_id is not None else key_of(leg): leg
        for leg in contacts(events)
        if any(offer.accepted for offer in leg.offers)
    }
    found = orders(events)
    sold = [c.order_id for c in truth.caused_orders if c.effect == "in_contact"]
    assert {found[number].contact_id for number in sold} == set(accepted)
    for number in sold:
        order = found[number]
        leg = accepted[order.contact_id or ""]
        assert leg.connected_at is not None
        assert leg.connected_at <= order.occurred_at <= leg.ended_at
        assert leg.offers[0].product_class == order.lines[0].product_class


def test_a_guests_facts_meet_under_one_key(events: Events) -> None:
    """Orders, refunds, resolutions and concessions of an unknown caller lie with the chain."""
    guests = {key_of(leg) for leg in contacts(events) if leg.customer_id is None}
    followers = [
        fact
        for _, fact in events
        if isinstance(fact, Order | Resolution | Cost)
        and fact.customer_id is None
        and fact.contact_id is not None
    ]
    assert {type(fact) for fact in followers} == {Order, Resolution, Cost}
    assert [fact for fact in followers if key_of(fact) not in guests] == []


def test_refunds_take_back_what_was_sold(events: Events, truth: Truth) -> None:
    """Each names, in the truth, an order that is there, worth as much, and earlier."""
    found = orders(events)
    assert truth.refunds
    for refund in truth.refunds:
        assert refund.of is not None
        fact, sale = found[refund.order_id], found[refund.of]
        assert fact.refund_of == (refund.of if refund.linked else None)
        assert sale.occurred_at < fact.occurred_at == refund.occurred_at
        assert refund.amount_minor <= sum(line.amount_minor for line in sale.lines)


def test_shifts_are_paid_to_agents_day_by_day(events: Events, truth: Truth) -> None:
    """A payroll cost has an agent and a period of less than a day."""
    agents = {agent.agent_id for agent in truth.agents}
    shifts = [fact for _, fact in events if isinstance(fact, Cost) and fact.kind == "payroll"]
    assert shifts
    for shift in shifts:
        assert shift.agent_id in agents
        assert isinstance(shift.period_start, int)
        assert isinstance(shift.period_end, int)
        assert 0 < shift.period_end - shift.period_start <= 86_400_000


def test_overheads_and_contracts_have_terms_and_tariffs_are_used(events: Events) -> None:
    """Every kind of line that a statement has can be filled from these events."""
    spread = [f for _, f in events if isinstance(f, Cost) and f.kind == "overhead"]
    assert all(cost.period_start and cost.period_end for cost in spread)
    assert len(spread) == 13
    classes = Counter(
        line.product_class
        for order in orders(events).values()
        if order.order_id.startswith(MARK)
        for line in order.lines
    )
    assert min(classes[name] for name in ("product", "upgrade", "maintenance", "support")) > 20
    tariffs = {leg.fee.tariff for leg in contacts(events) if leg.fee is not None}
    assert tariffs == {"paid", "incident"}


def test_the_same_seed_gives_the_same_events(invoices: list[Order], events: Events) -> None:
    """Also when the orders are given in another order; another seed gives others."""
    again = overlay(reversed(invoices), SEED)
    assert [encode(fact) for _, fact in again.events()] == [encode(fact) for _, fact in events]
    other = overlay(invoices[:2000], SEED + 1)
    assert digest(f for _, f in other.events()) != digest(
        f for _, f in overlay(invoices[:2000], SEED).events()
    )


def test_what_is_added_is_in_the_currency_of_the_orders(invoices: list[Order]) -> None:
    """A shop's euros do not meet a centre's pounds."""
    euros = [msgspec.structs.replace(order, currency="EUR") for order in invoices[:500]]
    simulation = overlay([*euros, invoices[500]], SEED)
    money = [fact for _, fact in simulation.events() if isinstance(fact, Order | Cost)]
    odd = [fact for fact in money if fact.currency != "EUR"]
    assert odd == [invoices[500]]
    assert simulation.truth().currency == "EUR"


def test_orders_with_our_mark_are_refused(invoices: list[Order]) -> None:
    """Laying contacts over a simulation would make its truth a lie."""
    marked = Order("e", f"{MARK}1", "sale", invoices[0].occurred_at, "GBP")
    with pytest.raises(ValueError, match="order sim-1 carries the mark"):
        overlay([marked], SEED)
    with pytest.raises(ValueError, match="there are no orders"):
        overlay([], SEED)
