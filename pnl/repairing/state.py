"""Repairs the state of journeys on Kafka, where a torn batch left it against the offsets.

Law: state and offsets end as one commit would have left them. The state's own account says up to
which offsets it goes; where that account does not fit the state either, the state is worked out
anew from the facts, which is possible only while all of them are kept. What the ledger holds is
left to `pnl.repairing.repair`, which comes after.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Final

import msgspec

from pnl.auditor.notices import PARTITION, AuditRecord, notice
from pnl.auditor.ranges import REPAIR
from pnl.engine import GROUP, JourneysHandler
from pnl.errors import CheckFailed
from pnl.repairing.evidence import records_of
from pnl.repairing.repair import own_all
from processors.items import RISK, RiskItem
from processors.policy import Policies
from processors.results import (
    AttributionRecord,
    BatchRecord,
    ContactRecord,
    CostRecord,
    OrderRecord,
)
from processors.signal_records import ChurnRecord
from processors.state_codec import decode_customer, encode_item, item_key
from streams.clock import Clock
from streams.kafka_consumer import KafkaConsumer
from streams.kafka_log import KafkaLog
from streams.kafka_state import PartitionState
from streams.log import Outgoing, Record, TopicPartition, shelf_of
from streams.topics import (
    ATTRIBUTIONS,
    AUDIT,
    BATCHES,
    CHURN,
    CONTACT_FACTS,
    COST_FACTS,
    INPUT_NAMES,
    ORDER_FACTS,
)

_READ: Final = 1_000
_encode: Final = msgspec.json.Encoder().encode


def repair_state(
    log: KafkaLog, policy: Policies, clock: Clock, *, reason: str, code_version: str, rebuild: bool
) -> list[str]:
    """Bring state and offsets together in every partition; return what was done, in sentences.

    The log's settings say `repairing`. `rebuild` allows a state that does not fit its own account
    to be worked out anew. CheckFailed where it cannot be done.
    """
    consumer = log.consumer(GROUP, INPUT_NAMES)
    said: list[str] = []
    try:
        committed = own_all(log, consumer)
        for partition in range(log.partitions):
            here = {at.topic: to for at, to in committed.items() if at.partition == partition}
            state = consumer.state.partitions[partition]
            last = state.last
            if last is None and not state.keys:
                continue
            if last is not None and (last.hash, last.keys) == (state.hash, state.keys):
                if last.offsets == here:
                    continue
                _write(
                    log, consumer, partition, dict(last.offsets), [], clock, reason, code_version
                )
                said.append(f"partition {partition}: offsets {here} are now {last.offsets}")
                continue
            offsets = here if last is None else dict(last.offsets)
            if not rebuild:
                raise CheckFailed(
                    f"Partition {partition}: {state.keys} keys of state are not those that its"
                    " last batch left; they can be worked out anew with --rebuild-state."
                )
            rows = rebuilt(log, policy, partition, offsets, code_version)
            changes = _changes(state, rows)
            _write(log, consumer, partition, offsets, changes, clock, reason, code_version)
            said.append(
                f"partition {partition}: {len(rows)} keys of state were worked out anew up to"
                f" {offsets}"
            )
    finally:
        consumer.close()
    return said


def rebuilt(
    log: KafkaLog, policy: Policies, partition: int, ends: dict[str, int], code_version: str
) -> dict[bytes, bytes]:
    """Return a partition's state as the facts before these ends give it."""
    for topic in ends:
        start = log.start_offsets(topic).get(partition, 0)
        if start > 0:
            raise CheckFailed(
                f"{topic}/{partition}: facts before offset {start} are no longer kept, so its"
                " state cannot be worked out anew: restore the topic of the state from a copy."
            )
    kept = _Kept()
    handler = JourneysHandler(policy, code_version=code_version)
    handler.open(kept)
    for records in _slices(log, partition, ends):
        handler.process(partition, records, "rebuilt")
        kept.take(handler.changes(partition))
        handler.promote()
    rows = _outnumbering(kept.rows, _published(log, partition))
    return rows | _told_risks(log, partition, rows)


class _Kept:
    """A state in memory."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self._shelves: dict[bytes, dict[bytes, bytes]] = {}

    def take(self, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take changes over."""
        for key, value in changes:
            shelf = self._shelves.setdefault(shelf_of(key), {})
            if value is None:
                self.rows.pop(key, None)
                shelf.pop(key, None)
            else:
                self.rows[key] = shelf[key] = value

    def load(self, partition: int, shelf: bytes) -> list[tuple[bytes, bytes]]:  # noqa: ARG002
        """Return every (key, value) of a shelf, in key order."""
        return sorted(self._shelves.get(shelf, {}).items())

    def load_each(
        self, partition: int, shelves: Sequence[bytes]
    ) -> list[list[tuple[bytes, bytes]]]:
        """Return, for each shelf in the order given, what `load` would."""
        return [self.load(partition, shelf) for shelf in shelves]

    def shelves(self, partition: int) -> Iterator[bytes]:  # noqa: ARG002
        """Yield every shelf there is, each once."""
        yield from sorted(self._shelves)


