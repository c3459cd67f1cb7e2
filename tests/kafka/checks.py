"""Whether what lies on the cluster is what the committed input comes to, record by record.

The input is read back from the cluster and judged by the plainest means: a naive rule for how each
offset must have ended, the naive oracle for every sum, and counting for everything else. Of the
product only the decoder, and the hash of a state, are used.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from processors.results import (
    AttributionRecord,
    BatchRecord,
    ContactRecord,
    LedgerRecord,
)
from streams.codec import decode
from streams.facts import Fact, identity_of
from streams.invalid import Invalid
from streams.kafka_state import LAST_BATCH, LastBatch, weight_of
from streams.log import Record
from streams.topics import (
    ATTRIBUTIONS,
    BATCHES,
    CONTACT_FACTS,
    DEAD_LETTERS,
    INPUT_NAMES,
    JOURNEYS_STATE,
    LEDGER,
    OUTPUT_NAMES,
)
from tests.kafka.load import POLICY
from tests.kafka.plain_log import records
from tests.oracle.books import Books
from tests.oracle.settle import settle
from tests.support.drive import account_of, chain_book, days_of, order_book

OUTPUTS: Final = OUTPUT_NAMES
CREDITED: Final = ("net", "unattributed", "A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5")
ORDER_LINES: Final = (*CREDITED, "A5x", "adjustment")
Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass
class Found:
    """What lies on the cluster."""

    inputs: list[Record]
    outputs: dict[tuple[str, int], list[Record]]
    state: dict[tuple[str, int], list[Record]]
    facts: list[tuple[str, Fact]] = field(default_factory=list)
    dispositions: dict[Place, str] = field(default_factory=dict)

    def of(self, topic: str, kind: type) -> list[Any]:
        """Return the values of an output topic, decoded, each partition in order."""
        decoder = msgspec.json.Decoder(kind)
        return [
            decoder.decode(record.value or b"")
            for (name, _), held in sorted(self.outputs.items())
            if name == topic
            for record in held
        ]


def find(bootstrap: str, prefix: str) -> Found:
    """Read everything, and judge the input."""
    by_place = records(bootstrap, prefix, INPUT_NAMES)
    found = Found(
        inputs=[record for _, held in sorted(by_place.items()) for record in held],
        outputs=records(bootstrap, prefix, OUTPUTS),
        state=records(bootstrap, prefix, [JOURNEYS_STATE]),
    )
    seen: dict[tuple[str, bytes, str], dict[int, Fact]] = defaultdict(dict)
    for record in found.inputs:
        fact = decode(record.topic, record.key, record.value, record.logged_at)
        found.dispositions[record.topic, record.partition, record.offset] = _ends_as(
            record, fact, seen
        )
        if not isinstance(fact, Invalid):
            assert record.key is not None
            found.facts.append((record.key.decode(), fact))
    return found


def _ends_as(
    record: Record, fact: Fact | Invalid, seen: dict[tuple[str, bytes, str], dict[int, Fact]]
) -> str:
    """Say how a record must end, all of its identity before it being known (RUL-SAME)."""
    if isinstance(fact, Invalid):
        return "dead"
    assert record.key is not None
    revisions = seen[record.topic, record.key, identity_of(fact)]
    highest = max(revisions, default=-1)
    if fact.revision > highest:
        revisions[fact.revision] = fact
        return "applied"
    if fact.revision == highest and revisions[highest] != fact:
        return "dead"
    return "duplicate"


def assert_exact(found: Found) -> None:
    """Fail unless every record of the input counted once, for what the oracle says."""
    assert_each_offset_once(found)
    assert_each_fact_booked_once(found)
    assert_batches_add_up(found)
    assert_dead_letters(found)
    assert_books(found)
    assert_conserved(found)
    assert_state_hash(found)


def assert_each_offset_once(found: Found) -> None:
    """DL1, R2, R3: ranges join from the beginning to the end; each offset ended as it must."""
    ranges: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    ended: dict[Place, str] = {}
    for batch in found.of(BATCHES, BatchRecord):
        for source in batch.sources:
            ranges[source.topic, source.partition].append((source.start, source.end))
            how = dict.fromkeys(range(source.start, source.end), "applied")
            for disposition, start, end in (
                (each.disposition, each.start, each.end) for each in source.exceptions
            ):
                how.update(dict.fromkeys(range(start, end), disposition))
            counts = {
                name: getattr(source, name) for name in ("applied", "duplicate", "late", "dead")
            }
            counted = {name: count for name, count in counts.items() if count}
            assert counted == Counter(how.values()), (batch, counted, Counter(how.values()))
            for offset, disposition in how.items():
                at = (source.topic, source.partition, offset)
                assert at not in ended, f"{at} ended twice"
                ended[at] = disposition
    for place, held in ranges.items():
        held.sort()
        joints = [end for _, end in held[:-1]]
        assert [start for start, _ in held] == [0, *joints], f"{place}: gap or overlap"
    assert ended == found.dispositions


def assert_each_fact_booked_once(found: Found) -> None:
    """DL2: no input record has two records in the ledger, and none but an applied one has any."""
    causes = Counter(
        (record.cause.topic, record.cause.partition, record.cause.offset)
        for record in found.of(LEDGER, LedgerRecord)
    )
    assert [place for place, count in causes.items() if count > 1] == []
    assert {found.dispositions[place] for place in causes} <= {"applied"}


def assert_batches_add_up(found: Found) -> None:
    """DL5, R4: the ledger has of each batch the rows and minor units that its record says."""
    rows: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    for record in found.of(LEDGER, LedgerRecord):
        rows[record.batch_id] += len(record.entries)
        minor[record.batch_id] += sum(entry.amount_minor for entry in record.entries)
    batches = found.of(BATCHES, BatchRecord)
    assert len({batch.batch_id for batch in batches}) == len(batches)
    assert rows == Counter({batch.batch_id: batch.out_rows for batch in batches if batch.out_rows})
    sums = {batch.batch_id: batch.out_sum_minor for batch in batches if batch.out_rows}
    assert dict(minor) == sums


def assert_dead_letters(found: Found) -> None:
    """DL8: each record that was refused has one dead letter, and no other has any."""
    letters = Counter(
        record.key
        for (topic, _), held in found.outputs.items()
        if topic == DEAD_LETTERS
        for record in held
    )
    dead = [place for place, how in found.dispositions.items() if how == "dead"]
    assert letters == Counter("{}-{}-{}".format(*place).encode() for place in dead)


def assert_books(found: Found) -> None:
    """DL2: every sum, credit vector and chain is what the oracle says, for every customer."""
    due = due_of(found.facts)
    books = Books()
    for record in found.of(LEDGER, LedgerRecord):
        for entry in record.entries:
            account = account_of(record.customer_id, entry)
            books.book(account, entry.amount_minor, days_of(entry))
    booked = books.closed()
    assert_same(booked.balance, due.balance, "sums")
    assert_same(booked.daily, due.daily, "days")
    vectors: dict[tuple[str, str], AttributionRecord] = {}
    for vector in found.of(ATTRIBUTIONS, AttributionRecord):
        vectors[vector.customer_id, vector.order_id] = vector
    orders = {place: order_book(each) for place, each in vectors.items() if not each.withdrawn}
    assert_same(orders, due.orders, "credit vectors")
    latest: dict[tuple[str, str], ContactRecord] = {}
    for chain in found.of(CONTACT_FACTS, ContactRecord):
        latest[chain.customer_id, chain.contact_id] = chain
    chains = {place: chain_book(each) for place, each in latest.items() if not each.withdrawn}
    assert_same(chains, due.chains, "chains")


def due_of(facts: Iterable[tuple[str, Fact]]) -> Books:
    """Return what the oracle says, asked for each customer alone: it looks at all against all."""
    by_key: dict[str, list[tuple[str, Fact]]] = defaultdict(list)
    for key, fact in facts:
        by_key[key].append((key, fact))
    due = Books()
    for of_key in by_key.values():
        books = settle(of_key, POLICY)
        due.balance.update(books.balance)
        due.daily.update(books.daily)
        due.orders.update(books.orders)
        due.chains.update(books.chains)
    return due


def assert_same(found: dict[Any, Any], due: dict[Any, Any], what: str) -> None:
    """Fail with the first differences only."""
    wrong = [place for place in found.keys() | due.keys() if found.get(place) != due.get(place)]
    shown = [(place, found.get(place), due.get(place)) for place in wrong[:5]]
    assert not wrong, f"{len(wrong)} {what} are wrong (place, found, due): {shown}"


def assert_conserved(found: Found) -> None:
    """DL3, R1: the entries of every order and currency add up to nothing."""
    left: Counter[tuple[str, str, str]] = Counter()
    for record in found.of(LEDGER, LedgerRecord):
        for entry in record.entries:
            if entry.order_id and entry.line in ORDER_LINES:
                left[record.customer_id, entry.order_id, entry.currency] += entry.amount_minor
    assert [place for place, amount in left.items() if amount] == []


def assert_state_hash(found: Found) -> None:
    """DL4: the topic of the state holds what its last batch says, and so does its batch record."""
    told: dict[int, int | None] = {}
    for batch in found.of(BATCHES, BatchRecord):
        told[batch.partition] = batch.state_hash
    for (_, partition), held in found.state.items():
        latest = {record.key: record.value for record in held}
        last = latest.pop(LAST_BATCH, None)
        if last is None:
            assert not latest
            continue
        batch = msgspec.json.decode(last, type=LastBatch)
        assert (hash_of(latest.items()), batch.hash) == (batch.hash, told[partition])


def hash_of(items: Iterable[tuple[bytes | None, bytes | None]]) -> int:
    """Return the hash of a state from its keys and values; a key without a value is not there."""
    weights = (
        weight_of(key, value) for key, value in items if key is not None and value is not None
    )
    return sum(weights) & (2**63 - 1)


def is_exact(found: Found) -> bool:
    """Return whether every record of the input counted once, for what the oracle says."""
    try:
        assert_exact(found)
    except AssertionError:
        return False
    return True
