"""Why a record was refused: a value with a reason from one closed table, never an exception.

The reason is for counting, the detail for the person who mends the source. A detail names
fields and rules and never repeats what the record said: values may be personal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "null_value": "the record has no value",
        "too_large": "the value is larger than 1 MiB",
        "bad_text": "bytes that are not UTF-8, a lone surrogate, or a NUL in a text",
        "too_deep": "arrays and objects are nested deeper than 256 levels",
        "not_json": "the value is not one JSON value (RFC 8259; NaN and Infinity are not JSON)",
        "wrong_type": "the value is not an object, or a field is of another type",
        "missing_field": "a required field is not there, or a fee has no amount",
        "out_of_bounds": "a number, the length of a text or of a list is outside its bounds",
        "unknown_value": "a field that is one of a few words has another",
        "bad_time": "a time or date is not of the stated form, or is no real one",
        "bad_currency": "a currency code is not in the ISO 4217 table",
        "end_before_start": "an end, or the connection, lies on the wrong side of the start or end",
        "duplicate_line": "two lines have one line_id, or two places of a cut one partition",
        "null_key": "the record has no key",
        "wrong_key": "the key is not the one this fact is sent under",
        "conflict": "the same fact and revision came before with other values, or as another kind",
        "future": "the fact happened over 24 hours after the log received it",
    }
)
"""Reason -> what it means. A record that breaks several rules has the reason found first."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that cannot be read as a fact: a key of `REASONS`, and where and why."""

    reason: str
    detail: str


class Refused(ValueError):
    """What was read breaks a rule: the record has to be dead-lettered with this reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
