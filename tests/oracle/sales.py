"""What a sale is worth as refunds come in, line by line (DEF-REFUND, RUL-LINES, RUL-TERM).

A sale's state is the net of each order line, what each day of a term earns, and what was taken
back beyond each product class. Refunds change it one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

from processors.policy import Policy
from streams.facts import Order, OrderLine
from tests.oracle.exact import half_even, hamilton, local_day, spread

CLASSES = ("product", "upgrade", "maintenance", "support")


@dataclass
class LineState:
    """One order line as it stands: its net, what each day earns, whether it was cancelled."""

    line: OrderLine
    net: int
    days: dict[int, int] | None
    cancelled: bool = False

    def deferred(self, day: int) -> int:
        """Return what the term has not earned before a day."""
        return sum(part for at, part in (self.days or {}).items() if at >= day)

    def take(self, amount: int, day: int) -> None:
        """Take an amount off: first what the term has not earned, then the rest (RUL-TERM)."""
        self.net -= amount
        if self.days is None or amount <= 0:
            return
        left = [at for at in self.days if at >= day]
        within = min(amount, self.deferred(day))
        if within > 0:
            self.days.update(spread(self.deferred(day) - within, min(left), max(left) + 1))


@dataclass
class Sale:
    """A sale: its lines, and what was taken back beyond each class."""

    order: Order
    lines: list[LineState] = field(default_factory=list)
    over: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 0))

    @property
    def classes(self) -> list[str]:
        """The product classes on the order, in the contract's order."""
        named = {state.line.product_class for state in self.lines}
        return [one for one in CLASSES if one in named]

    def of_class(self, product_class: str) -> list[LineState]:
        """Return the lines of one class, as listed."""
        return [state for state in self.lines if state.line.product_class == product_class]

    def gross(self, product_class: str) -> int:
        """Return what the class was sold for."""
        return sum(state.line.amount_minor for state in self.of_class(product_class))

    def net(self, product_class: str) -> int:
        """Return what is left of it, below zero where more was taken back than sold."""
        return sum(state.net for state in self.of_class(product_class)) - self.over[product_class]

    def left(self, product_class: str) -> int:
        """Return what a refund can still take from the class, never below nothing."""
        return max(0, self.net(product_class))

    def earnable(self, product_class: str) -> int:
        """Return what somebody may earn: the net, unless it has the other sign (RUL-SIGN)."""
        gross, net = self.gross(product_class), self.net(product_class)
        other_sign = net > 0 > gross or net < 0 <= gross
        return 0 if other_sign else net


def open_sale(order: Order, zone: ZoneInfo) -> Sale:
    """Return a sale as it was made."""
    sale = Sale(order)
    for line in order.lines:
        term = None
        if line.product_class in ("maintenance", "support"):
            term = term_of(line, zone)
        days = None if term is None else spread(line.amount_minor, *term)
        sale.lines.append(LineState(line=line, net=line.amount_minor, days=days))
    return sale


def term_of(line: OrderLine, zone: ZoneInfo) -> tuple[int, int] | None:
    """Return the term of an order line in local days, [start, end)."""
    if line.term_start is None or line.term_end is None:
        return None
    return local_day(line.term_start, zone), local_day(line.term_end, zone)


def share_out(amount: int, left: Sequence[int]) -> list[int]:
    """Split an amount by what is left; with nothing left, all to the first (RUL-UNLINKED)."""
    return hamilton(amount, left) or [amount, *(0 for _ in left[1:])]


def take_from_order(sale: Sale, amount: int, day: int) -> None:
    """Take an amount off an order over its classes by remaining net."""
    classes = sale.classes
    for one, part in zip(classes, share_out(amount, list(map(sale.left, classes))), strict=True):
        take_from_class(sale, one, part, day)


def take_from_class(sale: Sale, product_class: str, amount: int, day: int) -> None:
    """Take an amount off a class over its lines; beyond the class it is nobody's (RUL-OVER)."""
    amount = give_back_over(sale, product_class, amount)
    within = min(amount, sale.left(product_class))
    sale.over[product_class] += amount - within
    states = sale.of_class(product_class)
    parts = share_out(within, [max(0, state.net) for state in states])
    for state, part in zip(states, parts, strict=True):
        state.take(part, day)


def give_back_over(sale: Sale, product_class: str, amount: int) -> int:
    """Let a negative amount first undo what was taken beyond the class; return the rest."""
    if amount < 0:
        back = min(sale.over[product_class], -amount)
        sale.over[product_class] -= back
        amount += back
    return amount


def refund_linked(sale: Sale, refund: Order, day: int) -> None:
    """Apply a refund that names its order, line by line as listed (RUL-LINES)."""
    for line in refund.lines:
        matched = [one for one in sale.lines if one.line.line_id == line.line_id]
        if not matched:
            take_from_order(sale, line.amount_minor, day)
            continue
        state, one = matched[0], matched[0].line.product_class
        amount = give_back_over(sale, one, line.amount_minor)
        own = amount if amount < 0 else min(amount, max(0, min(state.net, sale.net(one))))
        state.take(own, day)
        take_from_class(sale, one, amount - own, day)


def cancel(sale: Sale, cancellation: Order, day: int) -> None:
    """Take back all that is left of a sale, or of the lines named, of either sign (RUL-LINES).

    Of a line with a term only what is not yet earned is left (RUL-TERM).
    """
    named = {line.line_id for line in cancellation.lines}
    for state in sale.lines:
        if not named or state.line.line_id in named:
            left = state.net if state.days is None else state.deferred(day)
            state.take(left, day)
            state.cancelled = True
            if state.days is not None:
                state.days.update({at: 0 for at in state.days if at >= day})
    for one in sale.classes:
        if all(not named or state.line.line_id in named for state in sale.of_class(one)):
            sale.over[one] = 0


def cost_of_goods(state: LineState, policy: Policy) -> int:
    """Return what the goods of a line cost as it stands, positive (RUL-COGS)."""
    line = state.line
    if line.product_class == "maintenance":
        return 0
    cost = line.cost_minor
    if cost is None:
        margin = policy.margin_ppm_by_class.get(line.product_class, policy.margin_ppm)
        cost = half_even(Fraction(line.amount_minor * (1_000_000 - margin), 1_000_000))
    if line.amount_minor == 0:
        return 0 if state.cancelled else cost
    return half_even(Fraction(cost * state.net, line.amount_minor))
