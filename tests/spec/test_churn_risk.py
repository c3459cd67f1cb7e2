"""Churn risk on the CDNOW sample: the published score board, and what our own risk must reach."""

from functools import cache

import numpy as np
import pytest

from pnl.fitting.churn import fit_churn
from pnl.fitting.evaluation import BASELINE, SHIPPED, Evaluation, evaluate
from pnl.fitting.likelihood import CannotFit, fit_bgnbd, fit_pnbd
from pnl.fitting.scores import auc, brier, decile_gap_max, deciles, log_loss
from processors.churn import (
    Calibration,
    FittedRisk,
    bucket_of,
    kaplan_meier,
    observed_risk,
)
from processors.purchases import Purchases, purchases
from processors.repeat_models import (
    Duration,
    RepeatModel,
    TimeUnit,
    histories,
    p_no_purchase,
)
from tests.spec.test_customer_value import VECTORS
from tests.support.cdnow import CALIBRATED, DAY_MS, END, bought, published

BOARD = VECTORS["VEC-CDNOW"]
HORIZON = Duration(39.0, TimeUnit.WEEK)
PAST = published().weeks
REPEATED = PAST.repeats > 0
SINCE = PAST.age - PAST.recency


@cache
def days_bought() -> np.ndarray:
    """Return on how many days of the hold-out each customer bought."""
    return bought().count(np.arange(2357), CALIBRATED, END)


@cache
def gone() -> np.ndarray:
    """Return who did not buy from 1997-10-01 to 1998-06-30."""
    return days_bought() == 0


@cache
def model(name: str) -> RepeatModel:
    """Return our fit of a model, as the papers have it."""
    return fit_bgnbd(PAST).model if name == "bgnbd" else fit_pnbd(PAST).model


def test_the_hold_out_is_the_published_one() -> None:
    """VEC-CDNOW: 684 of 2,357 bought again, on 1,882 days."""
    assert (~gone()).sum() == BOARD["holdout_buyers"]
    assert days_bought().sum() == BOARD["holdout_customer_days"]
    share = gone().mean()
    assert share * (1 - share) == pytest.approx(BOARD["base_rate_brier"], abs=5e-6)


@pytest.mark.parametrize("name", ["bgnbd", "pnbd"])
def test_the_models_score_as_published(name: str) -> None:
    """Score board: P(alive) is worse than a coin for BG/NBD; P0 and E[Y] rank well."""
    fitted, areas = model(name), BOARD["auc"]
    p0 = p_no_purchase(fitted, PAST, HORIZON)
    alive, expected = fitted.p_alive(PAST), fitted.expected(PAST, HORIZON)
    close = {"abs": 6e-5}
    assert auc(-alive, gone()) == pytest.approx(areas[f"{name}_p_alive"], **close)
    found = auc(-alive[REPEATED], gone()[REPEATED])
    assert found == pytest.approx(areas[f"{name}_p_alive_repeaters"], **close)
    assert auc(p0, gone()) == pytest.approx(areas[f"{name}_1_minus_P0"], **close)
    assert auc(-expected, gone()) == pytest.approx(areas[f"{name}_E39"], **close)
    assert brier(p0, gone()) == pytest.approx(BOARD[name]["brier_P0"], **close)
    assert p0.mean() == pytest.approx(BOARD[name]["mean_P0"], abs=6e-5)
    assert expected.sum() == pytest.approx(BOARD[name]["E39_total"], abs=0.06)


def test_bgnbd_predicts_counts_as_published() -> None:
    """Score board: log loss, mean absolute and root mean square error, correlation, deciles."""
    expected, real = model("bgnbd").expected(PAST, HORIZON), days_bought()
    p0, told = p_no_purchase(model("bgnbd"), PAST, HORIZON), BOARD["bgnbd"]
    assert log_loss(p0, gone()) == pytest.approx(told["logloss_P0"], abs=6e-5)
    assert np.abs(expected - real).mean() == pytest.approx(told["mae"], abs=6e-5)
    assert np.sqrt(((expected - real) ** 2).mean()) == pytest.approx(told["rmse"], abs=6e-4)
    assert np.corrcoef(expected, real)[0, 1] == pytest.approx(told["corr"], abs=6e-4)
    found = deciles(p0, gone())
    drawn = BOARD["bgnbd_deciles"]
    assert [each.predicted for each in found] == pytest.approx(drawn["predicted"], abs=0.0051)
    assert [each.actual for each in found] == pytest.approx(drawn["actual"], abs=0.0151)


