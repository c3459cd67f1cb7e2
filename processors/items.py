"""The items a customer is made of: what the state keeps, one per fact.

Law: everything else about a customer is an index that can be rebuilt from these. Fields are only
ever appended, each with a default: they are stored as arrays.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from processors.results import Entry
from streams.facts import Contact, Cost, Fact, Order, Resolution

STATE_VERSION: Final = 1
"""The layout of a stored item."""

Kind: TypeAlias = Literal["c", "o", "r", "x"]
ItemKey: TypeAlias = tuple[Kind, str]


class LegItem(msgspec.Struct, array_like=True, gc=False):
    """A leg; if it names a chain: what the chain booked, and how many records it has had."""

    fact: Contact
    booked: tuple[Entry, ...] = ()
    version: int = 0


class OrderItem(msgspec.Struct, array_like=True, gc=False):
    """A sale or refund, what it booked, how often its vector and its record were published.

    `late`: it came too late to be attributed. `gone`: what a refund took from orders that are
    forgotten.
    """

    fact: Order
    booked: tuple[Entry, ...] = ()
    revision: int = 0
    version: int = 0
    late: bool = False
    gone: tuple[tuple[str, int], ...] = ()


class ResolutionItem(msgspec.Struct, array_like=True, gc=False):
    """A resolution."""

    fact: Resolution


class CostItem(msgspec.Struct, array_like=True, gc=False):
    """A cost and what it booked."""

    fact: Cost
    booked: tuple[Entry, ...] = ()


Item: TypeAlias = LegItem | OrderItem | ResolutionItem | CostItem


def key_of_item(fact: Fact) -> ItemKey:
    """Return the key of a fact's item: its kind and identity."""
    if isinstance(fact, Contact):
        return "c", fact.contact_id
    if isinstance(fact, Order):
        return "o", fact.order_id
    return ("r" if isinstance(fact, Resolution) else "x"), fact.event_id
