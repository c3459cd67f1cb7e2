"""Order histories in, models out: what `pnl evaluate churn` reads and `pnl fit churn` keeps."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from pnl.cli.app import outcome
from pnl.errors import CheckFailed, UserError
from pnl.fitting.answer import fitted
from pnl.fitting.churn import Kind, fit_churn
from pnl.fitting.judging import assert_worth_keeping, judged
from pnl.fitting.live import load_live_risk, weights_of
from pnl.fitting.model_file import SignalsPart, WeightPart, parsed, read_model, text_of
from pnl.fitting.order_history import Columns, read_history
from pnl.fitting.told import kept_fit, model_file
from pnl.importing import DEMO_CHURN, example
from processors.churn_signals import HEURISTIC
from processors.live_churn import Bought
from processors.policy import Policy
from tests.support.cdnow import CALIBRATED, DAY_MS, END, FILE, bought


@cache
def kept() -> str:
    """Return the file of a fit."""
    return text_of(model_file(fit_churn(bought(), CALIBRATED), "USD"))


def written(folder: Path, name: str, text: str) -> Path:
    """Return a file with this text."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_history_is_read_whatever_its_columns_are_called(tmp_path: Path) -> None:
    """CSV by common names or given ones, JSON lines, with and without amounts."""
    named = written(tmp_path, "a.csv", "Customer ID,Invoice Date,Total\nx,2024-01-02,3.50\n")
    given = written(tmp_path, "b.csv", "who;x,when\n".replace(";", ",") + "x,1,20240102\n")
    lines = written(tmp_path, "c.jsonl", '{"customer": "x", "date": "2024-01-02T10:00:00Z"}\n')
    for path, columns in (
        (named, None),
        (given, Columns(customer="who", time="when", amount="x")),
        (lines, None),
    ):
        found = read_history(path, columns).purchases
        assert found.customers == ("x",)
        assert found.day.tolist() == [19724]


def test_orders_are_net_of_their_refunds_and_the_rest_is_counted(tmp_path: Path) -> None:
    """Facts as we import them: revisions, refunds, guests, adjustments; what is left is bought."""
    order: dict[str, Any] = {
        "order_id": "1", "customer_id": "x", "kind": "sale", "occurred_at": "2024-01-02",
        "lines": [{"amount_minor": 500}], "revision": 1,
    }  # fmt: skip
    facts = [
        order,
        order | {"revision": 2, "lines": [{"amount_minor": 700}]},
        order | {"revision": 0, "lines": [{"amount_minor": 1}]},
        order | {"order_id": "2", "occurred_at": "2024-02-02"},
        order | {"order_id": "3", "kind": "refund", "refund_of": "2"},
        order | {"order_id": "4", "customer_id": None},
        order | {"order_id": "5", "kind": "adjustment"},
        order | {"order_id": "6", "kind": "refund"},
        order | {"order_id": "7", "withdrawn": True},
        order | {"order_id": "8", "kind": "cancellation", "refund_of": "9"},
    ]
    path = written(tmp_path, "o.jsonl", "\n".join(json.dumps(fact) for fact in facts))
    found = read_history(path)
    assert found.rows == len(facts)
    assert found.purchases.minor.tolist() == [70_000]
    assert sum(found.left_out.values()) == 6


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.csv", "customer,date,amount\nx,yesterday,1\n", "line 2: 'yesterday' is no date"),
        ("a.csv", "customer,date,amount\nx,2024-01-01,NaN\n", "is no amount"),
        ("a.csv", "buyer,date\nx,2024-01-01\n", "name it with --customer"),
        ("a.jsonl", "{\n", "line 1 is not JSON"),
        ("a.jsonl", "[]\n", "no JSON object"),
        ("a.parquet", "", "not from Parquet"),
        ("a.doc", "", "does not tell the format"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, why: str) -> None:
    """The file, the line and what is wrong."""
    with pytest.raises(UserError, match=why):
        read_history(written(tmp_path, name, text))


