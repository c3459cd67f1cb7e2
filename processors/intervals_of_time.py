"""Stretches of time [start, end), and how much of the clock they cover.

Law: an instant counts once, however many stretches hold it. Two chats at once are one stretch of
work, so nobody is paid twice for an hour (C2) and nobody is more than wholly occupied (KPI-OCC).
"""

from collections.abc import Iterable
from typing import TypeAlias

from streams.facts import Millis

Stretch: TypeAlias = tuple[Millis, Millis]
"""[start, end) in milliseconds; one that ends before it starts covers nothing."""


def on_contact(connected_at: Millis | None, ended_at: Millis, wrap_ms: int) -> Stretch | None:
    """Return when a leg kept its agent busy: from the connection to the end of the wrap-up.

    None for a leg that never connected: waiting is the customer's time, not the agent's.
    """
    return None if connected_at is None else (connected_at, ended_at + wrap_ms)


def union(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Return the same instants as stretches that neither meet nor overlap, in order of time."""
    joined: list[Stretch] = []
    for start, end in sorted(each for each in stretches if each[0] < each[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def covered_ms(stretches: Iterable[Stretch]) -> int:
    """Return how many milliseconds the stretches cover together."""
    return sum(end - start for start, end in union(stretches))


def overlap(some: Iterable[Stretch], others: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Return the instants that stretches of both hold, joined and in order of time."""
    left, right = union(some), union(others)
    found: list[Stretch] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)
