"""Generated customers: the mix is what was asked for, and every effect is in the truth."""

from collections import Counter, defaultdict
from statistics import mean, variance

import pytest

from pnl.simulator import Simulation, Truth, generate
from streams.codec import Invalid, decode_value, encode
from streams.facts import Contact, Fact, Order, Resolution, event_time_of, identity_of

pytestmark = pytest.mark.timeout(120)

Events = list[tuple[str, Fact]]
EVENTS = 60_000
CUSTOMERS = 4_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """Generate a year."""
    return generate(CUSTOMERS, EVENTS, seed=11)


@pytest.fixture(scope="module")
def events(simulation: Simulation) -> Events:
    """Return all events."""
    return list(simulation.events())


@pytest.fixture(scope="module")
def truth(simulation: Simulation, events: Events) -> Truth:
    """Return the truth of the same run."""
    assert events
    return simulation.truth()


def test_the_mix_is_what_was_asked_for(events: Events) -> None:
    """70 % contacts, 10 % resolutions, 18 % orders and refunds, 2 % costs, of so many events."""
    topics = Counter(topic for topic, _ in events)
    shares = {topic: count / len(events) for topic, count in topics.items()}
    assert len(events) == pytest.approx(EVENTS, rel=0.01)
    assert shares["contacts"] == pytest.approx(0.70, abs=0.005)
    assert shares["resolutions"] == pytest.approx(0.10, abs=0.005)
    assert shares["orders"] == pytest.approx(0.18, abs=0.005)
    assert shares["costs"] == pytest.approx(0.02, abs=0.002)


def test_events_are_valid_in_order_and_distinct(events: Events) -> None:
    """By event time, one identity each, each within its contract."""
    times = [event_time_of(fact) for _, fact in events]
    assert times == sorted(times)
    assert len({(topic, identity_of(fact)) for topic, fact in events}) == len(events)
    refused = [
        (fact, read)
        for topic, fact in events
        if isinstance(read := decode_value(topic, encode(fact)), Invalid) or read != fact
    ]
    assert refused == []


def test_orders_come_at_an_even_pace(events: Events) -> None:
    """The steering does not bend the year: no month is far from the mean."""
    months = Counter(
        fact.occurred_at // DAY_MS // 30
        for _, fact in events
        if isinstance(fact, Order) and fact.kind == "sale"
    )
    whole = sorted(months.items())[1:-1]
    middle = mean(count for _, count in whole)
    assert len(whole) >= 10
    assert all(0.85 * middle < count < 1.15 * middle for _, count in whole)


def test_every_caused_order_is_in_the_events(events: Events, truth: Truth) -> None:
    """With its contact; the rest of the sales are baseline, refunds name what they take back."""
    orders = {fact.order_id: fact for _, fact in events if isinstance(fact, Order)}
    contacts = {fact.contact_id for _, fact in events if isinstance(fact, Contact)}
    assert truth.caused_orders
    for caused in truth.caused_orders:
        assert orders[caused.order_id].occurred_at == caused.occurred_at
        assert caused.contact_id in contacts
    for refund in truth.refunds:
        assert orders[refund.order_id].kind in truth.counts.orders_by_kind
        assert refund.of is None or refund.of in orders
    orphans = [refund for refund in truth.refunds if refund.of is None]
    assert orphans
    assert all(orders[refund.order_id].refund_of not in orders for refund in orphans)


def test_lost_orders_are_not_in_the_events(events: Events, truth: Truth) -> None:
    """Each names the unresolved contact that lost it, at most thirty days before."""
    contacts = {fact.contact_id: fact for _, fact in events if isinstance(fact, Contact)}
    placed = {(fact.customer_id, fact.occurred_at) for _, fact in events if isinstance(fact, Order)}
    assert len(truth.lost_orders) > 30
    for lost in truth.lost_orders:
        contact = contacts[lost.contact_id]
        assert contact.customer_id == lost.customer_id
        assert 0 < lost.would_have_occurred_at - contact.started_at < 31 * DAY_MS
        assert (lost.customer_id, lost.would_have_occurred_at) not in placed
    assert truth.totals.lost_minor == sum(lost.amount_minor for lost in truth.lost_orders)


