"""Exact money: integer minor units, divided without losing one.

Law: the parts of a split sum to the amount, and each lies less than one minor unit from its
exact share (I6). No float takes part in a booked amount.
"""

from collections.abc import Sequence

HOUR_MS = 3_600_000
_HALF_HOUR_MS = HOUR_MS // 2
PPM = 1_000_000


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to the nearest integer, ties to the even one."""
    assert denominator != 0
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def at_rate(duration_ms: int, per_hour_minor: int) -> int:
    """Return what a duration costs at an hourly rate, in minor units (DEF-RATE)."""
    quotient, remainder = divmod(duration_ms * per_hour_minor, HOUR_MS)
    if remainder > _HALF_HOUR_MS or (remainder == _HALF_HOUR_MS and quotient & 1):
        quotient += 1
    return quotient


def split(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Split an amount in proportion to weights, largest remainder first (DEF-SPLIT, Hamilton).

    Parts stand in the order of the weights, which are not negative; a tie among remainders goes
    to the earlier one. All zero if the weights sum to zero: then nothing can be split, and the
    caller says where the amount goes.
    """
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    size = abs(amount_minor)
    parts: list[int] = []
    remainders: list[int] = []
    for weight in weights:
        part, remainder = divmod(size * weight, total)
        parts.append(part)
        remainders.append(remainder)
    left = size - sum(parts)
    if left:
        order = sorted(range(len(parts)), key=lambda i: -remainders[i])
        for i in order[:left]:
            parts[i] += 1
    return parts if amount_minor >= 0 else [-part for part in parts]


def earned(amount_minor: int, days: int, term_days: int) -> int:
    """Return what is earned of an amount after some days of its term (DEF-ACCRUAL).

    Zero before the term, the whole amount after it; a negative amount is minus the spread of its
    magnitude.
    """
    assert term_days > 0
    days = min(max(days, 0), term_days)
    size = abs(amount_minor) * days // term_days
    return size if amount_minor >= 0 else -size
