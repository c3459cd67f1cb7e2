"""Facts wait here until their time has come: what goes in out of order comes out in order.

Law: once a day was taken, nothing earlier can be put in, so the days taken one after the other
are sorted by event time. Facts of equal time keep the order in which they were put in. Memory
holds what lies ahead, not what has been.
"""

from collections import defaultdict
from operator import itemgetter
from typing import Final, TypeAlias

from streams.facts import Fact, Millis

DAY_MS: Final = 86_400_000

Event: TypeAlias = tuple[Millis, str, Fact]
"""Event time, topic, fact."""

_TIME: Final = itemgetter(0)


class Timeline:
    """Facts by day (UTC), ahead of a moving edge."""

    def __init__(self) -> None:
        self._days: defaultdict[int, list[Event]] = defaultdict(list)
        self._taken = -1

    def put(self, at: Millis, topic: str, fact: Fact) -> None:
        """Let a fact wait for its time."""
        day = at // DAY_MS
        assert day > self._taken
        self._days[day].append((at, topic, fact))

    def take(self, day: int) -> list[Event]:
        """Return every fact up to the end of a day, in order; later ones go on waiting."""
        due: list[Event] = []
        for each in sorted(number for number in self._days if number <= day):
            due += sorted(self._days.pop(each), key=_TIME)
        self._taken = max(self._taken, day)
        return due
