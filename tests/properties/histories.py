"""Small histories made to collide: few ids, few moments, every kind of fact.

A history lists keyed facts of up to three keys within 40 days. No two facts have the same
identity and revision, and an order_id keeps its role, as I4 supposes (RUL-SAME). Negative sales
have product and upgrade lines without a cost only: what a term or goods of less than nothing
would mean, no definition says.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from processors.policy import DAY_MS, MODELS, ChannelRate, Policy, Tariff
from streams.facts import (
    Contact,
    Cost,
    CutPlace,
    Experiment,
    Fact,
    Fee,
    Offer,
    Order,
    OrderLine,
    Period,
    PeriodLine,
    Resolution,
    identity_of,
)
from tests.support.facts import BASE, DAY, MINUTE

History = list[tuple[str, Fact]]
Pick = Callable[[Sequence[Any]], Any]
"""Chooses one of some options: Hypothesis or a seeded generator."""
KEYS = ("k", "k", "k", "k", "k", "j", "guest")
GUEST = "guest"
CASES = (None, None, "case-a", "case-b")
CONTACTS = ("c1", "c2", "c3", "c4", "c5", "c6")
CHAINS = (None,) * 6 + ("c1", "ch1", "ch2")
AGENTS = (None, "a1", "a1", "a2")
QUEUES = ("billing", "sales")
SALES = ("o1", "o1", "o2", "o2", "o3")
TAKING_BACK = ("refund", "refund", "refund", "chargeback", "credit_note", "cancellation")
CURRENCIES = ("GBP",) * 11 + ("EUR",)
AMOUNTS = (1000, 1001, 333, 100, 5, 1, 0)
REFUND_AMOUNTS = (1, 50, 100, 333, 500, 1000, 1500, 0, -200)
COST_KINDS = (
    "concession",
    "concession",
    "channel",
    "overhead",
    "technology",
    "facilities",
    "payroll",
    "training",
    "attrition",
    "leadership",
)


def half_days(first: int, last: int) -> tuple[int, ...]:
    """Return the noons and midnights from one half day to another, counted from the first day."""
    return tuple(BASE + half * DAY // 2 for half in range(first, last + 1))


# Mostly calls before sales before refunds, close enough to tie; sometimes anything.
ODD_TIMES = (BASE + 1, BASE - 1, BASE + 10 * MINUTE, BASE + 30 * DAY, BASE + 31 * DAY - 1)
ANY_TIME = half_days(-2, 22) + ODD_TIMES
CALL_TIMES = half_days(0, 8) * 4 + ANY_TIME
WRAP_TIMES = tuple(moment + 5 * MINUTE for moment in half_days(0, 8))
SALE_TIMES = half_days(4, 10) * 6 + WRAP_TIMES * 2 + ANY_TIME
REFUND_TIMES = half_days(8, 14) * 8 + ANY_TIME
FEES = (
    None,
    None,
    Fee(tariff="minute"),
    Fee(tariff="event"),
    Fee(tariff="flat"),
    Fee(tariff="term"),
    Fee(tariff="unknown"),
    Fee(amount_minor=70),
    Fee(amount_minor=30, currency="EUR"),
)
TARIFFS = {
    "minute": Tariff(kind="per_minute", per_hour_minor=6000, minimum_ms=60_000, increment_ms=7000),
    "event": Tariff(kind="per_event", amount_minor=900),
    "flat": Tariff(kind="flat", amount_minor=500),
    "term": Tariff(kind="per_term", amount_minor=1001, term_days=33),
}


def policy_by(pick: Pick) -> Policy:
    """Draw rules: any model, short lookbacks, with and without rates."""
    return Policy(
        model=pick(MODELS),
        lookback_ms=pick((3 * DAY_MS, 30 * DAY_MS, 30 * DAY_MS)),
        lookback_ms_by_class=pick(({}, {"upgrade": 6 * DAY_MS})),
        unlinked=pick(("newest_first", "newest_first", "newest_first", "orphan")),
        loaded_per_hour_minor_by_queue=pick(({}, {"sales": 4321})),
        loaded_per_hour_minor_by_agent=pick(({}, {"a1": 0, "a2": 9999})),
        margin_ppm_by_class=pick(({}, {"upgrade": 333_333})),
        tariffs=TARIFFS,
        channels=pick(({}, {"voice": ChannelRate(per_contact_minor=12, per_minute_minor=3)})),
    )


def customer_of(key: str) -> str | None:
    """Return the customer_id of facts under a key: a guest has none."""
    return None if key == GUEST else key


def contacts(pick: Pick, key: str) -> Contact:
    """Draw a leg that may be handled or not, alone or joined, under a case or not."""
    ended_at = pick(CALL_TIMES)
    talk_ms = pick((300_000, 180_000, 60_001, 60_001, 700, 0, 3 * DAY))
    connected = pick((True,) * 6 + (False,))
    code = pick((None,) * 7 + ("test", "self_service", "solved"))
    fee = pick(FEES)
    arm = pick((None,) * 9 + ("control", "treated"))
    offers = tuple(
        Offer(
            product_class=pick(("product", "upgrade")),
            eligible=pick((True, False)),
            offered=pick((True, False)),
            accepted=pick((True, False)),
        )
        for _ in range(pick((0, 0, 0, 1, 2)))
    )
    return Contact(
        event_id="any",
        contact_id=pick(CONTACTS),
        channel=pick(("voice", "chat")),
        direction="inbound",
        kind=pick(("service", "sales")),
        queue=pick(QUEUES),
        started_at=ended_at - talk_ms,
        ended_at=ended_at,
        talk_ms=talk_ms,
        hold_ms=pick((0, 0, 45_000)),
        wrap_ms=pick((0, 30_000, 10 * MINUTE)),
        wait_ms=0,
        abandoned=not connected and pick((True, False)),
        connected_at=ended_at - talk_ms if connected else None,
        customer_id=customer_of(key),
        chain_id=pick(CHAINS),
        case_id=pick(CASES),
        transfer_of=pick((None,) * 6 + CONTACTS),
        agent_id=pick(AGENTS),
        disposition_code=code,
        fee=fee,
        offers=offers,
        experiment=None if arm is None else Experiment(id="x", arm=arm),
    )


def order_lines(pick: Pick) -> tuple[OrderLine, ...]:
    """Draw one to three lines of a sale, all of one sign."""
    negative = pick((False,) * 19 + (True,))
    lines = []
    for number in range(1, 1 + pick((1, 1, 1, 2, 2, 3))):
        classes: tuple[str, ...] = ("product", "product", "upgrade")
        if not negative:
            classes = (*classes, "maintenance", "support")
        product_class = pick(classes)
        start: Any = None
        end: Any = None
        if product_class in ("maintenance", "support") and pick((True, True, False)):
            start, end = pick(
                (
                    ("2024-03-01", "2024-03-11"),
                    ("2024-03-04", "2024-03-07"),
                    ("2024-02-20", "2024-02-25"),
                    ("2024-03-09", "2024-04-05"),
                    (BASE, BASE + 7 * DAY),
                )
            )
        lines.append(
            OrderLine(
                line_id=f"l{number}",
                product_class=product_class,
                amount_minor=pick(AMOUNTS) * (-1 if negative else 1),
                cost_minor=0 if negative else pick((None, 0, 401, 50)),
                term_start=start,
                term_end=end,
            )
        )
    return tuple(lines)


def sales(pick: Pick, key: str) -> Order:
    """Draw a sale that may name a contact or an agent."""
    order_id = pick(SALES)
    return Order(
        event_id=f"event-{order_id}",
        order_id=order_id,
        kind="sale",
        occurred_at=pick(SALE_TIMES),
        currency=pick(CURRENCIES),
        lines=order_lines(pick),
        customer_id=customer_of(key),
        contact_id=pick((None,) * 8 + ("c1", "c2", "ch1", "c9")),
        agent_id=pick((None, None, *AGENTS)),
        referred_by=pick((None, None, "j")),
    )


def takings_back(pick: Pick, key: str) -> Order:
    """Draw a refund or the like: of a sale, of nothing known, of no order at all."""
    number = pick((1, 2, 3, 4))
    kind = pick(TAKING_BACK)
    named = ("l1", "l1", "l1", "l2", "l3", "l9")
    counts = (0, 0, 1, 2) if kind == "cancellation" else (1, 1, 1, 2)
    lines = tuple(
        OrderLine(
            line_id=pick(named),
            product_class=pick(("product", "upgrade")),
            amount_minor=pick(REFUND_AMOUNTS),
        )
        for _ in range(pick(counts))
    )
    return Order(
        # Events are numbered against the ids, so that ties show which of the two decides.
        event_id=f"event-{9 - number}",
        order_id=f"r{number}",
        kind=kind,
        occurred_at=pick(REFUND_TIMES),
        currency=pick(CURRENCIES),
        lines=lines,
        customer_id=customer_of(key),
        refund_of=pick((None,) * 4 + ("o1",) * 6 + ("o2",) * 5 + ("o3", "o3", "o9", "r1")),
    )


def adjustments(pick: Pick, key: str) -> Order:
    """Draw an adjustment of the books."""
    order_id = pick(("a1", "a2"))
    amount = pick((-500, 0, 120))
    return Order(
        event_id=f"event-{order_id}",
        order_id=order_id,
        kind="adjustment",
        occurred_at=pick(ANY_TIME),
        currency=pick(CURRENCIES),
        lines=(OrderLine(line_id="l1", product_class="product", amount_minor=amount),),
        customer_id=customer_of(key),
    )


def costs(pick: Pick, key: str) -> Cost:
    """Draw a cost that may name a contact and have a period."""
    start, end = pick(
        (
            (None, None),
            ("2024-03-29", "2024-04-02"),
            (BASE, BASE + 3 * DAY),
            (BASE, BASE + 8 * 60 * MINUTE),
        )
    )
    return Cost(
        event_id=pick(("x1", "x2", "x3")),
        kind=pick(COST_KINDS),
        occurred_at=pick(ANY_TIME),
        amount_minor=pick((100, 7, 0, -30)),
        currency=pick(CURRENCIES),
        customer_id=customer_of(key),
        contact_id=pick((None, "c1", "c2", "ch1", "c9")),
        agent_id=pick((None, "a2")),
        queue=pick((None, "sales")),
        channel=pick((None, "chat")),
        period_start=start,
        period_end=end,
    )


def resolutions(pick: Pick, key: str) -> Resolution:
    """Draw a resolution of one of the cases, or a survey of one that no contact is of."""
    return Resolution(
        event_id=pick(("s1", "s2", "s3")),
        case_id=pick(("case-a", "case-a", "case-b", "survey")),
        outcome=pick(("resolved", "resolved", "unresolved", "reopened", "escalated")),
        occurred_at=pick(ANY_TIME),
        contact_id=pick((None, "c1", "c2", "ch1", "c9")),
        customer_id=customer_of(key),
        csat=pick((None, 0, 5)),
        nps=pick((None, None, 9)),
        ces=pick((None, None, 3)),
    )


def periods(pick: Pick, key: str) -> Period:
    """Draw what a run of the period job states under a key; a customer may have the same."""
    event_id = pick(("p1", "p2", "close"))
    lines = tuple(
        PeriodLine(
            line=line,
            basis="estimated" if line[0] == "D" else "standard" if line == "C2" else "booked",
            amount_minor=pick((-500, -77, 0, 1200)),
            currency=pick(CURRENCIES),
            effective_at=pick(ANY_TIME),
            queue=pick(("", *QUEUES)),
            agent_id=pick(("", "a1")),
            contact_id=pick(("", "", "c1")),
            variance_minor2=pick((0, 1, 10_000)) if line[0] == "D" else 0,
        )
        for line in (pick(("C2", "C7", "D1", "D2")) for _ in range(pick((0, 1, 2, 3))))
    )
    return Period(
        event_id=event_id,
        period=key,
        kind="close" if event_id == "close" else "figures",
        occurred_at=pick(ANY_TIME),
        lines=() if event_id == "close" else lines,
        cut=(CutPlace(partition=0, offset=pick((0, 7))),) if event_id == "close" else (),
    )


Kinds = Sequence[Callable[[Pick, str], Fact]]
CALLS: Kinds = (contacts, contacts, contacts, sales)
REFUNDS: Kinds = (contacts, contacts, sales, sales, takings_back, takings_back, takings_back)
ALL: Kinds = (
    *(*CALLS, *CALLS, *REFUNDS, takings_back),
    *(costs, costs, adjustments, resolutions, resolutions, periods),
)


def keyed_fact(pick: Pick, kinds: Kinds, keys: Sequence[str]) -> tuple[str, Fact]:
    """Draw one fact under one of the keys; a fact may be revised or withdrawn."""
    key = pick(keys)
    fact = pick(kinds)(pick, key)
    revision = pick((0, 0, 0, 0, 0, 1, 2))
    withdrawn = revision > 0 and pick((False, False, True))
    return key, msgspec.structs.replace(fact, revision=revision, withdrawn=withdrawn)


def place_of(keyed: tuple[str, Fact]) -> tuple[str, str, str, int]:
    """Return what no two facts of a history may share: key, kind, identity, revision."""
    key, fact = keyed
    return key, type(fact).__name__, identity_of(fact), fact.revision


def history_by(
    pick: Pick, kinds: Kinds = ALL, keys: Sequence[str] = KEYS, size_max: int = 20
) -> History:
    """Draw up to so many facts in any order, long histories as often as short ones."""
    first: dict[tuple[str, str, str, int], tuple[str, Fact]] = {}
    for _ in range(pick(range(1, size_max + 1))):
        keyed = keyed_fact(pick, kinds, keys)
        first.setdefault(place_of(keyed), keyed)
    return list(first.values())


@st.composite
def histories(
    draw: Any, kinds: Kinds = ALL, keys: Sequence[str] = KEYS, size_max: int = 20
) -> History:
    """Return histories that Hypothesis can shrink."""
    return history_by(lambda options: draw(st.sampled_from(options)), kinds, keys, size_max)


@st.composite
def policies(draw: Any) -> Policy:
    """Return rules that Hypothesis can shrink."""
    return policy_by(lambda options: draw(st.sampled_from(options)))


@st.composite
def shuffled(draw: Any, history: History) -> History:
    """Return another order of a history in which some facts come twice."""
    again = [fact for fact in history if draw(st.booleans())]
    other: History = draw(st.permutations([*history, *again]))
    return other


def shuffled_by(random: Random, history: History) -> History:
    """Return another order of a history in which some facts come twice."""
    again = [fact for fact in history if random.random() < 0.5]
    return random.sample([*history, *again], len(history) + len(again))
