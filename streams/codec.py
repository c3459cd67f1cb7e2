"""The fast path: bytes ⇄ facts.

Law: `decode` takes and refuses the same values as `streams.contracts`, with the same facts
(tests/properties/test_codec_equals_contract.py). What is refused is a value (`Invalid`), never
an exception: one record a source spoiled must not stop the others.

msgspec checks types and bounds in one pass over the bytes; what it cannot know is checked here:
UTF-8 in fields it skips, depth, NULs, times, currencies, rules between fields. Only decoding is
guarded: an error anywhere else is ours and ends the worker.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from streams import facts, grammar
from streams.depth import deeper_than
from streams.facts import Fact, Millis
from streams.invalid import Invalid, Refused
from streams.readers import READERS
from streams.writers import to_wire

__all__ = ["Invalid", "decode", "decode_value", "encode"]

_ENCODER: Final = msgspec.json.Encoder()

_BACKSLASH: Final = 0x5C
_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BOUNDS: Final = re.compile(r"Expected `\w+` (?:[<>]=|of length)|Number out of range|Integer value")
_WORDS: Final = re.compile(r"Invalid enum value .*?(?: - at (`[^`]*`))?", re.DOTALL)


def decode(topic: str, key: bytes | None, value: bytes | None, logged_at: Millis) -> Fact | Invalid:
    """Read one record of an input topic; KeyError if the topic is none.

    `logged_at` is the log's time of the record, against which the future is measured, so that a
    replay decides the same. Values are the JSON of the contract, whatever the headers say: the
    CloudEvents binary envelope leaves the value as it is.
    """
    fact = decode_value(topic, value)
    if isinstance(fact, Invalid):
        return fact
    if key is None:
        return Invalid("null_key", "the record has no key")
    if facts.key_of(fact).encode() != key:
        return Invalid("wrong_key", "not the key this fact is sent under (RUL-KEY)")
    if facts.event_time_of(fact) > logged_at + grammar.FUTURE_MS_MAX:
        return Invalid("future", "over 24 hours after the log received it")
    return fact


def decode_value(topic: str, value: bytes | None) -> Fact | Invalid:
    """Read a value alone, for a source that is yet to choose the key: `facts.key_of` the fact."""
    read = READERS[topic]
    if value is None:
        return Invalid("null_value", "the record has no value")
    try:
        _check_bytes(value)
        fact = read(value)
        if _BACKSLASH in value:  # only an escape can write NUL
            _check_texts((fact,))
    except Refused as refused:
        return Invalid(refused.reason, refused.detail)
    except msgspec.ValidationError as error:
        return _contradiction(str(error))
    except RecursionError:
        return Invalid("too_deep", "nested too deeply to be read")
    except UnicodeError:
        return Invalid("bad_text", "bytes that are not UTF-8")
    except (ValueError, ArithmeticError) as error:
        return _malformed(value, str(error))
    return fact


def encode(fact: Fact) -> bytes:
    """Write a fact as its contract's JSON: times in UTC with milliseconds, absent fields left out.

    `decode` of the result gives an equal fact, if the fact is within the contract at all: that
    is not checked here.
    """
    return _ENCODER.encode(to_wire(fact))


def _check_bytes(value: bytes) -> None:
    if len(value) > grammar.VALUE_BYTES_MAX:
        raise Refused("too_large", f"{len(value)} bytes")
    if not value.isascii():
        value.decode()  # msgspec does not look into strings that it skips
    if deeper_than(value, grammar.DEPTH_MAX):
        raise Refused("too_deep", f"nested deeper than {grammar.DEPTH_MAX} levels")


def _check_texts(values: Iterable[object]) -> None:
    for value in values:
        if isinstance(value, str):
            if "\0" in value:
                raise Refused("bad_text", "a text contains NUL")
        elif isinstance(value, msgspec.Struct):
            _check_texts(msgspec.structs.astuple(value))
        elif isinstance(value, tuple):
            _check_texts(value)


def _contradiction(message: str) -> Invalid:
    """Turn msgspec's finding into a reason; its messages name fields and types only, but one."""
    if message.startswith("Object missing required field"):
        return Invalid("missing_field", message)
    if words := _WORDS.fullmatch(message):
        return Invalid("unknown_value", f"not one of the words allowed - at {words[1]}")
    if _BOUNDS.match(message):
        return Invalid("out_of_bounds", message)
    return Invalid("wrong_type", message)


def _malformed(value: bytes, message: str) -> Invalid:
    if _SURROGATE.search(_PAIR.sub(b"", value)):
        return Invalid("bad_text", "a surrogate without its other half")
    return Invalid("not_json", message)
