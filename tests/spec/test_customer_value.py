"""Repeat purchases, spend and lifetime value: the published vectors, and fits of our own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special

from pnl.fitting.likelihood import CannotFit, fit_bgnbd, fit_gamma_gamma, fit_pnbd
from processors.lifetime import (
    GammaGamma,
    Spend,
    Terms,
    lifetime_value,
    save_economics,
    value_between,
    value_given_active,
)
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import (
    ZERO,
    Duration,
    Histories,
    RepeatModel,
    TimeUnit,
    histories,
    p_no_purchase,
)
from processors.repeat_pnbd import ParetoNbd
from processors.stakes import ValueModel
from tests.support.cdnow import DAY_MS, bought, published, rows

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "customer_vectors.json").read_text(encoding="utf-8")
)
BG, PN, GG, CLV = (VECTORS[f"VEC-{name}"] for name in ("BGNBD", "PNBD", "GG", "CLV"))
WEEK = TimeUnit.WEEK


def weeks(number: float) -> Duration:
    """Return so many weeks."""
    return Duration(number, WEEK)


def bgnbd(parameters: list[float]) -> BgNbd:
    """Return the model with these parameters."""
    r, alpha, a, b = parameters
    return BgNbd(unit=WEEK, r=r, alpha=alpha, a=a, b=b)


def pnbd(parameters: list[float]) -> ParetoNbd:
    """Return the model with these parameters."""
    r, alpha, s, beta = parameters
    return ParetoNbd(unit=WEEK, r=r, alpha=alpha, s=s, beta=beta)


def one(text: str) -> Histories:
    """Return the history written `x,t_x,T`, in weeks."""
    x, recency, age = (float(part) for part in text.split(","))
    return histories(WEEK, x, recency, age)


ROUNDED, FITTED = bgnbd(BG["rounded_params"]), bgnbd(BG["fit"]["params"])
PARETO = pnbd(PN["params"])
SPEND = GammaGamma(p=GG["params"][0], q=GG["params"][1], v=GG["params"][2])


def test_the_sample_is_the_published_one() -> None:
    """CTL: rows, customers, cents, discs, purchases of nothing, customer-days."""
    totals = VECTORS["CTL"]["CDNOW_sample.txt"]
    sold = bought()
    assert len(rows()) == totals["rows"]
    assert len(sold.customers) == totals["customers"]
    assert int(sold.minor.sum()) == totals["cents"]
    assert sum(int(row["cds"]) for row in rows()) == totals["cds"]
    assert sum(float(row["amount"]) == 0 for row in rows()) == totals["zero_amounts"]
    assert len(sold) == totals["customer_days"]
    assert published().weeks.repeats.sum() == VECTORS["VEC-CDNOW"]["calibration_repeats"]


@pytest.mark.parametrize("vector", BG["with_rounded_params"], ids=str)
def test_bgnbd_answers_as_published(vector: dict[str, float]) -> None:
    """VEC-BGNBD, DEF-P0: P(alive), E[Y(39)], P0(13), P0(39) of five histories."""
    past = histories(WEEK, vector["x"], vector["t_x"], vector["T"])
    assert ROUNDED.p_alive(past) == pytest.approx(vector["p_alive"], abs=5e-7)
    assert ROUNDED.expected(past, weeks(39)) == pytest.approx(vector["E39"], abs=6e-7)
    assert p_no_purchase(ROUNDED, past, weeks(13)) == pytest.approx(vector["P0_13"], abs=6e-7)
    assert p_no_purchase(ROUNDED, past, weeks(39)) == pytest.approx(vector["P0_39"], abs=6e-7)


def test_bgnbd_with_the_fit_answers_as_published() -> None:
    """VEC-BGNBD: P0 of two histories, and the repeats of a new customer."""
    for horizon in (13, 39):
        for text, value in BG["with_fit"][f"P0_{horizon}"].items():
            assert p_no_purchase(FITTED, one(text), weeks(horizon)) == pytest.approx(
                value, abs=6e-7
            )
    for t, value in BG["with_fit"]["E_X"].items():
        assert FITTED.expected_new(weeks(float(t))) == pytest.approx(value, abs=5.1e-5)


def test_pnbd_answers_as_published() -> None:
    """VEC-PNBD: P(alive), E[Y(52)], P0, and the repeats of a new customer."""
    for text, value in PN["p_alive"].items():
        assert PARETO.p_alive(one(text)) == pytest.approx(value, abs=6e-9)
    for text, value in PN["E52"].items():
        assert PARETO.expected(one(text), weeks(52)) == pytest.approx(value, abs=6e-7)
    for horizon in (13, 39):
        for text, value in PN[f"P0_{horizon}"].items():
            assert p_no_purchase(PARETO, one(text), weeks(horizon)) == pytest.approx(
                value, abs=6e-9
            )
    new = [PARETO.expected_new(weeks(t)) for t in range(1, 10)]
    assert new == pytest.approx(PN["E_X_1_to_9"], abs=5.1e-5)


def test_our_fit_of_bgnbd_is_the_published_one() -> None:
    """VEC-BGNBD: parameters and log-likelihood, with rounded and with exact times."""
    for past, key in ((published().weeks, "fit"), (published().exact_weeks, "fit_exact_times")):
        fit = fit_bgnbd(past)
        assert fit.fitted.parameters == pytest.approx(BG[key]["params"], abs=2e-6)
        assert fit.fitted.log_likelihood == pytest.approx(BG[key]["loglik"], abs=1e-5)


def test_our_fit_of_pnbd_is_the_published_one() -> None:
    """VEC-PNBD: parameters and log-likelihood."""
    fit = fit_pnbd(published().weeks)
    assert fit.fitted.parameters == pytest.approx(PN["params"], abs=1e-5)
    assert fit.fitted.log_likelihood == pytest.approx(PN["loglik"], abs=1e-5)


def test_our_fit_of_gamma_gamma_is_the_published_one() -> None:
    """VEC-GG: parameters, log-likelihood, repeaters, and how x and the mean are correlated."""
    spend = published().spend
    fit = fit_gamma_gamma(spend)
    repeaters = spend.repeats > 0
    assert fit.fitted.parameters == pytest.approx(GG["params"], rel=2e-6)
    assert fit.fitted.log_likelihood == pytest.approx(GG["loglik"], abs=1e-4)
    assert repeaters.sum() == GG["repeaters"]
    pearson = np.corrcoef(spend.repeats[repeaters], spend.mean[repeaters])[0, 1]
    assert pearson == pytest.approx(GG["pearson_x_z"], abs=5e-6)
    for text, value in GG["E"].items():
        x, mean = (np.array([float(part)]) for part in text.split(","))
        expected = SPEND.expected(Spend(repeats=x, mean=mean))
        assert expected == pytest.approx(value, abs=5.1e-5)


def test_a_fit_draws_no_lots() -> None:
    """The same data give the same fit, to the last bit."""
    first, again = (fit_bgnbd(published().weeks).fitted.parameters for _ in range(2))
    assert (first == again).all()


@pytest.mark.parametrize("case", CLV["cases"], ids=str)
def test_a_life_is_worth_what_the_vector_says(case: dict[str, float]) -> None:
    """VEC-CLV: twelve months at 1 % a month, in weeks."""
    past = histories(WEEK, case["x"], case["t_x"], case["T"])
    spend = Spend(repeats=np.array([case["x"]]), mean=np.array([case["z"]]))
    value = lifetime_value(FITTED, past, SPEND.expected(spend), Terms())
    assert value == pytest.approx(case["clv"], abs=1.1e-4)


def test_the_portfolio_is_worth_what_the_vector_says() -> None:
    """VEC-CLV: all 2,357 customers together."""
    value = lifetime_value(FITTED, published().weeks, SPEND.expected(published().spend), Terms())
    assert value.sum() == pytest.approx(CLV["portfolio_2357"], abs=0.1)


def test_days_cannot_be_taken_for_weeks() -> None:
    """DEF-CLV's trap: histories carry their unit, so in days they are worth the same."""
    spend = SPEND.expected(Spend(repeats=np.array([2.0]), mean=np.array([22.35])))
    in_weeks = histories(WEEK, 2, 30.43, 38.86)
    in_days = histories(TimeUnit.DAY, 2, 30.43 * 7, 38.86 * 7)
    values = [lifetime_value(FITTED, past, spend, Terms()) for past in (in_weeks, in_days)]
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    wrong = CLV["wrong_with_30"]["2,30.43,38.86,22.35"]
    assert abs(float(values[1][0]) - wrong) > 100


