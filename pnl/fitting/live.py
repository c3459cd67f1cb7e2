"""The model that `pnl fit churn` kept, as journeys use it: one customer at a time, fact by fact.

Law: a file that is there is used as it is or refused, never half of it; without a file nobody has
a risk. Journeys read it when they start, and a newer one between two batches (`pnl.fitting.newer`),
so all that a batch says comes of one model, whose name stands in every record.
"""

from pathlib import Path

from pnl.fitting.model_file import (
    BgNbdPart,
    CalibrationPart,
    ModelFile,
    ParetoNbdPart,
    SignalsPart,
    SpendPart,
    read_model,
)
from processors.churn import Calibration, Curve, ObservedRisk
from processors.churn_signals import HEURISTIC, Weights
from processors.lifetime import GammaGamma
from processors.live_churn import LiveModel
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import Duration, TimeUnit
from processors.repeat_pnbd import ParetoNbd


def load_live_risk(path: Path) -> LiveModel | None:
    """Return the model of a file; None where there is none. UserError names file and field."""
    file = read_model(path)
    return None if file is None else live_model(file)


def live_model(file: ModelFile) -> LiveModel:
    """Return what a file says, for one customer at a time."""
    return LiveModel(
        name=file.name,
        horizon_days=file.horizon_days,
        currency=file.currency,
        repeat=None if file.repeat is None else repeat_of(file.repeat),
        calibration=Calibration() if file.calibration is None else calibration_of(file.calibration),
        observed=observed_of(file),
        spend=None if file.spend is None else spend_of(file.spend),
        weights=Weights() if file.signals is None else weights_of(file.signals),
    )


def repeat_of(part: BgNbdPart | ParetoNbdPart) -> BgNbd | ParetoNbd:
    """Return the model of repeat purchases."""
    unit = TimeUnit[part.unit.upper()]
    if isinstance(part, BgNbdPart):
        return BgNbd(unit=unit, r=part.r, alpha=part.alpha, a=part.a, b=part.b)
    return ParetoNbd(unit=unit, r=part.r, alpha=part.alpha, s=part.s, beta=part.beta)


def spend_of(part: SpendPart) -> GammaGamma:
    """Return the model of what a purchase brings, in minor units."""
    return GammaGamma(p=part.p, q=part.q, v=part.v_minor)


def calibration_of(part: CalibrationPart) -> Calibration:
    """Return what turns P0 into a risk."""
    return Calibration(
        intercept=part.intercept,
        on_logit=part.on_logit,
        on_repeats=part.on_repeats,
        on_days_since=part.on_days_since,
    )


def observed_of(file: ModelFile) -> ObservedRisk:
    """Return what was observed, by repeats."""
    return ObservedRisk(
        curves=tuple(
            Curve(
                days=each.days,
                share=each.share,
                watched_days_max=each.watched_days_max,
                known_days_max=each.known_days_max,
            )
            for each in file.observed
        ),
        horizon=Duration(float(file.horizon_days), TimeUnit.DAY),
    )


def weights_of(part: SignalsPart) -> Weights:
    """Return what signals weigh; one that the file does not know has its fixed weight."""
    return Weights(
        by_signal={**HEURISTIC, **{each.signal: each.logit for each in part.weights}},
        learnt=frozenset(each.signal for each in part.weights if each.learnt),
    )
