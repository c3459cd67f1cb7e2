"""Maximum-likelihood fits of the customer models.

Law: a fit is a function of the data alone (fixed starts, no lots), and one that has not found
a maximum says so instead of returning numbers. Parameters are positive, so the search is in their
logarithms, by gradient, from several starts in units of the data; the best end wins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize

from processors.lifetime import GammaGamma, Spend
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import FloatArray, Histories
from processors.repeat_pnbd import ParetoNbd

Objective = Callable[[FloatArray], tuple[float, FloatArray]]
"""Logarithms of parameters -> mean negative log-likelihood and its gradient."""

REPEATERS_MIN: Final = 30
"""Customers who came again, below which nothing is fitted."""
_STEP: Final = 1e-4
_AT_EDGE: Final = 0.01
_FAR_OUT: Final = 1e6
"""What a search is told where a likelihood cannot be computed: that it is worse than anywhere."""
_FLAT: Final = 1e-8
"""Directions in which the likelihood bends less than this part of the most are left alone."""


class CannotFit(Exception):
    """The data do not determine the model; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The end of a search: parameters, log-likelihood, covariance of the parameters' logarithms."""

    parameters: FloatArray
    log_likelihood: float
    ln_covariance: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """Where a model is searched: `reach` in logarithms to both sides of `centre`.

    Parameters from `free` on may end at the edge: nobody is seen to stop for good, which is an
    answer. Before it an edge means that customers do not differ, and there is no maximum.
    """

    centre: tuple[float, ...]
    reach: tuple[float, ...]
    free: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BgNbdFit:
    """A fitted BG/NBD model and how well it is determined."""

    model: BgNbd
    fitted: Fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParetoNbdFit:
    """A fitted Pareto/NBD model and how well it is determined."""

    model: ParetoNbd
    fitted: Fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GammaGammaFit:
    """A fitted Gamma-Gamma model and how well it is determined."""

    model: GammaGamma
    fitted: Fitted


def fit_bgnbd(customers: Histories) -> BgNbdFit:
    """Fit DEF-BGNBD. CannotFit if there are too few repeaters, or no maximum."""
    few, counts = _distinct(customers)

    def objective(ln: FloatArray) -> tuple[float, FloatArray]:
        r, alpha, a, b = np.exp(ln)
        model = BgNbd(unit=few.unit, r=r, alpha=alpha, a=a, b=b)
        value = counts @ model.log_likelihood(few)
        slope = (model.gradient(few) @ counts) * np.exp(ln)
        return -value / counts.sum(), -slope / counts.sum()

    scale = float(few.age.mean())
    starts = [(0.5, 0.2 * scale, 1.0, 2.0), (0.1, 0.05 * scale, 0.2, 1.0), (2.0, scale, 0.5, 5.0)]
    box = _Box(centre=(1.0, scale, 1.0, 1.0), reach=(6.0, 7.0, 9.0, 9.0), free=2)
    found = _search("BG/NBD", objective, starts, counts.sum(), box)
    r, alpha, a, b = (float(each) for each in found.parameters)
    return BgNbdFit(model=BgNbd(unit=few.unit, r=r, alpha=alpha, a=a, b=b), fitted=found)


def fit_pnbd(customers: Histories) -> ParetoNbdFit:
    """Fit DEF-PNBD. CannotFit if there are too few repeaters, or no maximum."""
    few, counts = _distinct(customers)

    def value(ln: FloatArray) -> float:
        r, alpha, s, beta = np.exp(ln)
        model = ParetoNbd(unit=few.unit, r=r, alpha=alpha, s=s, beta=beta)
        with np.errstate(invalid="ignore"):  # far out the hypergeometric function is not known
            found = -float(counts @ model.log_likelihood(few)) / float(counts.sum())
        return found if np.isfinite(found) else _FAR_OUT

    scale = float(few.age.mean())
    starts = [
        (0.5, 0.3 * scale, 0.5, 0.3 * scale),
        (1.0, scale, 1.0, scale),
        (0.2, 0.1 * scale, 0.3, 0.5 * scale),
    ]
    # Lifetimes that differ still less are as good as equal, and their likelihood takes for ever.
    box = _Box(centre=(1.0, scale, 1.0, scale), reach=(6.0, 7.0, 3.0, 7.0), free=2)
    found = _search("Pareto/NBD", _with_slope(value), starts, counts.sum(), box)
    r, alpha, s, beta = (float(each) for each in found.parameters)
    return ParetoNbdFit(
        model=ParetoNbd(unit=few.unit, r=r, alpha=alpha, s=s, beta=beta), fitted=found
    )


