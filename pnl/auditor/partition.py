"""Reads the outputs of one partition number, in step with each other, and has them recounted.

Law: it reads committed records alone and in their order, and of the ledger only as far as the
batch records read so far account for it; so what is uneven is little, whatever the log holds.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from pnl.auditor.findings import Found
from pnl.auditor.recount import Recount, Shortage
from processors.results import Amendment, AttributionRecord, BatchRecord, LedgerRecord
from streams.dead_letters import DeadLetter
from streams.facts import Millis
from streams.log import EventLog, Record, TopicPartition
from streams.topics import ATTRIBUTIONS, BATCHES, DEAD_LETTERS, INPUT_NAMES, LEDGER

TOPICS: Final = (BATCHES, LEDGER, DEAD_LETTERS, ATTRIBUTIONS)
_BATCHES_READ: Final = 200
_READ: Final = 1_000
_SLICES_MAX: Final = 20
_SEED_BATCHES: Final = 1_000
_SEED_SLICES_MAX: Final = 30
"""So many times as many are read back through a quiet time: about twenty days of one."""
_SEED_LEDGER: Final = 10_000
decode_batch: Final = msgspec.json.Decoder(BatchRecord).decode
decode_ledger: Final = msgspec.json.Decoder(LedgerRecord).decode
decode_letter: Final = msgspec.json.Decoder(DeadLetter).decode
decode_vector: Final = msgspec.json.Decoder(AttributionRecord).decode


class Repaired(Protocol):
    """What is known of repairs."""

    def amended(self, batch_id: str) -> Amendment | None:
        """Return what repairs found of a batch beyond its record."""
        ...

    def is_void(self, partition: int, offset: int) -> bool:
        """Say whether a repair found that a batch record never happened."""
        ...

    def is_void_letter(self, partition: int, offset: int) -> bool:
        """Say whether a repair found that a dead letter is a second one."""
        ...


class PartitionAudit:
    """One partition number from `positions` (next offsets by topic) on."""

    def __init__(
        self,
        log: EventLog,
        partition: int,
        positions: dict[str, int],
        notices: Repaired,
        grace_ms: int,
    ) -> None:
        self._log = log
        self._partition = partition
        self._at = {
            topic: max(positions.get(topic, 0), log.start_offsets(topic).get(partition, 0))
            for topic in TOPICS
        }
        self.whole = self._at[BATCHES] == 0
        """Whether it began with the first batch there ever was."""
        self.recount = Recount(
            partition,
            grace_ms,
            notices.amended,
            lambda at: notices.is_void(partition, at),
            lambda at: notices.is_void_letter(partition, at),
        )
        self.recount.letters.judged = self._at[DEAD_LETTERS] == positions.get(DEAD_LETTERS, 0)
        self._drained = False
        self._ends: Mapping[str, int] = {}
        self._dry_at: dict[str, int] = {}
        self._others: list[Found] = []
        self.vectors = 0
        if not self.whole:
            self._seed(notices)

    def advance(self, now: Millis, ends: Mapping[str, int] | None = None) -> int:
        """Read and recount some more; return how many records that were.

        `ends` are the topics' end offsets, where the caller knows them: what was read to the end
        is not asked for again before there is more.
        """
        self._ends = ends or {}
        batches = self._read(BATCHES, _BATCHES_READ)
        for record in batches:
            if record.value is not None:
                self.recount.take_batch(record.offset, decode_batch(record.value), now)
            self._at[BATCHES] = record.offset + 1
        read, drained = len(batches), len(batches) < _BATCHES_READ
        for _ in range(_SLICES_MAX):
            if not self.recount.owes:
                break
            got = self._entries(now, owed_only=True)
            read += got
            drained = drained and got < _READ
            if not got:
                break
        if not batches:
            # What lies here without a batch record is for somebody to explain.
            got = self._entries(now, owed_only=False)
            read += got
            drained = drained and got < _READ
        may_have_letters = not batches or self.recount.letters.owed
        letters = self._letters(now) if may_have_letters else 0
        vectors = self._check_vectors()
        self._drained = drained and letters < _READ
        return read + letters + vectors

    def found(self, now: Millis) -> list[Found]:
        """Return what was found since the last call."""
        for shortage in self.recount.shortages:
            self._count_input(shortage)
        self.recount.shortages.clear()
        found = self.recount.found(now, read_all=self._drained) + self._others
        self._others = []
        return found

    def compare_committed(self, committed: dict[TopicPartition, int], now: Millis) -> None:
        """Hold what journeys committed against the batches, once all is read."""
        if not self._drained:
            return
        ends = self.recount.ranges.ends(self._log.epoch)
        at: dict[str, int] = {}
        for topic in INPUT_NAMES:
            place = committed.get(TopicPartition(topic, self._partition))
            if place is None:
                continue
            if topic in ends:
                at[topic] = place
            elif self.whole and place > 0:
                start = self._log.start_offsets(topic).get(self._partition, 0)
                if place > start:
                    at[topic], ends[topic] = place, start
        self.recount.compare_committed({topic: ends[topic] for topic in at}, at, now)

    def position(self) -> dict[TopicPartition, int] | None:
        """Return where to go on after a restart; None while something does not add up."""
        if not self.recount.is_even or self._others:
            return None
        return {TopicPartition(topic, self._partition): at for topic, at in self._at.items()}

    def _read(self, topic: str, records_max: int) -> list[Record]:
        end = self._ends.get(topic)
        if end is not None and self._dry_at.get(topic) == end:
            return []
        records = self._log.read(topic, self._partition, self._at[topic], records_max)
        if end is not None and len(records) < records_max:
            self._dry_at[topic] = end
        return records

    def _entries(self, now: Millis, *, owed_only: bool) -> int:
        records = self._read(LEDGER, _READ)
        for record in records:
            if owed_only and not self.recount.owes:
                break
            if record.value is not None:
                ledger = decode_ledger(record.value)
                self.recount.take_entries(record.offset, ledger, now)
                if record.key != ledger.customer_id.encode():
                    self._others.append(
                        Found(
                            "A1",
                            f"{LEDGER}/{self._partition}@{record.offset}",
                            f"entries of {ledger.customer_id} under another customer's key",
                        )
                    )
            self._at[LEDGER] = record.offset + 1
        if records and self._at[LEDGER] <= records[-1].offset:
            self._dry_at.pop(LEDGER, None)  # the rest is read when it is owed
        return len(records)

    def _letters(self, now: Millis) -> int:
        records = self._read(DEAD_LETTERS, _READ)
        for record in records:
            if record.value is not None:
                self.recount.letters.take(record.offset, decode_letter(record.value), now)
            self._at[DEAD_LETTERS] = record.offset + 1
        return len(records)

    def _check_vectors(self) -> int:
        records = self._read(ATTRIBUTIONS, _READ)
        for record in records:
            self._at[ATTRIBUTIONS] = record.offset + 1
            if record.value is None:
                continue
            vector = decode_vector(record.value)
            credited = vector.unattributed_minor + sum(each.credit_minor for each in vector.credits)
            of_classes = sum(each.net_minor for each in vector.classes)
            if credited != vector.net_minor or of_classes != vector.net_minor:
                self._others.append(
                    Found(
                        "S1",
                        f"{ATTRIBUTIONS}/{self._partition}@{record.offset}",
                        f"order {vector.order_id}: credits and unattributed are {credited}, its"
                        f" classes {of_classes}, its net revenue {vector.net_minor}",
                    )
                )
        self.vectors += len(records)
        return len(records)

    def _count_input(self, shortage: Shortage) -> None:
        """Count the records of an input range that has more offsets than dispositions."""
        topic, partition = shortage.topic, self._partition
        if shortage.start < self._log.start_offsets(topic).get(partition, 0):
            return  # they are no longer kept, so nobody can tell
        count, at = 0, shortage.start
        while at < shortage.end and (records := self._log.read(topic, partition, at, _READ)):
            count += sum(record.offset < shortage.end for record in records)
            at = records[-1].offset + 1
        if count != shortage.records:
            self._others.append(
                Found(
                    "R3",
                    f"{BATCHES}/{partition}@{shortage.recorded_at}",
                    f"{topic} [{shortage.start}, {shortage.end}) holds {count} records, and"
                    f" {shortage.records} have a disposition",
                )
            )

    def _seed(self, notices: Repaired) -> None:
        """Find out where the batches before the first to be recounted had got to."""
        batches = self._batches_before(self._at[BATCHES], notices)
        at = self._at[LEDGER]
        entries = [
            decode_ledger(record.value)
            for record in self._log.read(
                LEDGER, self._partition, max(0, at - _SEED_LEDGER), _SEED_LEDGER
            )
            if record.value is not None and record.offset < at
        ]
        self.recount.seed(batches, entries)

    def _batches_before(self, at: int, notices: Repaired) -> list[BatchRecord]:
        """Return the last batches that had input: those of a quiet time say nothing of ranges."""
        found: list[BatchRecord] = []
        for _ in range(_SEED_SLICES_MAX):
            start = max(0, at - _SEED_BATCHES)
            slice_ = [
                decode_batch(record.value)
                for record in self._log.read(BATCHES, self._partition, start, at - start)
                if record.value is not None
                and record.offset < at
                and not notices.is_void(self._partition, record.offset)
            ]
            found = [batch for batch in slice_ if batch.sources] + found
            at = start
            if not start or len(found) >= _SEED_BATCHES // 2:
                break
        return found
