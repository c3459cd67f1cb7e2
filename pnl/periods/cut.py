"""Up to where the job reads: the ends of the outputs once all that was in the inputs is stored.

Law: before a cut everything is booked and stored, so figures of a cut leave nothing out; and
what is read of the ledger is limited to it, so nothing that came meanwhile is half in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pnl.engine import GROUP as JOURNEYS
from sinks.progress import is_reached
from sinks.sink import GROUP as SINK
from streams.facts import CutPlace
from streams.kafka_log import KafkaLog
from streams.log import EventLog, TopicPartition
from streams.topics import INPUT_NAMES, LEDGER, OUTPUT_NAMES

Ends = Mapping[TopicPartition, int]


@dataclass(frozen=True)
class Cut:
    """A place in every output's partitions, in one life of the log."""

    epoch: int
    ends: Ends

    def of(self, topic: str) -> tuple[list[int], list[int]]:
        """Return a topic's partitions, and the end of each."""
        places = sorted(
            (each.partition, end) for each, end in self.ends.items() if each.topic == topic
        )
        return [partition for partition, _ in places], [end for _, end in places]

    def places(self) -> tuple[CutPlace, ...]:
        """Return the ledger's places, as a closing keeps them."""
        return tuple(
            CutPlace(partition=partition, offset=end)
            for partition, end in zip(*self.of(LEDGER), strict=True)
        )


class Reaching:
    """The way to a cut: all that is in the inputs now gets applied, then stored."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._inputs = _ends(log, INPUT_NAMES)
        self._outputs: Ends | None = None

    def cut(self) -> Cut | None:
        """Return the cut, None while it is not reached. Busy when the log does not answer."""
        if self._outputs is None:
            if not _passed(self._log, self._log.committed(JOURNEYS), self._inputs, 0):
                return None
            self._outputs = _ends(self._log, OUTPUT_NAMES)
        # On Kafka an output's last offset is the end of the transaction that wrote it.
        unread = 1 if isinstance(self._log, KafkaLog) else 0
        if not _passed(self._log, self._log.committed(SINK), self._outputs, unread):
            return None
        return Cut(self._log.epoch, self._outputs)


def _ends(log: EventLog, names: Sequence[str]) -> Ends:
    return {
        TopicPartition(name, partition): end
        for name in names
        for partition, end in log.end_offsets(name).items()
    }


def _passed(log: EventLog, committed: Ends, ends: Ends, unread: int) -> bool:
    return all(
        (at := committed.get(place, 0)) >= end - unread or is_reached(log, place, at, end)
        for place, end in ends.items()
    )
