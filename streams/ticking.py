"""When time may do its part: once all that was there at a moment has been read.

Law: a handler told that it is now *t* has been handed everything that was in its topics at *t*. So
a backlog is worked off before anything is said to be missing, or over. A moment asked for is kept
until it is reached, so who is steadily behind ticks too, as often as he is behind: it is at most
two of his delays, and what is asked for takes, until time has done its part.

The same holds of what another group makes of other topics: `Upstream` has to have read what lay
there at *t*, and then what it wrote has to be read.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from streams.clock import Clock
from streams.facts import Millis
from streams.log import EventLog, TopicPartition

EVERY: Final = timedelta(seconds=1)
_MS: Final = timedelta(milliseconds=1)


class _Reading:
    """Says whether an offset is at an end; what it found is not looked for again."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._read: dict[TopicPartition, tuple[int, int]] = {}

    def ends(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Return the ends of topics."""
        return {
            TopicPartition(topic, partition): end
            for topic in topics
            for partition, end in self._log.end_offsets(topic).items()
        }

    def is_read(self, place: TopicPartition, at: int, end: int) -> bool:
        """Say whether no record lies between an offset and the end: the last ones may hold none."""
        if at < end and self._read.get(place) != (at, end):
            if any(record.offset < end for record in self._log.read(*place, at, 1)):
                return False
            self._read[place] = at, end
        return True


class Upstream:
    """A group that has to have read what lay in its topics; one that never read is not waited for.

    It is asked for one moment until that is reached, so that steady input lets time go on.
    """

    def __init__(self, log: EventLog, group: str, topics: Sequence[str]) -> None:
        self._log = log
        self._group = group
        self._topics = topics
        self._reading = _Reading(log)
        self._moment: Millis | None = None
        self._ends: dict[TopicPartition, int] = {}

    def reached(self, now: Millis) -> Millis | None:
        """Return the newest moment asked for whose input has been read; None: not one yet."""
        committed = self._log.committed(self._group)
        if not committed:
            self._moment = None
            return now
        found = None
        if self._moment is not None:
            if not self._is_reached(committed):
                return None
            found = self._moment
        self._ends = self._reading.ends(self._topics)
        if self._is_reached(committed):
            self._moment = None
            return now
        self._moment = now
        return found

    def _is_reached(self, committed: Mapping[TopicPartition, int]) -> bool:
        return all(
            self._reading.is_read(place, committed.get(place, 0), end)
            for place, end in self._ends.items()
        )


class Ticker:
    """Asks for the ends of topics, says when they have been reached, and asks again."""

    def __init__(
        self,
        log: EventLog,
        topics: Sequence[str],
        clock: Clock,
        every: timedelta = EVERY,
        upstream: Upstream | None = None,
    ) -> None:
        self._topics = topics
        self._clock = clock
        self._every_ms = every // _MS
        self._upstream = upstream
        self._reading = _Reading(log)
        self._asked_at: Millis | None = None
        self._moment: Millis | None = None
        self._ends: dict[TopicPartition, int] = {}
        self.is_held = False
        """Whether, when last asked, the input of no moment had been read upstream."""

    def due(self, positions: Mapping[TopicPartition, int]) -> Millis | None:
        """Return the moment to tick for, given the next offsets of what is owned; None: not now.

        Raises Busy or LogFailed where the log does not answer.
        """
        now = self._clock.now_ms()
        asked_at = self._asked_at
        if self._moment is None and (asked_at is None or abs(now - asked_at) >= self._every_ms):
            self._ask(now)
        if self._moment is None or not all(
            self._reading.is_read(place, at, self._ends.get(place, 0))
            for place, at in positions.items()
        ):
            return None
        moment, self._moment = self._moment, None
        return moment

    def _ask(self, now: Millis) -> None:
        moment = now if self._upstream is None else self._upstream.reached(now)
        self.is_held = moment is None
        if moment is not None:  # only now is all that was made of its input there
            self._ends = self._reading.ends(self._topics)
            self._moment = moment
        self._asked_at = now
