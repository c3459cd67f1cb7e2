"""Exact arithmetic, written to be read: splits, weights, rates, days."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

WEEK_MS = 604_800_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sign(amount: int) -> int:
    """Return -1, 0 or 1."""
    return (amount > 0) - (amount < 0)


def hamilton(amount: int, weights: Sequence[int]) -> list[int] | None:
    """Split an amount by the largest remainder (DEF-SPLIT); None when no weight is above zero."""
    total = sum(weights)
    if total == 0:
        return None
    exact = [Fraction(abs(amount) * weight, total) for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda at: (shares[at] - exact[at], at))
    for at in by_remainder[: abs(amount) - sum(shares)]:
        shares[at] += 1
    return [sign(amount) * share for share in shares]


def decay(age_ms: int) -> int:
    """Return round(2^32 x 2^(-age / 7 d)), to the last digit (DEF-MODEL)."""
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(2) ** (Decimal(32) - Decimal(age_ms) / Decimal(WEEK_MS))
        return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))


def weights(model: str, ages_ms: Sequence[int]) -> list[int]:
    """Return the weight of each touchpoint, from the earliest to the latest (DEF-MODEL)."""
    n = len(ages_ms)
    if model == "first":
        return [1 if at == 0 else 0 for at in range(n)]
    if model == "last":
        return [1 if at == n - 1 else 0 for at in range(n)]
    if model == "linear":
        return [1] * n
    if model == "time_decay":
        return [decay(age) for age in ages_ms]
    assert model == "position"
    if n <= 3:
        return [[], [1], [1, 1], [2, 1, 2]][n]
    return [2 * (n - 2) if at in (0, n - 1) else 1 for at in range(n)]


def half_even(amount: Fraction) -> int:
    """Round to the nearest integer, halves to the even one."""
    return round(amount)


def rate(ms: int, per_hour: int) -> int:
    """Return what a time costs at an hourly rate (DEF-RATE)."""
    return half_even(Fraction(ms * per_hour, 3_600_000))


def local_day(when: int | str, zone: ZoneInfo) -> int:
    """Return the day of a moment or of a local date, counted from 1970-01-01."""
    if isinstance(when, str):
        day = date.fromisoformat(when)
    else:
        day = (EPOCH + timedelta(milliseconds=when)).astimezone(zone).date()
    return day.toordinal() - EPOCH.toordinal()


def spread(amount: int, start: int, end: int) -> dict[int, int]:
    """Spread an amount over the days [start, end) so that they sum exactly (DEF-ACCRUAL)."""
    n = end - start
    assert n > 0
    earned = [abs(amount) * k // n for k in range(n + 1)]
    return {start + k: sign(amount) * (earned[k + 1] - earned[k]) for k in range(n)}
