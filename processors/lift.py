"""What a contact changes: the difference of two rates over strata, with its interval.

Law (DEF-EFFECT): d = sum of w_s (p1_s - p0_s), w_s the share of the contacted that is in stratum
s. Strata of fewer than 30 in either arm are joined to their like, and suppressed where that does
not suffice. A difference is never without its interval, and it is called causal only where lots
decided who was contacted (DEF-LABEL). Floats, for estimates; booked money never passes here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal, TypeAlias

import numpy as np

from processors.confidence import Interval, about, newcombe
from processors.history import Floats, Ints
from processors.money import PPM

STRATA_MIN: Final = 30
MATCHED_MIN: Final = 0.8
"""Below this share of matched contacts a line is flagged (DEF-EFFECT)."""

Label: TypeAlias = Literal["association", "causal"]


@dataclass(frozen=True, eq=False, slots=True)
class Arm:
    """Those who were contacted, or those who were not: a row each, `bought` 1 or 0.

    `customer` may repeat: errors are counted by customer. `weight`: how many a row stands for.
    """

    bought: Floats
    stratum: Ints
    customer: Ints
    weight: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A difference of rates, `n` contacted against `n_0` controls, at the strata of the contacted.

    `matched_share` is the share of the contacted that has been compared; `strata` how many were
    compared, `suppressed` how many were too small; `by_newcombe`: how the interval was made.
    """

    n: int
    n_0: int
    rate: float
    rate_0: float
    difference: float
    interval: Interval
    variance: float
    matched_share: float
    strata: int
    suppressed: int
    by_newcombe: bool = False

    @property
    def relative(self) -> float | None:
        """The change relative to the baseline."""
        return self.difference / self.rate_0 if self.rate_0 > 0 else None

    @property
    def well_matched(self) -> bool:
        """Whether at least 80 % of the contacted could be compared."""
        return self.matched_share >= MATCHED_MIN

    @property
    def distinguishable(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval.low > 0 or self.interval.high < 0


@dataclass(frozen=True, slots=True)
class IncrementalShare:
    """theta, what part of the purchases after contacts would not have been without (DEF-MULT).

    In parts per million, with its interval; `version` says of which comparison.
    """

    theta_ppm: int
    low_ppm: int
    high_ppm: int
    version: str


def effect(
    contacted: Arm,
    others: Arm,
    *,
    of: int | None = None,
    strata_min: int = STRATA_MIN,
    joined_min: int = STRATA_MIN,
    coarser: Sequence[int] = (1,),
) -> Effect | None:
    """Compare two arms; None if no stratum has enough of both.

    `of`: how many contacted there are, with those who found no control. `coarser`: a stratum
    divided by each of these numbers in turn forgets one of its parts; strata below `joined_min`
    are joined so, and what is below `strata_min` after the last is left out.
    Every row counts with its weight, and u_i = w_s x weight x (y - p_s) / n_s sums by customer.
    """
    cell, cell_0, suppressed = _cells(contacted, others, (joined_min, strata_min), coarser)
    kept, kept_0 = np.flatnonzero(cell >= 0), np.flatnonzero((cell_0 >= 0) & (others.weight > 0))
    n = len(kept)
    if n == 0:
        return None
    names, place = np.unique(cell[kept], return_inverse=True)
    place_0 = np.searchsorted(names, cell_0[kept_0])
    counts = np.bincount(place)
    share = counts / n
    rates, errors = _rates(contacted, kept, place, share)
    rates_0, errors_0 = _rates(others, kept_0, place_0, share)
    rate, rate_0 = float(share @ rates), float(share @ rates_0)
    variance = _by_customer(
        np.concatenate((errors, -errors_0)),
        np.concatenate((contacted.customer[kept], others.customer[kept_0])),
    )
    found = Effect(
        n=n,
        n_0=len(kept_0),
        rate=rate,
        rate_0=rate_0,
        difference=rate - rate_0,
        interval=about(rate - rate_0, variance),
        variance=variance,
        matched_share=n / max(1, len(contacted.bought) if of is None else of),
        strata=len(names),
        suppressed=suppressed,
    )
    alone = len(names) == 1 and _each_once(contacted, kept, others, kept_0)
    return _without_strata(found) if alone or variance == 0 else found


def _cells(
    contacted: Arm, others: Arm, least: tuple[int, int], coarser: Sequence[int]
) -> tuple[Ints, Ints, int]:
    """Return the cell each row is compared in, -1 for none, and how many strata are suppressed."""
    cell = np.full(len(contacted.stratum), -1, dtype=np.int64)
    cell_0 = np.full(len(others.stratum), -1, dtype=np.int64)
    largest = max(contacted.stratum.max(initial=0), others.stratum.max(initial=0)) + 1
    for level, divisor in enumerate(coarser):
        rows, rows_0 = np.flatnonzero(cell < 0), np.flatnonzero(cell_0 < 0)
        code, code_0 = contacted.stratum[rows] // divisor, others.stratum[rows_0] // divisor
        weight = others.weight[rows_0]
        many = np.bincount(code, minlength=largest)
        total = np.bincount(code_0, weight, minlength=largest)
        squares = np.bincount(code_0, weight * weight, minlength=largest)
        # Of weights that differ, as many count as equal weights would say as much.
        count_min = least[level == len(coarser) - 1]
        enough = (many >= count_min) & (total * total >= count_min * squares) & (total > 0)
        cell[rows] = np.where(enough[code], level * largest + code, -1)
        cell_0[rows_0] = np.where(enough[code_0], level * largest + code_0, -1)
    return cell, cell_0, len(np.unique(contacted.stratum[cell < 0]))


def _rates(arm: Arm, rows: Ints, place: Ints, share: Floats) -> tuple[Floats, Floats]:
    """Return each cell's rate, and each row's part in the error of the rates' weighted mean."""
    weight, bought = arm.weight[rows], arm.bought[rows]
    total = np.bincount(place, weight, minlength=len(share))
    rates = np.bincount(place, weight * bought, minlength=len(share)) / total
    return rates, share[place] * weight * (bought - rates[place]) / total[place]


def _by_customer(errors: Floats, customer: Ints) -> float:
    _, place = np.unique(customer, return_inverse=True)
    sums = np.bincount(place, errors)
    return float(sums @ sums)


def _each_once(contacted: Arm, kept: Ints, others: Arm, kept_0: Ints) -> bool:
    customers = np.concatenate((contacted.customer[kept], others.customer[kept_0]))
    equal = (contacted.weight[kept] == 1).all() and (others.weight[kept_0] == 1).all()
    return bool(equal) and len(np.unique(customers)) == len(customers)


def _without_strata(found: Effect) -> Effect:
    """Return the effect with Newcombe's interval: of one stratum, or where none ever varies."""
    bounds = newcombe(
        round(found.rate * found.n), found.n, round(found.rate_0 * found.n_0), found.n_0
    )
    assert bounds is not None
    variance = found.variance or ((bounds.high - bounds.low) / 3.919927969080108) ** 2
    return Effect(
        n=found.n,
        n_0=found.n_0,
        rate=found.rate,
        rate_0=found.rate_0,
        difference=found.difference,
        interval=bounds,
        variance=variance,
        matched_share=found.matched_share,
        strata=found.strata,
        suppressed=found.suppressed,
        by_newcombe=True,
    )


def incremental_share(found: Effect | None, version: str) -> IncrementalShare | None:
    """Return theta = max(0, 1 - p0 / p1) of a comparison (DEF-MULT); None where p1 is 0.

    Its interval is that of a ratio (delta method), within 0 and 1.
    """
    if found is None or found.rate <= 0:
        return None
    theta = found.difference / found.rate
    half = 1.959963984540054 * sqrt(found.variance) / found.rate

    def ppm(share: float) -> int:
        return round(min(1.0, max(0.0, share)) * PPM)

    return IncrementalShare(ppm(theta), ppm(theta - half), ppm(theta + half), version)
