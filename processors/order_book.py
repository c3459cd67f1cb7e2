"""The pieces that book an order: its moments, what it books, entries without a contact."""

from collections.abc import Sequence
from typing import Final

import msgspec

from processors.money import PPM, divide_half_even
from processors.policy import Policy
from processors.results import Basis, ClassNet, Credit, Entry
from processors.settlement import CLASSES, PLACE_OF_CLASS, Step
from streams.facts import Millis, Order

GOODS_MINOR_MAX: Final = 10**14
"""The most a line's goods can cost: as much as a fact may state. Only refunds that add revenue to
a line of next to nothing get there; without a limit one line could outgrow a row."""

_NONE_OVER: Final = (0,) * len(CLASSES)


class OrderBook(msgspec.Struct):
    """What an order books: entries, credits, net per class."""

    entries: list[Entry] = []
    credits: list[Credit] = []
    classes: list[ClassNet] = []
    unattributed_minor: int = 0


class Moment(msgspec.Struct, frozen=True, gc=False):
    """The state of an order after its sale (the first) or after a refund.

    `class_net` is the net revenue of each class, by place in CLASSES: below zero where more was
    refunded than sold.
    """

    at: Millis
    line_net: tuple[int, ...]
    over: tuple[int, ...]
    class_net: tuple[int, ...]
    note: str = ""
    step: Step | None = None
    cancelled: tuple[int, ...] = ()


def moments_of(order: Order, steps: Sequence[Step]) -> list[Moment]:
    """Return a sale's moments: the sale itself, then each refund settled on it."""
    line_net = tuple([line.amount_minor for line in order.lines])
    moments = [
        Moment(order.occurred_at, line_net, _NONE_OVER, _class_net(order, line_net, _NONE_OVER))
    ]
    for step in steps:
        class_net = _class_net(order, step.line_net, step.over)
        note = "unlinked" if step.unlinked else ""
        moments.append(
            Moment(step.at, step.line_net, step.over, class_net, note, step, step.cancelled)
        )
    return moments


def _class_net(order: Order, line_net: Sequence[int], over: Sequence[int]) -> tuple[int, ...]:
    found = [-value for value in over]
    for line, net in zip(order.lines, line_net, strict=True):
        found[PLACE_OF_CLASS[line.product_class]] += net
    return tuple(found)


def control(
    order: Order, line: str, amount_minor: int, at: Millis, *, note: str = "", name: str = ""
) -> Entry:
    """Return an entry on a control line."""
    return Entry(
        line,
        "control",
        amount_minor,
        order.currency,
        at,
        order.order_id,
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
    if net_minor == gross:
        return max(-GOODS_MINOR_MAX, min(whole, GOODS_MINOR_MAX)), basis
    if (net_minor < 0) != (gross < 0):
        net_minor = 0
    cost = divide_half_even(whole * net_minor, gross)
    return max(-GOODS_MINOR_MAX, min(cost, GOODS_MINOR_MAX)), basis
