"""Churn risk in journeys: the same whatever is in memory, and what the long way round gives."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from processors.churn import Calibration
from processors.churn_signals import SeenContact, SeenRefund, SignalRules, observations
from processors.customer import Customer
from processors.days import local_days
from processors.following import Follower
from processors.journeys import Journeys
from processors.lifetime import GammaGamma
from processors.live_churn import Bought, LiveModel
from processors.policy import DAY_MS, Policy, book_of
from processors.purchase_days import TAKING_BACK, PurchaseDays
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import TimeUnit
from processors.results import NET, ContactRecord
from processors.risk_watch import MOVED_PPM, RiskWatch
from processors.seen_contacts import seen, seen_contact
from processors.signal_records import ChurnRecord
from streams.facts import Fact
from tests.properties.histories import histories, policies
from tests.support.drive import put_away_and_read_back

RULES = SignalRules(
    contacts_max=3, frequent_contacts=2, long_wait_ms=60_000, repeated_ms=2 * DAY_MS
)
MODEL = LiveModel(
    name="test",
    horizon_days=10,
    currency="GBP",
    repeat=BgNbd(unit=TimeUnit.DAY, r=0.8, alpha=6.0, a=0.8, b=2.4),
    calibration=Calibration(),
    spend=GammaGamma(p=6.2, q=3.7, v=1500.0),
    rules=RULES,
)
History = list[tuple[str, Fact]]


def watched(
    history: History, policy: Policy, puts: int = 0
) -> tuple[list[ChurnRecord | None], dict[str, Customer]]:
    """Return what each fact moved; bits of `puts` say after which a customer leaves memory."""
    journeys, follower = Journeys(policy), Follower(RiskWatch(policy, MODEL))
    customers: dict[str, Customer] = {}
    rows: dict[bytes, bytes] = {}
    moved = []
    for place, (key, fact) in enumerate(history):
        customer = customers.setdefault(key, Customer(key))
        applied = journeys.apply(customer, fact)
        moved.append(follower.follow(customer, fact, applied, place).churn)
        kept = put_away_and_read_back(customer, rows)
        if puts >> place & 1:
            customers[key] = kept
        else:
            customer.changed.clear()
    return moved, customers


@given(histories(), policies(), st.sampled_from([400, 12, 8]), st.integers(0, 2**20))
def test_a_customer_read_back_has_the_risk_of_one_who_stayed(
    history: History, policy: Policy, horizon_days: int, puts: int
) -> None:
    """Whenever customers leave memory between two facts, the same records are told."""
    policy = replace(policy, horizon_ms=horizon_days * DAY_MS)
    assert watched(history, policy, puts)[0] == watched(history, policy)[0]


@given(histories(), policies())
def test_what_is_told_follows_from_what_was_told(history: History, policy: Policy) -> None:
    """Versions count up, `before` is the last one told, and only what moved is told."""
    last: dict[str, ChurnRecord] = {}
    for record in watched(history, policy)[0]:
        if record is None:
            continue
        before = last.get(record.customer_id)
        assert record.version == (1 if before is None else before.version + 1)
        assert record.before_ppm == (None if before is None else before.risk_ppm)
        assert record.high == (
            record.risk_ppm is not None
            and record.risk_ppm >= (500_000 if before is not None and before.high else 600_000)
        )
        assert (
            record.risk_ppm is None
            or record.before_ppm is None
            or abs(record.risk_ppm - record.before_ppm) >= MOVED_PPM
            or (before is not None and record.high != before.high)
        )
        rises = record.week_ago_ppm is not None and (record.risk_ppm or 0) > record.week_ago_ppm
        assert rises or record.explained_ppm in (None, 0)
        last[record.customer_id] = record


@given(histories(), policies())
def test_signals_are_those_of_the_published_contacts(history: History, policy: Policy) -> None:
    """The short way finds what walking through all published contacts finds."""
    journeys, follower = Journeys(policy), Follower(RiskWatch(policy, MODEL))
    customers: dict[str, Customer] = {}
    published: dict[str, dict[str, ContactRecord]] = {}
    for key, fact in history:
        customer = customers.setdefault(key, Customer(key))
        applied = journeys.apply(customer, fact)
        follower.follow(customer, fact, applied, 0)
        told = published.setdefault(key, {})
        told.update({record.contact_id: record for record in applied.contacts})
        if customer.bought is None or customer.watermark is None:
            continue
        contacts = [
            SeenContact(
                contact_id=each.contact_id,
                ended_at=each.ended_at,
                case_id=each.case_id,
                outcome=each.outcome,
                reopened=each.reopened,
                abandoned=each.abandoned,
                wait_ms=each.wait_ms,
                csat=each.csat,
                reason=each.reason,
            )
            for each in told.values()
            if not each.withdrawn and (each.handled or each.abandoned)
        ]
        refunds = [
            SeenRefund(order_id, item.fact.occurred_at)
            for order_id, item in customer.orders.items()
            if item.fact.kind in TAKING_BACK and not item.fact.withdrawn
        ]
        due = observations(contacts, refunds, customer.watermark, RULES)
        now = customer.watermark
        found = seen(customer, customer.bought, now, now, journeys.policies, RULES)
        assert sorted(found, key=repr) == sorted(due, key=repr)


@given(histories(), policies(), st.integers(0, 80))
def test_what_was_known_then_is_told_from_the_facts_of_then(
    history: History, policy: Policy, hours: int
) -> None:
    """Notes of now are used only where no later fact has changed what they say."""
    _, customers = watched(history, policy)
    book = book_of(policy)
    for customer in customers.values():
        if customer.bought is None or customer.watermark is None:
            continue
        known = customer.watermark - hours * DAY_MS // 4
        contacts = [
            seen_contact(customer, chain, book, known)
            for chain in customer.ends
            if chain.ended_at <= known and (chain.handled or chain.abandoned)
        ]
        refunds = [
            SeenRefund(order_id, item.fact.occurred_at)
            for order_id, item in customer.orders.items()
            if item.fact.kind in TAKING_BACK and not item.fact.withdrawn
            if item.fact.occurred_at <= known
        ]
        for at in (known, customer.watermark):
            due = observations(contacts, refunds, at, RULES)
            found = seen(customer, customer.bought, known, at, book, RULES)
            assert sorted(found, key=repr) == sorted(due, key=repr)


@given(histories(), policies())
def test_the_purchases_indexed_are_those_of_the_orders(history: History, policy: Policy) -> None:
    """An order of a customer in the reporting currency that is worth something after refunds."""
    _, customers = watched(history, policy)
    day_of = local_days(policy.zone)
    for customer in customers.values():
        if customer.bought is None or customer.watermark is None:
            continue
        worth: dict[int, int] = {}
        for item in customer.orders.values():
            net = -sum(entry.amount_minor for entry in item.booked if entry.line == NET)
            order = item.fact
            if order.kind == "sale" and order.customer_id and net > 0 and order.currency == "GBP":
                day = day_of(order.occurred_at)
                worth[day] = worth.get(day, 0) + net
        assert dict(zip(customer.bought.days, customer.bought.minor, strict=True)) == worth
        known = customer.bought.known(None, customer.watermark)
        assert (known is None) == (not worth)
        if known is not None:
            assert known == (len(worth), min(worth), max(worth))


def test_no_order_no_risk() -> None:
    """Who never bought has none, which is not the same as a risk of one."""
    assert PurchaseDays().known(None, 0) is None
    assert MODEL.risk(Bought(0, 0, 0)) is not None
