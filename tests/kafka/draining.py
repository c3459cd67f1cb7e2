"""When everything is processed, and when all of it is in a store."""

from collections.abc import Callable

from confluent_kafka import ConsumerGroupState

from streams.kafka_log import KafkaLog
from streams.log import Busy, TopicPartition
from streams.topics import INPUT_NAMES
from tests.support.kafka_broker import Cluster
from tests.support.waiting import until

GROUP = "journeys"


def is_drained(log: KafkaLog, group: str = GROUP) -> bool:
    """Return whether a group has committed all there is of the inputs, which have no holes."""
    try:
        committed = log.committed(group)
        ends = {topic: log.end_offsets(topic) for topic in INPUT_NAMES}
    except Busy:
        return False
    return all(
        committed.get(TopicPartition(topic, number), 0) == end
        for topic, of_topic in ends.items()
        for number, end in of_topic.items()
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
