"""How a customer's items lie in the state: one key and value each, with a version.

Law: decode(encode(item)) = item. The first byte of a value is the version of its layout; a value
of a newer one is refused, an older one is read (its structs only ever gained fields at the end).

A key is the customer's key, NUL, one letter for the kind, the item's identity (none of the risk).
Ids hold no NUL, so no customer's keys begin with another's.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from processors.customer import Customer
from processors.items import (
    RISK_VERSION,
    STATE_VERSION,
    CostItem,
    Item,
    ItemKey,
    LegItem,
    OrderItem,
    PeriodItem,
    ResolutionItem,
    RiskItem,
)

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final[dict[int, Callable[[bytes], Item | RiskItem]]] = {
    b"c"[0]: msgspec.msgpack.Decoder(LegItem).decode,
    b"o"[0]: msgspec.msgpack.Decoder(OrderItem).decode,
    b"r"[0]: msgspec.msgpack.Decoder(ResolutionItem).decode,
    b"x"[0]: msgspec.msgpack.Decoder(CostItem).decode,
    b"p"[0]: msgspec.msgpack.Decoder(PeriodItem).decode,
    b"k"[0]: msgspec.msgpack.Decoder(RiskItem).decode,
}
_NEWEST: Final = max(STATE_VERSION, RISK_VERSION)
_VERSION: Final = bytes([STATE_VERSION])
_RISK_VERSION: Final = bytes([RISK_VERSION])


class StateTooNew(Exception):
    """The state was written by a newer program: run that one, or restore an older copy."""


def prefix_of(customer_key: str) -> bytes:
    """Return what all state keys of a customer begin with, and no other's do."""
    return customer_key.encode() + b"\0"


def item_key(customer_key: str, key: ItemKey) -> bytes:
    """Return the state key of an item."""
    kind, identity = key
    return f"{customer_key}\0{kind}{identity}".encode()


def revision_key(customer_key: str, key: ItemKey) -> bytes:
    """Return the state key of a forgotten fact's revision: no customer's keys begin like it."""
    kind, identity = key
    return forgotten_prefix_of(customer_key) + f"{kind}{identity}".encode()


def forgotten_prefix_of(customer_key: str) -> bytes:
    """Return what the keys of a customer's forgotten revisions begin with: their shelf."""
    return f"\0forgotten\0{customer_key}\0".encode()


def encode_item(item: Item | RiskItem) -> bytes:
    """Return an item's state value."""
    return (_RISK_VERSION if type(item) is RiskItem else _VERSION) + _ENCODE(item)


def take_changes(customer: Customer) -> list[tuple[bytes, bytes | None]]:
    """Return what changed in a customer since this was last asked; what was forgotten is None.

    The revisions of what was forgotten stay with the customer until they are `written`.
    """
    key = customer.key
    changes: list[tuple[bytes, bytes | None]] = []
    for which in sorted(customer.changed):
        item = customer.item(which)
        changes.append((item_key(key, which), None if item is None else encode_item(item)))
    customer.changed.clear()
    for which, revision in customer.forgotten.items():
        changes.append((revision_key(key, which), str(revision).encode()))
    return changes


def decode_customer(customer_key: str, rows: Iterable[tuple[bytes, bytes]]) -> Customer:
    """Build a customer from its rows of the state. Raises StateTooNew."""
    place = len(customer_key.encode()) + 1
    items: list[Item | RiskItem] = []
    for key, value in rows:
        if value[0] > _NEWEST:
            raise StateTooNew(f"state version {value[0]}, this program reads {_NEWEST}")
        items.append(_DECODE[key[place]](value[1:]))
    return Customer(customer_key, items)
