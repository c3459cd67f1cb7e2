"""Purchases: the days on which customers bought, and what was known of them at a moment.

Law: a snapshot knows nothing that happened at its moment or later, so a score made from it can be
judged by what followed. What is a purchase is decided before: an order that is worth more than
nothing after its refunds. Orders of one local day are one purchase (DEF-RISK).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from processors.lifetime import Spend
from processors.repeat_models import FloatArray, Histories, TimeUnit

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """What was known of some customers at a moment, an element each, in whole days.

    `customers` are places in `Purchases.customers`; who had not bought yet is not among them:
    `found` says which of those asked for are. `mean_minor` is the mean of the repeat days'
    totals, 0 where there are none.
    """

    customers: IntArray
    found: npt.NDArray[np.bool_]
    histories: Histories
    first_day: IntArray
    mean_minor: FloatArray

    @property
    def spend(self) -> Spend:
        """What the repeats brought."""
        return Spend(repeats=self.histories.repeats, mean=self.mean_minor)

    @property
    def days_since(self) -> FloatArray:
        """Days from the last purchase to the moment."""
        return self.histories.age - self.histories.recency


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Purchases:
    """Purchase days by customer, oldest first: those of customer c are [starts[c], starts[c+1]).

    `at_ms` is the first order of the day, `day` the local day since 1970-01-01, `minor` what the
    day brought in one currency.
    """

    customers: tuple[str, ...]
    starts: IntArray
    at_ms: IntArray
    day: IntArray
    minor: IntArray

    def __len__(self) -> int:
        return len(self.day)

    def on(self, day: int) -> Snapshot:
        """Return what was known of every customer when the local day `day` had ended."""
        every = np.arange(len(self.customers), dtype=np.int64)
        ends = self._before(self.day, every, np.full(len(every), day + 1, dtype=np.int64))
        return self._known(every, ends, np.full(len(every), day, dtype=np.int64))

    def just_before(self, customers: IntArray, at_ms: IntArray, day: IntArray) -> Snapshot:
        """Return what was known of each of these customers just before an instant of its own.

        `day` is the instant's local day. A customer may stand there several times.
        """
        return self._known(customers, self._before(self.at_ms, customers, at_ms), day)

    def bought(self, customers: IntArray, after_day: int, until_day: int) -> npt.NDArray[np.bool_]:
        """Return whether each customer bought on a local day in (after_day, until_day]."""
        return self.count(customers, after_day, until_day) > 0

    def count(self, customers: IntArray, after_day: int, until_day: int) -> IntArray:
        """Return on how many local days of (after_day, until_day] each customer bought."""
        ends = np.full(len(customers), until_day + 1, dtype=np.int64)
        begins = np.full(len(customers), after_day + 1, dtype=np.int64)
        return self._before(self.day, customers, ends) - self._before(self.day, customers, begins)

    def _before(self, times: IntArray, customers: IntArray, limits: IntArray) -> IntArray:
        """Return, for each customer, the place after its last purchase with a time below a limit.

        One search for all: a customer's times are moved into a span of its own.
        """
        if not len(times):
            return np.zeros(len(customers), dtype=np.int64)
        low = int(times.min())
        span = int(times.max()) - low + 2
        owner = np.repeat(np.arange(len(self.customers), dtype=np.int64), np.diff(self.starts))
        keys = owner * span + (times - low)
        asked = customers * span + np.clip(limits - low, 0, span - 1)
        return np.searchsorted(keys, asked, side="left").astype(np.int64)

    def _known(self, customers: IntArray, ends: IntArray, day: IntArray) -> Snapshot:
        """Return the snapshot of purchases [start, end) of each customer who has any."""
        begins = self.starts[customers]
        has = ends > begins
        customers, begins, ends, day = customers[has], begins[has], ends[has], day[has]
        paid = np.concatenate([[0], np.cumsum(self.minor)])
        repeats = ends - begins - 1
        repaid = paid[ends] - paid[np.minimum(begins + 1, len(self.minor))]
        first = self.day[begins]
        return Snapshot(
            customers=customers,
            found=has,
            histories=Histories(
                unit=TimeUnit.DAY,
                repeats=repeats.astype(np.float64),
                recency=(self.day[ends - 1] - first).astype(np.float64),
                age=(day - first).astype(np.float64),
            ),
            first_day=first,
            mean_minor=np.where(repeats > 0, repaid / np.maximum(repeats, 1), 0.0),
        )


def purchases(
    customers: Sequence[str], at_ms: npt.ArrayLike, day: npt.ArrayLike, minor: npt.ArrayLike
) -> Purchases:
    """Return purchase days of orders in any order: those of one customer and day are one."""
    names, owner = np.unique(np.asarray(customers, dtype=object), return_inverse=True)
    times = np.asarray(at_ms, dtype=np.int64)
    days = np.asarray(day, dtype=np.int64)
    amounts = np.asarray(minor, dtype=np.int64)
    if not len(owner) == len(times) == len(days) == len(amounts):
        raise ValueError("customers, times, days and amounts are not of one length")
    order = np.lexsort((times, days, owner))
    owner, times, days, amounts = owner[order], times[order], days[order], amounts[order]
    new = np.ones(len(owner), dtype=bool)
    new[1:] = (owner[1:] != owner[:-1]) | (days[1:] != days[:-1])
    begins = np.flatnonzero(new)
    return Purchases(
        customers=tuple(str(name) for name in names),
        starts=np.searchsorted(owner[begins], np.arange(len(names) + 1)).astype(np.int64),
        at_ms=times[begins],
        day=days[begins],
        minor=np.add.reduceat(amounts, begins) if len(begins) else amounts,
    )