@pytest.mark.parametrize("model", [FITTED, PARETO], ids=["bgnbd", "pnbd"])
def test_the_chance_to_buy_is_one_less_the_chance_not_to(model: RepeatModel) -> None:
    """DEF-P0: two formulas found in two ways agree."""
    past = published().weeks
    buys = model.p_purchase(past, ZERO, weeks(39))
    assert buys == pytest.approx(1 - p_no_purchase(model, past, weeks(39)), abs=1e-9)


@pytest.mark.parametrize("model", [FITTED, PARETO], ids=["bgnbd", "pnbd"])
def test_models_stay_finite_for_the_busiest_customers(model: RepeatModel) -> None:
    """No overflow at thousands of repeats, just now or long ago."""
    past = histories(WEEK, [1, 300, 5000, 5000, 0], [0.1, 260, 520, 3, 0], [520, 260, 520, 520, 0])
    for values in (
        model.log_likelihood(past),
        model.p_alive(past),
        model.expected(past, weeks(52)),
        p_no_purchase(model, past, weeks(13)),
        model.p_purchase(past, weeks(4), weeks(56)),
    ):
        assert np.isfinite(values).all()
    assert model.expected(past, weeks(52))[2] == pytest.approx(500, rel=0.2)


@pytest.mark.parametrize(
    "parameters", [[0.9, 10.4, 1e-4, 8000.0], [0.9, 10.4, 1.0, 1044.0], [0.6, 4.0, 3.0, 0.4]]
)
def test_bgnbd_expects_what_its_chances_add_up_to(parameters: list[float]) -> None:
    """E[Y] is finite and right when nobody is seen to stop, near a = 1, and far ahead."""
    fitted = bgnbd(parameters)
    past = histories(WEEK, [0, 1, 5, 60, 400], [0, 40, 48.9, 48.99, 48.999], [49] * 5)
    for ahead in (4.0, 52.0, 500.0):
        assert np.isfinite(fitted.expected(past, weeks(ahead))).all()
    short = 1e-3
    rate = (parameters[0] + past.repeats) / (parameters[1] + past.age) * fitted.p_alive(past)
    assert fitted.expected(past, weeks(short)) / short == pytest.approx(rate, rel=2e-3)
    if parameters[2] < 0.01:
        assert fitted.expected(past, weeks(52)) == pytest.approx(rate * 52, rel=0.01)


