"""Builds the store's tables anew from the log, compares them with the old, exchanges them.

Law: readers see the old table or the new one, each whole, and every record of the log is in the
new one: what was stored while it was built and exchanged is copied again afterwards. Nothing is
exchanged while a law is broken in the new tables, or their totals differ from the old unasked.

Sinks may go on meanwhile. An insert of theirs that was in flight while its table was exchanged
went into the old one: its records were in the log before, so the last copy has them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sinks.progress import NOTHING, Mark, write_marks
from sinks.rollup import Rollup
from sinks.rows import SOURCES
from sinks.sink import GROUP
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from sinks.verify import Finding, verify_moving
from sinks.writer import Writer, Written
from streams.clock import pause
from streams.log import EventLog, Record, TopicPartition
from streams.topics import BATCHES, LEDGER, TOPICS

READ_RECORDS_MAX: Final = 10_000
TRIES_MAX: Final = 30
PAUSE: Final = timedelta(seconds=1)
SUFFIX: Final = "_rebuilt"
TABLES: Final = (
    *(target.table for source in SOURCES.values() for target in source.targets),
    *("rollup_hourly", "progress"),
)
"""What is exchanged, the marks last: until then they tell of the old tables, which had less."""
_EXPIRING: Final = tuple(
    target.table
    for topic, source in SOURCES.items()
    if TOPICS[topic].policy == "expire"
    for target in source.targets
)
_TOTALS: Final = """
SELECT log_partition, line, currency, count() AS entries, sum(toInt128(amount_minor)) AS minor
FROM v_ledger
WHERE log_epoch = {epoch:UInt64}
    AND log_offset < transform(log_partition, {partitions:Array(UInt16)}, {ends:Array(Int64)},
        toInt64(0))
GROUP BY log_partition, line, currency ORDER BY log_partition, line, currency"""
_LETTERS: Final = """
SELECT src_topic, src_partition, src_offset FROM v_dead_letters
WHERE reason = 'store_refused' AND src_epoch = {epoch:UInt64}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A total of the ledger that is another in the new tables than in the old."""

    partition: int
    line: str
    currency: str
    old_entries: int
    old_minor: int
    new_entries: int
    new_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild did: how many records it copied, which totals it put right."""

    records: int
    differences: tuple[Difference, ...]


class RebuildStopped(Exception):
    """The new tables were not put in the place of the old; they stay for a person to look at."""

    def __init__(
        self,
        message: str,
        findings: Sequence[Finding] = (),
        differences: Sequence[Difference] = (),
    ) -> None:
        super().__init__(message)
        self.findings = tuple(findings)
        self.differences = tuple(differences)


def rebuild(log: EventLog, store: Store, *, accept_differences: bool = False) -> Rebuilt:
    """Fill new tables from the log's start, check them, exchange them with those of `store`.

    The tables are built in the database named as the store's with `_rebuilt`, which is emptied
    before and removed after. `accept_differences` is for a store that is known to be wrong.
    Raises RebuildStopped, with the laws that are broken or the totals that differ; StoreError.
    """
    for topic in (LEDGER, BATCHES):
        if any(log.start_offsets(topic).values()):
            raise RebuildStopped(f"the log does not hold all of {topic} any more")
    name = f"{store.database}{SUFFIX}"
    store.command(f"DROP DATABASE IF EXISTS `{name}` SYNC")
    new = Store.open(store.dsn, name, timeout=store.timeout)
    try:
        new.migrate()
        copied = _Copy(log, new)
        committed = log.committed(GROUP)
        copied.follow(committed)
        differences = _differences(store, new, log.epoch, committed)
        copied.follow_all()
        findings = verify_moving(new, copied.follow_all)
        if findings:
            broken = ", ".join(finding.law_id for finding in findings)
            raise RebuildStopped(f"what the log holds breaks {broken}", findings)
        _assert_refused_before(copied.refused, store, log.epoch)
        if differences and not accept_differences:
            raise RebuildStopped(
                f"{len(differences)} totals of the ledger differ from those of the old tables",
                differences=differences,
            )
        for table in _EXPIRING:  # their older rows lie in the old tables alone
            new.insert(
                f"INSERT INTO {table} SELECT * FROM `{store.database}`.{table}"
                " WHERE log_epoch = {epoch:UInt64}",
                {"epoch": log.epoch},
            )
        for table in TABLES:
            new.command(f"EXCHANGE TABLES `{store.database}`.{table} AND `{name}`.{table}")
        copied.go_on_in(store)
        copied.follow_all()
    finally:
        new.close()
    store.command(f"DROP DATABASE `{name}` SYNC")
    return Rebuilt(records=copied.records, differences=tuple(differences))


