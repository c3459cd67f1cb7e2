"""What moves a customer's risk, and what is told: contracts, refunds, signals, what is old."""

from dataclasses import replace

import pytest

from processors.churn import Calibration
from processors.customer import Customer
from processors.following import Follower, Unknown
from processors.journeys import Journeys
from processors.lifetime import GammaGamma
from processors.live_churn import Bought, LiveModel
from processors.policy import DAY_MS, Policy
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import TimeUnit
from processors.risk_watch import RiskWatch
from processors.signal_records import ChurnRecord
from streams.facts import Fact, OrderLine
from tests.support.facts import BASE, contact, cost, line, order, refund, resolution

MODEL = LiveModel(
    name="bgnbd test",
    horizon_days=30,
    currency="GBP",
    repeat=BgNbd(unit=TimeUnit.DAY, r=0.8, alpha=30.0, a=0.8, b=2.4),
    calibration=Calibration(),
    spend=GammaGamma(p=6.2, q=3.7, v=1500.0),
)
POLICY = Policy()


def day(number: float) -> int:
    """Return an instant so many days after the first."""
    return BASE + round(number * DAY_MS)


def told(
    *facts: Fact, model: LiveModel | None = MODEL, policy: Policy = POLICY
) -> list[ChurnRecord | None]:
    """Return what each fact of one customer told."""
    return tell(Customer("k"), *facts, model=model, policy=policy)


def tell(
    customer: Customer, *facts: Fact, model: LiveModel | None = MODEL, policy: Policy = POLICY
) -> list[ChurnRecord | None]:
    """Return what each fact of a customer told."""
    journeys = Journeys(policy)
    follower = Follower(Unknown() if model is None else RiskWatch(policy, model))
    return [
        follower.follow(customer, fact, journeys.apply(customer, fact), 7).churn for fact in facts
    ]


def risk_ppm(repeats: int, recency: int, age: int) -> int:
    """Return the model's own risk of a history in days."""
    risk = MODEL.risk(Bought(repeats, recency, age))
    assert risk is not None
    return round(risk * 1_000_000)


def last(records: list[ChurnRecord | None]) -> ChurnRecord:
    """Return what the last fact told."""
    assert records[-1] is not None
    return records[-1]


def test_the_first_order_makes_the_risk_known() -> None:
    """Before it there is none; the record names its cause, the model and the latest contact."""
    records = told(contact("c1", day(0), team="t1"), order("o1", day(1), 5000))
    assert records[0] is None
    record = last(records)
    assert (record.version, record.risk_ppm, record.before_ppm) == (1, risk_ppm(0, 0, 0), None)
    assert (record.week_ago_ppm, record.explained_ppm) == (None, None)
    assert (record.cause_kind, record.cause_id) == ("order", "o1")
    assert (record.method, record.model, record.horizon_days) == ("bgnbd", "bgnbd test", 30)
    assert (record.queue, record.team, record.contact_id) == ("billing", "t1", "c1")
    assert (record.as_of, record.logged_at, record.contact_at) == (day(1), 7, day(0))
    assert record.value_minor is not None
    assert record.value_minor > 0


def test_orders_of_one_day_are_one_purchase() -> None:
    """X counts days; a cost that moves time alone tells how the risk rose with it."""
    orders = [order("o1", day(0), 100), order("o2", day(0.01), 100), order("o3", day(9), 100)]
    record = last(told(*orders, cost("x1", "concession", day(40), 5)))
    assert record.risk_ppm == risk_ppm(1, 9, 40)
    assert record.week_ago_ppm == risk_ppm(1, 9, 33)
    assert record.explained_ppm == 0


def test_a_complaint_explains_the_rise_that_time_does_not() -> None:
    """What facts of the last day explain is told as a share of the rise of the week."""
    complaint = contact("c1", day(40), reason="complaint")
    record = last(told(order("o1", day(0), 100), complaint))
    assert [(each.signal, each.fact, each.label) for each in record.reasons] == [
        ("complaint", "c1", "heuristic")
    ]
    assert record.reasons[0].logit_milli == 700
    quiet = last(told(order("o1", day(0), 100), contact("c1", day(40))))
    assert record.risk_ppm is not None
    assert quiet.risk_ppm is not None
    assert record.risk_ppm > quiet.risk_ppm
    assert quiet.explained_ppm == 0
    assert record.explained_ppm is not None
    assert record.explained_ppm > 400_000


def test_an_answer_given_since_was_not_known_a_week_ago() -> None:
    """The contact is old, the bad answer is of today."""
    before = (order("o1", day(0), 100), contact("c1", day(20), case_id="case"))
    record = last(told(*before, resolution("r1", "case", day(40), outcome="unresolved", csat=1)))
    assert {each.signal for each in record.reasons} == {"unresolved", "bad_csat"}
    assert record.week_ago_ppm == risk_ppm(0, 0, 33)
    assert record.explained_ppm is not None
    assert record.explained_ppm > 500_000


