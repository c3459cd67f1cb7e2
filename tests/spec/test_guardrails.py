"""Guardrails: decisions from figures, each by its interval."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.coaching import Skill, coached
from processors.confidence import Sample
from processors.guardrails import (
    Change,
    Span,
    judged,
    load,
    mean_change,
    overloads,
    pressure,
    share_change,
    spread,
)

HALF_HOUR = 1_800_000
UP = mean_change("sales per contact", Sample(900, 9000, 180_000), Sample(900, 4500, 90_000))
SAME = mean_change("sales per contact", Sample(900, 4500, 90_000), Sample(900, 4500, 90_000))
MORE = share_change("refunds", (60, 100), (20, 100))
LESS = share_change("refunds", (20, 100), (60, 100))
EVEN = share_change("CSAT", (50, 100), (52, 100))
FEW = share_change("CSAT", (5, 10), (9, 10))


@pytest.mark.parametrize(
    ("sales", "refunds", "csat", "state"),
    [
        (UP, MORE, EVEN, "alert"),
        (UP, LESS, share_change("CSAT", (20, 100), (60, 100)), "alert"),
        (UP, LESS, EVEN, "ok"),
        (UP, FEW, FEW, "unknown"),
        (SAME, MORE, LESS, "ok"),
        (mean_change("sales", Sample(29, 1, 1), Sample(900, 1, 1)), MORE, EVEN, "unknown"),
    ],
)
def test_pressure_is_more_sales_with_harm(
    sales: Change, refunds: Change, csat: Change, state: str
) -> None:
    """G-PRESSURE: sales up, and refunds up or CSAT down; each by its interval, few say nothing."""
    verdict = pressure(sales, refunds=refunds, satisfaction=csat)
    assert verdict.state == state
    assert verdict.reason


def test_rising_risk_is_harm() -> None:
    """The customers' risk counts like refunds and satisfaction."""
    risk = mean_change("risk", Sample(400, 240, 160), Sample(400, 80, 20))
    verdict = pressure(UP, refunds=LESS, satisfaction=EVEN, risk=risk)
    assert (verdict.state, "risk rose" in verdict.reason) == ("alert", True)


def test_chance_alone_raises_few_alerts() -> None:
    """Two equal periods, 1,000 times: sales up by chance and harm by chance meet rarely."""
    rng = Random(11)
    alerts = 0
    for _ in range(1000):
        sales = [sum(rng.random() < 0.1 for _ in range(200)) for _ in range(2)]
        harms = [sum(rng.random() < 0.3 for _ in range(80)) for _ in range(4)]
        verdict = pressure(
            share_change("sales", (sales[0], 200), (sales[1], 200)),
            refunds=share_change("refunds", (harms[0], 80), (harms[1], 80)),
            satisfaction=share_change("CSAT", (harms[2], 80), (harms[3], 80)),
        )
        alerts += verdict.state == "alert"
    assert alerts <= 50


def spans(*shares: int) -> list[Span]:
    """Return half hours in a row that were busy by so many percent."""
    return [
        Span(n * HALF_HOUR, HALF_HOUR * share // 100, HALF_HOUR) for n, share in enumerate(shares)
    ]


def test_overload_is_two_hours_above_85_percent() -> None:
    """G-LOAD: a quiet quarter within does not hide it, an hour and a half is no overload."""
    assert overloads(spans(90, 90, 90), HALF_HOUR) == ()
    assert overloads(spans(85, 85, 85, 85), HALF_HOUR) == ()
    (found,) = overloads(spans(10, 95, 95, 80, 95, 95, 10), HALF_HOUR)
    assert (found.start, found.end) == (HALF_HOUR, 6 * HALF_HOUR)
    assert found.occupancy_ppm == 912_500


def test_a_break_ends_a_stretch() -> None:
    """Two hours with nobody there in the middle are not two hours of work."""
    day = spans(100, 100, 100, 100, 100)
    assert overloads([*day[:2], *day[3:]], HALF_HOUR) == ()
    assert len(overloads(spans(*[100] * 4, 0, 0, 0, 0, *[100] * 4), HALF_HOUR)) == 2
    apart = spans(*[100] * 9)
    assert len(overloads([*apart[:4], *apart[5:]], HALF_HOUR)) == 2


@given(st.lists(st.integers(0, 100), max_size=30), st.randoms())
def test_overload_does_not_depend_on_order(shares: list[int], rng: Random) -> None:
    """Every stretch is above the limit, at least two hours long, and apart from the next."""
    found = overloads(spans(*shares), HALF_HOUR)
    mixed = spans(*shares)
    rng.shuffle(mixed)
    assert overloads(mixed, HALF_HOUR) == found
    assert all(each.end - each.start >= 7_200_000 for each in found)
    ends = [(each.start, each.end) for each in found]
    assert all(before[1] <= after[0] for before, after in pairwise(ends))


def test_what_cannot_be_judged_is_no_all_clear() -> None:
    """No shifts, no answers: unknown."""
    assert load(0, 0).state == "unknown"
    assert (load(0, 5).state, load(2, 5).state) == ("ok", "alert")
    assert (judged(None, None).state, judged(500_000, 0).state) == ("unknown", "unknown")
    assert judged(500_000, 100_000).state == "ok"


def test_chance_shows_no_spread() -> None:
    """M47: shares that differ by chance have no spread left, others have theirs."""
    equal = spread([(30, 100), (33, 100), (28, 100), (9, 29)])
    assert equal is not None
    assert (equal.units, equal.deviation_ppm, equal.least_ppm) == (3, 0, equal.most_ppm)
    unequal = spread([(100, 1000), (300, 1000), (500, 1000)])
    assert unequal is not None
    assert 150_000 < unequal.deviation_ppm < 250_000
    assert spread([(30, 100)]) is None


SKILLS = (Skill("offered", True, "offers less"), Skill("returned", False, "sales come back"))


def test_a_hint_needs_certainty() -> None:
    """Ann surely offers less, Bob's sales surely come back, of Cid too little is known."""
    others = {f"x{n}": {"offered": (50, 100), "returned": (10, 100)} for n in range(5)}
    found = coached(
        SKILLS,
        others
        | {
            "ann": {"offered": (10, 100), "returned": (11, 100)},
            "bob": {"offered": (52, 100), "returned": (45, 100)},
            "cid": {"offered": (0, 29), "returned": (29, 29)},
        },
    )
    assert [each.agent_id for each in found][:3] == ["ann", "bob", "cid"]
    hints = {each.agent_id: each.hints for each in found}
    assert hints["ann"] == ("offers less",)
    assert hints["bob"] == ("sales come back",)
    assert hints["cid"] == hints["x0"] == ()
    assert found[2].figures["offered"].value is None
