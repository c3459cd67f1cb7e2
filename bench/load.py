"""The load: a generated mix of facts, and what it must come to.

70 % contacts, 10 % resolutions, 18 % orders and refunds, 2 % costs over one year; one customer
for every 20 facts. What it must come to is added up from the facts alone.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pnl.simulator import generate
from processors.policy import ChannelRate, Policy
from streams.codec import encode
from streams.facts import Order, key_of

SEED = 7
FACTS_PER_CUSTOMER = 20
POLICY = Policy(
    channels={
        "voice": ChannelRate(per_contact_minor=12, per_minute_minor=3),
        "chat": ChannelRate(per_contact_minor=5),
        "email": ChannelRate(per_contact_minor=4),
    }
)


@dataclass(slots=True)
class Expected:
    """What a load must come to: facts, and orders, refunds, adjustments in minor units."""

    facts: int = 0
    orders_minor: int = 0
    refunds_minor: int = 0
    adjustments_minor: int = 0
    customers: set[str] = field(default_factory=set)

    @property
    def net_minor(self) -> int:
        """Net order revenue, but for what cancellations took back."""
        return self.orders_minor + self.refunds_minor + self.adjustments_minor

    def add(self, fact: object) -> None:
        """Count a fact."""
        self.facts += 1
        if not isinstance(fact, Order):
            return
        total = sum(line.amount_minor for line in fact.lines)
        if fact.kind == "sale":
            self.orders_minor += total
        elif fact.kind == "adjustment":
            self.adjustments_minor += total
        elif fact.kind != "cancellation":  # what that takes back is not in the fact
            self.refunds_minor -= total


def facts(events: int) -> Iterator[tuple[str, bytes, bytes, Expected]]:
    """Yield (topic, key, value, expected so far) in event-time order."""
    expected = Expected()
    for topic, fact in generate(max(1, events // FACTS_PER_CUSTOMER), events, SEED).events():
        key = key_of(fact)
        expected.add(fact)
        expected.customers.add(key)
        yield topic, key.encode(), encode(fact), expected


def partition_of(key: bytes, partitions: int) -> int:
    """Return a key's partition."""
    return zlib.crc32(key) % partitions
