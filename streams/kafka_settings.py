"""What a Kafka log is told: where the cluster is, who this worker is, how long it may take.

Law: every property that exactly-once rests on is set here, by name, and cannot be overridden; any
other librdkafka property passes through as it was given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final

MESSAGE_BYTES_MAX: Final = 8 << 20
"""What a record may hold: all that a fact of the largest size causes, and more."""

RETRY_BACKOFF: Final = timedelta(milliseconds=500)
"""How long the client waits before it sends a request again: long enough to tell by the clock."""
STATISTICS_INTERVAL: Final = timedelta(milliseconds=200)
_MS: Final = timedelta(milliseconds=1)

OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "group.id": "the group is the worker's",
        "group.protocol": "the rebalance rules below belong to the classic protocol",
        "partition.assignment.strategy": "only `range` gives every topic the same partitions",
        "isolation.level": "reading uncommitted records would book what never happened",
        "enable.auto.commit": "offsets are committed with the outputs or not at all",
        "enable.auto.offset.store": "offsets are committed with the outputs or not at all",
        "auto.offset.reset": "a lost offset must stop the worker, not skip or repeat records",
        "check.crcs": "a damaged record must be noticed",
        "transactional.id": "it names the worker's slot: set log.slot",
        "transaction.timeout.ms": "set log.transaction_timeout_ms",
        "enable.idempotence": "without it a retry writes a record twice",
        "partitioner": "all producers must agree on the partition of a customer",
        "group.instance.id": "static membership lets a dead worker keep its partitions",
        "enable.partition.eof": "readers need to know where a partition ends",
        "statistics.interval.ms": "its counters tell when a commit was sent twice",
        "retry.backoff.ms": "by it we know that a quick commit was sent only once",
    }
)
"""Properties that a person may not set, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How to reach a cluster and what this process is in it.

    `client` are librdkafka properties (`bootstrap.servers`, `security.protocol`, …). `slot` names
    this worker among those of its group and must be the same after a restart: a second worker in
    the same slot fences the first. `prefix` stands before every topic, group and transactional id.
    `states` maps a group to the compacted topic of its state. `epoch` is which life of the topics
    this is: raised by hand when they are created anew. `said` is told what a person should know.
    """

    client: Mapping[str, str]
    slot: str = "0"
    prefix: str = ""
    epoch: int = 1
    states: Mapping[str, str] = field(default_factory=dict)
    transaction_timeout: timedelta = timedelta(seconds=12)
    gather: timedelta = timedelta(milliseconds=40)
    """How long a batch is gathered after its first record, unless it fills sooner."""
    repairing: bool = False
    """Whether state that contradicts the committed offsets is taken as it is, to be repaired."""
    said: Callable[[str], None] = lambda _: None

    def consumer(self, group: str) -> dict[str, object]:
        """Return the properties of the owner of a group's partitions."""
        return {
            **self._session(),
            **self.client,
            "group.id": self.prefix + group,
            "group.protocol": "classic",
            "partition.assignment.strategy": "range",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "check.crcs": True,
            "enable.partition.eof": False,
        }

    def reader(self) -> dict[str, object]:
        """Return the properties of a reader without a group."""
        return {
            **self.consumer("reader"),
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }

    def producer(self) -> dict[str, object]:
        """Return the properties of a producer whose records stand alone."""
        return {
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "message.max.bytes": MESSAGE_BYTES_MAX,
            **self.client,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
        }

    def transactional(self, group: str) -> dict[str, object]:
        """Return the properties of the producer that commits for a group in this slot."""
        return {
            **self.producer(),
            "transactional.id": f"{self.prefix}{group}-{self.slot}",
            "transaction.timeout.ms": self.transaction_timeout // _MS,
            "statistics.interval.ms": STATISTICS_INTERVAL // _MS,
            "retry.backoff.ms": RETRY_BACKOFF // _MS,
            "retry.backoff.max.ms": 2 * RETRY_BACKOFF // _MS,
        }

    def admin(self) -> dict[str, object]:
        """Return the properties of a client that asks about topics and groups."""
        return {"log_level": 3, **self.client}

    def _session(self) -> dict[str, object]:
        """Return what a person may set otherwise."""
        return {"session.timeout.ms": 45_000, "max.poll.interval.ms": 300_000}
