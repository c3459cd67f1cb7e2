"""Statements of a migration so that doing them again does no harm.

Law: a process may be killed between any two statements of a migration, which is noted as applied
only after its last one; so the next start does it anew from its first.
"""

import re
from typing import Final

_AGAIN: Final = (
    (
        re.compile(r"^(\s*CREATE (?:TABLE|VIEW)) (?!IF NOT EXISTS)", re.MULTILINE),
        r"\1 IF NOT EXISTS ",
    ),
    (re.compile(r"^(\s*DROP (?:TABLE|VIEW)) (?!IF EXISTS)", re.MULTILINE), r"\1 IF EXISTS "),
    (re.compile(r"\b(ADD COLUMN) (?!IF NOT EXISTS)"), r"\1 IF NOT EXISTS "),
    (re.compile(r"\b(DROP COLUMN) (?!IF EXISTS)"), r"\1 IF EXISTS "),
)


def repeatable(statement: str) -> str:
    """Return a statement that does nothing where it was done already."""
    for pattern, instead in _AGAIN:
        statement = pattern.sub(instead, statement)
    return statement
