"""`pnl lift`: the estimator on any table, and what it refuses."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pnl.cli.app import outcome
from pnl.errors import UserError
from pnl.lifting.table import Asked, lift, read_table

ASKED = Asked(treatment="called", outcome="bought")


def written(folder: Path, cells: list[tuple[str, int, int, int, int]]) -> Path:
    """Write a table: (stratum, bought of treated, treated, bought of others, others)."""
    lines = ["called,bought,region"]
    for region, part, of, part_0, of_0 in cells:
        lines += [f"1,{int(row < part)},{region}" for row in range(of)]
        lines += [f"no,{'yes' if row < part_0 else 'no'},{region}" for row in range(of_0)]
    file = folder / "trial.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def lifted(file: Path, **other: Any) -> dict[str, Any]:
    """Return what is said of a file."""
    asked = Asked(**({"treatment": "called", "outcome": "bought"} | other))
    return lift(read_table(file, asked), asked)


def test_one_stratum_is_the_plain_difference(tmp_path: Path) -> None:
    """VEC-CI: 56 of 70 against 48 of 80, by Newcombe, with all that stands beside it."""
    said = lifted(written(tmp_path, [("", 56, 70, 48, 80)]))
    assert said["difference"] == pytest.approx(0.2)
    assert (said["low"], said["high"]) == pytest.approx((0.05243147, 0.33387265), abs=5e-9)
    assert (said["n_treated"], said["n_control"]) == (70, 80)
    assert (said["rate_treated"], said["rate_control"]) == pytest.approx((0.8, 0.6))
    assert said["relative"] == pytest.approx(1 / 3)
    assert (said["method"], said["matched_share"], said["label"]) == (
        "newcombe",
        1.0,
        "association",
    )


def test_few_rows_without_strata_are_still_compared(tmp_path: Path) -> None:
    """VEC-CI: 9 of 10 against 3 of 10: the interval says how little is known."""
    said = lifted(written(tmp_path, [("", 9, 10, 3, 10)]))
    assert (said["low"], said["high"]) == pytest.approx((0.17052272, 0.80901797), abs=5e-9)


def test_strata_are_compared_within_and_small_ones_named(tmp_path: Path) -> None:
    """Simpson's reversal: each stratum gains, though the plain difference is a loss."""
    cells = [("a", 80, 100, 700, 1000), ("b", 200, 1000, 10, 100), ("c", 3, 29, 9, 90)]
    file = written(tmp_path, cells)
    said = lifted(file, strata=("region",))
    assert said["difference"] == pytest.approx(0.1)
    assert said["low"] > 0
    assert lifted(file)["difference"] < 0
    assert said["suppressed"] == [{"region": "c"}]
    assert said["matched_share"] == pytest.approx(1100 / 1129)
    assert said["method"] == "stratified"


def test_only_lots_make_it_causal(tmp_path: Path) -> None:
    """The label is what the person vouches for, never what the figures look like."""
    file = written(tmp_path, [("", 56, 70, 48, 80)])
    assert lifted(file, randomised=True)["label"] == "causal"
    assert lifted(file)["label"] == "association"


def test_nothing_comparable_is_null(tmp_path: Path) -> None:
    """No stratum has both arms: null, and a note, not 0."""
    said = lifted(written(tmp_path, [("a", 10, 40, 0, 0), ("b", 0, 0, 9, 90)]), strata=("region",))
    assert said["difference"] is None
    assert said["matched_share"] == 0
    assert any("nothing can be said" in note for note in said["notes"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("called,won\n1,1\n", "line 1: there is no column 'bought'; there are called, won"),
        ("called,bought\n1,1\n0,maybe\n", "line 3: column 'bought' must be 0 or 1"),
        ("called,bought\n1,\n", "line 2: column 'bought' must be 0 or 1"),
        ("called,bought\n1,1\n0\n", "line 3: 1 cells, where line 1 has 2"),
        ("called,bought\n1,1\n", "column 'called' is nowhere 0"),
        ("", "line 1: there is no column 'called'"),
        ('called,bought\n1,"1\n', "line 2: unexpected end of data"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    """File, line, column, and what would be right."""
    file = tmp_path / "bad.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as refused:
        read_table(file, ASKED)
    assert str(refused.value).startswith(str(file))
    assert sentence in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Neither there, nor whole, nor text."""
    broken = tmp_path / "x.csv.gz"
    broken.write_bytes(gzip.compress(b"called,bought\n1,1\n")[:-6])
    latin = tmp_path / "latin.csv"
    latin.write_bytes("called,bought,ort\n1,1,K\xf6ln\n".encode("latin-1"))
    for file in (tmp_path / "none.csv", broken, latin):
        with pytest.raises(UserError, match=file.name):
            read_table(file, ASKED)


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, which programs can read; a mistake is one sentence and exit 2."""
    file = written(tmp_path, [("a", 56, 70, 48, 80)])
    options = ["--treatment", "called", "--outcome", "bought"]
    assert outcome(["lift", str(file), *options, "--strata", "region", "--randomised"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["label"]) == (str(file), "causal")
    assert outcome(["lift", str(file), "--treatment", "x", "--outcome", "bought"]) == 2
    assert "no column 'x'" in capsys.readouterr().err
