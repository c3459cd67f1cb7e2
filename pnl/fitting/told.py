"""A fit and an evaluation as JSON: what `pnl fit` keeps and `pnl evaluate` prints.

Law: what was kept comes back as the fit it was: the same risk of everybody, to the last bit.
A figure that is not known is null, shares and probabilities are numbers in [0, 1], times say
their unit.
"""

from datetime import date
from typing import Any

import numpy as np

from pnl.fitting.churn import ChurnFit, Learnt, RepeatFit
from pnl.fitting.evaluation import Evaluation, Score
from pnl.fitting.likelihood import BgNbdFit, Fitted, GammaGammaFit, ParetoNbdFit
from pnl.fitting.live import calibration_of, observed_of, repeat_of, spend_of
from pnl.fitting.model_file import (
    FORMAT,
    VERSION,
    BgNbdPart,
    CalibrationPart,
    CurvePart,
    JudgedPart,
    ModelFile,
    ParetoNbdPart,
    SignalsPart,
    SpendPart,
    Unit,
)
from pnl.reports.period import date_of, day_number
from processors.churn import BUCKET_TITLES
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import FloatArray, TimeUnit

_UNITS: dict[TimeUnit, Unit] = {
    TimeUnit.DAY: "day",
    TimeUnit.WEEK: "week",
    TimeUnit.MONTH: "month",
}


def model_file(
    fit: ChurnFit,
    currency: str,
    *,
    signals: SignalsPart | None = None,
    judged: JudgedPart | None = None,
) -> ModelFile:
    """Return all that scoring needs, and where it comes from. Amounts in minor units."""
    return ModelFile(
        format=FORMAT,
        version=VERSION,
        as_of=date_of(fit.day).isoformat(),
        horizon_days=fit.horizon_days,
        currency=currency,
        label=fit.label,
        reason=fit.reason or None,
        customers=fit.customers,
        purchases=fit.purchases,
        repeat=None if fit.repeat is None else _repeat(fit.repeat),
        spend=None if fit.spend is None else _spend(fit.spend),
        calibration=None if fit.learnt is None else _calibration(fit.learnt),
        observed=tuple(
            CurvePart(
                bucket=title,
                days=curve.days,
                share=curve.share,
                watched_days_max=curve.watched_days_max,
                known_days_max=curve.known_days_max,
            )
            for title, curve in zip(BUCKET_TITLES, fit.observed.curves, strict=True)
        ),
        signals=signals,
        judged=judged,
    )


def _determined(fitted: Fitted) -> dict[str, Any]:
    covariance = fitted.ln_covariance
    return {
        "log_likelihood": fitted.log_likelihood,
        "ln_standard_errors": tuple(np.sqrt(np.diag(covariance)).tolist()),
        "ln_covariance": tuple(map(tuple, covariance.tolist())),
    }


def _repeat(found: RepeatFit) -> BgNbdPart | ParetoNbdPart:
    model, told = found.model, _determined(found.fitted)
    unit = _UNITS[model.unit]
    if isinstance(model, BgNbd):
        return BgNbdPart(unit=unit, r=model.r, alpha=model.alpha, a=model.a, b=model.b, **told)
    return ParetoNbdPart(
        unit=unit, r=model.r, alpha=model.alpha, s=model.s, beta=model.beta, **told
    )


def _spend(found: GammaGammaFit) -> SpendPart:
    model = found.model
    return SpendPart(p=model.p, q=model.q, v_minor=model.v, **_determined(found.fitted))


def _calibration(learnt: Learnt) -> CalibrationPart:
    weights = learnt.calibration
    return CalibrationPart(
        intercept=weights.intercept,
        on_logit=weights.on_logit,
        on_repeats=weights.on_repeats,
        on_days_since=weights.on_days_since,
        learnt_as_of=date_of(learnt.day).isoformat(),
        learnt_over_days=learnt.horizon_days,
        labels=learnt.customers,
    )


def kept_fit(file: ModelFile) -> ChurnFit:
    """Return the fit that a file was written from."""
    return ChurnFit(
        day=_day(file.as_of),
        horizon_days=file.horizon_days,
        customers=file.customers,
        purchases=file.purchases,
        repeat=None if file.repeat is None else _repeat_fit(file.repeat),
        spend=None if file.spend is None else _spend_fit(file.spend),
        learnt=None if file.calibration is None else _learnt(file.calibration),
        observed=observed_of(file),
        reason=file.reason or "",
    )


def _day(text: str) -> int:
    return day_number(date.fromisoformat(text))


def _fitted(part: BgNbdPart | ParetoNbdPart | SpendPart, *parameters: float) -> Fitted:
    covariance: FloatArray = np.diag(np.square(part.ln_standard_errors))
    if part.ln_covariance:
        covariance = np.array(part.ln_covariance, dtype=np.float64)
    return Fitted(
        parameters=np.array(parameters),
        log_likelihood=part.log_likelihood,
        ln_covariance=covariance,
    )


def _repeat_fit(part: BgNbdPart | ParetoNbdPart) -> RepeatFit:
    model = repeat_of(part)
    if isinstance(model, BgNbd):
        found = _fitted(part, model.r, model.alpha, model.a, model.b)
        return BgNbdFit(model=model, fitted=found)
    found = _fitted(part, model.r, model.alpha, model.s, model.beta)
    return ParetoNbdFit(model=model, fitted=found)


def _spend_fit(part: SpendPart) -> GammaGammaFit:
    return GammaGammaFit(model=spend_of(part), fitted=_fitted(part, part.p, part.q, part.v_minor))


def _learnt(part: CalibrationPart) -> Learnt:
    return Learnt(
        calibration=calibration_of(part),
        day=_day(part.learnt_as_of),
        horizon_days=part.learnt_over_days,
        customers=part.labels,
    )


def evaluation_as_json(found: Evaluation) -> dict[str, Any]:
    """Return what an evaluation found, the scores in the order they were worked out."""
    learnt = found.fit.learnt
    return {
        "report": "evaluate churn",
        "as_of": date_of(found.day).isoformat(),
        "horizon_days": found.horizon_days,
        "judged_until": date_of(found.day + found.horizon_days).isoformat(),
        "customers": found.customers,
        "no_purchase": found.gone,
        "no_purchase_share": found.gone / found.customers if found.customers else None,
        "purchases": found.purchases,
        "expected_purchases": found.expected_purchases,
        "label": found.fit.label,
        "reason": found.fit.reason or None,
        "calibration": None
        if learnt is None
        else {
            "learnt_as_of": date_of(learnt.day).isoformat(),
            "learnt_over_days": learnt.horizon_days,
            "labels": learnt.customers,
        },
        "scores": [_score(score) for score in found.scores],
        "deciles": [
            {
                "customers": tenth.customers,
                "predicted": tenth.predicted,
                "actual": tenth.actual,
                "actual_low": tenth.interval.low if tenth.interval else None,
                "actual_high": tenth.interval.high if tenth.interval else None,
            }
            for tenth in found.deciles
        ],
        "decile_gap_max": found.decile_gap,
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "score": score.name,
        "auc": score.auc,
        "auc_low": score.interval.low if score.interval else None,
        "auc_high": score.interval.high if score.interval else None,
        "auc_repeaters": score.auc_repeaters,
        "brier": score.brier,
        "log_loss": score.log_loss,
        "mean_risk": score.mean,
    }
