"""When time may do its part: once all that was there at a moment has been read.

Law: a handler told that it is now *t* has been handed everything that was in its topics at *t*. So
a backlog is worked off before anything is said to be missing, or over.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from streams.clock import Clock
from streams.facts import Millis
from streams.log import EventLog, TopicPartition

EVERY: Final = timedelta(seconds=1)
_MS: Final = timedelta(milliseconds=1)


class Ticker:
    """Asks for the ends of topics once in a while, and says when they have been reached."""

    def __init__(
        self, log: EventLog, topics: Sequence[str], clock: Clock, every: timedelta = EVERY
    ) -> None:
        self._log = log
        self._topics = topics
        self._clock = clock
        self._every_ms = every // _MS
        self._asked_at: Millis | None = None
        self._is_told = False
        self._ends: dict[TopicPartition, int] = {}
        self._read: dict[TopicPartition, tuple[int, int]] = {}

    def due(self, positions: Mapping[TopicPartition, int]) -> Millis | None:
        """Return the moment to tick for, given the next offsets of what is owned; None: not now.

        Raises Busy or LogFailed where the log does not answer.
        """
        now = self._clock.now_ms()
        if self._asked_at is None or abs(now - self._asked_at) >= self._every_ms:
            self._ends = {
                TopicPartition(topic, partition): end
                for topic in self._topics
                for partition, end in self._log.end_offsets(topic).items()
            }
            self._asked_at, self._is_told = now, False
        if self._is_told or not all(self._is_read(*each) for each in positions.items()):
            return None
        self._is_told = True
        return self._asked_at

    def _is_read(self, place: TopicPartition, at: int) -> bool:
        """Say whether no record lies between an offset and the end: the last ones may hold none."""
        end = self._ends.get(place, 0)
        if at < end and self._read.get(place) != (at, end):
            if any(record.offset < end for record in self._log.read(*place, at, 1)):
                return False
            self._read[place] = at, end
        return True
