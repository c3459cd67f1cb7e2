"""Results put straight into a store, as if the log had carried them: for tests of what reads it.

Records are inserted the way the sink inserts them, at the next offsets of partition 0, so a row
here has the shape that a real one has. The builders fill what a test does not name.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import msgspec

from processors.results import (
    BatchRecord,
    Cause,
    ContactRecord,
    CurrencyAmount,
    Entry,
    LedgerRecord,
    OrderRecord,
)
from processors.statement import ORDER_LINES
from sinks.framing import framed
from sinks.rows import SOURCES
from sinks.store import Store
from sinks.targets import insert_statement
from streams import topics
from streams.facts import Day, Millis
from streams.log import Record

TOPIC_OF = {source.record: topic for topic, source in SOURCES.items()}


def at(text: str) -> Millis:
    """Return an instant written like `2024-03-31 00:30`, in UTC, as milliseconds."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def day(text: str) -> Day:
    """Return a date written like `2024-03-31` as days since 1970-01-01."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def sold(line: str, amount_minor: int, when: str, **other: Any) -> Entry:
    """Build what an order brought to a line; it stands with contact c1 unless told otherwise."""
    fields: dict[str, Any] = {"order_id": "o1", "contact_id": "c1", "product_class": "product"}
    return _entry(line, amount_minor, when, fields | other)


def control(line: str, amount_minor: int, when: str, **other: Any) -> Entry:
    """Build an entry of a control line."""
    return _entry(line, amount_minor, when, {"basis": "control", "order_id": "o1"} | other)


def cost(line: str, amount_minor: int, when: str, **other: Any) -> Entry:
    """Build a cost or fee: no order brought it."""
    return _entry(line, amount_minor, when, {"contact_id": "c1"} | other)


def spread(line: str, amount_minor: int, when: str, start: str, end: str, **other: Any) -> Entry:
    """Build an amount that is earned over the days [start, end)."""
    fields: dict[str, Any] = {
        "basis": "accrued",
        "order_id": "" if line == "C5" else "o1",
        "product_class": "" if line == "C5" else "maintenance",
        "term_start": day(start),
        "term_end": day(end),
        "spread_minor": amount_minor,
    }
    return _entry(line, amount_minor, when, fields | other)


def _entry(line: str, amount_minor: int, when: str, fields: dict[str, Any]) -> Entry:
    plain = {"basis": "booked", "currency": "GBP"}
    return Entry(line=line, amount_minor=amount_minor, effective_at=at(when), **(plain | fields))


def chain(contact_id: str, ended_at: str, **other: Any) -> ContactRecord:
    """Build a handled chain of an identified customer, five minutes long, lookback 30 days."""
    end = at(ended_at)
    fields: dict[str, Any] = {
        "customer_id": "k",
        "version": 1,
        "started_at": end - 300_000,
        "ended_at": end,
        "matures_at": end + 30 * 86_400_000,
        "identified": True,
        "handled": True,
        "abandoned": False,
        "outcome": "unknown",
        "legs": 1,
        "channel": "voice",
        "direction": "inbound",
        "kind": "service",
        "queue": "billing",
        "talk_ms": 240_000,
        "hold_ms": 20_000,
        "wrap_ms": 40_000,
        "wait_ms": 5_000,
        "cost_currency": "GBP",
        "cost_minor": 0,
        "fee_minor": 0,
    }
    return ContactRecord(contact_id=contact_id, **(fields | other))


def told(record: ContactRecord, entries: Sequence[Entry]) -> ContactRecord:
    """Return a chain's record with the money that the entries hold for it, as the laws demand."""
    credited: dict[str, int] = {}
    cost_minor = fee_minor = 0
    for entry in entries:
        if entry.contact_id != record.contact_id:
            continue
        if entry.line in ORDER_LINES and entry.order_id:
            credited[entry.currency] = credited.get(entry.currency, 0) + entry.amount_minor
        elif entry.line in ORDER_LINES and entry.currency == record.cost_currency:
            fee_minor += entry.amount_minor
        elif entry.line in ("C1", "C3", "C4") and entry.currency == record.cost_currency:
            cost_minor += entry.amount_minor
    return msgspec.structs.replace(
        record,
        cost_minor=cost_minor,
        fee_minor=fee_minor,
        credits=tuple(
            CurrencyAmount(currency=currency, amount_minor=amount)
            for currency, amount in sorted(credited.items())
        ),
    )


def order(
    order_id: str, kind: str, net_effect_minor: int, occurred_at: str, **other: Any
) -> OrderRecord:
    """Build an accepted order fact."""
    fields: dict[str, Any] = {
        "customer_id": "k",
        "version": 1,
        "currency": "GBP",
        "identified": True,
    }
    return OrderRecord(
        order_id=order_id,
        kind=kind,
        net_effect_minor=net_effect_minor,
        occurred_at=at(occurred_at),
        **(fields | other),
    )


class Books:
    """Lays result records into a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.epoch = 1
        self._offsets = count()

    def put(self, *records: msgspec.Struct) -> None:
        """Insert records of any result topics."""
        by_topic: dict[str, list[bytes]] = {}
        for record in records:
            by_topic.setdefault(TOPIC_OF[type(record)], []).append(msgspec.json.encode(record))
        for topic, values in by_topic.items():
            self._insert(topic, [(next(self._offsets), value) for value in values])

    def book(
        self,
        *entries: Entry,
        customer_id: str = "k",
        booked_at: str = "2024-06-01",
        cause: str = "",
    ) -> None:
        """Insert entries, each caused by a fact of its own."""
        self.put(
            *(
                LedgerRecord(
                    customer_id=customer_id,
                    booked_at=at(booked_at),
                    cause=Cause(
                        fact="order" if entry.order_id else "contact",
                        id=cause or entry.order_id or entry.contact_id or "cost",
                        revision=0,
                        topic=topics.ORDERS if entry.order_id else topics.CONTACTS,
                        partition=2,
                        offset=70 + place,
                    ),
                    batch_id="b1",
                    policy="p1",
                    entries=(entry,),
                )
                for place, entry in enumerate(entries)
            )
        )

    def lay(
        self, chains: Sequence[ContactRecord], entries: Sequence[Entry], customer_id: str = "k"
    ) -> None:
        """Insert entries, and chains whose records say what the entries do."""
        self.put(*(told(each, entries) for each in chains))
        self.book(*entries, customer_id=customer_id)

    def as_of(self, text: str) -> None:
        """Insert a batch that says event time has come this far."""
        self.put(
            BatchRecord(
                batch_id=f"as of {text}",
                partition=0,
                sources=(),
                out_rows=0,
                out_sum_minor=0,
                event_time_max=at(text),
                logged_at_max=at(text),
                code_version="test",
                policy="p1",
            )
        )

    def _insert(self, topic: str, values: Sequence[tuple[int, bytes]]) -> None:
        source = SOURCES[topic]
        records = [Record(topic, 0, offset, 0, None, value) for offset, value in values]
        lines = framed(records).decode()
        for target in source.targets:
            self.store.command(
                insert_statement(target, "format(JSONEachRow, {structure:String}, {lines:String})"),
                {"structure": source.structure, "lines": lines, "epoch": self.epoch},
            )
