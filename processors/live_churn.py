"""Churn risk of one customer at a time, as often as facts come (DEF-RISK, DEF-RISK-LIVE).

Law: what a model says of one customer here is what it says of him among many in
`processors.churn`. Nothing is made up: where model and curves know nothing, the risk is None.

A history is (x, t_x, T) in whole local days, like those the model was fitted on.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from scipy.special import cython_special

from processors.churn import BUCKETS, Calibration, Curve, ObservedRisk
from processors.churn_signals import Observation, Reason, SignalRules, Weights, reasons_of
from processors.lifetime import GammaGamma
from processors.repeat_bgnbd import BgNbd
from processors.repeat_pnbd import ParetoNbd
from processors.signal_records import RiskMethod
from streams.facts import Millis

_NEVER: Final = 1e-9
_POLE: Final = 1e-5

hyp2f1: Final = cast("Callable[[float, float, float, float], float]", cython_special.hyp2f1)
"""The same function as `scipy.special.hyp2f1`, for one number at a third of its price."""


class Bought(NamedTuple):
    """A customer's purchases: how many days after the first, when the last, how long ago the first.

    `recency_days` and `age_days` count from the first; `mean_minor` is the mean of the repeat days'
    totals, 0 without repeats.
    """

    repeats: int
    recency_days: int
    age_days: int
    mean_minor: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModel:
    """What `pnl fit churn` found, for one customer at a time.

    `name` tells it from any other; `repeat` is None where nothing could be fitted: then the curves
    of `observed` say what is known. Amounts are minor units of `currency`, the reporting one.
    """

    name: str
    horizon_days: int
    currency: str
    repeat: BgNbd | ParetoNbd | None = None
    calibration: Calibration = field(default_factory=Calibration)
    observed: ObservedRisk | None = None
    spend: GammaGamma | None = None
    weights: Weights = field(default_factory=Weights)
    rules: SignalRules = field(default_factory=SignalRules)

    @property
    def method(self) -> RiskMethod:
        """What the risk is made of."""
        if self.repeat is None:
            return "observed"
        return "bgnbd" if isinstance(self.repeat, BgNbd) else "pnbd"

    def risk(self, bought: Bought) -> float | None:
        """Return P(no purchase within the horizon), before signals; None where it is not known.

        It is not known where a model at the edge of what can be fitted is beyond what numbers
        can hold: journeys go on without.
        """
        if self.repeat is None:
            return None if self.observed is None else self._observed(self.observed, bought)
        try:
            risk = self._by_purchases(self.repeat, bought)
        except (ArithmeticError, ValueError):
            return None
        return risk if math.isfinite(risk) else None

    def _by_purchases(self, repeat: BgNbd | ParetoNbd, bought: Bought) -> float:
        unit = repeat.unit.value
        recency, age = bought.recency_days / unit, bought.age_days / unit
        ahead = age + self.horizon_days / unit
        if isinstance(repeat, BgNbd):
            ln_p0 = _bgnbd_ln_p0(repeat, bought.repeats, recency, age, ahead)
        else:
            ln_p0 = _pnbd_ln_p0(repeat, bought.repeats, recency, age, ahead)
        return _calibrated(self.calibration, min(math.exp(ln_p0), 1.0), bought)

    def _observed(self, curves: ObservedRisk, bought: Bought) -> float | None:
        """Return S(since + H) / S(since) of the repeat-count bucket, where 30 were watched."""
        curve = curves.curves[bisect_right(BUCKETS, bought.repeats) - 1]
        since = bought.age_days - bought.recency_days
        ahead = since + self.horizon_days
        now = _share(curve, since)
        if now is None or now <= 0 or ahead > curve.known_days_max:
            return None
        later = _share(curve, ahead)
        return None if later is None else later / now

    def moved_by(self, base: float, seen: Sequence[Observation], at: Millis) -> float:
        """Return the risk that `live_risk` gives, quickly: it is asked at every fact."""
        if not seen or base <= 0.0 or base >= 1.0:
            return base
        logit = math.log(base / (1 - base))
        weights, half_life_ms = self.weights.by_signal, self.rules.half_life_ms
        for one in seen:
            logit += weights[one.signal] * math.exp2(-(at - one.at) / half_life_ms)
        return _expit(logit)

    def reasons(self, seen: Sequence[Observation], at: Millis) -> tuple[Reason, ...]:
        """Return why `moved_by` moves a risk, the strongest first."""
        return reasons_of(seen, at, self.rules, self.weights)

    def value_minor(self, bought: Bought, margin_ppm: int) -> int | None:
        """Return the margin expected within the horizon (DEF-BGNBD, DEF-PNBD, DEF-GG).

        Undiscounted: the horizon is short. None where no spend was fitted, or where a model at
        the edge of what can be fitted is beyond what numbers can hold: journeys go on.
        """
        try:
            return self._worth_minor(bought, margin_ppm)
        except (ArithmeticError, ValueError):
            return None

    def _worth_minor(self, bought: Bought, margin_ppm: int) -> int | None:
        if self.spend is None or self.repeat is None:
            return None
        unit = self.repeat.unit.value
        recency, age, within = (
            bought.recency_days / unit,
            bought.age_days / unit,
            self.horizon_days / unit,
        )
        if isinstance(self.repeat, BgNbd):
            count = _bgnbd_expected(self.repeat, bought.repeats, recency, age, within)
        else:
            count = _pnbd_expected(self.repeat, bought.repeats, recency, age, within)
        p, q, x = self.spend.p, self.spend.q, bought.repeats
        if p * x + q <= 1:
            return None  # the mean spend has no expectation
        mean = p * (self.spend.v + x * bought.mean_minor) / (p * x + q - 1)
        worth = count * mean * margin_ppm / 1_000_000
        return round(worth) if math.isfinite(worth) else None


def _expit(logit: float) -> float:
    return 0.5 * (1 + math.tanh(logit / 2))


def _calibrated(weights: Calibration, p0: float, bought: Bought) -> float:
    """Return the risk by DEF-CAL of a chance not to buy."""
    inside = min(max(p0, _NEVER), 1 - _NEVER)
    return _expit(
        weights.intercept
        + weights.on_logit * (math.log(inside) - math.log1p(-inside))
        + weights.on_repeats * math.log1p(bought.repeats)
        + weights.on_days_since * math.log1p(bought.age_days - bought.recency_days)
    )


def _share(curve: Curve, days: float) -> float | None:
    """Return the share who had not bought after so many days; None past all that was watched."""
    if days > curve.watched_days_max:
        return None
    place = bisect_right(curve.days, days)
    return curve.share[place - 1] if place else 1.0


def _ln_sum(a: float, b: float) -> float:
    """Return ln(e^a + e^b)."""
    if b > a:
        a, b = b, a
    return a + math.log1p(math.exp(b - a)) if b > -math.inf else a


def _bgnbd_ends(model: BgNbd, x: int, recency: float, age: float) -> tuple[float, float]:
    """Return ln A3 and ln A4 of DEF-BGNBD."""
    shape = model.r + x
    alive = -shape * math.log(model.alpha + age)
    if x == 0:
        return alive, -math.inf
    stopped = math.log(model.a / (model.b + x - 1)) - shape * math.log(model.alpha + recency)
    return alive, stopped


def _bgnbd_ln_p0(model: BgNbd, x: int, recency: float, age: float, ahead: float) -> float:
    """Return ln L(x, t_x, T+H) - ln L(x, t_x, T): all but the ends cancels (DEF-P0)."""
    alive, stopped = _bgnbd_ends(model, x, recency, age)
    later = -(model.r + x) * math.log(model.alpha + ahead)
    return _ln_sum(later, stopped) - _ln_sum(alive, stopped)


def _bgnbd_expected(model: BgNbd, x: int, recency: float, age: float, within: float) -> float:
    """Return E[Y(t) | x, t_x, T], by the transformed function of `BgNbd`."""
    a = model.a if abs(model.a - 1) > _POLE else 1 + _POLE
    alive, stopped = _bgnbd_ends(model, x, recency, age)
    z = within / (model.alpha + age + within)
    # As BgNbd.expected: 2F1 of a - 1 stands for a, the rest is the same.
    low = a - 1
    grown = hyp2f1(low, low + model.b - model.r, a + model.b + x - 1, z)
    power = math.exp(low * math.log1p(-z)) * grown
    if not math.isfinite(power):
        shape, top = model.r + x, model.b + x
        power = math.exp(shape * math.log1p(-z)) * hyp2f1(shape, top, low + top, z)
    p_alive = math.exp(alive - _ln_sum(alive, stopped))
    return (a + model.b + x - 1) / (a - 1) * (1 - power) * p_alive


def _pnbd_ln_h(model: ParetoNbd, x: int, u: float) -> float:
    """Return ln h(u), as `ParetoNbd` takes it."""
    power = model.r + model.s + x
    larger = max(model.alpha, model.beta)
    other = model.s + 1 if model.alpha >= model.beta else model.r + x
    z = abs(model.alpha - model.beta) / (larger + u)
    series = hyp2f1(1.0, power + 1 - other, power + 1, z)
    return (1 - other) * math.log1p(-z) + math.log(series) - power * math.log(larger + u)


def _pnbd_ends(model: ParetoNbd, x: int, near: float, age: float) -> tuple[float, float]:
    """Return the logarithms of the bracket's terms of DEF-PNBD; `near` is ln h(t_x)."""
    alive = -(model.r + x) * math.log(model.alpha + age) - model.s * math.log(model.beta + age)
    gone = min(_pnbd_ln_h(model, x, age) - near, 0.0)
    if gone == 0.0:
        return alive, -math.inf
    share = math.log(model.s / (model.r + model.s + x))
    return alive, near + math.log(-math.expm1(gone)) + share


def _pnbd_ln_p0(model: ParetoNbd, x: int, recency: float, age: float, ahead: float) -> float:
    """Return ln L(x, t_x, T+H) - ln L(x, t_x, T) (DEF-P0)."""
    near = _pnbd_ln_h(model, x, recency)
    return _ln_sum(*_pnbd_ends(model, x, near, ahead)) - _ln_sum(*_pnbd_ends(model, x, near, age))


def _pnbd_expected(model: ParetoNbd, x: int, recency: float, age: float, within: float) -> float:
    """Return E[Y(t) | x, t_x, T] of DEF-PNBD."""
    near = _pnbd_ln_h(model, x, recency)
    alive, stopped = _pnbd_ends(model, x, near, age)
    p_alive = math.exp(alive - _ln_sum(alive, stopped))
    s = model.s if abs(model.s - 1) > 1e-6 else 1 + 1e-6
    seen = model.beta + age
    length = -seen / (s - 1) * math.expm1(-(s - 1) * math.log1p(within / seen))
    return p_alive * (model.r + x) / (model.alpha + age) * length
