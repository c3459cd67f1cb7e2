"""The items a customer is made of: what the state keeps, one per fact, and one of his risk.

Law: everything else about a customer is an index that can be rebuilt from these. Fields are only
ever appended, each with a default: they are stored as arrays.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from processors.results import Entry
from streams.facts import Contact, Cost, Day, Fact, Millis, Order, Period, Resolution

STATE_VERSION: Final = 2
"""The layout of a stored item of a fact; in 1 a leg did not say what it was counted as.

A program of before would forget that when it writes the leg, and a later one count it twice.
"""
RISK_VERSION: Final = 2
"""The layout of what is kept of a customer's risk, which no program of before can read."""

Kind: TypeAlias = Literal["c", "o", "r", "x", "p", "k"]
ItemKey: TypeAlias = tuple[Kind, str]


class Counted(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a chain was counted as, of which minute and segment (`processors.activity`).

    `credits` are (currency, minor units).
    """

    minute: Millis
    queue: str
    channel: str
    team: str
    currency: str
    flags: int
    wait_ms: int
    handle_ms: int
    offers_missed: int
    cost_minor: int
    credits: tuple[tuple[str, int], ...]


class LegItem(msgspec.Struct, array_like=True, gc=False):
    """A leg; if it names a chain: what the chain booked, and how many records it has had.

    `counted` is what it was counted as, None if it was not.
    """

    fact: Contact
    booked: tuple[Entry, ...] = ()
    version: int = 0
    counted: Counted | None = None


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


class Past(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The purchases of a customer whose orders are forgotten: days are local ones.

    `days` counts them; `minor` is what they brought, `first_minor` of it on the first day.
    """

    first_day: Day
    last_day: Day
    days: int
    minor: int
    first_minor: int


class RiskItem(msgspec.Struct, array_like=True, gc=False):
    """What was last published of a customer's risk, how often, and of which older purchases."""

    version: int = 0
    risk_ppm: int | None = None
    high: bool = False
    past: Past | None = None


RISK: Final[ItemKey] = ("k", "")
"""The key of a customer's risk: no fact's."""

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
