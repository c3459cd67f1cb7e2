"""What a topic, a broker and our clients must be set to: every wrong setting has its sentence."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from streams.kafka_cluster import ClusterFacts, TopicFacts
from streams.kafka_rules import (
    DAY_MS,
    ROLES,
    Wish,
    Wrong,
    broker_wrongs,
    client_wrongs,
    rules,
    topic_wrongs,
)
from streams.topics import (
    ATTRIBUTIONS,
    BATCHES,
    CARD,
    COSTS,
    DEAD_LETTERS,
    JOURNEYS_STATE,
    LEDGER,
    ORDERS,
    STATES,
    TOPICS,
)

WISH = Wish(
    partitions=8,
    replication=3,
    input_retention_ms=400 * DAY_MS,
    horizon_ms=400 * DAY_MS,
    transaction_timeout=timedelta(seconds=12),
)


def facts(name: str, settings: Mapping[str, str]) -> TopicFacts:
    """Return a topic as we create it, but for some settings."""
    wanted = {rule.setting: rule.wanted for rule in rules(name, WISH)}
    return TopicFacts(
        identity="one", partitions=1 if name == CARD else 8, copies=3, settings=wanted | settings
    )


def wrongs(name: str, topic: TopicFacts) -> list[Wrong]:
    """Return what is wrong with a topic."""
    return list(topic_wrongs(name, f"x.{name}", topic, WISH))


@pytest.mark.parametrize("name", ROLES)
def test_what_we_create_breaks_no_rule(name: str) -> None:
    """Every topic has a cleanup policy, copies that are awaited, room, and no unclean election."""
    assert wrongs(name, facts(name, {})) == []
    settings = {rule.setting for rule in rules(name, WISH)}
    assert settings >= {
        "cleanup.policy", "min.insync.replicas", "unclean.leader.election.enable",
        "max.message.bytes", "message.timestamp.type",
    }  # fmt: skip


def test_every_topic_has_its_rules() -> None:
    """The table of topics, the state and the card are all there is on the cluster."""
    assert ROLES.keys() == {*TOPICS, *STATES.values(), CARD}


GRAVE = {
    (JOURNEYS_STATE, "cleanup.policy", "compact,delete"): "would be booked again",
    (JOURNEYS_STATE, "cleanup.policy", "delete"): "would be booked again",
    (JOURNEYS_STATE, "delete.retention.ms", "1000"): "refuse its state",
    (LEDGER, "cleanup.policy", "compact"): "the store could not be filled anew",
    (LEDGER, "retention.ms", "604800000"): "older entries would vanish",
    (LEDGER, "retention.bytes", "1000000000"): "older entries would vanish",
    (BATCHES, "retention.ms", "604800000"): "older entries would vanish",
    (ATTRIBUTIONS, "cleanup.policy", "compact,delete"): "would vanish from a store filled anew",
    (ORDERS, "cleanup.policy", "compact"): "would vanish before they are booked",
    (ORDERS, "retention.ms", "86400000"): "deleted before they are booked",
    (COSTS, "retention.bytes", "1000000"): "however young",
    (COSTS, "message.timestamp.type", "CreateTime"): "a source's clock would decide",
    (LEDGER, "unclean.leader.election.enable", "true"): "what was acknowledged",
    (LEDGER, "min.insync.replicas", "1"): "acknowledged with one copy",
    (LEDGER, "max.message.bytes", "1048588"): "would stand still",
}


@pytest.mark.parametrize("case", GRAVE, ids=lambda case: "-".join(case[:2]))
def test_a_setting_that_loses_money_is_grave_and_says_how(case: tuple[str, str, str]) -> None:
    """One sentence: topic, setting, what is lost, what to do."""
    name, setting, found = case
    (wrong,) = wrongs(name, facts(name, {setting: found}))
    assert wrong.grave
    assert wrong.sentence.startswith(f"x.{name}: {setting} is {found}: ")
    assert GRAVE[case] in wrong.sentence
    assert f"set it to {wrong.wanted}, or run `pnl topics apply --correct`" in wrong.sentence


SMALL = {
    (ORDERS, "retention.ms", str(30 * DAY_MS)): "shorter than the horizon of 400 days",
    (DEAD_LETTERS, "retention.ms", "3600000"): "before a person has looked",
    (DEAD_LETTERS, "retention.bytes", "1000"): "however young",
    (JOURNEYS_STATE, "segment.bytes", "1073741824"): "would take long",
    (JOURNEYS_STATE, "min.cleanable.dirty.ratio", "0.9"): "would take long",
    (LEDGER, "compression.type", "gzip"): "compress again",
}


@pytest.mark.parametrize("case", SMALL, ids=lambda case: "-".join(case[:2]))
def test_what_only_costs_time_is_a_warning(case: tuple[str, str, str]) -> None:
    """Workers start all the same."""
    name, setting, found = case
    (wrong,) = wrongs(name, facts(name, {setting: found}))
    assert not wrong.grave
    assert SMALL[case] in wrong.sentence


def test_longer_and_more_is_never_wrong() -> None:
    """A person may keep facts for ever, take larger records and wait for more copies."""
    more = {"retention.ms": "-1", "max.message.bytes": "99999999", "min.insync.replicas": "3"}
    assert wrongs(ORDERS, facts(ORDERS, more)) == []


def test_a_setting_that_is_not_told_is_not_taken_for_right() -> None:
    """Without the right to see settings nothing can be promised."""
    topic = replace(facts(LEDGER, {}), settings={})
    assert {wrong.found for wrong in wrongs(LEDGER, topic)} == {"not told"}


def test_counts_and_copies_are_looked_at() -> None:
    """Unequal partitions are grave, fewer copies than asked for are a warning."""
    (count,) = wrongs(ORDERS, replace(facts(ORDERS, {}), partitions=6))
    (copies,) = wrongs(ORDERS, replace(facts(ORDERS, {}), copies=2))
    assert (count.grave, copies.grave) == (True, False)
    assert "no order would be credited" in count.sentence


BROKERS = {
    ("transaction.max.timeout.ms", "5000"): ("no worker can open a transaction", True),
    ("transaction.partition.verification.enable", "false"): ("hold every reader up", True),
    ("offsets.retention.minutes", "10080"): ("for 7 days is forgotten", False),
    ("auto.create.topics.enable", "true"): ("comes back empty", False),
}


@pytest.mark.parametrize("case", BROKERS, ids=lambda case: case[0])
def test_brokers_settings_are_looked_at(case: tuple[str, str]) -> None:
    """Those that the protocol rests on, by name."""
    cluster = ClusterFacts(identity="c", brokers=3, settings=dict([case]), topics={})
    (wrong,) = broker_wrongs(cluster, WISH)
    sentence, grave = BROKERS[case]
    assert wrong.sentence.startswith(f"brokers: {case[0]} is {case[1]}: ")
    assert (sentence in wrong.sentence, wrong.grave) == (True, grave)


def test_brokers_that_may_not_be_asked_are_a_warning() -> None:
    """A worker need not have rights on the cluster; somebody should look once."""
    (wrong,) = broker_wrongs(ClusterFacts(identity="c", brokers=3, settings=None, topics={}), WISH)
    assert not wrong.grave
    assert "DescribeConfigs" in wrong.cure


def test_internal_topics_with_one_copy_are_told() -> None:
    """With the broker that holds them, every group's place is lost."""
    internal = replace(facts(LEDGER, {}), copies=1)
    cluster = ClusterFacts(
        identity="c", brokers=3, settings={}, topics={"__consumer_offsets": internal}
    )
    (wrong,) = broker_wrongs(cluster, WISH)
    assert wrong.where == "__consumer_offsets"
    assert list(broker_wrongs(replace(cluster, brokers=1), WISH)) == []


CLIENTS: dict[tuple[str, str], bool] = {
    ("message.max.bytes", "1000000"): True,
    ("message.max.bytes", "99999999"): True,
    ("fetch.max.bytes", "1000000"): True,
    ("receive.message.max.bytes", "1000000"): True,
    ("ssl.endpoint.identification.algorithm", "none"): False,
    ("enable.ssl.certificate.verification", "false"): False,
}


@pytest.mark.parametrize("case", CLIENTS, ids=lambda case: "-".join(case))
def test_properties_a_person_set_are_looked_at(case: tuple[str, str]) -> None:
    """What we may write must fit what is sent, kept and fetched; TLS must check."""
    (wrong,) = client_wrongs(dict([case]))
    assert wrong.grave == CLIENTS[case]
    assert list(client_wrongs({"bootstrap.servers": "x"})) == []
