"""Pareto/NBD: customers buy at random, and stop for good at a random time (DEF-PNBD).

Schmittlein, Morrison, Colombo (1987), with the likelihood of Fader and Hardie. The integral over
the time of stopping is in closed form; as it is a difference of powers that may be near each
other or below the smallest float, it is taken in logarithms.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import gammaln, hyp2f1

from processors.repeat_models import Duration, FloatArray, Histories, TimeUnit

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_POLE: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoNbd:
    """A fitted model. Purchase rates are gamma(r, alpha), rates of stopping gamma(s, beta)."""

    unit: TimeUnit
    r: float
    alpha: float
    s: float
    beta: float

    def log_likelihood(self, customers: Histories) -> FloatArray:
        """Return ln L of each history."""
        customers = customers.measured_in(self.unit)
        x = customers.repeats
        first = (
            gammaln(self.r + x)
            - gammaln(self.r)
            + self.r * np.log(self.alpha)
            + self.s * np.log(self.beta)
        )
        return np.asarray(first + np.logaddexp(*self._ends(customers)), dtype=np.float64)

    def _ends(self, customers: Histories) -> tuple[FloatArray, FloatArray]:
        """Return the logarithms of the bracket's terms: still there; stopped since t_x."""
        x, age = customers.repeats, customers.age
        alive = -(self.r + x) * np.log(self.alpha + age) - self.s * np.log(self.beta + age)
        near = self._ln_h(x, customers.recency)
        far = self._ln_h(x, age)
        gone = np.minimum(far - near, 0.0)
        with np.errstate(divide="ignore"):  # bought just now: nobody has stopped since, ln 0
            stopped = near + np.log(-np.expm1(gone)) + np.log(self.s / (self.r + self.s + x))
        return alive, stopped

    def _ln_h(self, x: FloatArray, u: FloatArray) -> FloatArray:
        """Return ln h(u): the integral is [h(t_x) - h(T)] / (r + s + x).

        Euler's transformation of the definition's function: 2F1(A, B; A+1; z) =
        (1-z)^(1-B) 2F1(1, A+1-B; A+1; z), in which all terms are positive and none is large.
        """
        power = self.r + self.s + x
        larger = max(self.alpha, self.beta)
        other = np.full_like(x, self.s + 1) if self.alpha >= self.beta else self.r + x
        z = abs(self.alpha - self.beta) / (larger + u)
        series = hyp2f1(1.0, power + 1 - other, power + 1, z)
        return np.asarray(
            (1 - other) * np.log1p(-z) + np.log(series) - power * np.log(larger + u),
            dtype=np.float64,
        )

    def p_alive(self, customers: Histories) -> FloatArray:
        """Return the first term's share in the likelihood."""
        alive, stopped = self._ends(customers.measured_in(self.unit))
        return np.exp(alive - np.logaddexp(alive, stopped))

    def expected(self, customers: Histories, within: Duration) -> FloatArray:
        """Return E[Y(t) | x, t_x, T] of each customer."""
        customers = customers.measured_in(self.unit)
        shape = self.r + customers.repeats
        rate = shape / (self.alpha + customers.age)
        length = self._lifetime(self.beta + customers.age, within)
        return self.p_alive(customers) * rate * length

    def expected_new(self, within: Duration) -> float:
        """Return E[X(t)], the repeats a new customer is expected to make."""
        return float(self.r / self.alpha * self._lifetime(np.array(self.beta), within))

    def _lifetime(self, seen: FloatArray, within: Duration) -> FloatArray:
        """Return the time a living customer is expected to stay, of the time given."""
        s = self.s if abs(self.s - 1) > _POLE else 1 + _POLE
        grown = np.log1p(within.measured_in(self.unit) / seen)
        return -seen / (s - 1) * np.expm1(-(s - 1) * grown)

    def p_purchase(self, customers: Histories, start: Duration, end: Duration) -> FloatArray:
        """Return P(at least one purchase in (start, end]) of each customer.

        P(alive) times the integral over the time y of the first purchase after `start`:
        E[lambda exp(-lambda y)] E[exp(-mu (start + y))], by Gauss and Legendre.
        """
        customers = customers.measured_in(self.unit)
        shape = self.r + customers.repeats
        begin = start.measured_in(self.unit)
        length = end.measured_in(self.unit) - begin
        seen, lived = self.alpha + customers.age, self.beta + customers.age
        # In ln(1 + y / seen) the integrand is smooth however fast the customer buys.
        reach = np.log1p(length / seen)
        total = np.zeros_like(seen)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            at = reach * (node + 1) / 2
            y = seen * np.expm1(at)
            density = shape * np.exp(-shape * at) * (lived / (lived + begin + y)) ** self.s
            total += weight * density * reach / 2
        return np.clip(self.p_alive(customers) * total, 0.0, 1.0)
