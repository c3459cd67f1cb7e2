"""The input ranges that batches account for: they join, from record to record.

Law (R2): within a life of the log each range of an input begins where the one before it ended. A
range that a repair accounts for afterwards fills the gap that was left.
"""

from typing import Final

from pnl.auditor.findings import Found
from processors.results import BatchSource
from streams.topics import BATCHES

REPAIR: Final = "-repair-"
"""What the batch ids of repairs hold, and no others."""


class Ranges:
    """The ranges of one partition number."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._ends: dict[tuple[str, str], int] = {}
        self.gaps: dict[tuple[str, int, int], int] = {}
        """(Topic, start, end) -> the offset of the batch record behind it."""
        self.found: list[Found] = []

    def join(self, batch_id: str, offset: int, source: BatchSource) -> None:
        """Take the next range over."""
        key = epoch_of(batch_id), source.topic
        end = self._ends.get(key)
        if REPAIR in batch_id and end is not None and source.start < end:
            self._fill(source)
            return
        self._ends[key] = max(source.end, end or 0)
        if end is None or source.start == end:
            return
        if source.start > end:
            self.gaps[source.topic, end, source.start] = offset
            return
        self.found.append(
            Found(
                "R2",
                f"{source.topic}/{self._partition} [{source.start}, {end})",
                f"offsets accounted for twice, see {BATCHES}/{self._partition}@{offset}",
            )
        )

    def seed(self, batch_id: str, source: BatchSource) -> None:
        """Take over where the ranges stood before those that are joined."""
        key = epoch_of(batch_id), source.topic
        self._ends[key] = max(source.end, self._ends.get(key, 0))

    def ends(self, epoch: int) -> dict[str, int]:
        """Return, by input topic, the offset up to which batches account for it."""
        return {topic: end for (of, topic), end in self._ends.items() if of == str(epoch)}

    def settle(self) -> None:
        """Report the gaps that nothing filled."""
        for (topic, start, end), at in self.gaps.items():
            self.found.append(
                Found(
                    "R2",
                    f"{topic}/{self._partition} [{start}, {end})",
                    f"offsets accounted for by no batch, see {BATCHES}/{self._partition}@{at}",
                )
            )
        self.gaps.clear()

    def _fill(self, source: BatchSource) -> None:
        for topic, start, end in list(self.gaps):
            if topic == source.topic and source.start <= start and end <= source.end:
                del self.gaps[topic, start, end]


def epoch_of(batch_id: str) -> str:
    """Return the life of the log that a batch was in: its offsets begin anew in the next one."""
    return batch_id.partition("-")[0]
