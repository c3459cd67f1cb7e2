"""Rows of a sheet: by what a contact has, and by the local day, week or month.

Law: a row's key says which contacts it is about. A week begins on Monday; a row by time stands
under its first day, and the rows by time of two queries over different things meet in that key.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, TypeAlias

from pnl.reports.model import CONTACT_DIMENSIONS
from pnl.reports.sheet import SheetColumn
from pnl.reports.sql import COLUMN_OF, Row

TIMES: Final = ("day", "week", "month")
ROWS: Final = (*CONTACT_DIMENSIONS, *TIMES)
"""What a sheet about contacts can be split by."""

Key: TypeAlias = tuple[str | date, ...]
"""A row's place: a value per dimension, empty text where there is none, a first day for a time."""

_FIRST_DAY: Final = {
    "day": "{day}",
    "week": "toDate32(toMonday({day}))",
    "month": "toDate32(toStartOfMonth({day}))",
}
_TITLES: Final = {"agent": "Agent", "day": "Day", "week": "Week from", "month": "Month from"}


def local_day(at: str) -> str:
    """Return the expression of the local date of a time; its parameter is `zone`."""
    return f"toDate32(toTimeZone({at}, {{zone:String}}))"


def key_columns(by: Sequence[str], day: str, dimensions: Mapping[str, str] = COLUMN_OF) -> str:
    """Return what a query selects and groups by: `key_0`, `key_1`, … each with a comma after.

    `day` is the expression of a row's local date, `dimensions` those of the other dimensions.
    """
    columns = [
        _FIRST_DAY[name].format(day=day) if name in TIMES else f"toString({dimensions[name]})"
        for name in by
    ]
    return "".join(f"{column} AS key_{place}, " for place, column in enumerate(columns))


def grouped(by: Sequence[str]) -> str:
    """Return the GROUP BY of those columns; nothing where all rows are one."""
    return f" GROUP BY {', '.join(f'key_{place}' for place in range(len(by)))}" if by else ""


def keyed(by: Sequence[str], rows: Sequence[Row]) -> dict[Key, dict[str, Any]]:
    """Return a query's rows by their keys."""
    return {tuple(row[f"key_{place}"] for place in range(len(by))): row for row in rows}


def key_heads(by: Sequence[str]) -> tuple[SheetColumn, ...]:
    """Return the columns in which the keys stand."""
    return tuple(
        SheetColumn(
            name,
            _TITLES.get(name, name.replace("_", " ").capitalize()),
            "date" if name in TIMES else "text",
            "DEF-DAY" if name in TIMES else "RUL-DIMS",
        )
        for name in by
    )


def times_of(by: Sequence[str]) -> tuple[str, ...]:
    """Return those of the dimensions that are times."""
    return tuple(name for name in by if name in TIMES)


def time_part(by: Sequence[str], key: Key) -> Key:
    """Return a key's place in time alone: what stands for the whole company."""
    return tuple(value for name, value in zip(by, key, strict=True) if name in TIMES)


def last_day(name: str, first: date) -> date:
    """Return the day after the last of a day, week or month."""
    if name == "month":
        return (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first + timedelta(days=7 if name == "week" else 1)
