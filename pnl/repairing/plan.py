"""Works out what makes good what was found, customer by customer.

Law: the state is what is right. It was committed with the offsets, so what it says was booked is
what the ledger has to come to; a plan whose entries do not come to what the batches lack says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from pnl.auditor.partition import decode_ledger, decode_letter
from pnl.outputs import KIND_OF
from pnl.repairing.evidence import Evidence, Range, records_of
from processors.customer import Customer
from processors.policy import Policies
from processors.rebook import Rebooking
from processors.repairs import missing, published
from processors.results import (
    BatchSource,
    Cause,
    Entry,
    Exceptional,
    LedgerRecord,
)
from processors.state_codec import (
    decode_customer,
    encode_item,
    forgotten_prefix_of,
    item_key,
    prefix_of,
)
from streams.codec import decode
from streams.dead_letters import dead_letter
from streams.facts import Fact, Millis, identity_of
from streams.invalid import Invalid
from streams.log import EventLog, Outgoing, Record, StateReader
from streams.topics import (
    ATTRIBUTIONS,
    CONTACT_FACTS,
    COST_FACTS,
    DEAD_LETTERS,
    INPUT_NAMES,
    LEDGER,
    ORDER_FACTS,
    PERIOD_FACTS,
)

_READ: Final = 1_000
_LOST_LETTER: Final = Invalid("conflict", "its letter was lost and written again by a repair")
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Plan:
    """What is to be written to a partition number. `odd` says what a person has to judge."""

    partition: int
    evidence: Evidence
    booked: list[LedgerRecord] = field(default_factory=list)
    sources: list[BatchSource] = field(default_factory=list)
    letters: list[Outgoing] = field(default_factory=list)
    outputs: dict[str, list[Outgoing]] = field(default_factory=dict)
    changes: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    published: int = 0
    explained: bool = True
    odd: list[str] = field(default_factory=list)


class Planner:
    """Plans the repair of one partition number; journeys must rest."""

    def __init__(
        self,
        log: EventLog,
        state: StateReader,
        policy: Policies,
        partition: int,
        now: Millis,
        code_version: str,
    ) -> None:
        self._log = log
        self._state = state
        self._policy = policy
        self._partition = partition
        self._now = now
        self._code_version = code_version

    def plan(self, evidence: Evidence) -> Plan:
        """Return what is to be written."""
        plan = Plan(self._partition, evidence)
        ranges = evidence.suspects() + evidence.gaps
        causes = self._customers_in(ranges)
        held = self._held(causes.keys(), evidence)
        touched = dict.fromkeys([*causes, *(x.customer_id for x in evidence.extras.values())])
        booked_minor = 0
        for key in touched:
            customer = self._customer(key)
            if key in causes:
                entries, odd = missing(
                    customer, held.get(key, ()), is_whole=not self._has_forgotten(key)
                )
                booked_minor += sum(entry.amount_minor for entry in entries)
                self._book(plan, key, causes[key], entries)
                plan.odd += [
                    f"customer {key}: {entry.line} {entry.amount_minor} {entry.currency} stands in"
                    " the ledger, and nothing that is remembered accounts for it"
                    for entry in odd
                ]
            self._publish(plan, customer)
        shortfall = evidence.shortfall_minor()
        if not evidence.gaps and booked_minor != shortfall:
            plan.explained = False
            plan.odd.append(
                f"the batches lack {shortfall} minor units, the state explains {booked_minor}:"
                " what they recorded is not amended"
            )
        for gap in evidence.gaps:
            self._account_for(plan, gap)
        for topic, offset in evidence.letterless:
            self._write_letter(plan, topic, offset)
        return plan

    # --- money

    def _customers_in(self, ranges: Iterable[Range]) -> dict[str, Cause]:
        """Return the customers of whom there are input records in the ranges, and the last one."""
        causes: dict[str, Cause] = {}
        for topic, start, end in ranges:
            if start < self._log.start_offsets(topic).get(self._partition, 0):
                causes |= {
                    key: cause for key, cause in self._everybody().items() if key not in causes
                }
                continue
            for record in self._inputs(topic, start, end):
                fact = decode(record.topic, record.key, record.value, record.logged_at)
                if not isinstance(fact, Invalid) and record.key is not None:
                    causes[record.key.decode()] = _cause(fact, record)
        return causes

    def _everybody(self) -> dict[str, Cause]:
        """Return every customer of the partition: the input that named them is no longer kept."""
        causes: dict[str, Cause] = {}
        for topic, kind in ((CONTACT_FACTS, "contact"), (ORDER_FACTS, "order")):
            for record in records_of(self._log, topic, self._partition):
                if record.key is not None:
                    identity, _, key = record.key.decode().partition("\0")
                    causes[key] = Cause(
                        fact="contact" if kind == "contact" else "order",
                        id=identity,
                        revision=0,
                        topic=f"{kind}s",
                        partition=self._partition,
                        offset=-1,
                    )
        return causes

    def _held(self, keys: Iterable[str], evidence: Evidence) -> Mapping[str, list[Entry]]:
        """Return what the ledger holds of some customers once the extras are taken back."""
        held: dict[str, list[Entry]] = {key: [] for key in keys}
        if held:
            for record in records_of(self._log, LEDGER, self._partition):
                if record.value is None or record.offset in evidence.extras:
                    continue
                entries = decode_ledger(record.value)
                if entries.customer_id in held:
                    held[entries.customer_id] += entries.entries
        return held

    def _customer(self, key: str) -> Customer:
        return decode_customer(key, self._state.load(self._partition, prefix_of(key)))

    def _has_forgotten(self, key: str) -> bool:
        return bool(self._state.load(self._partition, forgotten_prefix_of(key)))

    def _book(self, plan: Plan, key: str, cause: Cause, entries: list[Entry]) -> None:
        if entries:
            plan.booked.append(
                LedgerRecord(
                    customer_id=key,
                    booked_at=self._now,
                    cause=cause,
                    batch_id="",
                    policy=self._policy.version,
                    entries=tuple(entries),
                    repair="lost",
                )
            )

    def _publish(self, plan: Plan, customer: Customer) -> None:
        """Publish the customer's vectors, chains and orders again: they may be lost as well."""
        rebooking = Rebooking(customer, self._policy)
        if not published(customer, rebooking):
            plan.odd.append(
                f"customer {customer.key}: the rules have changed since; what was published of it"
                " stays as it is"
            )
            return
        plan.published += 1
        key = customer.key.encode()
        for topic, identity, value in (
            *((ATTRIBUTIONS, each.order_id, each) for each in rebooking.attributions),
            *((CONTACT_FACTS, each.contact_id, each) for each in rebooking.contacts),
            *((ORDER_FACTS, each.order_id, each) for each in rebooking.orders),
            *((COST_FACTS, each.event_id, each) for each in rebooking.costs),
            *((PERIOD_FACTS, each.event_id, each) for each in rebooking.periods),
        ):
            outgoing = Outgoing(identity.encode() + b"\0" + key, _encode(value))
            plan.outputs.setdefault(topic, []).append(outgoing)
        for which in sorted(customer.changed):
            item = customer.item(which)
            value_of = None if item is None else encode_item(item)
            plan.changes.append((item_key(customer.key, which), value_of))

    # --- accounts and letters

    def _account_for(self, plan: Plan, gap: Range) -> None:
        """Account for a range that no batch does: duplicate and late are told no more."""
        topic, start, end = gap
        lettered = self._lettered(topic, start, end)
        records = end - start
        if start >= self._log.start_offsets(topic).get(self._partition, 0):
            inputs = list(self._inputs(topic, start, end))
            records = len(inputs)
            for record in inputs:
                if record.offset not in lettered:
                    invalid = decode(record.topic, record.key, record.value, record.logged_at)
                    if isinstance(invalid, Invalid):
                        lettered.add(record.offset)
                        plan.letters.append(self._letter(record, invalid))
        plan.sources.append(
            BatchSource(
                topic=topic,
                partition=self._partition,
                start=start,
                end=end,
                applied=records - len(lettered),
                duplicate=0,
                late=0,
                dead=len(lettered),
                exceptions=tuple(
                    Exceptional(disposition="dead", start=at, end=at + 1) for at in sorted(lettered)
                ),
            )
        )

    def _lettered(self, topic: str, start: int, end: int) -> set[int]:
        found = set()
        for record in records_of(self._log, DEAD_LETTERS, self._partition):
            if record.value is not None:
                letter = decode_letter(record.value)
                if letter.topic == topic and start <= letter.offset < end:
                    found.add(letter.offset)
        return found

    def _write_letter(self, plan: Plan, topic: str, offset: int) -> None:
        """Write a lost letter again, if its record is still there."""
        if topic not in INPUT_NAMES:
            return
        record = next(self._inputs(topic, offset, offset + 1), None)
        if record is None or record.offset != offset:
            plan.odd.append(f"{topic}/{self._partition}@{offset}: its letter and itself are gone")
            return
        found = decode(record.topic, record.key, record.value, record.logged_at)
        invalid = found if isinstance(found, Invalid) else _LOST_LETTER
        plan.letters.append(self._letter(record, invalid))

    def _letter(self, record: Record, invalid: Invalid) -> Outgoing:
        value = dead_letter(record, self._log.epoch, invalid, self._code_version)
        return Outgoing(f"{record.topic}-{record.partition}-{record.offset}".encode(), value)

    def _inputs(self, topic: str, start: int, end: int) -> Iterator[Record]:
        at = start
        while at < end and (records := self._log.read(topic, self._partition, at, _READ)):
            for record in records:
                if record.offset >= end:
                    return
                yield record
            at = records[-1].offset + 1


def _cause(fact: Fact, record: Record) -> Cause:
    return Cause(
        fact=KIND_OF[type(fact)],
        id=identity_of(fact),
        revision=fact.revision,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