class _Copy:
    """Copies every output from the log's start; each call goes on where the last one ended."""

    def __init__(self, log: EventLog, store: Store) -> None:
        self._log = log
        self._marks: dict[TopicPartition, Mark] = {}
        self.records = 0
        self.refused: set[tuple[str, int, int]] = set()
        self.go_on_in(store)

    def go_on_in(self, store: Store) -> None:
        """Copy into a store from now on that has all that was copied."""
        self._store = store
        self._writer = Writer(store, self._log.epoch)
        self._rollup = Rollup(store)

    def follow(self, ends: dict[TopicPartition, int]) -> None:
        """Copy up to these offsets, sum up, and say in the store how far it is."""
        for place, end in ends.items():
            for records, after in self._read(place, end):
                self._write(place, records, after)
        self._rollup.recompute()
        if self._marks:
            write_marks(self._store, self._log.epoch, self._marks)

    def follow_all(self) -> bool:
        """Copy all there is; the sink's marks stay behind the sink, which goes on from them."""
        self.follow(self._log.committed(GROUP))
        marks = dict(self._marks)
        for topic in SOURCES:
            for number, end in self._log.end_offsets(topic).items():
                place = TopicPartition(topic, number)
                for records, after in self._read(place, end):
                    self._write(place, records, after)
        self._rollup.recompute()
        self._marks = marks
        return True

    def _read(self, place: TopicPartition, end: int) -> Iterator[tuple[list[Record], int]]:
        """Yield the records before `end` in parts, each with the offset after it."""
        start = self._log.start_offsets(place.topic)[place.partition]
        at = max(start, self._marks.get(place, NOTHING).next_offset)
        while at < end:
            part = self._log.read(place.topic, place.partition, at, READ_RECORDS_MAX)
            records = [record for record in part if record.offset < end]
            at = records[-1].offset + 1 if len(records) == len(part) and records else end
            yield records, at

    def _write(self, place: TopicPartition, records: list[Record], after: int) -> None:
        written = self._written(records) if records else Written()
        refused = written.refused.get(place, {})
        kept = [
            each.offset for each in records if each.value is not None and each.offset not in refused
        ]
        self._rollup.touch(written.hours)
        self.refused |= {(*place, offset) for offset in refused}
        self.records += len(records)
        before = self._marks.get(place, NOTHING)
        self._marks[place] = before.then(after, len(kept), kept[-1] if kept else -1)

    def _written(self, records: list[Record]) -> Written:
        for attempt in range(TRIES_MAX):
            try:
                return self._writer.write(records, again=attempt > 0)
            except StoreError as error:
                if error.remedy is not Remedy.RETRY or attempt == TRIES_MAX - 1:
                    raise
                pause(PAUSE.total_seconds())
        raise AssertionError


def _differences(
    old: Store, new: Store, epoch: int, committed: dict[TopicPartition, int]
) -> list[Difference]:
    """Compare what either ledger holds of the records that the sink has passed."""
    ends = {place.partition: end for place, end in committed.items() if place.topic == LEDGER}
    parameters = {
        "epoch": epoch,
        "partitions": list(ends) or [0],
        "ends": list(ends.values()) or [0],
    }
    sums: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    nothing = {"entries": 0, "minor": 0}
    for number, store in enumerate((old, new)):
        for row in store.query(_TOTALS, parameters):
            key = (row["log_partition"], row["line"], row["currency"])
            sums.setdefault(key, [nothing, nothing])[number] = row
    return [
        Difference(
            partition=partition,
            line=line,
            currency=currency,
            old_entries=was["entries"],
            old_minor=was["minor"],
            new_entries=is_now["entries"],
            new_minor=is_now["minor"],
        )
        for (partition, line, currency), (was, is_now) in sorted(sums.items())
        if (was["entries"], was["minor"]) != (is_now["entries"], is_now["minor"])
    ]


def _assert_refused_before(refused: set[tuple[str, int, int]], old: Store, epoch: int) -> None:
    known = {
        (row["src_topic"], row["src_partition"], row["src_offset"])
        for row in old.query(_LETTERS, {"epoch": epoch})
    }
    if news := sorted(refused - known):
        topic, partition, offset = news[0]
        raise RebuildStopped(
            f"{len(news)} records that the old tables took are refused by the new ones, the first "
            f"{topic}/{partition} offset {offset}"
        )
