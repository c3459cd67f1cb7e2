"""Plain text tables: columns that line up, and nothing in them that could move the cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Align: TypeAlias = Literal["left", "right"]

RULE: tuple[str, ...] = ()
"""A row that stands for a horizontal line."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head and the side its cells stand on."""

    head: str
    align: Align = "left"


def printable(text: str) -> str:
    """Return text whose control characters are shown, not obeyed by a terminal."""
    return "".join(
        char if char.isprintable() or char == "\u00a0" else f"\\u{ord(char):04x}" for char in text
    )


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; a row is a cell per column, or RULE."""
    cells = [[printable(cell) for cell in row] for row in rows]
    heads = [column.head for column in columns]
    widths = [
        max(len(row[place]) for row in [heads, *(row for row in cells if row)])
        for place in range(len(columns))
    ]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [_line(columns, widths, heads), rule] if any(heads) else []
    lines += [_line(columns, widths, row) if row else rule for row in cells]
    return "\n".join(lines)


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str]) -> str:
    padded = [
        cell.rjust(width) if column.align == "right" else cell.ljust(width)
        for column, width, cell in zip(columns, widths, row, strict=True)
    ]
    return "  ".join(padded).rstrip()