def _slices(log: KafkaLog, partition: int, ends: dict[str, int]) -> Iterator[list[Record]]:
    """Yield the facts before the ends, in the order in which the log took them."""
    inputs = [_inputs(log, topic, partition, end) for topic, end in sorted(ends.items())]
    some: list[Record] = []
    for record in merge(*inputs, key=lambda record: record.logged_at):
        some.append(record)
        if len(some) == _READ:
            yield some
            some = []
    if some:
        yield some


def _inputs(log: KafkaLog, topic: str, partition: int, end: int) -> Iterator[Record]:
    for record in records_of(log, topic, partition):
        if record.offset >= end:
            return
        yield record


def _published(log: KafkaLog, partition: int) -> dict[bytes, int]:
    """Return, by key of state and what is counted, the highest number that was published."""
    numbers: dict[bytes, int] = {}
    for topic, struct, kind in (
        (ATTRIBUTIONS, AttributionRecord, b"v"),
        (CONTACT_FACTS, ContactRecord, b"c"),
        (ORDER_FACTS, OrderRecord, b"o"),
        (COST_FACTS, CostRecord, b"x"),
    ):
        decode = msgspec.json.Decoder(struct).decode
        name = "revision" if kind == b"v" else "version"
        for record in records_of(log, topic, partition):
            if record.key is None or record.value is None:
                continue
            identity, _, customer = record.key.partition(b"\0")
            number = getattr(decode(record.value), name)
            key = customer + b"\0" + kind + identity
            numbers[key] = max(number, numbers.get(key, 0))
    return numbers


def _outnumbering(rows: dict[bytes, bytes], published: dict[bytes, int]) -> dict[bytes, bytes]:
    """Return the rows with counters that are not behind what was published."""
    by_customer: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for key, value in rows.items():
        if not key.startswith(b"\0"):
            by_customer.setdefault(shelf_of(key)[:-1], []).append((key, value))
    found = dict(rows)
    for raw, own in by_customer.items():
        customer = decode_customer(raw.decode(), own)
        for name, leg in customer.legs.items():
            key = item_key(customer.key, ("c", name))
            leg.version = max(leg.version, published.get(key, 0))
            found[key] = encode_item(leg)
        for name, cost in customer.costs.items():
            key = item_key(customer.key, ("x", name))
            cost.version = max(cost.version, published.get(key, 0))
            found[key] = encode_item(cost)
        for name, order in customer.orders.items():
            key = item_key(customer.key, ("o", name))
            order.version = max(order.version, published.get(key, 0))
            vector = raw + b"\0v" + name.encode()
            order.revision = max(order.revision, published.get(vector, 0))
            found[key] = encode_item(order)
    return found


def _told_risks(log: KafkaLog, partition: int, rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the rows of what was last told of customers' risk: no fact says that."""
    decode = msgspec.json.Decoder(ChurnRecord).decode
    found: dict[bytes, bytes] = {}
    for record in records_of(log, CHURN, partition):
        if record.key is None or record.value is None:
            continue
        told, customer = decode(record.value), record.key.decode()
        key = item_key(customer, RISK)
        kept = decode_customer(customer, [(key, rows[key])]).risk if key in rows else None
        past = None if kept is None else kept.past
        found[key] = encode_item(RiskItem(told.version, told.risk_ppm, told.high, past))
    return found


def _changes(state: PartitionState, rows: dict[bytes, bytes]) -> list[tuple[bytes, bytes | None]]:
    """Return what turns a state into these rows."""
    old = {
        shelf + name: value for shelf, kept in state.shelves.items() for name, value in kept.items()
    }
    changes: list[tuple[bytes, bytes | None]] = [(key, None) for key in old.keys() - rows.keys()]
    changes += [(key, value) for key, value in rows.items() if old.get(key) != value]
    return sorted(changes, key=lambda change: change[0])


def _write(
    log: KafkaLog,
    consumer: KafkaConsumer,
    partition: int,
    offsets: dict[str, int],
    changes: list[tuple[bytes, bytes | None]],
    clock: Clock,
    reason: str,
    code_version: str,
) -> None:
    """Commit state and offsets in one transaction, with a batch record and a notice."""
    now = clock.now_ms()
    batch_id = f"{log.epoch}-{partition}{REPAIR}{log.end_offsets(BATCHES)[partition]}"
    with consumer.transaction() as transaction:
        state_hash = transaction.put_state(partition, changes)
        record = BatchRecord(
            batch_id=batch_id,
            partition=partition,
            sources=(),
            out_rows=0,
            out_sum_minor=0,
            event_time_max=None,
            logged_at_max=now,
            code_version=code_version,
            policy="",
            state_hash=state_hash,
        )
        transaction.produce(
            BATCHES, partition, [Outgoing(str(partition).encode(), _encode(record))]
        )
        detail = f"state and offsets brought together at {offsets}, {len(changes)} keys changed"
        told = AuditRecord(
            kind="repair",
            at=now,
            detail=detail,
            batch_id=batch_id,
            partition=partition,
            reason=reason,
        )
        transaction.produce(AUDIT, PARTITION, [notice(told)])
        transaction.commit_offsets(
            {TopicPartition(topic, partition): to for topic, to in offsets.items()}
        )
