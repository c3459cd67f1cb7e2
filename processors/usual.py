"""What a weekday usually is: the same weekday of the four weeks before, by queue and by hour.

Law: it is made of windows that ended before the day began, so a day is never measured by itself.
What has not been seen often enough is not known: then nothing is said, and nothing is quiet.
"""

from collections.abc import Callable, Mapping
from math import log, sqrt
from typing import Final

import msgspec

from processors.conditions import DAY_MS, HOUR_MS
from processors.detecting import Stray, stray_of
from processors.guardrails import SAMPLE_MIN
from processors.signal_records import SEPARATOR
from processors.windows import ZERO, Tally, bounds
from streams.facts import Millis

WEEKS: Final = 4
"""DEF-RISE-S: the trailing 28 days, of which the same weekday."""

_HOURS_MIN: Final = 12
_CONTACTS_MIN: Final = 10

Hours = Callable[[Millis], Mapping[str, Tally]]
"""The sums of an hour by "QUEUE NUL CHANNEL", by the hour's start."""


class Waits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a queue and channel: (contacts, their waits in ms) by hour of the day."""

    hours: tuple[tuple[int, int], ...]

    def mean(self, hour: int) -> float | None:
        """Return the usual wait around an hour of the day in ms.

        That of the hour and its neighbours, or of the whole day where they are too few.
        """
        near = self.hours[max(0, hour - 1) : hour + 2]
        for cells in (near, self.hours):
            n, total = sum(n for n, _ in cells), sum(each for _, each in cells)
            if n >= SAMPLE_MIN and total > 0:
                return total / n
        return None


class Scatter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a queue and hour of the day: how far hours lay from what is usual, and how many contacts.

    `squares` is the sum of the squares of ln(wait / usual wait) of `hours` hours with `contacts`
    contacts in all.
    """

    hours: int = 0
    squares: float = 0.0
    contacts: int = 0


