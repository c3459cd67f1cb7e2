"""What must hold on the broker when a simulation is over: DL1 to DL5 over committed records.

*Truth* is what an outsider knows who has the facts and the oracle. *Recount* is what the product's
own audit can know: batch records against what they account for. A fault that no client could
notice may break the truth, but then the recount must find it.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from processors.policy import Policy
from processors.results import (
    AttributionRecord,
    BatchRecord,
    ContactRecord,
    CostRecord,
    LedgerRecord,
    OrderRecord,
)
from streams import topics
from streams.dead_letters import DeadLetter
from streams.facts import Fact
from streams.kafka_state import LAST_BATCH, PartitionState
from tests.oracle import settle
from tests.oracle.books import Books
from tests.simulation.broker import Broker
from tests.simulation.partition_log import committed_records
from tests.spec.scenario import assert_equal
from tests.support.drive import account_of, chain_book, days_of, number_of, order_book

Record = tuple[int, int, bytes | None, bytes | None]
"""Partition, offset, key, value."""


def committed(broker: Broker, topic: str) -> list[Record]:
    """Return what a reader of committed records sees of a topic."""
    return [
        (number, entry.offset, entry.key, entry.value)
        for number, log in enumerate(broker.topics[topic])
        for entry in committed_records(log.entries, log.stable)
    ]


def decoded(broker: Broker, topic: str, kind: Any) -> list[tuple[Record, Any]]:
    """Return committed records of a topic with what they say."""
    decode = msgspec.json.Decoder(kind).decode
    return [(record, decode(record[3] or b"")) for record in committed(broker, topic)]


@dataclass
class Auditor:
    """A reader of committed records that looks in now and then (DL5).

    Counts, at each look, the entries of every batch that it has seen so far.
    """

    broker: Broker
    _next: Counter[int] = field(default_factory=Counter)
    _rows: Counter[str] = field(default_factory=Counter)
    _seen: list[tuple[str, int]] = field(default_factory=list)
    looks: int = 0

    def look(self) -> None:
        """Read on to the last stable offset."""
        self.looks += 1
        touched = set()
        for number, log in enumerate(self.broker.topics[topics.LEDGER]):
            entries, self._next[number] = log.read(self._next[number], 1_000_000, committed=True)
            for entry in entries:
                record = msgspec.json.decode(entry.value or b"", type=LedgerRecord)
                self._rows[record.batch_id] += len(record.entries)
                touched.add(record.batch_id)
        self._seen += [(batch, self._rows[batch]) for batch in sorted(touched)]

    def findings(self, due: dict[str, int]) -> list[str]:
        """Return batches of which only a part was seen, or more than all."""
        return [
            f"DL5 batch {batch}: {count} entries were seen, its record says {due.get(batch)}"
            for batch, count in self._seen
            if due.get(batch) != count
        ]


def due_rows(broker: Broker) -> dict[str, int]:
    """Return how many entries each batch has, as its record says."""
    batches = decoded(broker, topics.BATCHES, BatchRecord)
    return {batch.batch_id: batch.out_rows for _, batch in batches}


def recount(broker: Broker) -> list[str]:
    """Return what the audit finds: R2, R3, R4 and the hash of the state."""
    batches = decoded(broker, topics.BATCHES, BatchRecord)
    return [
        *_ranges(broker, batches),
        *_dispositions(batches),
        *_rows(broker, batches),
        *_hashes(broker, batches),
        *_letters(broker, batches),
    ]


def _ranges(broker: Broker, batches: list[tuple[Record, BatchRecord]]) -> list[str]:
    """R2: ranges join, from the first offset to the last one committed (DL1)."""
    ranges: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for _, batch in batches:
        for source in batch.sources:
            place = (source.topic, source.partition)
            ranges.setdefault(place, []).append((source.start, source.end))
    found = []
    offsets = broker.groups.offsets("journeys")
    for place, parts in sorted(ranges.items()):
        at = 0
        for start, end in sorted(parts):
            if start != at:
                found.append(f"R2 {place}: a batch begins at {start}, the one before ends at {at}")
            at = max(at, end)
        if offsets.get(place, 0) != at:
            found.append(f"R2 {place}: batches reach {at}, committed is {offsets.get(place)}")
    found += [
        f"R2 {place}: committed {offset}, without a batch"
        for place, offset in offsets.items()
        if offset and place not in ranges
    ]
    return found


def _dispositions(batches: list[tuple[Record, BatchRecord]]) -> list[str]:
    """R3: every offset of a range has one disposition."""
    return [
        f"R3 batch {batch.batch_id}, {source.topic}: {source}"
        for _, batch in batches
        for source in batch.sources
        if source.applied + source.duplicate + source.late + source.dead
        != source.end - source.start
    ]


def _rows(broker: Broker, batches: list[tuple[Record, BatchRecord]]) -> list[str]:
    """R4: as many entries, with the same sum, as the batch record says."""
    due: dict[str, tuple[int, int]] = {}
    found = []
    for _, batch in batches:
        if batch.batch_id in due:
            found.append(f"R4 batch {batch.batch_id} has two records")
        due[batch.batch_id] = batch.out_rows, batch.out_sum_minor
    rows: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for _, record in decoded(broker, topics.LEDGER, LedgerRecord):
        rows[record.batch_id] += len(record.entries)
        sums[record.batch_id] += sum(entry.amount_minor for entry in record.entries)
    for batch_id in sorted({*due, *rows}):
        is_there = rows[batch_id], sums[batch_id]
        if due.get(batch_id, (0, 0)) != is_there:
            found.append(f"R4 batch {batch_id}: {is_there} in the ledger, due {due.get(batch_id)}")
    return found


def _hashes(broker: Broker, batches: list[tuple[Record, BatchRecord]]) -> list[str]:
    """A7: the state has the hash that the last batch left (DL4)."""
    last = {record[0]: batch.state_hash for record, batch in batches}
    states = {number: PartitionState() for number in range(len(broker.topics[topics.BATCHES]))}
    for number, _, key, value in committed(broker, topics.JOURNEYS_STATE):
        if key != LAST_BATCH and key is not None:
            states[number].restored([(key, value)])
    found = []
    for number, state in states.items():
        state.rehash()
        if state.hash != (last.get(number) or 0):
            found.append(f"A7 partition {number}: hash {state.hash}, due {last.get(number)}")
    return found


def _letters(broker: Broker, batches: list[tuple[Record, BatchRecord]]) -> list[str]:
    """As many dead letters as records that were dead-lettered, at the same places."""
    due = Counter(
        (source.topic, source.partition, offset)
        for _, batch in batches
        for source in batch.sources
        for how, start, end in map(msgspec.structs.astuple, source.exceptions)
        if how == "dead"
        for offset in range(start, end)
    )
    letters = decoded(broker, topics.DEAD_LETTERS, DeadLetter)
    there = Counter((letter.topic, letter.partition, letter.offset) for _, letter in letters)
    return [
        f"R4 dead letters of {place}: {there[place]}, due {due[place]}"
        for place in {*due, *there}
        if due[place] != there[place]
    ]


def books_of(broker: Broker) -> Books:
    """Return what the committed results come to."""
    books = Books()
    for _, record in decoded(broker, topics.LEDGER, LedgerRecord):
        for entry in record.entries:
            account = account_of(record.customer_id, entry)
            books.book(account, entry.amount_minor, days_of(entry))
            books.variance[account] += entry.variance_minor2
    attributions: dict[tuple[str, str], AttributionRecord] = {}
    contacts: dict[tuple[str, str], ContactRecord] = {}
    for record, attribution in decoded(broker, topics.ATTRIBUTIONS, AttributionRecord):
        attributions[_customer(record), attribution.order_id] = attribution
    for record, contact in decoded(broker, topics.CONTACT_FACTS, ContactRecord):
        contacts[_customer(record), contact.contact_id] = contact
    books.orders = {at: order_book(one) for at, one in attributions.items() if not one.withdrawn}
    books.chains = {at: chain_book(one) for at, one in contacts.items() if not one.withdrawn}
    return books.closed()


def _customer(record: Record) -> str:
    """Return the customer of a record of the latest state of a thing: its key ends in it."""
    return (record[2] or b"").rpartition(b"\0")[2].decode()


def repeats(broker: Broker) -> list[str]:
    """Return records of the latest state of a thing that do not follow their predecessors."""
    found = []
    for topic, kind in (
        (topics.ATTRIBUTIONS, AttributionRecord),
        (topics.CONTACT_FACTS, ContactRecord),
        (topics.ORDER_FACTS, OrderRecord),
        (topics.COST_FACTS, CostRecord),
    ):
        last: dict[bytes | None, int] = {}
        for (number, offset, key, _), record in decoded(broker, topic, kind):
            now, before = number_of(record), last.get(key)
            if before is not None and now != before + 1:
                found.append(f"DL2 {topic}/{number} {offset}: version {now} comes after {before}")
            last[key] = now
    return found


def truth(
    broker: Broker, facts: list[tuple[str, Fact]], dead: set[tuple[str, int, int]], policy: Policy
) -> list[str]:
    """Return what an outsider finds: DL1, DL2 and DL3 over all input."""
    found = []
    offsets = broker.groups.offsets("journeys")
    for topic in topics.INPUT_NAMES:
        for number, log in enumerate(broker.topics[topic]):
            if log.end != offsets.get((topic, number), 0):
                found.append(
                    f"DL1 {topic}/{number}: {log.end} records, committed "
                    f"{offsets.get((topic, number))}"
                )
    try:
        assert_equal(books_of(broker), settle(facts, policy), "DL2 committed results")
    except AssertionError as wrong:
        found.append(str(wrong))
    letters = decoded(broker, topics.DEAD_LETTERS, DeadLetter)
    there = sorted((letter.topic, letter.partition, letter.offset) for _, letter in letters)
    if there != sorted(dead):
        found.append(f"DL1 dead letters {there}, due {sorted(dead)}")
    return found + _order(broker)


def _order(broker: Broker) -> list[str]:
    """DL9: entries are booked in the order in which their causes lie in each input partition."""
    last: dict[tuple[str, int], int] = {}
    found = []
    for record, ledger in decoded(broker, topics.LEDGER, LedgerRecord):
        cause = ledger.cause
        place = (cause.topic, cause.partition)
        if cause.partition != record[0]:
            found.append(f"DL9 {place} was booked in partition {record[0]}")
        if cause.offset <= last.get(place, -1):
            found.append(f"DL9 {place}: {cause.offset} was booked after {last[place]}")
        last[place] = cause.offset
    return found
