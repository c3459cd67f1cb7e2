"""Times, dates and currencies: the corners of the grammar."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from streams import grammar
from streams.currencies import EXPONENTS, exponent_of
from streams.depth import deeper_than


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("2024-02-29T12:00:00.5-00:30", 1_709_209_800_500),
        ("2199-12-31T23:59:59.999Z", 7_258_118_399_999),
    ],
)
def test_a_time_is_milliseconds_since_1970(text: str, millis: int) -> None:
    """Offsets are taken off, fractions cut."""
    assert grammar.instant(text) == millis


@pytest.mark.parametrize("day", range(0, 84_000, 997))
def test_times_are_written_as_they_are_read(day: int) -> None:
    """Writing and reading are inverse, and agree with the standard library, in every year."""
    at = day * 86_400_000 + day * 1_009 % 86_400_000
    text = grammar.written(at)
    assert grammar.instant(text) == at
    assert datetime.fromisoformat(text) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        milliseconds=at
    )


def test_a_moment_is_a_time_or_a_local_date() -> None:
    """A date has no offset and stays a date, to be read in the reporting zone."""
    assert grammar.moment("2026-04-01") == "2026-04-01"
    assert grammar.moment("2026-04-01T00:00:00Z") == 1_775_001_600_000
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        grammar.moment("01/04/2026")


@pytest.mark.parametrize(
    ("code", "exponent"), [("JPY", 0), ("USD", 2), ("KWD", 3), ("CLF", 4), ("MRU", 2), ("UYI", 0)]
)
def test_currencies_have_their_exponents(code: str, exponent: int) -> None:
    """Not every currency has cents."""
    assert exponent_of(code) == exponent


def test_the_currency_table_is_whole() -> None:
    """As many codes as ISO 4217 has of each exponent, with those withdrawn since 2010."""
    assert Counter(EXPONENTS.values()) == {0: 18, 2: 152, 3: 7, 4: 2}
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in EXPONENTS)
    assert not EXPONENTS.keys() & {"XXX", "XTS", "XAU", "XDR", "DEM"}
    with pytest.raises(KeyError):
        exponent_of("gbp")


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        (b'{"a":[1]}', 2),
        (b"[" * 40 + b"]" * 40, 40),
        (b'["[[[[[[[["]' * 10, 1),
        (rb'["\"[[[[","\\",[[]]]' * 10, 3),
        (b"[[],{},[]]" * 10, 2),
        (rb'["[\\\"]]","["]' * 10, 1),
    ],
)
def test_depth_counts_brackets_outside_texts(text: bytes, depth: int) -> None:
    """Brackets in texts do not count, escaped quotes do not end a text."""
    padded = text + b" " * 200
    assert not deeper_than(padded, depth)
    assert deeper_than(padded, depth - 1)
