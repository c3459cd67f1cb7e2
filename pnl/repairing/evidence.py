"""Finds out what a torn batch left in one partition number, reading the log and nothing else.

Law: what was done again counts, what it was done again for does not: of batch records over one
range, and of entries of one fact, the last stands. What lies at or after the committed offsets
never happened: it is still to be done.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pnl.auditor.notices import Notices
from pnl.auditor.partition import PartitionAudit, decode_batch, decode_ledger
from pnl.auditor.recount import Uneven
from processors.results import Amendment, BatchRecord, LedgerRecord
from streams.log import EventLog, Record
from streams.topics import BATCHES, INPUT_NAMES, LEDGER

_READ: Final = 1_000
_UNDECIDED_MAX: Final = 10_000
"""How many batches back a batch may be that is done again."""
Range = tuple[str, int, int]
"""An input topic and offsets `[start, end)` of it."""


@dataclass(slots=True)
class Evidence:
    """What is wrong in a partition number.

    `voids`: offsets of batch records that never happened. `gaps`: input ranges that no batch
    accounts for. `extras`: ledger records that stand twice. `uneven`: what the ledger holds of
    batches beyond what their records count. `letterless`: dead records (topic, offset) without a
    letter; `second_letters`: offsets of letters.
    """

    voids: list[int] = field(default_factory=list)
    gaps: list[Range] = field(default_factory=list)
    extras: dict[int, LedgerRecord] = field(default_factory=dict)
    uneven: dict[str, Uneven] = field(default_factory=dict)
    letterless: list[tuple[str, int]] = field(default_factory=list)
    second_letters: list[int] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (
            self.voids
            or self.gaps
            or self.extras
            or self.uneven
            or self.letterless
            or self.second_letters
        )

    def suspects(self) -> list[Range]:
        """Return the input ranges of batches that lack entries, or hold others than they should."""
        left = {batch_id: (each.rows, each.sum_minor) for batch_id, each in self.uneven.items()}
        for record in self.extras.values():
            rows, minor = left.get(record.batch_id, (0, 0))
            left[record.batch_id] = (
                rows - len(record.entries),
                minor - sum(entry.amount_minor for entry in record.entries),
            )
        return [
            (topic, start, end)
            for batch_id, rest in left.items()
            if rest != (0, 0) and batch_id in self.uneven
            for topic, (start, end) in self.uneven[batch_id].ranges.items()
        ]

    def shortfall_minor(self) -> int:
        """Return the minor units that the ledger lacks once what stands twice is taken back."""
        extra = sum(e.amount_minor for record in self.extras.values() for e in record.entries)
        return extra - sum(each.sum_minor for each in self.uneven.values())


class _Also:
    """The notices, and what is about to become one."""

    def __init__(self, notices: Notices, voids: list[int]) -> None:
        self._notices = notices
        self._voids = frozenset(voids)

    def amended(self, batch_id: str) -> Amendment | None:
        """Return what repairs found of a batch."""
        return self._notices.amended(batch_id)

    def is_void(self, partition: int, offset: int) -> bool:
        """Say whether a batch record never happened."""
        return offset in self._voids or self._notices.is_void(partition, offset)

    def is_void_letter(self, partition: int, offset: int) -> bool:
        """Say whether a letter is a second one."""
        return self._notices.is_void_letter(partition, offset)


def evidence_of(
    log: EventLog, partition: int, committed: Mapping[str, int], notices: Notices
) -> Evidence:
    """Return what is wrong. `committed` are journeys' next offsets by topic; they must rest."""
    found = Evidence()
    accounts = _Accounts(log, partition, committed)
    for record in records_of(log, BATCHES, partition):
        if record.value is not None and not notices.is_void(partition, record.offset):
            accounts.take(record.offset, decode_batch(record.value))
    found.voids, found.gaps = accounts.closed()
    audit = PartitionAudit(log, partition, {}, _Also(notices, found.voids), 0)
    while audit.advance(0):
        pass
    found.uneven = audit.recount.uneven()
    letters = audit.recount.letters.odd
    found.letterless = sorted(place for place, odd in letters.items() if odd.letters < 0)
    found.second_letters = [
        odd.at
        for (topic, at), odd in letters.items()
        if odd.letters > (1 if _is_in(found.gaps, topic, at) else 0)
    ]
    found.extras = _extras(log, partition, committed, audit.recount.doubled())
    return found


