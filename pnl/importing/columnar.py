"""Parquet: rows of typed columns, with a map or with the contract's own names.

The only module that knows pyarrow, and it loads it only when a Parquet file is read.
Rows are numbered from 1. Without a map, columns are fields, nested ones included; a time must
then carry a zone, because a wrong hour would go unseen.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from pnl.importing.keys import row_of
from pnl.importing.maps import RecordMap
from pnl.importing.records import BadCell, Mapper
from pnl.importing.rows import ImportProblem, Rounding, Row, bad_row
from streams.grammar import written

ROWS_AT_ONCE: Final = 10_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ParquetRows:
    """The rows of a Parquet file; `rounding` grows while they are read."""

    def __init__(self, path: Path, topic: str, rules: RecordMap | None) -> None:
        self._name = str(path)
        self._topic = topic
        self._file = _opened(path)
        header = self._file.schema_arrow.names
        self._mapper = None if rules is None else Mapper(rules, header, self._name)

    @property
    def rounding(self) -> Rounding:
        """What rounding took away so far."""
        return Rounding() if self._mapper is None else self._mapper.rounding

    def __iter__(self) -> Iterator[Row]:
        line = 0
        for batch in self._file.iter_batches(ROWS_AT_ONCE):
            for cells in batch.to_pylist():
                line += 1
                yield self._row(line, cells)

    def _row(self, line: int, cells: dict[str, Any]) -> Row:
        where = f"{self._name}: row {line}"
        try:
            if self._mapper is None:
                record = msgspec.json.encode(_fields(cells))
            else:
                record = self._mapper.record(list(cells.values()))
        except BadCell as error:
            # A list is never a fact, whatever the cells say.
            raw = msgspec.json.encode([str(cell) for cell in cells.values()])
            return bad_row(line, raw, f"{where}, {error}")
        return row_of(self._topic, line, record, where)


def _opened(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    # Loading pyarrow takes half a second, which only its users should pay.
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        return pq.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ImportProblem(f"{path}: not a Parquet file: {reason}") from error


def _fields(cells: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a record: absent cells left out, times as RFC 3339."""
    found = {}
    for name, cell in cells.items():
        value = _value(cell, name)
        if value is not None:
            found[name] = value
    return found


def _value(cell: object, name: str) -> object:
    if isinstance(cell, dict):
        return _fields(cell)
    if isinstance(cell, list):
        return [_value(item, name) for item in cell]
    if isinstance(cell, datetime):
        if cell.tzinfo is None:
            raise BadCell(f"column {name!r}: the time has no zone; give a map with times.timezone")
        return written((cell - _EPOCH) // timedelta(milliseconds=1))
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        if cell != cell.to_integral_value():
            raise BadCell(f"column {name!r}: {cell} is not whole; give a map with amounts.unit")
        return int(cell)
    if cell is None or isinstance(cell, str | bool | int | float):
        return cell
    raise BadCell(f"column {name!r}: cannot read a value of type {type(cell).__name__}")
