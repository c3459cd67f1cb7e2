"""DEF-CI and DEF-POOL: how sure a share is, and how far a unit is drawn to the mean."""

from random import Random
from statistics import fmean, variance

import pytest

from processors.confidence import Sample, difference, newcombe, wilson
from processors.pooling import Measured, pooled, share_units

WILSON = [
    (81, 263, 0.25528852, 0.36620958),
    (15, 148, 0.0623864, 0.16048724),
    (0, 20, 0.0, 0.16112516),
    (1, 29, 0.00611321, 0.17175522),
    (10, 10, 0.7224672, 1.0),
]
NEWCOMBE = [
    ((56, 70, 48, 80), 0.05243147, 0.33387265),
    ((9, 10, 3, 10), 0.17052272, 0.80901797),
    ((10, 10, 0, 20), 0.67908604, 1.0),
    ((10, 40, 10, 40), -0.18648723, 0.18648723),
]


@pytest.mark.parametrize(("part", "whole", "low", "high"), WILSON)
def test_a_share_has_the_interval_of_wilson(part: int, whole: int, low: float, high: float) -> None:
    """VEC-CI, to the digits given."""
    assert wilson(part, whole) == pytest.approx((low, high), abs=5e-9)


@pytest.mark.parametrize(("counts", "low", "high"), NEWCOMBE)
def test_a_difference_has_the_interval_of_newcombe(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    """VEC-CI, to the digits given."""
    assert newcombe(*counts) == pytest.approx((low, high), abs=5e-9)


def test_nothing_has_no_interval() -> None:
    """No whole, no share; one value, no spread."""
    assert wilson(0, 0) is None
    assert newcombe(1, 2, 0, 0) is None
    assert Sample(1, 5.0, 25.0).interval() is None
    assert difference(Sample(0, 0.0, 0.0), Sample(9, 9.0, 10.0)) is None


def test_running_sums_give_the_interval_of_the_values() -> None:
    """The same as from the values themselves."""
    values = [3.0, 4.5, -1.0, 8.0]
    sample = Sample(4, sum(values), sum(v * v for v in values))
    half = 1.959963984540054 * (variance(values) / 4) ** 0.5
    assert sample.interval() == pytest.approx((fmean(values) - half, fmean(values) + half))


def test_units_that_differ_by_chance_all_say_the_same() -> None:
    """Shares of 10 % out of few cases: no difference is left, and small is as good as large."""
    pool = pooled(share_units([(2, 20), (9, 100), (1, 10), (12, 110)]))
    assert pool is not None
    assert pool.between == 0
    assert {round(unit.value, 12) for unit in pool.units} == {round(24 / 240, 12)}


def test_a_unit_keeps_of_its_own_what_it_can_support() -> None:
    """By hand: 0, 0, 3 with variance 1 scatter by 6, tau^2 is (6 - 2) / 2, B is 2 / 3."""
    pool = pooled([Measured(0.0, 1.0), Measured(0.0, 1.0), Measured(3.0, 1.0)])
    assert pool is not None
    assert (pool.mean, pool.between) == pytest.approx((1.0, 2.0))
    assert [unit.value for unit in pool.units] == pytest.approx([1 / 3, 1 / 3, 7 / 3])
    assert [unit.kept for unit in pool.units] == pytest.approx([2 / 3] * 3)


def test_few_cases_are_drawn_further_than_many() -> None:
    """200 of 1,000 is nearly kept, 2 of 10 is drawn to the mean."""
    pool = pooled(share_units([(200, 1000), (2, 10), (50, 1000), (60, 1000), (55, 1000)]))
    assert pool is not None
    large, small = pool.units[:2]
    assert large.value > 0.19
    assert small.value < 0.15
    assert all(unit.interval.low < unit.value < unit.interval.high for unit in pool.units)


def test_shrunk_values_are_nearer_to_the_truth_than_the_raw_ones() -> None:
    """Forty units whose true shares are known: the squared error falls, and 95 % are covered."""
    rng = Random(5)
    raw_error = shrunk_error = covered = 0.0
    for _ in range(30):
        truth = [min(max(rng.gauss(0.1, 0.02), 0.01), 0.5) for _ in range(40)]
        wholes = [rng.randrange(30, 300) for _ in truth]
        counts = [
            (sum(rng.random() < p for _ in range(n)), n) for p, n in zip(truth, wholes, strict=True)
        ]
        pool = pooled(share_units(counts))
        assert pool is not None
        for p, (part, whole), unit in zip(truth, counts, pool.units, strict=True):
            raw_error += (part / whole - p) ** 2
            shrunk_error += (unit.value - p) ** 2
            covered += unit.interval.low <= p <= unit.interval.high
    assert shrunk_error < 0.75 * raw_error
    assert 0.90 < covered / 1200 < 0.99


def test_one_unit_is_its_own_mean() -> None:
    """Nothing to draw it to."""
    pool = pooled([Measured(0.25, 0.01)])
    assert pool is not None
    assert pool.units[0].value == pytest.approx(0.25)
    assert pooled([]) is None