def records_of(log: EventLog, topic: str, partition: int) -> Iterator[Record]:
    """Yield all records of a partition that are kept."""
    at = log.start_offsets(topic).get(partition, 0)
    while records := log.read(topic, partition, at, _READ):
        yield from records
        at = records[-1].offset + 1


class _Accounts:
    """Goes through the batch records in order and keeps those that stand."""

    def __init__(self, log: EventLog, partition: int, committed: Mapping[str, int]) -> None:
        self._log = log
        self._partition = partition
        self._committed = committed
        self._standing: deque[tuple[int, BatchRecord]] = deque()
        self._ends: dict[str, int] = {}
        self._voids: list[int] = []
        self._gaps: list[Range] = []

    def take(self, offset: int, record: BatchRecord) -> None:
        """Take a record over: what it does again was void."""
        if record.batch_id.partition("-")[0] != str(self._log.epoch):
            return
        if any(each.end > self._committed.get(each.topic, 0) for each in record.sources):
            self._voids.append(offset)
            return
        while self._standing and _overlap(self._standing[-1][1], record):
            self._voids.append(self._standing.pop()[0])
        self._standing.append((offset, record))
        if len(self._standing) > _UNDECIDED_MAX:
            self._join(self._standing.popleft()[1])

    def closed(self) -> tuple[list[int], list[Range]]:
        """Return the offsets of void records, and the ranges that none accounts for."""
        for _, record in self._standing:
            self._join(record)
        for topic in INPUT_NAMES:
            at = self._committed.get(topic, 0)
            start = self._log.start_offsets(topic).get(self._partition, 0)
            end = self._ends.get(topic, start)
            if at > end:
                self._gaps.append((topic, end, at))
        return sorted(self._voids), self._gaps

    def _join(self, record: BatchRecord) -> None:
        for source in record.sources:
            end = self._ends.get(source.topic)
            if end is not None and source.start < end:
                self._fill(source.topic, source.start, source.end)  # by a former repair
                continue
            if end is not None and source.start > end:
                self._gaps.append((source.topic, end, source.start))
            self._ends[source.topic] = source.end

    def _fill(self, topic: str, start: int, end: int) -> None:
        self._gaps = [
            gap for gap in self._gaps if not (gap[0] == topic and start <= gap[1] and gap[2] <= end)
        ]


def _is_in(ranges: list[Range], topic: str, at: int) -> bool:
    return any(topic == name and start <= at < end for name, start, end in ranges)


def _overlap(one: BatchRecord, other: BatchRecord) -> bool:
    ranges = {each.topic: (each.start, each.end) for each in one.sources}
    return any(
        max(each.start, ranges[each.topic][0]) < min(each.end, ranges[each.topic][1])
        for each in other.sources
        if each.topic in ranges
    )


def _extras(
    log: EventLog, partition: int, committed: Mapping[str, int], doubled: list[Range]
) -> dict[int, LedgerRecord]:
    """Return the ledger records, by offset, that are to be taken back and were not yet."""
    standing: dict[tuple[str, int], list[tuple[int, LedgerRecord]]] = {}
    taken: Counter[tuple[str, int]] = Counter()
    epoch = str(log.epoch)
    for record in records_of(log, LEDGER, partition):
        if record.value is None:
            continue
        entries = decode_ledger(record.value)
        topic, at = entries.cause.topic, entries.cause.offset
        if entries.batch_id.partition("-")[0] != epoch:
            continue
        if at < committed.get(topic, 0) and not _is_in(doubled, topic, at):
            continue
        if entries.repair == "doubled":
            taken[topic, at] += 1
        elif not entries.repair:
            standing.setdefault((topic, at), []).append((record.offset, entries))
    extras: dict[int, LedgerRecord] = {}
    for (topic, at), found in standing.items():
        rightful = 1 if at < committed.get(topic, 0) else 0
        last = len(found) - rightful
        extras.update(found[min(taken[topic, at], last) : last])
    return dict(sorted(extras.items()))
