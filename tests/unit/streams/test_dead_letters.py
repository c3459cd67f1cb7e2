"""Dead letters: enough to find the record again, never more than fits."""

import hashlib
from base64 import b64decode

import msgspec

from streams.dead_letters import LETTER_BYTES_MAX, VALUE_BYTES_KEPT, DeadLetter, dead_letter
from streams.invalid import Invalid
from streams.log import Record


def letter_of(record: Record) -> DeadLetter:
    """Return the dead letter of a record, read back."""
    encoded = dead_letter(record, 7, Invalid("not_json", "where and why"), "1.2.3")
    return msgspec.json.decode(encoded, type=DeadLetter)


def test_a_dead_letter_says_where_the_record_lies_and_why() -> None:
    """Coordinates, reason, detail, the whole of a small value."""
    letter = letter_of(Record("orders", 2, 41, 99, b"cu-1", b"{oops"))
    assert (letter.topic, letter.epoch, letter.partition, letter.offset) == ("orders", 7, 2, 41)
    assert (letter.reason, letter.detail, letter.logged_at) == ("not_json", "where and why", 99)
    assert (b64decode(letter.key_base64), b64decode(letter.value_base64)) == (b"cu-1", b"{oops")
    assert letter.value_sha256 == hashlib.sha256(b"{oops").hexdigest()
    assert (letter.value_size, letter.code_version) == (5, "1.2.3")


def test_of_a_huge_value_the_first_bytes_are_kept() -> None:
    """Size and hash are of the whole, the bytes are the first 45 KiB."""
    value = bytes(range(256)) * 8192
    record = Record("orders", 0, 0, 0, b"k" * 5000, value)
    letter = letter_of(record)
    assert b64decode(letter.value_base64) == value[:VALUE_BYTES_KEPT]
    assert letter.value_size == len(value)
    assert letter.value_sha256 == hashlib.sha256(value).hexdigest()
    assert len(b64decode(letter.key_base64)) == 1024
    worst = dead_letter(record, 1 << 62, Invalid("\0" * 999, "\0" * 999), "\0" * 999)
    assert VALUE_BYTES_KEPT < len(worst) <= LETTER_BYTES_MAX


def test_a_record_without_key_or_value_has_a_dead_letter_too() -> None:
    """Nothing is there to keep, and no hash is made up for it."""
    letter = letter_of(Record("orders", 0, 5, 0, None, None))
    assert (letter.key_base64, letter.value_base64, letter.value_sha256) == ("", "", "")
    assert letter.value_size == 0
