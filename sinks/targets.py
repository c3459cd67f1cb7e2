"""How a record becomes rows: its type in the engine, its tables, the SQL of the usual columns.

The engine parses the records itself: Python adds the coordinates to each record's JSON
(`sinks.framing`) and hands the bytes over. Decoding to columns in Python took 50 µs an event under
the interpreter's lock, this takes 3 µs, the engine 10 µs outside it. The input types are derived
from the structs that are written, so they cannot drift apart.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Union, get_args, get_origin, get_type_hints

import msgspec

_COUNTER_BITS: Final = 48
_SCALARS: Final[Mapping[object, str]] = {int: "Int64", str: "String", bool: "Bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A table that a topic's records become rows of.

    `columns` maps each column to its SQL expression over the record's fields; `unfold`, an array
    field of the record, makes a row of each element `e` at 1-based `position`.
    """

    table: str
    columns: Mapping[str, str]
    unfold: str = ""
    by_month: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How a topic's records are read: their type, the tables they fill."""

    topic: str
    record: type[msgspec.Struct]
    targets: tuple[Target, ...]
    structure: str = field(default="")


def input_type(annotation: object) -> str:
    """Return the ClickHouse type that reads a field's JSON.

    Integers are Int64, text is String, tuples are arrays, structs are tuples: named where they
    are JSON objects, unnamed where they are JSON arrays. An absent or null field reads as its
    type's zero, but a nullable integer stays null.
    """
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        hints = get_type_hints(annotation)
        fields = [(f.name, input_type(hints[f.name])) for f in msgspec.structs.fields(annotation)]
        if annotation.__struct_config__.array_like:
            return f"Tuple({', '.join(kind for _, kind in fields)})"
        return f"Tuple({', '.join(f'{name} {kind}' for name, kind in fields)})"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return f"Array({input_type(arguments[0])})"
    if origin in (Union, types.UnionType):
        (present,) = (argument for argument in arguments if argument is not type(None))
        kind = input_type(present)
        return f"Nullable({kind})" if kind == "Int64" else kind
    if origin is not None:
        return "String"  # a Literal
    return _SCALARS[annotation]


def structure_of(record: type[msgspec.Struct]) -> str:
    """Return the structure that the engine reads a topic's lines by."""
    hints = get_type_hints(record)
    fields = [f"{f.name} {input_type(hints[f.name])}" for f in msgspec.structs.fields(record)]
    return ", ".join(["log_partition UInt16", "log_offset Int64", *fields])


def insert_statement(target: Target, source: str, where: str = "") -> str:
    """Return the INSERT that turns what `source` (a FROM expression) gives into rows.

    Its parameters are `epoch` and what `where` names.
    """
    unfolded = (
        f" ARRAY JOIN {target.unfold} AS e, arrayEnumerate({target.unfold}) AS position"
        if target.unfold
        else ""
    )
    return (
        f"INSERT INTO {target.table} ({', '.join(target.columns)})"
        f" SELECT {', '.join(target.columns.values())} FROM {source}{unfolded}"
        + (f" WHERE {where}" if where else "")
    )


def time_of(expression: str) -> str:
    """Return the time that milliseconds are."""
    return f"fromUnixTimestamp64Milli({expression}, 'UTC')"


def each_of(array: str, record: type[msgspec.Struct], name: str) -> str:
    """Return the array of one field of an array of structs."""
    position = [f.name for f in msgspec.structs.fields(record)].index(name) + 1
    return f"arrayMap(x -> tupleElement(x, {position}), {array})"


def plain(record: type[msgspec.Struct], *names: str) -> dict[str, str]:
    """Return columns that are fields of the same name."""
    known = {f.name for f in msgspec.structs.fields(record)}
    assert known.issuperset(names), set(names) - known
    return {name: name for name in names}


def maybe_time(name: str) -> str:
    """Return a time that may be absent: null then."""
    return f"if(isNull({name}), NULL, {time_of(f'assumeNotNull({name})')})"


_EPOCH: Final = "{epoch:UInt64}"
PLACE: Final = {
    "log_epoch": _EPOCH,
    "log_partition": "log_partition",
    "log_offset": "log_offset",
}


def versioned(counter: str) -> dict[str, str]:
    """Return what tells the latest row of an identity: the log's epoch, then a counter."""
    return {"version": f"bitShiftLeft({_EPOCH}, {_COUNTER_BITS}) + {counter}"}


def source_of(topic: str, record: type[msgspec.Struct], *targets: Target) -> Source:
    """Return a topic's records and the tables they fill."""
    return Source(topic=topic, record=record, targets=targets, structure=structure_of(record))
