"""The map of an import: how a table's columns become the fields of a topic's records.

Law: a map is either understood whole or refused with one sentence that names its file and key;
a key that we do not know is refused, so that a misspelt one cannot pass unnoticed.

`examples/online_retail.toml` documents every key. Inside, a field of a field has a dotted name
(`fee.tariff`), and so has one of the single order line (`line.amount_minor`).
"""

import codecs
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from pnl.importing.rows import ImportProblem
from streams import facts

Topic: TypeAlias = Literal["contacts", "resolutions", "orders", "costs"]
Kind: TypeAlias = Literal["text", "time", "date", "duration", "amount", "whole", "flag"]
Scalar: TypeAlias = str | bool | int

_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    "contacts": facts.Contact,
    "resolutions": facts.Resolution,
    "orders": facts.Order,
    "costs": facts.Cost,
}
_PARTS: Final[dict[str, type[msgspec.Struct]]] = {
    "fee": facts.Fee,
    "experiment": facts.Experiment,
    "line": facts.OrderLine,
}
_TIMES: Final = frozenset({"started_at", "connected_at", "ended_at", "occurred_at"})
_DATES: Final = frozenset({"term_start", "term_end", "period_start", "period_end"})
_WHOLE: Final = frozenset({"revision", "csat", "nps", "ces"})
_FLAGS: Final = frozenset({"abandoned", "withdrawn"})


class Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How times are written."""

    format: str = "iso"
    timezone: str | None = None
    ambiguous: Literal["earlier", "later", "error"] = "earlier"
    missing: Literal["shift", "error"] = "shift"


class Durations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How durations are counted."""

    unit: Literal["ms", "s", "min"] = "ms"


class Amounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How amounts are written."""

    unit: Literal["minor", "major"] = "minor"
    decimal: Literal[".", ","] = "."
    negate: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A map as its file spells it."""

    topic: Topic
    delimiter: str = ","
    encoding: str = "utf-8"
    absent: tuple[str, ...] = ()
    constants: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    prefixes: dict[str, Any] = {}
    values: dict[str, Any] = {}
    times: Times = Times()
    durations: Durations = Durations()
    amounts: Amounts = Amounts()
    line: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMap:
    """A map that was checked: every field is one of the topic's, in one place only."""

    source: str
    topic: Topic
    delimiter: str
    encoding: str
    absent: frozenset[str]
    constants: Mapping[str, Scalar]
    columns: Mapping[str, str]
    prefixes: Mapping[str, str]
    values: Mapping[str, Mapping[str, Scalar]]
    times: Times
    zone: ZoneInfo | None
    durations: Durations
    amounts: Amounts


def kind_of(field: str) -> Kind:
    """Return how the cells of a field are read; the field's last name decides."""
    name = field.rpartition(".")[2]
    if name in _TIMES:
        return "time"
    if name in _DATES:
        return "date"
    if name in _WHOLE:
        return "whole"
    if name in _FLAGS:
        return "flag"
    if name.endswith("_ms"):
        return "duration"
    return "amount" if name in ("amount_minor", "cost_minor") else "text"


def key_of_column(field: str) -> str:
    """Return the map key that names the column of a field, for errors."""
    name = field.removeprefix("line.")
    return f"columns.{field}" if name == field else f"line.columns.{name}"


