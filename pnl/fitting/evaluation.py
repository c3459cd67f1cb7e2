"""Would the risk have been right? Hold-out evaluation of churn risk on any order history.

Law: everything is fitted on what was known at the end of a day, and judged by the horizon after
it, which nothing fitted has seen. Every score stands beside the plain ranking by repeats and
recency, which a model must earn its place against (section 11 of the definitions).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pnl.fitting.churn import HORIZON_DAYS, ChurnFit, Kind, baseline, fit_churn
from pnl.fitting.likelihood import CannotFit, fit_bgnbd, fit_pnbd
from pnl.fitting.scores import (
    BoolArray,
    Decile,
    auc,
    auc_interval,
    brier,
    decile_gap_max,
    deciles,
    log_loss,
)
from pnl.reports.period import date_of
from processors.churn import matured
from processors.confidence import Interval
from processors.purchases import Purchases
from processors.repeat_models import (
    Duration,
    FloatArray,
    Histories,
    RepeatModel,
    TimeUnit,
    p_no_purchase,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One way to tell who will not buy; measures of probability are None for a mere ranking."""

    name: str
    auc: float | None
    interval: Interval | None
    auc_repeaters: float | None
    brier: float | None = None
    log_loss: float | None = None
    mean: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What the risk as fitted for the end of `day` was worth over the horizon after it."""

    day: int
    horizon_days: int
    customers: int
    gone: int
    purchases: int
    expected_purchases: float | None
    fit: ChurnFit
    scores: tuple[Score, ...]
    deciles: tuple[Decile, ...]
    decile_gap: float | None

    def score(self, name: str) -> Score:
        """Return a score by its name. KeyError if it was not worked out."""
        return {score.name: score for score in self.scores}[name]


TITLES: Final[dict[Kind, str]] = {"bgnbd": "BG/NBD", "pnbd": "Pareto/NBD"}
SHIPPED: Final = "risk"
"""The score that the product shows."""
BASELINE: Final = "repeats, then days since last purchase"


def evaluate(
    bought: Purchases,
    day: int | None = None,
    horizon_days: int = HORIZON_DAYS,
    kind: Kind = "bgnbd",
) -> Evaluation:
    """Fit for the end of a day (None: a horizon before the last purchase), judge by what followed.

    CannotFit if the history is too short for a fit and a horizon after it.
    """
    if not len(bought):
        raise CannotFit("there are no purchases")
    last = int(bought.day.max())
    day = last - horizon_days if day is None else day
    if day + horizon_days > last or day <= int(bought.day.min()):
        raise CannotFit(
            f"the history reaches from {date_of(int(bought.day.min()))} to {date_of(last)}: it does"
            f" not hold {horizon_days} days after the end of {date_of(day)}"
        )
    fit = fit_churn(bought, day, horizon_days, kind)
    now = matured(bought, day, horizon_days)
    past = now.snapshot.histories
    horizon = Duration(float(horizon_days), TimeUnit.DAY)
    repeated = past.repeats > 0
    found = [_plain(now.gone, past, repeated)]
    if fit.repeat is not None:
        found += _by_model(TITLES[kind], fit.repeat.model, past, horizon, now.gone)
        found += _other(kind, past, horizon, now.gone)
    if fit.learnt is not None:
        then = matured(bought, fit.learnt.day, fit.learnt.horizon_days)
        risk = baseline(then, now.snapshot)
        found.append(_probability("baseline, calibrated", risk, now.gone, repeated))
    risk = fit.risk_model.risk(past)
    known = np.isfinite(risk)
    found.append(_probability(SHIPPED, risk[known], now.gone[known], repeated[known]))
    tenths = deciles(risk[known], now.gone[known])
    return Evaluation(
        day=day,
        horizon_days=horizon_days,
        customers=len(now.gone),
        gone=int(now.gone.sum()),
        purchases=int(bought.count(now.snapshot.customers, day, day + horizon_days).sum()),
        expected_purchases=None
        if fit.repeat is None
        else float(fit.repeat.model.expected(past, horizon).sum()),
        fit=fit,
        scores=tuple(found),
        deciles=tenths,
        decile_gap=decile_gap_max(tenths),
    )


def _ranking(name: str, score: FloatArray, gone: BoolArray, repeated: BoolArray) -> Score:
    """Return how well a score ranks those who will not buy above those who will."""
    area = auc(score, gone)
    ones = int(gone.sum())
    return Score(
        name=name,
        auc=area,
        interval=None if area is None else auc_interval(area, ones, len(gone) - ones),
        auc_repeaters=auc(score[repeated], gone[repeated]),
    )


def _probability(name: str, p: FloatArray, gone: BoolArray, repeated: BoolArray) -> Score:
    """Return how well a probability ranks and how right it is."""
    rank = _ranking(name, p, gone, repeated)
    return Score(
        name=name,
        auc=rank.auc,
        interval=rank.interval,
        auc_repeaters=rank.auc_repeaters,
        brier=brier(p, gone),
        log_loss=log_loss(p, gone),
        mean=float(p.mean()) if len(p) else None,
    )


def _plain(gone: BoolArray, past: Histories, repeated: BoolArray) -> Score:
    """Return the ranking without a model: fewer repeats first, ties by days since the last."""
    since = past.age - past.recency
    order = np.lexsort((since, -past.repeats))
    rows = np.stack([past.repeats, since], axis=1)[order]
    new = np.concatenate([[False], (rows[1:] != rows[:-1]).any(axis=1)])
    score = np.empty(len(order))
    score[order] = np.cumsum(new)
    return _ranking(BASELINE, score, gone, repeated)


def _by_model(
    name: str, model: RepeatModel, past: Histories, horizon: Duration, gone: BoolArray
) -> list[Score]:
    """Return what a model says in its three ways: P0, E[Y], P(alive)."""
    repeated = past.repeats > 0
    return [
        _probability(f"{name} P0", p_no_purchase(model, past, horizon), gone, repeated),
        _ranking(f"{name} E[Y]", -model.expected(past, horizon), gone, repeated),
        _ranking(f"{name} P(alive)", -model.p_alive(past), gone, repeated),
    ]


def _other(kind: Kind, past: Histories, horizon: Duration, gone: BoolArray) -> list[Score]:
    """Return what the other model says, if the data determine it."""
    weeks = past.measured_in(TimeUnit.WEEK)
    try:
        if kind == "bgnbd":
            return _by_model(TITLES["pnbd"], fit_pnbd(weeks).model, past, horizon, gone)
        return _by_model(TITLES["bgnbd"], fit_bgnbd(weeks).model, past, horizon, gone)
    except CannotFit:
        return []
