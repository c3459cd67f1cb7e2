"""A log in memory whose polls fail midway, as when another program locks the file."""

from collections.abc import Sequence
from datetime import timedelta

from streams.log import Busy, Record
from streams.memory_log import MemoryConsumer, MemoryLog, MemoryPlace


class BusyConsumer(MemoryConsumer):
    """Some of its polls go on by what they read and then raise Busy instead of returning it."""

    def __init__(self, place: MemoryPlace, group: str, topics: Sequence[str]) -> None:
        super().__init__(place, group, topics)
        self.busy_polls: set[int] = set()
        self.polls = 0

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the next records, or lose them."""
        records = super().poll(records_max, wait)
        self.polls += 1
        if self.polls in self.busy_polls:
            raise Busy("locked by another program")
        return records


class BusyLog(MemoryLog):
    """Its consumers raise Busy in the polls of these numbers, counted from 1."""

    def __init__(self, place: MemoryPlace, busy_polls: set[int]) -> None:
        super().__init__(place)
        self._busy_place = place
        self._busy_polls = busy_polls

    def consumer(self, group: str, topics: Sequence[str]) -> BusyConsumer:
        """Own a group."""
        consumer = BusyConsumer(self._busy_place, group, topics)
        consumer.busy_polls = self._busy_polls
        return consumer
