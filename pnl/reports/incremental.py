"""From touched to incremental: what part of a credit would not have been bought without contact.

Law (DEF-MULT): touched credit is booked; incremental is theta of it, an estimate, never shown
without its interval and None where no theta is known for some of it: a part would look like a
whole. theta is known of a segment, or of what it is part of: the finest that is known counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeAlias

from pnl.reports.model import BadRequest
from pnl.reports.sheet import Asking
from processors.lift import IncrementalShare
from processors.money import PPM, divide_half_even

if TYPE_CHECKING:
    from pnl.lifting.from_store import Known

SEGMENT: Final = ("queue", "channel", "reason")
"""What tells segments apart (DEF-SEG), as far as a contact's own dimensions go."""

Segment: TypeAlias = tuple[str, ...]
"""The values of the first dimensions of SEGMENT; the fewer, the wider. () is everybody."""

Thetas: TypeAlias = Mapping[Segment, IncrementalShare]

UNKNOWN_THETA: Final = (
    "Incremental is empty where for some of the credit no incremental share (theta) is known: it"
    " takes a comparison with customers without contact that is matched well enough and finds"
    " nothing before the contact (pnl report outcomes). Of many contacts it is worked out only when"
    " asked for: incremental=on."
)


@dataclass(frozen=True, slots=True)
class Incremental:
    """An estimate in minor units with its 95 % interval."""

    amount_minor: int
    low_minor: int
    high_minor: int


DEFINITION: Final = (
    "What of the credit for orders after contacts would not have been bought without: theta ="
    " max(0, 1 - p0/p1) of the segment, an estimate with a 95 % interval. What was sold in contacts"
    " is not in it: that is not compared with no contact. Touched credit (theta = 1) is what is"
    " booked."
)
"""What DEF-MULT means, wherever it is cited."""
CONTACTS_MAX: Final = 200_000
"""Of more contacts than these theta is worked out only when asked for."""
_CHOICES: Final = ("auto", "on", "off")
OPTION: Final = f"on, off, or auto: on up to {CONTACTS_MAX} contacts, as it takes seconds [auto]"
_lock: Final = Lock()
_last: list[tuple["Known", Thetas]] = []


def thetas_of(asking: Asking) -> Thetas:
    """Return what is known of theta, of all that is in the books; nothing if it is not asked for.

    The comparison takes a while, so that of the books as they are is kept.
    """
    asked = asking.options.get("incremental", _CHOICES[0])
    if asked not in _CHOICES:
        raise BadRequest(f"incremental must be one of {', '.join(_CHOICES)}, not {asked!r}.")
    if asked == "off" or (asked == "auto" and _contacts(asking) > CONTACTS_MAX):
        return {}
    from pnl.lifting.contrasts import thetas
    from pnl.lifting.from_store import known

    found = known(asking.store, asking.policy, asking.as_of)
    if found is None:
        return {}
    with _lock:
        if not _last or _last[0][0] is not found:
            _last[:] = [(found, thetas(found, asking.policy.version))]
        return _last[0][1]


def _contacts(asking: Asking) -> int:
    """Return how many contacts the books hold."""
    (row,) = asking.store.query("SELECT count() AS n FROM v_contacts")
    return int(row["n"])


def theta_of(thetas: Thetas, values: Mapping[str, str]) -> tuple[Segment, IncrementalShare] | None:
    """Return the finest segment of a contact that has a theta; None if none has."""
    whole = tuple(values[name] for name in SEGMENT)
    for length in range(len(whole), -1, -1):
        found = thetas.get(whole[:length])
        if found is not None:
            return whole[:length], found
    return None


def incremental(
    credited: Iterable[tuple[Mapping[str, str], int]], thetas: Thetas
) -> Incremental | None:
    """Return theta of credits, each with its contacts' dimensions; None if a theta is missing.

    One theta errs for all its credits alike; those of different segments err by themselves, so
    their half widths add as squares.
    """
    by_theta: dict[Segment, int] = {}
    for values, credit in credited:
        if credit == 0:
            continue
        found = theta_of(thetas, values)
        if found is None:
            return None
        by_theta[found[0]] = by_theta.get(found[0], 0) + credit
    whole = Fraction(0)
    below = above = 0.0
    for segment, credit in by_theta.items():
        theta = thetas[segment]
        whole += Fraction(credit * theta.theta_ppm, PPM)
        ends = sorted(credit * (end - theta.theta_ppm) for end in (theta.low_ppm, theta.high_ppm))
        below += (ends[0] / PPM) ** 2
        above += (ends[1] / PPM) ** 2
    amount = divide_half_even(whole.numerator, whole.denominator)
    return Incremental(amount, round(float(whole) - sqrt(below)), round(float(whole) + sqrt(above)))