def fit_gamma_gamma(spend: Spend) -> GammaGammaFit:
    """Fit DEF-GG on those who came again and paid. CannotFit if too few, or no finite mean."""
    paid = (spend.repeats > 0) & (spend.mean > 0)
    if int(paid.sum()) < REPEATERS_MIN:
        raise CannotFit(f"{int(paid.sum())} customers bought again; {REPEATERS_MIN} are needed")
    scale = float(spend.mean[paid].mean())
    # In units of the mean the search is the same in pence and in yen.
    used = Spend(repeats=spend.repeats[paid], mean=spend.mean[paid] / scale)
    count = len(used.repeats)

    def objective(ln: FloatArray) -> tuple[float, FloatArray]:
        p, q, v = np.exp(ln)
        model = GammaGamma(p=p, q=q, v=v)
        slope = model.gradient(used).sum(axis=1) * np.exp(ln)
        return -float(model.log_likelihood(used).sum()) / count, -slope / count

    starts = [(5.0, 4.0, 0.5), (1.0, 2.0, 1.0), (20.0, 10.0, 0.5)]
    box = _Box(centre=(1.0, 1.0, 1.0), reach=(8.0, 8.0, 8.0), free=3)
    found = _search("Gamma-Gamma", objective, starts, float(count), box)
    p, q, v = (float(each) for each in found.parameters)
    if q <= 1:
        raise CannotFit("the Gamma-Gamma model has no finite mean here (q is not above 1)")
    in_money = Fitted(
        parameters=np.array([p, q, v * scale]),
        log_likelihood=found.log_likelihood - count * float(np.log(scale)),
        ln_covariance=found.ln_covariance,
    )
    return GammaGammaFit(model=GammaGamma(p=p, q=q, v=v * scale), fitted=in_money)


def _distinct(customers: Histories) -> tuple[Histories, FloatArray]:
    """Return each different history once, and how often it occurs."""
    repeaters = int((customers.repeats > 0).sum())
    if repeaters < REPEATERS_MIN:
        raise CannotFit(f"{repeaters} customers bought again; {REPEATERS_MIN} are needed")
    rows = np.stack([customers.repeats, customers.recency, customers.age], axis=1)
    different, counts = np.unique(rows, axis=0, return_counts=True)
    few = Histories(
        unit=customers.unit,
        repeats=different[:, 0].copy(),
        recency=different[:, 1].copy(),
        age=different[:, 2].copy(),
    )
    return few, counts.astype(np.float64)


def _with_slope(value: Callable[[FloatArray], float]) -> Objective:
    """Return a function and its gradient by central differences."""

    def objective(ln: FloatArray) -> tuple[float, FloatArray]:
        slope = np.empty_like(ln)
        for i in range(len(ln)):
            step = np.zeros_like(ln)
            step[i] = _STEP
            slope[i] = (value(ln + step) - value(ln - step)) / (2 * _STEP)
        return value(ln), slope

    return objective


def _search(
    name: str, objective: Objective, starts: Sequence[tuple[float, ...]], count: float, box: _Box
) -> Fitted:
    """Return the best end of all starts; CannotFit if there is no maximum inside the box."""
    middle, reach = np.log(np.array(box.centre)), np.array(box.reach)
    ends = [
        optimize.minimize(
            objective,
            np.log(np.array(start)),
            jac=True,
            method="L-BFGS-B",
            bounds=optimize.Bounds(middle - reach, middle + reach),
            options={"maxiter": 300, "ftol": 1e-15, "gtol": 1e-9},
        )
        for start in starts
    ]
    best = min(ends, key=lambda end: float(end.fun))
    ln = np.asarray(best.x, dtype=np.float64)
    at_edge = np.abs(ln - middle) > reach - _AT_EDGE
    if not np.isfinite(best.fun) or bool(at_edge[: box.free].any()):
        raise CannotFit(f"the {name} model has no maximum on these data")
    return Fitted(
        parameters=np.exp(ln),
        log_likelihood=-float(best.fun) * float(count),
        ln_covariance=_covariance(objective, ln, count, at_edge),
    )


def _covariance(
    objective: Objective, ln: FloatArray, count: float, at_edge: npt.NDArray[np.bool_]
) -> FloatArray:
    """Return the inverse of the information at the end of a search.

    What stands at the edge, and directions in which the likelihood is flat, have no variance.
    """
    size = len(ln)
    information = np.zeros((size, size))
    for i in np.flatnonzero(~at_edge):
        step = np.zeros(size)
        step[i] = 10 * _STEP
        information[i] = (objective(ln + step)[1] - objective(ln - step)[1]) / (20 * _STEP)
    information[:, at_edge] = 0.0
    bend, directions = np.linalg.eigh((information + information.T) / 2 * count)
    known = bend > _FLAT * bend.max()
    inverse = np.where(known, 1 / np.where(known, bend, 1.0), 0.0)
    return np.asarray((directions * inverse) @ directions.T, dtype=np.float64)
