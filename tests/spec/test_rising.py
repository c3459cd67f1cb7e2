"""Rising risk: of whom people are told, and of whom they are not (DEF-RISE-C, DEF-RISE-S)."""

from math import inf
from typing import Any

import pytest

from processors.conditions import DAY_MS, Thresholds
from processors.detecting import (
    Held,
    Ratio,
    Stray,
    binomial_p,
    discoveries,
    drifted,
    level,
    shares_p,
    stray_of,
    student,
    tail,
    together,
)
from processors.rising import CALM, SegmentWatch, Watch, customer, segments
from processors.signal_records import ChurnReason, ChurnRecord
from processors.usual import Usual
from processors.windows import Tally

T = Thresholds()
AT = 20_000 * DAY_MS


def risk(now: int | None, week_ago: int | None, explained: int | None = None, **more: Any) -> Any:
    """Return what is said of a customer's risk, in percent."""

    def ppm(percent: int | None) -> int | None:
        return None if percent is None else percent * 10_000

    plain: dict[str, Any] = {
        "customer_id": "c1",
        "version": 1,
        "as_of": AT,
        "logged_at": AT,
        "risk_ppm": ppm(now),
        "before_ppm": ppm(week_ago),
        "week_ago_ppm": ppm(week_ago),
        "explained_ppm": ppm(explained),
        "value_minor": 10_000,
        "reasons": (ChurnReason(signal="bad_csat", logit_milli=900, at=AT, fact="r1", label=""),),
    }
    return ChurnRecord(**(plain | more))


def holds(record: ChurnRecord, before: Watch = CALM) -> dict[str, bool]:
    """Return what is said to hold, by kind."""
    return {each.rule_kind: each.holds for each in customer(record, before, "p", T)[0]}


@pytest.mark.parametrize(
    ("now", "week_ago", "explained", "expected"),
    [
        (40, 25, 60, {"churn_customer": True}),
        (40, 25, 40, {"fading": True}),
        (40, 25, None, {"fading": True}),
        (34, 25, 90, {}),  # less than ten points
        (99, 90, 90, {}),  # less than ten points, however large the logit's change
        (52, 41, 90, {}),  # less than half a logit
        (61, 55, 90, {"churn_customer": True}),  # crosses .6
        (61, 60, 90, {}),  # was there before
        (None, 50, None, {}),  # no order, no risk
    ],
)
def test_a_customer_rises(
    now: int | None, week_ago: int, explained: int | None, expected: dict[str, bool]
) -> None:
    """Ten points and half a logit in a week, or crossing 60 %, half of it by a fact of the day."""
    assert holds(risk(now, week_ago, explained)) == expected


def test_a_customer_is_over_it_below_half() -> None:
    """What was raised stays until the risk is below 50 % and rises no more."""
    raised = Watch(rising=True)
    assert holds(risk(55, 54), raised) == {"churn_customer": True}
    assert holds(risk(49, 48), raised) == {"churn_customer": False}


def test_priority_is_risk_times_value() -> None:
    """What is at stake is the risk's share of the margin expected; unknown where that is."""
    (told,), _ = customer(risk(40, 20, 90), CALM, "p", T)
    assert told.value_minor == 4_000
    assert "after a bad rating" in told.headline
    (told,), _ = customer(risk(40, 20, 90, value_minor=None), CALM, "p", T)
    assert told.value_minor is None


def test_a_signal_that_lowers_the_risk_is_no_reason_for_its_rise() -> None:
    """Learnt weights may be negative: people who are refunded may come back the more."""
    reasons = tuple(
        ChurnReason(signal=signal, logit_milli=logit, at=AT, fact="f", label="learnt")
        for signal, logit in (("refund", -439), ("long_wait", -295), ("repeated", 73))
    )
    (told,), _ = customer(risk(40, 20, 90, reasons=reasons), CALM, "p", T)
    assert told.reasons == ("repeated",)
    assert "may leave after calling again on a case" in told.headline


def usual(**share: tuple[int, int]) -> Usual:
    """Return four equal weekdays with (at high risk, in contact) of each queue."""
    queues = {name: Tally(high_risk=high, in_contact=n) for name, (high, n) in share.items()}
    return Usual(AT, 4, {}, queues, ())


