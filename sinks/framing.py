"""Records as the lines that the engine reads, and what must be known of them before it does.

Law: a line is the record's own JSON with its coordinates in front; only a ledger record of a
former version is written anew, with the fields that its entries did not have.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from processors.results import LedgerRecord
from streams import topics
from streams.facts import Millis
from streams.log import Record

HOUR_MS: Final = 3_600_000


def framed(records: Sequence[Record]) -> bytes:
    """Return the records of a topic as JSON lines, each with the coordinates it lies at."""
    whole = _whole if records and records[0][0] == topics.LEDGER else _as_it_is
    return b"\n".join(
        [
            b'{"log_partition":%d,"log_offset":%d,%b' % (record[1], record[2], whole(record[5])[1:])
            for record in records
            if record[5] is not None
        ]
    )


def _as_it_is(value: bytes) -> bytes:
    return value


def _whole(value: bytes) -> bytes:
    """Return a ledger record whose entries have every field, also one of a former version.

    Entries are arrays and only ever gained fields at the end; the engine wants them all. Those
    of a former version end with a text (`change`), now they end with a number.
    """
    if not (value.endswith(b'"]]}') or b'"]],"repair":"' in value[-40:]):
        return value
    try:
        return _encode(_decode_ledger(value))
    except msgspec.DecodeError:
        return value  # the engine refuses it, and says why


@lru_cache(maxsize=4096)
def month_of_hour(hour: int) -> int:
    """Return YYYYMM in UTC of an hour since 1970."""
    moment = datetime.fromtimestamp(hour * 3600, UTC)
    return moment.year * 100 + moment.month


class _Dated(msgspec.Struct, array_like=True, gc=False):
    """The head of an `Entry`; its amount is bounded here, since the engine would wrap it."""

    line: msgspec.Raw
    basis: msgspec.Raw
    amount_minor: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    currency: msgspec.Raw
    effective_at: Millis


class _DatedLedger(msgspec.Struct, gc=False):
    entries: tuple[_Dated, ...]


_decode_ledger: Final = msgspec.json.Decoder(LedgerRecord).decode
_encode: Final = msgspec.json.Encoder().encode
_decode_dates: Final = msgspec.json.Decoder(_DatedLedger).decode


def hours_of(value: bytes) -> list[int]:
    """Return the hour since 1970 (UTC) of each entry of a ledger record, in order.

    Raises msgspec.DecodeError where the bytes are no such record.
    """
    return [entry.effective_at // HOUR_MS for entry in _decode_dates(value).entries]
