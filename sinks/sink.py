"""Copies the output topics into the store, at least once; the store makes repeats harmless.

Law: an offset is committed only when everything before it is in the store (or, refused by the
store, is a dead letter of the same transaction). So a stop or a kill at any point loses nothing.

While the store is down the batch is held and sent again with back-off; stopping drops it, since
the next owner of the group reads it again.
"""

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sinks.recovery import align
from sinks.rollup import Rollup
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from sinks.writer import Writer, Written
from streams.clock import Deadline
from streams.dead_letters import dead_letter
from streams.failpoints import failpoint
from streams.invalid import Invalid
from streams.log import EventLog, Outgoing, Record, TopicPartition
from streams.topics import DEAD_LETTERS, OUTPUT_NAMES

GROUP: Final = "sink"
POLL_RECORDS_MAX: Final = 10_000
BATCH_RECORDS_MAX: Final = 30_000
"""About 100,000 rows: a ledger record has three entries on average."""
LINGER: Final = timedelta(milliseconds=250)
"""How long a batch gathers: an insert costs 15 ms whether it holds one row or a thousand."""
ROLLUP_PAUSE: Final = timedelta(seconds=1)
ROLLUP_SHARE: Final = 0.15
"""The roll-up takes at most about this share of the time while records keep coming."""
BACKOFF_FIRST: Final = timedelta(milliseconds=100)
BACKOFF_MAX: Final = timedelta(seconds=10)
_NOW: Final = timedelta()


class Sink:
    """One owner of the group `sink`. `step` and `close` belong to one thread, the rest to all."""

    def __init__(
        self, log: EventLog, store: Store, *, code_version: str = "", linger: timedelta = LINGER
    ) -> None:
        self._log = log
        self._store = store
        self._code_version = code_version
        self._linger = linger
        self._consumer = log.consumer(GROUP, OUTPUT_NAMES)
        # Read before journeys can write: a store that is ahead of them is ahead of a restored log.
        self._ends_at_start = {topic: log.end_offsets(topic) for topic in OUTPUT_NAMES}
        self._writer = Writer(store, log.epoch)
        self._rollup: Rollup | None = None
        self._batch: list[Record] = []
        self._backoff = BACKOFF_FIRST
        self._not_before = Deadline(_NOW)
        self._rollup_not_before = Deadline(_NOW)
        self._changed = threading.Condition()
        self._stored = self._consumer.committed()
        self._summed: dict[TopicPartition, int] = {}
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the store does not take rows just now, in its own words; None when it does."""
        return self._trouble

    def progress(self) -> dict[TopicPartition, int]:
        """Return the next offset of every output partition: all before it is in the store."""
        with self._changed:
            return dict(self._stored)

    def wait_until(self, offsets: Mapping[TopicPartition, int], limit: timedelta) -> bool:
        """Wait until all before these offsets is in the store and in the roll-up.

        Returns False when the limit passed first.
        """
        deadline = Deadline(limit)
        with self._changed:
            while any(self._summed.get(place, 0) < end for place, end in offsets.items()):
                left = deadline.seconds_left()
                if left == 0.0:
                    return False
                self._changed.wait(left)
        return True

    def step(self, wait: timedelta) -> int:
        """Store the next records; return how many, 0 when none came within `wait`.

        Takes about `wait` at most while idle or while the store is down. Raises StoreError when
        a person must look; what `streams.log` raises, as it says there.
        """
        if self._not_before.seconds_left() > 0.0:
            self._pause(wait)
            return 0
        try:
            if self._rollup is None:
                self._begin()
            stored = self._store_next(wait)
            self._sum_up(idle=stored == 0)
        except StoreError as error:
            if error.remedy is not Remedy.RETRY:
                raise
            self._trouble = str(error)
            self._not_before = Deadline(self._backoff)
            self._backoff = min(2 * self._backoff, BACKOFF_MAX)
            return 0
        self._trouble = None
        self._backoff = BACKOFF_FIRST
        return stored

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()

    def _pause(self, wait: timedelta) -> None:
        seconds = min(wait.total_seconds(), self._not_before.seconds_left())
        with self._changed:
            self._changed.wait(seconds)

    def _begin(self) -> None:
        align(self._log, self._store, self._consumer, self._ends_at_start)
        rollup = Rollup(self._store)
        rollup.mark_differing()
        with self._changed:
            self._stored = self._consumer.committed()
        self._rollup = rollup

    def _store_next(self, wait: timedelta) -> int:
        again = bool(self._batch)
        if not again:
            try:
                self._batch = self._gathered(wait)
            except BaseException:
                self._consumer.rewind()  # a later poll may have failed, the first records gone
                raise
        if not self._batch:
            return 0
        written = self._writer.write(self._batch, again=again)
        failpoint("sink.before-commit")
        assert self._rollup is not None
        self._rollup.mark(written.hours)
        ends = {TopicPartition(record[0], record[1]): record[2] + 1 for record in self._batch}
        with self._consumer.transaction() as transaction:
            for partition, letters in self._letters(written).items():
                transaction.produce(DEAD_LETTERS, partition, letters)
            transaction.commit_offsets(ends)
        stored = len(self._batch)
        self._batch = []
        with self._changed:
            self._stored = self._stored | ends
            self._changed.notify_all()
        return stored

    def _gathered(self, wait: timedelta) -> list[Record]:
        """Return records that came within `wait`, and what followed them shortly."""
        records = self._consumer.poll(POLL_RECORDS_MAX, wait)
        if records:
            gathering = Deadline(self._linger)
            while len(records) < BATCH_RECORDS_MAX and (left := gathering.seconds_left()) > 0.0:
                records += self._consumer.poll(
                    min(POLL_RECORDS_MAX, BATCH_RECORDS_MAX - len(records)), timedelta(seconds=left)
                )
        return records

    def _letters(self, written: Written) -> dict[int, list[Outgoing]]:
        letters: dict[int, list[Outgoing]] = {}
        for record, detail in written.refusals():
            invalid = Invalid("store_refused", detail)
            value = dead_letter(record, self._log.epoch, invalid, self._code_version)
            letters.setdefault(record.partition, []).append(Outgoing(record.key, value))
        return letters

    def _sum_up(self, *, idle: bool) -> None:
        assert self._rollup is not None
        if not self._rollup.is_clean:
            if not idle and self._rollup_not_before.seconds_left() > 0.0:
                return
            failpoint("sink.before-sums")
            spent = Deadline(BACKOFF_MAX)
            self._rollup.recompute()
            took = BACKOFF_MAX - timedelta(seconds=spent.seconds_left())
            self._rollup_not_before = Deadline(max(ROLLUP_PAUSE, took / ROLLUP_SHARE))
        with self._changed:
            self._summed = self._stored
            self._changed.notify_all()