def test_a_segment_rises_and_is_clear_after_two_quiet_windows() -> None:
    """It takes the interval, the drift and the level together to raise, two windows to clear."""
    base = usual(orders=(240, 1200), billing=(240, 1200))
    bad = {"orders": Tally(high_risk=60, in_contact=120)}
    said, watch = segments(bad, bad, base, {}, T, AT, "p")
    assert [(each.subject, each.holds) for each in said] == [("queue=orders", True)]
    calm = {"orders": Tally(high_risk=20, in_contact=100)}
    holding = []
    for _ in range(2):
        said, watch = segments(calm, calm, base, watch, T, AT, "p")
        holding.append(said[0].holds)
    assert holding == [True, False]
    assert watch["orders"].drift == 0


def test_a_segment_of_few_says_nothing() -> None:
    """Fewer than thirty customers, now or usually, are no segment."""
    few = {"orders": Tally(high_risk=29, in_contact=29)}
    assert segments(few, few, usual(orders=(240, 1200)), {}, T, AT, "p")[0] == ()
    many = {"orders": Tally(high_risk=90, in_contact=100)}
    assert segments(many, many, usual(orders=(1, 29)), {}, T, AT, "p")[0] == ()


def test_a_jump_without_drift_is_not_told() -> None:
    """The interval alone is not enough: something must have come together (Page-Hinkley)."""
    so_far = {"orders": Tally(high_risk=60, in_contact=120)}
    hour = {"orders": Tally(high_risk=2, in_contact=10)}
    base = usual(orders=(240, 1200))
    assert not segments(hour, so_far, base, {}, T, AT, "p")[0][0].holds
    drifting = {"orders": SegmentWatch(drift=0.2)}
    assert segments(hour, so_far, base, drifting, T, AT, "p")[0][0].holds


def test_discoveries_by_hand() -> None:
    """Benjamini and Hochberg: up to the largest p that is below its share of q."""
    found = discoveries({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5}, 0.05)
    assert found == {"a"}
    assert discoveries({"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.5}, 0.05) == {"a", "b", "c"}
    assert discoveries({}, 0.05) == frozenset()


def test_drift_by_hand() -> None:
    """Page and Hinkley's sum grows by what is above the usual and delta, and stops at zero."""
    assert drifted(0.0, 30, 100, 0.2, 100.0, 5_000) == pytest.approx(0.095)
    assert drifted(0.095, 10, 100, 0.2, 100.0, 5_000) == 0.0


def test_exact_and_combined_p_values_by_hand() -> None:
    """Two of two at a quarter is a sixteenth; two p-values together by Fisher's method."""
    assert binomial_p(2, 2, 0.25) == 0.0625
    assert binomial_p(0, 9, 0.25) == pytest.approx(1)
    assert together(0.05, 0.05) == pytest.approx(0.017479, abs=1e-6)


def test_what_is_looked_at_often_is_held_to_more() -> None:
    """Half an hour's level leaves a week of them five percent; a share's test is one-sided."""
    assert level(50_000, 30 * 60_000) * 336 == pytest.approx(0.05)
    assert shares_p(30, 100, 20, 100) == pytest.approx(0.05124, abs=1e-5)
    assert shares_p(0, 10, 0, 10) == 1.0
    assert Ratio(2.0, 0.5).interval.low == pytest.approx(2 / 2.6644, abs=1e-3)


def test_what_holds_stays_through_a_doubt() -> None:
    """A window between shown and quiet neither raises nor counts as quiet."""
    held = Held().after("between", 2)
    assert not held.holds
    held = held.after("shown", 2).after("quiet", 2).after("between", 2).after("quiet", 2)
    assert held == Held(holds=True, quiet=1)


def test_scatter_that_is_an_estimate_takes_students_tail() -> None:
    """Of t tables: 2.080 of 21 and 3.707 of 6 degrees of freedom; none to estimate: the normal."""
    assert student(2.080, 21) == pytest.approx(0.025, rel=0.01)
    assert student(3.707, 6) == pytest.approx(0.005, rel=0.03)
    assert student(-2.080, 21) == pytest.approx(0.975, rel=0.001)
    assert student(1.96, inf) == tail(1.96)
    assert shares_p(30, 100, 20, 100, Stray(4.0)) == pytest.approx(tail(1.6330 / 2), abs=1e-4)
    assert stray_of(10.0, 5, 4) == Stray(2.0, 4.0)
    assert stray_of(1.0, 5, 4) == Stray(1.0, 4.0)
    assert stray_of(1.0, 5, 0) is None
