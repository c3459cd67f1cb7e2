"""What if, over a store: what is measured, against plain Python; what is answered and refused."""

import random
from typing import Any

import msgspec
import numpy as np
import pytest

from pnl.reports.model import BadRequest, Scope
from pnl.reports.sheet import Asking, Sheet
from pnl.reports.whatif import WHATIF
from pnl.reports.whatif_reading import fees, measured
from processors.policy import Policy
from processors.results import ContactRecord, CostRecord
from sinks.store import Store
from tests.support.books import Books, at, chain, cost
from tests.unit.reports.test_channels import placed, with_customer

HOUR = 3_600_000
DAY = 24 * HOUR
POLICY = Policy(margin_ppm=500_000)
FIRST = at("2024-03-04")


def asking(store: Store, **options: str) -> Asking:
    """Return a question as of the end of the year."""
    return Asking(
        store=store,
        policy=POLICY,
        as_of=at("2024-12-31"),
        scope=Scope(currency="GBP"),
        options=options,
    )


def shift(agent: str, start: int, end: int) -> CostRecord:
    """Build a paid shift of 20.00 an hour."""
    return CostRecord(
        event_id=f"{agent}@{start}",
        customer_id=agent,
        version=1,
        kind="payroll",
        occurred_at=end,
        currency="GBP",
        amount_minor=(end - start) // HOUR * 2000,
        agent_id=agent,
        period_start=start,
        period_end=end,
    )


def came(rng: random.Random, number: int, at_ms: int, *, left: bool) -> ContactRecord:
    """Build a call that came at a moment; those who left were never connected."""
    wait = rng.choice((5_000, 30_000, 100_000, 400_000))
    return msgspec.structs.replace(
        chain(f"c{number}", "2024-01-01"),
        customer_id=f"k{number % 40}",
        started_at=at_ms,
        ended_at=at_ms + wait + 240_000,
        matures_at=at_ms + 30 * DAY,
        wait_ms=wait,
        handled=not left,
        abandoned=left,
    )


def lay(books: Books, days: int = 40) -> list[ContactRecord]:
    """Lay busy days: two at work from 8 to 12, between 2 and 30 calls an hour."""
    rng = random.Random(5)
    calls, shifts = [], []
    for day in range(days):
        opened = FIRST + day * DAY + 8 * HOUR
        shifts += [shift(agent, opened, opened + 4 * HOUR) for agent in ("a1", "a2")]
        for hour in range(5):  # the last one without anybody at work
            busy = 2 + round(40 * rng.random() ** 4)
            for _ in range(busy if hour < 4 else 1):
                at_ms = opened + hour * HOUR + rng.randrange(HOUR)
                calls.append(came(rng, len(calls), at_ms, left=rng.random() < busy / 60))
    books.put(*calls, *shifts)
    orders = []
    for number in range(120):
        when = f"2024-0{rng.randint(3, 5)}-{rng.randint(10, 28)}"
        one = with_customer(
            placed(f"o{number}", when, [], rng.choice((1000, 700))), f"k{number % 40}"
        )
        orders.append(one)
    books.put(*orders)
    return calls


def kind_of(call: ContactRecord) -> int:
    """Return how a call ended: answered within 20 s, 60 s, 180 s, later, or given up."""
    if call.abandoned:
        return 4
    return sum(call.wait_ms > limit for limit in (20_000, 60_000, 180_000))


def episodes_of(calls: list[ContactRecord]) -> list[ContactRecord]:
    """Return the calls without one of the same customer within 30 days before."""
    found, last = [], {}
    for call in sorted(calls, key=lambda call: (call.started_at, call.contact_id)):
        before = last.get(call.customer_id)
        if before is None or call.started_at - before > 30 * DAY:
            found.append(call)
        last[call.customer_id] = call.ended_at
    return found


