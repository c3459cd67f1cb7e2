"""Copies the output topics into the store, at least once; the store makes repeats harmless.

Law: an offset is committed only when everything before it is in the store (or, refused by the
store, is a dead letter of the same transaction). So a stop or a kill at any point loses nothing.

While the store is down the batch is held and sent again with back-off, and the group is kept; a
batch of partitions that are owned no more is dropped, since their next owner reads it again.
Several sinks may share a log: each stores what it owns, and what one writes late is a repeat.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

from sinks.cohorts import Cohorts
from sinks.months import Months
from sinks.progress import NOTHING, Mark, is_reached, read_marks, write_marks
from sinks.recovery import align
from sinks.rollup import Rollup
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from sinks.writer import Writer, Written, rows_by_table
from streams.clock import Deadline, Stopwatch
from streams.dead_letters import dead_letter
from streams.failpoints import failpoint
from streams.invalid import Invalid
from streams.log import Consumer, EventLog, Outgoing, Record, TopicPartition
from streams.topics import DEAD_LETTERS, STORED_NAMES

GROUP: Final = "sink"
POLL_RECORDS_MAX: Final = 10_000
BATCH_RECORDS_MAX: Final = 30_000
"""About 100,000 rows: a ledger record has three entries on average."""
LINGER: Final = timedelta(milliseconds=250)
"""How long a batch gathers: an insert costs 15 ms whether it holds one row or a thousand."""
LINGER_MAX: Final = timedelta(seconds=5)
LINGER_SHARE: Final = 0.2
"""A slow store is given fewer, larger batches: one gathers for this share of what the last took."""
ROLLUP_PAUSE: Final = timedelta(seconds=1)
ROLLUP_SHARE: Final = 0.15
"""The roll-up takes at most about this share of the time while records keep coming."""
BACKOFF_FIRST: Final = timedelta(milliseconds=100)
BACKOFF_MAX: Final = timedelta(seconds=10)
KEEP_EVERY: Final = timedelta(seconds=10)
"""Within a long batch the log hears from us this often: well below its poll interval."""
LOOK_EVERY_SECONDS: Final = 0.5
_NOW: Final = timedelta()
_PLACE: Final = itemgetter(0, 1)


class _Reassigned(Exception):
    """The partitions owned changed: what is held of them is void."""


class Sink:
    """A member of the group `sink`. `step` and `close` belong to one thread, the rest to all."""

    def __init__(
        self, log: EventLog, store: Store, *, code_version: str = "", linger: timedelta = LINGER
    ) -> None:
        self._log = log
        self._store = store
        self._code_version = code_version
        self._linger = linger
        self._consumer = log.consumer(GROUP, STORED_NAMES)
        # Read before journeys can write: a store that is ahead of them is ahead of a restored log.
        self._ends_at_start = {topic: log.end_offsets(topic) for topic in STORED_NAMES}
        self._writer = Writer(store, log.epoch, self._keep)
        self._rollup: Rollup | None = None
        self._months = Months(store)
        self._cohorts = Cohorts(store)
        self._assignment: int | None = None
        self._marks: dict[TopicPartition, Mark] = {}
        self._marked: dict[TopicPartition, Mark] = {}
        self._batch: list[Record] = []
        self._took = _NOW
        self._backoff = BACKOFF_FIRST
        self._not_before = Deadline(_NOW)
        self._sums_not_before = Deadline(_NOW)
        self._keep_before = Deadline(KEEP_EVERY)
        self._changed = threading.Condition()
        self._stored = {
            place: Mark(offset, 0, -1) for place, offset in self._consumer.committed().items()
        }
        self._summed: dict[TopicPartition, Mark] = {}
        self._trouble: str | None = None
        self._rows: Counter[str] = Counter()

    @property
    def trouble(self) -> str | None:
        """Why the store does not take rows just now, in its own words; None when it does."""
        return self._trouble

    @property
    def owner(self) -> Consumer:
        """The member of the group: of other threads for looking at only."""
        return self._consumer

    def progress(self) -> dict[TopicPartition, int]:
        """Return the next offset of every partition owned: all before it is in the store."""
        with self._changed:
            return {place: mark.next_offset for place, mark in self._stored.items()}

    def stored_rows(self) -> Counter[str]:
        """Return how many rows were stored since it began, by table; a repeat counts again."""
        with self._changed:
            return self._rows.copy()

    def held_rows(self) -> Counter[str]:
        """Return how many rows were read from the log and are not stored yet, by table."""
        return rows_by_table(self._batch)

    def wait_until(self, offsets: Mapping[TopicPartition, int], limit: timedelta) -> bool:
        """Wait until every record before these offsets is in the store and in the roll-up.

        Of partitions that other sinks own the store itself tells. Returns False when the limit
        passed first.
        """
        deadline = Deadline(limit)
        lacking = dict(offsets)
        while True:
            with self._changed:
                seen = self._summed
            marks = seen if seen.keys() >= lacking.keys() else self._marks_of_all() | seen
            lacking = {
                place: end
                for place, end in lacking.items()
                if not is_reached(self._log, place, marks.get(place, NOTHING).next_offset, end)
            }
            left = deadline.seconds_left()
            if not lacking or left == 0.0:
                return not lacking
            with self._changed:
                if self._summed is seen:
                    self._changed.wait(min(left, LOOK_EVERY_SECONDS))

    def step(self, wait: timedelta) -> int:
        """Store the next records; return how many, 0 when none came within `wait`.

        Takes about `wait` at most while idle or while the store is down. Raises StoreError when
        a person must look; what `streams.log` raises, as it says there.
        """
        try:
            if self._not_before.seconds_left() > 0.0:
                self._pause(wait)
                return 0
            self._begin_where_new()
            stored = self._store_next(wait)
            self._sum_up(idle=stored == 0)
        except StoreError as error:
            if error.remedy is not Remedy.RETRY:
                raise
            self._trouble = str(error)
            self._not_before = Deadline(self._backoff)
            self._backoff = min(2 * self._backoff, BACKOFF_MAX)
            return 0
        except _Reassigned:
            self._drop()
            return 0
        except BaseException:
            self._drop()
            raise
        self._trouble = None
        self._backoff = BACKOFF_FIRST
        return stored

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()

    def _marks_of_all(self) -> dict[TopicPartition, Mark]:
        try:
            return read_marks(self._store, self._log.epoch)
        except StoreError as error:
            if error.remedy is not Remedy.RETRY:
                raise
            return {}

    def _pause(self, wait: timedelta) -> None:
        """Wait while the store is given time; the group is kept, nothing more is read."""
        self._consumer.keep()
        self._assert_same()
        seconds = min(wait.total_seconds(), self._not_before.seconds_left())
        with self._changed:
            self._changed.wait(seconds)

    def _keep(self) -> None:
        """Stay a member of the group through a batch that takes long."""
        if self._keep_before.seconds_left() == 0.0:
            self._consumer.keep()
            self._keep_before = Deadline(KEEP_EVERY)
            self._assert_same()

    def _assert_same(self) -> None:
        if self._assignment is not None and self._consumer.assignment != self._assignment:
            raise _Reassigned

    def _drop(self) -> None:
        """Hold nothing: what was polled and not committed is polled again by who owns it."""
        self._batch = []
        self._consumer.rewind()

    def _begin_where_new(self) -> None:
        """Take up the partitions that are owned since the last look."""
        assignment = self._consumer.assignment
        if self._assignment == assignment:
            return
        committed = self._consumer.committed()
        known = {
            place: mark
            for place, mark in self._marks.items()
            if committed.get(place) == mark.next_offset  # nobody else has moved it
        }
        new = committed.keys() - known.keys()
        is_alone = assignment == 0  # a log that is shared out counts from 1
        ends = self._ends_at_start if is_alone else None
        begun = align(self._log, self._store, self._consumer, new, ends) if new else {}
        if self._rollup is None:
            rollup = Rollup(self._store)
            rollup.touch_differing()
            self._rollup = rollup
        self._marks = known | begun
        self._assignment = assignment
        with self._changed:
            self._stored = dict(self._marks)
            self._summed = {at: mark for at, mark in self._summed.items() if at in known}

    def _store_next(self, wait: timedelta) -> int:
        again = bool(self._batch)
        if not again:
            self._batch = self._gathered(wait)
        if not self._batch:
            return 0
        failpoint("K0")
        watch = Stopwatch()
        written = self._writer.write(self._batch, again=again)
        self._took = watch.elapsed()
        failpoint("K3")
        self._commit(written)
        stored = len(self._batch)
        self._batch = []
        return stored

    def _gathered(self, wait: timedelta) -> list[Record]:
        """Return records that came within `wait`, and what followed them shortly."""
        records = self._poll(POLL_RECORDS_MAX, wait)
        if records:
            slow = min(LINGER_SHARE * self._took, LINGER_MAX)
            gathering = Deadline(max(self._linger, slow))
            while len(records) < BATCH_RECORDS_MAX and (left := gathering.seconds_left()) > 0.0:
                records += self._poll(
                    min(POLL_RECORDS_MAX, BATCH_RECORDS_MAX - len(records)), timedelta(seconds=left)
                )
        return records

    def _poll(self, records_max: int, wait: timedelta) -> list[Record]:
        records = self._consumer.poll(records_max, wait)
        self._keep_before = Deadline(KEEP_EVERY)
        self._assert_same()
        return records

    def _commit(self, written: Written) -> None:
        assert self._rollup is not None
        self._rollup.touch(written.hours)
        marks = self._marks_after(written)
        with self._consumer.transaction() as transaction:
            for partition, letters in self._letters(written).items():
                transaction.produce(DEAD_LETTERS, partition, letters)
            transaction.commit_offsets({place: mark.next_offset for place, mark in marks.items()})
        self._marks |= marks
        with self._changed:
            self._stored = dict(self._marks)
            self._rows += written.rows
            self._changed.notify_all()

    def _marks_after(self, written: Written) -> dict[TopicPartition, Mark]:
        """Return the marks of the batch's partitions once it is committed."""
        marks: dict[TopicPartition, Mark] = {}
        for where, run in groupby(self._batch, _PLACE):
            place, records = TopicPartition(*where), list(run)
            kept = [record[2] for record in records if record[5] is not None]
            if refused := written.refused.get(place):
                kept = [offset for offset in kept if offset not in refused]
            before = marks.get(place) or self._marks[place]
            marks[place] = before.then(records[-1][2] + 1, len(kept), kept[-1] if kept else -1)
        return marks

    def _letters(self, written: Written) -> dict[int, list[Outgoing]]:
        letters: dict[int, list[Outgoing]] = {}
        for record, detail in written.refusals():
            invalid = Invalid("store_refused", detail)
            value = dead_letter(record, self._log.epoch, invalid, self._code_version)
            letters.setdefault(record.partition, []).append(Outgoing(record.key, value))
        return letters

    def _sum_up(self, *, idle: bool) -> None:
        """Bring the roll-up up to date, and say in the store how far it is: now and then."""
        assert self._rollup is not None
        is_due = idle or self._sums_not_before.seconds_left() == 0.0
        if is_due and (self._rollup.is_dirty or self._marked != self._marks):
            failpoint("K6")
            watch = Stopwatch()
            self._rollup.recompute(self._keep)
            news = {at: mark for at, mark in self._marks.items() if self._marked.get(at) != mark}
            if news:
                write_marks(self._store, self._log.epoch, news)
            self._marked = dict(self._marks)
            self._sums_not_before = Deadline(max(ROLLUP_PAUSE, watch.elapsed() / ROLLUP_SHARE))
        elif idle and not self._months.step():
            self._cohorts.step()
        if not self._rollup.is_dirty:
            with self._changed:
                self._summed = self._stored
                self._changed.notify_all()
