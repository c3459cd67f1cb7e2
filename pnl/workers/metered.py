"""Journeys' figures, read from the batch records that they write.

Law: what is counted is what was committed: a batch that is dropped counts nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from pnl.metrics import Metrics
from processors.results import BatchRecord
from streams.clock import Clock
from streams.codec import decode
from streams.facts import Millis, Period, event_time_of
from streams.invalid import Invalid
from streams.log import Outgoing, Record, StateReader, TopicPartition
from streams.runner import Account, Done, Handler
from streams.topics import BATCHES

_decode: Final = msgspec.json.Decoder(BatchRecord).decode


class Restating(Handler, Protocol):
    """A handler that knows what its open batch takes back."""

    def reversals(self, partition: int) -> Mapping[str, int]:
        """Return how many entries of each line the batch in a partition number takes back."""
        ...


class Metered:
    """A handler that counts what another one does."""

    def __init__(self, handler: Restating, metrics: Metrics, clock: Clock) -> None:
        self._handler = handler
        self._metrics = metrics
        self._clock = clock
        self._batches: list[BatchRecord] = []
        self._dead: Counter[tuple[str, str]] = Counter()
        self._reversed: Counter[str] = Counter()
        self._newest: dict[TopicPartition, Millis] = {}
        self._committed_newest: dict[TopicPartition, Millis] = {}
        self._shown: set[TopicPartition] = set()
        self.positions: Mapping[TopicPartition, int] = {}
        """The next offset of every partition of which something was committed since `open`."""

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from."""
        self.drop()
        self.positions = {}
        self._committed_newest = {}
        self._handler.open(state)

    def process(
        self, partition: int, records: Sequence[Record], batch_id: str
    ) -> Sequence[tuple[int, Done]]:
        """Process a batch of one partition number; count the dead letters by reason."""
        ended = self._handler.process(partition, records, batch_id)
        for index, done in ended:
            if done.disposition == "dead":
                self._dead[records[index].topic, done.reason] += 1
        self._newest |= newest_events(records)
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
        self._reversed.update(self._handler.reversals(account.partition))
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
        for batch in self._batches:
            for source in batch.sources:
                positions[TopicPartition(source.topic, source.partition)] = source.end
                for disposition in ("applied", "duplicate", "late", "dead"):
                    if count := getattr(source, disposition):
                        metrics.records.labels(source.topic, disposition).inc(count)
        for (topic, reason), count in self._dead.items():
            metrics.dead_letters.labels(topic, reason).inc(count)
        for line, count in self._reversed.items():
            metrics.restatements.labels(line).inc(count)
        self._committed_newest = self._committed_newest | self._newest
        self.positions = positions
        self._forget()

    def drop(self) -> None:
        """Forget the batch: it is lost."""
        self._handler.drop()
        self._forget()

    def show_event_time_lag(self) -> None:
        """Measure how old the newest events are, of what was committed; from any thread."""
        now, newest = self._clock.now_ms(), self._committed_newest
        lag = self._metrics.event_time_lag
        for place in self._shown - newest.keys():
            lag.remove(place.topic, str(place.partition))
        for place, at in newest.items():
            lag.labels(place.topic, str(place.partition)).set(max(0, now - at) / 1000)
        self._shown = set(newest)

    def _forget(self) -> None:
        self._batches.clear()
        self._dead.clear()
        self._reversed.clear()
        self._newest.clear()


def newest_events(records: Sequence[Record]) -> dict[TopicPartition, Millis]:
    """Return when that happened which the newest readable record of each input states."""
    found: dict[TopicPartition, Millis] = {}
    topics = {record.topic for record in records}
    for record in reversed(records):
        if record.topic not in topics:
            continue
        fact = decode(record.topic, record.key, record.value, record.logged_at)
        if isinstance(fact, Invalid):
            continue
        topics.discard(record.topic)
        if not isinstance(fact, Period):  # worked out from events, not one
            found[TopicPartition(record.topic, record.partition)] = event_time_of(fact)
        if not topics:
            break
    return found
