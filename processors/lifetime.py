"""Lifetime value: what a customer is expected to bring, as margin and in today's money.

Law: a value is of a moment and of a span: it counts purchases expected in (start, end] from the
moment of the histories, knows nothing later, and states its months and its discount.
Sources: DEF-GG (Fader, Hardie 2013), DEF-CLV, DEF-RC's V, DEF-SAVE.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import digamma, gammaln

from processors.money import PPM, divide_half_even
from processors.repeat_models import ZERO, Duration, FloatArray, Histories, RepeatModel, TimeUnit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spend:
    """How often customers came again, and the mean of what those days brought.

    The first purchase is in neither: `mean` is that of the repeat days' totals, 0 where there
    are none. Any unit of money, one for all.
    """

    repeats: FloatArray
    mean: FloatArray

    def __post_init__(self) -> None:
        if self.repeats.shape != self.mean.shape:
            raise ValueError("repeats and means are not of one length")


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaGamma:
    """A fitted model of what a purchase day brings (DEF-GG); `v` is in the unit of the means."""

    p: float
    q: float
    v: float

    def log_likelihood(self, spend: Spend) -> FloatArray:
        """Return the log-likelihood of each customer, all of whom came again and paid."""
        x, z = spend.repeats, spend.mean
        px = self.p * x
        return np.asarray(
            gammaln(px + self.q)
            - gammaln(px)
            - gammaln(self.q)
            + self.q * math.log(self.v)
            + (px - 1) * np.log(z)
            + px * np.log(x)
            - (px + self.q) * np.log(x * z + self.v),
            dtype=np.float64,
        )

    def gradient(self, spend: Spend) -> FloatArray:
        """Return d ln L / d (p, q, v) of each customer, a row per parameter."""
        x, z = spend.repeats, spend.mean
        px, total = self.p * x, x * z + self.v
        ln_total = np.log(total)
        d_p = x * (digamma(px + self.q) - digamma(px) + np.log(z) + np.log(x) - ln_total)
        d_q = digamma(px + self.q) - digamma(self.q) + math.log(self.v) - ln_total
        d_v = self.q / self.v - (px + self.q) / total
        return np.stack([d_p, d_q, d_v])

    def expected(self, spend: Spend) -> FloatArray:
        """Return E(M | x, mean) of each customer: shrunk to all, the more the fewer repeats."""
        x = spend.repeats
        paid = np.where(x > 0, x * spend.mean, 0.0)
        return self.p * (self.v + paid) / (self.p * x + self.q - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a value is stated: months counted, discount a month, share of margin."""

    months: int = 12
    discount_per_month: float = 0.01
    margin: float = 1.0


MONTH: Final = TimeUnit.MONTH
_GONE: Final = 1e-6


def lifetime_value(
    model: RepeatModel, customers: Histories, mean_spend: FloatArray, terms: Terms
) -> FloatArray:
    """Return each customer's discounted margin of the next months (DEF-CLV)."""
    end = Duration(float(terms.months), MONTH)
    return value_between(model, customers, mean_spend, terms, ZERO, end)


def value_between(
    model: RepeatModel,
    customers: Histories,
    mean_spend: FloatArray,
    terms: Terms,
    start: Duration,
    end: Duration,
) -> FloatArray:
    """Return each customer's expected margin of (start, end], discounted to now.

    Cut at whole months from now; what falls into month i is divided by (1 + d)^i. The terms'
    own months do not limit it.
    """
    begin, stop = start.measured_in(MONTH), end.measured_in(MONTH)
    inner = range(math.floor(begin) + 1, math.ceil(stop))
    cuts = [begin, *(float(month) for month in inner), stop]
    total = np.zeros(len(customers))
    before = np.zeros(len(customers))
    if begin > 0:
        before = model.expected(customers, Duration(begin, MONTH))
    for cut in cuts[1:]:
        until = model.expected(customers, Duration(cut, MONTH))
        total += (until - before) / (1 + terms.discount_per_month) ** math.ceil(cut)
        before = until
    return total * mean_spend * terms.margin


def value_given_active(
    model: RepeatModel,
    customers: Histories,
    mean_spend: FloatArray,
    terms: Terms,
    start: Duration,
    end: Duration,
) -> FloatArray:
    """Return V of DEF-RC: the margin of (start, end] of who buys in it at least once.

    The retention credit multiplies it by a difference of shares of buyers, so it is the expected
    margin divided by the chance to be a buyer.
    """
    value = value_between(model, customers, mean_spend, terms, start, end)
    buys = model.p_purchase(customers, start, end)
    # Of who is gone both are next to nothing, and their ratio is noise: one purchase is at stake.
    return np.where(buys > _GONE, value / np.maximum(buys, _GONE), mean_spend * terms.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveEconomics:
    """What a save offer is expected to bring, in minor units: D1 above it, C4 below."""

    retained_minor: int
    offer_minor: int

    @property
    def net_minor(self) -> int:
        """What is left of the margin kept after the offers that were taken."""
        return self.retained_minor + self.offer_minor


def save_economics(
    p_with_ppm: int, p_without_ppm: int, remaining_margin_minor: int, offer_cost_minor: int
) -> SaveEconomics:
    """Return (p_with - p_without) x margin - p_with x offer cost (DEF-SAVE).

    Who would have stayed anyway is no save; who takes the offer costs it all the same.
    """
    return SaveEconomics(
        retained_minor=divide_half_even((p_with_ppm - p_without_ppm) * remaining_margin_minor, PPM),
        offer_minor=-divide_half_even(p_with_ppm * offer_cost_minor, PPM),
    )
