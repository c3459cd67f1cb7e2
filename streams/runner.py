"""The loop: poll, decode, process, one transaction, then make the new state the state.

Law: outputs, state, the account of the batch and the input's next offsets are committed together
or not at all; and every input offset ends as exactly one of applied, duplicate, late, dead. What
was processed and not committed is dropped, and polled again.

The runner is handed protocols and names no processor: decoding is the handler's, and a batch of
one partition at a time passes between them, so the loop costs next to nothing per record.

Errors are instructions: `Busy` rewinds and is raised for the caller to wait and call again;
anything else ends the process with nothing written. An error of the processing is ours: it is
never taken for a bad record.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from streams.clock import Stopwatch
from streams.dead_letters import dead_letter
from streams.facts import Millis
from streams.failpoints import failpoint
from streams.invalid import Invalid
from streams.log import Consumer, Outgoing, Record, StateReader, TopicPartition, Transaction
from streams.topics import DEAD_LETTERS, SINGLE

Disposition: TypeAlias = Literal["applied", "duplicate", "late", "dead"]
DISPOSITIONS: Final[tuple[Disposition, ...]] = ("applied", "duplicate", "late", "dead")


class Done(msgspec.Struct, frozen=True, gc=False):
    """How a fact ended; `dead` says why in a reason code and a detail."""

    disposition: Disposition
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class Source:
    """How the offsets `[start, end)` of one input partition ended.

    `exceptions` lists those that were not applied, as (disposition, start, end).
    """

    topic: str
    partition: int
    start: int
    end: int
    counts: dict[Disposition, int] = field(default_factory=lambda: dict.fromkeys(DISPOSITIONS, 0))
    exceptions: list[tuple[Disposition, int, int]] = field(default_factory=list)

    def except_for(self, disposition: Disposition, offset: int) -> None:
        """Account for an offset that was counted as applied and was not."""
        self.counts["applied"] -= 1
        self.counts[disposition] += 1
        last = self.exceptions[-1] if self.exceptions else None
        if last is not None and last[0] == disposition and last[2] == offset:
            self.exceptions[-1] = (disposition, last[1], offset + 1)
        else:
            self.exceptions.append((disposition, offset, offset + 1))


@dataclass(slots=True)
class Account:
    """What a batch read in one partition number.

    `logged_at_max` is the log's time of the newest record read; `state_hash` that of the
    partition's state after the batch, None where it cannot come apart from the log.
    """

    batch_id: str
    partition: int
    sources: dict[str, Source]
    logged_at_max: int
    state_hash: int | None = None


class Handler(Protocol):
    """The processing behind the runner: its logic and its state, for one open batch at a time."""

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from; nothing read before is valid."""
        ...

    def process(
        self, partition: int, records: Sequence[Record], batch_id: str
    ) -> Sequence[tuple[int, Done]]:
        """Process a batch of one partition number, holding its outputs and changes of state.

        Returns (index of the record, how it ended) of those that were not applied, in order.
        """
        ...

    def outputs(self, partition: int) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return the outputs of the batch in a partition number, by topic."""
        ...

    def changes(self, partition: int) -> list[tuple[bytes, bytes | None]]:
        """Return what the batch changed in a partition's state."""
        ...

    def records_of(self, account: Account) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return what tells readers of the batch itself: its batch record."""
        ...

    def promote(self) -> None:
        """Make the changes of the batch the state: it is committed."""
        ...

    def drop(self) -> None:
        """Forget the outputs and changes of the batch: it is lost."""
        ...


class TickingHandler(Handler, Protocol):
    """A handler that also does what only time brings about."""

    def tick(self, partition: int, now: Millis) -> bool:
        """Hold outputs and changes of a partition number; say whether there are any."""
        ...


_TOPIC: Final = itemgetter(0)
_LOGGED_AT: Final = itemgetter(3)


class Runner:
    """Runs a handler over a consumer, a batch at a time."""

    def __init__(
        self,
        consumer: Consumer,
        handler: Handler,
        *,
        epoch: int,
        code_version: str,
        records_max: int = 10_000,
    ) -> None:
        self._consumer = consumer
        self._handler = handler
        self._epoch = epoch
        self._code_version = code_version
        self._records_max = records_max
        self._begin()

    def step(self, wait: timedelta) -> int:
        """Process one batch; return how many records it held, 0 if none came within `wait`.

        Raises Busy when nothing could be committed now (call again later); Fenced, LogDamaged,
        LogFailed end the process.
        """
        failpoint("W0")
        try:
            records = self._consumer.poll(self._records_max, wait)
            if self._consumer.assignment != self._assignment:
                self._begin()
            if records:
                self._batch(records)
        except BaseException:
            self._handler.drop()
            self._consumer.rewind()
            raise
        return len(records)

    def tick(self, handler: TickingHandler, now: Millis) -> None:
        """Let the handler, which is ours, do what is due; each tick is a transaction.

        Raises as `step` does.
        """
        try:
            due = [
                number
                for number in sorted({place.partition for place in self._next})
                if handler.tick(number, now)
            ]
            if due:
                with self._consumer.transaction() as tx:
                    for partition in due:
                        for topic, outgoing in handler.outputs(partition):
                            tx.produce(topic, partition, outgoing)
                        tx.put_state(partition, handler.changes(partition))
                handler.promote()
        except BaseException:
            handler.drop()
            self._consumer.rewind()
            raise

    def tell_quiet(self, now: Millis, after: timedelta) -> None:
        """Account for the partition numbers that had no batch for so long: there was nothing.

        Each has a batch without records, of the log's time `now`, and its offsets are committed
        again, which a log that forgets groups may need. Raises as `step` does.
        """
        quiet = [number for number, since in self._since.items() if since.elapsed() >= after]
        if not quiet:
            return
        accounts = [
            Account(f"{self._batch_id(number)}-quiet-{now}", number, {}, now) for number in quiet
        ]
        try:
            for account in accounts:
                self._handler.process(account.partition, (), account.batch_id)
            kept = {at: to for at, to in self._next.items() if at.partition in quiet}
            self._commit(accounts, {}, kept)
        except BaseException:
            self._handler.drop()
            self._consumer.rewind()
            raise

    def _begin(self) -> None:
        """Take over what is owned now: the state is read anew."""
        self._assignment = self._consumer.assignment
        self._next = self._consumer.committed()
        self._since = {place.partition: Stopwatch() for place in self._next}
        self._handler.open(self._consumer.state)

    def _batch(self, records: Sequence[Record]) -> None:
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            partition = record[1]
            if partition in by_partition:
                by_partition[partition].append(record)
            else:
                by_partition[partition] = [record]
        accounts: list[Account] = []
        dead: dict[int, list[Outgoing]] = {}
        for partition, part in by_partition.items():
            account = self._account(partition, part)
            for index, done in self._handler.process(partition, part, account.batch_id):
                record = part[index]
                account.sources[record.topic].except_for(done.disposition, record.offset)
                if done.disposition == "dead":
                    dead.setdefault(partition, []).append(self._letter(record, done))
            accounts.append(account)
            failpoint("W2")
        offsets = {
            TopicPartition(source.topic, source.partition): source.end
            for account in accounts
            for source in account.sources.values()
        }
        self._commit(accounts, dead, offsets)

    def _commit(
        self,
        accounts: Sequence[Account],
        dead: Mapping[int, Sequence[Outgoing]],
        offsets: Mapping[TopicPartition, int],
    ) -> None:
        failpoint("W1")
        with self._consumer.transaction() as tx:
            for account in accounts:
                self._write(tx, account, dead.get(account.partition, ()))
            tx.commit_offsets(offsets)
            failpoint("W4")
        failpoint("W8")
        self._next.update(offsets)
        self._handler.promote()
        for account in accounts:
            self._since[account.partition] = Stopwatch()

    def _write(self, tx: Transaction, account: Account, letters: Sequence[Outgoing]) -> None:
        partition = account.partition
        if letters:
            tx.produce(DEAD_LETTERS, partition, letters)
            failpoint("W12")
        for topic, outgoing in self._handler.outputs(partition):
            tx.produce(topic, 0 if topic in SINGLE else partition, outgoing)
        failpoint("W3")
        account.state_hash = tx.put_state(partition, self._handler.changes(partition))
        for topic, outgoing in self._handler.records_of(account):
            tx.produce(topic, partition, outgoing)

    def _batch_id(self, partition: int) -> str:
        """Return the id of the next batch, which is unique: offsets only grow."""
        passed = sum(at for where, at in self._next.items() if where.partition == partition)
        return f"{self._epoch}-{partition}-{passed}"

    def _account(self, partition: int, records: Sequence[Record]) -> Account:
        """Open a batch's account as if all were applied."""
        sources: dict[str, Source] = {}
        ends = {record[0]: record[2] + 1 for record in records}
        for topic, count in Counter(map(_TOPIC, records)).items():
            # Offsets passed over since the last batch hold no record.
            start = self._next[TopicPartition(topic, partition)]
            source = sources[topic] = Source(topic, partition, start, ends[topic])
            source.counts["applied"] = count
        logged_at_max = max(map(_LOGGED_AT, records))
        return Account(self._batch_id(partition), partition, sources, logged_at_max)

    def _letter(self, record: Record, done: Done) -> Outgoing:
        invalid = Invalid(done.reason, done.detail)
        value = dead_letter(record, self._epoch, invalid, self._code_version)
        return Outgoing(f"{record.topic}-{record.partition}-{record.offset}".encode(), value)
