"""Shrinkage: what each of several units shows, drawn to their mean by how little it knows.

Law (DEF-POOL): a unit's value is B x own + (1 - B) x mean with B = tau^2 / (tau^2 + se^2). So a
unit with few cases says nearly what all say, one with many says its own, and where the units
differ by no more than chance does (tau^2 = 0) all say the same. Order never matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from processors.confidence import Interval, about


@dataclass(frozen=True, slots=True)
class Measured:
    """What a unit shows by itself: an estimate and the square of its standard error."""

    value: float
    variance: float


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A unit's value after shrinkage, its interval, and B: how much of its own it keeps."""

    value: float
    interval: Interval
    kept: float


@dataclass(frozen=True, slots=True)
class Pool:
    """The units together: their mean, the variance between them, each after shrinkage."""

    mean: float
    between: float
    units: tuple[Shrunk, ...]


def pooled(units: Sequence[Measured]) -> Pool | None:
    """Shrink units to their mean; None without any. Variances must be above 0.

    tau^2 by moments, not below 0 (DerSimonian and Laird 1986). The interval counts what is not
    known of the unit and of the mean: B x se^2 + (1 - B)^2 x var(mean).
    """
    if not units:
        return None
    assert all(unit.variance > 0 for unit in units), "an estimate without error has no weight"
    between = _between(units)
    weights = [1 / (between + unit.variance) for unit in units]
    whole = sum(weights)
    mean = sum(w * unit.value for w, unit in zip(weights, units, strict=True)) / whole
    return Pool(mean, between, tuple(_shrunk(unit, mean, between, 1 / whole) for unit in units))


def _between(units: Sequence[Measured]) -> float:
    """Return tau^2, the variance between units beyond that of chance."""
    weights = [1 / unit.variance for unit in units]
    whole = sum(weights)
    spare = whole - sum(w * w for w in weights) / whole
    if len(units) < 2 or spare <= 0:
        return 0.0
    mean = sum(w * unit.value for w, unit in zip(weights, units, strict=True)) / whole
    scatter = sum(w * (unit.value - mean) ** 2 for w, unit in zip(weights, units, strict=True))
    return max(0.0, (scatter - (len(units) - 1)) / spare)


def _shrunk(unit: Measured, mean: float, between: float, mean_variance: float) -> Shrunk:
    kept = between / (between + unit.variance)
    value = kept * unit.value + (1 - kept) * mean
    variance = kept * unit.variance + (1 - kept) ** 2 * mean_variance
    return Shrunk(value, about(value, variance), kept)


def share_units(counts: Sequence[tuple[int, int]]) -> tuple[Measured, ...]:
    """Return shares (part, whole) as units; wholes must be above 0.

    All use the common share's variance, p (1 - p) / n: by its own a unit without any success
    would be certain. The common share counts half a success and half a failure more, so it is
    never 0 or 1.
    """
    common = (sum(part for part, _ in counts) + 0.5) / (sum(whole for _, whole in counts) + 1)
    return tuple(Measured(part / whole, common * (1 - common) / whole) for part, whole in counts)