def test_plain_rankings_score_as_published() -> None:
    """Score board: repeats and recency, recency alone, overdue, MBG/NBD's P(alive)."""
    areas = BOARD["auc"]
    plain = SINCE - PAST.repeats * 1000
    name = "repeat_count_then_days_since_last"
    assert auc(plain, gone()) == pytest.approx(areas[name], abs=6e-5)
    again = auc(plain[REPEATED], gone()[REPEATED])
    assert again == pytest.approx(areas[f"{name}_repeaters"], abs=6e-5)
    assert auc(SINCE, gone()) == pytest.approx(areas["days_since_last"], abs=6e-5)
    overdue = SINCE[REPEATED] / (PAST.recency[REPEATED] / PAST.repeats[REPEATED])
    assert auc(overdue, gone()[REPEATED]) == pytest.approx(areas["overdue_repeaters"], abs=6e-4)
    r, alpha, a, b = 0.525, 6.183, 0.891, 1.614
    ratio = (alpha + PAST.age) / (alpha + PAST.recency)
    alive = 1 / (1 + a / (b + PAST.repeats) * ratio ** (r + PAST.repeats))
    assert auc(-alive, gone()) == pytest.approx(areas["mbgnbd_p_alive"], abs=6e-4)
    found = auc(-alive[REPEATED], gone()[REPEATED])
    assert found == pytest.approx(areas["mbgnbd_p_alive_repeaters"], abs=6e-4)


@cache
def judged(horizon_days: int) -> Evaluation:
    """Return what our risk of 1997-09-30 was worth."""
    return evaluate(bought(), CALIBRATED, horizon_days)


def test_the_raw_model_is_good_enough() -> None:
    """DEF-CAL: raw AUC at least .75, raw Brier at most .165."""
    raw = judged(273).score("BG/NBD P0")
    assert raw.auc is not None
    assert raw.auc >= BOARD["accept"]["raw_auc_min"]
    assert raw.brier is not None
    assert raw.brier <= BOARD["accept"]["raw_brier_max"]


@pytest.mark.parametrize("horizon_days", [90, 273])
def test_the_shipped_risk_ranks_like_the_baseline_and_is_right_out_of_time(
    horizon_days: int,
) -> None:
    """DEF-CAL: AUC within .01 of the baseline or above it, deciles within 8 points."""
    found = judged(horizon_days)
    shipped, plain = found.score(SHIPPED), found.score(BASELINE)
    assert shipped.auc is not None
    assert plain.auc is not None
    assert shipped.auc >= plain.auc - 0.01
    assert shipped.auc >= BOARD["accept"]["shipped_auc_min"]
    assert found.decile_gap is not None
    assert found.decile_gap <= BOARD["accept"]["decile_gap_max"]


def test_a_calibration_learns_from_matured_labels_alone() -> None:
    """What happens after the day of the fit changes nothing of the fit."""
    later = bought()
    known = later.day <= CALIBRATED
    owner = np.repeat(np.array(later.customers), np.diff(later.starts))[known]
    cut = purchases(owner, later.at_ms[known], later.day[known], later.minor[known])
    one, other = fit_churn(later, CALIBRATED), fit_churn(cut, CALIBRATED)
    assert one.learnt == other.learnt
    assert one.observed == other.observed
    assert one.repeat is not None
    assert other.repeat is not None
    assert one.repeat.model == other.repeat.model


def test_a_calibration_that_learnt_nothing_changes_nothing() -> None:
    """The default is the model's own probability."""
    p0 = p_no_purchase(model("bgnbd"), PAST, HORIZON)
    risk = FittedRisk(model=model("bgnbd"), horizon=HORIZON, calibration=Calibration())
    assert risk.risk(PAST) == pytest.approx(p0, abs=1e-8)


