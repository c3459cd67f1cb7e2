"""Journeys' figures, read from the batch records that they write.

Law: what is counted is what was committed: a batch that is dropped counts nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pnl.metrics import Metrics
from processors.results import BatchRecord
from streams.clock import Clock
from streams.log import Outgoing, Record, StateReader, TopicPartition
from streams.runner import Account, Done, Handler
from streams.topics import BATCHES

_decode: Final = msgspec.json.Decoder(BatchRecord).decode


class Metered:
    """A handler that counts what another one does."""

    def __init__(self, handler: Handler, metrics: Metrics, clock: Clock) -> None:
        self._handler = handler
        self._metrics = metrics
        self._clock = clock
        self._batches: list[BatchRecord] = []
        self._dead: Counter[tuple[str, str]] = Counter()
        self.positions: Mapping[TopicPartition, int] = {}
        """The next offset of every partition of which something was committed since `open`."""

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from."""
        self.drop()
        self.positions = {}
        self._handler.open(state)

    def process(
        self, partition: int, records: Sequence[Record], batch_id: str
    ) -> Sequence[tuple[int, Done]]:
        """Process a batch of one partition number; count the dead letters by reason."""
        ended = self._handler.process(partition, records, batch_id)
        for index, done in ended:
            if done.disposition == "dead":
                self._dead[records[index].topic, done.reason] += 1
        return ended

    def outputs(self, partition: int) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return the outputs of the batch in a partition number."""
        return self._handler.outputs(partition)

    def changes(self, partition: int) -> list[tuple[bytes, bytes | None]]:
        """Return what the batch changed in a partition's state."""
        return self._handler.changes(partition)

    def records_of(self, account: Account) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return the batch record, and remember it."""
        written = list(self._handler.records_of(account))
        self._batches += [
            _decode(record.value)
            for topic, records in written
            if topic == BATCHES
            for record in records
            if record.value is not None
        ]
        return written

    def promote(self) -> None:
        """Count the batch: it is committed."""
        self._handler.promote()
        metrics, positions = self._metrics, dict(self.positions)
        now = self._clock.now_ms()
        for batch in self._batches:
            for source in batch.sources:
                positions[TopicPartition(source.topic, source.partition)] = source.end
                for disposition in ("applied", "duplicate", "late", "dead"):
                    if count := getattr(source, disposition):
                        metrics.records.labels(source.topic, disposition).inc(count)
            if batch.event_time_max is not None:
                lag = max(0, now - batch.event_time_max) / 1000
                metrics.event_time_lag.labels(str(batch.partition)).set(lag)
        for (topic, reason), count in self._dead.items():
            metrics.dead_letters.labels(topic, reason).inc(count)
        self.positions = positions
        self._batches.clear()
        self._dead.clear()

    def drop(self) -> None:
        """Forget the batch: it is lost."""
        self._handler.drop()
        self._batches.clear()
        self._dead.clear()
