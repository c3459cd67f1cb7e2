"""What each topic and broker must be set to, and which money a wrong setting would lose.

Law: every setting that a promise rests on has a rule here, and a rule says why: the sentence is
what a person reads who has set it otherwise. This module asks nobody; it judges facts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from streams.grammar import VALUE_BYTES_MAX
from streams.kafka_cluster import ClusterFacts, TopicFacts
from streams.kafka_settings import MESSAGE_BYTES_MAX
from streams.topics import CARD, INPUTS, STATES, TOPICS, Topic

Role: TypeAlias = Literal["input", "keep", "compact", "expire", "state", "card"]

DAY_MS: Final = 86_400_000
FOR_EVER: Final = -1
STATE_TOMBSTONE_MS: Final = 7 * DAY_MS
DOWNTIME_MS: Final = 7 * DAY_MS
"""How long workers may stand still without losing a fact: a week, like a broker's own default."""
OFFSETS_KEPT_DAYS: Final = 30
COPIES: Final = 3
assert VALUE_BYTES_MAX < MESSAGE_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A setting that is not as it must be.

    `grave`: records or state can be lost, so workers do not start; else it is a warning. `wanted`
    is empty where the setting cannot be changed by us. `cure` is what a person does.
    """

    where: str
    setting: str
    found: str
    wanted: str
    why: str
    cure: str
    grave: bool

    @property
    def sentence(self) -> str:
        """Say what is wrong, what it costs and what to do."""
        return f"{self.where}: {self.setting} is {self.found}: {self.why}; {self.cure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one setting of a topic must be: `wanted` when we create it, `holds` when we find it."""

    setting: str
    wanted: str
    holds: Callable[[str], bool]
    why: str
    grave: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the topics are wanted: counts are of all topics but the card, which has one partition."""

    partitions: int
    replication: int
    input_retention_ms: int
    horizon_ms: int
    transaction_timeout: timedelta


def role_of(topic: Topic) -> Role:
    """Return by which rules a topic of the table is kept."""
    return "input" if topic in INPUTS else topic.policy


ROLES: Final[dict[str, Role]] = (
    {topic.name: role_of(topic) for topic in TOPICS.values()}
    | dict.fromkeys(STATES.values(), "state")
    | {CARD: "card"}
)
"""Every topic on the cluster, by which rules it is kept."""

_LOSS: Final[dict[Role, str]] = {
    "input": "a customer's older facts would vanish before they are booked",
    "keep": "older entries would vanish: the store could not be filled anew, nor its sums checked",
    "compact": "the latest state of a quiet order or contact would vanish from a store filled anew",
    "expire": "records of a key would hide each other",
    "state": "customers who were quiet for the retention would be forgotten, and what is booked "
    "for them would be booked again",
    "card": "nobody could tell any more that a topic was created anew",
}


def rules(name: str, wish: Wish) -> tuple[Rule, ...]:
    """Return the rules of a topic."""
    role = ROLES[name]
    policy = "compact" if role in ("compact", "state", "card") else "delete"
    return (
        Rule(
            setting="cleanup.policy",
            wanted=policy,
            holds=lambda found: found == policy,
            why=_LOSS[role],
        ),
        *_retention(name, role, wish),
        *_common(wish),
        *(_state() if role == "state" else ()),
    )


def _retention(name: str, role: Role, wish: Wish) -> Iterator[Rule]:
    if role == "keep":
        yield Rule(
            setting="retention.ms", wanted="-1", holds=lambda v: int(v) < 0, why=_LOSS["keep"]
        )
    elif role == "input":
        yield Rule(
            setting="retention.ms",
            wanted=str(wish.input_retention_ms),
            holds=lambda v: int(v) < 0 or int(v) >= DOWNTIME_MS,
            why="facts would be deleted before they are booked if the workers stood still for a "
            "week",
        )
    elif role == "expire":
        topic = TOPICS[name]
        assert topic.retention_days is not None
        yield Rule(
            setting="retention.ms",
            wanted=str(topic.retention_days * DAY_MS),
            holds=lambda v: int(v) < 0 or int(v) >= DOWNTIME_MS,
            why=topic.loss,
            grave=False,
        )
    if role in ("keep", "input", "expire"):
        yield Rule(
            setting="retention.bytes",
            wanted="-1",
            holds=lambda v: int(v) < 0,
            why="a burst would delete records however young: " + _LOSS[role],
            grave=role != "expire",
        )


def _common(wish: Wish) -> Iterator[Rule]:
    insync = min(2, wish.replication)
    yield Rule(
        setting="min.insync.replicas",
        wanted=str(insync),
        holds=lambda v: int(v) >= insync,
        why="a record would be acknowledged with one copy; the loss of that broker loses the money "
        "in it",
    )
    yield Rule(
        setting="unclean.leader.election.enable",
        wanted="false",
        holds=lambda v: v == "false",
        why="a broker that lagged behind could become leader, and what was acknowledged and "
        "reported would be gone",
    )
    yield Rule(
        setting="max.message.bytes",
        wanted=str(MESSAGE_BYTES_MAX),
        holds=lambda v: int(v) >= MESSAGE_BYTES_MAX,
        why=f"what a fact of {VALUE_BYTES_MAX:,} bytes causes would not fit, and its partition "
        "would stand still",
    )
    yield Rule(
        setting="message.timestamp.type",
        wanted="LogAppendTime",
        holds=lambda v: v == "LogAppendTime",
        why="a source's clock would decide when a fact counts as known, and a fact with an old "
        "time would be deleted before it is booked",
    )
    yield Rule(
        setting="compression.type",
        wanted="producer",
        holds=lambda v: v == "producer",
        why="brokers would compress again what is compressed",
        grave=False,
    )


def _state() -> Iterator[Rule]:
    yield Rule(
        setting="delete.retention.ms",
        wanted=str(STATE_TOMBSTONE_MS),
        holds=lambda v: int(v) >= DAY_MS,
        why="a worker that reads on after a pause would miss what was removed and refuse its state",
    )
    yield Rule(
        setting="segment.bytes",
        wanted=str(64 << 20),
        holds=lambda v: int(v) <= 256 << 20,
        why="the newest segment is never compacted, so taking over a partition would take long",
        grave=False,
    )
    yield Rule(
        setting="min.cleanable.dirty.ratio",
        wanted="0.1",
        holds=lambda v: float(v) <= 0.5,
        why="old states would stay, so taking over a partition would take long",
        grave=False,
    )


def topic_wrongs(name: str, shown: str, facts: TopicFacts, wish: Wish) -> Iterator[Wrong]:
    """Yield what is wrong with a topic; `shown` is its name on the cluster."""
    for rule in rules(name, wish):
        found = facts.settings.get(rule.setting, "not told")
        if found == "not told" or not rule.holds(found):
            yield Wrong(
                where=shown,
                setting=rule.setting,
                found=found,
                wanted=rule.wanted,
                why=rule.why,
                cure=f"set it to {rule.wanted}, or run `pnl topics apply --correct`",
                grave=rule.grave,
            )
    wanted = 1 if name == CARD else wish.partitions
    if facts.partitions != wanted:
        yield Wrong(
            where=shown,
            setting="its partition count",
            found=str(facts.partitions),
            wanted="",
            why=f"the others have {wanted}, so a customer's contacts and orders would meet in no "
            "worker, and no order would be credited",
            cure="create the topics anew with equal counts, or set [log] partitions to what all "
            "have",
            grave=True,
        )
    if facts.copies < wish.replication:
        yield Wrong(
            where=shown,
            setting="its replication",
            found=str(facts.copies),
            wanted="",
            why=f"[log] replication asks for {wish.replication} copies, and fewer brokers may fail",
            cure="reassign its partitions to more brokers, or set [log] replication",
            grave=False,
        )
    if ROLES[name] == "input":
        yield from _short_memory(shown, facts, wish)


def _short_memory(shown: str, facts: TopicFacts, wish: Wish) -> Iterator[Wrong]:
    kept = int(facts.settings.get("retention.ms", FOR_EVER))
    if DOWNTIME_MS <= kept < wish.horizon_ms:
        yield Wrong(
            where=shown,
            setting="retention.ms",
            found=str(kept),
            wanted="",
            why=f"it is shorter than the horizon of {wish.horizon_ms // DAY_MS} days, so what is "
            "booked cannot be worked out again from the facts should a state be lost",
            cure="set it to the horizon or more, unless the facts are kept elsewhere",
            grave=False,
        )


def broker_wrongs(cluster: ClusterFacts, wish: Wish) -> Iterator[Wrong]:
    """Yield what is wrong with the brokers' settings, or that they could not be seen."""
    if cluster.settings is None:
        yield _broker(
            "what they are set to",
            "not told",
            "whether transactions and groups are kept long enough cannot be seen",
            "let a user with DescribeConfigs on the cluster run `pnl doctor` once",
            grave=False,
        )
    settings = cluster.settings or {}
    timeout_ms = wish.transaction_timeout // timedelta(milliseconds=1)
    longest = settings.get("transaction.max.timeout.ms")
    if longest is not None and int(longest) < timeout_ms:
        yield _broker(
            "transaction.max.timeout.ms",
            longest,
            "no worker can open a transaction",
            f"raise it, or set [log] transaction_timeout_ms to {longest} at most",
        )
    if settings.get("transaction.partition.verification.enable") == "false":
        yield _broker(
            "transaction.partition.verification.enable",
            "false",
            "a late record of a dead worker could stay undecided and hold every reader up",
            "switch it on",
        )
    minutes = settings.get("offsets.retention.minutes")
    if minutes is not None and int(minutes) < OFFSETS_KEPT_DAYS * 24 * 60:
        yield _broker(
            "offsets.retention.minutes",
            minutes,
            f"a group whose workers all stand still for {int(minutes) // 1440} days is forgotten; "
            "they would then refuse to start until a person says where to go on",
            "set it to 525600, a year",
            grave=False,
        )
    if settings.get("auto.create.topics.enable") == "true":
        yield _broker(
            "auto.create.topics.enable",
            "true",
            "a topic that was deleted or mistyped comes back empty, with one partition and the "
            "wrong settings",
            "switch it off",
            grave=False,
        )
    wanted = min(COPIES, cluster.brokers)
    for name, facts in cluster.topics.items():
        if name.startswith("__") and facts.copies < wanted:
            yield Wrong(
                where=name,
                setting="its replication",
                found=str(facts.copies),
                wanted="",
                why="with the broker that holds it, all groups' places are lost",
                cure=f"reassign its partitions to {wanted} brokers",
                grave=False,
            )


