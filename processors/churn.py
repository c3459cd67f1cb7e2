"""Churn risk: how likely a customer without a contract does not buy again in time (DEF-RISK).

Law: risk is P(no net-positive order in (t, t+H] | facts known at t), a probability that can be
checked against what happened, and not a number (NaN) where nothing is known; who never bought has
none. It is made of P0 (DEF-P0), never of P(alive), and corrected on labels that have matured.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from processors.purchases import IntArray, Purchases, Snapshot
from processors.repeat_models import Duration, FloatArray, Histories, RepeatModel, TimeUnit
from processors.repeat_models import p_no_purchase as model_p_no_purchase

BUCKETS: Final = (0, 1, 2, 4)
"""Repeat-count buckets by their least count: bought once, twice, three or four times, more."""
BUCKET_TITLES: Final = ("0 repeats", "1 repeat", "2-3 repeats", "4+ repeats")
AT_RISK_MIN: Final = 30
"""Customers who must have been watched for so long, else the curve says nothing there."""
_NEVER: Final = 1e-9


class RiskModel(Protocol):
    """What gives customers a risk."""

    def risk(self, customers: Histories) -> FloatArray:
        """Return the risk of each customer; NaN where it cannot be known."""
        ...


def bucket_of(repeats: FloatArray) -> IntArray:
    """Return the place of each customer's bucket in BUCKETS."""
    return np.searchsorted(np.array(BUCKETS), repeats, side="right").astype(np.int64) - 1


def logit(p: FloatArray) -> FloatArray:
    """Return ln(p / (1 - p)), finite at 0 and 1."""
    inside = np.clip(p, _NEVER, 1 - _NEVER)
    return np.log(inside) - np.log1p(-inside)


def expit(logits: FloatArray) -> FloatArray:
    """Return the probability of a logit."""
    return 0.5 * (1 + np.tanh(logits / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Platt scaling with the two facts that the best plain ranking uses (DEF-CAL).

    logit(risk) = intercept + on_logit x logit(P0) + on_repeats x ln(1 + repeats)
    + on_days_since x ln(1 + days since the last purchase). The default changes nothing.
    """

    intercept: float = 0.0
    on_logit: float = 1.0
    on_repeats: float = 0.0
    on_days_since: float = 0.0

    def apply(self, p0: FloatArray, customers: Histories) -> FloatArray:
        """Return the risk of customers to whom a model gives these chances not to buy."""
        weights = (self.intercept, self.on_logit, self.on_repeats, self.on_days_since)
        return expit(features(p0, customers) @ np.array(weights))


def features(p0: FloatArray, customers: Histories) -> FloatArray:
    """Return what a calibration weighs, a row per customer."""
    days = customers.measured_in(TimeUnit.DAY)
    since = np.log1p(days.age - days.recency)
    return np.stack([np.ones_like(p0), logit(p0), np.log1p(days.repeats), since], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRisk:
    """P0 of a fitted model, calibrated."""

    model: RepeatModel
    horizon: Duration
    calibration: Calibration

    def risk(self, customers: Histories) -> FloatArray:
        """Return the risk of each customer."""
        p0 = model_p_no_purchase(self.model, customers, self.horizon)
        return self.calibration.apply(p0, customers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Kaplan-Meier: the share who have not bought again so many days after a purchase.

    `days` are those on which somebody did, rising; `share` holds from each on. The longest time
    that anybody was watched is `watched_days_max`; `known_days_max`, that at least 30 were.
    """

    days: tuple[float, ...]
    share: tuple[float, ...]
    watched_days_max: float
    known_days_max: float

    def shares(self, days: FloatArray) -> FloatArray:
        """Return the share after so many days; NaN past all that was watched."""
        place = np.searchsorted(np.array(self.days), days, side="right")
        shares = np.array([1.0, *self.share])[place]
        return np.where(days > self.watched_days_max, np.nan, shares)


def kaplan_meier(times: npt.ArrayLike, events: npt.ArrayLike) -> Curve:
    """Return S = prod(1 - d_i / n_i) of times until an event, or until watching ended."""
    until = np.asarray(times, dtype=np.float64)
    happened = np.asarray(events, dtype=bool)
    days = np.unique(until[happened])
    ordered = np.sort(until)
    at_risk = len(until) - np.searchsorted(ordered, days, side="left")
    fell = np.searchsorted(np.sort(until[happened]), days, side="right")
    fell = np.diff(np.concatenate([[0], fell]))
    share = np.cumprod(1 - fell / np.maximum(at_risk, 1))
    return Curve(
        days=tuple(float(day) for day in days),
        share=tuple(float(each) for each in share),
        watched_days_max=float(ordered[-1]) if len(ordered) else -1.0,
        known_days_max=float(ordered[-AT_RISK_MIN]) if len(ordered) >= AT_RISK_MIN else -1.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRisk:
    """Risk from the gaps seen so far, by repeat-count bucket: what there is before a fit."""

    curves: tuple[Curve, ...]
    horizon: Duration

    def risk(self, customers: Histories) -> FloatArray:
        """Return S(since + H) / S(since); NaN where fewer than 30 were watched for so long."""
        past = customers.measured_in(TimeUnit.DAY)
        since = past.age - past.recency
        ahead = since + self.horizon.measured_in(TimeUnit.DAY)
        bucket = bucket_of(past.repeats)
        risk = np.full(len(past), np.nan)
        for place, curve in enumerate(self.curves):
            here = bucket == place
            now, later = curve.shares(since[here]), curve.shares(ahead[here])
            known = (ahead[here] <= curve.known_days_max) & (now > 0)
            risk[here] = np.where(known, later / np.where(now > 0, now, 1.0), np.nan)
        return risk


def observed_risk(bought: Purchases, as_of_day: int, horizon: Duration) -> ObservedRisk:
    """Return the risk by Kaplan-Meier from all gaps between purchases up to a day."""
    known = bought.day <= as_of_day
    owner = np.repeat(np.arange(len(bought.customers)), np.diff(bought.starts))[known]
    day = bought.day[known]
    last = np.ones(len(day), dtype=bool)
    last[:-1] = owner[1:] != owner[:-1]
    following = np.where(last, as_of_day, np.roll(day, -1))
    gap = (following - day).astype(np.float64)
    # Days are sorted within a customer, so a purchase's repeats are its place in its run.
    begins = np.flatnonzero(np.concatenate([[True], last[:-1]])) if len(day) else np.array([], int)
    repeats = np.arange(len(day)) - np.repeat(begins, np.diff([*begins, len(day)]))
    bucket = bucket_of(repeats.astype(np.float64))
    curves = tuple(kaplan_meier(gap[bucket == k], ~last[bucket == k]) for k in range(len(BUCKETS)))
    return ObservedRisk(curves=curves, horizon=horizon)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matured:
    """A snapshot of a day whose horizon has passed, and who did not buy in it."""

    snapshot: Snapshot
    gone: npt.NDArray[np.bool_]


def matured(bought: Purchases, day: int, horizon_days: int) -> Matured:
    """Return what was known at the end of a day, and who bought nothing in (day, day + H]."""
    snapshot = bought.on(day)
    gone = ~bought.bought(snapshot.customers, day, day + horizon_days)
    return Matured(snapshot=snapshot, gone=gone)
