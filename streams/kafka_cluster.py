"""What a cluster says about itself: topics, identities, groups and settings.

Law: asking changes nothing; what could not be asked is an error, never taken for an answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from streams.kafka_clients import (
    AdminClient,
    ConfigResource,
    KafkaError,
    KafkaException,
    ResourceType,
    TopicCollection,
)
from streams.kafka_errors import answered

ANSWER_SECONDS: Final = 15.0
INTERNAL: Final = ("__consumer_offsets", "__transaction_state")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFacts:
    """A topic as it is. `copies` is that of its partition with the fewest."""

    identity: str
    partitions: int
    copies: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """A group as its coordinator sees it; `assignor` is empty while nobody is in it."""

    members: int
    assignor: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """A cluster as it is; topics and groups by the names they have there.

    `settings` are those of the broker asked, None where this user may not see them; all brokers of
    a cluster should have the same.
    """

    identity: str
    brokers: int
    settings: Mapping[str, str] | None
    topics: Mapping[str, TopicFacts]


def read_cluster(admin: AdminClient, names: Iterable[str]) -> ClusterFacts:
    """Return what there is of these topics, and of the internal ones. Busy or LogFailed without."""
    wanted = {*names, *INTERNAL}
    return answered(lambda: _cluster(admin, wanted), "asking the cluster about its topics")


def read_groups(admin: AdminClient, names: Iterable[str]) -> dict[str, GroupFacts]:
    """Return who is in these groups."""
    wanted = list(names)
    return answered(lambda: _groups(admin, wanted), "asking the cluster about its groups")


def _cluster(admin: AdminClient, names: set[str]) -> ClusterFacts:
    described: Any = admin.describe_cluster(request_timeout=ANSWER_SECONDS).result()
    present = sorted(names & set(admin.list_topics(timeout=ANSWER_SECONDS).topics))
    return ClusterFacts(
        identity=str(described.cluster_id),
        brokers=len(described.nodes),
        settings=_broker_settings(admin, str(described.nodes[0].id)),
        topics=_topics(admin, present) if present else {},
    )


def _broker_settings(admin: AdminClient, node: str) -> dict[str, str] | None:
    try:
        return _settings(admin, [ConfigResource(ResourceType.BROKER, node)])[node]
    except KafkaException as raised:
        if raised.args[0].code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return None
        raise


def _groups(admin: AdminClient, names: list[str]) -> dict[str, GroupFacts]:
    found = {}
    for name, future in admin.describe_consumer_groups(
        names, request_timeout=ANSWER_SECONDS
    ).items():
        group = future.result()
        found[name] = GroupFacts(
            members=len(group.members),
            assignor=group.partition_assignor or "",
            protocol=getattr(group.type, "name", str(group.type)).lower(),
        )
    return found


def _topics(admin: AdminClient, names: list[str]) -> dict[str, TopicFacts]:
    described = admin.describe_topics(TopicCollection(names), request_timeout=ANSWER_SECONDS)
    settings = _settings(admin, [ConfigResource(ResourceType.TOPIC, name) for name in names])
    found = {}
    for name, future in described.items():
        try:
            topic = future.result()
        except KafkaException as raised:
            if raised.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue  # gone since the list was made, or new to the broker asked
            raise
        if name not in settings:
            continue
        found[name] = TopicFacts(
            identity=str(topic.topic_id),
            partitions=len(topic.partitions),
            copies=min(len(partition.replicas) for partition in topic.partitions),
            settings=settings[name],
        )
    return found


def _settings(admin: AdminClient, resources: list[ConfigResource]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for resource, future in admin.describe_configs(
        resources, request_timeout=ANSWER_SECONDS
    ).items():
        try:
            entries = future.result().values()
        except KafkaException as raised:
            if raised.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            raise
        found[resource.name] = {
            entry.name: entry.value
            for entry in entries
            if entry.value is not None and not entry.is_sensitive
        }
    return found
