"""What orders are worth after refunds: which refund takes back how much of which order line.

Law: whatever the order of arrival, refunds take effect in the order of (occurred_at, event_id),
one sequence per customer and currency (DEF-REFUND, RUL-UNLINKED); what they take from orders
plus what stays without an order (orphans) is what they are worth.

A refund that names its order takes from it, matched by line_id, and what exceeds a product class
is kept apart, so no class pays for another (RUL-OVER). One that names none is laid on the
customer's earlier orders, newest first (DEF-UNLINKED). A cancellation takes what is left.

A line with a term is earned by day: a refund first takes what is not yet earned, spread over the
days left, and only the rest is taken from what was earned (RUL-TERM).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from processors.money import earned, split
from streams.facts import Day, LocalDate, Millis, Order, OrderLine

CLASSES: Final = ("product", "upgrade", "maintenance", "support")
PLACE_OF_CLASS: Final = {name: place for place, name in enumerate(CLASSES)}
TERM_CLASSES: Final = ("maintenance", "support")
UNLINKABLE: Final = ("refund", "chargeback", "credit_note")

LocalDay = Callable[[Millis | LocalDate], Day]


@dataclass(frozen=True, slots=True)
class Spread:
    """An amount earned evenly over the days [start, end)."""

    amount_minor: int
    start: Day
    end: Day

    def left(self, day: Day) -> int:
        """Return what the days from `day` on are worth."""
        return self.amount_minor - earned(
            self.amount_minor, day - self.start, self.end - self.start
        )


@dataclass(frozen=True, slots=True)
class Restart:
    """From day `cut` on, `before` is replaced by `after` (nothing, if None)."""

    line: int
    cut: Day
    before: Spread
    after: Spread | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one refund did to one order.

    `line_net` is each line's net revenue afterwards, `over` what was refunded beyond each class
    (by place in CLASSES, never negative); `taken` is what left the lines' booked revenue (A5) by
    line, which is less than the change of net where deferred days paid for it; `cancelled` the
    places of the lines cancelled so far.
    """

    refund_id: str
    at: Millis
    unlinked: bool
    line_net: tuple[int, ...]
    over: tuple[int, ...]
    taken: tuple[int, ...]
    restarts: tuple[Restart, ...]
    cancelled: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of some orders: steps by order_id, what each refund took and left over.

    `taken` maps a refund to (order_id, amount) pairs, `orphaned` to what found no order.
    """

    steps: dict[str, tuple[Step, ...]]
    taken: dict[str, tuple[tuple[str, int], ...]]
    orphaned: dict[str, int]


@dataclass(slots=True)
class Account:
    """The running state of one sale."""

    sale: Order
    local_day: LocalDay
    net: list[int] = field(default_factory=list)
    over: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    class_net: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    spreads: list[Spread | None] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    cancelled: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.net = [line.amount_minor for line in self.sale.lines]
        for line in self.sale.lines:
            self.class_net[PLACE_OF_CLASS[line.product_class]] += line.amount_minor
        self.spreads = [term_of(line, self.local_day) for line in self.sale.lines]

    def places(self, product_class: str) -> list[int]:
        """Return the places of the lines of a class."""
        lines = self.sale.lines
        return [i for i in range(len(lines)) if lines[i].product_class == product_class]

    def left(self) -> int:
        """Return what is left to refund, over all classes."""
        return sum(max(0, value) for value in self.class_left())

    def class_left(self) -> list[int]:
        """Return the remaining net per class, in contract order."""
        return [net - over for net, over in zip(self.class_net, self.over, strict=True)]

    def take(self, place: int, amount: int) -> None:
        """Lower the net of a line, and of its class with it."""
        self.net[place] -= amount
        self.class_net[PLACE_OF_CLASS[self.sale.lines[place].product_class]] -= amount

    def classes(self) -> list[int]:
        """Return which classes the order has lines of, in contract order."""
        present = {line.product_class for line in self.sale.lines}
        return [i for i, name in enumerate(CLASSES) if name in present]


def term_of(line: OrderLine, local_day: LocalDay) -> Spread | None:
    """Return the term a line is earned over, or None if it is earned at once (DEF-ACCRUAL)."""
    if line.product_class not in TERM_CLASSES or line.term_start is None or line.term_end is None:
        return None
    start, end = local_day(line.term_start), local_day(line.term_end)
    if end <= start:
        return None
    return Spread(line.amount_minor, start, end)


def refund_total(refund: Order) -> int:
    """Return the magnitude of a refund: positive takes back, negative adds."""
    return sum([line.amount_minor for line in refund.lines])


class _Step:
    """One refund being applied to one account."""

    def __init__(self, account: Account, refund: Order, *, unlinked: bool) -> None:
        self.account = account
        self.refund = refund
        self.unlinked = unlinked
        self.day = account.local_day(refund.occurred_at)
        self.taken = [0] * len(account.net)
        self.restarts: list[Restart] = []

    def spread_over_classes(self, amount: int) -> None:
        """Take an amount from the classes by remaining net; from the first if none is left."""
        account = self.account
        left = [max(0, value) for value in account.class_left()]
        if any(left):
            for index, part in enumerate(split(amount, left)):
                if part:
                    self.take_from_class(index, part)
        else:
            present = account.classes()
            self.take_from_class(present[0] if present else 0, amount)

    def take_from_class(self, index: int, amount: int) -> None:
        """Take an amount from a class's lines by remaining net; the excess is `over`."""
        account = self.account
        places = account.places(CLASSES[index])
        if amount < 0:
            back = min(account.over[index], -amount)
            account.over[index] -= back
            amount += back
        room = max(0, account.class_left()[index])
        excess = max(0, amount - room) if amount > 0 else 0
        account.over[index] += excess
        amount -= excess
        if amount == 0:
            return
        weights = [max(0, account.net[i]) for i in places]
        parts = split(amount, weights) if any(weights) else [amount] + [0] * (len(places) - 1)
        if not places:
            account.over[index] += amount
            return
        for place, part in zip(places, parts, strict=True):
            if part:
                self.take_from_line(place, part)

    def take_named(self, place: int, amount: int) -> None:
        """Take an amount from the line it names, beyond that from its class."""
        account = self.account
        index = PLACE_OF_CLASS[account.sale.lines[place].product_class]
        room = max(0, min(account.net[place], account.class_left()[index]))
        direct = min(amount, room) if amount > 0 else 0
        if direct:
            self.take_from_line(place, direct)
        if amount < 0:
            back = min(account.over[index], -amount)
            account.over[index] -= back
            self.take_from_line(place, amount + back)
        elif amount - direct:
            self.take_from_class(index, amount - direct)

    def take_from_line(self, place: int, amount: int) -> None:
        """Take an amount from one line: first what is deferred, then what was earned."""
        account = self.account
        account.take(place, amount)
        spread = account.spreads[place]
        if spread is not None and amount > 0:
            deferred = spread.left(self.day)
            used = min(amount, deferred)
            if used > 0:
                cut = max(self.day, spread.start)
                rest = deferred - used
                after = Spread(rest, cut, spread.end) if rest else None
                self.restart(place, cut, spread, after)
                amount -= used
        self.taken[place] += amount

    def restart(self, place: int, cut: Day, before: Spread, after: Spread | None) -> None:
        """Stop a term at a day and go on with what is left of it."""
        self.restarts.append(Restart(place, cut, before, after))
        self.account.spreads[place] = after

    def cancel_line(self, place: int) -> None:
        """Take all that is left of a line: of a term, what is not earned (RUL-TERM)."""
        account = self.account
        account.cancelled.add(place)
        line = account.sale.lines[place]
        if term_of(line, account.local_day) is None:
            self.taken[place] += account.net[place]
            account.take(place, account.net[place])
            return
        spread = account.spreads[place]
        if spread is not None:
            deferred = spread.left(self.day)
            if deferred:
                account.take(place, deferred)
                self.restart(place, max(self.day, spread.start), spread, None)

    def close(self) -> int:
        """Record the step if it changed anything, and return by how much net revenue fell."""
        account = self.account
        last = account.steps[-1] if account.steps else None
        net_before = last.line_net if last else tuple(x.amount_minor for x in account.sale.lines)
        over_before = last.over if last else (0,) * len(CLASSES)
        step = Step(
            self.refund.order_id,
            self.refund.occurred_at,
            self.unlinked,
            tuple(account.net),
            tuple(account.over),
            tuple(self.taken),
            tuple(self.restarts),
            tuple(sorted(account.cancelled)),
        )
        account.steps.append(step)
        return sum(net_before) - sum(step.line_net) + sum(step.over) - sum(over_before)


