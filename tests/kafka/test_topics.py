"""The topics on a real broker: created as they must be, and every wrong setting told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from streams.kafka_card import Card, broker_time, read_card, write_card
from streams.kafka_clients import LibrdkafkaClients
from streams.kafka_rules import DAY_MS, ROLES, Wish, rules
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import KafkaTopics, TopicsRefused
from streams.topics import CARD, JOURNEYS_STATE, LEDGER, ORDERS
from tests.support.kafka_broker import Cluster
from tests.support.waiting import until

WISH = Wish(
    partitions=2,
    replication=1,
    input_retention_ms=400 * DAY_MS,
    horizon_ms=400 * DAY_MS,
    transaction_timeout=timedelta(seconds=12),
)
CLIENTS = LibrdkafkaClients()


def settings_of(cluster: Cluster, prefix: str) -> KafkaSettings:
    """Return the settings of a log that this test has alone."""
    return KafkaSettings(client={"bootstrap.servers": cluster.bootstrap}, prefix=prefix)


@pytest.fixture
def topics(cluster: Cluster, prefix: str) -> KafkaTopics:
    """Return topics that are not there yet."""
    return KafkaTopics(settings_of(cluster, prefix), CLIENTS, WISH)


@pytest.fixture
def applied(topics: KafkaTopics) -> KafkaTopics:
    """Return topics that were created."""
    topics.apply(correct=False, new_epoch=False, say=lambda _: None)
    return topics


def delete(cluster: Cluster, topic: str) -> None:
    """Delete a topic, and return once it is gone."""
    admin = cluster.admin()
    admin.delete_topics([topic])[topic].result(10)
    until(lambda: topic not in admin.list_topics(timeout=10).topics, 10, f"{topic} is gone")


def grave(topics: KafkaTopics) -> dict[tuple[str, str], str]:
    """Return what may lose records: the sentence by topic and setting."""
    return {(wrong.where, wrong.setting): wrong.sentence for wrong in topics.check().grave}


def test_before_anything_is_created_every_topic_is_missing(topics: KafkaTopics) -> None:
    """A check creates nothing, and says what to run."""
    assert len(grave(topics)) == len(ROLES)
    assert all("pnl topics apply" in sentence for sentence in grave(topics).values())
    for ask in (topics.opened, topics.card):
        with pytest.raises(TopicsRefused, match="run `pnl topics apply`"):
            ask()


def test_what_is_created_is_as_it_must_be(topics: KafkaTopics) -> None:
    """Nothing is wrong after a first `apply`, and a second one does nothing."""
    said: list[str] = []
    checked = topics.apply(correct=False, new_epoch=False, say=said.append)
    assert checked.grave == ()
    assert len(said) == len(ROLES) + 1
    assert topics.opened() == topics.card() == checked.card
    assert checked.card is not None
    assert (checked.card.epoch, checked.card.partitions) == (1, 2)
    said.clear()
    topics.apply(correct=True, new_epoch=False, say=said.append)
    assert said == []


WRONG_SETTINGS: tuple[tuple[str, Mapping[str, str]], ...] = (
    (JOURNEYS_STATE, {"cleanup.policy": "compact,delete"}),
    (LEDGER, {"retention.ms": "604800000"}),
    (ORDERS, {"unclean.leader.election.enable": "true"}),
)


def test_wrong_settings_are_told_and_corrected_only_when_asked(
    cluster: Cluster, prefix: str
) -> None:
    """Topic, setting, loss and cure are named; workers refuse it; `correct` says what it sets."""
    topics = KafkaTopics(settings_of(cluster, prefix), CLIENTS, WISH)
    for name, wrong in WRONG_SETTINGS:
        right = {rule.setting: rule.wanted for rule in rules(name, WISH)}
        cluster.create(prefix + name, 2, right | wrong)
    checked = topics.apply(correct=False, new_epoch=False, say=lambda _: None)
    assert {(wrong.where, wrong.setting, wrong.found) for wrong in checked.grave} == {
        (prefix + name, setting, found)
        for name, wrong in WRONG_SETTINGS
        for setting, found in wrong.items()
    }
    with pytest.raises(TopicsRefused, match=r"unclean\.leader\.election\.enable is true"):
        topics.opened()
    said: list[str] = []
    topics.apply(correct=True, new_epoch=False, say=said.append)
    assert len(said) == len(WRONG_SETTINGS)
    assert all("because" in each for each in said)
    until(lambda: grave(topics) == {}, 10, "the settings are corrected")


def test_unequal_partition_counts_are_refused(cluster: Cluster, prefix: str) -> None:
    """A customer's facts would not meet; a count is never changed by us."""
    cluster.create(prefix + ORDERS, 3)
    topics = KafkaTopics(settings_of(cluster, prefix), CLIENTS, WISH)
    topics.apply(correct=True, new_epoch=False, say=lambda _: None)
    until(lambda: len(grave(topics)) == 1, 10, "the settings are corrected")
    assert "no order would be credited" in grave(topics)[prefix + ORDERS, "its partition count"]


def test_a_topic_created_anew_needs_a_new_epoch(
    applied: KafkaTopics, cluster: Cluster, prefix: str
) -> None:
    """Its offsets are given out again: nobody goes on until a person begins a new epoch."""
    delete(cluster, prefix + ORDERS)
    with pytest.raises(TopicsRefused, match="is gone"):
        applied.apply(correct=False, new_epoch=False, say=lambda _: None)
    assert "--new-epoch" in grave(applied)[prefix + ORDERS, "the topic"]
    cluster.create(prefix + ORDERS, 2, {rule.setting: rule.wanted for rule in rules(ORDERS, WISH)})
    with pytest.raises(TopicsRefused, match="created anew"):
        applied.opened()
    with pytest.raises(TopicsRefused, match="deleted and created anew"):
        applied.apply(correct=True, new_epoch=False, say=lambda _: None)
    applied.apply(correct=False, new_epoch=True, say=lambda _: None)
    assert applied.opened().epoch == 2


def test_a_topic_that_a_later_release_adds_needs_no_new_epoch(
    applied: KafkaTopics, cluster: Cluster, prefix: str
) -> None:
    """What the card does not name is new, not created anew."""
    settings = settings_of(cluster, prefix)
    card = read_card(CLIENTS, settings)
    assert card is not None
    known = {name: each for name, each in card.topics.items() if name != LEDGER}
    delete(cluster, prefix + LEDGER)
    write_card(CLIENTS, settings, Card(cluster=card.cluster, epoch=1, partitions=2, topics=known))
    applied.apply(correct=False, new_epoch=False, say=lambda _: None)
    assert applied.opened().epoch == 1


def test_more_copies_than_brokers_are_refused(cluster: Cluster, prefix: str) -> None:
    """Before anything is created, in one sentence."""
    topics = KafkaTopics(settings_of(cluster, prefix), CLIENTS, replace(WISH, replication=3))
    with pytest.raises(TopicsRefused, match="has 1 brokers"):
        topics.apply(correct=False, new_epoch=False, say=lambda _: None)
    assert prefix + CARD not in cluster.admin().list_topics(timeout=10).topics


def test_the_brokers_time_can_be_asked(applied: KafkaTopics, cluster: Cluster, prefix: str) -> None:
    """A record tells what time it is for the broker; the card stays as it is."""
    before = broker_time(CLIENTS, settings_of(cluster, prefix))
    after = broker_time(CLIENTS, settings_of(cluster, prefix))
    assert before <= after < before + 60_000
    assert applied.opened().epoch == 1
