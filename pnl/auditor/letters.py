"""Dead letters, held against the records that batches count as dead.

Law: each dead record of an input has one letter, and each letter one dead record.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pnl.auditor.findings import Found
from processors.results import BatchSource
from streams.dead_letters import DeadLetter
from streams.facts import Millis
from streams.topics import DEAD_LETTERS, INPUT_NAMES


@dataclass(slots=True)
class Odd:
    """How many letters there are of a record beyond those its batches count; where the last is."""

    since: Millis
    letters: int = 0
    at: int = -1


class Letters:
    """The letters of one partition number. `odd` holds, by record, what does not add up."""

    def __init__(self, partition: int, is_void: Callable[[int], bool]) -> None:
        self._partition = partition
        self._is_void = is_void
        self.odd: dict[tuple[str, int], Odd] = {}
        self.judged = True
        """Whether all letters are there: they are not kept for ever."""

    @property
    def owed(self) -> bool:
        """Whether records were counted as dead whose letters were not seen."""
        return any(odd.letters < 0 for odd in self.odd.values())

    def expect(self, source: BatchSource, now: Millis) -> None:
        """Note the records that a batch counts as dead."""
        for exception in source.exceptions:
            if exception.disposition == "dead":
                for offset in range(exception.start, exception.end):
                    self._note((source.topic, offset), -1, now)

    def take(self, at: int, letter: DeadLetter, now: Millis) -> None:
        """Note a letter; one that the sink wrote is not about an input."""
        if letter.topic in INPUT_NAMES and not self._is_void(at):
            self._note((letter.topic, letter.offset), 1, now, at)

    def settle(self, now: Millis, grace_ms: int) -> list[Found]:
        """Return what has been odd for so long, and forget it."""
        by_topic: dict[tuple[str, bool], list[tuple[int, int]]] = {}
        for (topic, offset), odd in list(self.odd.items()):
            if now - odd.since >= grace_ms:
                del self.odd[topic, offset]
                by_topic.setdefault((topic, odd.letters < 0), []).append((offset, odd.at))
        found = []
        for (topic, is_lost), places in by_topic.items():
            first, at = min(places)
            last, _ = max(places)
            subject = f"{topic}/{self._partition}@{first}"
            detail = f"{len(places)} records up to @{last} were counted as dead and have no letter"
            if not is_lost:
                subject = f"{DEAD_LETTERS}/{self._partition}@{at}"
                detail = (
                    f"{len(places)} letters for {topic}@{first} to @{last} are one more than"
                    " batches count as dead"
                )
            found.append(Found("A1", subject, detail))
        return found

    def _note(self, place: tuple[str, int], letters: int, now: Millis, at: int = -1) -> None:
        if not self.judged:
            return
        odd = self.odd.setdefault(place, Odd(now))
        odd.letters += letters
        odd.at = max(odd.at, at)
        if not odd.letters:
            del self.odd[place]
