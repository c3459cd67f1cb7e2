"""Whom to compare a contact with: customers who were like the caller at the same moment.

Law: nothing that comes after the moment decides who is compared (DEF-CTRL): no immortal time, no
look ahead. A control who is contacted later is watched only until then, and those who were not
yet stand for it (inverse probability of censoring: Robins 1993). Lots come from hashes of a seed,
so equal facts and seeds give equal controls, in whatever order facts stand.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from processors.history import COARSER, DAY_MS, NEVER, STRATA, Bools, Events, Floats, History, Ints

BLOCK: Final = 8
TRIES_MAX: Final = 512
"""How many candidates are looked at for one index; who is not found by then counts as unmatched."""
CONTACTS_MIN: Final = 10
"""Fewer contacts of a stratum tell no rate of it alone."""
WEIGHT_MAX: Final = 50.0
"""No control stands for more than this many: beyond, a figure would hang on single customers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Windows and numbers of the comparison, with the defaults of DEF-W, DEF-H, DEF-F, DEF-CTRL."""

    lookback_ms: int = 30 * DAY_MS
    horizon_ms: int = 365 * DAY_MS
    follow_ms: int = 7 * DAY_MS
    controls: int = 5
    strata_min: int = 30
    tick_ms: int = 4 * DAY_MS
    seed: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Indices:
    """The moments from which outcomes are counted, in order of (customer, time).

    `place` is that of the contact; `clean`: no contact of another case in the lookback before,
    which is what is asked of controls, too.
    """

    place: Ints
    customer: Ints
    at_ms: Ints
    clean: Bools


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """Every customer's stratum at each tick, and what had built up until then of being contacted.

    `stratum[k]` is at `start_ms + k x tick_ms`; `hazard[k]` sums, over the
    ticks before k, the contacts per tick of those in the same stratum who were free of contact.
    """

    start_ms: int
    tick_ms: int
    stratum: npt.NDArray[np.int32]
    hazard: Floats

    def built_up(self, customer: Ints, at_ms: Ints) -> Floats:
        """Return the hazard that built up until a time, straight between ticks."""
        ticks = np.clip((at_ms - self.start_ms) / self.tick_ms, 0, len(self.stratum) - 1)
        low = np.minimum(ticks.astype(np.int64), len(self.stratum) - 2)
        before, after = self.hazard[low, customer], self.hazard[low + 1, customer]
        total: Floats = before + (after - before) * (ticks - low)
        return total


@dataclass(frozen=True, eq=False, slots=True)
class Controls:
    """Controls of indices: `row` is the index each belongs to, `share` 1 / how many it has."""

    row: Ints
    customer: Ints
    share: Floats


def case_ends(history: History, rules: Rules) -> Ints:
    """Return the places of contacts that no contact of their case follows within F (DEF-INDEX).

    Only those whose F has passed: before that nobody knows.
    """
    by = np.lexsort((history.contacts.at_ms, history.contact_case))
    case, at_ms = history.contact_case[by], history.contacts.at_ms[by]
    follows = np.zeros(len(by), dtype=np.bool_)
    follows[:-1] = (case[1:] == case[:-1]) & (at_ms[1:] - at_ms[:-1] <= rules.follow_ms)
    known = at_ms + rules.follow_ms <= history.as_of_ms
    return np.sort(by[~follows & known])


def indices(history: History, rules: Rules) -> Indices:
    """Return the first case end per customer per lookback: their windows never overlap."""
    ends = case_ends(history, rules)
    place = _spaced(history.contacts, ends, rules.lookback_ms)
    customer, at_ms = history.contacts.customer[place], history.contacts.at_ms[place]
    before = place - 1
    same = _same_customer(history.contacts, before, place)
    while True:  # over the contacts of its own case
        own = same & (history.contact_case[before] == history.contact_case[place])
        if not own.any():
            break
        before = np.where(own, before - 1, before)
        same = _same_customer(history.contacts, before, place)
    recent = same & (history.contacts.at_ms[before] > at_ms - rules.lookback_ms)
    return Indices(place, customer, at_ms, ~recent)


def _same_customer(contacts: Events, before: Ints, place: Ints) -> Bools:
    same: Bools = contacts.customer[before] == contacts.customer[place]
    return same & (before >= 0)


def _spaced(contacts: Events, ends: Ints, apart_ms: int) -> Ints:
    """Keep the first end per customer, then the first that lies far enough from the last kept."""
    kept, last_ms = [], np.full(contacts.customers, -NEVER, dtype=np.int64)
    while len(ends):
        customer = contacts.customer[ends]
        first = np.ones(len(ends), dtype=np.bool_)
        first[1:] = customer[1:] != customer[:-1]
        chosen = ends[first]
        kept.append(chosen)
        last_ms[contacts.customer[chosen]] = contacts.at_ms[chosen]
        ends = ends[contacts.at_ms[ends] >= last_ms[customer] + apart_ms]
    return np.sort(np.concatenate(kept)) if kept else ends


def grid(history: History, rules: Rules) -> Grid:
    """Look at every customer at each tick."""
    start_ms = history.contacts.origin_ms + 1
    ticks = (history.as_of_ms - start_ms) // rules.tick_ms + 2
    everybody = np.arange(history.customers)
    strata = np.empty((ticks, history.customers), dtype=np.int32)
    looks = np.zeros(STRATA)
    for tick in range(ticks):
        now = np.full(history.customers, start_ms + tick * rules.tick_ms)
        strata[tick] = history.stratum(everybody, now)
        if now[0] <= history.as_of_ms:
            free = (strata[tick] >= 0) & _free(history, everybody, now, rules)
            looks += np.bincount(strata[tick][free], minlength=STRATA)
    contacts = history.contacts
    before_ms = contacts.at_ms - 1
    stratum = history.stratum(contacts.customer, before_ms)
    began = (stratum >= 0) & _free(history, contacts.customer, before_ms, rules)
    rate = _contact_rates(looks, np.bincount(stratum[began], minlength=STRATA))
    each = np.append(rate, 0.0)  # the last: of those not seen yet, at -1
    hazard = np.zeros((ticks, history.customers))
    np.cumsum(each[strata[:-1]], axis=0, out=hazard[1:])
    return Grid(start_ms, rules.tick_ms, strata, hazard)


def _free(history: History, customer: Ints, at_ms: Ints, rules: Rules) -> Bools:
    """Return who had no contact in the lookback before a time."""
    since = history.contacts.count(customer, at_ms - rules.lookback_ms, at_ms)
    return np.equal(since, 0)


def _contact_rates(looks: Floats, contacts: Ints) -> Floats:
    """Return contacts per tick by stratum: a tick is a look at a random moment, so looks are time.

    Strata with few contacts have the rate of their like, together: time in which nobody called
    counts too.
    """
    rate, left = np.zeros(STRATA), np.flatnonzero(looks + contacts > 0)
    for divisor in (*COARSER, STRATA):
        group = left // divisor
        many = np.bincount(group, contacts[left])[group]
        time = np.bincount(group, looks[left])[group]
        enough = (time > 0) & ((many >= CONTACTS_MIN) | (divisor == STRATA))
        rate[left[enough]] = many[enough] / time[enough]
        left = left[~enough]
    return rate


@dataclass(frozen=True, eq=False, slots=True)
class Members:
    """Customers by (tick x STRATA + stratum), in an order of lots within one."""

    key: Ints
    customer: Ints


def members(history: History, seen: Grid, rules: Rules) -> Members:
    """List every stratum a customer was in at any time of a tick, in each tick.

    As it began, as it ended, and just before and after each order: to leave one out because of
    what came later would be to look ahead. Whoever is drawn is looked at anew at the very moment.
    """
    ticks, customers = seen.stratum.shape
    assert ticks * STRATA < 1 << 20 > customers, "three numbers of 20, 24 and 20 bits are sorted"
    tick = np.repeat(np.arange(ticks - 1), customers)
    member = np.tile(np.arange(customers), ticks - 1)
    before, after = seen.stratum[:-1].ravel(), seen.stratum[1:].ravel()
    moved = after != before
    ordered, at_ms = history.own_orders.customer, history.own_orders.at_ms
    order_tick = (at_ms - seen.start_ms) // seen.tick_ms
    tick = np.concatenate((tick, tick[moved], order_tick, order_tick))
    member = np.concatenate((member, member[moved], ordered, ordered))
    stratum = np.concatenate(
        (before, after[moved], history.stratum(ordered, at_ms - 1), history.stratum(ordered, at_ms))
    )
    some = (stratum >= 0) & (tick >= 0)
    key, member = (tick[some] * STRATA + stratum[some]).astype(np.uint64), member[some]
    lot = _lots(rules.seed, member, tick[some]) >> np.uint64(40)
    packed = (key << np.uint64(44)) | (lot << np.uint64(20)) | member.astype(np.uint64)
    packed.sort()
    packed = packed[np.append(True, packed[1:] != packed[:-1])]
    return Members(
        (packed >> np.uint64(44)).astype(np.int64),
        (packed & np.uint64((1 << 20) - 1)).astype(np.int64),
    )


def controls(
    history: History, found: Indices, seen: Grid, listed: Members, rules: Rules
) -> Controls:
    """Draw up to M customers of the index' stratum at its time, not contacted in the lookback."""
    key, member = listed.key, listed.customer
    at_ms, own = found.at_ms, found.customer
    stratum = history.stratum(own, at_ms)
    tick = np.clip((at_ms - seen.start_ms) // seen.tick_ms, 0, len(seen.stratum) - 2)
    first = np.searchsorted(key, tick * STRATA + stratum, side="left")
    size = np.searchsorted(key, tick * STRATA + stratum, side="right") - first
    begin = _lots(rules.seed, own, at_ms) % np.maximum(size, 1).astype(np.uint64)
    count = np.zeros(len(own), dtype=np.int64)
    rows, customers = [], []
    for tried in range(0, TRIES_MAX, BLOCK):
        open_rows = np.flatnonzero(found.clean & (count < rules.controls) & (tried < size))
        if not len(open_rows):
            break
        step = tried + np.arange(BLOCK)
        place = (begin[open_rows].astype(np.int64)[:, None] + step) % size[open_rows][:, None]
        candidate = member[first[open_rows][:, None] + place]
        row = np.repeat(open_rows, BLOCK)
        flat, now = candidate.ravel(), at_ms[row]
        fits = (flat != own[row]) & (history.stratum(flat, now) == stratum[row])
        fits &= _free(history, flat, now, rules)
        good = fits.reshape(candidate.shape) & (step < size[open_rows][:, None])
        rank = count[open_rows][:, None] + np.cumsum(good, axis=1)
        good &= rank <= rules.controls
        at_row, at_step = np.nonzero(good)
        rows.append(open_rows[at_row])
        customers.append(candidate[at_row, at_step])
        count[open_rows] += good.sum(axis=1)
    row = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
    customer = np.concatenate(customers) if customers else np.empty(0, dtype=np.int64)
    return Controls(row, customer, 1.0 / count[row])


def _lots(seed: int, one: Ints, other: Ints) -> npt.NDArray[np.uint64]:
    """Return a lot for each pair, the same for the same seed (splitmix64 twice)."""
    start = np.uint64((seed * 2 + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
    lot = _mixed(one.astype(np.uint64) + start)
    return _mixed(lot ^ other.astype(np.uint64))


def _mixed(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def watched(
    history: History,
    seen: Grid,
    customer: Ints,
    at_ms: Ints,
    window_ms: tuple[int, int],
    *,
    own: bool,
    until_contact: bool,
) -> tuple[Floats, Floats]:
    """Return whether each bought in the window after its time (1 or 0), and how many it stands for.

    With `until_contact` who is contacted before that is known stands for none, and who is not
    for as many as it had been likely to be: weight 1 / P(not contacted until then).
    """
    start_ms, end_ms = at_ms + window_ms[0], at_ms + window_ms[1]
    first_ms = history.first_purchase(customer, start_ms, end_ms, own=own)
    bought = (first_ms != NEVER).astype(np.float64)
    if not until_contact:
        return bought, np.ones(len(customer))
    settled_ms = np.minimum(first_ms, end_ms)
    free = history.contacts.next(customer, at_ms) > settled_ms
    waited = seen.built_up(customer, settled_ms) - seen.built_up(customer, at_ms)
    return bought, np.where(free, np.minimum(np.exp(waited), WEIGHT_MAX), 0.0)
