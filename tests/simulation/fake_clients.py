"""All clients of one process, on the broker in memory: stands where `LibrdkafkaClients` does."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
    murmur2,
)
from confluent_kafka.admin import ListOffsetsResultInfo, OffsetSpec

from tests.simulation.fake_consumer import FakeConsumer, Whims, call, metadata_of
from tests.simulation.fake_producer import FakeProducer, held
from tests.simulation.network import Network
from tests.simulation.pace import Process


class FakeAdmin:
    """What we use of `AdminClient`."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._broker = network.broker
        self._process = process

    @held
    def list_offsets(
        self,
        asked: Mapping[TopicPartition, Any],
        *,
        isolation_level: Any = IsolationLevel.READ_UNCOMMITTED,
        request_timeout: float = -1,
    ) -> dict[TopicPartition, "Future[ListOffsetsResultInfo]"]:
        """Return a future of the offset for each partition."""
        stable = isolation_level is IsolationLevel.READ_COMMITTED

        def look(at: TopicPartition, which: Any) -> int:
            log = self._broker.partition((at.topic, at.partition))
            if which is OffsetSpec.earliest():
                return log.entries[0].offset if log.entries else log.end
            return log.stable if stable else log.end

        futures = {}
        for at, which in asked.items():
            future: Future[ListOffsetsResultInfo] = Future()
            try:
                offset = call(
                    self._network,
                    self._process,
                    "ListOffsets",
                    lambda at=at, which=which: look(at, which),  # type: ignore[misc]
                    request_timeout,
                )
            except KafkaException as raised:
                future.set_exception(raised)
            else:
                future.set_result(ListOffsetsResultInfo(offset, -1, -1))
            futures[at] = future
        return futures

    @held
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        """Return the cluster's metadata."""
        return call(
            self._network,
            self._process,
            "Metadata",
            lambda: metadata_of(self._broker.topics, topic),
            timeout,
        )


class FakeClients:
    """Makes the clients of one process.

    With `replaces` a producer of the same transactional id destroys the one before: nobody in the
    process holds that any longer.
    """

    def __init__(
        self,
        network: Network,
        process: Process,
        whims: Whims | None = None,
        *,
        replaces: bool = False,
    ) -> None:
        self._replaces = replaces
        self._network = network
        self._process = process
        self._whims = whims
        self._count = 0
        self._producers: dict[str, FakeProducer] = {}

    def consumer(self, config: Mapping[str, object]) -> FakeConsumer:
        """Return a consumer."""
        self._process.assert_alive()
        self._count += 1
        name = f"{self._process.name}-c{self._count}"
        return FakeConsumer(self._network, self._process, config, name, self._whims)

    def producer(
        self,
        config: Mapping[str, object],
        on_error: Callable[[KafkaError], None],
        on_statistics: Callable[[str], None] | None = None,
    ) -> FakeProducer:
        """Return a producer."""
        self._process.assert_alive()
        name = str(config.get("transactional.id", ""))
        if self._replaces and name in self._producers:
            self._producers[name].destroy()
        made = FakeProducer(self._network, self._process, config, on_error, on_statistics)
        if name:
            self._producers[name] = made
        return made

    def admin(self, config: Mapping[str, object]) -> FakeAdmin:  # noqa: ARG002
        """Return a client that asks about topics."""
        self._process.assert_alive()
        return FakeAdmin(self._network, self._process)

    def partition_of(self, key: bytes, partitions: int) -> int:
        """Return the partition that our producers put a key into."""
        return int(murmur2(key, partitions))
