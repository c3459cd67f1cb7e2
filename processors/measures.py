"""Service measures from counts: what a share, a score or a mean is, and how sure it is.

Law: a measure without a denominator is None, never 0, and a share stands with its interval. An
agent's figure needs 30 cases and is drawn to the mean of all agents (G-AGENT, DEF-POOL): what is
shown of a person is never chance alone. Shares and scores are parts per million.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from processors.confidence import Z95, Interval, Sample, wilson
from processors.money import PPM
from processors.pooling import pooled, share_units

CASES_MIN: Final = 30
"""Below this many cases an agent has no figure, and a mean no interval (G-AGENT, DEF-RPC-CI)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure with its 95 % interval; None is what cannot be known."""

    value: int | None
    low: int | None = None
    high: int | None = None


UNKNOWN: Final = Figure(None)


def share(part: int, whole: int) -> Figure:
    """Return part / whole in ppm with Wilson's interval; unknown without a whole."""
    interval = wilson(part, whole)
    return UNKNOWN if interval is None else _figure(part / whole, interval)


def agents_shares(counts: Sequence[tuple[int, int]]) -> tuple[Figure, ...]:
    """Return the agents' shares (part, whole), each drawn to the mean of all (DEF-POOL).

    An agent with fewer than 30 cases has none, and does not move the mean either (G-AGENT).
    """
    enough = [place for place, (_, whole) in enumerate(counts) if whole >= CASES_MIN]
    figures = [UNKNOWN] * len(counts)
    pool = pooled(share_units([counts[place] for place in enough]))
    if pool is not None:
        for place, unit in zip(enough, pool.units, strict=True):
            low, high = max(0.0, unit.interval.low), min(1.0, unit.interval.high)
            figures[place] = _figure(unit.value, Interval(low, high))
    return tuple(figures)


def net_promoters(promoters: int, detractors: int, responses: int) -> Figure:
    """Return the net promoter score, % of 9-10 less % of 0-6, in ppm of -1 to 1 (KPI-NPS).

    Those who said 7 or 8 count in the base. The interval is the adjusted Wald one (Rocks 2016):
    three answers are added, a quarter promoters and a quarter detractors, so that a handful of
    equal answers is not certainty.
    """
    if responses <= 0:
        return UNKNOWN
    n = responses + 3
    p, d = (promoters + 0.75) / n, (detractors + 0.75) / n
    half = Z95 * sqrt((p + d - (p - d) ** 2) / n)
    score = (promoters - detractors) / responses
    low, high = max(-1.0, p - d - half), min(1.0, p - d + half)
    return _figure(score, Interval(min(low, score), max(high, score)))


def mean(sample: Sample) -> Figure:
    """Return a mean rounded to whole units; its interval from 30 values on."""
    if sample.mean is None:
        return UNKNOWN
    interval = sample.interval() if sample.n >= CASES_MIN else None
    if interval is None:
        return Figure(round(sample.mean))
    return Figure(round(sample.mean), round(interval.low), round(interval.high))


def occupancy(on_contact_ms: int, idle_ms: int) -> int | None:
    """Return on-contact wall time / (on-contact + idle) in ppm (KPI-OCC); None without time.

    Both are lengths of unions: two contacts at once are one, so it never exceeds 100 %.
    """
    whole = on_contact_ms + idle_ms
    return None if whole == 0 else round(on_contact_ms / whole * PPM)


def _figure(value: float, interval: Interval) -> Figure:
    return Figure(*(round(each * PPM) for each in (value, interval.low, interval.high)))
