"""Fits of churn risk and customer value, and what they would have been worth in the past.

Law: whatever is fitted for a day uses what was known at its end. A calibration learns from labels
that have matured by then: from a snapshot one horizon earlier, with the model as it was fitted
there. What cannot be fitted is left out, with the reason; then risk is what was observed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np
from scipy import optimize

from pnl.fitting.likelihood import (
    BgNbdFit,
    CannotFit,
    GammaGammaFit,
    ParetoNbdFit,
    fit_bgnbd,
    fit_gamma_gamma,
    fit_pnbd,
)
from pnl.fitting.scores import BoolArray
from processors.churn import (
    Calibration,
    FittedRisk,
    Matured,
    ObservedRisk,
    RiskModel,
    expit,
    features,
    matured,
    observed_risk,
)
from processors.purchases import Purchases, Snapshot
from processors.repeat_models import Duration, FloatArray, TimeUnit, p_no_purchase

RepeatFit: TypeAlias = BgNbdFit | ParetoNbdFit
Kind: TypeAlias = Literal["bgnbd", "pnbd"]
"""Which model of repeat purchases is fitted: DEF-BGNBD or DEF-PNBD."""
KINDS: Final[Mapping[str, Kind]] = {"bgnbd": "bgnbd", "pnbd": "pnbd"}

HORIZON_DAYS: Final = 90
LABELS_MIN: Final = 200
"""Customers with a matured label, below which a calibration is not learnt."""
FIT_CUSTOMERS_MAX: Final = 20_000
"""A fit takes every n-th customer beyond this: parameters hardly move, time would."""
_PULL: Final = 1.0
"""How strongly weights are drawn to the model's own probability, as if by one more label."""
_RAW: Final = np.array([0.0, 1.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A calibration, and the matured labels that it was learnt from."""

    calibration: Calibration
    day: int
    horizon_days: int
    customers: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChurnFit:
    """What was fitted for the end of a day; `reason` says why something was not."""

    day: int
    horizon_days: int
    customers: int
    purchases: int
    repeat: RepeatFit | None
    spend: GammaGammaFit | None
    learnt: Learnt | None
    observed: ObservedRisk
    reason: str = ""

    @property
    def risk_model(self) -> RiskModel:
        """What gives customers a risk: the fitted model, else what was observed."""
        if self.repeat is None:
            return self.observed
        return FittedRisk(
            model=self.repeat.model,
            horizon=Duration(float(self.horizon_days), TimeUnit.DAY),
            calibration=self.learnt.calibration if self.learnt else Calibration(),
        )

    @property
    def label(self) -> str:
        """What the risk may claim to be."""
        if self.repeat is None:
            return "observed"
        return "calibrated" if self.learnt else "uncalibrated"


def fit_churn(
    bought: Purchases, day: int, horizon_days: int = HORIZON_DAYS, kind: Kind = "bgnbd"
) -> ChurnFit:
    """Fit all that the purchases up to the end of a day determine."""
    plain = observed_only(bought, day, horizon_days, "")
    snapshot = bought.on(day)
    repeat, spend, learnt, reason = None, None, None, ""
    try:
        repeat = fit_repeats(snapshot, kind)
        learnt = _learn(bought, day, horizon_days, kind)
        spend = fit_gamma_gamma(snapshot.spend)
    except CannotFit as error:
        reason = str(error)
    return replace(plain, repeat=repeat, spend=spend, learnt=learnt, reason=reason)


def observed_only(bought: Purchases, day: int, horizon_days: int, reason: str) -> ChurnFit:
    """Return what was observed up to the end of a day, and no model; `reason` says why."""
    snapshot = bought.on(day)
    return ChurnFit(
        day=day,
        horizon_days=horizon_days,
        customers=len(snapshot.customers),
        purchases=int(snapshot.histories.repeats.sum()) + len(snapshot.customers),
        repeat=None,
        spend=None,
        learnt=None,
        observed=observed_risk(bought, day, Duration(float(horizon_days), TimeUnit.DAY)),
        reason=reason,
    )


def fit_repeats(snapshot: Snapshot, kind: Kind = "bgnbd") -> RepeatFit:
    """Fit a model in weeks, on every n-th customer if there are very many."""
    past = snapshot.histories.measured_in(TimeUnit.WEEK)
    step = -(-len(past) // FIT_CUSTOMERS_MAX)
    few = past.at(np.arange(0, len(past), step, dtype=np.int64)) if step > 1 else past
    return fit_bgnbd(few) if kind == "bgnbd" else fit_pnbd(few)


def _learn(bought: Purchases, day: int, horizon_days: int, kind: Kind) -> Learnt | None:
    """Learn a calibration from the latest labels that have matured by the end of a day.

    Over the horizon, or over half of what the books cover if that is shorter: so the model has
    at least as long a past of its own as the labels reach.
    """
    covered = day - int(bought.day.min())
    over = min(horizon_days, covered // 2)
    if over < 1:
        return None
    past = matured(bought, day - over, over)
    if len(past.gone) < LABELS_MIN or bool(past.gone.all()) or not bool(past.gone.any()):
        return None
    try:
        model = fit_repeats(past.snapshot, kind).model
    except CannotFit:
        return None
    p0 = p_no_purchase(model, past.snapshot.histories, Duration(float(over), TimeUnit.DAY))
    return Learnt(
        calibration=calibrate(p0, past),
        day=day - over,
        horizon_days=over,
        customers=len(past.gone),
    )


def calibrate(p0: FloatArray, past: Matured) -> Calibration:
    """Return the calibration that makes matured labels most likely."""
    intercept, on_logit, on_repeats, on_days_since = _logistic(
        features(p0, past.snapshot.histories), past.gone, _RAW
    )
    return Calibration(
        intercept=intercept,
        on_logit=on_logit,
        on_repeats=on_repeats,
        on_days_since=on_days_since,
    )


def _logistic(rows: FloatArray, label: BoolArray, prior: FloatArray) -> list[float]:
    """Return the weights of a logistic regression, drawn a little to prior ones."""

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        at = rows @ weights
        away = weights - prior
        value = float(np.logaddexp(0.0, at).sum() - at[label].sum() + _PULL / 2 * away @ away)
        slope = rows.T @ (expit(at) - label) + _PULL * away
        return value, slope

    found = optimize.minimize(objective, prior, jac=True, method="L-BFGS-B")
    return [float(weight) for weight in found.x]


def baseline(past: Matured, now: Snapshot) -> FloatArray:
    """Return the risk by repeats and days since the last purchase alone, learnt like ours."""
    then, today = (
        features(np.full(len(each.histories), 0.5), each.histories) for each in (past.snapshot, now)
    )
    return expit(today @ np.array(_logistic(then, past.gone, np.zeros(4))))
