"""A small world of customers, three years of it, in which every effect of a contact is known.

Orders come at each customer's own rate, which nobody sees. Contacts come at a rate that depends
on what everybody can see (how often and how lately the customer bought), so a comparison within
strata is fair. A resolved case may cause one more order within 30 days; after an unresolved one
the customer may buy no more. What would have happened without is kept beside what did.

In a *confounded* world some customers buy seldom and call often for a reason nobody sees.
"""

from dataclasses import dataclass

import numpy as np

from processors.history import DAY_MS, NEVER, Bools, Events, Floats, History, Ints, history

START_MS = 1_640_995_200_000  # 2022-01-01
HOUR_MS = 3_600_000
RESOLVED, UNRESOLVED, PENDING = 0, 1, 2


@dataclass(frozen=True)
class Settings:
    """What the world is like. Rates of contact are per day; effects are chances."""

    customers: int = 1000
    days: int = 1095
    more_orders: float = 0.06
    leave: float = 0.15
    contact_rate: float = 0.0012
    resolved: float = 0.7
    again: float = 0.2
    undone: float = 0.05
    sold_in: float = 0.04
    confounded: bool = False


@dataclass(frozen=True, eq=False)
class World:
    """What was seen, and what would have been bought without any contact."""

    history: History
    baseline: Events
    baseline_undone_ms: Ints
    gone_ms: Ints

    def without(self, customer: Ints, at_ms: Ints, window_ms: tuple[int, int]) -> Floats:
        """Return who would have bought in the window without any contact from `at_ms` on."""
        start_ms, end_ms = at_ms + window_ms[0], at_ms + window_ms[1]
        place = self.baseline.until(customer, start_ms)
        stop = self.baseline.until(customer, end_ms)
        bought = np.zeros(len(customer))
        for step in range(int((stop - place).max(initial=0))):
            here = place + step
            inside = np.flatnonzero((here < stop) & (bought == 0))
            bought[inside] = self.baseline_undone_ms[here[inside]] > end_ms[inside]
        return np.where(self.gone_ms[customer] > at_ms, bought, 0.0)


class _Days:
    """The state of all customers, moved from day to day."""

    def __init__(self, settings: Settings, rng: np.random.Generator) -> None:
        n, days = settings.customers, settings.days
        self.settings, self.rng = settings, rng
        rate = rng.gamma(1.3, 3.5 / 365 / 1.3, n)
        self.hidden = np.ones(n)
        if settings.confounded:
            risky = rng.random(n) < 0.3
            rate[risky] *= 0.3
            self.hidden[risky] = 4.0
        self.baseline: Bools = rng.random((days, n)) < rate
        first = rng.integers(0, 250, n)
        self.baseline[np.arange(days)[:, None] < first] = False
        self.baseline[first, np.arange(n)] = True
        self.orders = np.zeros((days, n), dtype=np.bool_)  # of one's own accord
        self.extra = np.zeros((days + 40, n), dtype=np.bool_)
        self.gone_day = np.full(n, 10 * days)
        self.last = np.full(n, -10_000)
        self.recent = np.zeros(n, dtype=np.int64)
        self.case = np.full(n, -1)
        self.due = np.full(n, -1)
        self.cases = 0
        self.contacts: list[tuple[Ints, int, Ints, Ints]] = []
        self.sold: list[tuple[Ints, int]] = []

    def run(self) -> None:
        """Live all days. Contacts come before noon of the evening's orders."""
        for day in range(self.settings.days):
            self._calls(day)
            ordered = (self.baseline[day] & (self.gone_day >= day)) | self.extra[day]
            self.orders[day] = ordered
            self.last[ordered] = day
            self.recent += ordered
            if day >= 180:
                self.recent -= self.orders[day - 180]

    def _calls(self, day: int) -> None:
        s, rng = self.settings, self.rng
        age = day - self.last
        rate = np.where(age <= 14, 4.0, np.where(age <= 90, 1.5, 1.0)) * self.hidden
        rate = rate * np.where(self.recent >= 3, 1.6, 1.0) * s.contact_rate
        again = self.due == day
        fresh = (rng.random(s.customers) < rate) & (self.due < day) & (self.last >= 0)
        who = np.flatnonzero(fresh | again)
        if not len(who):
            return
        new = fresh[who]
        self.case[who[new]] = self.cases + np.arange(int(new.sum()))
        self.cases += int(new.sum())
        more = new & (rng.random(len(who)) < s.again)
        self.due[who[more]] = day + rng.integers(1, 6, int(more.sum()))
        ending = np.where(rng.random(len(who)) < s.resolved, RESOLVED, UNRESOLVED)
        ending[more] = PENDING
        self._follow(who, ending, day)
        self.contacts.append((who, day, self.case[who].copy(), ending))
        sold = who[rng.random(len(who)) < s.sold_in]
        self.sold.append((sold[self.gone_day[sold] > day], day))

    def _follow(self, who: Ints, ending: Ints, day: int) -> None:
        s, rng = self.settings, self.rng
        stays = self.gone_day[who] > day
        caused = who[stays & (ending == RESOLVED) & (rng.random(len(who)) < s.more_orders)]
        self.extra[day + rng.integers(1, 29, len(caused)), caused] = True
        lost = who[stays & (ending == UNRESOLVED) & (rng.random(len(who)) < s.leave)]
        self.gone_day[lost] = day


