"""How good a risk was: ranking, sharpness and calibration against what happened.

Law: a measure that the labels cannot give (all bought, or none did) is None.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from processors.confidence import Interval, about, wilson
from processors.repeat_models import FloatArray

BoolArray = npt.NDArray[np.bool_]
DECILES: Final = 10
_SURE: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Decile:
    """A tenth of the customers by risk: what was predicted of them, and what they did."""

    customers: int
    predicted: float
    actual: float
    interval: Interval | None


def auc(score: FloatArray, label: BoolArray) -> float | None:
    """Return the chance that a labelled one scores above an unlabelled, ties counting half."""
    ones = int(label.sum())
    others = len(label) - ones
    if not ones or not others:
        return None
    ranks = rankdata(score)
    return float((ranks[label].sum() - ones * (ones + 1) / 2) / (ones * others))


def auc_interval(area: float, ones: int, others: int) -> Interval:
    """Return the interval of an AUC (Hanley and McNeil 1982)."""
    q_1, q_2 = area / (2 - area), 2 * area * area / (1 + area)
    variance = area * (1 - area)
    variance += (ones - 1) * (q_1 - area**2) + (others - 1) * (q_2 - area**2)
    found = about(area, max(0.0, variance) / (ones * others))
    return Interval(max(0.0, found.low), min(1.0, found.high))


def brier(p: FloatArray, label: BoolArray) -> float | None:
    """Return the mean squared distance of probabilities from what happened."""
    return float(((p - label) ** 2).mean()) if len(label) else None


def log_loss(p: FloatArray, label: BoolArray) -> float | None:
    """Return the mean surprise at what happened, in nats."""
    if not len(label):
        return None
    inside = np.clip(p, _SURE, 1 - _SURE)
    return float(-np.where(label, np.log(inside), np.log1p(-inside)).mean())


def deciles(p: FloatArray, label: BoolArray) -> tuple[Decile, ...]:
    """Return the tenths by rising probability; ties in the order given."""
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, DECILES) if len(part)]
    return tuple(
        Decile(
            customers=len(part),
            predicted=float(p[part].mean()),
            actual=float(label[part].mean()),
            interval=wilson(int(label[part].sum()), len(part)),
        )
        for part in parts
    )


def decile_gap_max(found: tuple[Decile, ...]) -> float | None:
    """Return how far the worst tenth's prediction was from what it did."""
    return max((abs(each.predicted - each.actual) for each in found), default=None)
