"""The topics' card: which cluster, which topics by identity, and which life of them this is.

Law: whoever opens the log compares the topics with the card. A topic that was deleted and created
anew gives its offsets out again; what knows the old ones (state, store) would take other records
for those. So it is refused until a person begins a new epoch.

The card is the newest record of a compacted topic with one partition.
"""

from datetime import timedelta
from typing import Final

import msgspec

from streams.clock import Deadline
from streams.kafka_clients import (
    KafkaClients,
    KafkaError,
    KafkaException,
    KafkaMessage,
    TopicPartition,
)
from streams.kafka_errors import answered
from streams.kafka_settings import KafkaSettings
from streams.log import Busy, LogDamaged
from streams.topics import CARD

KEY: Final = b"card"
PROBE: Final = b"clock"
ANSWER: Final = timedelta(seconds=15)
_BEGINNING: Final = -2


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What was true of the topics when they were last applied; identities by name, unprefixed."""

    cluster: str
    epoch: int
    partitions: int
    topics: dict[str, str]


def read_card(clients: KafkaClients, settings: KafkaSettings) -> Card | None:
    """Return the card, None before there is one (the topic itself must be there)."""
    name = settings.prefix + CARD
    found = answered(lambda: _newest(clients, settings, name), f"{name}: reading the topics' card")
    if found is None:
        return None
    try:
        return msgspec.json.decode(found, type=Card)
    except msgspec.DecodeError:
        raise LogDamaged(f"{name}: the topics' card cannot be read") from None


def _newest(clients: KafkaClients, settings: KafkaSettings, name: str) -> bytes | None:
    reader = clients.consumer(settings.reader())
    found: bytes | None = None
    limit = Deadline(ANSWER)
    try:
        reader.assign([TopicPartition(name, 0, _BEGINNING)])
        while limit.seconds_left():
            for message in reader.consume(100, 0.2):
                error = message.error()
                if error is None:
                    found = message.value() if message.key() == KEY else found
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    return found
                else:
                    raise KafkaException(error)
    finally:
        reader.close()
    raise Busy(f"{name}: no broker answers")


def write_card(clients: KafkaClients, settings: KafkaSettings, card: Card) -> None:
    """Make this the card."""
    _write(clients, settings, KEY, msgspec.json.encode(card))


def broker_time(clients: KafkaClients, settings: KafkaSettings) -> int:
    """Return what time it is for a broker, in milliseconds: that of a record it takes now."""
    return _write(clients, settings, PROBE, b"{}")


def _write(clients: KafkaClients, settings: KafkaSettings, key: bytes, value: bytes) -> int:
    """Write a record to the card's topic; return the time it was given."""
    name = settings.prefix + CARD
    return answered(lambda: _produced(clients, settings, name, key, value), f"{name}: writing")


def _produced(
    clients: KafkaClients, settings: KafkaSettings, name: str, key: bytes, value: bytes
) -> int:
    problems: list[KafkaError] = []
    times: list[int] = []

    def delivered(error: KafkaError | None, message: KafkaMessage) -> None:
        if error is None:
            times.append(message.timestamp()[1])
        else:
            problems.append(error)

    producer = clients.producer(settings.producer(), on_error=lambda _: None)
    producer.produce(name, value, key, 0, on_delivery=delivered)
    producer.flush(ANSWER.total_seconds())
    for problem in problems:
        raise KafkaException(problem)
    if not times:
        raise Busy(f"{name}: no broker took a record")
    return times[0]
