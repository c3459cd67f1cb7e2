"""`pnl report churn`: whom to call, and why."""

from pathlib import Path
from typing import Any

import pytest

from pnl.fitting.churn import fit_churn
from pnl.fitting.model_file import JudgedPart, TenthPart, text_of
from pnl.fitting.told import model_file
from pnl.reports.churn_words import SIGNAL_WORDS, why
from pnl.reports.model import BadRequest, Scope
from pnl.reports.queries import Reports
from pnl.reports.sheet import Sheet
from processors.churn_signals import SIGNALS
from processors.policy import Policy
from processors.signal_records import ChurnReason, ChurnRecord
from sinks.store import Store
from streams.clock import ManualClock
from tests.support.books import Books, at
from tests.support.cdnow import CALIBRATED, bought

ALL = Scope(currency="GBP")
NOW = "2024-06-10"


def risk(customer_id: str, ppm: int | None, **other: Any) -> ChurnRecord:
    """Return a record of today; what a test does not name is plain."""
    given: dict[str, Any] = {
        "customer_id": customer_id,
        "version": 1,
        "as_of": at(NOW),
        "logged_at": at(NOW),
        "risk_ppm": ppm,
        "week_ago_ppm": ppm,
        "value_minor": 10_000,
        "currency": "GBP",
        "method": "bgnbd",
        "model": "bgnbd 2024-06-01 abc",
        "horizon_days": 90,
        "queue": "returns",
        "channel": "voice",
        "team": "north",
    }
    return ChurnRecord(**(given | other))


def told(sheet: Sheet) -> list[dict[str, Any]]:
    """Return the rows by the names of their columns."""
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


@pytest.fixture
def watched(books: Books, reports: Reports) -> Reports:
    """Return reports of some customers, each in a state of its own."""
    books.as_of(NOW)
    reason = ChurnReason(
        signal="complaint", logit_milli=700, at=at(NOW), fact="c1", label="heuristic"
    )
    books.put(
        risk("steady", 200_000, value_minor=90_000),
        risk("angry", 500_000, week_ago_ppm=200_000, explained_ppm=900_000, reasons=(reason,),
             cause_kind="contact", cause_id="c1", contact_id="c1", contact_at=at(NOW)),
        risk("fading", 500_000, week_ago_ppm=200_000, explained_ppm=100_000, queue="sales"),
        risk("lost", 800_000, high=True, value_minor=None, currency=""),
        risk("curious", None, week_ago_ppm=None, value_minor=None),
        risk("old news", 500_000, week_ago_ppm=200_000, explained_ppm=900_000,
             as_of=at("2024-05-01")),
        risk("abroad", 900_000, currency="USD"),
    )  # fmt: skip
    return reports


def test_customers_stand_by_what_is_at_stake_and_nobody_without_a_risk(watched: Reports) -> None:
    """Risk x margin; a margin that is not known stands last, no order stands nowhere."""
    sheet = watched.sheet("churn", ALL)
    rows = told(sheet)
    assert [row["customer"] for row in rows] == ["steady", "angry", "fading", "old news", "lost"]
    assert [row["at_risk_minor"] for row in rows] == [18_000, 5_000, 5_000, 5_000, None]
    assert rows[1]["why"] == "complaint, or asked to cancel*"
    assert (rows[1]["change_ppm"], rows[1]["cause"]) == (300_000, "contact c1")
    assert rows[2]["why"] == "time since the last purchase"
    assert any("1 customers have no risk" in note for note in sheet.notes)
    assert sheet.label == "heuristic"


@pytest.mark.parametrize(
    ("state", "found"),
    [("rising", ["angry"]), ("fading", ["fading"]), ("high", ["lost"])],
)
def test_a_state_is_that_of_the_definitions(watched: Reports, state: str, found: list[str]) -> None:
    """DEF-RISE-C: a rise of this week that a fact explains is rising, one by time alone fading."""
    rows = told(watched.sheet("churn", ALL, options={"state": state}))
    assert [row["customer"] for row in rows] == found


def test_segments_count_customers_and_give_no_share_of_a_few(watched: Reports) -> None:
    """A row per value; below 30 customers no share, with an unknown margin no sum."""
    sheet = watched.sheet("churn", ALL, options={"view": "segments"})
    rows = told(sheet)
    assert [(row["queue"], row["customers"], row["high"]) for row in rows] == [
        ("returns", 4, 1),
        ("sales", 1, 0),
    ]
    assert all(row["high_ppm"] is None for row in rows)
    assert [row["at_risk_minor"] for row in rows] == [None, 5_000]
    assert sheet.total is not None
    assert sheet.total[1:3] == (5, 1)


def test_a_share_of_enough_customers_has_its_interval(books: Books, reports: Reports) -> None:
    """Wilson, from 30 on."""
    books.as_of(NOW)
    books.put(*(risk(f"c{n}", 700_000 if n < 6 else 100_000, high=n < 6) for n in range(30)))
    (row,) = told(reports.sheet("churn", ALL, ("queue", "channel")))
    assert (row["customers"], row["high"], row["high_ppm"]) == (30, 6, 200_000)
    assert row["high_ppm_low"] < 200_000 < row["high_ppm_high"]


def test_the_list_can_be_narrowed_and_paged(watched: Reports) -> None:
    """By segment, by page, by customer; a word that is none is refused."""
    sales = Scope(currency="GBP", queue=("sales",))
    assert [row["customer"] for row in told(watched.sheet("churn", sales))] == ["fading"]
    page = watched.sheet("churn", ALL, options={"limit": "2", "skip": "1"})
    assert [row["customer"] for row in told(page)] == ["angry", "fading"]
    one = watched.sheet("churn", ALL, options={"customer": "lost"})
    assert [row["method"] for row in told(one)] == ["bgnbd"]
    with pytest.raises(BadRequest, match="state must be one of"):
        watched.sheet("churn", ALL, options={"state": "angry"})


def test_empty_books_have_nobody_at_risk(reports: Reports) -> None:
    """No rows, and no label."""
    sheet = reports.sheet("churn", ALL)
    assert (sheet.rows, sheet.label) == ((), "")


def test_the_score_stands_beside_what_happened(store: Store, tmp_path: Path) -> None:
    """Tenths of the kept model; without a model, or one that was not judged, a sentence."""
    path = tmp_path / "churn.json"
    kept = Reports(store, Policy(), ManualClock(0), model=path)
    assert "no model yet" in kept.sheet("churn", ALL, options={"view": "score"}).notes[0]
    judged = JudgedPart(
        as_of="1998-04-01",
        until="1998-06-30",
        customers=100,
        auc=0.8,
        baseline_auc=0.79,
        brier=0.1,
        log_loss=0.3,
        tenth_gap_max=0.05,
        tenths=(TenthPart(customers=100, predicted=0.5, actual=0.55),),
    )
    file = model_file(fit_churn(bought(), CALIBRATED), "GBP", judged=judged)
    path.write_text(text_of(file), "utf-8")
    sheet = kept.sheet("churn", ALL, options={"view": "score"})
    (row,) = told(sheet)
    assert (row["tenth"], row["predicted_ppm"], row["actual_ppm"]) == (1, 500_000, 550_000)
    assert row["actual_ppm_low"] < 550_000 < row["actual_ppm_high"]
    assert "AUC 0.800" in sheet.notes[1]
    assert sheet.label == "calibrated"


def test_every_signal_has_words() -> None:
    """A signal that is added says what it means; one that lowers the risk is no reason for it."""
    assert set(SIGNAL_WORDS) == set(SIGNALS)
    assert why([("refund", -10, "learnt")], "contract") == "contract ends within the horizon"
