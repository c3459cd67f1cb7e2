"""Orders into lines: sales, what takes them back, what nobody can place (domain.md §4, §14)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from processors.policy import Policy, PolicyBook
from streams.facts import Order
from tests.oracle.books import Account, Books, OrderBook
from tests.oracle.chains import Chain, Slots, slots_of, sold_in
from tests.oracle.exact import hamilton, local_day
from tests.oracle.sales import (
    Sale,
    cancel,
    cost_of_goods,
    open_sale,
    refund_linked,
    take_from_order,
)

TAKES_BACK = ("refund", "chargeback", "credit_note", "cancellation")


@dataclass(frozen=True)
class Position:
    """One sale at one moment: what each party holds.

    `credits` and `goods` map (chain name or None for the centre, class); `days` maps the index
    of a line to what each of its days earns.
    """

    net: int
    credits: dict[tuple[str | None, str], int] = field(default_factory=dict)
    unattributed: dict[str, int] = field(default_factory=dict)
    goods: dict[tuple[str | None, str], int] = field(default_factory=dict)
    days: dict[int, dict[int, int]] = field(default_factory=dict)


def share(amount: int, slots: Slots) -> dict[str | None, int] | None:
    """Split an amount over touchpoints, then over the chains of each (DEF-CASESPLIT)."""
    if slots.centre:
        return {None: amount}
    over_touches = hamilton(amount, slots.weights)
    if over_touches is None:
        return None
    shares: dict[str | None, int] = {}
    for touch, part in zip(slots.touches, over_touches, strict=True):
        handle_ms = [chain.handle_ms for chain in touch]
        over_chains = hamilton(part, handle_ms) or hamilton(part, [1] * len(touch))
        assert over_chains is not None
        for chain, credit in zip(touch, over_chains, strict=True):
            shares[chain.name] = shares.get(chain.name, 0) + credit
    return shares


def position_of(sale: Sale, slots: dict[str, Slots], policy: Policy) -> Position:
    """Work out who holds what of a sale as it stands."""
    position = Position(net=sum(map(sale.net, sale.classes)))
    for one in sale.classes:
        net = sale.net(one)
        shares = share(sale.earnable(one), slots[one]) or {}
        position.unattributed[one] = net - sum(shares.values())
        for name, credit in shares.items():
            position.credits[name, one] = credit
        for state in sale.of_class(one):
            cost = cost_of_goods(state, policy)
            for name, part in (share(cost, slots[one]) or {}).items():
                position.goods[name, one] = position.goods.get((name, one), 0) + part
    for at, state in enumerate(sale.lines):
        if state.days is not None:
            position.days[at] = dict(state.days)
    return position


def less(after: dict, before: dict) -> dict:  # type: ignore[type-arg]
    """Subtract, place by place."""
    return {
        place: after.get(place, 0) - before.get(place, 0)
        for place in [*after, *(place for place in before if place not in after)]
    }


class OrderBooks:
    """The order facts of one key, settled over its chains."""

    def __init__(
        self, key: str, orders: Sequence[Order], chains: Sequence[Chain], policies: PolicyBook
    ) -> None:
        self.key, self.policies, self.chains = key, policies, chains
        self.by_name = {chain.name: chain for chain in chains}
        self.sales = {o.order_id: open_sale(o, policies.zone) for o in orders if o.kind == "sale"}
        self.slots = {
            order_id: {
                one: slots_of(sale.order, one, chains, policies.at(sale.order.occurred_at))
                for one in sale.classes
            }
            for order_id, sale in self.sales.items()
        }
        self.taking_back = sorted(
            (o for o in orders if o.kind in TAKES_BACK),
            key=lambda o: (o.occurred_at, o.event_id.encode(), o.order_id.encode()),
        )
        self.adjustments = [o for o in orders if o.kind == "adjustment"]
        self.books = Books()

    def settle(self) -> Books:
        """Book everything, in the order in which it happened."""
        for sale in self.sales.values():
            self.book_gross(sale, self.position(sale))
        grosses = {order_id: sum(map(s.gross, s.classes)) for order_id, s in self.sales.items()}
        for fact in self.taking_back:
            self.take_back(fact)
        for fact in self.adjustments:
            amount = sum(line.amount_minor for line in fact.lines)
            self.simple(fact, "adjustment", amount)
            self.simple(fact, "net", -amount)
        for order_id, sale in self.sales.items():
            position = self.position(sale)
            self.books.orders[self.key, order_id] = OrderBook(
                currency=sale.order.currency,
                gross=grosses[order_id],
                net=sum(map(sale.net, sale.classes)),
                unattributed=sum(position.unattributed.values()),
                credits={place: part for place, part in position.credits.items() if part},
            )
        return self.books

    def position(self, sale: Sale) -> Position:
        """Work out who holds what of a sale as it stands, by the rules of its own date."""
        slots = self.slots[sale.order.order_id]
        return position_of(sale, slots, self.policies.at(sale.order.occurred_at))

    def simple(self, fact: Order, line: str, amount: int) -> None:
        """Book an amount that concerns no contact, under the fact's own order_id."""
        self.books.book(
            Account(self.key, line, fact.currency, fact.occurred_at, order_id=fact.order_id), amount
        )

    def place(
        self, sale: Sale, line: str, at: int, name: str | None, product_class: str
    ) -> Account:
        """Return the account of an amount of a sale, with the dimensions of its chain."""
        account = Account(
            self.key,
            line,
            sale.order.currency,
            at,
            order_id=sale.order.order_id,
            product_class=product_class,
        )
        return account if name is None else with_chain(account, self.by_name[name])

    def book_gross(self, sale: Sale, position: Position) -> None:
        """Book a sale as it was made."""
        order = sale.order
        self.simple(order, "net", -sum(map(sale.gross, sale.classes)))
        sold, _ = sold_in(order, self.chains)
        lines = {"product": "A1b" if sold is None else "A1a", "upgrade": "A4"}
        for (name, one), credit in position.credits.items():
            if one in lines:
                self.books.book(self.place(sale, lines[one], order.occurred_at, name, one), credit)
        for state in sale.lines:
            one = state.line.product_class
            if one == "maintenance":
                where = self.place(sale, "A3", order.occurred_at, None, one)
                self.books.book(where, state.net, state.days)
            if one == "support":
                line = "A2a" if state.days is None else "A2b"
                where = self.place(sale, line, order.occurred_at, None, one)
                self.books.book(where, state.net, state.days)
        for one, amount in position.unattributed.items():
            # A centre class is earned whole by the centre: it is unattributed only when
            # more was taken back than there was.
            where = self.place(sale, "unattributed", order.occurred_at, None, one)
            self.books.book(where, amount)
        self.book_goods(sale, order.occurred_at, position.goods)

    def book_goods(self, sale: Sale, at: int, goods: dict[tuple[str | None, str], int]) -> None:
        """Book cost of goods, negative, where the credit stands."""
        for (name, one), cost in goods.items():
            self.books.book(self.place(sale, "B", at, name, one), -cost)

    def take_back(self, fact: Order) -> None:
        """Apply a refund, chargeback, credit note or cancellation."""
        if fact.refund_of is not None or fact.kind == "cancellation":
            self.take_back_linked(fact)
            return
        left = sum(line.amount_minor for line in fact.lines)
        may_link = (
            self.policies.at(fact.occurred_at).unlinked == "newest_first"
            and fact.customer_id is not None
        )
        for sale in self.earlier_sales(fact) if may_link else []:
            part = min(left, sum(map(sale.left, sale.classes)))
            if part > 0:
                self.change(sale, fact, part)
                left -= part
        self.simple(fact, "A5x", -left)
        self.simple(fact, "net", left)

    def earlier_sales(self, fact: Order) -> Iterable[Sale]:
        """Return the customer's earlier orders in the same currency, newest first."""
        earlier = [
            sale
            for sale in self.sales.values()
            if sale.order.currency == fact.currency
            and 0 < fact.occurred_at - sale.order.occurred_at <= self.policies.horizon_ms
        ]
        return sorted(
            earlier,
            key=lambda sale: (sale.order.occurred_at, sale.order.order_id.encode()),
            reverse=True,
        )

    def take_back_linked(self, fact: Order) -> None:
        """Apply what names its order; without that order it is an orphan (RUL-REFUND-KEY)."""
        sale = self.sales.get(fact.refund_of or "")
        if (
            sale is None
            or sale.order.currency != fact.currency
            or fact.occurred_at - sale.order.occurred_at > self.policies.horizon_ms
        ):
            # A cancellation takes back what is left, and of an unknown order nothing is.
            if fact.kind != "cancellation":
                amount = sum(line.amount_minor for line in fact.lines)
                self.simple(fact, "A5x", -amount)
                self.simple(fact, "net", amount)
            return
        self.change(sale, fact, None)

    def change(self, sale: Sale, fact: Order, unlinked: int | None) -> None:
        """Let a fact reduce a sale and book the difference at the fact's time (DEF-REFUND)."""
        at = fact.occurred_at
        day = local_day(at, self.policies.zone)
        before = self.position(sale)
        if unlinked is not None:
            take_from_order(sale, unlinked, day)
        elif fact.kind == "cancellation":
            cancel(sale, fact, day)
        else:
            refund_linked(sale, fact, day)
        after = self.position(sale)
        net = Account(self.key, "net", fact.currency, at, order_id=sale.order.order_id)
        self.books.book(net, before.net - after.net)
        # What was deferred is undone where it stood; only the rest of a loss is A5 (RUL-TERM).
        undone: dict[tuple[str | None, str], int] = {}
        for index, state in enumerate(sale.lines):
            if state.days is not None:
                one = state.line.product_class
                days = less(after.days[index], before.days[index])
                line = "A3" if one == "maintenance" else "A2b"
                moved = sum(days.values())
                self.books.book(self.place(sale, line, at, None, one), moved, days)
                undone[None, one] = undone.get((None, one), 0) + moved
        lost = less(less(after.credits, before.credits), undone)
        for (name, one), loss in lost.items():
            self.books.book(self.place(sale, "A5", at, name, one), loss)
        for one, loss in less(after.unattributed, before.unattributed).items():
            self.books.book(self.place(sale, "unattributed", at, None, one), loss)
        self.book_goods(sale, at, less(after.goods, before.goods))


def with_chain(account: Account, chain: Chain) -> Account:
    """Give an account the name and the dimensions of a chain (RUL-DIMS)."""
    face = chain.face
    return account._replace(
        contact_id=chain.name,
        case_id=chain.case_id,
        queue=face.queue,
        team=face.team or "",
        agent_id=face.agent_id or "",
        channel=face.channel,
        reason=face.reason or "",
        kind=face.kind,
    )
