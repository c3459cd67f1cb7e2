"""Result records with sensible fields, and a log to append them to without journeys."""

from typing import Any, Final

import msgspec

from processors.results import Cause, ContactRecord, Entry, LedgerRecord
from streams.log import EventLog, Outgoing
from streams.topics import LEDGER
from tests.support.facts import BASE

CAUSE: Final = Cause(fact="order", id="o1", revision=0, topic="orders", partition=0, offset=7)


def entry(amount_minor: int, **other: Any) -> Entry:
    """Build an entry of in-contact sales at noon of 2024-03-01."""
    fields: dict[str, Any] = {
        "line": "A1a",
        "basis": "booked",
        "currency": "GBP",
        "effective_at": BASE,
    }
    return Entry(amount_minor=amount_minor, **(fields | other))


def ledger_record(*entries: Entry, **other: Any) -> LedgerRecord:
    """Build a ledger record of customer k."""
    fields: dict[str, Any] = {
        "customer_id": "k",
        "booked_at": BASE + 5,
        "cause": CAUSE,
        "batch_id": "b1",
        "policy": "p1",
    }
    return LedgerRecord(entries=entries, **(fields | other))


def contact_record(contact_id: str, version: int, **other: Any) -> ContactRecord:
    """Build the record of a handled chain of customer k."""
    fields: dict[str, Any] = {
        "customer_id": "k",
        "started_at": BASE,
        "ended_at": BASE + 1,
        "matures_at": BASE + 2,
        "identified": True,
        "handled": True,
        "abandoned": False,
        "outcome": "resolved",
        "legs": 1,
        "channel": "voice",
        "direction": "inbound",
        "kind": "service",
        "queue": "billing",
        "talk_ms": 1,
        "hold_ms": 2,
        "wrap_ms": 3,
        "wait_ms": 4,
        "cost_currency": "GBP",
        "cost_minor": -5,
        "fee_minor": 0,
    }
    return ContactRecord(contact_id=contact_id, version=version, **(fields | other))


def put(log: EventLog, topic: str, *records: msgspec.Struct, key: bytes = b"k") -> None:
    """Append result records under one key, as journeys would."""
    log.append(topic, [Outgoing(key, msgspec.json.encode(record)) for record in records])


def book(log: EventLog, *entries: Entry, key: bytes = b"k") -> None:
    """Append a ledger record of some entries."""
    put(log, LEDGER, ledger_record(*entries), key=key)
