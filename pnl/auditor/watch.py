"""What the auditor watches by the clock: who is behind, what is held up, what comes too often.

Law: a condition is raised once, when it begins; it names the offset at which it stands.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pnl.auditor.findings import Found
from streams.facts import Millis
from streams.log import EventLog, TopicPartition
from streams.topics import OUTPUT_NAMES

SINK_GROUP: Final = "sink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on a condition is raised. Shares are parts per million of the records judged."""

    sink_behind: timedelta = timedelta(minutes=15)
    held_up: timedelta = timedelta(seconds=24)
    rate_records_min: int = 10_000
    dead_ppm: int = 50_000
    late_ppm: int = 100_000
    duplicate_ppm: int = 500_000


class Watch:
    """Remembers since when what stands still has stood."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._stuck: dict[TopicPartition, tuple[int, Millis]] = {}
        self._first: dict[TopicPartition, tuple[int, int, Millis | None]] = {}
        self._judged: Counter[str] = Counter()
        self.sink_behind_ms = 0

    def behind(self, log: EventLog, now: Millis) -> list[Found]:
        """A2: return where the sink has left a record unstored for too long."""
        committed = log.committed(SINK_GROUP)
        found, oldest = [], 0
        for topic in OUTPUT_NAMES:
            for partition, end in log.end_offsets(topic).items():
                place = TopicPartition(topic, partition)
                at = committed.get(place, 0)
                logged_at = self._first_logged_at(log, place, at, end) if at < end else None
                if logged_at is None:
                    continue
                age = max(0, now - logged_at)
                oldest = max(oldest, age)
                if age >= _ms(self._limits.sink_behind):
                    detail = f"not stored since {age // 1000} seconds, the log goes up to @{end}"
                    found.append(Found("A2", f"{topic}/{partition}@{at}", detail))
        self.sink_behind_ms = oldest
        return found

    def _first_logged_at(
        self, log: EventLog, place: TopicPartition, at: int, end: int
    ) -> Millis | None:
        """Return when the record at an offset was logged; None if none is there before the end.

        A log is asked once: what it says of these offsets does not change.
        """
        known = self._first.get(place)
        if known is not None and known[0] == at and (known[2] is not None or known[1] == end):
            return known[2]
        records = log.read(*place, at, 1)
        logged_at = records[0].logged_at if records else None
        self._first[place] = at, end, logged_at
        return logged_at

    def held_up(self, ends: Mapping[TopicPartition, tuple[int, int]], now: Millis) -> list[Found]:
        """A3: return the partitions whose last stable offset stands before their end for too long.

        `ends` maps each to (last stable offset, end).
        """
        found = []
        for place, (stable, end) in ends.items():
            at, since = self._stuck.get(place, (-1, now))
            if stable >= end:
                self._stuck.pop(place, None)
                continue
            if at != stable:
                since = now
            self._stuck[place] = stable, since
            if now - since >= _ms(self._limits.held_up):
                detail = (
                    f"a transaction that began there is open since {(now - since) // 1000} seconds;"
                    f" {end - stable} offsets wait behind it"
                )
                found.append(Found("A3", f"{place.topic}/{place.partition}@{stable}", detail))
        return found

    def rates(self, dispositions: Counter[str]) -> list[Found]:
        """A6: return what ended otherwise than applied too often since the last judgement."""
        new = dispositions - self._judged
        records = new.total()
        if records < self._limits.rate_records_min:
            return []
        self._judged = Counter(dispositions)
        limits = {
            "dead": self._limits.dead_ppm,
            "late": self._limits.late_ppm,
            "duplicate": self._limits.duplicate_ppm,
        }
        return [
            Found(
                "A6",
                f"{name} records up to input record {dispositions.total()}",
                f"{new[name]} of {records} ended as {name}, over {limit / 10_000:g} %",
            )
            for name, limit in limits.items()
            if new[name] * 1_000_000 > limit * records
        ]


def _ms(limit: timedelta) -> int:
    return limit // timedelta(milliseconds=1)
