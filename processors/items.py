"""The items a customer is made of: what the state keeps, one per fact.

Law: everything else about a customer is an index that can be rebuilt from these. Fields are only
ever appended, each with a default: they are stored as arrays.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from processors.results import Entry
from streams.facts import Contact, Cost, Fact, Millis, Order, Period, Resolution

STATE_VERSION: Final = 1
"""The layout of a stored item."""

Kind: TypeAlias = Literal["c", "o", "r", "x", "p"]
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
    """A cost, what it booked, how often its record was published."""

    fact: Cost
    booked: tuple[Entry, ...] = ()
    version: int = 0


class PeriodItem(msgspec.Struct, array_like=True, gc=False):
    """What the period job stated, what it booked, and the log's time of the fact."""

    fact: Period
    booked: tuple[Entry, ...] = ()
    logged_at: Millis = 0


Item: TypeAlias = LegItem | OrderItem | ResolutionItem | CostItem | PeriodItem


def key_of_item(fact: Fact) -> ItemKey:
    """Return the key of a fact's item: its kind and identity."""
    if isinstance(fact, Contact):
        return "c", fact.contact_id
    if isinstance(fact, Order):
        return "o", fact.order_id
    if isinstance(fact, Resolution):
        return "r", fact.event_id
    return ("p" if isinstance(fact, Period) else "x"), fact.event_id
