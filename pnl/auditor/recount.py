"""Counts what lies in the log and holds it against the batch records, one partition number each.

Law: of every batch, the entries in the ledger less those its record counts come to nothing, in
rows and in minor units; input offsets join from record to record; each fact has its entries once
and each dead record its letter once, within its batch. Memory holds what is not yet even, no more.

A commit becomes visible in each partition by itself, so what is uneven is given `grace` first.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pnl.auditor.findings import Found
from pnl.auditor.letters import Letters
from pnl.auditor.ranges import Ranges, epoch_of
from processors.results import Amendment, BatchRecord, BatchSource, LedgerRecord
from streams.dead_letters import DeadLetter
from streams.facts import Millis
from streams.topics import BATCHES, LEDGER

PENDING_MAX: Final = 10_000
"""How much may be uneven at once before it is reported without waiting."""


@dataclass(slots=True)
class _Balance:
    """What the ledger holds of a batch beyond its record; even when both numbers are zero."""

    since: Millis
    rows: int = 0
    sum_minor: int = 0
    recorded_at: int | None = None
    first: int | None = None
    last: int = -1
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    causes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_even(self) -> bool:
        return self.rows == 0 and self.sum_minor == 0

    def outside(self) -> str | None:
        """Return the topic whose causes do not lie in the batch's ranges, if there is one."""
        if self.recorded_at is None:
            return None  # a repair accounts for it
        for topic, (low, high) in self.causes.items():
            start, end = self.ranges.get(topic, (0, 0))
            if not start <= low <= high < end:
                return topic
        return None


@dataclass(frozen=True, slots=True)
class Uneven:
    """What the ledger holds of a batch beyond its record; the input ranges the record names."""

    rows: int
    sum_minor: int
    ranges: dict[str, tuple[int, int]]


@dataclass(slots=True)
class _Run:
    """Facts whose entries stand in the ledger once more: `[start, end)` of an input topic."""

    topic: str
    start: int
    end: int
    first: int
    last: int
    left: int = 1


@dataclass(slots=True)
class Shortage:
    """A range of input offsets that has more offsets than dispositions.

    That is right where a log leaves offsets without a record, as Kafka does: the records tell.
    """

    topic: str
    start: int
    end: int
    records: int
    recorded_at: int