def apply_linked(account: Account, refund: Order) -> int:
    """Apply a refund or cancellation to the order it names; return what it took."""
    step = _Step(account, refund, unlinked=False)
    by_id = {line.line_id: place for place, line in enumerate(account.sale.lines)}
    if refund.kind == "cancellation":
        named = [by_id[line.line_id] for line in refund.lines if line.line_id in by_id]
        places = named if refund.lines else range(len(account.net))
        for place in places:
            step.cancel_line(place)
        for name in {account.sale.lines[place].product_class for place in places}:
            if account.cancelled.issuperset(account.places(name)):
                account.over[PLACE_OF_CLASS[name]] = 0
        return step.close()
    for line in refund.lines:
        if line.line_id in by_id:
            step.take_named(by_id[line.line_id], line.amount_minor)
        else:
            step.spread_over_classes(line.amount_minor)
    return step.close()


def apply_unlinked(account: Account, refund: Order, amount: int) -> int:
    """Take up to `amount` of what is left of an order; return what was taken."""
    amount = min(amount, account.left())
    step = _Step(account, refund, unlinked=True)
    step.spread_over_classes(amount)
    return step.close()


class _Accounts:
    """The accounts of some sales, opened when a refund first looks into one."""

    def __init__(self, sales: Iterable[Order], local_day: LocalDay) -> None:
        self._sales = {sale.order_id: sale for sale in sales}
        # The sales that may have something left, oldest first, ties by order_id.
        self._alive = sorted((sale.occurred_at, sale.order_id) for sale in self._sales.values())
        self._local_day = local_day
        self._open: dict[str, Account] = {}

    def get(self, order_id: str) -> Account | None:
        """Return the account of a sale; None if there is no such sale."""
        account = self._open.get(order_id)
        if account is None and order_id in self._sales:
            account = self._open[order_id] = Account(self._sales[order_id], self._local_day)
        return account

    def newest_first(self, before: Millis) -> Iterator[Account]:
        """Return the sales before a moment that have something left, the newest first."""
        place = bisect_left(self._alive, (before, ""))
        while place:
            place -= 1
            account = self.get(self._alive[place][1])
            assert account is not None
            if account.left() > 0:
                yield account
            else:
                del self._alive[place]

    def revive(self, account: Account) -> None:
        """Note that an account may have something left again: a refund may also add."""
        entry = (account.sale.occurred_at, account.sale.order_id)
        place = bisect_left(self._alive, entry)
        if self._alive[place : place + 1] != [entry]:
            self._alive.insert(place, entry)

    def steps(self) -> dict[str, tuple[Step, ...]]:
        """Return what befell each sale that a refund touched."""
        return {
            order_id: tuple(account.steps)
            for order_id, account in self._open.items()
            if account.steps
        }


