"""What cells of customers are worth, and how sure that is.

Law: a value is the discounted standard margin of the months after the moment (DEF-CLV), value at
risk is risk x value; where the models are not determined both are None. The interval is that of
the fitted parameters (delta method): how far single customers stray is not in it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pnl.fitting.churn import ChurnFit
from pnl.reports.customer_books import Cells, Question
from processors.confidence import Interval, about
from processors.lifetime import GammaGamma, Terms, lifetime_value
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import FloatArray
from processors.repeat_pnbd import ParetoNbd

_STEP: Final = 1e-3
SLOPE_CELLS_MAX: Final = 3_000
"""Slopes are taken over every n-th cell beyond this, and scaled."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Worth:
    """Per cell, all its customers together: value, value at risk; and the slopes of value.

    `slopes` has a row per parameter's logarithm and a column per cell that was looked at
    (`sampled`); `covariance` belongs to the parameters.
    """

    value: FloatArray
    at_risk: FloatArray
    slopes: FloatArray
    sampled: FloatArray
    covariance: FloatArray

    def interval(self, here: FloatArray) -> Interval | None:
        """Return the interval of the value of the cells, weighted by `here`."""
        amount = float(self.value @ here)
        part = float((self.value * self.sampled) @ here)
        if part <= 0:
            return Interval(amount, amount) if amount == 0 else None
        slope = self.slopes @ here * (amount / part)
        found = about(amount, float(slope @ self.covariance @ slope))
        return Interval(max(0.0, found.low), found.high)


def worth(asked: Question, cells: Cells, risk: FloatArray) -> Worth | None:
    """Return what the cells are worth; None if the models were not determined."""
    fit = asked.fit
    if fit is None or fit.repeat is None or fit.spend is None:
        return None
    terms = Terms(
        months=asked.months, discount_per_month=asked.discount_per_month, margin=asked.margin
    )
    unit = lifetime_value(fit.repeat.model, cells.histories, np.ones(len(risk)), terms)
    spend = _spend(fit.spend.model, cells)
    value = unit * spend
    step = -(-len(risk) // SLOPE_CELLS_MAX)
    sampled = (np.arange(len(risk)) % max(step, 1) == 0).astype(np.float64)
    looked = np.flatnonzero(sampled)
    slopes = np.zeros((7, len(risk)))
    few = cells.histories.at(looked)
    for place, name in enumerate(_parameters(fit.repeat.model)):
        ends = [
            lifetime_value(_moved(fit.repeat.model, name, way), few, np.ones(len(looked)), terms)
            for way in (_STEP, -_STEP)
        ]
        slopes[place, looked] = (ends[0] - ends[1]) / (2 * _STEP) * spend[looked]
    for place, name in enumerate(("p", "q", "v"), 4):
        more, less = (_spend(_spent(fit.spend.model, name, way), cells) for way in (_STEP, -_STEP))
        slopes[place] = (more - less) / (2 * _STEP) * unit * sampled
    return Worth(
        value=value,
        at_risk=np.where(np.isfinite(risk), risk, np.nan) * value,
        slopes=slopes,
        sampled=sampled,
        covariance=_covariance(fit),
    )


def _spend(model: GammaGamma, cells: Cells) -> FloatArray:
    """Return the sum of E(M) over a cell's customers, in which it is linear (DEF-GG)."""
    x = cells.histories.repeats
    return model.p * (model.v * cells.customers + cells.repaid_minor) / (model.p * x + model.q - 1)


def _parameters(model: BgNbd | ParetoNbd) -> tuple[str, ...]:
    """Return the names of a model's parameters, in the order of their covariance."""
    return ("r", "alpha", "a", "b") if isinstance(model, BgNbd) else ("r", "alpha", "s", "beta")


def _moved(model: BgNbd | ParetoNbd, name: str, way: float) -> BgNbd | ParetoNbd:
    return replace(model, **{name: getattr(model, name) * float(np.exp(way))})


def _spent(model: GammaGamma, name: str, way: float) -> GammaGamma:
    return replace(model, **{name: getattr(model, name) * float(np.exp(way))})


def _covariance(fit: ChurnFit) -> FloatArray:
    """Return the covariance of both models' parameters, which are fitted apart."""
    assert fit.repeat is not None
    assert fit.spend is not None
    joint = np.zeros((7, 7))
    joint[:4, :4] = fit.repeat.fitted.ln_covariance
    joint[4:, 4:] = fit.spend.fitted.ln_covariance
    return joint
