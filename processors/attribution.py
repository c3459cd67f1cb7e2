"""Weights per model, and from weights to credits that add up.

Law (I1): the credits of an order and what stays unattributed sum to its net revenue, exactly,
under every model; another model moves credit among contacts and nothing else (I11).

An order is split over *touchpoints* (a case if it is known, else a chain), the share of a case
again over its contacts by handle time. The path is always sorted by (ended_at, bytes of
contact_id) before splitting: remainders go to the earliest, so the list's order must not depend
on arrival. Multi-touch models by sampling (Markov, Shapley) are worked out offline and would
enter as weights.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from processors.money import split
from processors.policy import Model
from processors.results import PathContact
from processors.touchpoints import Chain
from streams.facts import Millis

HALF_LIFE_MS: Final = 7 * 86_400_000
_DECAY_ONE: Final = 2**32
_DECAY_DOUBT: Final = 1e-4


InPath: TypeAlias = Chain | PathContact
"""A contact in a path: a chain, or what a record says of one."""


class Touchpoint(msgspec.Struct, frozen=True, gc=False):
    """What may earn credit: when it last ended, and the places of its contacts in the path."""

    at: Millis
    contact_id: str
    places: tuple[int, ...]


def touchpoints(path: Sequence[InPath], ordered_at: Millis, lookback_ms: int) -> list[Touchpoint]:
    """Return the touchpoints of an order, oldest first (DEF-ELIG, DEF-TOUCH).

    `path` holds handled chains sorted by (ended_at, contact_id) that ended no later than the
    order; those that ended more than the lookback before it are left out. A case stands at its
    last eligible contact.
    """
    since = ordered_at - lookback_ms
    cases: dict[str, list[int]] = {}
    found: list[Touchpoint] = []
    for place, contact in enumerate(path):
        if contact.ended_at < since:
            continue
        if contact.case_id is None:
            found.append(Touchpoint(contact.ended_at, contact.contact_id, (place,)))
        else:
            cases.setdefault(contact.case_id, []).append(place)
    if cases:
        for places in cases.values():
            last = path[places[-1]]
            found.append(Touchpoint(last.ended_at, last.contact_id, tuple(places)))
        # Text compares by code point, which is the order of its UTF-8 bytes.
        found.sort(key=lambda touch: (touch.at, touch.contact_id))
    return found


def weights(model: Model, ages_ms: Sequence[int]) -> list[int]:
    """Return an integer weight per touchpoint, oldest first (DEF-MODEL).

    `ages_ms` says how long before the order each touchpoint ended; only time decay needs it.
    """
    n = len(ages_ms)
    if n == 0:
        return []
    match model:
        case "last":
            return [0] * (n - 1) + [1]
        case "first":
            return [1] + [0] * (n - 1)
        case "linear":
            return [1] * n
        case "position":
            if n <= 2:
                return [1] * n
            if n == 3:
                return [2, 1, 2]
            return [2 * (n - 2)] + [1] * (n - 2) + [2 * (n - 2)]
        case "time_decay":
            return [_decayed(age) for age in ages_ms]


class Shares(msgspec.Struct, frozen=True, gc=False):
    """How one product class of an order is shared: touchpoints and their weights.

    `places` are those of all contacts in the path, in the order in which parts are given.
    """

    path: Sequence[InPath] = ()
    touches: Sequence[Touchpoint] = ()
    weights: Sequence[int] = ()
    places: Sequence[int] = ()

    def split(self, amount_minor: int) -> list[int]:
        """Split an amount over the contacts: minor units by `places`, zeros included.

        Empty without touchpoints. A touchpoint's part is split over its contacts by handle time,
        equally if none has any (DEF-CASESPLIT).
        """
        alone = len(self.touches) == 1 and self.weights[0] > 0
        parts = [amount_minor] if alone else split(amount_minor, self.weights)
        if len(self.places) == len(parts):
            return parts
        found: list[int] = []
        for touch, part in zip(self.touches, parts, strict=True):
            if len(touch.places) == 1:
                found.append(part)
                continue
            handle = [self.path[place].handle_ms for place in touch.places]
            if not any(handle):
                handle = [1] * len(handle)
            found += split(part, handle)
        return found

    def vector(self, gross_minor: int, net_minor: int) -> tuple[list[int], int]:
        """Return the credits of a net amount by `places`, and what is unattributed.

        The vector keeps the sign of the gross amount: a net of the other sign (more was refunded
        than sold) is wholly unattributed, and so is an order without touchpoints (RUL-SIGN,
        DEF-UNATTR).
        """
        turned = net_minor != 0 and (net_minor < 0) != (gross_minor < 0)
        if turned or not any(self.weights):
            return [0] * len(self.places), net_minor
        return self.split(net_minor), 0

    def by_contact(self, parts: Sequence[int]) -> list[tuple[InPath, int, int]]:
        """Return (contact, weight of its touchpoint, its part) in the order of the path."""
        found = []
        each = zip(self.places, parts, strict=True)
        for touch, weight in zip(self.touches, self.weights, strict=True):
            found += [(place, weight, part) for place, part in islice(each, len(touch.places))]
        return [(self.path[place], weight, part) for place, weight, part in sorted(found)]


def _decayed(age_ms: int) -> int:
    """Return round(2^32 x 2^(-age / half-life)), the same on every machine.

    A float is off by 2^-20 at most; where that could decide the rounding, decimals do.
    """
    weight: float = _DECAY_ONE * 2.0 ** (-age_ms / HALF_LIFE_MS)
    if abs(weight % 1 - 0.5) > _DECAY_DOUBT:
        return round(weight)
    with localcontext(prec=40):
        exact: Decimal = _DECAY_ONE * Decimal(2) ** (Decimal(-age_ms) / HALF_LIFE_MS)
        return int(exact.to_integral_value(ROUND_HALF_EVEN))


def shares(model: Model, path: Sequence[InPath], ordered_at: Millis, lookback_ms: int) -> Shares:
    """Return how an order is shared under a model, within one lookback."""
    touches = touchpoints(path, ordered_at, lookback_ms)
    return Shares(
        path,
        touches,
        weights(model, [ordered_at - touch.at for touch in touches]),
        [place for touch in touches for place in touch.places],
    )
