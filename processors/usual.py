"""What a weekday usually is: the same weekday of the four weeks before, by queue and by hour.

Law: it is made of windows that ended before the day began, so a day is never measured by itself.
What has not been seen often enough is not known: then nothing is said, and nothing is quiet.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Final

import msgspec

from processors.conditions import DAY_MS, HOUR_MS
from processors.detecting import scatter
from processors.guardrails import SAMPLE_MIN
from processors.signal_records import SEPARATOR
from processors.windows import ZERO, Tally, bounds
from streams.facts import Millis

WEEKS: Final = 4
"""DEF-RISE-S: the trailing 28 days, of which the same weekday."""

Hours = Callable[[Millis], Mapping[str, Tally]]
"""The sums of an hour by "QUEUE NUL CHANNEL", by the hour's start."""


class Waits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a queue and channel: (contacts, their waits in ms) by hour of the day, and their scatter.

    `scatter` is the squared coefficient of variation of one contact's wait; None if not known.
    """

    hours: tuple[tuple[int, int], ...]
    scatter: float | None

    def mean(self, hour: int) -> tuple[float, int] | None:
        """Return the usual wait around an hour of the day in ms, and of how many contacts.

        That of the hour and its neighbours, or of the whole day where they are too few.
        """
        near = self.hours[max(0, hour - 1) : hour + 2]
        for cells in (near, self.hours):
            n, total = sum(n for n, _ in cells), sum(each for _, each in cells)
            if n >= SAMPLE_MIN and total > 0:
                return total / n, n
        return None


class Usual(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A local day's usual figures: `day` is its start, `weeks` how many same days were seen.

    `waits` by "QUEUE NUL CHANNEL"; `queues` are sums over all days that were seen, and `chains`
    those of each hour of the day, of all queues.
    """

    day: Millis
    weeks: int = 0
    waits: dict[str, Waits] = {}
    queues: dict[str, Tally] = {}
    chains: tuple[int, ...] = ()

    def hour(self, at: Millis) -> int:
        """Return which hour of the day an instant is in, counted from its start."""
        return (at - self.day) // HOUR_MS

    def expected(self, start: Millis, end: Millis) -> float:
        """Return how many contacts usually end in [start, end) of this day; 0 if not known."""
        if not self.weeks:
            return 0.0
        total = 0.0
        for hour, chains in enumerate(self.chains):
            begin = self.day + hour * HOUR_MS
            shared = min(end, begin + HOUR_MS) - max(start, begin)
            total += chains * max(0, shared) / HOUR_MS / self.weeks
        return total


def by_queue(places: Mapping[str, Tally]) -> dict[str, Tally]:
    """Return sums by queue of sums by place."""
    sums: dict[str, Tally] = {}
    for place, tally in places.items():
        queue = place.partition(SEPARATOR)[0]
        sums[queue] = sums[queue].plus(tally) if queue in sums else tally
    return sums


def usual_of(day: Millis, hours: Hours, zone: str) -> Usual:
    """Return what the local day that starts then is usually like."""
    seen: list[dict[int, Mapping[str, Tally]]] = []
    for week in range(1, WEEKS + 1):
        start, end = bounds("1d", day + DAY_MS // 2 - week * 7 * DAY_MS, zone)
        first = start + -start % HOUR_MS  # hours are those of UTC
        windows = {(at - start) // HOUR_MS: hours(at) for at in range(first, end, HOUR_MS)}
        cells = {hour: places for hour, places in windows.items() if places}
        if cells:
            seen.append(cells)
    if not seen:
        return Usual(day)
    places = sorted(
        {place for day_cells in seen for cells in day_cells.values() for place in cells}
    )
    width = max(max(cells) for cells in seen) + 1
    chains = tuple(
        sum(tally.chains for cells in seen for tally in cells.get(hour, {}).values())
        for hour in range(width)
    )
    queues: dict[str, Tally] = {}
    for cells in seen:
        for tallies in cells.values():
            for queue, tally in by_queue(tallies).items():
                queues[queue] = queues.get(queue, ZERO).plus(tally)
    waits = {place: _waits(seen, place, width) for place in places}
    return Usual(day, len(seen), waits, queues, chains)


def _waits(seen: list[dict[int, Mapping[str, Tally]]], place: str, width: int) -> Waits:
    cells = [
        [
            (tally.chains, tally.wait_ms)
            for day in seen
            if (tally := day.get(hour, {}).get(place)) is not None and tally.chains > 0
        ]
        for hour in range(width)
    ]
    hours = tuple((sum(n for n, _ in each), sum(wait for _, wait in each)) for each in cells)
    found = scatter(cells)
    return Waits(hours, found if found is not None else scatter([chain.from_iterable(cells)]))
