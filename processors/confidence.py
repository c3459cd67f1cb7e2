"""How sure a share or a mean is: 95 % intervals in closed form (DEF-CI).

Law: an interval lies where the figure can lie (a share within 0 and 1) and holds the figure; a
figure of nothing has none. These are floats, for estimates; booked money never passes here.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

Z95: Final = 1.959963984540054
"""The two-sided 95 % quantile of the standard normal."""


class Interval(NamedTuple):
    """The lower and the upper end of a 95 % interval."""

    low: float
    high: float


def wilson(part: int, whole: int) -> Interval | None:
    """Return the interval of a share (Wilson 1927); None without a whole."""
    if whole <= 0:
        return None
    p, z2 = part / whole, Z95 * Z95
    scale = 1 + z2 / whole
    centre = (p + z2 / (2 * whole)) / scale
    half = Z95 * sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole)) / scale
    low = 0.0 if part == 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if part == whole else min(1.0, centre + half))


def newcombe(part: int, whole: int, part_0: int, whole_0: int) -> Interval | None:
    """Return the interval of the difference of two shares (Newcombe 1998, method 10).

    The difference is part/whole - part_0/whole_0; None where either has no whole.
    """
    one, other = wilson(part, whole), wilson(part_0, whole_0)
    if one is None or other is None:
        return None
    p, p_0 = part / whole, part_0 / whole_0
    low = p - p_0 - sqrt((p - one.low) ** 2 + (other.high - p_0) ** 2)
    return Interval(low, p - p_0 + sqrt((one.high - p) ** 2 + (p_0 - other.low) ** 2))


@dataclass(frozen=True, slots=True)
class Sample:
    """Running sums of a sample: how many values, their sum and that of their squares."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float | None:
        """The mean; None of nothing."""
        return self.total / self.n if self.n else None

    @property
    def mean_variance(self) -> float | None:
        """The square of the mean's standard error, s^2 / n; None below two values."""
        if self.n < 2:
            return None
        spread = max(0.0, self.squares - self.total * self.total / self.n)
        return spread / (self.n - 1) / self.n

    def interval(self) -> Interval | None:
        """Return the interval of the mean, mean ± z x s / sqrt(n); None below two values."""
        mean, variance = self.mean, self.mean_variance
        return None if mean is None or variance is None else about(mean, variance)


def about(value: float, variance: float) -> Interval:
    """Return the interval of an estimate from the square of its standard error."""
    half = Z95 * sqrt(variance)
    return Interval(value - half, value + half)


def difference(some: Sample, others: Sample) -> Interval | None:
    """Return the interval of the difference of two means (Welch's standard error, normal)."""
    if some.mean is None or others.mean is None:
        return None
    if some.mean_variance is None or others.mean_variance is None:
        return None
    return about(some.mean - others.mean, some.mean_variance + others.mean_variance)
