"""What a reader gives: rows to append, good and bad alike, and one kind of error.

Law: every row of a file is given exactly once, in the file's order. A row that cannot become a
record is given too, as its own bytes: appended, it ends as a dead letter, so that the counts of
an import add up to the rows of its file.
"""

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, NamedTuple, TypeAlias

Format: TypeAlias = Literal["jsonl", "csv", "parquet"]
FORMATS: Final[tuple[Format, ...]] = ("jsonl", "csv", "parquet")


class ImportProblem(Exception):
    """Nothing can be imported until the user changes something; `message` says what, and where."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Row(NamedTuple):
    """One row of a file as the record to append.

    `line` counts from 1 (rows, where a format has no lines). `reason` is empty for a good row;
    of a bad one it says what is wrong and where, and `value` is what the file holds.
    """

    line: int
    key: bytes
    value: bytes
    reason: str = ""


@dataclass(slots=True)
class Rounding:
    """What was lost when amounts finer than a minor unit were rounded (DEF-MONEY).

    `residue_minor` is, per currency, the sum of (amount as given - amount as rounded).
    """

    amounts: int = 0
    residue_minor: dict[str, Decimal] = field(default_factory=dict)

    def add(self, currency: str, residue_minor: Decimal) -> None:
        """Count one rounded amount."""
        self.amounts += 1
        before = self.residue_minor.get(currency, Decimal(0))
        self.residue_minor[currency] = before + residue_minor


def bad_row(line: int, raw: bytes, reason: str) -> Row:
    """Return the row of something that is no record: keyed by its SHA-256 (RUL-KEY)."""
    return Row(line, hashlib.sha256(raw).hexdigest().encode(), raw, reason)
