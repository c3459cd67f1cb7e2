"""The days on which a customer bought, and the terms he bought: an index of his orders.

Law: it holds what the orders remembered say, and can be rebuilt from them; what is forgotten is in
the past that `RiskItem` keeps. So a history costs the same however long it is.

A purchase is an order of a known customer in the reporting currency that is worth more than
nothing after its refunds; the purchases of one local day are one (DEF-RISK). One that was refunded
in full was a purchase until then: of that an older moment is told.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from processors.items import OrderItem, Past
from processors.results import NET, Entry
from streams.facts import Day, Millis

TERM_LINES: Final = frozenset({"A2b", "A3"})
"""Lines that are earned over a term: support and maintenance."""
TAKING_BACK: Final = frozenset({"refund", "chargeback", "cancellation"})

DayOf = Callable[[Millis], Day]


class Purchase(NamedTuple):
    """One order: when, what it is worth; `gone_at` when refunds had left nothing, None: never."""

    at: Millis
    day: Day
    minor: int
    gone_at: Millis | None


class Term(NamedTuple):
    """A term bought: known from `at` on, its days [start, end), what it is worth."""

    at: Millis
    start: Day
    end: Day
    minor: int
    currency: str


class Stop(NamedTuple):
    """What ended the term [start, end) at a day, known from `at` on."""

    at: Millis
    start: Day
    end: Day
    cut: Day


class Terms(NamedTuple):
    """The terms of an order, and what ended some of them early."""

    bought: tuple[Term, ...]
    stops: tuple[Stop, ...]


class Known(NamedTuple):
    """Purchases known at a moment: how many days, the first and the last of them."""

    days: int
    first_day: Day
    last_day: Day


class PurchaseDays:
    """The purchases and terms of the orders that a customer's items remember."""

    __slots__ = (
        "_by_day",
        "_lasting_minor",
        "_orders",
        "_sold_minor",
        "_voided",
        "days",
        "minor",
        "taken",
        "terms",
        "times",
    )

    def __init__(
        self, items: Iterable[OrderItem] = (), currency: str = "", day_of: DayOf = int
    ) -> None:
        # Days in order, the first order's time on each, what each brought.
        self.days: list[Day] = []
        self.times: list[Millis] = []
        self.minor: list[int] = []
        # When each refund, chargeback or cancellation was made.
        self.taken: dict[str, Millis] = {}
        self.terms: dict[str, Terms] = {}
        # Of each order with a term what it brought for the time it lasts; of each what it brought.
        self._lasting_minor: dict[str, int] = {}
        self._sold_minor = 0
        self._orders: dict[str, Purchase] = {}
        self._by_day: dict[Day, list[str]] = {}
        self._voided: dict[str, Purchase] = {}
        for item in items:
            self.take(item, currency, day_of)

    def take(self, item: OrderItem, currency: str, day_of: DayOf) -> None:
        """Put an order in the place of what it was."""
        order = item.fact
        name = order.order_id
        if order.kind != "sale":
            if order.kind in TAKING_BACK and not order.withdrawn:
                self.taken[name] = order.occurred_at
            else:
                self.taken.pop(name, None)
            return
        was = self._orders.pop(name, None)
        self._voided.pop(name, None)
        if was is not None:
            self._sold_minor -= was.minor
            self._by_day[was.day].remove(name)
            self._recount(was.day)
        now = purchase_of(item, currency, day_of)
        if now is not None and now.gone_at is not None:
            self._voided[name] = now
        elif now is not None:
            self._orders[name] = now
            self._sold_minor += now.minor
            self._by_day.setdefault(now.day, []).append(name)
            self._recount(now.day)
        terms = terms_of(item.booked) if order.customer_id is not None else NO_TERMS
        if terms.bought:
            self.terms[name] = terms
            self._lasting_minor[name] = sum([term.minor for term in terms.bought])
        else:
            self.terms.pop(name, None)
            self._lasting_minor.pop(name, None)

    @property
    def is_contractual(self) -> bool:
        """Whether terms brought at least half of what all orders did.

        The end of a small term says little of one who comes back for other things.
        """
        return bool(self.terms) and 2 * sum(self._lasting_minor.values()) >= self._sold_minor

    def _recount(self, day: Day) -> None:
        """Enter a day anew, from the orders that are purchases."""
        there = [self._orders[name] for name in self._by_day[day]]
        place = bisect_left(self.days, day)
        held = place < len(self.days) and self.days[place] == day
        if not there:
            del self._by_day[day], self.days[place], self.times[place], self.minor[place]
            return
        at, minor = min([each.at for each in there]), sum([each.minor for each in there])
        if held:
            self.times[place], self.minor[place] = at, minor
        else:
            self.days.insert(place, day)
            self.times.insert(place, at)
            self.minor.insert(place, minor)

    def known(self, past: Past | None, at: Millis) -> Known | None:
        """Return the purchases known at a moment; None where there were none."""
        count = bisect_right(self.times, at)
        days: list[Day] | None = None
        if self._voided:
            then = {
                each.day
                for each in self._voided.values()
                if each.at <= at and each.gone_at is not None and each.gone_at > at
            }
            if then.difference(self.days[:count]):
                days = sorted(then.union(self.days[:count]))
        if days is None:
            if not count:
                return None if past is None else Known(past.days, past.first_day, past.last_day)
            first, last = self.days[0], self.days[count - 1]
        else:
            count, first, last = len(days), days[0], days[-1]
        if past is None:
            return Known(count, first, last)
        both = 1 if first == past.last_day else 0
        return Known(past.days + count - both, past.first_day, last)

    def mean_minor(self, past: Past | None) -> float:
        """Return the mean of the repeat days' totals: the first purchase is in none (DEF-GG)."""
        total = sum(self.minor)
        if past is None:
            return (total - self.minor[0]) / (len(self.minor) - 1) if len(self.minor) > 1 else 0.0
        both = 1 if self.days and self.days[0] == past.last_day else 0
        repeats = past.days + len(self.days) - both - 1
        return (past.minor - past.first_minor + total) / repeats if repeats else 0.0

    def contract_end(self, known: Millis) -> Day | None:
        """Return the day after the last one of the terms known at a moment; None without any."""
        ends = [end for end, _ in self._terms_at(known)]
        return max(ends, default=None)

    def contract_minor(self, known: Millis, currency: str) -> int | None:
        """Return what the terms that end last are worth; None in another currency."""
        found = self._terms_at(known)
        last = max((end for end, _ in found), default=None)
        terms = [term for end, term in found if end == last]
        if not terms or any(term.currency != currency for term in terms):
            return None
        return sum(term.minor for term in terms)

    def _terms_at(self, known: Millis) -> list[tuple[Day, Term]]:
        """Return the terms known at a moment that were not ended before they began, and their end.

        A term that was taken back from a day on ends there.
        """
        found = []
        for terms in self.terms.values():
            for term in terms.bought:
                if term.at > known:
                    continue
                cuts = [
                    stop.cut
                    for stop in terms.stops
                    if stop.at <= known and (stop.start, stop.end) == (term.start, term.end)
                ]
                end = min([term.end, *cuts])
                if end > term.start:
                    found.append((end, term))
        return found


