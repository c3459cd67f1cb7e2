"""Customers' contacts and orders as columns, so that a million of them are asked at once.

Law: what is said of a moment is known at that moment: a state looks back from it, including the
events at it, never ahead. Times are milliseconds, windows are (start, end].
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NEVER: Final = 1 << 62
"""Later than every time: what has not happened."""
DAY_MS: Final = 86_400_000

MEMORY_MS: Final = 180 * DAY_MS
"""So far back a state looks at orders. What lies before is held out: it can show whether those
who are compared were alike in what the state does not hold (the placebo of DEF-LABEL)."""
FREQUENCY_EDGES: Final = np.array([1, 2, 3, 6])
"""Orders within memory: 0, 1, 2, 3 to 5, 6 and more."""
RECENCY_EDGES_MS: Final = np.array([14, 30, 90, 180]) * DAY_MS
"""Since the last order. Up to 14 days it counts as open: no fact says when it was delivered."""
TENURE_EDGES_MS: Final = np.array([60, 360]) * DAY_MS
"""Since the customer was first seen."""
PRODUCTS: Final = ("", "product", "upgrade", "maintenance", "support")
"""Class of the last order; none: never ordered."""

_RECENCIES: Final = len(RECENCY_EDGES_MS) + 1
_TENURES: Final = len(TENURE_EDGES_MS) + 1
STRATA: Final = (len(FREQUENCY_EDGES) + 1) * _RECENCIES * _TENURES * len(PRODUCTS)
COARSER: Final = (1, len(PRODUCTS), len(PRODUCTS) * _TENURES, len(PRODUCTS) * _TENURES * _RECENCIES)
"""A stratum divided by these forgets the product, then tenure, then recency."""


@dataclass(frozen=True, eq=False)
class Events:
    """Events in order of (customer, time); customers are numbered from 0.

    `origin_ms` lies before every event and `span_ms` is longer than all of time, so that customer
    and time make one number, by which events are found.
    """

    customer: Ints
    at_ms: Ints
    customers: int
    origin_ms: int
    span_ms: int

    @cached_property
    def _keys(self) -> Ints:
        return self.customer * self.span_ms + (self.at_ms - self.origin_ms)

    @cached_property
    def _first(self) -> Ints:
        return np.searchsorted(self.customer, np.arange(self.customers + 1))

    def until(self, customer: Ints, at_ms: Ints) -> Ints:
        """Return the place after each customer's last event up to and with a time."""
        offset = np.clip(at_ms - self.origin_ms, 0, self.span_ms - 1)
        return np.searchsorted(self._keys, customer * self.span_ms + offset, side="right")

    def count(self, customer: Ints, start_ms: Ints, end_ms: Ints) -> Ints:
        """Return how many events each customer has in (start, end]."""
        return self.until(customer, end_ms) - self.until(customer, start_ms)

    def last(self, customer: Ints, until: Ints) -> tuple[Ints, Ints]:
        """Return place and time of the event before a place; -1 and -NEVER if there is none."""
        place = until - 1
        some = place >= self._first[customer]
        return np.where(some, place, -1), np.where(some, self._time(place), -NEVER)

    def next(self, customer: Ints, at_ms: Ints) -> Ints:
        """Return when the first event after a time is; NEVER if there is none."""
        place = self.until(customer, at_ms)
        return np.where(place < self._first[customer + 1], self._time(place), NEVER)

    def _time(self, place: Ints) -> Ints:
        return self.at_ms.take(place, mode="clip") if len(self.at_ms) else np.zeros_like(place)