def load_map(path: Path) -> RecordMap:
    """Read a map from a TOML file. ImportProblem says what is wrong, and under which key."""
    try:
        table = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _Table)
    except OSError as error:
        raise ImportProblem(f"{path}: cannot read the map: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImportProblem(f"{path}: not a TOML file: {error}") from error
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at ")
        place = where.strip("`").removeprefix("$.") or "the map"
        raise ImportProblem(f"{path}: {place}: {reason}") from error
    return _checked(str(path), table)


def _checked(source: str, table: _Table) -> RecordMap:
    parts = dict(table.line or {})
    line_columns = parts.pop("columns", {})
    if not isinstance(line_columns, dict):
        raise ImportProblem(f"{source}: line.columns: must be a table of field = column")
    constants = _flat(table.constants) | _flat(parts, "line.")
    columns = _flat(table.columns) | _flat(line_columns, "line.")
    prefixes = _flat(table.prefixes)
    values = _value_tables(source, table.values)
    checks = _Checks(source, table.topic)
    checks.fields(constants, columns, prefixes, values)
    checks.texts(columns, "columns")
    checks.texts(prefixes, "prefixes")
    checks.scalars(constants)
    checks.prefixes(prefixes, constants.keys() | columns.keys())
    checks.translated(values, columns)
    checks.complete(constants.keys() | columns.keys(), has_line=table.line is not None)
    _check_encoding(source, table)
    return RecordMap(
        source=source,
        topic=table.topic,
        delimiter=table.delimiter,
        encoding=table.encoding,
        absent=frozenset(table.absent),
        constants=constants,
        columns=columns,
        prefixes=prefixes,
        values=values,
        times=table.times,
        zone=_zone(source, table.times.timezone),
        durations=table.durations,
        amounts=table.amounts,
    )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give nested tables dotted names: TOML reads `fee.tariff = …` as a table in a table."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _value_tables(source: str, tables: Mapping[str, Any]) -> dict[str, dict[str, Scalar]]:
    found: dict[str, dict[str, Scalar]] = {}
    for field, meanings in tables.items():
        if not isinstance(meanings, dict):
            raise ImportProblem(f'{source}: values.{field}: must be a table of "cell" = value')
        nested = [name for name, value in meanings.items() if isinstance(value, dict)]
        if nested:
            # [values.line.product_class] instead of [values."line.product_class"]
            inner = {f"{field}.{name}": meanings[name] for name in nested}
            found |= _value_tables(source, inner)
            meanings = {name: meanings[name] for name in meanings if name not in nested}
        for cell, value in meanings.items():
            if not isinstance(value, str | bool | int):
                raise ImportProblem(f"{source}: values.{field}.{cell}: not a text or whole number")
        if meanings:
            found[field] = meanings
    return found


def _zone(source: str, name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ImportProblem(f"{source}: times.timezone: no time zone is called {name!r}") from error


def _check_encoding(source: str, table: _Table) -> None:
    if len(table.delimiter) != 1 or table.delimiter in '\r\n"':
        raise ImportProblem(f"{source}: delimiter: must be one character, not {table.delimiter!r}")
    try:
        newline = codecs.encode("\n", table.encoding)
    except (LookupError, UnicodeError) as error:
        reason = f"{source}: encoding: no encoding is called {table.encoding!r}"
        raise ImportProblem(reason) from error
    if newline != b"\n":
        # Lines are cut before they are decoded: a dead letter has to hold the file's own bytes.
        raise ImportProblem(f"{source}: encoding: {table.encoding!r} does not contain ASCII")


@dataclass(frozen=True, slots=True)
class _Checks:
    source: str
    topic: Topic

    def fields(self, constants: Mapping[str, Any], *others: Mapping[str, Any]) -> None:
        """Refuse fields that the topic does not have, and fields that have two origins."""
        known = _fields_of(self.topic)
        for section, names in zip(
            ("constants", "columns", "prefixes", "values"), (constants, *others), strict=True
        ):
            for name in names:
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f"; did you mean {near[0]}?" if near else ""
                    raise ImportProblem(
                        f"{self.source}: {section}.{name}: {self.topic} have no such field{hint}"
                    )
        for name in constants.keys() & others[0].keys():
            raise ImportProblem(
                f"{self.source}: {name} stands both in [constants] and in [columns]"
            )

    def texts(self, table: Mapping[str, Any], section: str) -> None:
        """Refuse names of columns and prefixes that are no text."""
        for name, value in table.items():
            if not isinstance(value, str) or value == "":
                raise ImportProblem(f"{self.source}: {section}.{name}: must be a text")

    def scalars(self, table: Mapping[str, Any]) -> None:
        """Refuse constants that no field can hold."""
        for name, value in table.items():
            if not isinstance(value, str | bool | int):
                raise ImportProblem(
                    f"{self.source}: constants.{name}: not a text, whole number or true/false"
                )

    def prefixes(self, prefixes: Mapping[str, str], given: set[str]) -> None:
        """Refuse a prefix before what is no text, or before nothing."""
        for name in prefixes:
            if kind_of(name) != "text":
                raise ImportProblem(f"{self.source}: prefixes.{name}: the field is not a text")
            if name not in given:
                raise ImportProblem(f"{self.source}: prefixes.{name}: the field has no column")

    def translated(self, values: Mapping[str, Any], columns: Mapping[str, str]) -> None:
        """Refuse a table of values for a field that no column gives."""
        for name in values:
            if name not in columns:
                raise ImportProblem(f"{self.source}: values.{name}: the field has no column")

    def complete(self, given: set[str], *, has_line: bool) -> None:
        """Refuse a map that gives no value at all for a field every record must have."""
        needed = [
            field.name for field in msgspec.structs.fields(_STRUCTS[self.topic]) if field.required
        ]
        if has_line:
            parts = msgspec.structs.fields(facts.OrderLine)
            needed += [f"line.{part.name}" for part in parts if part.required]
        currencies = {name: "currency" for name in given if kind_of(name) == "amount"}
        if "fee.amount_minor" in given:
            currencies["fee.amount_minor"] = "fee.currency"
        for name in [*needed, *currencies.values()]:
            if name not in given:
                line = "line." if name.startswith("line.") else ""
                raise ImportProblem(
                    f"{self.source}: nothing gives {name}: name its column in [{line}columns] or "
                    f"its value in [{'line' if line else 'constants'}]"
                )


def _fields_of(topic: Topic) -> list[str]:
    """Return the names a map may use for a topic; lists of parts cannot be mapped."""
    names: list[str] = []
    for name in _STRUCTS[topic].__struct_fields__:
        if name == "lines":
            names += [f"line.{part}" for part in facts.OrderLine.__struct_fields__]
        elif name in _PARTS:
            names += [f"{name}.{part}" for part in _PARTS[name].__struct_fields__]
        elif name != "offers":
            names.append(name)
    return names