def purchase_of(item: OrderItem, currency: str, day_of: DayOf) -> Purchase | None:
    """Return what an order is as a purchase; None if it never was one."""
    order = item.fact
    if order.customer_id is None or order.currency != currency or order.withdrawn:
        return None
    net, was, gone_at = 0, 0, None
    for entry in item.booked:
        if entry.line == NET:
            net -= entry.amount_minor
            if net > 0:
                was, gone_at = net, None
            elif was > 0 and gone_at is None:
                gone_at = entry.effective_at
    if was <= 0:
        return None
    return Purchase(order.occurred_at, day_of(order.occurred_at), was, gone_at)


NO_TERMS: Final = Terms((), ())


def terms_of(entries: Iterable[Entry]) -> Terms:
    """Return the terms that an order's entries are earned over, and what ended them early."""
    bought: list[Term] = []
    stops: list[Stop] = []
    for entry in entries:
        start, end, at = entry.term_start, entry.term_end, entry.effective_at
        if start is None or end is None or entry.line not in TERM_LINES:
            continue
        if entry.spread_minor < 0:
            stops.append(Stop(at, start, end, start if entry.cut is None else entry.cut))
        else:
            bought.append(Term(at, start, end, entry.spread_minor, entry.currency))
    return Terms(tuple(bought), tuple(stops)) if bought else NO_TERMS


def past_with(past: Past | None, purchases: Iterable[Purchase]) -> Past | None:
    """Return the past with purchases that are forgotten from now on."""
    for each in sorted(purchases, key=attrgetter("at")):
        if past is None:
            past = Past(each.day, each.day, 1, each.minor, each.minor)
            continue
        is_new = each.day > past.last_day
        past = Past(
            past.first_day,
            max(past.last_day, each.day),
            past.days + (1 if is_new else 0),
            past.minor + each.minor,
            past.first_minor + (each.minor if each.day == past.first_day else 0),
        )
    return past
