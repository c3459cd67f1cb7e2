"""From touched to incremental: what part of a credit would not have been bought without contact.

Law (DEF-MULT): touched credit is booked; incremental is theta of it, an estimate, never shown
without its interval and None where no theta is known for some of it: a part would look like a
whole. theta is known of a segment, or of what it is part of: the finest that is known counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import Final, TypeAlias

from processors.lift import IncrementalShare
from processors.money import PPM, divide_half_even

SEGMENT: Final = ("queue", "channel", "reason")
"""What tells segments apart (DEF-SEG), as far as a contact's own dimensions go."""

Segment: TypeAlias = tuple[str, ...]
"""The values of the first dimensions of SEGMENT; the fewer, the wider. () is everybody."""

Thetas: TypeAlias = Mapping[Segment, IncrementalShare]

UNKNOWN_THETA: Final = (
    "Incremental is empty where no incremental share (theta) is known: it takes enough contacts"
    " and customers without contact to compare (pnl report outcomes)."
)


@dataclass(frozen=True, slots=True)
class Incremental:
    """An estimate in minor units with its 95 % interval."""

    amount_minor: int
    low_minor: int
    high_minor: int


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
