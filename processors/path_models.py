"""Credit over many paths at once, and the two models that learn from all of them together.

Law: `credits_of` gives every contact of every path the minor units that `processors.attribution`
gives it one order at a time, whatever the model (DEF-SPLIT, DEF-CASESPLIT, RUL-SIGN); so another
model moves credit among contacts and nothing else (I11). Columns of integers go in and come out:
a million paths take about a second.

Markov and Shapley look at all paths, those without an order too, and say what share of the
conversions a channel has. A share enters the split as an integer weight (`share_weights`), so
the books stay exact whatever the model thinks.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from processors.attribution import HALF_LIFE_MS, weights
from processors.money import split
from processors.policy import Model

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

SHARE_ONE: Final = 1_000_000_000
"""The weight of a channel that has all conversions."""
_DECAY_ONE: Final = 2.0**32
_DECAY_DOUBT: Final = 1e-4
_PRODUCT_MAX: Final = 2.0**62


@dataclass(frozen=True, slots=True)
class Paths:
    """Contacts of many units (an order's product class, DEF-UNIT), as columns.

    Per contact, sorted by unit and within it by (ended_at, contact_id): `unit` (its place in the
    columns per unit), `age_ms` (how long before the order it ended), `handle_ms`, `case` (equal
    within a unit: one case; 0: none), `channel` (a code from 0: what is compared). Per unit:
    `gross_minor` and `net_minor`. A unit may have no contact.
    """

    unit: Ints
    age_ms: Ints
    handle_ms: Ints
    case: Ints
    channel: Ints
    gross_minor: Ints
    net_minor: Ints

    def within(self, lookback_ms: Ints | int) -> "Paths":
        """Leave out contacts that ended more than a lookback before (DEF-ELIG).

        One lookback for all, or one per unit.
        """
        limit = lookback_ms if isinstance(lookback_ms, int) else lookback_ms[self.unit]
        kept = self.age_ms <= limit
        return Paths(
            self.unit[kept],
            self.age_ms[kept],
            self.handle_ms[kept],
            self.case[kept],
            self.channel[kept],
            self.gross_minor,
            self.net_minor,
        )


@dataclass(frozen=True, slots=True)
class Touches:
    """The touchpoints of paths, in the order of their units and in time (DEF-TOUCH).

    `unit`, `channel` and `age_ms` are those of the touchpoint's last contact; `of_contact` gives
    each contact's touchpoint.
    """

    unit: Ints
    channel: Ints
    age_ms: Ints
    of_contact: Ints


def touches(paths: Paths) -> Touches:
    """Return the touchpoints: a case stands at its last contact, other contacts alone."""
    count = len(paths.unit)
    place = np.arange(count)
    head = place.copy()
    cased = np.flatnonzero(paths.case)
    if len(cased):
        order = cased[np.lexsort((cased, paths.case[cased], paths.unit[cased]))]
        new = _starts(paths.unit[order], paths.case[order])
        last = np.append(new[1:], len(order)) - 1
        head[order] = np.repeat(order[last], np.diff(np.append(new, len(order))))
    is_head = head == place
    number = np.cumsum(is_head) - 1
    return Touches(paths.unit[is_head], paths.channel[is_head], paths.age_ms[is_head], number[head])


def touch_weights(model: Model, found: Touches) -> Ints:
    """Return an integer weight per touchpoint (DEF-MODEL)."""
    count = len(found.unit)
    ones = np.ones(count, np.int64)
    if model == "linear" or count == 0:
        return ones
    if model == "time_decay":
        return _decayed(found.age_ms)
    starts = _starts(found.unit)
    lengths = np.diff(np.append(starts, count))
    is_first = np.zeros(count, np.bool_)
    is_first[starts] = True
    is_last = np.zeros(count, np.bool_)
    is_last[starts + lengths - 1] = True
    if model == "first":
        return is_first.astype(np.int64)
    if model == "last":
        return is_last.astype(np.int64)
    ends = np.repeat(np.maximum(1, 2 * (lengths - 2)), lengths)
    return np.where(is_first | is_last, ends, ones)


def credits_of(paths: Paths, found: Touches, weight: Ints) -> Ints:
    """Return every contact's credit in minor units, by the touchpoints' weights.

    A net amount of the other sign than the gross earns nobody anything (RUL-SIGN). What is left
    of a unit's net is unattributed.
    """
    turned = (paths.net_minor != 0) & ((paths.net_minor < 0) != (paths.gross_minor < 0))
    amounts = np.where(turned, 0, paths.net_minor)
    by_touch = split_all(amounts, found.unit, weight)
    if len(found.unit) == len(paths.unit):
        return by_touch
    credited = by_touch[found.of_contact]
    several = np.flatnonzero(np.bincount(found.of_contact)[found.of_contact] > 1)
    of_contact, handle = found.of_contact[several], paths.handle_ms[several]
    handled = np.zeros(len(found.unit), np.int64)
    np.add.at(handled, of_contact, handle)
    shares = np.where(handled[of_contact] == 0, 1, handle)
    credited[several] = split_all(by_touch, of_contact, shares)
    return credited


def split_all(amounts: Ints, group: Ints, weight: Ints) -> Ints:
    """Split each group's amount by its members' weights, largest remainder first (DEF-SPLIT).

    `group` is the place of a member's amount in `amounts`. Ties go to the earlier member; a
    group whose weights are all zero gets zeros.
    """
    count = len(group)
    if count == 0:
        return np.zeros(0, np.int64)
    in_order = bool((group[1:] >= group[:-1]).all())
    order = np.arange(count) if in_order else np.argsort(group, kind="stable")
    members, w = (group, weight) if in_order else (group[order], weight[order])
    starts = _starts(members)
    lengths = np.diff(np.append(starts, count))
    amount = amounts[members[starts]]
    size, total = np.abs(amount), np.add.reduceat(w, starts)
    largest = size.astype(np.float64) * np.maximum.reduceat(w, starts)
    # A product that may not fit 64 bits is left to integers without end.
    wide = np.flatnonzero(largest >= _PRODUCT_MAX)
    size = size.copy()
    size[wide] = 0
    each = np.repeat(np.arange(len(starts)), lengths)
    part, remainder = np.divmod(size[each] * w, np.maximum(total, 1)[each])
    left = np.where(total > 0, size - np.add.reduceat(part, starts), 0)
    open_to = np.flatnonzero(left[each])
    ranked = open_to[np.lexsort((-remainder[open_to], each[open_to]))]
    # Groups stay where they are, so a row's rank is its distance from where its group begins.
    part[ranked] += open_to - starts[each[open_to]] < left[each[open_to]]
    part *= np.sign(amount)[each]
    for at in wide.tolist():
        span = slice(starts[at], starts[at] + lengths[at])
        part[span] = split(int(amount[at]), w[span].tolist())
    found = np.empty(count, np.int64)
    found[order] = part
    return found


def _starts(*columns: Ints) -> Ints:
    """Return where a run of equal rows begins."""
    count = len(columns[0])
    if count == 0:
        return np.zeros(0, np.int64)
    new = np.zeros(count, np.bool_)
    new[0] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def _decayed(age_ms: Ints) -> Ints:
    """Return round(2^32 x 2^(-age / half-life)); where floats leave a doubt, decimals decide."""
    exact = _DECAY_ONE * np.exp2(-age_ms / HALF_LIFE_MS)
    found = np.rint(exact).astype(np.int64)
    doubtful = np.flatnonzero(np.abs(np.mod(exact, 1.0) - 0.5) <= _DECAY_DOUBT)
    if len(doubtful):
        found[doubtful] = weights("time_decay", age_ms[doubtful].tolist())
    return found


@dataclass(frozen=True, slots=True)
class Walks:
    """Paths as sequences of channels, with how often each led to an order and how often not.

    Per step, sorted by walk and time: `walk`, `channel`. Per walk: `converted`, `null` (counts).
    `channels` is how many codes there are. Every walk has a step.
    """

    walk: Ints
    channel: Ints
    converted: Ints
    null: Ints
    channels: int


@dataclass(frozen=True, slots=True)
class PathShares:
    """What a model makes of all paths: a channel's share of the conversions, summing to one.

    All zero where nothing converted. `removal` (Markov) is the part of the conversions that
    would be lost without the channel; `p_conversion` the chance that a path converts.
    """

    share: Floats
    removal: Floats
    p_conversion: float


def markov(walks: Walks) -> PathShares:
    """Return the shares of the exact absorbing chain (domain: Exact Markov, VEC-MARKOV).

    Start -> channels -> conversion | null, self loops collapsed, N = (I - Q)^-1. Removing a
    channel sends its incoming transitions to null, so exactly the walks that would have visited
    it are lost: P without c = P - P(visit c) x P(conversion from c), where P(visit c) =
    N[start, c] / N[c, c]. One inverse serves all channels. P equals conversions / paths.
    """
    n = walks.channels
    stay = np.zeros(len(walks.walk), np.bool_)
    stay[1:] = (walks.walk[1:] == walks.walk[:-1]) & (walks.channel[1:] == walks.channel[:-1])
    walk, channel = walks.walk[~stay], walks.channel[~stay]
    starts = _starts(walk)
    ends = np.append(starts[1:], len(walk)) - 1
    paths = walks.converted + walks.null
    counts = np.zeros((n + 1, n + 1))  # the last row is the start
    conversions = np.zeros(n + 1)
    total = np.zeros(n + 1)
    same = walk[1:] == walk[:-1]
    np.add.at(counts, (channel[:-1][same], channel[1:][same]), paths[walk[1:][same]])
    np.add.at(counts[n], channel[starts], paths[walk[starts]])
    np.add.at(conversions, channel[ends], walks.converted[walk[ends]])
    np.add.at(total, channel[ends], paths[walk[ends]])
    total += counts.sum(axis=1)
    seen = np.maximum(total, 1.0)
    visits = np.linalg.inv(np.eye(n + 1) - counts / seen[:, None])
    reaches = visits @ (conversions / seen)
    p = float(reaches[n])
    if p <= 0:
        return PathShares(np.zeros(n), np.zeros(n), 0.0)
    removal = visits[n, :n] / np.diag(visits)[:n] * reaches[:n] / p
    return PathShares(removal / removal.sum(), removal, p)


def shapley(walks: Walks) -> PathShares:
    """Return the Shapley values of the channels, as shares (domain: Shapley, VEC-SHAPLEY).

    The worth of a set of channels is the number of conversions of the paths that use no other.
    That game is a sum of games of one path each, whose value its channels share equally
    (Shapley's axioms), so this is exact for any number of channels, in one pass.
    """
    n = walks.channels
    pair = np.sort(walks.walk * max(1, n) + walks.channel)
    walk, channel = np.divmod(pair[_starts(pair)], max(1, n))
    length = np.bincount(walk, minlength=len(walks.converted))
    value = np.zeros(n)
    np.add.at(value, channel, (walks.converted / np.maximum(length, 1))[walk])
    converted, paths = int(walks.converted.sum()), int((walks.converted + walks.null).sum())
    p = converted / paths if paths else 0.0
    share = value / value.sum() if converted else np.zeros(n)
    return PathShares(share, np.zeros(n), p)


def share_weights(shares: PathShares) -> Ints:
    """Return the integer weight of each channel: its share of SHARE_ONE, 1 at least."""
    return np.maximum(1, np.rint(shares.share * SHARE_ONE)).astype(np.int64)
