"""`pnl restate` as a person runs it: refused start, dry run, kill -9, consent, statement."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet  # type: ignore[import-untyped]
import pytest

from pnl.errors import Exit
from pnl.simulator.simulation import generate, write
from tests.unit.pnl.program import answer, pnl

TOPICS = ("contacts", "resolutions", "orders", "costs")
FROM = "2024-07-01"
CHANGED = f"""
[[changes]]
from = "{FROM}"
rates = {{ loaded_per_hour_minor = 3600 }}
attribution = {{ model = "linear", lookback_days = 45 }}
margin.default_ppm = 350000
"""
LINES = ("A1b", "A4", "A5", "B", "C1")
"""What these rules change; C2 and C7 follow when the months' figures are worked out again."""


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Return a folder with a small centre's year, booked by the default rules."""
    write(tmp_path / "facts", generate(customers=150, events=1500, seed=11))
    for topic in TOPICS:
        answer("import", topic, tmp_path / "facts" / f"{topic}.jsonl", cwd=tmp_path)
    return tmp_path


def lines_of(books: Path) -> dict[str, int]:
    """Return the statement's lines that the rules decide alone, in minor units."""
    told = answer("report", "statement", cwd=books)
    return {each["line"]: each["amount_minor"] for each in told["lines"] if each["line"] in LINES}


def differences_of(restated: dict[str, Any]) -> dict[str, int]:
    """Return what a restatement changes by line."""
    (sheet,) = restated["sheets"]
    found = dict.fromkeys(LINES, 0)
    for row in sheet["rows"]:
        if row["line"] in found:
            found[row["line"]] += row["difference_minor"]
    return found


def restated(books: Path, *options: str, **variables: str) -> dict[str, Any]:
    """Run the command; return what it prints."""
    done = pnl("restate", "--from", FROM, "--format", "json", *options, cwd=books, **variables)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_new_rules_are_refused_shown_and_booked_with_consent(books: Path) -> None:
    """What the dry run shows is what is written, and what the statement differs by."""
    before = lines_of(books)
    (books / "pnl.toml").write_text(CHANGED, "utf-8")
    refused = pnl("import", "costs", books / "facts" / "costs.jsonl", cwd=books)
    assert refused.returncode == Exit.MISTAKE
    assert f"pnl restate --from {FROM}" in refused.stderr
    late = pnl("restate", "--from", "2024-08-01", cwd=books)
    assert (late.returncode, late.stdout) == (Exit.MISTAKE, "")
    shown = restated(books)
    assert not shown["written"]
    in_file = ("--format", "parquet", "--out", "shown.parquet")
    assert pnl("restate", "--from", FROM, *in_file, cwd=books).returncode == Exit.OK
    rows = parquet.read_table(books / "shown.parquet").to_pylist()
    assert len(rows) == len(shown["sheets"][0]["rows"])
    dollars = pnl("restate", "--from", FROM, *in_file, "--currency", "USD", cwd=books)
    assert (dollars.returncode, "one of GBP" in dollars.stderr) == (Exit.MISTAKE, True)
    accepted = restated(books, "--accept")
    assert accepted["written"]
    assert differences_of(accepted) == differences_of(shown)
    after = lines_of(books)
    assert {line: after[line] - before[line] for line in LINES} == differences_of(shown)
    assert all(differences_of(shown)[line] for line in ("A1b", "A5", "B", "C1"))
    assert answer("verify", cwd=books)["ok"]
    assert restated(books)["entries"] == 0
    assert answer("import", "costs", books / "facts" / "costs.jsonl", cwd=books)["applied"] == 0


def test_killed_between_two_transactions_it_goes_on(books: Path) -> None:
    """A kill -9 before a commit and after another: run again, both come to what one run does."""
    before = lines_of(books)
    (books / "pnl.toml").write_text(CHANGED, "utf-8")
    shown = restated(books)
    for step in ("X1:1:kill", "X2:2:kill"):
        killed = pnl("restate", "--from", FROM, "--accept", cwd=books, PNL_FAILPOINTS=step)
        assert killed.returncode < 0
        assert pnl("verify", cwd=books).returncode == Exit.MISTAKE
    rest = restated(books, "--accept")
    assert 0 < rest["entries"] < shown["entries"]
    after = lines_of(books)
    assert {line: after[line] - before[line] for line in LINES} == differences_of(shown)
    assert answer("verify", cwd=books)["ok"]


def test_a_date_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    """Before anything is opened."""
    done = pnl("restate", "--from", "soon", cwd=tmp_path)
    assert done.returncode == Exit.MISTAKE
    assert "no date such as 2026-04-01" in done.stderr