def settle(
    sales: Iterable[Order],
    refunds: Sequence[tuple[Order, int]],
    local_day: LocalDay,
    horizon_ms: int,
    *,
    is_linked: Callable[[Order], bool],
) -> Settlement:
    """Settle the sales and refunds of one customer and one currency.

    `refunds` are given with the part of them that was taken from orders now forgotten. A refund
    finds only orders at most a horizon older than itself (RUL-KEEP). `is_linked` says of a
    refund that names no order whether it is laid on earlier orders at all.
    """
    accounts = _Accounts(sales, local_day)
    taken: dict[str, tuple[tuple[str, int], ...]] = {}
    orphaned: dict[str, int] = {}
    for refund, gone in sorted(refunds, key=_refund_order):
        total = refund_total(refund)
        if refund.refund_of is not None:
            named = accounts.get(refund.refund_of)
            if named is not None and refund.occurred_at - named.sale.occurred_at <= horizon_ms:
                took = apply_linked(named, refund)
                accounts.revive(named)
                taken[refund.order_id] = ((refund.refund_of, took),)
            elif not gone:
                orphaned[refund.order_id] = 0 if refund.kind == "cancellation" else total
            continue
        pieces: list[tuple[str, int]] = []
        total -= gone
        is_of_somebody = refund.customer_id is not None and refund.kind in UNLINKABLE
        if is_of_somebody and is_linked(refund):
            for account in accounts.newest_first(refund.occurred_at):
                age_ms = refund.occurred_at - account.sale.occurred_at
                if total <= 0 or age_ms > horizon_ms:
                    break
                took = apply_unlinked(account, refund, total)
                pieces.append((account.sale.order_id, took))
                total -= took
        if pieces:
            taken[refund.order_id] = tuple(pieces)
        if refund.kind == "cancellation":
            total = 0  # of an order we do not hold, nothing is left to take back
        if total or not (pieces or gone):
            orphaned[refund.order_id] = total
    return Settlement(accounts.steps(), taken, orphaned)


def _refund_order(refund: tuple[Order, int]) -> tuple[Millis, str, str]:
    fact = refund[0]
    return fact.occurred_at, fact.event_id, fact.order_id