def test_kaplan_meier_counts_who_was_watched() -> None:
    """VEC-KM: times 1, 2+, 3, 4+, 5 give 4/5 after 1, 8/15 after 3, 0 after 5."""
    vector = VECTORS["VEC-KM"]
    curve = kaplan_meier(vector["times"], vector["event"])
    shares = curve.shares(np.array([0.5, 1.0, 2.9, 3.0, 5.0, 5.1]))
    assert shares[:5] == pytest.approx([1, 4 / 5, 4 / 5, 8 / 15, 0])
    assert np.isnan(shares[5]), "nobody was watched for so long"


def test_risk_before_a_fit_is_what_was_observed_and_nothing_where_too_few_were() -> None:
    """Kaplan-Meier by repeat-count bucket stands near the fit, and is NaN past the data.

    Nobody who bought once was watched for as long as all of them are silent by then, plus 90 days.
    """
    observed = observed_risk(bought(), CALIBRATED, Duration(90.0, TimeUnit.DAY))
    past = bought().on(CALIBRATED).histories
    risk, known = observed.risk(past), np.isfinite(observed.risk(past))
    assert 0.1 < known.mean() < 1
    fitted = fit_churn(bought(), CALIBRATED).risk_model.risk(past)
    bucket = bucket_of(past.repeats)
    for place in (1, 2, 3):
        here = known & (bucket == place)
        assert risk[here].mean() == pytest.approx(fitted[here].mean(), abs=0.12)
    ancient = histories(TimeUnit.DAY, 0, 0, 10_000)
    assert np.isnan(observed.risk(ancient)).all()


def test_too_short_a_history_is_refused() -> None:
    """An evaluation needs a past and a horizon after it; few customers get what was observed."""
    with pytest.raises(CannotFit, match="does not hold 90 days"):
        evaluate(bought(), END, 90)
    few = purchases(["a", "b", "a"], [0, DAY_MS, 300 * DAY_MS], [0, 1, 300], [5, 5, 5])
    fit = fit_churn(few, 200)
    assert fit.label == "observed"
    assert "bought again" in fit.reason
    assert np.isnan(fit.risk_model.risk(few.on(200).histories)).all()


def test_measures_that_labels_cannot_give_are_none() -> None:
    """All of one kind have no AUC; nobody has no Brier score."""
    assert auc(np.array([0.1, 0.9]), np.array([True, True])) is None
    assert brier(np.array([]), np.array([], dtype=bool)) is None
    assert decile_gap_max(deciles(np.array([]), np.array([], dtype=bool))) is None


def naive(sold: list[tuple[str, int, int]], name: str, before_ms: int) -> tuple[int, int, float]:
    """Return repeats, recency in days, mean of the repeats, by looking at every purchase."""
    known = sorted({at // DAY_MS for who, at, _ in sold if who == name and at < before_ms})
    first_of = {
        day: min(at for w, at, _ in sold if w == name and at // DAY_MS == day) for day in known
    }
    known = [day for day in known if first_of[day] < before_ms]
    paid = [sum(m for w, at, m in sold if w == name and at // DAY_MS == day) for day in known[1:]]
    return len(known) - 1, known[-1] - known[0], sum(paid) / len(paid) if paid else 0.0


def test_a_snapshot_knows_only_what_came_before_its_instant() -> None:
    """Just before an order, that order is unknown; orders of one day are one purchase."""
    sold = [
        ("a", 5, 100),
        ("a", 900, 50),
        ("b", 3 * DAY_MS + 7, 10),
        ("a", 2 * DAY_MS + 1, 40),
        ("a", 9 * DAY_MS, 60),
    ]
    names, at, minor = zip(*sold, strict=True)
    found: Purchases = purchases(names, at, [each // DAY_MS for each in at], minor)
    assert len(found) == 4
    for instant in (6, 2 * DAY_MS + 1, 2 * DAY_MS + 2, 9 * DAY_MS, 20 * DAY_MS):
        day = np.array([instant // DAY_MS])
        known = found.just_before(np.array([0]), np.array([instant]), day)
        repeats, recency, mean = naive(sold, "a", instant)
        assert known.histories.repeats.tolist() == [repeats]
        assert known.histories.recency.tolist() == [recency]
        assert known.mean_minor.tolist() == [mean]
        assert known.histories.age.tolist() == day.tolist()
    nobody = found.just_before(np.array([1]), np.array([5]), np.array([0]))
    assert len(nobody.customers) == 0
