"""Under which key a record is sent, and whether the contract takes it (RUL-KEY).

The key is read from the few fields it can come from, then the codec judges the whole record
with that key: it refuses one that is not `streams.facts.key_of`, so the two cannot drift apart.
"""

from typing import Final

import msgspec

from pnl.importing.rows import Row, bad_row
from streams.codec import decode
from streams.invalid import Invalid

# Whether a fact lies in the future can be told only by the log, when it appends.
_NO_FUTURE_MS: Final = 1 << 62


class _Ids(msgspec.Struct):
    customer_id: str | None = None
    chain_id: str | None = None
    contact_id: str | None = None
    refund_of: str | None = None
    order_id: str | None = None
    agent_id: str | None = None
    event_id: str | None = None


_IDS: Final = msgspec.json.Decoder(_Ids)
_PRECEDENCE: Final = {
    "contacts": ("customer_id", "chain_id", "contact_id"),
    "orders": ("customer_id", "contact_id", "refund_of", "order_id"),
    "resolutions": ("customer_id", "contact_id", "event_id"),
    "costs": ("customer_id", "contact_id", "agent_id", "event_id"),
}


def row_of(topic: str, line: int, value: bytes, where: str) -> Row:
    """Return the row of a record, its bytes as they are.

    One that the contract refuses is a bad row: its reason names the place, `where`.
    """
    key = _key(topic, value)
    fact = decode(topic, key, value, _NO_FUTURE_MS)
    if isinstance(fact, Invalid):
        return bad_row(line, value, f"{where}: {fact.detail}")
    return Row(line, key, value)


def _key(topic: str, value: bytes) -> bytes:
    """Return the key of a record; of one without readable ids, something the codec refuses."""
    try:
        ids = _IDS.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return b""
    for name in _PRECEDENCE[topic]:
        found: str | None = getattr(ids, name)
        if found is not None:
            return found.encode("utf-8", "replace")
    return b""