class Usual(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A local day's usual figures: `day` is its start, `weeks` how many same days were seen.

    `waits` by "QUEUE NUL CHANNEL". `scatter` by queue, for each hour of the day, of all 28 days,
    each against its own weekday: what is busy at noon scatters most at noon. `queues` are sums over
    all days that were seen, and `chains` those of each hour of the day, of all queues. `strays`
    says by queue how missed offers of the day so far lie around those of equal weekdays.
    """

    day: Millis
    weeks: int = 0
    waits: dict[str, Waits] = {}
    queues: dict[str, Tally] = {}
    chains: tuple[int, ...] = ()
    scatter: dict[str, tuple[Scatter, ...]] = {}
    strays: dict[str, Stray] = {}

    def log_error(self, queue: str, hour: int, contacts: int) -> float | None:
        """Return by how much ln(wait / usual) of so many contacts scatters; None if not known.

        It is what whole hours near that hour scattered by, more where they held more contacts.
        """
        near = self.scatter.get(queue, ())[max(0, hour - 1) : hour + 2]
        hours = sum(each.hours for each in near)
        if hours < _HOURS_MIN or contacts <= 0:
            return None
        usually = sum(each.contacts for each in near) / hours
        return sqrt(sum(each.squares for each in near) / hours * max(1.0, usually / contacts))

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


Day = dict[int, Mapping[str, Tally]]
"""The sums by place of the hours of a day."""


def usual_of(day: Millis, hours: Hours, zone: str) -> Usual:
    """Return what the local day that starts then is usually like."""
    weekdays = [
        [found for week in range(WEEKS) if (found := _day(day, ago + 7 * week, hours, zone))]
        for ago in range(1, 8)
    ]
    seen = weekdays[-1]  # the same weekday is seven days ago
    if not seen:
        return Usual(day)
    width = max(hour for days in weekdays for cells in days for hour in cells) + 1
    chains = tuple(
        sum(tally.chains for cells in seen for tally in cells.get(hour, {}).values())
        for hour in range(width)
    )
    queues = _all([by_queue(tallies) for cells in seen for tallies in cells.values()])
    squares: dict[str, list[Scatter]] = {}
    for days in weekdays:
        _scatter(days, width, squares)
    scatter = {queue: tuple(each) for queue, each in squares.items()}
    strays = _strays(weekdays)
    return Usual(day, len(seen), _waits(seen, width), queues, chains, scatter, strays)


def _day(day: Millis, ago: int, hours: Hours, zone: str) -> Day:
    start, end = bounds("1d", day + DAY_MS // 2 - ago * DAY_MS, zone)
    first = start + -start % HOUR_MS  # hours are those of UTC
    windows = {(at - start) // HOUR_MS: hours(at) for at in range(first, end, HOUR_MS)}
    return {hour: places for hour, places in windows.items() if places}


def _waits(days: list[Day], width: int) -> dict[str, Waits]:
    places = sorted({place for day in days for cells in day.values() for place in cells})
    found = {}
    for place in places:
        mine = [
            [day[hour][place] for day in days if place in day.get(hour, {})]
            for hour in range(width)
        ]
        found[place] = Waits(
            tuple((sum(t.chains for t in each), sum(t.wait_ms for t in each)) for each in mine)
        )
    return found


def _scatter(days: list[Day], width: int, into: dict[str, list[Scatter]]) -> None:
    """Add how far the hours of equal weekdays lay from their mean."""
    if len(days) < 2:
        return
    waits = _waits(days, width)
    few = len(days) / (len(days) - 1)  # each is part of the mean it is held to
    for day in days:
        for hour, places in day.items():
            for queue, (n, ratio) in standing(places, waits, hour).items():
                if n < _CONTACTS_MIN or ratio <= 0:
                    continue
                mine = into.setdefault(queue, [Scatter()] * width)
                held = mine[hour]
                mine[hour] = Scatter(
                    held.hours + 1, held.squares + few * log(ratio) ** 2, held.contacts + n
                )


def _all(queues: list[dict[str, Tally]]) -> dict[str, Tally]:
    sums: dict[str, Tally] = {}
    for each in queues:
        for queue, tally in each.items():
            sums[queue] = sums.get(queue, ZERO).plus(tally)
    return sums


def _strays(weekdays: list[list[Day]]) -> dict[str, Stray]:
    """Return by queue how the share of missed offers, each day so far, lies around its weekday's.

    It is looked at hour by hour, so the squares are the mean of those of all hours of a day.
    """
    sums: dict[str, tuple[float, int, int]] = {}
    for days in weekdays:
        k = len(days)
        whole = _all([by_queue(places) for day in days for places in day.values()])
        for queue, all_days in whole.items():
            n, missed = all_days.handled, all_days.offers_missed
            if k < 2 or n <= 0 or not 0 < missed < n:
                continue
            share = missed / n
            squares, looks, freedom = sums.get(queue, (0.0, 0, 0))
            for day in days:
                so_far = ZERO
                for hour in sorted(day):
                    so_far = so_far.plus(by_queue(day[hour]).get(queue, ZERO))
                    if so_far.handled >= SAMPLE_MIN:
                        away = so_far.offers_missed - share * so_far.handled
                        chance = share * (1 - share) * so_far.handled * (k - 1) / k
                        squares, looks = squares + away * away / chance, looks + 1
            sums[queue] = (squares, looks, freedom + k - 1)
    found = {queue: stray_of(*each) for queue, each in sums.items()}
    return {queue: stray for queue, stray in found.items() if stray is not None}


def standing(
    places: Mapping[str, Tally], waits: Mapping[str, Waits], hour: int
) -> dict[str, tuple[int, float]]:
    """Return by queue how many contacts there are, and their mean wait in units of the usual."""
    sums: dict[str, tuple[int, float]] = {}
    for place, tally in places.items():
        usual = waits[place].mean(hour) if place in waits else None
        if usual is None or tally.chains <= 0:
            continue
        queue = place.partition(SEPARATOR)[0]
        n, total = sums.get(queue, (0, 0.0))
        sums[queue] = (n + tally.chains, total + tally.wait_ms / usual)
    return {queue: (n, total / n) for queue, (n, total) in sums.items()}