def test_an_order_refunded_in_full_is_no_purchase_but_was_one() -> None:
    """Now nothing is known of who bought that alone; a week ago he had bought."""
    records = told(order("o1", day(0), 100), refund("o2", "o1", day(10), 100))
    record = last(records)
    assert (record.risk_ppm, record.before_ppm) == (None, risk_ppm(0, 0, 0))
    again = last(told(order("o0", day(-30), 100), order("o1", day(0), 100)))
    after = told(
        order("o0", day(-30), 100), order("o1", day(0), 100), refund("o2", "o1", day(20), 100)
    )
    assert again.risk_ppm == risk_ppm(1, 30, 30)
    assert last(after).week_ago_ppm == risk_ppm(1, 30, 43)
    assert [each.signal for each in last(after).reasons] == ["refund"]


@pytest.mark.parametrize(("currency", "customer"), [("EUR", "k"), ("GBP", None)])
def test_other_money_and_unknown_customers_make_no_purchase(
    currency: str, customer: str | None
) -> None:
    """The model was fitted on the reporting currency and on known customers."""
    sale = order("o1", day(0), 100, currency=currency, customer_id=customer, contact_id="k")
    assert told(sale) == [None]


def test_a_contract_is_judged_by_its_end() -> None:
    """It is certain in both ways, is not moved by signals, and a cancellation ends it."""
    term = renewal(day(0), day(365))
    sale = order("o1", day(0), lines=(term,))
    assert last(told(sale)).risk_ppm == 0
    near = last(told(sale, contact("c1", day(340), reason="complaint")))
    assert (near.risk_ppm, near.high, near.method) == (1_000_000, True, "contract")
    assert near.value_minor == 36_500 * 400_000 // 1_000_000
    renewed = order("o2", day(341), lines=(renewal(day(365), day(730)),))
    assert last(told(sale, contact("c1", day(340)), renewed)).risk_ppm == 0
    stop = refund("o3", "o1", day(100), None, kind="cancellation")
    ended = last(told(sale, stop))
    assert (ended.method, ended.week_ago_ppm) == ("bgnbd", 0)


@pytest.mark.parametrize(("term_minor", "method"), [(4999, "bgnbd"), (5000, "contract")])
def test_a_small_term_does_not_judge_who_comes_back_for_other_things(
    term_minor: int, method: str
) -> None:
    """The contract does where terms brought at least half of what the customer spent."""
    term = line("m", term_minor, "maintenance", term_start=day(0), term_end=day(25))
    records = told(order("o1", day(0), 5000), order("o2", day(1), lines=(term,)))
    assert last(records).method == method


def renewal(start: int, end: int) -> OrderLine:
    """Return the line of a term."""
    return line("l1", 36_500, "maintenance", term_start=start, term_end=end)


def test_high_is_set_at_sixty_and_cleared_below_fifty_percent() -> None:
    """Between the two it stays what it was."""
    low = replace(MODEL, repeat=BgNbd(unit=TimeUnit.DAY, r=3.0, alpha=30.0, a=0.3, b=3.0))
    customer = Customer("k")
    steps = [order("o1", day(0), 100), order("o2", day(10), 100)]
    found = tell(customer, *steps, *[cost(f"x{n}", "concession", day(n), 1) for n in range(11, 99)])
    flags = [(each.risk_ppm or 0, each.high) for each in found if each is not None]
    assert all(high or ppm < 600_000 for ppm, high in flags)
    assert all(not high or ppm >= 500_000 for ppm, high in flags)
    assert flags[-1][1]
    back = last(tell(customer, order("o3", day(99), 100), model=low))
    assert (back.high, back.before_ppm) == (False, customer_before(found))


def customer_before(found: list[ChurnRecord | None]) -> int | None:
    """Return the risk that was last told."""
    return next(each.risk_ppm for each in reversed(found) if each is not None)


def test_purchases_that_are_forgotten_still_count() -> None:
    """Two horizons later the order is gone; on how many days was bought is not."""
    policy = replace(POLICY, horizon_ms=50 * DAY_MS)
    orders = [order(f"o{number}", day(number * 30), 100) for number in range(6)]
    customer = Customer("k")
    records = tell(customer, *orders, cost("x1", "concession", day(290), 1), policy=policy)
    assert len(customer.orders) == 0
    assert last(records).risk_ppm == risk_ppm(5, 150, 290)


def test_without_a_model_a_risk_is_no_longer_known_and_that_is_told_once() -> None:
    """Where none was told nothing is."""
    customer = Customer("k")
    tell(customer, order("o1", day(0), 100))
    first, second = tell(customer, contact("c1", day(1)), contact("c2", day(2)), model=None)
    assert first is not None
    assert (first.version, first.risk_ppm, first.high, second) == (2, None, False, None)
    assert told(order("o1", day(0), 100), model=None) == [None]