def world(seed: int, settings: Settings | None = None) -> World:
    """Make a world; the same seed makes the same."""
    s = settings or Settings()
    rng = np.random.default_rng(seed)
    days = _Days(s, rng)
    days.run()
    contact_customer = np.concatenate([who for who, *_ in days.contacts])
    contact_day = np.concatenate([np.full(len(who), day) for who, day, *_ in days.contacts])
    contact_case = np.concatenate([case for _, _, case, _ in days.contacts])
    ending = _of_case(contact_case, np.concatenate([end for *_, end in days.contacts]))
    contact_ms = _at(contact_day, rng.integers(8 * HOUR_MS, 16 * HOUR_MS, len(contact_day)))
    # One draw per customer and day serves what was and what would have been.
    place = np.flatnonzero(days.orders | days.baseline)
    evening_ms = rng.integers(18 * HOUR_MS, 24 * HOUR_MS, len(place))
    kept_ms = np.where(rng.random(len(place)) < s.undone, 20, 100_000) * DAY_MS
    place_day, place_customer = np.divmod(place, s.customers)
    place_ms = _at(place_day, evening_ms)
    own = np.flatnonzero(days.orders.ravel()[place])
    base = np.flatnonzero(days.baseline.ravel()[place])
    by = base[np.lexsort((place_ms[base], place_customer[base]))]
    sold_customer = np.concatenate([who for who, _ in days.sold])
    sold_day = np.concatenate([np.full(len(who), day) for who, day in days.sold])
    own_ms = place_ms[own]
    sold_ms = _at(sold_day, np.full(len(sold_day), 7 * HOUR_MS))
    undone_ms = own_ms + kept_ms[own]
    seen = history(
        as_of_ms=START_MS + s.days * DAY_MS,
        customers=s.customers,
        contact_customer=contact_customer,
        contact_at_ms=contact_ms,
        contact_case=contact_case,
        contact_outcome=ending,
        contact_segment=contact_case % 2,
        order_customer=np.concatenate((place_customer[own], sold_customer)),
        order_at_ms=np.concatenate((own_ms, sold_ms)),
        order_undone_ms=np.concatenate((undone_ms, np.full(len(sold_ms), NEVER))),
        order_in_contact=np.arange(len(own_ms) + len(sold_ms)) >= len(own_ms),
        order_product=np.ones(len(own_ms) + len(sold_ms), dtype=np.int64),
        order_margin_minor=np.full(len(own_ms) + len(sold_ms), 2000),
    )
    events = seen.orders
    return World(
        history=seen,
        baseline=Events(
            place_customer[by], place_ms[by], s.customers, events.origin_ms, events.span_ms
        ),
        baseline_undone_ms=(place_ms + kept_ms)[by],
        gone_ms=_at(days.gone_day + 1, np.zeros(s.customers, dtype=np.int64)),
    )


def _at(day: Ints, of_day_ms: Ints) -> Ints:
    return START_MS + day * DAY_MS + of_day_ms


def _of_case(case: Ints, ending: Ints) -> Ints:
    """Return how each contact's case ended: its last contact says so."""
    outcome = np.full(int(case.max()) + 1, UNRESOLVED)
    known = ending != PENDING
    outcome[case[known]] = ending[known]
    result: Ints = outcome[case]
    return result
