"""`pnl restate`: owns journeys' group, works all customers out by the new rules, and books that.

Law: while it runs nobody else processes, for it owns every partition of the group. What it writes
is the difference to what is booked: killed at any point and run again it goes on where it was, and
what it showed is what it writes. A partition's rules change with its last transaction; until then
its state says that a restatement is under way, and nobody goes on from there by any rules.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from pnl.engine import GROUP
from pnl.errors import CheckFailed, LawBreach, UserError
from pnl.repairing.repair import own_all
from pnl.restating.accepted import (
    Accepted,
    Change,
    accepting,
    beginning,
    booked_until,
    read_accepted,
)
from pnl.restating.differences import all_that_differs, date_of, what_differs
from pnl.restating.figures import Figures
from processors.customer import Customer
from processors.journeys import Applied
from processors.laws import breaches
from processors.policy import PolicyBook
from processors.rebook import Rebooking
from processors.restating import differences, is_forgotten_since, restated
from processors.results import BatchRecord, Cause, LedgerRecord
from processors.state_codec import decode_customer, forgotten_prefix_of, prefix_of, take_changes
from streams.clock import Clock
from streams.facts import Millis
from streams.failpoints import failpoint
from streams.log import Consumer, EventLog, Outgoing, Transaction
from streams.topics import (
    ATTRIBUTIONS,
    BATCHES,
    CONTACT_FACTS,
    COST_FACTS,
    INPUT_NAMES,
    LEDGER,
    ORDER_FACTS,
)

CUSTOMERS_MAX: Final = 500
ENTRIES_MAX: Final = 20_000
"""How much one transaction takes at most, and about."""
RESTATE: Final = "-restate-"
"""What the batch ids of restatements hold, and no others."""
_KEEP_EVERY: Final = 200
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Restatement:
    """What a restatement comes to, and whether it was written."""

    since: Millis
    book: PolicyBook
    figures: Figures
    differing: list[str] = field(default_factory=list)
    customers: int = 0
    changed: int = 0
    forgotten: int = 0
    as_of: Millis | None = None
    transactions: int = 0
    written: bool = False


def restate(
    log: EventLog,
    book: PolicyBook,
    clock: Clock,
    *,
    since: Millis,
    accept: bool,
    code_version: str,
    show: Callable[[str], None] = lambda _: None,
    customers_max: int = CUSTOMERS_MAX,
) -> Restatement:
    """Work everybody out by the book; with `accept` write the difference, and take the book over.

    `since` is the date from which on something may change. UserError if the rules differ before
    it; Busy or CheckFailed while workers still run.
    """
    consumer = log.consumer(GROUP, INPUT_NAMES)
    try:
        own_all(log, consumer)
        work = _Work(log, consumer, book, clock, code_version, show, customers_max)
        return work.run(since, accept=accept)
    finally:
        consumer.close()


class _Work:
    """One restatement."""

    def __init__(
        self,
        log: EventLog,
        consumer: Consumer,
        book: PolicyBook,
        clock: Clock,
        code_version: str,
        show: Callable[[str], None],
        customers_max: int,
    ) -> None:
        self._log = log
        self._consumer = consumer
        self._assignment = consumer.assignment
        self._book = book
        self._clock = clock
        self._code_version = code_version
        self._show = show
        self._customers_max = customers_max

    def run(self, since: Millis, *, accept: bool) -> Restatement:
        """Look at everybody first, so that nothing is written where something speaks against it."""
        done = Restatement(since, self._book, Figures(self._book))
        standing = {
            partition: self._assert_may(partition, since, done)
            for partition in range(self._log.partitions)
        }
        for partition in standing:
            self._look(partition, done)
        earliest = done.figures.earliest
        if earliest is not None and earliest < since:
            raise UserError(
                f"Amounts of {date_of(earliest, self._book)} on would change too: they were booked "
                "by a former program, or by rules that nobody noted. Give --from that date or an "
                "earlier one."
            )
        for partition, accepted in standing.items() if accept else ():
            self._write_all(partition, accepted, done)
        done.written = accept
        return done

    def _assert_may(self, partition: int, since: Millis, done: Restatement) -> Accepted:
        """Return by what a partition is booked; UserError if that differs before the date given."""
        state = self._consumer.state
        accepted = read_accepted(state, partition)
        until = booked_until(state, partition)
        if until is not None:
            done.as_of = until if done.as_of is None else max(done.as_of, until)
        found = None if accepted.book is None else accepted.book.differs_from(self._book)
        if accepted.restating is not None:
            found = min(
                accepted.restating.since, accepted.restating.since if found is None else found
            )
        if found is not None and found < since:
            first = date_of(found, self._book)
            why = (
                f"a restatement from {first} was begun there"
                if accepted.book is None or accepted.restating is not None
                else f"{what_differs(accepted.book, self._book, found)} differs from {first} on"
            )
            raise UserError(
                f"Partition {partition} needs --from {first} or earlier: {why}. What a date leaves "
                "out would stay booked by other rules than the settings say."
            )
        if accepted.book is not None:
            told = all_that_differs(accepted.book, self._book)
            done.differing += [sentence for sentence in told if sentence not in done.differing]
        return accepted

    def _keys(self, partition: int) -> Iterator[str]:
        """Yield the customers of a partition, staying the owner meanwhile."""
        for number, shelf in enumerate(self._consumer.state.shelves(partition)):
            if number % _KEEP_EVERY == 0:
                self._consumer.keep()
                if self._consumer.assignment != self._assignment:
                    raise CheckFailed(
                        "Partitions were taken away: a worker of journeys runs. Stop all of them, "
                        "and run it again; what is written stays."
                    )
            if not shelf.startswith(b"\0"):
                yield shelf[:-1].decode()

    def _customer(self, partition: int, key: str) -> Customer:
        return decode_customer(key, self._consumer.state.load(partition, prefix_of(key)))

    def _look(self, partition: int, done: Restatement) -> None:
        """Work everybody of a partition out, and write nothing."""
        for key in self._keys(partition):
            customer = self._customer(partition, key)
            if is_forgotten_since(customer, done.since, self._book) and self._consumer.state.load(
                partition, forgotten_prefix_of(key)
            ):
                done.forgotten += 1
            entries = differences(customer, self._book)
            done.figures.add(entries)
            done.changed += bool(entries)
            done.customers += 1
            if done.customers % 1_000 == 0:
                self._show(f"{done.customers:,} customers worked out")

    def _write_all(self, partition: int, accepted: Accepted, done: Restatement) -> None:
        """Write what differs in a partition, in transactions of bounded size, then the rules."""
        versions, rules = accepting(accepted, self._book, rebooked=True)
        since = done.since if accepted.restating is None else accepted.restating.since
        under_way = beginning(self._book, min(since, done.since))
        some: list[Rebooking] = []
        entries = written = 0
        for key in self._keys(partition):
            rebooked = restated(partial(self._customer, partition, key), accepted.book, self._book)
            if rebooked is None:
                continue
            _assert_lawful(rebooked)
            if len(some) >= self._customers_max or entries >= ENTRIES_MAX:
                self._write(partition, some, under_way, (), done)
                some, entries, written = [], 0, written + 1
            some.append(rebooked)
            entries += len(rebooked.entries)
        if some or accepted.restating is not None or versions != accepted.versions or written:
            self._write(partition, some, rules, versions, done)

    def _write(
        self,
        partition: int,
        rebooked: list[Rebooking],
        rules: list[Change],
        versions: tuple[str, ...],
        done: Restatement,
    ) -> None:
        """Write some customers in one transaction, with a batch record that read no input."""
        now = self._clock.now_ms()
        batch_id = (
            f"{self._log.epoch}-{partition}{RESTATE}{self._log.end_offsets(BATCHES)[partition]}"
        )
        booked = [each for each in rebooked if each.entries]
        changes = [change for each in rebooked for change in take_changes(each.customer)]
        with self._consumer.transaction() as transaction:
            if booked:
                records = [self._ledger(each, partition, batch_id, now) for each in booked]
                transaction.produce(LEDGER, partition, records)
            _publish(transaction, partition, rebooked)
            state_hash = transaction.put_state(partition, changes + rules)
            record = BatchRecord(
                batch_id=batch_id,
                partition=partition,
                sources=(),
                out_rows=sum(len(each.entries) for each in booked),
                out_sum_minor=sum(entry.amount_minor for each in booked for entry in each.entries),
                event_time_max=None,
                logged_at_max=now,
                code_version=self._code_version,
                policy=self._book.version,
                state_hash=state_hash,
                accepted=versions,
            )
            transaction.produce(
                BATCHES, partition, [Outgoing(str(partition).encode(), _encode(record))]
            )
            failpoint("X1")
        failpoint("X2")
        done.transactions += 1
        self._show(f"{done.transactions:,} transactions written")

    def _ledger(self, each: Rebooking, partition: int, batch_id: str, now: Millis) -> Outgoing:
        """Return a customer's entries, caused by the rules."""
        version = self._book.version
        cause = Cause("configuration", version, 0, "", partition, -1)
        key = each.customer.key
        record = LedgerRecord(key, now, cause, batch_id, version, tuple(each.entries))
        return Outgoing(key.encode(), _encode(record))


