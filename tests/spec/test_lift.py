"""DEF-EFFECT, DEF-MULT: the difference of two rates, from rows that can be counted by hand."""

from math import sqrt
from typing import Any

import numpy as np
import pytest

from processors.confidence import Z95, Interval
from processors.lift import Arm, Effect, effect, incremental_share
from tests.spec.test_confidence import NEWCOMBE


def arm(*cells: tuple[int, int], first: int = 0, stratum: int = 0) -> Arm:
    """Return an arm: (bought, of) in each stratum, every row a customer of its own."""
    bought = np.concatenate([np.arange(of) < part for part, of in cells]).astype(np.float64)
    strata = np.repeat(np.arange(len(cells)) + stratum, [of for _, of in cells])
    return Arm(bought, strata, np.arange(len(bought)) + first, np.ones(len(bought)))


def found(contacted: Arm, others: Arm, **options: Any) -> Effect:
    """Return the effect where there is one."""
    result = effect(contacted, others, **options)
    assert result is not None
    return result


@pytest.mark.parametrize(("counts", "low", "high"), NEWCOMBE)
def test_one_stratum_has_newcombes_interval(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    """VEC-CI through the estimator: without strata it is the plain difference."""
    x, n, x_0, n_0 = counts
    got = found(arm((x, n)), arm((x_0, n_0), first=1000), strata_min=1)
    assert got.difference == pytest.approx(x / n - x_0 / n_0)
    assert got.interval == pytest.approx((low, high), abs=5e-9)


def test_strata_weigh_as_the_contacted_do() -> None:
    """Without repeats V = sum w_s^2 (p1 q1 / n1 + p0 q0 / n0)."""
    got = found(arm((30, 60), (10, 40)), arm((20, 100), (30, 150), first=1000))
    assert got.difference == pytest.approx(0.6 * (0.5 - 0.2) + 0.4 * (0.25 - 0.2))
    variance = 0.36 * (0.25 / 60 + 0.16 / 100) + 0.16 * (0.1875 / 40 + 0.16 / 150)
    assert got.variance == pytest.approx(variance)
    half = Z95 * sqrt(variance)
    assert got.interval == pytest.approx((got.difference - half, got.difference + half))
    assert (got.rate, got.rate_0) == pytest.approx((0.4, 0.2))
    assert got.relative == pytest.approx(1.0)


def test_a_customer_who_comes_twice_is_one_witness() -> None:
    """Errors are summed by customer before they are squared: who repeats adds no certainty."""
    once = arm((30, 60), (10, 40))
    controls = arm((20, 100), (30, 150), first=1000)
    twice = Arm(
        *(np.tile(getattr(once, name), 2) for name in ("bought", "stratum", "customer", "weight"))
    )
    control_part = 0.36 * 0.16 / 100 + 0.16 * 0.16 / 150
    assert found(twice, controls).variance == pytest.approx(found(once, controls).variance)
    assert found(once, controls).variance > control_part


def test_small_strata_are_suppressed() -> None:
    """Fewer than 30 in either arm: the stratum is left out, and the matched share says so."""
    got = found(arm((30, 60), (10, 29), (4, 40)), arm((20, 100), (9, 90), (1, 29), first=1000))
    assert (got.n, got.strata, got.suppressed) == (60, 1, 2)
    assert got.matched_share == pytest.approx(60 / 129)
    assert not got.well_matched


def test_small_strata_are_joined_before_they_are_suppressed() -> None:
    """Strata 10 and 11 are alike but for their last part: together they suffice."""
    got = found(
        arm((15, 20), (10, 20), stratum=10),
        arm((4, 40), (4, 40), first=1000, stratum=10),
        coarser=(1, 10),
    )
    assert (got.n, got.strata, got.matched_share) == (40, 1, 1.0)
    assert got.difference == pytest.approx(25 / 40 - 8 / 80)


def test_nothing_is_said_of_too_few() -> None:
    """No stratum has enough: there is no effect, rather than a wide one."""
    assert effect(arm((3, 29)), arm((3, 90), first=100)) is None


def test_nobody_buying_is_no_certainty() -> None:
    """0 of 40 against 0 of 200, in two strata: the interval still has a width."""
    got = found(arm((0, 40), (0, 40)), arm((0, 200), (0, 200), first=1000))
    assert got.difference == 0
    assert got.interval.low < -0.005 < 0.04 < got.interval.high
    assert got.variance > 0


def test_weights_count_as_rows() -> None:
    """A control that stands for two counts twice in the rate."""
    controls = arm((20, 100), first=1000)
    heavier = Arm(
        controls.bought,
        controls.stratum,
        controls.customer,
        np.where(controls.bought == 1, 2.0, 1.0),
    )
    assert found(arm((30, 60)), heavier).rate_0 == pytest.approx(40 / 120)


def test_the_incremental_share_is_what_would_not_have_been() -> None:
    """DEF-MULT: theta = 1 - p0 / p1, at least 0, with its interval; None where nobody bought."""
    got = incremental_share(found(arm((40, 100)), arm((30, 100), first=1000)), "v1")
    assert got is not None
    assert (got.theta_ppm, got.version) == (250_000, "v1")
    assert 0 == got.low_ppm < got.theta_ppm < got.high_ppm < 1_000_000
    fewer = incremental_share(found(arm((20, 100)), arm((30, 100), first=1000)), "v1")
    assert fewer is not None
    assert fewer.theta_ppm == 0
    assert incremental_share(found(arm((0, 100)), arm((30, 100), first=1000)), "v1") is None
    assert incremental_share(None, "v1") is None


def test_a_difference_is_distinguishable_when_its_interval_excludes_0() -> None:
    """Either side counts."""
    low = found(arm((10, 100)), arm((50, 100), first=1000))
    assert low.distinguishable
    assert not found(arm((30, 100)), arm((30, 100), first=1000)).distinguishable
    assert isinstance(low.interval, Interval)