def test_who_left_neither_calls_nor_buys(events: Events, truth: Truth) -> None:
    """But for what an earlier contact had already caused, and for refunds."""
    left = {gone.customer_id: gone.churned_at for gone in truth.departures}
    caused = {order.order_id for order in truth.caused_orders}
    assert len(left) == len(truth.departures) > 20
    for _, fact in events:
        if fact.customer_id not in left:
            continue
        if isinstance(fact, Contact):
            # A chain may still have been open when the customer left in an earlier one.
            assert fact.started_at <= left[fact.customer_id]
        if isinstance(fact, Order) and fact.kind == "sale" and fact.order_id not in caused:
            assert fact.occurred_at <= left[fact.customer_id] + DAY_MS


def test_the_effects_can_be_found_again(truth: Truth) -> None:
    """What came true lies within four standard errors of the rates it was drawn with."""
    checked = 0
    for queue in truth.queues:
        for rate_ppm, chances, hits in (
            (
                queue.post_contact_expected_ppm,
                queue.post_contact_chances,
                queue.post_contact_orders,
            ),
            (queue.lost_ppm, queue.lost_order_chances, queue.lost_orders),
        ):
            if chances < 100:
                continue
            p = rate_ppm / 1e6
            assert abs(hits / chances - p) < 4 * (p * (1 - p) / chances) ** 0.5
            checked += 1
    assert checked >= 7


def test_customers_buy_more_after_a_resolved_contact(events: Events) -> None:
    """The effect is in the events, not only in the truth.

    Compared are the orders within thirty days of resolutions, resolved with unresolved, of
    customers who call and buy by the same habit; what was sold in a contact is left out.
    """
    bought: defaultdict[str, list[int]] = defaultdict(list)
    for _, fact in events:
        placed = isinstance(fact, Order) and fact.kind == "sale" and fact.contact_id is None
        if placed and fact.customer_id is not None:
            bought[fact.customer_id].append(event_time_of(fact))
    end = event_time_of(events[-1][1]) - 30 * DAY_MS
    after: dict[bool, list[int]] = {True: [], False: []}
    for _, fact in events:
        if isinstance(fact, Resolution) and fact.customer_id and fact.occurred_at < end:
            until = fact.occurred_at + 30 * DAY_MS
            count = sum(fact.occurred_at < at <= until for at in bought[fact.customer_id])
            after[fact.outcome == "resolved"].append(count)
    resolved, unresolved = after[True], after[False]
    error = (variance(resolved) / len(resolved) + variance(unresolved) / len(unresolved)) ** 0.5
    assert mean(resolved) - mean(unresolved) > 2 * error


def test_a_smaller_or_longer_simulation_is_possible() -> None:
    """A few events over three years, in range and in order."""
    simulation = generate(50, 3_000, seed=2, years=3)
    times = [event_time_of(fact) for _, fact in simulation.events()]
    assert times == sorted(times)
    assert 2.9 * 365 < (times[-1] - times[0]) / DAY_MS < 3 * 365 + 1
    assert len(times) == pytest.approx(3_000, rel=0.1)


@pytest.mark.parametrize(
    ("customers", "events", "years", "says"),
    [
        (0, 5000, 1, "customers must be at least 1, not 0"),
        (5, 10, 1, "events must be at least 1000, not 10"),
        (5, 5000, 0, "years must be at least 1, not 0"),
        (5, 5000, 41, "years must be at most 40, not 41"),
    ],
)
def test_impossible_arguments_are_refused(
    customers: int, events: int, years: int, says: str
) -> None:
    """One sentence names the argument."""
    with pytest.raises(ValueError, match=says):
        generate(customers, events, 1, years)
