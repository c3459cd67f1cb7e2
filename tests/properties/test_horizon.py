"""Forgetting: years of a customer, with the memory of a fortnight, come to the same books.

Facts arrive nearly as they happen (up to two days late); what refers to something long gone does
so only by refunds, which may come at any age.
"""

from random import Random

import msgspec
import pytest
from hypothesis import settings

from processors.policy import DAY_MS, HOUR_MS, MODELS, Policy
from streams.facts import Contact, Cost, Fact, Fee, Order, OrderLine, event_time_of
from tests.oracle import settle
from tests.properties.histories import TARIFFS, History
from tests.spec.scenario import assert_equal
from tests.support.drive import run
from tests.support.facts import BASE, at, contact, order, refund

HORIZON_MS = 10 * DAY_MS
LATE_MS_MAX = 2 * DAY_MS
SEEDS = 2 * settings.default.max_examples


def rules(random: Random) -> Policy:
    """Return rules with a short memory and a lookback well within it."""
    return Policy(
        model=random.choice(MODELS),
        horizon_ms=HORIZON_MS,
        lookback_ms=3 * DAY_MS,
        lookback_ms_by_class=random.choice(({}, {"upgrade": 5 * DAY_MS})),
        unlinked=random.choice(("newest_first", "newest_first", "orphan")),
        tariffs=TARIFFS,
    )


def years(random: Random) -> History:
    """Return facts of many horizons in order of arrival, nearly that of event time."""
    facts: list[Fact] = []
    sold: list[tuple[str, int]] = []
    length = random.randint(20, 80)
    for number in range(random.randint(5, 60)):
        moment = BASE + random.randrange(length * 4) * 6 * HOUR_MS
        what = random.random()
        if what < 0.4:
            facts.append(a_contact(random, number, moment))
        elif what < 0.65:
            facts.append(a_sale(random, number, moment))
            sold.append((f"o{number}", moment))
        elif what < 0.95:
            earlier = [order_id for order_id, when in sold if when <= moment + DAY_MS]
            named = random.choice((None, *earlier))
            facts.append(a_refund(random, number, moment, named))
        else:
            facts.append(a_cost(number, moment))
    arrivals = []
    for fact in facts:
        arrival = event_time_of(fact) + random.randrange(LATE_MS_MAX)
        arrivals.append((arrival, fact))
        if random.random() < 0.2:
            again = msgspec.structs.replace(fact, revision=1, withdrawn=random.random() < 0.3)
            arrivals.append((arrival + random.randrange(LATE_MS_MAX), again))
    return [("k", fact) for _, fact in sorted(arrivals, key=lambda one: one[0])]


def a_contact(random: Random, number: int, moment: int) -> Contact:
    """Return a contact, perhaps a transfer or of a case of those days."""
    return contact(
        f"c{number:02}",
        moment,
        talk_ms=random.choice((60_000, 300_000)),
        case_id=random.choice((None, f"case-{moment // (2 * DAY_MS)}")),
        chain_id=random.choice((None, None, f"chain-{moment // DAY_MS}")),
        agent_id=random.choice((None, "a1")),
        fee=random.choice((None, Fee(tariff="minute"), Fee(tariff="event"))),
    )


def a_sale(random: Random, number: int, moment: int) -> Order:
    """Return a sale of one or two lines, one of which may have a term."""
    lines = [OrderLine(line_id="l1", product_class="product", amount_minor=1001, cost_minor=400)]
    if random.random() < 0.3:
        lines.append(OrderLine(line_id="l2", product_class="upgrade", amount_minor=500))
    if random.random() < 0.3:
        lines.append(
            OrderLine(
                line_id="l3",
                product_class="maintenance",
                amount_minor=365,
                term_start=moment,
                term_end=moment + 30 * DAY_MS,
            )
        )
    return order(
        f"o{number}", moment, lines=tuple(lines), agent_id=random.choice((None, None, "a1"))
    )


def a_refund(random: Random, number: int, moment: int, named: str | None) -> Order:
    """Return a refund of an order of any age, or of none."""
    kind = random.choice(("refund", "refund", "refund", "cancellation"))
    amount = random.choice((100, 333, 1500))
    lines = (OrderLine(line_id="l1", product_class="product", amount_minor=amount),)
    return refund(
        f"r{number}",
        named,
        moment,
        None,
        kind=kind,
        lines=() if kind == "cancellation" else lines,
    )


def a_cost(number: int, moment: int) -> Cost:
    """Return a cost that names no contact."""
    return Cost(
        event_id=f"x{number}",
        kind="concession",
        occurred_at=moment,
        amount_minor=50,
        currency="GBP",
        customer_id="k",
    )


@pytest.mark.parametrize("restored", [False, True], ids=["kept", "read back"])
def test_a_short_memory_comes_to_what_the_oracle_says(restored: bool) -> None:
    """RUL-KEEP: chains, orders and refunds are forgotten, and no sum is ever another for it."""
    for seed in range(SEEDS):
        random = Random(seed)
        policy, history = rules(random), years(random)
        driven = run(history, policy, restored=restored)
        assert set(driven.dispositions) <= {"applied", "duplicate"}, seed
        assert_equal(driven.books, settle(history, policy), f"seed {seed}")


def test_a_contact_forgotten_still_shows_what_it_earned() -> None:
    """RUL-KEEP, RUL-RPC: a refund after a horizon lowers the credit its contact is shown with."""
    history: History = [
        ("k", contact("c1", at(0))),
        ("k", order("o1", at(2), 1000)),
        ("k", order("o2", at(11), 10)),
        ("k", refund("r1", "o1", at(11.5), 400)),
    ]
    policy = Policy(horizon_ms=HORIZON_MS, lookback_ms=3 * DAY_MS)
    driven = run(history, policy)
    assert driven.books.of_lines("A5", "contact_id") == {"c1": -400}
    assert_equal(driven.books, settle(history, policy), "after the refund")


def test_what_is_forgotten_is_small() -> None:
    """RUL-KEEP: of two years of daily calls and orders, what an order of three weeks may need."""
    history: History = []
    for day in range(730):
        history += [("k", contact(f"c{day}", at(day))), ("k", order(f"o{day}", at(day), 100))]
    customer = run(history, Policy(horizon_ms=HORIZON_MS)).customers["k"]
    lookback_days = 30  # a chain stays for the orders it may have earned, and they for two horizons
    assert len(customer.legs) <= 21 + lookback_days
    assert len(customer.orders) <= 21


def test_the_watermark_survives_a_fact_that_was_dated_back() -> None:
    """State: a revision may move the newest fact back; read back, the rest is as late as before."""
    history: History = [
        ("k", order("o1", at(100), 500)),
        ("k", order("o1", at(1), 500, revision=1)),
        ("k", contact("c1", at(0))),
    ]
    policy = Policy(horizon_ms=HORIZON_MS)
    kept, restored = run(history, policy), run(history, policy, restored=True)
    assert kept.dispositions == restored.dispositions
    assert kept.steps == restored.steps
