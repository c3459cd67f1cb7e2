"""The one place that imports the Kafka client library, and what our code asks of it.

Law: the log is built on `KafkaClients`, never on the library, so a broker in memory can stand
behind the very same code; what crosses this line are the library's own value types (messages,
errors, partitions), with the library's own meaning.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import Any, Final, Protocol, TypeAlias

import confluent_kafka
from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

__all__ = (
    "OFFSET_INVALID",
    "AdminClient",
    "AlterConfigOpType",
    "Assigned",
    "ConfigEntry",
    "ConfigResource",
    "IsolationLevel",
    "KafkaClients",
    "KafkaConsumerClient",
    "KafkaError",
    "KafkaException",
    "KafkaMessage",
    "KafkaProducerClient",
    "LibrdkafkaClients",
    "NewTopic",
    "ResourceType",
    "TopicCollection",
    "TopicPartition",
    "earliest_offset",
    "latest_offset",
)


def latest_offset() -> Any:  # noqa: ANN401 - opaque
    """Return the specification of a partition's end for `list_offsets`."""
    return OffsetSpec.latest()  # type: ignore[no-untyped-call]


def earliest_offset() -> Any:  # noqa: ANN401 - opaque
    """Return the specification of a partition's oldest offset for `list_offsets`."""
    return OffsetSpec.earliest()  # type: ignore[no-untyped-call]


GRACE_SECONDS: Final = 1.0
"""What a call may take beyond its own time limit."""
CLOSE_SECONDS: Final = 5.0
"""How long the close of a consumer is waited for; it takes milliseconds."""
OFFSET_INVALID: Final = -1001
"""What `committed` answers for a partition in which a group has committed nothing."""


class KafkaMessage(Protocol):
    """A record as the library hands it over, or an error in the place of one."""

    def topic(self) -> str | None:
        """Return the topic."""
        ...

    def partition(self) -> int | None:
        """Return the partition."""
        ...

    def offset(self) -> int | None:
        """Return the offset."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Return (kind of time, milliseconds)."""
        ...

    def key(self) -> bytes | None:
        """Return the key."""
        ...

    def value(self) -> bytes | None:
        """Return the value."""
        ...

    def headers(self) -> Any:  # noqa: ANN401 - a list of pairs, or none
        """Return the headers as a list of (name, value), or None."""
        ...

    def error(self) -> KafkaError | None:
        """Return the error that this stands for; None if it is a record."""
        ...


Assigned: TypeAlias = Callable[[Any, list[TopicPartition]], None]


class KafkaConsumerClient(Protocol):
    """What we use of `confluent_kafka.Consumer`."""

    def subscribe(
        self, topics: list[str], on_assign: Assigned, on_revoke: Assigned, on_lost: Assigned
    ) -> None:
        """Join the group; the callbacks come from within `consume`, `poll` and `close`."""
        ...

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read these partitions from the offsets they name."""
        ...

    def unassign(self) -> None:
        """Read nothing."""
        ...

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Hand out no more records of these partitions until `resume`."""
        ...

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Hand out records of these partitions again."""
        ...

    def consume(self, num_messages: int, timeout: float) -> Sequence[KafkaMessage]:
        """Return up to so many messages; fewer once the timeout passed."""
        ...

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Return the group's committed offsets; waits for a commit that is under way."""
        ...

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return the offsets that will be read next."""
        ...

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> Any:  # noqa: ANN401
        """Return (oldest offset, end), from what was last read if `cached`; None after time."""
        ...

    def consumer_group_metadata(self) -> Any:  # noqa: ANN401 - opaque
        """Return what proves membership in a generation of the group."""
        ...

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:  # noqa: ANN401
        """Return the cluster's metadata."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class KafkaProducerClient(Protocol):
    """What we use of `confluent_kafka.Producer`."""

    def init_transactions(self, timeout: float) -> None:
        """Fence former producers of this id and end what they left open."""
        ...

    def begin_transaction(self) -> None:
        """Open a transaction."""
        ...

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        *,
        on_delivery: Callable[[KafkaError | None, Any], None] | None = None,
        headers: Any = None,  # noqa: ANN401
    ) -> None:
        """Queue a record. BufferError when the queue is full."""
        ...

    def poll(self, timeout: float) -> int:
        """Serve callbacks."""
        ...

    def flush(self, timeout: float) -> int:
        """Wait until the queue is sent; return how many records are left."""
        ...

    def purge(self) -> None:
        """Forget what is queued and in flight."""
        ...

    def send_offsets_to_transaction(
        self,
        positions: list[TopicPartition],
        group_metadata: Any,  # noqa: ANN401
        timeout: float,
    ) -> None:
        """Make the group's offsets part of the transaction."""
        ...

    def commit_transaction(self, timeout: float) -> None:
        """Commit."""
        ...

    def abort_transaction(self, timeout: float) -> None:
        """Abort."""
        ...