class Recount:
    """The count of one partition number. What is fed goes up in offsets, topic by topic.

    `amended` tells what repairs found of a batch, `is_void` which batch records never happened,
    `is_void_letter` which dead letters are a second one.
    """

    def __init__(
        self,
        partition: int,
        grace_ms: int,
        amended: Callable[[str], Amendment | None] = lambda _: None,
        is_void: Callable[[int], bool] = lambda _: False,
        is_void_letter: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._partition = partition
        self._grace_ms = grace_ms
        self._amended = amended
        self._is_void = is_void
        self._balances: dict[str, _Balance] = {}
        self._owing: dict[str, None] = {}
        self.ranges = Ranges(partition)
        self._causes: dict[tuple[str, str], int] = {}
        self._runs: list[_Run] = []
        self._reversed: set[tuple[str, str, int]] = set()
        self._strays: dict[str, tuple[int, int, Millis]] = {}
        self._found: list[Found] = []
        self.shortages: list[Shortage] = []
        self.letters = Letters(partition, is_void_letter)
        self.state_hash: int | None = None
        self.batches = self.entries = 0
        self.dispositions: Counter[str] = Counter()

    # --- what is fed

    def take_batch(self, offset: int, record: BatchRecord, now: Millis) -> None:
        """Take a batch record over."""
        if self._is_void(offset):
            return
        self.batches += 1
        self.state_hash = record.state_hash
        for source in record.sources:
            self._dispositions_of(offset, source)
            self.ranges.join(record.batch_id, offset, source)
            self.letters.expect(source, now)
        if record.out_rows or record.out_sum_minor:
            balance = self._balance(record.batch_id, now)
            balance.rows -= record.out_rows
            balance.sum_minor -= record.out_sum_minor
            balance.recorded_at = offset
            balance.ranges |= {
                source.topic: (source.start, source.end) for source in record.sources
            }
            self._weigh(record.batch_id, balance)

    def take_entries(self, offset: int, record: LedgerRecord, now: Millis) -> None:
        """Take the entries of one fact over."""
        self._pass_over(record.batch_id)
        balance = self._balance(record.batch_id, now)
        of_orders: dict[tuple[str, str], int] = {}
        for entry in record.entries:
            balance.rows += 1
            balance.sum_minor += entry.amount_minor
            if entry.order_id and entry.line != "B":
                key = entry.order_id, entry.currency
                of_orders[key] = of_orders.get(key, 0) + entry.amount_minor
        self.entries += len(record.entries)
        for (order_id, currency), total in of_orders.items():
            if total:
                self._tell(
                    "R1",
                    f"{LEDGER}/{self._partition}@{offset}",
                    f"the entries of order {order_id} sum to {total} {currency}, not to zero",
                )
        if balance.first is None:
            balance.first = offset
        balance.last = offset
        cause = record.cause
        if record.repair == "doubled":
            self._repaired(epoch_of(record.batch_id), cause.topic, cause.offset)
        elif not record.repair and cause.fact != "configuration":  # whose cause is no record
            low, high = balance.causes.get(cause.topic, (cause.offset, cause.offset))
            balance.causes[cause.topic] = min(low, cause.offset), max(high, cause.offset)
            self._once(epoch_of(record.batch_id), cause.topic, cause.offset, offset)
        self._weigh(record.batch_id, balance)

    def take_letter(self, offset: int, letter: DeadLetter, now: Millis) -> None:
        """Take a dead letter over."""
        self.letters.take(offset, letter, now)

    def seed(self, records: list[BatchRecord], entries: list[LedgerRecord]) -> None:
        """Take over where input offsets and causes stood before what is fed next."""
        for record in records:
            for source in record.sources:
                self.ranges.seed(record.batch_id, source)
            self.state_hash = record.state_hash
        for entry in entries:
            epoch, cause = epoch_of(entry.batch_id), entry.cause
            if entry.repair == "doubled":
                self._repaired(epoch, cause.topic, cause.offset)
            elif not entry.repair and cause.fact != "configuration":
                if (epoch, cause.topic, cause.offset) in self._reversed:
                    self._reversed.discard((epoch, cause.topic, cause.offset))
                last = self._causes.get((epoch, cause.topic), -1)
                self._causes[epoch, cause.topic] = max(cause.offset, last)

    # --- what is asked

    @property
    def owes(self) -> bool:
        """Whether entries were recorded that may still come."""
        return bool(self._owing)

    @property
    def is_even(self) -> bool:
        """Whether all that was fed adds up: a good place to go on from."""
        return not (
            self._balances
            or self.letters.odd
            or self.ranges.gaps
            or self.ranges.found
            or self._runs
            or self._found
            or self.shortages
        )

    @property
    def is_settled(self) -> bool:
        """Whether all adds up, and journeys have committed what the batches account for."""
        return self.is_even and not self._strays

    def uneven(self) -> dict[str, Uneven]:
        """Return, by batch, what does not add up of those fed so far."""
        return {
            batch_id: Uneven(balance.rows, balance.sum_minor, dict(balance.ranges))
            for batch_id, balance in self._balances.items()
        }

    def doubled(self) -> list[tuple[str, int, int]]:
        """Return the input ranges (topic, start, end) of facts that have their entries twice."""
        return [(run.topic, run.start, run.end) for run in self._runs]

    def uneven_ms(self, now: Millis) -> int:
        """Return how long the oldest of what does not add up has been so."""
        oldest = [balance.since for balance in self._balances.values()]
        oldest += [odd.since for odd in self.letters.odd.values()]
        return max((now - since for since in oldest), default=0)

    def found(self, now: Millis, *, read_all: bool) -> list[Found]:
        """Return what is found since the last call.

        `read_all`: there was nothing more to feed, so what is uneven for longer than the grace
        will not come any more.
        """
        if len(self._balances) + len(self.letters.odd) > PENDING_MAX:
            self._settle(now, 0)
        elif read_all:
            self._settle(now, self._grace_ms)
        found = self._found + self.ranges.found
        self._found, self.ranges.found = [], []
        return found

    def compare_committed(
        self, ends: Mapping[str, int], at: Mapping[str, int], now: Millis
    ) -> None:
        """Hold the offsets that journeys have committed against those that batches account for.

        To be called when there was nothing more to feed.
        """
        for topic, end in ends.items():
            stray = self._strays.pop(topic, None)
            if at[topic] == end:
                continue
            since = stray[2] if stray is not None and stray[:2] == (at[topic], end) else now
            self._strays[topic] = at[topic], end, since
            if now - since >= self._grace_ms:
                self._tell(
                    "A1",
                    f"{topic}/{self._partition}@{min(at[topic], end)}",
                    f"journeys committed offset {at[topic]}, the batches account for {end}",
                )

    # --- how

    def _balance(self, batch_id: str, now: Millis) -> _Balance:
        balance = self._balances.get(batch_id)
        if balance is None:
            balance = self._balances[batch_id] = _Balance(now)
            amendment = self._amended(batch_id)
            if amendment is not None:
                balance.rows -= amendment.rows
                balance.sum_minor -= amendment.sum_minor
        return balance

    def _pass_over(self, batch_id: str) -> None:
        """Expect nothing more of the batches before this one: they lie in the same order."""
        for owing in list(self._owing):
            if owing == batch_id:
                return
            del self._owing[owing]

    def _weigh(self, batch_id: str, balance: _Balance) -> None:
        if balance.rows < 0:
            self._owing[batch_id] = None
            return
        self._owing.pop(batch_id, None)
        if balance.is_even:
            del self._balances[batch_id]
            topic = balance.outside()
            if topic is not None:
                low, high = balance.causes[topic]
                self._tell(
                    "A1",
                    f"batch {batch_id}, {LEDGER}/{self._partition}@{balance.first}",
                    f"it has entries caused by {topic}@{low} to @{high}, but read"
                    f" {balance.ranges.get(topic, 'nothing')} of it",
                )

    def _dispositions_of(self, offset: int, source: BatchSource) -> None:
        counts = {
            "applied": source.applied,
            "duplicate": source.duplicate,
            "late": source.late,
            "dead": source.dead,
        }
        self.dispositions.update(counts)
        span, records = source.end - source.start, sum(counts.values())
        excepted: Counter[str] = Counter()
        for exception in source.exceptions:
            excepted[exception.disposition] += exception.end - exception.start
        told = {name: count for name, count in counts.items() if name != "applied" and count}
        if dict(excepted) != told or records > span or min(counts.values()) < 0:
            self._tell(
                "R3",
                f"{BATCHES}/{self._partition}@{offset}",
                f"{source.topic} [{source.start}, {source.end}): {counts}, but listed"
                f" {dict(excepted)}",
            )
        elif records < span:
            self.shortages.append(Shortage(source.topic, source.start, source.end, records, offset))

    def _once(self, epoch: str, topic: str, cause: int, offset: int) -> None:
        """Note a cause again: journeys go through a partition in order, each fact once."""
        key = epoch, topic
        if cause > self._causes.get(key, -1):
            self._causes[key] = cause
            return
        if (epoch, topic, cause) in self._reversed:
            self._reversed.discard((epoch, topic, cause))
            return
        last = next((run for run in reversed(self._runs) if run.topic == topic), None)
        if last is not None and cause >= last.end:
            last.end, last.last = cause + 1, offset
            last.left += 1
        else:
            self._runs.append(_Run(topic, cause, cause + 1, offset, offset))

    def _repaired(self, epoch: str, topic: str, cause: int) -> None:
        """Take note that a fact's entries were taken back: it may have its entries once more."""
        for run in self._runs:
            if run.topic == topic and run.start <= cause < run.end:
                run.left -= 1
                if not run.left:
                    self._runs.remove(run)
                return
        self._reversed.add((epoch, topic, cause))

    def _settle(self, now: Millis, grace_ms: int) -> None:
        aged = {
            batch_id: balance
            for batch_id, balance in self._balances.items()
            if now - balance.since >= grace_ms
        }
        for batch_id, balance in aged.items():
            del self._balances[batch_id]
            self._owing.pop(batch_id, None)
            self._tell("A1", f"batch {batch_id}", self._uneven(balance))
        self.ranges.settle()
        for run in self._runs:
            self._tell(
                "A1",
                f"{run.topic}/{self._partition} [{run.start}, {run.end})",
                f"{run.left} of these facts have their entries a second time, at"
                f" {LEDGER}/{self._partition}@{run.first} to @{run.last}",
            )
        self._runs.clear()
        self._found += self.letters.settle(now, grace_ms)

    def _uneven(self, balance: _Balance) -> str:
        where = f"{LEDGER}/{self._partition}"
        lies = "no entries" if balance.first is None else f"@{balance.first} to @{balance.last}"
        recorded = (
            "no batch record was found"
            if balance.recorded_at is None
            else f"recorded at {BATCHES}/{self._partition}@{balance.recorded_at}"
        )
        return (
            f"{where} holds {balance.rows:+d} entries and {balance.sum_minor:+d} minor units beyond"
            f" its record ({lies}); {recorded}"
        )

    def _tell(self, law: str, subject: str, detail: str) -> None:
        self._found.append(Found(law, subject, detail))
