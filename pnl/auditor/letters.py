"""Dead letters, held against the records that batches count as dead.

Law: each dead record of an input has one letter, and each letter one dead record.
"""

from collections.abc import Callable

from pnl.auditor.findings import Found
from processors.results import BatchSource
from streams.dead_letters import DeadLetter
from streams.facts import Millis
from streams.topics import DEAD_LETTERS, INPUT_NAMES


class Letters:
    """The letters of one partition number. `odd` holds what has no counterpart yet."""

    def __init__(self, partition: int, is_void: Callable[[int], bool]) -> None:
        self._partition = partition
        self._is_void = is_void
        self.doubled: list[int] = []
        self._last: dict[tuple[str, int], int] = {}
        self.odd: dict[tuple[str, int], tuple[int, Millis]] = {}
        self.found: list[Found] = []
        self.judged = True
        """Whether all letters are there: they are not kept for ever."""

    @property
    def owed(self) -> bool:
        """Whether records were counted as dead whose letters were not seen."""
        return any(sign < 0 for sign, _ in self.odd.values())

    def expect(self, source: BatchSource, now: Millis) -> None:
        """Note the records that a batch counts as dead."""
        for exception in source.exceptions:
            if exception.disposition == "dead":
                for offset in range(exception.start, exception.end):
                    self._note(source.topic, offset, -1, now)

    def take(self, at: int, letter: DeadLetter, now: Millis) -> None:
        """Note a letter; one that the sink wrote is not about an input."""
        if letter.topic not in INPUT_NAMES or self._is_void(at):
            return
        place = letter.topic, letter.epoch
        if letter.offset <= self._last.get(place, -1):
            self.doubled.append(at)
            self.found.append(
                Found(
                    "A1",
                    f"{DEAD_LETTERS}/{self._partition}@{at}",
                    f"a second letter for {letter.topic}/{self._partition}@{letter.offset}",
                )
            )
            return
        self._last[place] = letter.offset
        self._note(letter.topic, letter.offset, 1, now)

    def settle(self, now: Millis, grace_ms: int) -> None:
        """Report what has had no counterpart for so long."""
        by_topic: dict[tuple[str, int], list[int]] = {}
        for (topic, offset), (sign, since) in list(self.odd.items()):
            if now - since >= grace_ms:
                del self.odd[topic, offset]
                by_topic.setdefault((topic, sign), []).append(offset)
        for (topic, sign), offsets in by_topic.items():
            what = "have a letter, but no batch counts them as dead"
            if sign < 0:
                what = "were counted as dead and have no letter"
            self.found.append(
                Found(
                    "A1",
                    f"{topic}/{self._partition}@{min(offsets)}",
                    f"{len(offsets)} records up to @{max(offsets)} {what}",
                )
            )

    def _note(self, topic: str, offset: int, sign: int, now: Millis) -> None:
        if not self.judged:
            return
        noted = self.odd.pop((topic, offset), None)
        if noted is None or noted[0] == sign:
            self.odd[topic, offset] = sign, now
