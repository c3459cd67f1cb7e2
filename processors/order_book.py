"""The pieces that book an order: its moments, what it books, entries without a contact."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from processors.money import PPM, divide_half_even
from processors.policy import Policy
from processors.results import Basis, ClassNet, Credit, Entry
from processors.settlement import CLASSES, Step
from streams.facts import Millis, Order

GOODS_MINOR_MAX: Final = 10**14
"""The most a line's goods can cost: as much as a fact may state. Only refunds that add revenue to
a line of next to nothing get there; without a limit one line could outgrow a row."""


@dataclass(slots=True)
class OrderBook:
    """What an order books: entries, credits, net per class."""

    entries: list[Entry] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    classes: list[ClassNet] = field(default_factory=list)
    unattributed_minor: int = 0


class Moment(msgspec.Struct, frozen=True, gc=False):
    """The state of an order after its sale (the first) or after a refund."""

    at: Millis
    line_net: tuple[int, ...]
    over: tuple[int, ...]
    note: str
    step: Step | None
    cancelled: tuple[int, ...] = ()

    def class_net(self, order: Order, index: int) -> int:
        """Return the net revenue of a class, below zero where more was refunded than sold."""
        name = CLASSES[index]
        total = -self.over[index]
        for line, net in zip(order.lines, self.line_net, strict=True):
            if line.product_class == name:
                total += net
        return total

    def net(self) -> int:
        """Return the order's net revenue."""
        return sum(self.line_net) - sum(self.over)


def control(
    order: Order, line: str, amount_minor: int, at: Millis, *, note: str = "", name: str = ""
) -> Entry:
    """Return an entry on a control line."""
    return Entry(
        line=line,
        basis="control",
        amount_minor=amount_minor,
        currency=order.currency,
        effective_at=at,
        order_id=order.order_id,
        product_class=name,
        note=note,
    )


def goods_of(order: Order, place: int, moment: Moment, policy: Policy) -> tuple[int, Basis]:
    """Return the cost of goods of a line at its net revenue, and its basis (RUL-COGS).

    The line's whole cost is given, or follows from the standard margin, rounded once; what
    counts of it is whole x net / gross, rounded once. A line of amount 0 costs its whole, unless
    it was cancelled.
    """
    line = order.lines[place]
    gross, net_minor = line.amount_minor, moment.line_net[place]
    basis: Basis = "booked"
    whole = line.cost_minor
    if whole is None:
        margin = policy.margin_ppm_by_class.get(line.product_class, policy.margin_ppm)
        whole = divide_half_even(gross * (PPM - margin), PPM)
        basis = "standard"
    if gross == 0:
        return (0 if place in moment.cancelled else whole), basis
    if (net_minor < 0) != (gross < 0):
        net_minor = 0
    cost = divide_half_even(whole * net_minor, gross)
    return max(-GOODS_MINOR_MAX, min(cost, GOODS_MINOR_MAX)), basis
