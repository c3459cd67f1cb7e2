"""What is asked about the offsets of partitions, so that an answer can be relied on.

Law: an offset is returned that the leader of the partition said, or KafkaException is raised. The
client library has two ways of saying neither: an offset below 0, where it knew no leader, and an
error for ever, where it once heard of too few partitions from a broker that had just come back.
"""

from collections.abc import Mapping
from typing import Any, Final

from streams.kafka_clients import (
    AdminClient,
    IsolationLevel,
    KafkaConsumerClient,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from streams.kafka_errors import error_of, is_leaderless

ANSWER_SECONDS: Final = 10.0


def listed(
    admin: AdminClient, asked: Mapping[TopicPartition, Any], isolation: IsolationLevel
) -> dict[int, int]:
    """Return the offset asked for, oldest or next, of each partition number of one topic."""
    futures: Mapping[TopicPartition, Any] = admin.list_offsets(
        dict(asked), isolation_level=isolation, request_timeout=ANSWER_SECONDS
    )
    found = {place.partition: int(done.result().offset) for place, done in futures.items()}
    if min(found.values(), default=0) < 0:
        raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
    return found


def watermarks(client: KafkaConsumerClient, place: TopicPartition) -> tuple[int, int]:
    """Return the oldest and the next offset of a partition."""
    try:
        found: tuple[int, int] | None = client.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
    except KafkaException as raised:
        if is_leaderless(error_of(raised)):
            client.list_topics(place.topic, timeout=ANSWER_SECONDS)  # it looks at the topic again
        raise
    if found is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
    if min(found) < 0:
        raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
    return found
