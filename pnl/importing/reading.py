"""One way in: whatever the format, a file is a sequence of rows to append.

Memory does not grow with a file, except by its longest line (Parquet: 10,000 rows).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from pnl.importing.columnar import ParquetRows
from pnl.importing.keys import row_of
from pnl.importing.maps import RecordMap
from pnl.importing.rows import Format, ImportProblem, Rounding, Row
from pnl.importing.sources import Source, format_of, open_source, readable
from pnl.importing.tables import CsvRows
from streams.topics import SOURCE_NAMES

_BOM: Final = b"\xef\xbb\xbf"


class Reading(Iterator[Row]):
    """The rows of one file, in its order; the file is closed after the last one.

    `rounding` says what amounts lost so far, `position_bytes` of `size_bytes` how far the
    reading is (None and None for standard input).
    """

    def __init__(self, source: Source, rows: "CsvRows | ParquetRows | JsonRows") -> None:
        self.name: Final = source.name
        self.size_bytes: Final = source.size_bytes
        self._source = source
        self._table = rows
        self._rows = iter(rows)

    def __next__(self) -> Row:
        try:
            with readable(self._source):
                return next(self._rows)
        except (StopIteration, ImportProblem):
            self.close()
            raise

    @property
    def rounding(self) -> Rounding:
        """What rounding amounts took away so far."""
        return self._table.rounding

    @property
    def position_bytes(self) -> int | None:
        """How many bytes of the file were read; None for standard input."""
        return self._source.position_bytes()

    def close(self) -> None:
        """Close the file before its end."""
        self._source.close()


class JsonRows:
    """The rows of a file of JSON lines: every line but blank ones, byte for byte."""

    def __init__(self, stream: IO[bytes], name: str, topic: str) -> None:
        self.rounding: Final = Rounding()
        self._stream = stream
        self._name = name
        self._topic = topic

    def __iter__(self) -> Iterator[Row]:
        for number, raw in enumerate(self._stream, 1):
            value = raw.rstrip(b"\r\n")
            if number == 1:
                value = value.removeprefix(_BOM)
            if value and not value.isspace():
                yield row_of(self._topic, number, value, f"{self._name}: line {number}")


def read(
    topic: str,
    path: Path | None,
    *,
    format: Format | None = None,  # noqa: A002 - the option's name
    rules: RecordMap | None = None,
    stdin: IO[bytes] | None = None,
) -> Reading:
    """Read the rows of a file for a topic; None or `-` is standard input.

    Without `format` the file's name decides (.jsonl, .ndjson, .csv, .tsv, .parquet, the first
    four also with .gz); standard input is JSON lines, or CSV when a map is given. CSV needs a
    map (`rules`), Parquet may have one, JSON lines have none. Raises ImportProblem, now or while
    reading, when the file cannot be read or does not fit its map.
    """
    if topic not in SOURCE_NAMES:
        raise ImportProblem(f"there is no topic {topic!r}; it is one of {', '.join(SOURCE_NAMES)}")
    if rules is not None and rules.topic != topic:
        raise ImportProblem(f"{rules.source}: topic: the map is for {rules.topic}, not {topic}")
    if path == Path("-"):
        path = None
    chosen = format_of(path, format, has_map=rules is not None)
    source = open_source(path, stdin or sys.stdin.buffer)
    try:
        with readable(source):
            return Reading(source, _rows(source, chosen, topic, rules))
    except ImportProblem:
        source.close()
        raise


def _rows(
    source: Source, chosen: Format, topic: str, rules: RecordMap | None
) -> CsvRows | ParquetRows | JsonRows:
    if chosen == "csv":
        if rules is None:
            raise ImportProblem(f"{source.name}: a CSV file needs a map: --map map.toml")
        return CsvRows(source.stream, source.name, rules)
    if chosen == "parquet":
        if source.path is None:
            raise ImportProblem("Parquet cannot be read from standard input; give a file")
        return ParquetRows(source.path, topic, rules)
    if rules is not None:
        raise ImportProblem(f"{source.name}: JSON lines are records already and take no map")
    return JsonRows(source.stream, source.name, topic)