@dataclass(frozen=True, eq=False, kw_only=True)
class History:
    """What customers did. Every column beside `contacts` and `orders` has their order.

    A contact is a chain, at its end; `contact_case` is the same number for contacts of one case
    and belongs to one customer; `contact_outcome` and `contact_segment` are codes of the caller.
    An order is a sale; from `order_undone_ms` on nothing is left of it (NEVER: it stands);
    `order_in_contact`: it was sold in a contact (A1a); `order_product` is a place in PRODUCTS;
    `order_margin_minor` is its margin net of refunds. `first_seen_ms` per customer.
    """

    as_of_ms: int
    first_seen_ms: Ints
    contacts: Events
    contact_case: Ints
    contact_outcome: Ints
    contact_segment: Ints
    orders: Events
    order_undone_ms: Ints
    order_in_contact: Bools
    order_product: Ints
    order_margin_minor: Ints

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return len(self.first_seen_ms)

    @cached_property
    def _own_places(self) -> Ints:
        return np.flatnonzero(~self.order_in_contact)

    @cached_property
    def own_orders(self) -> Events:
        """Orders that were not sold in a contact: those that tell what contacts lead to."""
        events, places = self.orders, self._own_places
        return Events(
            events.customer[places],
            events.at_ms[places],
            events.customers,
            events.origin_ms,
            events.span_ms,
        )

    @cached_property
    def _own_undone_ms(self) -> Ints:
        return self.order_undone_ms[self._own_places]

    @cached_property
    def _own_product(self) -> Ints:
        return self.order_product[self._own_places]

    def stratum(self, customer: Ints, at_ms: Ints) -> Ints:
        """Return the stratum of each customer at a time, below STRATA; -1: not seen until then.

        Frequency, recency (with the open order), tenure, product of the last order (DEF-CTRL),
        of orders that were not sold in a contact.
        """
        own = self.own_orders
        end = own.until(customer, at_ms)
        count = end - own.until(customer, at_ms - MEMORY_MS)
        place, last_ms = own.last(customer, end)
        frequency = np.searchsorted(FREQUENCY_EDGES, count, side="right")
        recency = np.searchsorted(RECENCY_EDGES_MS, at_ms - last_ms)
        seen_ms = at_ms - self.first_seen_ms[customer]
        tenure = np.searchsorted(TENURE_EDGES_MS, seen_ms)
        product = np.zeros_like(place)
        some = place >= 0
        product[some] = self._own_product[place[some]]
        code = ((frequency * _RECENCIES + recency) * _TENURES + tenure) * len(PRODUCTS) + product
        return np.where(seen_ms >= 0, code, -1)

    def first_purchase(self, customer: Ints, start_ms: Ints, end_ms: Ints, *, own: bool) -> Ints:
        """Return the first order in (start, end] of which something is left at the end (DEF-PPR).

        NEVER where there is none. `own`: only orders that were not sold in a contact.
        """
        events = self.own_orders if own else self.orders
        undone_ms = self._own_undone_ms if own else self.order_undone_ms
        place = events.until(customer, start_ms)
        stop = events.until(customer, end_ms)
        found = np.full(len(customer), NEVER, dtype=np.int64)
        open_rows = np.flatnonzero(place < stop)
        while len(open_rows):
            here = place[open_rows]
            stands = undone_ms[here] > end_ms[open_rows]
            found[open_rows[stands]] = events.at_ms[here[stands]]
            place[open_rows] += 1
            open_rows = open_rows[~stands & (here + 1 < stop[open_rows])]
        return found

    def margin(self, customer: Ints, start_ms: Ints, end_ms: Ints) -> Ints:
        """Return the margin of each customer's orders in (start, end], in minor units."""
        running = np.concatenate(([0], np.cumsum(self.order_margin_minor)))
        first = self.orders.until(customer, start_ms)
        last: Ints = running[self.orders.until(customer, end_ms)]
        return last - running[first]


def history(
    *,
    as_of_ms: int,
    customers: int,
    contact_customer: Ints,
    contact_at_ms: Ints,
    contact_case: Ints,
    contact_outcome: Ints,
    contact_segment: Ints,
    order_customer: Ints,
    order_at_ms: Ints,
    order_undone_ms: Ints,
    order_in_contact: Bools,
    order_product: Ints,
    order_margin_minor: Ints,
) -> History:
    """Return the history of facts in any order; see `History` for the columns."""
    times = np.concatenate(([as_of_ms], contact_at_ms, order_at_ms))
    origin_ms = int(times.min()) - 1
    span_ms = int(times.max()) - origin_ms + 2
    by_contact = np.lexsort((contact_case, contact_at_ms, contact_customer))
    by_order = np.lexsort((order_undone_ms, order_at_ms, order_customer))
    first_seen_ms = np.full(customers, NEVER, dtype=np.int64)
    np.minimum.at(first_seen_ms, contact_customer, contact_at_ms)
    np.minimum.at(first_seen_ms, order_customer, order_at_ms)

    def events(customer: Ints, at_ms: Ints, by: Ints) -> Events:
        return Events(customer[by], at_ms[by], customers, origin_ms, span_ms)

    return History(
        as_of_ms=as_of_ms,
        first_seen_ms=first_seen_ms,
        contacts=events(contact_customer, contact_at_ms, by_contact),
        contact_case=contact_case[by_contact],
        contact_outcome=contact_outcome[by_contact],
        contact_segment=contact_segment[by_contact],
        orders=events(order_customer, order_at_ms, by_order),
        order_undone_ms=order_undone_ms[by_order],
        order_in_contact=order_in_contact[by_order],
        order_product=order_product[by_order],
        order_margin_minor=order_margin_minor[by_order],
    )