def test_hours_and_worth_are_what_plain_python_counts(books: Books, store: Store) -> None:
    """Load, endings, episodes and what followed, without the hours in which nobody was paid."""
    calls = lay(books)
    found = measured(asking(store), 20_000, 30 * DAY)
    assert found is not None
    staffed = [call for call in calls if call.started_at % DAY < 12 * HOUR]
    hours = sorted({call.started_at // HOUR for call in staffed})
    ended = np.zeros((len(hours), 5))
    for call in staffed:
        ended[hours.index(call.started_at // HOUR), kind_of(call)] += 1
    assert found.hours.ended.tolist() == ended.tolist()
    assert found.hours.load.tolist() == pytest.approx(
        (ended.sum(axis=1) * 300_000 / (2 * HOUR)).tolist()
    )
    episodes = episodes_of(calls)
    assert found.hours.episodes.sum() == sum(each.started_at % DAY < 12 * HOUR for each in episodes)
    assert found.left_out == len(calls) - len(staffed)
    assert found.payroll_minor == -40 * 2 * 4 * 2000
    orders = store.query(
        "SELECT customer_id, toUnixTimestamp64Milli(occurred_at) AS at, net_minor"
        " FROM v_attributions"
    )
    brought: dict[int, list[float]] = {each: [] for each in range(5)}
    for call in episodes:
        brought[kind_of(call)].append(
            sum(
                0.5 * order["net_minor"]
                for order in orders
                if order["customer_id"] == call.customer_id
                and call.started_at <= order["at"] <= call.ended_at + 30 * DAY
            )
        )
    assert [each.n for each in found.worth] == [len(each) for each in brought.values()]
    assert [each.total for each in found.worth] == pytest.approx(
        [sum(each) for each in brought.values()]
    )


def rows(found: Sheet) -> dict[str, dict[str, Any]]:
    """Return the rows by scenario."""
    return {
        str(row[0]): {column.name: cell for column, cell in zip(found.columns, row, strict=True)}
        for row in found.rows
    }


def test_a_cut_saves_pay_and_costs_answers(books: Books, store: Store) -> None:
    """Fewer at work: pay is saved, more give up, and each figure stands with its interval."""
    lay(books)
    found = WHATIF.asked(asking(store, staffing="-2%,-80%"))
    assert found.label == "association"
    small, large = rows(found)["staffing -2.0%"], rows(found)["staffing -80.0%"]
    assert small["payroll_minor"] == round(0.02 * 40 * 2 * 4 * 2000)
    assert small["abandon_ppm_low"] < small["abandon_ppm"] < small["abandon_ppm_high"]
    assert small["contribution_minor"] == small["payroll_minor"] + small["margin_minor"]
    assert large["state"] == "outside what was observed"
    assert large["contribution_minor"] is None
    lowest = rows(found)["lowest observed"]
    assert lowest["state"] == "within what was observed"
    assert lowest["change_ppm"] < 0


def test_without_shifts_nothing_is_told(books: Books, store: Store) -> None:
    """Who was at work is not known, and the note says what it would take."""
    books.put(came(random.Random(1), 1, FIRST, left=False))
    found = WHATIF.asked(asking(store))
    assert found.rows == ()
    assert "it takes shifts" in found.notes[0]


def test_prices_are_those_that_were_charged(books: Books, store: Store) -> None:
    """Two prices of one tariff, and a third between them is read; beyond them nothing is."""
    calls = [chain(f"p{n}", f"2024-0{1 + n // 40}-{1 + n % 20:02}") for n in range(80)]
    entries = [
        cost("A2a", 1000, f"2024-01-{1 + n % 20:02}", contact_id=f"p{n}", tariff="paid")
        for n in range(20)
    ] + [
        cost("A2a", 1200, f"2024-02-{1 + n % 20:02}", contact_id=f"p{40 + n}", tariff="paid")
        for n in range(20)
    ]
    books.lay(calls, entries)
    (fee,) = fees(asking(store))
    assert [(level.price_minor, level.charged, level.handled) for level in fee.levels] == [
        (1000, 20, 40),
        (1200, 20, 40),
    ]
    found = rows(WHATIF.asked(asking(store, price="-10%,+10%")))
    assert found["price -10.0% of paid"]["contribution_minor"] == pytest.approx(-0.1 * 600 * 80)
    assert found["price +10.0% of paid"]["state"] == "outside what was observed"


@pytest.mark.parametrize(
    "wrong",
    [{"staffing": "less"}, {"staffing": "-100%"}, {"service_level": "0%"}, {"within_s": "0"}],
)
def test_what_cannot_be_asked_is_said(store: Store, wrong: dict[str, str]) -> None:
    """A sentence, not a guess."""
    with pytest.raises(BadRequest):
        WHATIF.asked(asking(store, **wrong))
