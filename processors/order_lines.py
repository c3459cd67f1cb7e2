"""What an order and its refunds book: A1-A5, B, and the control lines.

Law (I1): the entries of an order sum to zero, step by step: what the contacts, the centre and
`unattributed` hold is the order's net revenue, and `net` is that with its sign reversed. With
v(m) the credit vector of net revenue m, the sale books v(gross) and refund k books
A5 = v(net after k) - v(net before k), per contact: so a refund belongs to the period in which it
happened and takes from the contacts that had earned (DEF-REFUND).

Product and upgrade lines are split over contacts; maintenance and support go whole to the centre
(DEF-UNIT). Every order line is in exactly one of A1-A4 (I7).
"""

from collections.abc import Sequence
from operator import add
from typing import Final

import msgspec

from processors.attribution import Shares, Touchpoint, shares
from processors.centre_lines import book_centre
from processors.order_book import Moment, OrderBook, control, goods_of, moments_of
from processors.policy import Policy
from processors.results import (
    ADJUSTMENT,
    NET,
    ORPHAN,
    UNATTRIBUTED,
    Basis,
    ClassNet,
    Credit,
    Entry,
)
from processors.settlement import CLASSES, LocalDay, Step, refund_total
from processors.touchpoints import Chain
from streams.facts import Millis, Order

SHARED_CLASSES: Final = ("product", "upgrade")


class Journey(msgspec.Struct, frozen=True, gc=False):
    """What an order meets in its customer's journey.

    `path` holds the handled chains that ended no later than the order, within the longest
    lookback, by (ended_at, contact_id). `sold_in` is the chain it was sold in; `sold_unknown`
    says that it names one that cannot be found; `late` that it came too late; `during` that it
    came while its only contacts went on.
    """

    path: tuple[Chain, ...] = ()
    sold_in: Chain | None = None
    sold_unknown: bool = False
    late: bool = False
    during: bool = False


def book_sale(
    order: Order, steps: Sequence[Step], journey: Journey, policy: Policy, local_day: LocalDay
) -> OrderBook:
    """Book a sale and the refunds that were settled on it."""
    moments = moments_of(order, steps)
    book = OrderBook()
    present = {line.product_class for line in order.lines}
    for index, name in enumerate(CLASSES):
        if name not in present and not (steps and any(moment.over[index] for moment in moments)):
            continue
        if name in SHARED_CLASSES:
            _shared_class(order, index, moments, journey, policy).book(book)
        else:
            book_centre(order, index, moments, policy, local_day, book)
    before = 0
    for moment in moments:
        net = sum(moment.class_net)
        if net != before:
            book.entries.append(control(order, NET, before - net, moment.at, note=moment.note))
        before = net
    return book


def _shared_class(
    order: Order, index: int, moments: Sequence[Moment], journey: Journey, policy: Policy
) -> "_SharedClass":
    name = CLASSES[index]
    lookback_ms = policy.lookback_of(name)
    chain = journey.sold_in
    line, note, path, found = "A1b", "", journey.path, _NOBODY
    if chain is not None:
        line, path = "A1a", (chain,)
        found = Shares(path, (Touchpoint(chain.ended_at, chain.contact_id, (0,)),), (1,), (0,))
    elif path and not journey.sold_unknown and not journey.late:
        found = shares(policy.model, path, order.occurred_at, lookback_ms)
    if name == "upgrade":
        line, note = "A4", "post_contact" if chain is None else "in_contact"
    return _SharedClass(
        order, index, name, line, note, lookback_ms, moments, journey, path, found, policy
    )


_NOBODY: Final = Shares()


