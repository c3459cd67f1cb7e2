"""Writes records into their tables, each as often as it takes.

Law: when `write` returns, every record given is in the store, or among the refused with the
store's own words. Writing the same records again changes nothing that a view shows.

Each insert goes to one table and one month: an insert over several partitions is not atomic. A
record that the store refuses is found by halving, so the others of its batch are written.

What was too much at once (memory, time) goes in halves, and grows again with every batch written.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Final

import msgspec

from sinks.framing import framed, hours_of
from sinks.framing import month_of_hour as month_of
from sinks.rows import MONTH_IS, SOURCES
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from sinks.targets import Source, Target, insert_statement
from streams.failpoints import failpoint
from streams.log import Record, TopicPartition

REFUSED_IN_A_ROW_MAX: Final = 20
_SETTLE_TRIES: Final = 3
_TOPIC: Final = itemgetter(0)
_COUNTED: Final = frozenset({"ledger", "batches", "dead_letters"})
"""Tables that keep every row, so that what was sent can be counted afterwards."""


@dataclass(slots=True)
class Written:
    """What became of a batch: the hours its entries touched, the records the store refused.

    `rows` counts what was stored, by table.
    """

    hours: set[int] = field(default_factory=set)
    rows: Counter[str] = field(default_factory=Counter)
    refused: dict[TopicPartition, dict[int, tuple[Record, str]]] = field(default_factory=dict)

    def refuse(self, record: Record, detail: str) -> None:
        """Note a record once, whichever of its tables refused it."""
        place = TopicPartition(record.topic, record.partition)
        self.refused.setdefault(place, {}).setdefault(record.offset, (record, detail))

    def refusals(self) -> list[tuple[Record, str]]:
        """Return the refused records with the reason, in order of topic, partition, offset."""
        return [
            noted
            for _, by_offset in sorted(self.refused.items())
            for _, noted in sorted(by_offset.items(), key=lambda item: item[0])
        ]


class Writer:
    """Turns batches of output records into rows; remembers only how much the store can take."""

    def __init__(
        self, store: Store, epoch: int, between: Callable[[], None] = lambda: None
    ) -> None:
        """`between` is called before each insert."""
        self._store = store
        self._epoch = epoch
        self._between = between
        self._records_max: int | None = None
        self._in_a_row = 0

    def write(self, records: Sequence[Record], *, again: bool = False) -> Written:
        """Write records of any output topics, tables in the order of `SOURCES`.

        `again` says that an earlier attempt failed: then the rows are counted afterwards. Raises
        StoreError with remedy RETRY (the same records again, later) or STOP.
        """
        written = Written()
        by_topic: dict[str, list[Record]] = {}
        for topic, run in groupby(records, _TOPIC):
            by_topic.setdefault(topic, []).extend([each for each in run if each[5] is not None])
        for topic, source in SOURCES.items():
            if topic in by_topic:
                self._write_topic(source, by_topic[topic], written, again=again)
                failpoint("K4")
        if self._records_max is not None:
            self._records_max *= 2
            if self._records_max >= len(records):
                self._records_max = None
        self._assert_few_refused(written, len(records))
        return written

    def _write_topic(
        self, source: Source, records: list[Record], written: Written, *, again: bool
    ) -> None:
        for target in source.targets:
            groups = _by_month(records, written) if target.by_month else {0: records}
            if not target.by_month:
                written.rows[target.table] += (
                    sum(rows_of(target, each.value) for each in records)
                    if target.unfold
                    else len(records)
                )
            for month, group in groups.items():
                refused_before = sum(map(len, written.refused.values()))
                size = self._records_max or len(group)
                for first in range(0, len(group), size):
                    self._insert(source, target, month, group[first : first + size], written)
                if again and sum(map(len, written.refused.values())) == refused_before:
                    self._settle(source, target, month, group)

    def _insert(
        self, source: Source, target: Target, month: int, records: list[Record], written: Written
    ) -> None:
        try:
            self._send(source, target, month, records)
        except StoreError as error:
            if error.too_much:
                self._records_max = max(1, len(records) // 2)
            if error.remedy is not Remedy.BISECT:
                raise
            if len(records) == 1:
                written.rows[target.table] -= rows_of(target, records[0].value, month)
                self._note_refused(records[0], f"{target.table}: error {error.code}", written)
                return
            middle = len(records) // 2
            self._insert(source, target, month, records[:middle], written)
            self._insert(source, target, month, records[middle:], written)
        else:
            self._in_a_row = 0

    def _send(self, source: Source, target: Target, month: int, records: list[Record]) -> None:
        where = MONTH_IS if target.by_month else ""
        self._between()
        failpoint("K1")
        self._store.insert_lines(
            lambda lines: insert_statement(target, lines, where),
            source.structure,
            framed(records),
            {"epoch": self._epoch, "month": month} if where else {"epoch": self._epoch},
        )
        failpoint("K2")

    def _note_refused(self, record: Record, detail: str, written: Written) -> None:
        written.refuse(record, detail)
        self._in_a_row += 1
        if self._in_a_row >= REFUSED_IN_A_ROW_MAX:
            raise StoreError(
                f"{self._in_a_row} records in a row were refused, the last one "
                f"{record.topic}/{record.partition} offset {record.offset}: {detail}",
                None,
                Remedy.STOP,
            )

    def _assert_few_refused(self, written: Written, sent: int) -> None:
        refused = sum(map(len, written.refused.values()))
        if refused > max(REFUSED_IN_A_ROW_MAX, sent // 100):
            record, detail = written.refusals()[0]
            raise StoreError(
                f"{refused} of {sent} records were refused, the first one "
                f"{record.topic}/{record.partition} offset {record.offset}: {detail}",
                None,
                Remedy.STOP,
            )

    def _settle(self, source: Source, target: Target, month: int, records: list[Record]) -> None:
        """See that every identity sent is there: an error may have hidden what was applied."""
        if target.table not in _COUNTED:
            return
        for _ in range(_SETTLE_TRIES):
            missing = self._missing(target, month, records)
            if missing == 0:
                return
            self._send(source, target, month, records)
        raise StoreError(
            f"{target.table}: {missing} rows sent are not in the store, after sending them again",
            None,
            Remedy.STOP,
        )

    def _missing(self, target: Target, month: int, records: list[Record]) -> int:
        ranges: dict[int, tuple[int, int]] = {}
        for record in records:
            low, high = ranges.get(record.partition, (record.offset, record.offset))
            ranges[record.partition] = (min(low, record.offset), max(high, record.offset))
        spans = " OR ".join(
            f"(log_partition = {partition} AND log_offset BETWEEN {low} AND {high})"
            for partition, (low, high) in ranges.items()
        )
        identity, of_month, sent = "log_partition, log_offset", "", len(records)
        if target.by_month:
            identity, of_month = f"{identity}, log_position", f" AND month = {month}"
            hours = (hour for record in records for hour in hours_of(record.value or b""))
            sent = sum(month_of(hour) == month for hour in hours)
        (row,) = self._store.query(
            f"SELECT uniqExact({identity}) AS held FROM {target.table}"
            f" WHERE log_epoch = {{epoch:UInt64}}{of_month} AND ({spans})",
            {"epoch": self._epoch},
        )
        return sent - int(row["held"])


class _Unfolded(msgspec.Struct, gc=False):
    """Of a record, the arrays that become several rows of a table."""

    entries: tuple[msgspec.Raw, ...] = ()
    sources: tuple[msgspec.Raw, ...] = ()


_unfold: Final = msgspec.json.Decoder(_Unfolded).decode


def rows_of(target: Target, value: bytes | None, month: int | None = None) -> int:
    """Return how many rows of a table a record becomes, those of one month where one is given."""
    if value is None:
        return 0
    if not target.unfold:
        return 1
    try:
        if target.by_month and month is not None:
            return sum(month_of(hour) == month for hour in hours_of(value))
        return len(getattr(_unfold(value), target.unfold))
    except msgspec.DecodeError:
        return 0  # the store refuses it


def rows_by_table(records: Iterable[Record]) -> Counter[str]:
    """Return how many rows records become, by table."""
    found: Counter[str] = Counter()
    for record in records:
        for target in SOURCES[record.topic].targets:
            found[target.table] += rows_of(target, record.value)
    return found


def _by_month(records: list[Record], written: Written) -> dict[int, list[Record]]:
    """Sort ledger records by the months of their entries; one of two months is in both."""
    groups: dict[int, list[Record]] = {}
    hours = written.hours
    for record in records:
        value = record[5]
        assert value is not None
        try:
            touched = hours_of(value)
        except (msgspec.DecodeError, RecursionError, OverflowError) as error:
            written.refuse(record, f"ledger: {error}")
            continue
        hours.update(touched)
        written.rows["ledger"] += len(touched)
        for month in set(map(month_of, touched)):
            groups.setdefault(month, []).append(record)
    return groups
