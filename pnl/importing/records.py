"""A row of cells becomes a topic's record, by a map.

The record is JSON, as any other source would send it: whether it keeps the contract is not
decided here. Field order is the map's, so a file read twice gives the same bytes.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from pnl.importing.cells import (
    Cell,
    Reader,
    Unreadable,
    amount_of,
    date_reader,
    duration_reader,
    flag,
    text,
    time_reader,
    whole,
)
from pnl.importing.maps import RecordMap, Scalar, key_of_column, kind_of
from pnl.importing.rows import ImportProblem, Rounding


class BadCell(Exception):
    """A cell could not be read; the text names its column and its map key."""


class _Column(NamedTuple):
    field: str
    at: int
    name: str
    read: Reader


class Mapper:
    """Turns rows of one table into records; `rounding` counts what amounts lost.

    Raises ImportProblem when the table lacks a column that the map names, or has it twice.
    """

    def __init__(self, rules: RecordMap, header: Sequence[str], source: str) -> None:
        self.rounding: Final = Rounding()
        self._rules = rules
        self._plain: list[_Column] = []
        self._amounts: list[_Column] = []
        for field, name in rules.columns.items():
            if header.count(name) != 1:
                problem = "twice" if name in header else "not"
                raise ImportProblem(
                    f"{source}: column {name!r} ({rules.source}: {key_of_column(field)}) is "
                    f"{problem} in the header"
                )
            column = _Column(field, header.index(name), name, self._reader(field))
            (self._amounts if kind_of(field) == "amount" else self._plain).append(column)

    def record(self, cells: Sequence[Cell]) -> bytes:
        """Return the record of a row as JSON. BadCell names the column that cannot be read."""
        fields: dict[str, Any] = dict(self._rules.constants)
        for column in self._plain:
            self._set(fields, column, cells[column.at])
        for column in self._amounts:
            self._set_amount(fields, column, cells[column.at])
        for field, prefix in self._rules.prefixes.items():
            if field in fields:
                fields[field] = prefix + str(fields[field])
        return msgspec.json.encode(_nested(fields))

    def _set(self, fields: dict[str, Any], column: _Column, cell: Cell) -> None:
        if self._is_absent(cell):
            return
        try:
            fields[column.field] = column.read(cell)
        except Unreadable as error:
            raise self._bad(column, str(error)) from error

    def _set_amount(self, fields: dict[str, Any], column: _Column, cell: Cell) -> None:
        if self._is_absent(cell):
            return
        fee = column.field.startswith("fee.")
        currency = fields.get("fee.currency" if fee else "currency")
        if not isinstance(currency, str):
            raise self._bad(column, "the amount has no currency")
        try:
            amount_minor, residue = amount_of(cell, self._rules.amounts, currency)
        except Unreadable as error:
            raise self._bad(column, str(error)) from error
        if residue:
            self.rounding.add(currency, residue)
        negate = not fee and fields.get("kind") in self._rules.amounts.negate
        fields[column.field] = -amount_minor if negate else amount_minor

    def _is_absent(self, cell: Cell) -> bool:
        if isinstance(cell, str):
            return cell == "" or cell in self._rules.absent
        return cell is None or cell != cell  # NaN is how some writers spell "nothing"

    def _bad(self, column: _Column, reason: str) -> BadCell:
        return BadCell(f"column {column.name!r} ({key_of_column(column.field)}): {reason}")

    def _reader(self, field: str) -> Reader:
        rules = self._rules
        meanings = rules.values.get(field)
        if meanings is not None:
            return _translator(dict(meanings), field)
        match kind_of(field):
            case "time":
                return time_reader(rules.times, rules.zone)
            case "date":
                return date_reader(rules.times, rules.zone)
            case "duration":
                return duration_reader(rules.durations, rules.amounts.decimal)
            case "whole":
                return whole
            case "flag":
                return flag
            case "text" | "amount":
                return text


def _translator(meanings: dict[str, Scalar], field: str) -> Reader:
    def read(cell: Cell) -> Scalar:
        value = meanings.get(str(cell))
        if value is None:
            raise Unreadable(f"{str(cell)[:60]!r} is not in values.{field}")
        return value

    return read


def _nested(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn dotted names into parts: `line.…` into the only order line, `fee.…` into the fee."""
    record: dict[str, Any] = {}
    for field, value in fields.items():
        part, _, name = field.partition(".")
        if not name:
            record[field] = value
        elif part == "line":
            record.setdefault("lines", [{}])[0][name] = value
        else:
            record.setdefault(part, {})[name] = value
    return record