def stopping(y: float, alpha: float, m: float, beta: float, n: float) -> float:
    """Return the integrand of DEF-PNBD."""
    return (alpha + y) ** -m * (beta + y) ** -n


def test_pnbd_integrates_as_the_definition_says() -> None:
    """DEF-PNBD: the closed form equals the integral, for alpha below and above beta."""
    for parameters in ([0.55, 10.6, 0.61, 11.7], [2.0, 30.0, 1.4, 5.0], [0.8, 7.0, 1.0, 7.0]):
        r, alpha, s, beta = parameters
        for x, recency, age in ((0, 0.0, 30.0), (3, 12.0, 40.0), (26, 30.9, 31.0)):
            powers = (alpha, r + x, beta, s + 1)
            total, _ = integrate.quad(stopping, recency, age, args=powers)
            bracket = (alpha + age) ** -(r + x) * (beta + age) ** -s + s * total
            ln_first = special.gammaln(r + x) - special.gammaln(r)
            ln_first += r * np.log(alpha) + s * np.log(beta)
            found = pnbd(parameters).log_likelihood(histories(WEEK, x, recency, age))
            assert found == pytest.approx(ln_first + np.log(bracket), abs=1e-8)


def test_spans_of_value_add_up() -> None:
    """A year's value is that of its first quarter and of the rest."""
    past, mean = published().weeks, SPEND.expected(published().spend)
    month = TimeUnit.MONTH
    parts = [(0.0, 3.0), (3.0, 12.0)]
    added = sum(
        value_between(FITTED, past, mean, Terms(), Duration(a, month), Duration(b, month))
        for a, b in parts
    )
    assert added == pytest.approx(lifetime_value(FITTED, past, mean, Terms()), rel=1e-12)


