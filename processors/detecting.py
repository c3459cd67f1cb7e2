"""Whether figures of a segment moved by more than chance explains, and how sure that is.

Law: what is looked at often is held to more. Each look is made at the level that leaves
`false_discovery_ppm` for all looks of a week together, whatever they share (Bonferroni); over the
segments of one look Benjamini and Hochberg's procedure holds (DEF-RISE-S).
"""

from collections.abc import Mapping
from math import comb, erfc, exp, inf, log, log1p, sqrt
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from processors.conditions import DAY_MS
from processors.confidence import Z95, Interval
from processors.money import PPM

WEEK_MS: Final = 7 * DAY_MS

Evidence: TypeAlias = Literal["shown", "between", "quiet"]
"""Of a window: it shows what is looked for; it may; nothing shows."""


class Held(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Whether something holds of a subject, and how many windows in a row have been quiet."""

    holds: bool = False
    quiet: int = 0

    def after(self, evidence: Evidence, quiet_windows: int) -> "Held":
        """Return it after a window: shown once it holds, quiet often enough it does no more."""
        if evidence == "shown":
            return Held(holds=True)
        if not self.holds or evidence == "between":
            return Held(holds=self.holds)
        quiet = self.quiet + 1
        return Held() if quiet >= quiet_windows else Held(holds=True, quiet=quiet)


def level(false_discovery_ppm: int, every_ms: int) -> float:
    """Return the level of a look made so often that leaves so many false ones in a week."""
    return false_discovery_ppm / PPM * min(1.0, every_ms / WEEK_MS)


def discoveries(p_values: Mapping[str, float], q: float) -> frozenset[str]:
    """Return the segments told apart from chance at the false-discovery rate q.

    Benjamini and Hochberg (1995): of the m p-values in order, all up to the largest with
    p_(k) <= k q / m.
    """
    ordered = sorted(p_values, key=lambda name: (p_values[name], name))
    count = 0
    for place, name in enumerate(ordered, 1):
        if p_values[name] <= place * q / len(ordered):
            count = place
    return frozenset(ordered[:count])


def tail(z: float) -> float:
    """Return P(Z > z) of a standard normal."""
    return 0.5 * erfc(z / sqrt(2))


def student(t: float, freedom: float) -> float:
    """Return P(T > t) of Student's t: where the scatter is itself an estimate.

    By the normal value that Wallace (1959) gives to t; that of infinite freedom is t.
    """
    if freedom == inf:
        return tail(t)
    z = (8 * freedom + 1) / (8 * freedom + 3) * sqrt(freedom * log1p(t * t / freedom))
    return tail(z if t > 0 else -z)


class Stray(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How many times the variance of chance a share has, by so many degrees of freedom.

    Cases are not independent: the people at work on a day differ (McCullagh and Nelder 1989).
    """

    times: float = 1.0
    freedom: float = inf


CHANCE: Final = Stray()
"""Nothing but chance."""


def stray_of(squares: float, looks: int, freedom: int) -> Stray | None:
    """Return how shares stray, by the sum of the squares of what should be standard normal.

    None below one degree of freedom; less than chance counts as chance.
    """
    return Stray(max(1.0, squares / looks), float(freedom)) if freedom > 0 and looks else None


def shares_p(part: int, whole: int, part_0: int, whole_0: int, stray: Stray = CHANCE) -> float:
    """Return the one-sided p-value that a share is larger than another (pooled test).

    1 where there is no difference to test: one of them has no whole, or all are alike.
    """
    if whole <= 0 or whole_0 <= 0:
        return 1.0
    pooled = (part + part_0) / (whole + whole_0)
    variance = pooled * (1 - pooled) * (1 / whole + 1 / whole_0)
    if variance <= 0:
        return 1.0
    z = (part / whole - part_0 / whole_0) / sqrt(variance * stray.times)
    return student(z, stray.freedom)


def drifted(
    drift: float, part: int, whole: int, usual: float, usual_whole: float, delta_ppm: int
) -> float:
    """Return Page and Hinkley's statistic after a window, in shares of a usual day's customers.

    It is m_T - min m_t of the sums of (part - (usual + delta) x whole) / usual_whole: it falls
    back to 0 whenever nothing has come together (Page 1954; Hinkley 1971).
    """
    return max(0.0, drift + (part - (usual + delta_ppm / PPM) * whole) / usual_whole)


class Ratio(NamedTuple):
    """A mean against the usual one: their ratio, and the standard error of its logarithm."""

    value: float
    log_error: float

    @property
    def interval(self) -> Interval:
        """Its 95 % interval; waits are skewed, so it is one of the logarithm."""
        half = Z95 * self.log_error
        return Interval(self.value / exp(half), self.value * exp(half))

    @property
    def p_value(self) -> float:
        """The one-sided p-value that the mean is larger than usual."""
        return tail(log(self.value) / self.log_error) if self.value > 0 else 1.0


def binomial_p(part: int, whole: int, share: float) -> float:
    """Return P(X >= part) of `whole` independent cases with this share: exact, at any size."""
    total = 0.0
    for k in range(max(0, part), whole + 1):
        total += comb(whole, k) * share**k * (1 - share) ** (whole - k)
    return min(1.0, total)


def together(one: float, other: float) -> float:
    """Return the p-value of two independent ones together (Fisher 1932): x (1 - ln x)."""
    x = one * other
    return x * (1 - log(x)) if x > 0 else 0.0
