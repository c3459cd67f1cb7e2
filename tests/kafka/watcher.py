"""A reader of committed records that watches while workers break: no batch is ever seen in part.

Law (DL5): once a batch record can be read, and the ledger has been read up to the end that it had
at that moment, the ledger holds exactly the rows and the sum that the record says: what was written
with it lies before that end. And never more than that, nor a batch twice, at any time.
"""

import time
from collections import defaultdict
from threading import Event, Thread
from typing import Any, Final, NamedTuple, Self

import msgspec
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from processors.results import BatchRecord, LedgerRecord
from streams.topics import BATCHES, LEDGER
from tests.kafka.plain_log import partitions_of, reader
from tests.support.waiting import until

ANSWER_SECONDS: Final = 60
PASSING: Final = (
    KafkaError._PARTITION_EOF,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
)
"""What a reader is told while brokers come and go."""
_batch: Final = msgspec.json.Decoder(BatchRecord).decode
_ledger: Final = msgspec.json.Decoder(LedgerRecord).decode


class _Due(NamedTuple):
    """A batch that must be whole once its partition of the ledger has been read so far."""

    batch: BatchRecord
    end: int


class Watcher:
    """Reads from its start to its end; `faults` are the sentences about what it saw wrong."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._prefix = prefix
        self._client = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._admin = AdminClient(self._client)
        self._consumer = reader(bootstrap)
        self._places = partitions_of(self._consumer, prefix, [LEDGER, BATCHES])
        self._consumer.assign(self._places)
        self._rows: dict[str, int] = defaultdict(int)
        self._minor: dict[str, int] = defaultdict(int)
        self._known: dict[str, BatchRecord] = {}
        self._due: dict[int, list[_Due]] = defaultdict(list)
        self._at: dict[tuple[str, int], int] = {}
        self._ending = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._died: BaseException | None = None
        self.faults: list[str] = []
        self.batches = 0
        self.looks = 0

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._ending.set()
        self._thread.join()
        self._consumer.close()

    def await_whole(self, seconds: float = 60) -> None:
        """Return once everything that is committed by now was read and found whole, or not."""
        ends = self._ends([(place.topic, place.partition) for place in self._places])
        until(lambda: self._is_past(ends), seconds, "the watcher has read everything")

    def assert_whole(self) -> None:
        """Fail if any batch was ever seen in part, twice, or without its record."""
        self.await_whole()
        assert self.faults == [], self.faults
        unknown = self._rows.keys() - self._known.keys()
        assert not unknown, f"entries of batches that have no record: {sorted(unknown)[:5]}"

    def _watch(self) -> None:
        try:
            while not self._ending.is_set():
                self._look()
        except BaseException as error:
            self._died = error
            raise

    def _look(self) -> None:
        """Read what there is, then judge what is due."""
        self.looks += 1
        fresh: dict[int, list[BatchRecord]] = defaultdict(list)
        for message in self._consumer.consume(1_000, 0.05):
            error = message.error()
            if error is not None:
                assert error.code() in PASSING, error
                continue
            value, partition = message.value(), message.partition()
            assert value is not None
            assert partition is not None
            if message.topic() == self._prefix + LEDGER:
                self._take(_ledger(value))
            else:
                fresh[partition].append(_batch(value))
        if fresh:
            ends = self._ends([(self._prefix + LEDGER, number) for number in fresh])
            for number, batches in fresh.items():
                for batch in batches:
                    self._note(batch, ends[self._prefix + LEDGER, number])
        self._at = {
            (place.topic, place.partition): place.offset
            for place in self._consumer.position(self._places)
        }
        self._judge()

    def _take(self, record: LedgerRecord) -> None:
        self._rows[record.batch_id] += len(record.entries)
        self._minor[record.batch_id] += sum(entry.amount_minor for entry in record.entries)
        known = self._known.get(record.batch_id)
        if known is not None and self._rows[record.batch_id] > known.out_rows:
            self.faults.append(f"batch {record.batch_id} has more rows than its record says")

    def _note(self, batch: BatchRecord, end: int) -> None:
        self.batches += 1
        if batch.batch_id in self._known:
            self.faults.append(f"batch {batch.batch_id} was written twice")
        self._known[batch.batch_id] = batch
        self._due[batch.partition].append(_Due(batch, end))

    def _judge(self) -> None:
        for number, due in self._due.items():
            at = self._at[self._prefix + LEDGER, number]
            for batch, end in due:
                if at >= end:
                    self._compare(batch, f"ledger {number} read to {at}, then ended at {end}")
            self._due[number] = [each for each in due if at < each.end]

    def _compare(self, batch: BatchRecord, where: str) -> None:
        found = (self._rows[batch.batch_id], self._minor[batch.batch_id])
        if found != (batch.out_rows, batch.out_sum_minor):
            self.faults.append(
                f"batch {batch.batch_id}: a reader sees {found[0]} rows of {found[1]} minor units, "
                f"its record says {batch.out_rows} of {batch.out_sum_minor} ({where})"
            )

    def _is_past(self, ends: dict[tuple[str, int], int]) -> bool:
        assert self._died is None, self._died
        passed = all(self._at.get(place, 0) >= end for place, end in ends.items() if end)
        return passed and not any(self._due.values())

    def _ends(self, places: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return where partitions end now, undecided records included."""
        latest: Any = OffsetSpec.latest()
        asked = {TopicPartition(*place): latest for place in places}
        limit = time.monotonic() + ANSWER_SECONDS
        while True:
            futures = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=5
            )
            try:
                found = {at: done.result().offset for at, done in futures.items()}
                if min(found.values()) < 0:  # how the client says that it knows no leader
                    raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
            except KafkaException as error:
                # Brokers may be away, or led anew: only a new client asks who leads.
                self._admin = AdminClient(self._client)
                if time.monotonic() > limit or self._ending.wait(0.1):
                    raise error from None
            else:
                return {(at.topic, at.partition): end for at, end in found.items()}
