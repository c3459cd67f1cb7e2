"""What fault tests feed the workers: seeded histories of many customers, as records.

Every customer has a small history made to collide (tests/properties/histories.py), in an order of
its own, with repetitions, revisions and refunds; some records are poison or contradict one before.
The log's time is given with each record, so that two clusters or prefixes hold the same input.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

import msgspec

from processors.policy import Policy
from streams.codec import decode, encode
from streams.facts import Fact, Order
from streams.invalid import Invalid
from streams.topics import CONTACTS, COSTS, ORDERS, RESOLUTIONS, STATES, TOPICS
from tests.properties.histories import ALL, Kinds, history_by, shuffled_by
from tests.support.facts import BASE, DAY
from tests.support.kafka_broker import Cluster
from tests.support.kafka_plain import producer
from tests.support.stored import TOPIC_OF

POLICY: Final = Policy()
LOGGED_AT: Final = BASE + 100 * DAY
POISON: Final = (b"", b"{", b'{"event_id":1}', b"\xff\xfe", b"[" * 5_000, b'{"amount_minor":1e400}')
IDS: Final = (
    "event_id",
    "contact_id",
    "chain_id",
    "case_id",
    "transfer_of",
    "order_id",
    "refund_of",
)
"""Fields of a history whose values must belong to one customer alone."""


class Sent(NamedTuple):
    """A record to be appended to an input topic, and the log's time of it."""

    topic: str
    key: bytes
    value: bytes
    logged_at: int = LOGGED_AT


def own(fact: Fact, number: int) -> Fact:
    """Return a fact whose identities no other customer has."""
    known = {name: getattr(fact, name, None) for name in IDS}
    mine = {name: f"{value}-{number}" for name, value in known.items() if value is not None}
    return msgspec.structs.replace(fact, **mine)


def load(seed: int, customers: int, kinds: Kinds = ALL, first: int = 0) -> list[Sent]:
    """Return the records of so many customers, mixed; the same for the same seed."""
    dice = Random(seed)
    queues = [list(_records(dice, number, kinds)) for number in range(first, first + customers)]
    mixed = [queue for queue in queues for _ in queue]
    dice.shuffle(mixed)
    at = {id(queue): iter(queue) for queue in queues}
    return [
        next(at[id(queue)])._replace(logged_at=LOGGED_AT + number)
        for number, queue in enumerate(mixed)
    ]


def by_topic(records: Iterable[Sent]) -> list[list[Sent]]:
    """Return the records of each topic: sent one topic after the other, their order is fixed."""
    held = list(records)
    return [
        [record for record in held if record.topic == topic]
        for topic in (CONTACTS, ORDERS, COSTS, RESOLUTIONS)
    ]


def send(bootstrap: str, prefix: str, records: Sequence[Sent]) -> None:
    """Append records; return when every copy has them."""
    sender = producer(bootstrap, acks="all", enable_idempotence=True, partitioner="murmur2_random")
    for topic, key, value, logged_at in records:
        sender.produce(prefix + topic, value, key, timestamp=logged_at)
        sender.poll(0)
    assert sender.flush(60) == 0


def _records(dice: Random, number: int, kinds: Kinds) -> Iterator[Sent]:
    key = f"k{number}"
    history = [
        (key, own(fact, number))
        for _, fact in history_by(dice.choice, kinds, (key,))
        if dice.random() < 0.05 or _is_valid(key, fact)
    ]
    for _, fact in shuffled_by(dice, history):
        topic = TOPIC_OF[type(fact)]
        yield Sent(topic, key.encode(), encode(fact))
        if dice.random() < 0.01:
            yield Sent(topic, key.encode(), dice.choice(POISON))
        if isinstance(fact, Order) and dice.random() < 0.05:
            other = msgspec.structs.replace(fact, occurred_at=fact.occurred_at + 1)
            yield Sent(topic, key.encode(), encode(other))


def _is_valid(key: str, fact: Fact) -> bool:
    found = decode(TOPIC_OF[type(fact)], key.encode(), encode(fact), LOGGED_AT)
    return not isinstance(found, Invalid)


def create_topics(
    cluster: Cluster, prefix: str, partitions: int = 2, state: Mapping[str, str] | None = None
) -> None:
    """Create every topic under a prefix: kept for ever, since the load is of long ago."""
    configs: dict[str, Mapping[str, str]] = {name: {"retention.ms": "-1"} for name in TOPICS}
    configs |= {name: {"cleanup.policy": "compact"} | dict(state or {}) for name in STATES.values()}
    cluster.create_all({prefix + name: each for name, each in configs.items()}, partitions)
