"""What the centre as a whole earns of an order: maintenance and support lines.

Law: for a line with a term, earned + deferred = net of the line, on every day (I1). A refund
stops the running spread at its day, and what is left is spread anew over the days left; days
before it never move (RUL-SPREAD, RUL-TERM).
"""

from collections.abc import Sequence

from processors.order_book import Moment, OrderBook, control, goods_of
from processors.policy import Policy
from processors.results import UNATTRIBUTED, Basis, ClassNet, Credit, Entry
from processors.settlement import CLASSES, LocalDay, Spread, term_of
from streams.facts import Order


def book_centre(
    order: Order,
    index: int,
    moments: Sequence[Moment],
    policy: Policy,
    local_day: LocalDay,
    book: OrderBook,
) -> None:
    """Book maintenance or support lines: whole to the centre, by day where they have a term."""
    name = CLASSES[index]
    places = [i for i, x in enumerate(order.lines) if x.product_class == name]
    terms = {i: term_of(order.lines[i], local_day) for i in places}
    spread_line, plain_line = ("A3", "A3") if name == "maintenance" else ("A2b", "A2a")
    before = moments[0]
    for moment in moments:
        for i in places:
            line = spread_line if terms[i] else plain_line
            _book_centre_line(order, i, line, terms[i], moment, book)
        over = moment.over[index] - before.over[index]
        if over:
            book.entries.append(
                control(order, UNATTRIBUTED, -over, moment.at, note="over_refund", name=name)
            )
        before = moment
    if name == "support":
        for i in places:
            _book_centre_goods(order, i, moments, policy, book)
    last = moments[-1]
    credit = sum(last.line_net[i] for i in places)
    line = spread_line if any(terms.values()) else plain_line
    if places:
        book.credits.append(Credit(product_class=name, line=line, credit_minor=credit, weight=1))
    book.classes.append(
        ClassNet(
            product_class=name,
            gross_minor=moments[0].class_net[index],
            net_minor=last.class_net[index],
            lookback_ms=0,
        )
    )
    book.unattributed_minor -= last.over[index]


def _book_centre_line(
    order: Order, place: int, line: str, term: Spread | None, moment: Moment, book: OrderBook
) -> None:
    step = moment.step
    name = order.lines[place].product_class
    if step is None:
        amount = order.lines[place].amount_minor
        if amount and term:
            book.entries.append(_spread(order, line, name, moment, term, amount))
        elif amount:
            book.entries.append(_centre(order, line, name, moment, amount, "booked"))
        return
    for restart in step.restarts:
        if restart.line != place:
            continue
        stopped = -restart.before.left(restart.cut)
        book.entries.append(
            _spread(order, line, name, moment, restart.before, stopped, restart.cut)
        )
        if restart.after is not None:
            amount = restart.after.amount_minor
            book.entries.append(_spread(order, line, name, moment, restart.after, amount))
    if step.taken[place]:
        book.entries.append(_centre(order, "A5", name, moment, -step.taken[place], "booked"))


def _book_centre_goods(
    order: Order, place: int, moments: Sequence[Moment], policy: Policy, book: OrderBook
) -> None:
    before = 0
    for moment in moments:
        cost, basis = goods_of(order, place, moment, policy)
        if cost != before:
            name = order.lines[place].product_class
            book.entries.append(_centre(order, "B", name, moment, before - cost, basis))
        before = cost


def _centre(
    order: Order, line: str, name: str, moment: Moment, amount_minor: int, basis: Basis
) -> Entry:
    return Entry(
        line=line,
        basis=basis,
        amount_minor=amount_minor,
        currency=order.currency,
        effective_at=moment.at,
        order_id=order.order_id,
        product_class=name,
        note=moment.note,
    )


def _spread(
    order: Order,
    line: str,
    name: str,
    moment: Moment,
    spread: Spread,
    amount_minor: int,
    cut: int | None = None,
) -> Entry:
    """Return a spread entry; with `cut`, the one that takes back the days from `cut` on."""
    return Entry(
        line=line,
        basis="accrued",
        amount_minor=amount_minor,
        currency=order.currency,
        effective_at=moment.at,
        order_id=order.order_id,
        product_class=name,
        note=moment.note,
        term_start=spread.start,
        term_end=spread.end,
        cut=cut if cut is not None and cut > spread.start else None,
        spread_minor=spread.amount_minor if cut is None else -spread.amount_minor,
    )