@pytest.mark.parametrize(
    ("kind", "day"), [("bgnbd", CALIBRATED), ("pnbd", CALIBRATED), ("bgnbd", CALIBRATED - 270)]
)
def test_a_model_file_brings_back_the_fit_it_was_written_from(kind: Kind, day: int) -> None:
    """Through JSON and back: the same risk of everybody, and how well it is determined."""
    past = bought().on(CALIBRATED).histories
    fit = fit_churn(bought(), day, kind=kind)
    file = parsed(text_of(model_file(fit, "USD")).encode(), "it")
    kept = kept_fit(file)
    assert file.method == (kind if fit.repeat else "observed")
    assert np.array_equal(fit.risk_model.risk(past), kept.risk_model.risk(past), equal_nan=True)
    for one, other in ((fit.repeat, kept.repeat), (fit.spend, kept.spend)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.model == other.model
            assert np.array_equal(one.fitted.ln_covariance, other.fitted.ln_covariance)
    assert (kept.learnt, kept.observed) == (fit.learnt, fit.observed)


@pytest.mark.parametrize("kind", ["bgnbd", "pnbd"])
def test_journeys_say_of_one_customer_what_the_fit_says_of_all(tmp_path: Path, kind: Kind) -> None:
    """What is loaded from the file gives each customer the risk and the spend of the fit."""
    fit, past = fit_churn(bought(), CALIBRATED, kind=kind), bought().on(CALIBRATED)
    path = written(tmp_path, "churn.json", text_of(model_file(fit, "USD")))
    live = load_live_risk(path)
    assert live is not None
    assert (live.method, live.currency, live.horizon_days) == (kind, "USD", 90)
    assert live.spend == (fit.spend and fit.spend.model)
    one_by_one = [
        live.risk(Bought(int(x), int(recency), int(age)))
        for x, recency, age in zip(
            past.histories.repeats, past.histories.recency, past.histories.age, strict=True
        )
    ]
    assert one_by_one == pytest.approx(fit.risk_model.risk(past.histories), abs=1e-9)
    assert load_live_risk(tmp_path / "none.json") is None


def test_what_signals_weigh_is_kept_with_what_was_learnt() -> None:
    """A signal the file does not know has its fixed weight; one nobody knows is refused."""
    part = SignalsPart(
        weights=(WeightPart(signal="refund", logit=1.5, learnt=True, customers=40),),
        learnt_as_of="1997-06-30",
        learnt_over_days=90,
        customers=50,
    )
    weights = weights_of(part)
    assert (weights.by_signal["refund"], weights.learnt) == (1.5, {"refund"})
    assert weights.by_signal["complaint"] == HEURISTIC["complaint"]
    told = json.loads(text_of(structs.replace(parsed(kept().encode(), "it"), signals=part)))
    told["signals"]["weights"][0]["signal"] = "horoscope"
    with pytest.raises(UserError, match=r"signals.weights\[0\].signal"):
        parsed(json.dumps(told).encode(), "it")


def test_a_model_has_a_name_of_its_own() -> None:
    """Method, day and content; what it was judged by later is not part of it."""
    file = parsed(kept().encode(), "it")
    other = structs.replace(file, horizon_days=91)
    assert file.name.startswith("bgnbd 1997-09-30 ")
    assert structs.replace(file, judged=None).name == file.name
    assert file.name != other.name


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": "other"}, "format is 'other'"),
        ({"version": 2}, "version is 2, this program knows 1"),
        ({"horizon_days": "long"}, "horizon_days: Expected `int`, got `str`"),
        ({"as_of": "yesterday"}, "Invalid isoformat"),
        ({"repeat": {"model": "bgnbd", "unit": "week", "r": -1.0}}, r"repeat.r: .* > 0"),
        ({"repeat": {"model": "crystal ball"}}, "repeat.model"),
        ({"observed": [{"bucket": "x", "days": [1.0], "share": [],
                        "watched_days_max": 1.0, "known_days_max": 1.0}]}, "not of one length"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_model_is_refused_by_its_field(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    """The file, the field and what is wrong with it."""
    told = json.loads(kept())
    path = written(tmp_path, "churn.json", json.dumps(told | change))
    with pytest.raises(UserError, match=why) as found:
        read_model(path)
    assert str(path) in str(found.value)


def test_no_file_is_no_model_and_half_a_file_is_a_mistake(tmp_path: Path) -> None:
    """A folder before its first fit; a file that was cut."""
    assert read_model(tmp_path / "churn.json") is None
    with pytest.raises(UserError, match="is not JSON"):
        read_model(written(tmp_path, "churn.json", '{"format": "contact-pnl cust'))


def test_a_model_that_ranks_worse_than_none_is_refused() -> None:
    """DEF-CAL: within .01 of repeats and recency, or the file stays as it was."""
    found = judged(bought(), END, 90, "bgnbd")
    assert found is not None
    assert found.until == "1998-06-30"
    assert found.auc >= found.baseline_auc - 0.01
    assert_worth_keeping(found)
    assert_worth_keeping(None)
    with pytest.raises(CheckFailed, match="worse than no model: as of 1998-04-01"):
        assert_worth_keeping(structs.replace(found, auc=found.baseline_auc - 0.02))


def test_a_refused_fit_can_be_forced_and_what_was_observed_needs_no_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`pnl fit churn`: where it ranks worse nothing is written, unless it is forced."""
    worse = judged(bought(), END, 90, "bgnbd")
    assert worse is not None
    worse = structs.replace(worse, auc=worse.baseline_auc - 0.02)
    monkeypatch.setattr("pnl.fitting.answer.stored_purchases", lambda *_: bought())
    monkeypatch.setattr("pnl.fitting.answer.judged", lambda *_: worse)
    monkeypatch.setattr("pnl.fitting.answer.learnt_signals", lambda *_: None)
    policy, as_of = Policy(timezone="UTC", currency="USD"), END * DAY_MS
    args = {"horizon": 90, "as_of": None, "currency": None, "model": "bgnbd"}
    with pytest.raises(CheckFailed, match="--force keeps the fit"):
        fitted(Nothing(), policy, as_of, args)
    forced = parsed(fitted(Nothing(), policy, as_of, args | {"force": True}).encode(), "it")
    assert (forced.method, forced.judged) == ("bgnbd", worse)
    plain = parsed(fitted(Nothing(), policy, as_of, args | {"observed": True}).encode(), "it")
    assert (plain.method, plain.label, plain.judged) == ("observed", "observed", None)
    assert any(curve.days for curve in plain.observed)


class Nothing:
    """A store that nobody asks."""

    def query(self, sql: str, parameters: object = None) -> list[dict[str, Any]]:
        """Fail."""
        raise AssertionError(sql, parameters)


def test_evaluate_says_how_good_the_risk_would_have_been(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command prints JSON: scores beside the baseline, tenths, what was left out."""
    assert outcome(["evaluate", "churn", str(FILE), "--as-of", "1997-09-30"]) == 0
    told = json.loads(capsys.readouterr().out)
    scores = {score["score"]: score for score in told["scores"]}
    assert scores["risk"]["auc"] >= scores["repeats, then days since last purchase"]["auc"]
    assert told["decile_gap_max"] < 0.08
    assert told["label"] == "calibrated"
    assert told["history"]["left_out"] == {"worth nothing, after refunds": 8}
    assert len(told["deciles"]) == 10


def test_evaluate_refuses_a_history_that_is_too_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and one sentence."""
    path = tmp_path / "s.csv.gz"
    path.write_bytes(gzip.compress(b"customer,date\nx,2024-01-01\ny,2024-01-05\n"))
    assert outcome(["evaluate", "churn", str(path)]) == 2
    assert "does not hold 90 days" in capsys.readouterr().err


def test_fit_keeps_a_model_of_the_books(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`pnl fit churn` writes the model file into the data folder and says what it holds."""
    examples = FILE.parent
    data = ["--data", str(tmp_path / "data")]
    orders = ["--map", str(examples / "orders_small.toml"), str(examples / "orders_small.csv")]
    assert outcome(["import", "orders", *orders, *data]) == 0
    assert outcome(["fit", "churn", *data]) == 0
    assert "no model is fitted (2 customers bought again; 30 are needed)" in capsys.readouterr().out
    model = json.loads((tmp_path / "data" / "churn.json").read_text("utf-8"))
    assert (model["label"], model["repeat"], model["customers"]) == ("observed", None, 4)
    assert outcome(["fit", "churn", "--as-of", "1999-01-01", *data]) == 2


def test_the_model_of_the_demo_is_one_that_journeys_can_use() -> None:
    """It is calibrated, over ninety days, and knows nothing of the year's second half."""
    file = read_model(example(DEMO_CHURN))
    assert file is not None
    assert (file.as_of, file.horizon_days, file.currency) == ("2010-06-09", 90, "GBP")
    assert file.label == "calibrated"
    assert load_live_risk(example(DEMO_CHURN)) is not None
