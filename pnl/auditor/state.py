"""Reads the state of a partition from its topic and holds it against its last batch (A7).

Law: what is hashed here was read from the log, key by key; what it is compared with was written by
whoever made the batch, in two places: beside the state, and in the batch record.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pnl.auditor.findings import Found
from streams.kafka_state import PartitionState
from streams.log import EventLog

_READ: Final = 5_000


class StateCheck:
    """One partition's check; what is found stands in `found` once `slices` is through."""

    def __init__(
        self,
        log: EventLog,
        topic: str,
        partition: int,
        ends: Mapping[str, int],
        recorded_hash: int | None,
    ) -> None:
        self._log = log
        self._topic = topic
        self._partition = partition
        self._ends = dict(ends)
        self._recorded_hash = recorded_hash
        self.judged = False
        """Whether the state was that of the batch records read: it may have moved on since."""
        self.found: list[Found] = []

    def slices(self) -> Iterator[int]:
        """Read the state a slice at a time; yields how many records each held."""
        state, at = PartitionState(), 0
        while records := self._log.read(self._topic, self._partition, at, _READ):
            state.restored((each.key, each.value) for each in records if each.key is not None)
            at = records[-1].offset + 1
            yield len(records)
        state.rehash()
        last = state.last
        if last is None or any(last.offsets.get(topic) != end for topic, end in self._ends.items()):
            return
        self.judged = True
        if (last.hash, last.keys) != (state.hash, state.keys):
            self._tell(
                f"{state.keys} keys with hash {state.hash}, the last batch left {last.keys} keys"
                f" with {last.hash}"
            )
        elif self._recorded_hash is not None and self._recorded_hash != last.hash:
            self._tell(f"hash {state.hash}, the batch record says {self._recorded_hash}")

    def _tell(self, detail: str) -> None:
        self.found.append(Found("A7", f"{self._topic}/{self._partition} at {self._ends}", detail))