class _SharedClass(msgspec.Struct, frozen=True, gc=False):
    """One product class of an order, whose revenue contacts earn; `line` is where it stands."""

    order: Order
    index: int
    name: str
    line: str
    note: str
    lookback_ms: int
    moments: Sequence[Moment]
    journey: Journey
    path: Sequence[Chain]
    shares: Shares
    policy: Policy

    def book(self, book: OrderBook) -> None:
        """Book revenue, refunds, cost of goods and what stays unattributed of this class."""
        gross = self.moments[0].class_net[self.index]
        shares, entries = self.shares, book.entries
        vector, rest = [0] * len(shares.places), 0
        for moment in self.moments:
            before, before_rest = vector, rest
            vector, rest = shares.vector(gross, moment.class_net[self.index])
            line, note = (self.line, self.note) if moment.step is None else ("A5", moment.note)
            for place, credit, was in zip(shares.places, vector, before, strict=True):
                if credit != was:
                    change = credit - was
                    entries.append(self.entry(place, line, "booked", change, moment.at, note))
            if rest != before_rest:
                note, change = self.unattributed_note(), rest - before_rest
                entries.append(
                    control(self.order, UNATTRIBUTED, change, moment.at, note=note, name=self.name)
                )
        if shares.touches:
            self.book_goods(book)
            book.credits += [
                Credit(self.name, self.line, part, weight, contact.contact_id, contact.case_id)
                for contact, weight, part in shares.by_contact(vector)
            ]
        book.classes.append(
            ClassNet(self.name, gross, self.moments[-1].class_net[self.index], self.lookback_ms)
        )
        book.unattributed_minor += rest

    def unattributed_note(self) -> str:
        """Say why revenue of this class is unattributed."""
        if any(self.shares.weights):
            return "over_refund"
        if self.journey.late:
            return "late"
        if self.journey.sold_unknown:
            return "sold_unknown"
        return "during" if self.journey.during else "no_touch"

    def book_goods(self, book: OrderBook) -> None:
        """Book B: each line's cost of goods, in step with its net, on the contacts credited."""
        order, shares = self.order, self.shares
        lines = [i for i, x in enumerate(order.lines) if x.product_class == self.name]
        nothing = [0] * len(shares.places)
        due: dict[Basis, list[int]] = {}
        for moment in self.moments:
            before, due = due, {}
            for i in lines:
                cost, basis = goods_of(order, i, moment, self.policy)
                parts = shares.split(-cost)
                so_far = due.get(basis)
                due[basis] = parts if so_far is None else list(map(add, so_far, parts))
            for basis, amounts in due.items():
                former = before.get(basis, nothing)
                for place, amount, was in zip(shares.places, amounts, former, strict=True):
                    if amount != was:
                        change, note = amount - was, moment.note
                        entry = self.entry(place, "B", basis, change, moment.at, note)
                        book.entries.append(entry)

    def entry(
        self, place: int, line: str, basis: Basis, amount_minor: int, at: Millis, note: str
    ) -> Entry:
        """Return an entry under the dimensions of the contact at a place in the path."""
        chain = self.path[place]
        face = chain.face
        # By position: a call with over 15 keywords first builds a dictionary of them.
        return Entry(
            line,
            basis,
            amount_minor,
            self.order.currency,
            at,
            self.order.order_id,
            chain.contact_id,
            "",
            chain.case_id or "",
            self.name,
            face.queue,
            face.team or "",
            face.agent_id or "",
            face.channel,
            face.reason or "",
            face.kind,
            "",
            "" if self.journey.sold_in is not None else self.policy.model,
            note,
        )


def book_orphan(refund: Order, orphaned_minor: int) -> list[Entry]:
    """Book what a refund took back that no order of ours holds (DEF-ORPHAN)."""
    if orphaned_minor == 0:
        return []
    at = refund.occurred_at
    return [
        control(refund, ORPHAN, -orphaned_minor, at),
        control(refund, NET, orphaned_minor, at),
    ]


def book_adjustment(order: Order) -> list[Entry]:
    """Book an adjustment: it touches no order and no contact (DEF-ADJUST)."""
    amount = refund_total(order)
    if amount == 0:
        return []
    at = order.occurred_at
    return [control(order, ADJUSTMENT, amount, at), control(order, NET, -amount, at)]