def client_wrongs(client: Mapping[str, str]) -> Iterator[Wrong]:
    """Yield what is wrong with the properties that a person set for our clients."""
    produced = int(client.get("message.max.bytes", MESSAGE_BYTES_MAX))
    fetched = min(
        int(client.get("fetch.max.bytes", MESSAGE_BYTES_MAX)),
        int(client.get("receive.message.max.bytes", MESSAGE_BYTES_MAX)),
    )
    if not VALUE_BYTES_MAX < produced <= MESSAGE_BYTES_MAX:
        yield _client(
            "message.max.bytes",
            str(produced),
            "a record that we may have to write is larger, or one that we would write is larger "
            "than the topics take: its partition would stand still",
            f"leave it out; ours is {MESSAGE_BYTES_MAX}",
        )
    if fetched < MESSAGE_BYTES_MAX:
        yield _client(
            "fetch.max.bytes, receive.message.max.bytes",
            str(fetched),
            "records may be larger than what is fetched at once",
            f"set both to {MESSAGE_BYTES_MAX} or more, or leave them out",
        )
    unchecked = client.get("ssl.endpoint.identification.algorithm") == "none"
    if unchecked or client.get("enable.ssl.certificate.verification") == "false":
        yield _client(
            "TLS",
            "not checked",
            "whoever stands between can read and change every record",
            "let the certificate and the host's name be checked",
            grave=False,
        )


def _client(setting: str, found: str, why: str, cure: str, *, grave: bool = True) -> Wrong:
    return Wrong(
        where="[log.client]",
        setting=setting,
        found=found,
        wanted="",
        why=why,
        cure=cure,
        grave=grave,
    )


def _broker(setting: str, found: str, why: str, cure: str, *, grave: bool = True) -> Wrong:
    return Wrong(
        where="brokers", setting=setting, found=found, wanted="", why=why, cure=cure, grave=grave
    )
