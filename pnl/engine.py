"""Journeys behind the runner: customers decoded while they are hot, results as records.

Law: a customer in memory equals the one that its committed state would decode to, or is thrown
away. So a batch that is lost takes every customer it touched out of memory.

State is read once per customer and written one item per fact, so an event costs the same however
long the journey is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from pnl.outputs import Outputs, encode
from pnl.restating.accepted import STREAM_TIME, Rules
from processors.customer import Customer
from processors.following import Follower, Unknown, Watch
from processors.items import key_of_item
from processors.journeys import Applied, Journeys, Recall
from processors.laws import Breach, breaches
from processors.policy import Policies, PolicyBook, book_of
from processors.results import BatchRecord, BatchSource, Exceptional
from processors.state_codec import decode_customer, prefix_of, revision_key, take_changes
from streams.codec import decode
from streams.facts import Fact, Millis, Period, event_time_of
from streams.invalid import Invalid
from streams.log import EventLog, Outgoing, Record, StateReader, shelf_of
from streams.runner import Account, Done, Runner
from streams.topics import BATCHES, INPUT_NAMES

if TYPE_CHECKING:
    from processors.live_churn import LiveModel

GROUP: Final = "journeys"
HOT_FACTS: Final = 500_000
"""About 1.1 GB: a fact takes 2.2 kB in a customer that is decoded."""

_SLICE: Final = 64
"""So many records are decoded, then applied, then encoded: each step's code, and what it hands to
the next, then stay in the processor's cache. Record by record it took a sixth more."""

_LOGGED_AT: Final = itemgetter(3)
_DONE: Final = {"duplicate": Done("duplicate"), "late": Done("late")}
_REFUSED: Final = Applied("dead")


class LawBroken(Exception):
    """What a fact gave contradicts a law: a bug. Nothing of its batch is written."""

    def __init__(self, breach: Breach, record: Record) -> None:
        where = f"{record.topic} partition {record.partition} offset {record.offset}"
        super().__init__(
            f"law {breach.law} broken for {breach.subject} at {where}: {breach.detail}"
        )
        self.law = breach.law


@dataclass(slots=True)
class _Batch:
    """What an open batch holds for one partition number; its customers by the key of a record."""

    outputs: Outputs
    customers: Mapping[bytes, Customer]
    recall: Recall
    stream_time: Millis | None
    logged_at_max: Millis
    changes: dict[bytes, bytes | None] = field(default_factory=dict)


