"""The one place where a question becomes SQL.

Law: outside text never becomes SQL. Values travel as server parameters (`{name:Type}`);
identifiers come from the tables below and nowhere else. So a queue may be named anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pnl.reports.model import DIMENSIONS, BadRequest, Scope
from pnl.reports.period import first_instant, utc
from streams.facts import Millis

Row = dict[str, Any]

COLUMN_OF: Final[Mapping[str, str]] = {
    name: "agent_id" if name == "agent" else name for name in DIMENSIONS
}
"""Dimension -> column, of the ledger and (but for product_class) of the contacts."""


class Queryable(Protocol):
    """What a store must do for us: run one SELECT with parameters, and give its rows."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Return the rows, each by column name."""
        ...

    def integers(
        self, columns: Sequence[str], rows: str, parameters: Mapping[str, Any] | None = None
    ) -> NDArray[np.int64]:
        """Return integer expressions over the rows of a SELECT as a matrix, a row per row."""
        ...


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions that all hold, with their parameters. Growing it returns a new one."""

    parts: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)

    def also(self, part: str, **parameters: object) -> "Where":
        """Add a condition; a parameter may be named again only with the same value."""
        for name, value in parameters.items():
            assert self.parameters.get(name, value) == value, name
        return Where((*self.parts, part), {**self.parameters, **parameters})

    def __str__(self) -> str:
        return " AND ".join(self.parts) if self.parts else "1"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Instants [start, end) of a scope's local dates; None: without that limit."""

    start: Millis | None
    end: Millis | None


def bounds_of(start: date | None, end: date | None, zone: ZoneInfo) -> Bounds:
    """Return the instants at which local dates begin."""
    return Bounds(
        None if start is None else first_instant(start, zone),
        None if end is None else first_instant(end, zone),
    )


def during(where: Where, column: str, bounds: Bounds) -> Where:
    """Limit a time column to the bounds."""
    if bounds.start is not None:
        where = where.also(f"{column} >= {instant('since')}", since=bounds.start)
    if bounds.end is not None:
        where = where.also(f"{column} < {instant('until')}", until=bounds.end)
    return where


def instant(parameter: str) -> str:
    """Return the expression of a parameter in milliseconds as a time."""
    return f"fromUnixTimestamp64Milli({{{parameter}:Int64}}, 'UTC')"


def in_ledger_during(where: Where, bounds: Bounds) -> Where:
    """Limit ledger rows by `effective_at`, and by the month that its partitions are cut by."""
    where = during(where, "effective_at", bounds)
    if bounds.start is not None:
        where = where.also("month >= {month_first:UInt32}", month_first=month_of(bounds.start))
    if bounds.end is not None:
        where = where.also("month <= {month_last:UInt32}", month_last=month_of(bounds.end))
    return where


def in_currency(where: Where, currency: str) -> Where:
    """Limit rows to one currency: no sum here mixes two (I10)."""
    return where.also("currency = {currency:String}", currency=currency)


def filtered(where: Where, scope: Scope, names: Sequence[str] = DIMENSIONS) -> Where:
    """Apply those of the scope's filters that are among `names`."""
    for name, values in scope.filters().items():
        if name in names:
            part = f"has({{in_{name}:Array(String)}}, {COLUMN_OF[name]})"
            where = where.also(part, **{f"in_{name}": list(values)})
    return where


def dimension_columns(by: Sequence[str], allowed: Sequence[str] = DIMENSIONS) -> tuple[str, ...]:
    """Return the columns of dimensions. BadRequest names the first that is none."""
    for name in by:
        if name not in allowed:
            raise BadRequest(f"--by takes {', '.join(allowed)}; {name!r} is none of them.")
    if len(set(by)) != len(by):
        raise BadRequest(f"--by names a dimension twice: {','.join(by)}.")
    return tuple(COLUMN_OF[name] for name in by)


def key_of(by: Sequence[str], row: Row) -> tuple[tuple[str, str], ...]:
    """Return the key of a row that was grouped by these dimensions."""
    return tuple((name, row[COLUMN_OF[name]]) for name in by)


def month_of(at: Millis) -> int:
    """Return the month of UTC (YYYYMM) in which an instant lies."""
    moment = utc(at)
    return moment.year * 100 + moment.month
