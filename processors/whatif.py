"""What if there were more or fewer at work, or another price: from what was measured, no further.

Law: a scenario is read off relations that were observed (how contacts end under which load, what
customers buy after contacts that ended so), and where it would lie outside what was observed it
is refused, never extrapolated. A change is always told against the same model of today, with a
95 % interval, and it is an association: nobody drew lots over who had to wait.

Load is the work that comes in an hour over the time of those paid to be there. A contact ends in
a *class*: answered at once, later, … or given up (the last). Hours of like load form a band;
between two bands shares go in a straight line. What a class is worth is the mean margin of the
customers' orders within the lookback after first contacts that ended so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from processors.confidence import Interval, about

Floats: TypeAlias = NDArray[np.float64]

BANDS_MAX: Final = 10
BAND_MIN: Final = 100
"""Contacts a band of load must hold."""
WORTH_MIN: Final = 30
OUTSIDE_MAX: Final = 0.05
"""The share of contacts whose load would be one never seen, above which a scenario is refused."""
_STEPS: Final = 0.005
_CUT_MAX: Final = -0.6
_RAISE_MAX: Final = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Hours:
    """Hours with someone at work: their load, contacts by class (a column each), episodes.

    An episode is a first contact of a known customer: the unit of what customers buy.
    """

    load: Floats
    ended: Floats
    episodes: Floats

    @property
    def offered(self) -> Floats:
        """How many contacts came, by hour."""
        total: Floats = self.ended.sum(axis=1)
        return total


@dataclass(frozen=True, slots=True)
class Worth:
    """What customers brought after episodes of one class: how many, sum and sum of squares."""

    n: int
    total: float
    squares: float


@dataclass(frozen=True, slots=True)
class Staffed:
    """A scenario of staffing, `change` a fraction of today's: shares, and value against today.

    `value` is what customers would bring more, minor units; `outside` the share of contacts whose
    load would be outside what was observed. Intervals are of 95 %.
    """

    change: float
    service_level: float
    service_interval: Interval
    given_up: float
    given_up_interval: Interval
    value: float
    value_interval: Interval
    outside: float

    @property
    def observed(self) -> bool:
        """Whether nearly all of it lies within what was observed."""
        return self.outside <= OUTSIDE_MAX


class Relations:
    """What was measured over the hours: shares of classes by load, and what a class is worth."""

    def __init__(self, hours: Hours, worth: Sequence[Worth]) -> None:
        self._hours = hours
        # Hours of one load stand in one band, so that no order of the hours decides anything.
        loads, place = np.unique(hours.load, return_inverse=True)
        offered = np.bincount(place, hours.offered)
        come = np.cumsum(offered)
        count = int(min(BANDS_MAX, come[-1] // BAND_MIN))
        of_load = np.minimum((come - offered / 2) * count // come[-1], count - 1)
        _, of_load = np.unique(of_load, return_inverse=True)
        count, band = int(of_load.max()) + 1, of_load[place]
        ended = np.stack([hours.ended[band == each].sum(axis=0) for each in range(count)])
        self._n = ended.sum(axis=1)
        self._shares = ended / self._n[:, None]
        self._loads = np.bincount(of_load, offered * loads, minlength=count) / self._n
        self._range = (float(loads[0]), float(loads[-1]))
        self._worth, self._errors = _worths(worth)

    @property
    def bands(self) -> int:
        """How many bands of load were told apart."""
        return len(self._loads)

    def staffed(self, change: float) -> Staffed:
        """Return what staffing changed by a fraction (-0.1: a tenth fewer) would bring."""
        hours = self._hours
        load = hours.load / (1 + change)
        low, high = self._range
        beyond = (load < low * (1 - 1e-9)) | (load > high * (1 + 1e-9))
        outside = float(hours.offered[beyond].sum() / hours.offered.sum())
        share = self._bands(load, hours.offered) / hours.offered.sum()
        moved = self._bands(load, hours.episodes) - self._bands(hours.load, hours.episodes)
        answered, given_up = self._shares[:, 0], self._shares[:, -1]
        by_band = self._shares @ self._worth
        spread = self._shares @ self._worth**2 - by_band**2
        variance = float(
            ((moved @ self._shares) ** 2) @ self._errors
            + (moved**2) @ (np.maximum(0.0, spread) / self._n)
        )
        return Staffed(
            change,
            float(share @ answered),
            self._share_interval(share, answered),
            float(share @ given_up),
            self._share_interval(share, given_up),
            float(moved @ by_band),
            about(float(moved @ by_band), variance),
            outside,
        )

    def lowest(self) -> Staffed:
        """Return the fewest at work that lie within what was observed."""
        found = self.staffed(0.0)
        for step in range(1, round(-_CUT_MAX / _STEPS) + 1):
            fewer = self.staffed(-step * _STEPS)
            if not fewer.observed:
                break
            found = fewer
        return found

    def reaching(self, service_level: float) -> Staffed | None:
        """Return the fewest at work that reach a service level; None if nothing observed does."""
        first, last = round(_CUT_MAX / _STEPS), round(_RAISE_MAX / _STEPS)
        for step in range(first, last + 1):
            found = self.staffed(step * _STEPS)
            if found.observed and found.service_level >= service_level:
                below = step > first and self.staffed((step - 1) * _STEPS)
                # Reached only where the observed range begins: how few would do is not known.
                return found if below and below.observed else None
        return None

    def _bands(self, load: Floats, amount: Floats) -> Floats:
        """Return how much of an amount per hour falls to each band, by straight lines."""
        last = len(self._loads) - 1
        upper = np.clip(np.searchsorted(self._loads, load), 1, last)
        span = self._loads[upper] - self._loads[upper - 1]
        part = np.where(span > 0, (load - self._loads[upper - 1]) / np.where(span > 0, span, 1), 0)
        part = np.clip(part, 0.0, 1.0)
        found = np.bincount(upper, amount * part, minlength=last + 1)
        found += np.bincount(upper - 1, amount * (1 - part), minlength=last + 1)
        return found.astype(np.float64)

    def _share_interval(self, weight: Floats, share: Floats) -> Interval:
        variance = float((weight**2) @ (share * (1 - share) / self._n))
        found = about(float(weight @ share), variance)
        return Interval(max(0.0, found.low), min(1.0, found.high))


def relations(hours: Hours, worth: Sequence[Worth]) -> Relations | None:
    """Return what was measured; None if it is too little: two bands, and enough episodes."""
    if len(hours.load) == 0 or hours.offered.sum() < 2 * BAND_MIN:
        return None
    if sum(each.n for each in worth) < WORTH_MIN or hours.load.min() == hours.load.max():
        return None
    found = Relations(hours, worth)
    return found if found.bands > 1 else None


def _worths(worth: Sequence[Worth]) -> tuple[Floats, Floats]:
    """Return mean and squared error by class; one of too few episodes is worth what all are."""
    whole = Worth(
        sum(each.n for each in worth),
        sum(each.total for each in worth),
        sum(each.squares for each in worth),
    )
    used = [each if each.n >= WORTH_MIN else whole for each in worth]
    means = np.array([each.total / each.n for each in used])
    errors = [
        max(0.0, each.squares - each.total**2 / each.n) / (each.n - 1) / each.n for each in used
    ]
    return means, np.array(errors)


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """A fee that was charged: its amount, how often, and of how many contacts meanwhile."""

    price_minor: int
    charged: int
    handled: int


def priced(levels: Sequence[PriceLevel], today: PriceLevel, change: float) -> Interval | None:
    """Return by how much the fee per handled contact would change, low and high, in minor units.

    Between two prices that were charged, take-up goes in a straight line. None where the new
    price was never within the prices charged: one price alone tells nothing about another.
    """
    price = today.price_minor * (1 + change)
    known = sorted(levels, key=lambda level: level.price_minor)
    below = [level for level in known if level.price_minor <= price]
    above = [level for level in known if level.price_minor >= price]
    if not below or not above:
        return None
    left, right = below[-1], above[0]
    span = right.price_minor - left.price_minor
    part = (price - left.price_minor) / span if span else 0.0
    weights: dict[PriceLevel, float] = {}
    for level, weight in ((left, (1 - part) * price), (right, part * price)):
        weights[level] = weights.get(level, 0.0) + weight
    weights[today] = weights.get(today, 0.0) - today.price_minor
    value = variance = 0.0
    for level, weight in weights.items():
        share = level.charged / level.handled
        value += weight * share
        variance += weight**2 * share * (1 - share) / level.handled
    return about(value, variance)
