"""BG/NBD: customers buy at random, and may stop for good after any purchase (DEF-BGNBD).

Fader, Hardie, Lee (2005). Its P(alive) is 1 for ever for who bought once: rank risk by
`p_no_purchase`, never by it. Likelihoods stand in logarithms. Hypergeometric functions are those of
the definition after the transformation that leaves x in one parameter alone, the lower one: the
busier a customer, the sooner the series ends, where the form as published overflows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import digamma, gammaln, hyp2f1

from processors.repeat_models import Duration, FloatArray, Histories, TimeUnit

_POLE: Final = 1e-5
"""E[Y] divides by a - 1, and its numerator is 0 there too: this far from it both are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BgNbd:
    """A fitted model. Purchase rates are gamma(r, alpha), chances of stopping beta(a, b)."""

    unit: TimeUnit
    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, customers: Histories) -> FloatArray:
        """Return ln L = ln A1 + ln A2 + ln(A3 + 1[x>0] A4) of each history."""
        customers = customers.measured_in(self.unit)
        x = customers.repeats
        alive, dead = self._ends(customers)
        ln_a1 = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(self.alpha)
        ln_a2 = (
            gammaln(self.a + self.b)
            + gammaln(self.b + x)
            - gammaln(self.b)
            - gammaln(self.a + self.b + x)
        )
        return np.asarray(ln_a1 + ln_a2 + np.logaddexp(alive, dead), dtype=np.float64)

    def _ends(self, customers: Histories) -> tuple[FloatArray, FloatArray]:
        """Return ln A3 (still there) and ln A4 (stopped with the last purchase; x = 0: ln 0)."""
        x, shape = customers.repeats, self.r + customers.repeats
        alive = -shape * np.log(self.alpha + customers.age)
        repeated = np.maximum(x, 1.0)
        stopped = np.log(self.a / (self.b + repeated - 1)) - shape * np.log(
            self.alpha + customers.recency
        )
        return alive, np.where(x > 0, stopped, -np.inf)

    def gradient(self, customers: Histories) -> FloatArray:
        """Return d ln L / d (r, alpha, a, b) of each history, a row per parameter."""
        customers = customers.measured_in(self.unit)
        x, age, recency = customers.repeats, customers.age, customers.recency
        alive, dead = self._ends(customers)
        stopped = np.exp(dead - np.logaddexp(alive, dead))
        there = 1 - stopped
        both = self.a + self.b
        d_r = (
            digamma(self.r + x)
            - digamma(self.r)
            + np.log(self.alpha)
            - there * np.log(self.alpha + age)
            - stopped * np.log(self.alpha + recency)
        )
        d_alpha = self.r / self.alpha - (self.r + x) * (
            there / (self.alpha + age) + stopped / (self.alpha + recency)
        )
        common = digamma(both) - digamma(both + x)
        d_a = common + stopped / self.a
        d_b = (
            common
            + digamma(self.b + x)
            - digamma(self.b)
            - np.where(x > 0, stopped / (self.b + np.maximum(x, 1.0) - 1), 0.0)
        )
        return np.stack([d_r, d_alpha, d_a, d_b])

    def p_alive(self, customers: Histories) -> FloatArray:
        """Return 1 / (1 + G), G = A4 / A3."""
        alive, dead = self._ends(customers.measured_in(self.unit))
        return np.exp(alive - np.logaddexp(alive, dead))

    def expected(self, customers: Histories, within: Duration) -> FloatArray:
        """Return E[Y(t) | x, t_x, T] of each customer."""
        customers = customers.measured_in(self.unit)
        x, a = customers.repeats, self._a()
        t = within.measured_in(self.unit)
        z = t / (self.alpha + customers.age + t)
        bought = 1 - self._mean_power(a - 1, a + self.b + x - 1, z)
        return (a + self.b + x - 1) / (a - 1) * bought * self.p_alive(customers)

    def expected_new(self, within: Duration) -> float:
        """Return E[X(t)], the repeats a new customer is expected to make."""
        a, t = self._a(), within.measured_in(self.unit)
        z = np.array(t / (self.alpha + t))
        bought = 1 - self._mean_power(a - 1, np.array(a + self.b - 1), z)
        return float((a + self.b - 1) / (a - 1) * bought)

    def _mean_power(self, a: float, c: FloatArray, z: FloatArray) -> FloatArray:
        """Return 2F1(r+x, a; c; -z/(1-z)), c = a + b + x, as (1-z)^a 2F1(a, a+b-r; c; z).

        Where a is so large that this is 0 times infinity: (1-z)^(r+x) 2F1(r+x, c-a; c; z).
        """
        with np.errstate(over="ignore", invalid="ignore"):
            powers = np.asarray((1 - z) ** a * hyp2f1(a, a + self.b - self.r, c, z), np.float64)
        if np.isfinite(powers).all():
            return powers
        shape = c - a - self.b + self.r
        other = (1 - z) ** shape * hyp2f1(shape, c - a, c, z)
        return np.where(np.isfinite(powers), powers, other)

    def p_purchase(self, customers: Histories, start: Duration, end: Duration) -> FloatArray:
        """Return P(at least one purchase in (start, end]) of each customer.

        P(alive) E[exp(-lambda p s) (1 - exp(-lambda (e - s)))] over what is known of lambda, p.
        """
        customers = customers.measured_in(self.unit)
        x, seen = customers.repeats, self.alpha + customers.age
        begin, stop = start.measured_in(self.unit), end.measured_in(self.unit)
        shape, total = self.r + x, self.a + self.b + x
        further = seen + (stop - begin)
        there = self._mean_power(self.a, total, begin / (seen + begin))
        none = self._mean_power(self.a, total, begin / (further + begin))
        none = (seen / further) ** shape * none
        return np.clip(self.p_alive(customers) * (there - none), 0.0, 1.0)

    def _a(self) -> float:
        return self.a if abs(self.a - 1) > _POLE else 1 + _POLE
