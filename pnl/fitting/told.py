"""A fit and an evaluation as JSON: what `pnl fit` keeps and `pnl evaluate` prints.

Law: keys are only ever added; `format` and `version` say how to read the rest. A figure that is
not known is null, shares and probabilities are numbers in [0, 1], times say their unit.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from pnl.fitting.churn import ChurnFit
from pnl.fitting.evaluation import Evaluation, Score
from pnl.reports.period import date_of
from processors.churn import BUCKET_TITLES, Calibration, Curve, FittedRisk, ObservedRisk, RiskModel
from processors.lifetime import GammaGamma
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import Duration, TimeUnit

FORMAT: Final = "contact-pnl customer model"
VERSION: Final = 1


class BadModel(Exception):
    """What was read is no model that this program knows; the sentence says why."""


def model_as_json(fit: ChurnFit, currency: str) -> dict[str, Any]:
    """Return all that scoring needs, and where it comes from. Amounts in minor units."""
    learnt, repeat, spend = fit.learnt, fit.repeat, fit.spend
    return {
        "format": FORMAT,
        "version": VERSION,
        "as_of": date_of(fit.day).isoformat(),
        "horizon_days": fit.horizon_days,
        "currency": currency,
        "label": fit.label,
        "reason": fit.reason or None,
        "customers": fit.customers,
        "purchases": fit.purchases,
        "repeat": None
        if repeat is None
        else {
            "model": "bgnbd",
            "unit": repeat.model.unit.name.lower(),
            "r": repeat.model.r,
            "alpha": repeat.model.alpha,
            "a": repeat.model.a,
            "b": repeat.model.b,
            "log_likelihood": repeat.fitted.log_likelihood,
            "ln_standard_errors": np.sqrt(np.diag(repeat.fitted.ln_covariance)).tolist(),
        },
        "spend": None
        if spend is None
        else {
            "model": "gamma-gamma",
            "p": spend.model.p,
            "q": spend.model.q,
            "v_minor": spend.model.v,
            "log_likelihood": spend.fitted.log_likelihood,
            "ln_standard_errors": np.sqrt(np.diag(spend.fitted.ln_covariance)).tolist(),
        },
        "calibration": None
        if learnt is None
        else {
            "intercept": learnt.calibration.intercept,
            "on_logit": learnt.calibration.on_logit,
            "on_repeats": learnt.calibration.on_repeats,
            "on_days_since": learnt.calibration.on_days_since,
            "learnt_as_of": date_of(learnt.day).isoformat(),
            "learnt_over_days": learnt.horizon_days,
            "labels": learnt.customers,
        },
        "observed": [
            {
                "bucket": title,
                "days": list(curve.days),
                "share": list(curve.share),
                "watched_days_max": curve.watched_days_max,
                "known_days_max": curve.known_days_max,
            }
            for title, curve in zip(BUCKET_TITLES, fit.observed.curves, strict=True)
        ],
    }


def risk_model(told: Mapping[str, Any]) -> RiskModel:
    """Return the risk model of a file. BadModel if it is none, or of a later version."""
    _check(told)
    horizon = Duration(float(told["horizon_days"]), TimeUnit.DAY)
    repeat, calibration = told["repeat"], told["calibration"]
    if repeat is None:
        curves = tuple(
            Curve(
                days=tuple(each["days"]),
                share=tuple(each["share"]),
                watched_days_max=each["watched_days_max"],
                known_days_max=each["known_days_max"],
            )
            for each in told["observed"]
        )
        return ObservedRisk(curves=curves, horizon=horizon)
    weights = ("intercept", "on_logit", "on_repeats", "on_days_since")
    learnt = {name: calibration[name] for name in weights} if calibration else {}
    return FittedRisk(model=_bgnbd(repeat), horizon=horizon, calibration=Calibration(**learnt))


def value_models(told: Mapping[str, Any]) -> tuple[BgNbd, GammaGamma] | None:
    """Return the models of a file that value needs; None if the data did not determine them."""
    _check(told)
    repeat, spend = told["repeat"], told["spend"]
    if repeat is None or spend is None:
        return None
    return _bgnbd(repeat), GammaGamma(p=spend["p"], q=spend["q"], v=spend["v_minor"])


def _check(told: Mapping[str, Any]) -> None:
    if told.get("format") != FORMAT:
        raise BadModel(f"it is no {FORMAT}")
    if told.get("version") != VERSION:
        raise BadModel(f"its version is {told.get('version')!r}, this program knows {VERSION}")


def _bgnbd(repeat: Mapping[str, Any]) -> BgNbd:
    unit = TimeUnit[repeat["unit"].upper()]
    return BgNbd(unit=unit, r=repeat["r"], alpha=repeat["alpha"], a=repeat["a"], b=repeat["b"])


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
