"""When everything is processed, and when all of it is in a store."""

from collections.abc import Callable

from confluent_kafka import ConsumerGroupState

from streams.kafka_log import KafkaLog
from streams.log import TopicPartition
from streams.topics import INPUT_NAMES
from tests.support.kafka_broker import Cluster
from tests.support.waiting import until

GROUP = "journeys"


def is_drained(log: KafkaLog, group: str = GROUP) -> bool:
    """Return whether a group has committed all there is of the inputs, which have no holes."""
    committed = log.committed(group)
    return all(
        committed.get(TopicPartition(topic, number), 0) == end
        for topic in INPUT_NAMES
        for number, end in log.end_offsets(topic).items()
    )


def await_drained(log: KafkaLog, seconds: float = 60) -> None:
    """Return once all there is of the inputs is processed and committed."""
    until(lambda: is_drained(log), seconds, "all input is processed")


def await_members(
    cluster: Cluster,
    prefix: str,
    count: int,
    unless: Callable[[], bool] = lambda: False,
    seconds: float = 60,
) -> None:
    """Return once a group is stable with so many members, or something else has happened."""
    admin = cluster.admin()
    group = prefix + GROUP

    def is_so() -> bool:
        if unless():
            return True
        found = admin.describe_consumer_groups([group])[group].result(10)
        return len(found.members) == count and found.state == ConsumerGroupState.STABLE

    until(is_so, seconds, f"{group} has {count} members")
