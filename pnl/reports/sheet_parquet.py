"""A sheet as Parquet: typed columns, and in the file's metadata what the sheet is about.

The only writer that knows pyarrow, and it is loaded only when Parquet is asked for.
Law: an amount is an exact decimal in major units with its currency's digits (the column loses
`_minor`, as in CSV); null is what cannot be known; the total is left to the reader.
"""

import io
import json
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from pnl.reports.money_text import exponent
from pnl.reports.period import utc
from pnl.reports.sheet import Cell, Sheet, SheetColumn, SheetReport
from pnl.reports.sheet_json import plain_name, sheet_json

METADATA: Final = b"contact-pnl"
"""The key of the metadata: JSON of the report without its rows."""
_DECIMAL_DIGITS: Final = 38


def parquet(sheet: Sheet, report: SheetReport | None = None) -> bytes:
    """Return a sheet as the bytes of a Parquet file."""
    fields = [pa.field(plain_name(c), _type(c, sheet.scope.currency)) for c in sheet.columns]
    about = {key: value for key, value in sheet_json(sheet, report).items() if key != "rows"}
    schema = pa.schema(fields, metadata={METADATA: json.dumps(about, ensure_ascii=False).encode()})
    arrays = [
        pa.array([_value(c, row[at], sheet.scope.currency) for row in sheet.rows], field.type)
        for at, (c, field) in enumerate(zip(sheet.columns, fields, strict=True))
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out, compression="zstd")
    return out.getvalue()


def _type(column: SheetColumn, currency: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    return {
        "text": pa.string(),
        "amount_minor": pa.decimal128(_DECIMAL_DIGITS, exponent(currency)),
        "date": pa.date32(),
        "time": pa.timestamp("ms", "UTC"),
        "days": pa.float64(),
        "number": pa.float64(),
    }.get(column.unit, pa.int64())


def _value(column: SheetColumn, cell: Cell, currency: str) -> object:
    if cell is None:
        return None
    if column.unit == "amount_minor" and isinstance(cell, int):
        return Decimal(cell).scaleb(-exponent(currency))
    return utc(cell) if column.unit == "time" and isinstance(cell, int) else cell
