"""A world's history as facts, through journeys and the sink into a store, and back as a comparison.

What the store tells must be what the world told, to the last digit: then whatever holds of the
estimators in memory holds of the report.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.calibration.world import HOUR_MS, PENDING, RESOLVED, Settings, World, world
from pnl.lifting.from_store import Known, known
from processors.comparison import Comparison, Question, compared
from processors.history import NEVER
from processors.lift import Effect
from processors.matching import Rules
from processors.policy import Policy
from sinks.store import Store
from streams.facts import Contact, Fact, Millis, Order, OrderLine, Resolution, event_time_of
from tests.support.stored import append, copy, journey, memory_log

SMALL = Settings(customers=60, contact_rate=0.003)
AMOUNT_MINOR = 5000
SEASON_MS = 90 * 24 * HOUR_MS


def facts(made: World) -> list[Fact]:
    """Return the contacts, resolutions, orders and refunds of a world, in event-time order."""
    found = [*_contacts(made), *_orders(made)]
    return sorted(found, key=lambda fact: (event_time_of(fact), fact.event_id))


def name_of(customer: int) -> str:
    """Return a customer's name: in order of numbers."""
    return f"k{customer:06}"


def _contacts(made: World) -> Iterator[Fact]:
    seen = made.history
    for place, at_ms in enumerate(seen.contacts.at_ms.tolist()):
        customer_id = name_of(int(seen.contacts.customer[place]))
        case, outcome = int(seen.contact_case[place]), int(seen.contact_outcome[place])
        yield Contact(
            event_id=f"c{place}",
            contact_id=f"c{place}",
            customer_id=customer_id,
            case_id=f"case-{case}",
            channel="voice",
            direction="inbound",
            kind="service",
            queue=f"q{int(seen.contact_segment[place])}",
            started_at=at_ms - 300_000,
            connected_at=at_ms - 300_000,
            ended_at=at_ms,
            talk_ms=300_000,
            hold_ms=0,
            wrap_ms=0,
            wait_ms=0,
            abandoned=False,
        )
        assert outcome != PENDING
        yield Resolution(
            event_id=f"r{place}",
            case_id=f"case-{case}",
            customer_id=customer_id,
            contact_id=f"c{place}",
            outcome="resolved" if outcome == RESOLVED else "unresolved",
            occurred_at=at_ms + 60_000,
        )


def _orders(made: World) -> Iterator[Fact]:
    seen = made.history
    of_day = {
        (int(customer), int(at_ms) // (24 * HOUR_MS)): place
        for place, (customer, at_ms) in enumerate(
            zip(seen.contacts.customer, seen.contacts.at_ms, strict=True)
        )
    }
    for place, at_ms in enumerate(seen.orders.at_ms.tolist()):
        customer = int(seen.orders.customer[place])
        sold_in = None
        if seen.order_in_contact[place]:
            sold_in = f"c{of_day[customer, at_ms // (24 * HOUR_MS)]}"
        yield _order(f"o{place}", "sale", customer, at_ms, None, sold_in)
        undone_ms = int(seen.order_undone_ms[place])
        if undone_ms < min(NEVER, seen.as_of_ms):
            yield _order(f"u{place}", "refund", customer, undone_ms, f"o{place}", None)


def _order(
    order_id: str, kind: str, customer: int, at_ms: Millis, of: str | None, sold_in: str | None
) -> Order:
    return Order(
        event_id=order_id,
        order_id=order_id,
        kind="sale" if kind == "sale" else "refund",
        occurred_at=at_ms,
        currency="GBP",
        customer_id=name_of(customer),
        refund_of=of,
        contact_id=sold_in,
        lines=(OrderLine(line_id="1", product_class="product", amount_minor=AMOUNT_MINOR),),
    )


def fill(store: Store, told: Sequence[Fact], policy: Policy) -> None:
    """Take facts through journeys into a store, a season at a time, as they would come live.

    Topics are read one by one: who tells three years at once tells resolutions after the horizon.
    """
    log = memory_log()
    start, rest = 0, list(told)
    while start < len(rest):
        until = event_time_of(rest[start]) + SEASON_MS
        end = next(
            (n for n in range(start, len(rest)) if event_time_of(rest[n]) > until), len(rest)
        )
        append(log, rest[start:end])
        journey(log, policy)
        start = end
    copy(log, store)


def through(seed: int, settings: Settings = SMALL) -> tuple[Comparison, Known]:
    """Return one world compared in memory, and compared from a store its facts went into."""
    made = world(seed, settings)
    policy = Policy()
    with TemporaryDirectory() as folder:
        store = Store.open(f"chdb://{Path(folder).resolve()}/store")
        try:
            store.migrate()
            fill(store, facts(made), policy)
            found = known(store, policy, made.history.as_of_ms)
        finally:
            store.close()
    assert found is not None
    return compared(made.history, Rules()), found


def answers(asked: Comparison) -> dict[str, Effect | None]:
    """Return what a comparison says to every question."""
    outcome = asked.outcome()
    everybody = np.ones(len(outcome), dtype=np.bool_)
    said: dict[str, Effect | None] = {"placebo": asked.placebo(everybody)}
    questions: tuple[Question, ...] = ("purchase", "retention")
    for question in questions:
        said[f"{question}, all"] = asked.against_none(everybody, question)
        for code in (0, 1):
            said[f"{question}, {code}"] = asked.against_none(outcome == code, question)
    said["between"] = asked.between(outcome == 0, outcome == 1)
    return said


def agree(seed: int, settings: Settings = SMALL) -> bool:
    """Return whether the store says what memory says, to nine digits."""
    memory, stored = through(seed, settings)
    ours, theirs = answers(memory), answers(stored.compared)
    return all(_same(ours[name], theirs[name]) for name in ours)


def _same(one: Effect | None, other: Effect | None) -> bool:
    if one is None or other is None:
        return one is other
    pairs = ((one.difference, other.difference), (one.variance, other.variance))
    return one.n == other.n and all(abs(a - b) < 1e-9 for a, b in pairs)
