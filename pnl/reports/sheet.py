"""A sheet: the one shape of every report that is a table, and what makes one.

Law: a sheet says by itself what it is about (scope, zone, *as of*, notes), each column its unit
and its definition. A cell that cannot be known is None, never 0; an estimate stands with its
interval, NAME, NAME_low, NAME_high side by side, and nothing here adds two bases up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pnl.reports.model import DIMENSIONS, BadRequest, Scope
from pnl.reports.period import first_instant
from pnl.reports.sql import Bounds, Queryable, bounds_of
from processors.policy import Policy
from streams.facts import Millis

Unit: TypeAlias = Literal[
    "text", "count", "amount_minor", "ppm", "ms", "days", "date", "time", "number"
]
"""What a cell holds: text; a count; minor units of the scope's currency; parts per million;
milliseconds; days; a local date; an instant in milliseconds of UTC; any finite number."""

Cell: TypeAlias = str | int | float | date | None
LOW: Final = "_low"
HIGH: Final = "_high"
LATENESS_MS: Final = 86_400_000
"""How long after its end a period still waits for late facts (DEF-CLOSE)."""

_INTEGERS: Final = frozenset({"count", "amount_minor", "ppm", "ms", "time"})
_NUMBERS: Final = frozenset({"days", "number"})


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column. `name` is its key in every file, unit last (`fee_minor`); `title` is for people.

    `definition` is an id that the report or the product defines (`DEF-RPC`); `basis` says how
    amounts are known where that is not plain: booked, standard, allocated, accrued, estimated.
    """

    name: str
    title: str
    unit: Unit
    definition: str = ""
    basis: str = ""


def with_interval(column: SheetColumn, ends: str = "") -> tuple[SheetColumn, ...]:
    """Return a column and, beside it, the ends of its interval; `ends` defines these if given.

    What is estimated has estimated ends; of what is known exactly the ends have no basis.
    """
    definition = ends or column.definition
    basis = column.basis if column.basis == "estimated" else ""
    return (
        column,
        SheetColumn(column.name + LOW, "from", column.unit, definition, basis),
        SheetColumn(column.name + HIGH, "to", column.unit, definition, basis),
    )


Row: TypeAlias = tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A report as a table: a cell per column in every row, and in `total` if there is one.

    `label` says in a word what the figures are allowed to claim ("association"); `notes` are
    sentences a reader needs. `options` are those it was asked with. AssertionError: a sheet that
    is not one, which only a bug can make.
    """

    report: str
    title: str
    scope: Scope
    timezone: str
    as_of: Millis | None
    by: tuple[str, ...]
    columns: tuple[SheetColumn, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    notes: tuple[str, ...] = ()
    label: str = ""
    options: tuple[tuple[str, str], ...] = ()
    provisional: bool = False

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        assert len(set(names)) == len(names), f"{self.report} names a column twice: {names}"
        for place, name in enumerate(names):
            if name.endswith(LOW) and name.removesuffix(LOW) in names:
                stem = name.removesuffix(LOW)
                expected = [stem, name, stem + HIGH]
                assert names[max(0, place - 1) : place + 2] == expected, name
        for row in (*self.rows, *((self.total,) if self.total is not None else ())):
            assert len(row) == len(self.columns), f"{self.report}: {row} has too many or few cells"
            for column, cell in zip(self.columns, row, strict=True):
                assert _fits(column.unit, cell), f"{self.report}.{column.name}: {cell!r}"

    def intervals(self) -> dict[str, tuple[int, int]]:
        """Return, for each column with an interval, the places of its lower and upper end."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        return {
            name: (places[name + LOW], places[name + HIGH])
            for name in places
            if name + LOW in places and name + HIGH in places
        }


def _fits(unit: Unit, cell: Cell) -> bool:
    """Return whether a cell is of its column's unit. A bool is no number here."""
    if cell is None:
        return True
    kind = type(cell)
    if unit in _INTEGERS:
        return kind is int
    if unit in _NUMBERS:
        return kind is int or (isinstance(cell, float) and isfinite(cell))
    return kind is date if unit == "date" else kind is str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a report is asked: of which books, by which rules, in which scope.

    `model` is the file of what `pnl fit churn` kept, whether it is there or not.
    """

    store: Queryable
    policy: Policy
    as_of: Millis | None
    scope: Scope
    by: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    model: Path | None = None

    @property
    def bounds(self) -> Bounds:
        """Return the instants at which the scope's local dates begin and end."""
        return bounds_of(self.scope.start, self.scope.end, self.policy.zone)

    def sheet(
        self,
        report: str,
        title: str,
        columns: Sequence[SheetColumn],
        rows: Sequence[Row],
        *,
        total: Row | None = None,
        notes: Sequence[str] = (),
        label: str = "",
    ) -> Sheet:
        """Return a sheet of this question: scope, zone and *as of* are filled in."""
        return Sheet(
            report=report,
            title=title,
            scope=self.scope,
            timezone=self.policy.timezone,
            as_of=self.as_of,
            by=self.by,
            columns=tuple(columns),
            rows=tuple(rows),
            total=total,
            notes=tuple(notes),
            label=label,
            options=tuple(self.options.items()),
            provisional=self._is_provisional(),
        )

    def _is_provisional(self) -> bool:
        """Return whether the scope's period is not closed; of other ranges, whether facts come."""
        from pnl.reports.as_reported import closing_if_any, is_period

        if is_period(self.scope):
            return closing_if_any(self.store, self.scope) is None
        return is_provisional(self.scope, self.as_of, self.policy.timezone)


def is_provisional(scope: Scope, as_of: Millis | None, timezone: str) -> bool:
    """Return whether late facts are still awaited: *as of* has not passed end + 24 h."""
    if scope.end is None or as_of is None:
        return True
    return as_of < first_instant(scope.end, ZoneInfo(timezone)) + LATENESS_MS


@dataclass(frozen=True)
class SheetReport:
    """A report that makes a sheet.

    `dimensions`: what `--by` takes; those of them that are in DIMENSIONS can be filtered by too,
    and `filters` names more. `options`: name -> what it takes and what it is by default.
    `definitions`: id -> what it means, of the ids this report brings along. `views`: what the
    option `view` takes, the default first, where it chooses the columns. `optional`: columns that
    other options or dimensions leave out.
    `converts`: whose money it shows, so that it can be had in another currency (DEF-FX): of chains
    that ended in the scope, read by `pnl.reports.cohort`; or of orders placed in it, read from
    their credit vectors.
    """

    name: str
    title: str
    summary: str
    make: Callable[[Asking], Sheet]
    dimensions: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    converts: Literal["", "chains", "orders"] = ""

    def asked(self, asking: Asking) -> Sheet:
        """Return the sheet. BadRequest says which part of the question it cannot obey."""
        for name in asking.by:
            if name not in self.dimensions:
                taken = ", ".join(self.dimensions) or "nothing"
                raise BadRequest(f"--by of {self.name} takes {taken}; not {name!r}.")
        if len(set(asking.by)) != len(asking.by):
            raise BadRequest(f"--by names a dimension twice: {','.join(asking.by)}.")
        for name in asking.options:
            if name not in self.options:
                taken = ", ".join(self.options) or "none"
                raise BadRequest(f"{self.name} has no option {name!r}; its options: {taken}.")
        allowed = {*self.dimensions, *self.filters}
        for name in asking.scope.filters():
            if name not in allowed:
                taken = ", ".join(each for each in DIMENSIONS if each in allowed) or "nothing"
                raise BadRequest(f"{self.name} can be filtered by {taken}; not by {name}.")
        return self.make(asking)