def _assert_lawful(rebooked: Rebooking) -> None:
    """Raise LawBreach if what would be booked contradicts a law: a bug of ours."""
    gave = Applied(
        "applied",
        tuple(rebooked.entries),
        tuple(rebooked.attributions),
        tuple(rebooked.contacts),
        tuple(rebooked.orders),
    )
    for breach in breaches(gave):
        raise LawBreach(
            f"Law {breach.law} would be broken for {breach.subject} of customer "
            f"{rebooked.customer.key}: {breach.detail}. It was not written; what was, stands."
        )


def _publish(transaction: Transaction, partition: int, rebooked: list[Rebooking]) -> None:
    """Publish the vectors, chains, orders and costs that changed."""
    outputs: dict[str, list[Outgoing]] = {}
    for each in rebooked:
        key = each.customer.key.encode()
        for topic, identity, value in (
            *((ATTRIBUTIONS, x.order_id, x) for x in each.attributions),
            *((CONTACT_FACTS, x.contact_id, x) for x in each.contacts),
            *((ORDER_FACTS, x.order_id, x) for x in each.orders),
            *((COST_FACTS, x.event_id, x) for x in each.costs),
        ):
            outgoing = Outgoing(identity.encode() + b"\0" + key, _encode(value))
            outputs.setdefault(topic, []).append(outgoing)
    for topic, outgoing_of in outputs.items():
        transaction.produce(topic, partition, outgoing_of)
