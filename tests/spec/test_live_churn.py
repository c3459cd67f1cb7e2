"""What is said of one customer at a time is what is said of him among many (DEF-RISK-LIVE)."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.churn import BUCKETS, Calibration, Curve, FittedRisk, ObservedRisk
from processors.churn_signals import (
    SIGNALS,
    Observation,
    Signal,
    SignalRules,
    Weights,
    live_risk,
)
from processors.lifetime import GammaGamma, Spend
from processors.live_churn import Bought, LiveModel
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import Duration, Histories, RepeatModel, TimeUnit, histories
from processors.repeat_pnbd import ParetoNbd

HORIZON = 90
NEAR = 1e-9
CALIBRATION = Calibration(intercept=0.1, on_logit=0.9, on_repeats=-0.2, on_days_since=0.3)
SPEND = GammaGamma(p=6.2488, q=3.74459, v=1544.774)
MODELS = (
    BgNbd(unit=TimeUnit.WEEK, r=0.242593, alpha=4.413532, a=0.792886, b=2.425754),
    BgNbd(unit=TimeUnit.DAY, r=1.5, alpha=80.0, a=1.0, b=0.9),
    BgNbd(unit=TimeUnit.DAY, r=1.1, alpha=20.0, a=3463.8, b=8103.1),
    ParetoNbd(unit=TimeUnit.WEEK, r=0.55328, alpha=10.57761, s=0.60621, beta=11.66791),
    ParetoNbd(unit=TimeUnit.DAY, r=0.9, alpha=240.0, s=1.0, beta=70.0),
)
CURVES = (
    Curve(days=(3.0, 10.0), share=(0.9, 0.4), watched_days_max=900.0, known_days_max=800.0),
    Curve(days=(1.0, 200.0), share=(0.5, 0.0), watched_days_max=300.0, known_days_max=250.0),
)


@st.composite
def purchases(draw: st.DrawFn) -> Bought:
    """Draw a history that can be."""
    repeats = draw(st.integers(0, 60))
    recency = 0 if repeats == 0 else draw(st.integers(1, 900))
    return Bought(repeats, recency, recency + draw(st.integers(0, 900)), 12.5)


def among_many(bought: Bought) -> Histories:
    """Return a history as that of many."""
    return histories(TimeUnit.DAY, bought.repeats, bought.recency_days, bought.age_days)


def live(model: RepeatModel | None, observed: ObservedRisk | None = None) -> LiveModel:
    """Return what is said of one at a time."""
    assert model is None or isinstance(model, BgNbd | ParetoNbd)
    return LiveModel(
        name="test",
        horizon_days=HORIZON,
        currency="GBP",
        repeat=model,
        calibration=CALIBRATION,
        observed=observed,
        spend=SPEND,
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@given(bought=purchases())
def test_the_risk_of_one_is_that_among_many(model: RepeatModel, bought: Bought) -> None:
    """P0 of both models, calibrated, agrees whatever the history."""
    horizon = Duration(HORIZON, TimeUnit.DAY)
    (among,) = FittedRisk(model=model, horizon=horizon, calibration=CALIBRATION).risk(
        among_many(bought)
    )
    assert live(model).risk(bought) == pytest.approx(among, abs=NEAR)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@given(bought=purchases())
def test_the_margin_expected_of_one_is_that_among_many(model: RepeatModel, bought: Bought) -> None:
    """Purchases expected within the horizon x what one brings x margin, to the minor unit."""
    count = model.expected(among_many(bought), Duration(HORIZON, TimeUnit.DAY))
    repeats = np.array([float(bought.repeats)])
    mean = SPEND.expected(Spend(repeats=repeats, mean=np.array([bought.mean_minor])))
    value = live(model).value_minor(bought, 400_000)
    assert value == pytest.approx(float(count[0] * mean[0]) * 0.4, rel=NEAR, abs=0.51)


@given(bought=purchases())
def test_before_a_fit_the_curves_speak_or_nobody(bought: Bought) -> None:
    """By repeat-count bucket; None where fewer than 30 were watched for so long."""
    curves = ObservedRisk(
        curves=tuple(CURVES[place % 2] for place in range(len(BUCKETS))),
        horizon=Duration(HORIZON, TimeUnit.DAY),
    )
    (among,) = curves.risk(among_many(bought))
    alone = live(None, curves).risk(bought)
    assert (alone is None) == math.isnan(among)
    assert alone is None or alone == pytest.approx(among, abs=NEAR)
    assert live(None).risk(bought) is None


@given(
    st.floats(0.0, 1.0),
    st.lists(st.tuples(st.sampled_from(SIGNALS), st.integers(0, 10**10)), max_size=4),
)
def test_signals_move_one_as_they_move_many(base: float, shown: list[tuple[Signal, int]]) -> None:
    """The same logits, the same reasons in the same order."""
    at = 2 * 10**10
    seen = tuple(Observation(signal, when, "f") for signal, when in dict(shown).items())
    among = live_risk(base, seen, at, SignalRules(), Weights())
    assert among is not None
    assert live(MODELS[0]).moved_by(base, seen, at) == pytest.approx(among.risk, abs=NEAR)
    assert live(MODELS[0]).reasons(seen, at) == among.reasons


@pytest.mark.parametrize("repeats", [0, 1, 12])
def test_a_fit_that_ran_to_the_edge_says_what_one_near_it_says(repeats: int) -> None:
    """All leave with the same probability: a and b grow without end, in the same proportion."""
    bought = Bought(repeats, 5 * repeats, 5 * repeats + 40, 1_000.0)
    edge, near = (
        live(BgNbd(unit=TimeUnit.DAY, r=1.1, alpha=20.0, a=a, b=2.34 * a)) for a in (3463.8, 300.0)
    )
    assert edge.risk(bought) == pytest.approx(near.risk(bought), rel=0.03)
    value = edge.value_minor(bought, 400_000)
    assert value == pytest.approx(near.value_minor(bought, 400_000), rel=0.05, abs=1)  # a cent
    assert value


def test_a_model_beyond_what_numbers_can_hold_says_nothing() -> None:
    """The money path goes on: a risk that cannot be worked out is not known."""
    bought = Bought(3, 50, 900, 1_000.0)
    broken = live(BgNbd(unit=TimeUnit.DAY, r=1e308, alpha=1e-300, a=1e308, b=1e308))
    assert broken.risk(bought) is None
    assert broken.value_minor(bought, 400_000) is None