class JourneysHandler:
    """The runner's handler. Customers of at most about `hot_facts` facts stay decoded.

    They are counted in facts, which is what memory goes by: some customers have thousands.
    `risk` is the model that says who may not buy again; without one nobody has a risk.
    """

    def __init__(
        self,
        policies: Policies,
        *,
        code_version: str,
        hot_facts: int = HOT_FACTS,
        risk: "LiveModel | None" = None,
    ) -> None:
        book = book_of(policies)
        self._journeys = Journeys(book)
        self._book = book
        self._follower = Follower(_watch(book, risk))
        self._rules = Rules(book)
        self._policy = book.version
        self._code_version = code_version
        self._young_max = max(1, hot_facts // 2)
        self._young_facts = 0
        self._young: dict[int, dict[str, Customer]] = {}
        self._old: dict[int, dict[str, Customer]] = {}
        self._stream_time: dict[int, Millis | None] = {}
        self._open: dict[int, _Batch] = {}

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from."""
        self._state = state
        self._rules.open(state)
        self._young.clear()
        self._young_facts = 0
        self._old.clear()
        self._stream_time.clear()
        self._open.clear()

    def use(self, risk: "LiveModel") -> None:
        """Say by another model who may not buy again, from the next batch on, as if started anew.

        For between two batches: the customers that are decoded may know what the former one said.
        """
        self._follower = Follower(_watch(self._book, risk))
        self._young.clear()
        self._old.clear()
        self._young_facts = 0

    def assert_accepted(self, partition: int) -> None:
        """Raise ConfigurationRefused unless a partition may be booked by our rules."""
        self._rules.assert_accepted(partition)

    def process(
        self, partition: int, records: Sequence[Record], batch_id: str
    ) -> Sequence[tuple[int, Done]]:
        """Decode and apply a batch of one partition; return what was not applied."""
        self._rules.assert_accepted(partition)
        batch = self._open[partition] = _Batch(
            Outputs(batch_id, self._policy),
            self._customers(partition, records),
            partial(self._recall, partition),
            self._load_stream_time(partition),
            max(map(_LOGGED_AT, records), default=0),
        )
        done: list[tuple[int, Done]] = []
        for start in range(0, len(records), _SLICE):
            done += self._slice(batch, start, records[start : start + _SLICE])
        return done

    def _slice(
        self, batch: _Batch, start: int, records: Sequence[Record]
    ) -> list[tuple[int, Done]]:
        """Decode some records, then apply them, then encode what they gave and changed."""
        done: list[tuple[int, Done]] = []
        facts = [decode(topic, key, value, at) for topic, _, _, at, key, value, _ in records]
        gave = [
            _REFUSED if isinstance(fact, Invalid) else self._apply(batch, record, fact)
            for record, fact in zip(records, facts, strict=True)
        ]
        for index, fact in enumerate(facts):
            applied = gave[index]
            if isinstance(fact, Invalid):
                done.append((start + index, Done("dead", fact.reason, fact.detail)))
                continue
            if applied.disposition == "dead":
                done.append((start + index, Done("dead", "conflict", applied.conflict)))
                continue
            if applied.disposition != "applied":
                done.append((start + index, _DONE[applied.disposition]))
            if applied.disposition != "duplicate":
                record = records[index]
                batch.outputs.add(record, fact, applied)
                assert record.key is not None
                batch.changes.update(take_changes(batch.customers[record.key]))
            # A superseded revision counts too, or *as of* would tell in which order the two came.
            at = event_time_of(fact)
            if isinstance(fact, Period):
                continue  # worked out from events, not one
            if batch.stream_time is None or at > batch.stream_time:
                batch.stream_time = at
        return done

    def _customers(self, partition: int, records: Sequence[Record]) -> dict[bytes, Customer]:
        """Return every customer of the records decoded, with one look at the state."""
        young = self._young.setdefault(partition, {})
        old = self._old.get(partition, {})
        customers: dict[bytes, Customer] = {}
        missing: dict[bytes, str] = {}
        for raw in dict.fromkeys([record[4] for record in records]):
            key = _text(raw)
            if raw is None or key is None:
                continue
            customer = young.get(key)
            if customer is not None:
                customers[raw] = customer
            elif key in old:
                customers[raw] = young[key] = old.pop(key)
                self._young_facts += customers[raw].facts
            else:
                missing[raw] = key
        found = self._state.load_each(partition, [prefix_of(key) for key in missing.values()])
        for (raw, key), rows in zip(missing.items(), found, strict=True):
            customers[raw] = young[key] = decode_customer(key, rows)
            self._young_facts += len(rows)
        self._young_facts += len(records)
        return customers

    def _apply(self, batch: _Batch, record: Record, fact: Fact) -> Applied:
        """Apply one fact to its customer; raises LawBroken."""
        assert record.key is not None
        customer = batch.customers[record.key]
        applied = self._journeys.apply(customer, fact, batch.recall, record.logged_at)
        broken = breaches(applied)
        if broken:
            raise LawBroken(broken[0], record)
        followed = self._follower.follow(customer, fact, applied, record.logged_at)
        batch.outputs.follow(record.key, applied, followed)
        return applied

    def _recall(self, partition: int, customer: Customer, fact: Fact) -> int | None:
        """Return the revision under which a fact was applied and forgotten; None if it was not."""
        which = key_of_item(fact)
        if which in customer.forgotten:
            return customer.forgotten[which]
        wanted = revision_key(customer.key, which)
        found = dict(self._state.load(partition, shelf_of(wanted)))
        return int(found[wanted]) if wanted in found else None

    def outputs(self, partition: int) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return what a partition number's batch puts out, by topic."""
        batch = self._open[partition]
        told = batch.outputs.activity(partition, batch.logged_at_max, batch.stream_time)
        return [*batch.outputs.by_topic(), *told]

    def reversals(self, partition: int) -> Mapping[str, int]:
        """Return how many entries of each line the batch in a partition number takes back."""
        return self._open[partition].outputs.reversals

    def records_of(self, account: Account) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return the batch record."""
        batch = self._open[account.partition]
        record = BatchRecord(
            batch_id=account.batch_id,
            partition=account.partition,
            sources=tuple(
                BatchSource(
                    topic=source.topic,
                    partition=source.partition,
                    start=source.start,
                    end=source.end,
                    applied=source.counts["applied"],
                    duplicate=source.counts["duplicate"],
                    late=source.counts["late"],
                    dead=source.counts["dead"],
                    exceptions=tuple(
                        Exceptional(disposition=how, start=start, end=end)
                        for how, start, end in source.exceptions
                    ),
                )
                for source in account.sources.values()
            ),
            out_rows=batch.outputs.rows,
            out_sum_minor=batch.outputs.sum_minor,
            event_time_max=batch.stream_time,
            logged_at_max=account.logged_at_max,
            code_version=self._code_version,
            policy=self._policy,
            state_hash=account.state_hash,
            accepted=self._rules.told(account.partition),
        )
        return [(BATCHES, [Outgoing(str(account.partition).encode(), encode(record))])]

    def _load_stream_time(self, partition: int) -> Millis | None:
        if partition not in self._stream_time:
            rows = self._state.load(partition, STREAM_TIME)
            self._stream_time[partition] = int(rows[0][1]) if rows else None
        return self._stream_time[partition]

    def changes(self, partition: int) -> list[tuple[bytes, bytes | None]]:
        """Return the items that the batch changed; one that was forgotten maps to None."""
        batch = self._open[partition]
        changes = list(batch.changes.items())
        if batch.stream_time is not None:
            changes.append((STREAM_TIME, str(batch.stream_time).encode()))
        return changes + self._rules.changes(partition)

    def promote(self) -> None:
        """Make the open batch's customers the state; let the coldest go."""
        for partition, batch in self._open.items():
            for customer in batch.customers.values():
                customer.written()
            self._stream_time[partition] = batch.stream_time
            self._rules.written(partition)
        self._open.clear()
        if self._young_facts > self._young_max:
            self._old, self._young, self._young_facts = self._young, {}, 0

    def drop(self) -> None:
        """Throw away every customer that the open batch touched."""
        for partition, batch in self._open.items():
            for customer in batch.customers.values():
                self._young.get(partition, {}).pop(customer.key, None)
        self._open.clear()


def _watch(book: PolicyBook, risk: "LiveModel | None") -> Watch:
    """Return what tells of customers' risk; the numbers' library comes along with a model only."""
    if risk is None:
        return Unknown()
    from processors.risk_watch import RiskWatch

    return RiskWatch(book, risk)


def _text(key: bytes | None) -> str | None:
    """Return a key as text; None if it is none: its record cannot be a fact's.

    Nor can one under an empty key, whose prefix in the state is that of our own keys.
    """
    try:
        return key.decode() if key else None
    except UnicodeDecodeError:
        return None


class JourneysWorker:
    """Owns the group `journeys` of a log and runs batches through it."""

    def __init__(
        self,
        log: EventLog,
        policies: Policies,
        *,
        code_version: str,
        records_max: int = 10_000,
        hot_facts: int = HOT_FACTS,
        risk: "LiveModel | None" = None,
    ) -> None:
        handler = JourneysHandler(
            policies, code_version=code_version, hot_facts=hot_facts, risk=risk
        )
        self._consumer = log.consumer(GROUP, INPUT_NAMES)
        self._runner = Runner(
            self._consumer,
            handler,
            epoch=log.epoch,
            code_version=code_version,
            records_max=records_max,
        )

    def step(self, wait: timedelta) -> int:
        """Process one batch; return how many records it held. Raises as `Runner.step` does."""
        return self._runner.step(wait)

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()
