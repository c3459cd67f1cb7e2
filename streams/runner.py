"""The loop: poll, decode, process, one transaction, then make the new state the state.

Law: outputs, state, the account of the batch and the input's next offsets are committed together
or not at all; and every input offset ends as exactly one of applied, duplicate, late, dead. What
was processed and not committed is dropped, and polled again.

The runner is handed protocols and names no processor. Errors are instructions: `Busy` rewinds
and is raised for the caller to wait and call again; anything else ends the process with nothing
written. An error of the processing is ours: it is never taken for a bad record.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from streams.codec import decode
from streams.dead_letters import dead_letter
from streams.facts import Fact, Millis, event_time_of
from streams.failpoints import failpoint
from streams.invalid import Invalid
from streams.log import Consumer, Outgoing, Record, StateReader, TopicPartition
from streams.topics import DEAD_LETTERS

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

    def count(self, disposition: Disposition, offset: int) -> None:
        """Account for one offset; those passed over since the last one hold no record."""
        self.counts[disposition] += 1
        self.end = offset + 1
        if disposition == "applied":
            return
        last = self.exceptions[-1] if self.exceptions else None
        if last is not None and last[0] == disposition and last[2] == offset:
            self.exceptions[-1] = (disposition, last[1], offset + 1)
        else:
            self.exceptions.append((disposition, offset, offset + 1))


@dataclass(slots=True)
class Account:
    """What a batch read in one partition number."""

    batch_id: str
    partition: int
    sources: dict[str, Source]
    event_time_max: Millis | None = None
    logged_at_max: Millis = 0


class Handler(Protocol):
    """The processing behind the runner: pure logic and its state, for one open batch at a time."""

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from; nothing read before is valid."""
        ...

    def prepare(self, records: Sequence[Record]) -> None:
        """Read the state that the records of a batch may need."""
        ...

    def apply(self, record: Record, fact: Fact, batch_id: str) -> Done:
        """Process one fact, holding its outputs and its changes of state."""
        ...

    def outputs(self, account: Account) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return the batch's outputs of a partition number by topic, its batch record last."""
        ...

    def changes(self, partition: int) -> list[tuple[bytes, bytes | None]]:
        """Return what the batch changed in a partition's state."""
        ...

    def promote(self) -> None:
        """Make the changes of the batch the state: it is committed."""
        ...

    def drop(self) -> None:
        """Forget the outputs and changes of the batch: it is lost."""
        ...


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
        self._next = consumer.committed()
        handler.open(consumer.state)

    def step(self, wait: timedelta) -> int:
        """Process one batch; return how many records it held, 0 if none came within `wait`.

        Raises Busy when the log stayed locked (call again later), Fenced when another owner took
        over (end).
        """
        try:
            records = self._consumer.poll(self._records_max, wait)
            if records:
                self._batch(records)
        except BaseException:
            self._handler.drop()
            self._consumer.rewind()
            raise
        return len(records)

    def _batch(self, records: Sequence[Record]) -> None:
        self._handler.prepare(records)
        accounts: dict[int, Account] = {}
        dead: dict[int, list[Outgoing]] = {}
        for record in records:
            account = accounts.get(record.partition)
            if account is None:
                account = accounts[record.partition] = self._open(record.partition)
            source = account.sources.get(record.topic)
            if source is None:
                start = self._next[TopicPartition(record.topic, record.partition)]
                source = account.sources[record.topic] = Source(
                    record.topic, record.partition, start, start
                )
            done = self._record(record, account)
            source.count(done.disposition, record.offset)
            account.logged_at_max = max(account.logged_at_max, record.logged_at)
            if done.disposition == "dead":
                invalid = Invalid(done.reason, done.detail)
                value = dead_letter(record, self._epoch, invalid, self._code_version)
                key = f"{record.topic}-{record.partition}-{record.offset}".encode()
                dead.setdefault(record.partition, []).append(Outgoing(key, value))
        failpoint("W1")
        offsets = {
            TopicPartition(source.topic, source.partition): source.end
            for account in accounts.values()
            for source in account.sources.values()
        }
        with self._consumer.transaction() as tx:
            for partition, account in accounts.items():
                if partition in dead:
                    tx.produce(DEAD_LETTERS, partition, dead[partition])
                for topic, outgoing in self._handler.outputs(account):
                    if outgoing:
                        tx.produce(topic, partition, outgoing)
                failpoint("W3")
                tx.put_state(partition, self._handler.changes(partition))
            tx.commit_offsets(offsets)
            failpoint("W6")
        failpoint("W8")
        self._next.update(offsets)
        self._handler.promote()

    def _open(self, partition: int) -> Account:
        """Begin a partition's account; its id is unique because offsets only grow."""
        passed = sum(at for where, at in self._next.items() if where.partition == partition)
        return Account(f"{self._epoch}-{partition}-{passed}", partition, {})

    def _record(self, record: Record, account: Account) -> Done:
        fact = decode(record.topic, record.key, record.value, record.logged_at)
        if isinstance(fact, Invalid):
            return Done("dead", fact.reason, fact.detail)
        done = self._handler.apply(record, fact, account.batch_id)
        # A superseded revision counts too, or *as of* would tell in which order the two came.
        if done.disposition != "dead":
            at = event_time_of(fact)
            if account.event_time_max is None or at > account.event_time_max:
                account.event_time_max = at
        return done
