"""Creates the topics and sees that they are as they must be.

Law: what is there is never changed without being told what and why, its partition count never at
all: a customer's key would move. A topic that is not the one of the card is never taken for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from streams.clock import Deadline, pause
from streams.kafka_card import Card, read_card, write_card
from streams.kafka_clients import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    KafkaClients,
    KafkaError,
    KafkaException,
    NewTopic,
    ResourceType,
)
from streams.kafka_cluster import ClusterFacts, read_cluster
from streams.kafka_errors import answered
from streams.kafka_rules import (
    ROLES,
    Wish,
    Wrong,
    broker_wrongs,
    client_wrongs,
    rules,
    topic_wrongs,
)
from streams.kafka_settings import KafkaSettings
from streams.log import LogFailed
from streams.topics import CARD

CREATED: Final = timedelta(seconds=60)
LOOK_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 30.0


class TopicsRefused(Exception):
    """The topics cannot be used as they are; the sentence names topic, reason and cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found: the card (None before the first `apply`), and what is wrong."""

    card: Card | None
    cluster: ClusterFacts
    wrongs: tuple[Wrong, ...]

    @property
    def grave(self) -> tuple[Wrong, ...]:
        """What may lose records or state."""
        return tuple(wrong for wrong in self.wrongs if wrong.grave)


class KafkaTopics:
    """The topics of one log on a cluster."""

    def __init__(self, settings: KafkaSettings, clients: KafkaClients, wish: Wish) -> None:
        self._settings = settings
        self._clients = clients
        self._wish = wish
        self._names = {name: settings.prefix + name for name in ROLES}
        self._admin = clients.admin(settings.admin())

    def check(self) -> Checked:
        """Look at everything and change nothing. Busy or LogFailed when the cluster is silent."""
        return self._judged(read_cluster(self._admin, self._names.values()))

    def _judged(self, cluster: ClusterFacts) -> Checked:
        card = (
            read_card(self._clients, self._settings)
            if self._names[CARD] in cluster.topics
            else None
        )
        wrongs = [*client_wrongs(self._settings.client), *broker_wrongs(cluster, self._wish)]
        for name, shown in self._names.items():
            facts = cluster.topics.get(shown)
            if facts is None:
                wrongs.append(_missing(name, shown, card))
            else:
                wrongs += topic_wrongs(name, shown, facts, self._wish)
                if card is not None and card.topics.get(name, facts.identity) != facts.identity:
                    wrongs.append(_another(shown, card))
        if card is None and self._names[CARD] in cluster.topics:
            wrongs.append(_without_card(self._names[CARD]))
        elif card is not None and card.cluster != cluster.identity:
            wrongs.append(_other_cluster(card, cluster))
        return Checked(card=card, cluster=cluster, wrongs=tuple(wrongs))

    def apply(self, *, correct: bool, new_epoch: bool, say: Callable[[str], None]) -> Checked:
        """Create what is missing, and return what is wrong then.

        `correct` also sets every wrong setting that can be set; `new_epoch` accepts topics that
        were created anew. `say` is told each change, before it is made. Raises TopicsRefused where
        a person must decide first.
        """
        before = self.check()
        if not new_epoch:
            _assert_same_life(before, self._names)
        missing = [name for name, at in self._names.items() if at not in before.cluster.topics]
        if missing and before.cluster.brokers < self._wish.replication:
            raise TopicsRefused(
                f"the cluster has {before.cluster.brokers} brokers, [log] replication asks for "
                f"{self._wish.replication} copies: add brokers, or set it to 1 for trying out"
            )
        if missing:
            self._create(missing, say)
        if correct:
            self._correct(before, say)
        cluster = self._whole()
        card = self._card(before.card, cluster, new_epoch=new_epoch)
        if card != before.card:
            say(f"the card: epoch {card.epoch}, cluster {card.cluster}")
            write_card(self._clients, self._settings, card)
        return self._judged(cluster)

    def card(self) -> Card:
        """Return the card, for who only reads; TopicsRefused where there is none yet."""
        name = self._names[CARD]
        topics = answered(
            lambda: self._admin.list_topics(timeout=ANSWER_SECONDS).topics, "asking for the topics"
        )
        card = read_card(self._clients, self._settings) if name in topics else None
        if card is None:
            raise TopicsRefused(f"{name}: there is no card of the topics; run `pnl topics apply`")
        return card

    def opened(self) -> Card:
        """Return the card of topics that may be used; TopicsRefused says which may not and why."""
        checked = self.check()
        for wrong in checked.grave:
            raise TopicsRefused(wrong.sentence)
        assert checked.card is not None, "a log without a card has a grave wrong"
        return checked.card

    def _card(self, before: Card | None, cluster: ClusterFacts, *, new_epoch: bool) -> Card:
        return Card(
            cluster=cluster.identity,
            epoch=1 if before is None else before.epoch + (1 if new_epoch else 0),
            partitions=self._wish.partitions,
            topics={name: cluster.topics[shown].identity for name, shown in self._names.items()},
        )

    def _create(self, names: Sequence[str], say: Callable[[str], None]) -> None:
        new = []
        for name in names:
            shown, settings = self._names[name], {}
            for rule in rules(name, self._wish):
                settings[rule.setting] = rule.wanted
            count = 1 if name == CARD else self._wish.partitions
            told = ", ".join(f"{setting}={value}" for setting, value in sorted(settings.items()))
            say(f"{shown}: created with {count} partitions, {told}")
            new.append(NewTopic(shown, count, self._wish.replication, config=settings))

        def create() -> None:
            for future in self._admin.create_topics(new, request_timeout=ANSWER_SECONDS).values():
                try:
                    future.result()
                except KafkaException as raised:
                    if raised.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                        raise

        answered(create, "creating topics")
        limit = Deadline(CREATED)
        while not self._all_led(new):
            if not limit.seconds_left():
                raise LogFailed("the topics were created, but have no leaders after a minute")
            pause(LOOK_SECONDS)

    def _whole(self) -> ClusterFacts:
        """Return the facts once a broker tells all topics: each hears of new ones in its time."""
        limit = Deadline(CREATED)
        while True:
            cluster = read_cluster(self._admin, self._names.values())
            if set(self._names.values()) <= set(cluster.topics):
                return cluster
            if not limit.seconds_left():
                raise LogFailed("the topics were created, but a broker does not know them")
            pause(LOOK_SECONDS)

    def _all_led(self, topics: Sequence[NewTopic]) -> bool:
        found = self._admin.list_topics(timeout=ANSWER_SECONDS).topics
        return all(
            topic.topic in found
            and len(found[topic.topic].partitions) == topic.num_partitions
            and all(each.leader >= 0 for each in found[topic.topic].partitions.values())
            for topic in topics
        )

    def _correct(self, checked: Checked, say: Callable[[str], None]) -> None:
        """Set what is wrong and can be set, a topic at a time."""
        by_topic: dict[str, list[Wrong]] = {}
        for wrong in checked.wrongs:
            if wrong.wanted:
                by_topic.setdefault(wrong.where, []).append(wrong)
        for shown, wrongs in by_topic.items():
            for wrong in wrongs:
                say(f"{shown}: {wrong.setting} {wrong.found} → {wrong.wanted}, because {wrong.why}")
            resource = ConfigResource(
                ResourceType.TOPIC,
                shown,
                incremental_configs=[
                    ConfigEntry(
                        wrong.setting, wrong.wanted, incremental_operation=AlterConfigOpType.SET
                    )
                    for wrong in wrongs
                ],
            )
            answered(partial(self._alter, resource), f"changing {shown}")

    def _alter(self, resource: ConfigResource) -> None:
        futures = self._admin.incremental_alter_configs([resource], request_timeout=ANSWER_SECONDS)
        for future in futures.values():
            future.result()


def _assert_same_life(checked: Checked, names: Mapping[str, str]) -> None:
    """Refuse to go on with a log of which a topic is gone or another one."""
    card = checked.card
    if card is None:
        return
    for name, identity in card.topics.items():
        shown = names.get(name, name)
        facts = checked.cluster.topics.get(shown)
        if facts is None or facts.identity != identity:
            how = "is gone" if facts is None else "was deleted and created anew"
            raise TopicsRefused(
                f"{shown} {how} since the topics were applied, with all its records; if that was "
                "meant, begin a new epoch with `pnl topics apply --new-epoch`, with the state's "
                "topic and the store emptied too"
            )


def _missing(name: str, shown: str, card: Card | None) -> Wrong:
    gone = card is not None and name in card.topics
    return Wrong(
        where=shown,
        setting="the topic",
        found="gone" if gone else "missing",
        wanted="",
        why="its records are lost" if gone else "nothing can be written or read",
        cure="`pnl topics apply --new-epoch` creates it and begins a new epoch"
        if gone
        else "run `pnl topics apply`",
        grave=True,
    )


def _another(shown: str, card: Card) -> Wrong:
    return Wrong(
        where=shown,
        setting="the topic",
        found="another one than on the card",
        wanted="",
        why="it was deleted and created anew: its offsets are given out again, and state and store "
        "would take new records for old ones",
        cure=f"`pnl topics apply --new-epoch` ends epoch {card.epoch} and begins the next",
        grave=True,
    )


def _without_card(shown: str) -> Wrong:
    return Wrong(
        where=shown,
        setting="the topics' card",
        found="missing",
        wanted="",
        why="nobody could tell whether a topic was created anew",
        cure="run `pnl topics apply`",
        grave=True,
    )


def _other_cluster(card: Card, cluster: ClusterFacts) -> Wrong:
    return Wrong(
        where="the cluster",
        setting="its identity",
        found=cluster.identity,
        wanted="",
        why=f"the topics' card is of cluster {card.cluster}: these are copies, with offsets of "
        "their own",
        cure="begin a new epoch with `pnl topics apply --new-epoch`",
        grave=True,
    )
