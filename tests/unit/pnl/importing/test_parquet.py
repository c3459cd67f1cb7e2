"""Parquet: typed columns, by a map or by the contract's own names."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pnl.importing import ImportProblem, Row, load_map, read

WHEN = datetime(2024, 7, 1, 12, 0, 0, 123_999, tzinfo=UTC)


def written(folder: Path, *rows: dict[str, object]) -> Path:
    """Write rows to a Parquet file."""
    path = folder / "in.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def order(**other: object) -> dict[str, object]:
    """Return a row that has the contract's names."""
    line = {"line_id": "1", "product_class": "product", "amount_minor": 5, "term_start": None}
    fields: dict[str, object] = {
        "event_id": "e1",
        "order_id": "o1",
        "customer_id": "ann",
        "kind": "sale",
        "occurred_at": WHEN,
        "currency": "GBP",
        "lines": [line],
        "contact_id": None,
    }
    return fields | other


def test_columns_with_the_contracts_names_need_no_map(tmp_path: Path) -> None:
    """Nested lines stay nested, absent cells are left out, times are cut to the millisecond."""
    (row,) = read("orders", written(tmp_path, order()))
    assert (row.line, row.key, row.reason) == (1, b"ann", "")
    record = json.loads(row.value)
    assert record["occurred_at"] == "2024-07-01T12:00:00.123Z"
    assert record["lines"] == [{"line_id": "1", "product_class": "product", "amount_minor": 5}]
    assert "contact_id" not in record


def test_dates_and_whole_decimals_are_what_they_say(tmp_path: Path) -> None:
    """A term stays a local date; a decimal without a fraction is a whole number."""
    line = {"line_id": "1", "product_class": "maintenance", "amount_minor": Decimal(500)}
    line |= {"term_start": date(2024, 7, 1), "term_end": date(2025, 7, 1)}
    (row,) = read("orders", written(tmp_path, order(lines=[line])))
    assert row.reason == ""
    assert json.loads(row.value)["lines"][0]["term_start"] == "2024-07-01"
    assert json.loads(row.value)["lines"][0]["amount_minor"] == 500


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"occurred_at": WHEN.replace(tzinfo=None)}, "column 'occurred_at': the time has no zone"),
        ({"more": Decimal("1.5")}, "column 'more': 1.5 is not whole"),
        ({"more": b"x"}, "column 'more': cannot read a value of type bytes"),
        ({"kind": "gift"}, "kind"),
    ],
)
def test_a_bad_row_names_file_row_and_column(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    """And is given all the same, to end as a dead letter."""
    path = written(tmp_path, order(**change))
    (row,) = read("orders", path)
    assert row.reason.startswith(f"{path}: row 1")
    assert says in row.reason
    assert row.value


def test_a_map_reads_typed_cells(tmp_path: Path) -> None:
    """Numbers, decimals, local times and missing numbers, as a data frame leaves them."""
    (tmp_path / "map.toml").write_text("""
        topic = "orders"
        [constants]
        currency = "GBP"
        kind = "sale"
        [columns]
        event_id = "no"
        order_id = "no"
        customer_id = "who"
        occurred_at = "when"
        [times]
        timezone = "Europe/London"
        [amounts]
        unit = "major"
        [line]
        line_id = "1"
        product_class = "product"
        [line.columns]
        amount_minor = "pounds"
        cost_minor = "cost"
    """)
    local = WHEN.replace(tzinfo=None)
    path = written(
        tmp_path,
        {"no": 7, "who": "ann", "when": local, "pounds": 12.34, "cost": Decimal("3.10")},
        {"no": 8, "who": "", "when": local, "pounds": 0.1, "cost": None},
        {"no": 9, "who": "ann", "when": local, "pounds": float("nan"), "cost": None},
    )
    rows: list[Row] = list(read("orders", path, rules=load_map(tmp_path / "map.toml")))
    first, second, third = (json.loads(row.value) for row in rows)
    assert first["order_id"] == "7"
    assert first["occurred_at"] == "2024-07-01T11:00:00.123Z"
    assert first["lines"][0]["amount_minor"] == 1234
    assert first["lines"][0]["cost_minor"] == 310
    assert (rows[1].key, second["lines"][0]["amount_minor"]) == (b"8", 10)
    assert "amount_minor" not in third["lines"][0]
    assert "amount_minor" in rows[2].reason


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    """And a pipe cannot be one."""
    (tmp_path / "in.parquet").write_bytes(b"no")
    with pytest.raises(ImportProblem, match=r"in\.parquet: not a Parquet file: "):
        read("orders", tmp_path / "in.parquet")
    with pytest.raises(ImportProblem, match="Parquet cannot be read from standard input"):
        read("orders", None, format="parquet")


def test_pyarrow_is_loaded_for_parquet_only() -> None:
    """Reading JSON lines does not pay for it."""
    code = (
        "import io, sys; from pnl.importing import read; "
        "list(read('costs', None, stdin=io.BytesIO(b'x'))); print('pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
