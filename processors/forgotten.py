"""Which times have been forgotten: spans of event time, few however long a history is.

Law: what was forgotten stays so. Spans that lie close together, or too many of them, become one
with what is between: of that nothing is built anew either.
"""

from itertools import pairwise
from typing import Final, TypeAlias

from processors.conditions import DAY_MS
from streams.facts import Millis

Spans: TypeAlias = tuple[tuple[Millis, Millis], ...]
"""[start, end) in order, apart from each other."""

SPANS_MAX: Final = 64


def covers(spans: Spans, at: Millis) -> bool:
    """Say whether an instant lies in one of the spans."""
    return any(start <= at < end for start, end in spans)


def with_span(spans: Spans, start: Millis, end: Millis, apart_ms: int = DAY_MS) -> Spans:
    """Return the spans and [start, end); those that touch or lie nearer than `apart_ms` are one."""
    found: list[tuple[Millis, Millis]] = []
    for low, high in sorted([*spans, (start, end)]):
        if found and low - found[-1][1] < max(apart_ms, 1):
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    if len(found) > SPANS_MAX:
        gaps = [after[0] - before[1] for before, after in pairwise(found)]
        nearest = gaps.index(min(gaps))
        found[nearest : nearest + 2] = [(found[nearest][0], found[nearest + 1][1])]
    return tuple(found)