def test_the_value_of_a_buyer_is_the_value_divided_by_the_chance() -> None:
    """DEF-RC's V times the chance to buy is what was expected of the span."""
    past, mean = published().weeks, SPEND.expected(published().spend)
    start, end = Duration(30, TimeUnit.DAY), Duration(395, TimeUnit.DAY)
    given = value_given_active(FITTED, past, mean, Terms(margin=0.4), start, end)
    expected = value_between(FITTED, past, mean, Terms(margin=0.4), start, end)
    assert given * FITTED.p_purchase(past, start, end) == pytest.approx(
        expected, rel=1e-4, abs=1e-6
    )
    assert (given > 0.9 * 0.4 * mean / 1.01**13).all()


def test_save_calls_are_worth_what_they_keep_less_what_they_give() -> None:
    """VEC-SAVE: 118.80 kept, 33.75 given, 85.05 net."""
    case = VECTORS["VEC-SAVE"]
    found = save_economics(
        round(case["p_with"] * 1e6),
        round(case["p_without"] * 1e6),
        case["remaining_margin"],
        case["offer_cost"],
    )
    assert (found.retained_minor, found.offer_minor, found.net_minor) == (
        case["increment_D1"],
        case["offer_C4"],
        case["net"],
    )


def test_what_the_data_do_not_determine_is_not_fitted() -> None:
    """Too few repeaters, or customers who all buy alike: CannotFit, never numbers."""
    with pytest.raises(CannotFit, match="customers bought again"):
        fit_bgnbd(histories(WEEK, [0, 1], [0, 3], [9, 9]))
    alike = histories(WEEK, np.full(200, 5), np.full(200, 10.0), np.full(200, 12.0))
    with pytest.raises(CannotFit):
        fit_bgnbd(alike)


def test_a_history_that_contradicts_itself_is_refused() -> None:
    """No recency after age, none without repeats, none of other lengths."""
    for x, recency, age in (([1], [5], [3]), ([0], [2], [3]), ([1, 2], [1], [3])):
        with pytest.raises(ValueError, match=r"\w"):
            histories(WEEK, x, recency, age)


def test_what_is_at_stake_is_frozen_just_before_the_instant() -> None:
    """DEF-RC's V: purchases at the instant or later change nothing; who never bought has none."""
    model = ValueModel(repeat=FITTED, spend=SPEND, terms=Terms(margin=0.4))
    sold = bought()
    names = [*sold.customers[:50], "nobody", sold.customers[0]]
    day = int(sold.day.min()) + 200
    days = np.array([day] * 51 + [int(sold.day[0]) - 1], dtype=np.int64)
    start, end = Duration(30, TimeUnit.DAY), Duration(395, TimeUnit.DAY)
    found = model.just_before(sold, names, days * DAY_MS, days, start, end)
    known = sold.on(day - 1)
    later = known.histories.at(np.arange(50)).later(Duration(1, TimeUnit.DAY))
    mean = SPEND.expected(Spend(repeats=later.repeats, mean=known.mean_minor[:50]))
    expected = value_between(FITTED, later, mean, model.terms, start, end)
    assert found.expected[:50] == pytest.approx(expected)
    assert found.given_active[:50] * found.p_active[:50] == pytest.approx(expected, rel=1e-4)
    assert np.isnan(found.given_active[50:]).all()
