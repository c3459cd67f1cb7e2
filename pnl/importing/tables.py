"""CSV by a map: each row of a table becomes one record.

Lines are cut as bytes and decoded one by one, so a bad row can be given as the file holds it.
Blanks around a cell are dropped: with them, one customer would be two.
"""

import csv
from collections.abc import Iterator
from typing import IO

from pnl.importing.keys import row_of
from pnl.importing.maps import RecordMap
from pnl.importing.records import BadCell, Mapper
from pnl.importing.rows import ImportProblem, Rounding, Row, bad_row

_BOM = b"\xef\xbb\xbf"


class CsvRows:
    """The rows of a CSV file; `rounding` grows while they are read."""

    def __init__(self, stream: IO[bytes], name: str, rules: RecordMap) -> None:
        self._name = name
        self._rules = rules
        self._lines = _Lines(stream, rules.encoding)
        self._table = csv.reader(self._lines, delimiter=rules.delimiter)
        self._mapper = Mapper(rules, self._header(), name)

    @property
    def rounding(self) -> Rounding:
        """What rounding took away so far."""
        return self._mapper.rounding

    def _header(self) -> list[str]:
        try:
            header = next(self._table, None)
        except csv.Error as error:
            raise ImportProblem(f"{self._name}: line 1: {error}") from error
        if not header:
            raise ImportProblem(f"{self._name}: line 1: there is no header naming the columns")
        self._lines.taken()
        self._width = len(header)
        return [name.strip() for name in header]

    def __iter__(self) -> Iterator[Row]:
        while True:
            try:
                cells = next(self._table)
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], str(error)
            else:
                problem = ""
            line, raw, decoded = self._lines.taken()
            if cells or problem:
                yield self._row(line, raw, cells, problem if decoded else "not in its encoding")

    def _row(self, line: int, raw: bytes, cells: list[str], problem: str) -> Row:
        where = f"{self._name}: line {line}"
        if not problem and len(cells) != self._width:
            problem = f"{len(cells)} cells, but the header has {self._width}"
        if problem:
            return bad_row(line, raw, f"{where}: {problem}")
        try:
            record = self._mapper.record([cell.strip() for cell in cells])
        except BadCell as error:
            return bad_row(line, raw, f"{where}, {error}")
        return row_of(self._rules.topic, line, record, where)


class _Lines(Iterator[str]):
    """Decodes lines one by one, and remembers those that the row in hand was made of."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._number = 0
        self._raw: list[bytes] = []
        self._decoded = True

    def __next__(self) -> str:
        raw = next(self._stream)
        if self._number == 0:
            raw = raw.removeprefix(_BOM)
        self._number += 1
        self._raw.append(raw)
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            self._decoded = False
            return raw.decode("ascii", "replace")

    def taken(self) -> tuple[int, bytes, bool]:
        """Return (first line, bytes, all decoded) of the lines since the last call."""
        raw, decoded = b"".join(self._raw).rstrip(b"\r\n"), self._decoded
        first = self._number - len(self._raw) + 1
        self._raw, self._decoded = [], True
        return first, raw, decoded
