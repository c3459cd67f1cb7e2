"""What is kept of a record that could not be applied: where it lies, and why.

Law: a dead letter is at most 64 KiB as encoded, whatever the record was. The first 45 KiB of the
value are in it; the whole stays at its coordinates for as long as the input topic keeps it.
"""

import hashlib
from base64 import b64encode
from typing import Final

import msgspec

from streams.facts import Millis
from streams.invalid import Invalid
from streams.log import Record

LETTER_BYTES_MAX: Final = 64 * 1024
VALUE_BYTES_KEPT: Final = 45 * 1024
KEY_BYTES_KEPT: Final = 1024
DETAIL_CHARS_KEPT: Final = 200  # escaped, a character takes six bytes at most
_NAME_CHARS_KEPT: Final = 60


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`pnl.dead-letters.v1`: a record that could not be applied, where it lies, and why.

    `value_base64` and `key_base64` hold the first bytes; size and SHA-256 are of the whole value,
    zero and empty if there was none.
    """

    topic: str
    epoch: int
    partition: int
    offset: int
    logged_at: Millis
    reason: str
    detail: str
    key_base64: str
    value_size: int
    value_sha256: str
    value_base64: str
    code_version: str


def dead_letter(record: Record, epoch: int, invalid: Invalid, code_version: str) -> bytes:
    """Return the dead letter of a record, as JSON. `epoch` is that of the log it lies in."""
    value = record.value
    letter = DeadLetter(
        topic=record.topic[:_NAME_CHARS_KEPT],
        epoch=epoch,
        partition=record.partition,
        offset=record.offset,
        logged_at=record.logged_at,
        reason=invalid.reason[:_NAME_CHARS_KEPT],
        detail=invalid.detail[:DETAIL_CHARS_KEPT],
        key_base64=b64encode((record.key or b"")[:KEY_BYTES_KEPT]).decode(),
        value_size=len(value or b""),
        value_sha256="" if value is None else hashlib.sha256(value).hexdigest(),
        value_base64=b64encode((value or b"")[:VALUE_BYTES_KEPT]).decode(),
        code_version=code_version[:_NAME_CHARS_KEPT],
    )
    encoded = msgspec.json.encode(letter)
    assert len(encoded) <= LETTER_BYTES_MAX
    return encoded
