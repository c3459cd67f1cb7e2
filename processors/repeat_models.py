"""Repeat purchases of customers without a contract: what a history says about what comes.

Law: a length of time is never a bare number here. It is a `Duration` or a `Histories`, which say
their unit, and a model measures both in its own: weeks cannot be taken for days (DEF-CLV's trap).

A history is (x, t_x, T): repeats, time of the last purchase, age, both from the first purchase;
the purchases of one day are one (section "Churn risk and lifetime value" of the definitions).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]


class TimeUnit(Enum):
    """What a length of time is counted in; the value is its length in days."""

    DAY = 1.0
    WEEK = 7.0
    MONTH = 7 * 4.345
    """A twelfth of a year as the published figures count it: 4.345 weeks (DEF-CLV)."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time with its unit."""

    length: float
    unit: TimeUnit

    def measured_in(self, unit: TimeUnit) -> float:
        """Return the length in another unit."""
        return self.length * self.unit.value / unit.value


ZERO: Final = Duration(0.0, TimeUnit.DAY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histories:
    """The histories of many customers, one element each, and the unit of their times.

    `repeats` counts purchases after the first, `recency` is the time from the first to the last
    purchase, `age` the time from the first until now. ValueError if they contradict each other.
    """

    unit: TimeUnit
    repeats: FloatArray
    recency: FloatArray
    age: FloatArray

    def __post_init__(self) -> None:
        if not self.repeats.shape == self.recency.shape == self.age.shape:
            raise ValueError("repeats, recency and age are not of one length")
        if np.any(self.repeats < 0) or np.any(self.recency < 0):
            raise ValueError("a history cannot have less than no repeats and no recency")
        if np.any(self.recency > self.age):
            raise ValueError("a last purchase lies after the age of its customer")
        if np.any((self.repeats == 0) & (self.recency > 0)):
            raise ValueError("without repeats the last purchase is the first: recency 0")

    def __len__(self) -> int:
        return len(self.repeats)

    def measured_in(self, unit: TimeUnit) -> "Histories":
        """Return the same histories in another unit."""
        if unit is self.unit:
            return self
        factor = self.unit.value / unit.value
        return Histories(
            unit=unit,
            repeats=self.repeats,
            recency=self.recency * factor,
            age=self.age * factor,
        )

    def later(self, by: Duration) -> "Histories":
        """Return what the histories become if nobody buys for so long."""
        return Histories(
            unit=self.unit,
            repeats=self.repeats,
            recency=self.recency,
            age=self.age + by.measured_in(self.unit),
        )

    def at(self, where: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Histories":
        """Return some of the histories, by position or by condition."""
        return Histories(
            unit=self.unit,
            repeats=self.repeats[where],
            recency=self.recency[where],
            age=self.age[where],
        )


def histories(
    unit: TimeUnit, repeats: npt.ArrayLike, recency: npt.ArrayLike, age: npt.ArrayLike
) -> Histories:
    """Return histories of plain numbers, which are all in `unit`."""
    return Histories(
        unit=unit,
        repeats=np.atleast_1d(np.asarray(repeats, dtype=np.float64)),
        recency=np.atleast_1d(np.asarray(recency, dtype=np.float64)),
        age=np.atleast_1d(np.asarray(age, dtype=np.float64)),
    )


class RepeatModel(Protocol):
    """A fitted model of when customers buy again and when they stop for good."""

    @property
    def unit(self) -> TimeUnit:
        """What its parameters are measured in."""
        ...

    def log_likelihood(self, customers: Histories) -> FloatArray:
        """Return the log-likelihood of each history, its times in the model's unit."""
        ...

    def p_alive(self, customers: Histories) -> FloatArray:
        """Return how likely each customer has not stopped for good."""
        ...

    def expected(self, customers: Histories, within: Duration) -> FloatArray:
        """Return how many purchases each customer is expected to make from now on."""
        ...

    def p_purchase(self, customers: Histories, start: Duration, end: Duration) -> FloatArray:
        """Return how likely each buys at least once in (start, end] from now."""
        ...


def p_no_purchase(model: RepeatModel, customers: Histories, within: Duration) -> FloatArray:
    """Return P(no purchase in (T, T+H]) = L(x, t_x, T+H) / L(x, t_x, T) (DEF-P0)."""
    now = model.log_likelihood(customers)
    later = model.log_likelihood(customers.later(within))
    # Rounding may lift a ratio of nearly equal likelihoods above one by a last digit.
    return np.minimum(np.exp(later - now), 1.0)