class KafkaClients(Protocol):
    """Makes clients from librdkafka properties."""

    def consumer(self, config: Mapping[str, object]) -> KafkaConsumerClient:
        """Return a consumer."""
        ...

    def producer(
        self,
        config: Mapping[str, object],
        on_error: Callable[[KafkaError], None],
        on_statistics: Callable[[str], None] | None = None,
    ) -> KafkaProducerClient:
        """Return a producer; the callbacks come from within its calls."""
        ...

    def admin(self, config: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Return an `AdminClient`, to be kept in a name while its futures run."""
        ...

    def partition_of(self, key: bytes, partitions: int) -> int:
        """Return the partition that our producers, and the JVM's, put a key into."""
        ...


class _Call:
    """A call of the library in a thread of its own, which ends with the process at the latest."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._done = Event()
        self._raised: Exception | None = None
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._call()
        except Exception as raised:  # noqa: BLE001 - raised again where it is waited for
            self._raised = raised
        finally:
            self._done.set()

    def is_done(self, seconds: float) -> bool:
        """Wait so long for its end, raise what it raised; return whether it has ended."""
        ended = self._done.wait(seconds)
        if self._raised is not None:
            raise self._raised
        return ended


class _Producer(confluent_kafka.Producer):
    """The library's, with an end to the one call that may never return.

    `send_offsets_to_transaction` forgets its time limit while the group's coordinator is being
    looked for (confluentinc/librdkafka#5456, #5511). It raises _TIMED_OUT then, and going on takes
    a new producer.
    """

    _sending: _Call | None = None

    def send_offsets_to_transaction(
        self,
        positions: list[TopicPartition],
        group_metadata: Any,  # noqa: ANN401
        timeout: float = -1,
    ) -> None:
        """Make the group's offsets part of the transaction; a call that goes on is waited for."""
        if self._sending is None:
            send = super().send_offsets_to_transaction
            self._sending = _Call(lambda: send(positions, group_metadata, timeout))
        sending = self._sending
        try:
            ended = sending.is_done(timeout + GRACE_SECONDS)
        except KafkaException:
            self._sending = None
            raise
        if not ended:
            raise KafkaException(
                KafkaError(KafkaError._TIMED_OUT, "the group's coordinator was not found in time")  # noqa: SLF001
            )
        self._sending = None


class _Consumer(confluent_kafka.Consumer):
    """The library's, with an end to the other call that may never return.

    `close` has hung where the cluster was unwell (confluentinc/confluent-kafka-python#1667). It
    goes on in its thread then; whoever closes a consumer asks nothing of it any more.
    """

    def close(self) -> None:
        """Leave the group, or stop reading; callbacks come in another thread, awaited here."""
        _Call(super().close).is_done(CLOSE_SECONDS)


class LibrdkafkaClients:
    """The clients of the library, on a real cluster."""

    def __init__(self, log: Any = None) -> None:  # noqa: ANN401 - a `logging.Logger`
        self._log: dict[str, object] = {} if log is None else {"logger": log}

    def consumer(self, config: Mapping[str, object]) -> KafkaConsumerClient:
        """Return a consumer."""
        made: KafkaConsumerClient = _Consumer({**config, **self._log})
        return made

    def producer(
        self,
        config: Mapping[str, object],
        on_error: Callable[[KafkaError], None],
        on_statistics: Callable[[str], None] | None = None,
    ) -> KafkaProducerClient:
        """Return a producer; the callbacks come from within its calls."""
        callbacks: dict[str, object] = {"error_cb": on_error}
        if on_statistics is not None:
            callbacks["stats_cb"] = on_statistics
        made: KafkaProducerClient = _Producer({**config, **callbacks, **self._log})
        return made

    def admin(self, config: Mapping[str, object]) -> AdminClient:
        """Return an `AdminClient`."""
        return AdminClient({name: str(value) for name, value in config.items()})

    def partition_of(self, key: bytes, partitions: int) -> int:
        """Return the partition that our producers, and the JVM's, put a key into."""
        return int(confluent_kafka.murmur2(key, partitions))
