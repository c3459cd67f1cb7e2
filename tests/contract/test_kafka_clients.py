"""What our log on Kafka relies on in the broker and its client library.

Here against the broker in memory, on which simulations run; `tests/kafka` runs the same against a
real one. So what the simulation takes for granted is what Kafka does.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from streams.kafka_clients import (
    OFFSET_INVALID,
    IsolationLevel,
    KafkaClients,
    KafkaConsumerClient,
    KafkaError,
    KafkaException,
    KafkaProducerClient,
    TopicPartition,
    earliest_offset,
    latest_offset,
)
from tests.simulation.broker import Broker
from tests.simulation.fake_clients import FakeClients
from tests.simulation.network import Network
from tests.simulation.pace import Process, VirtualPace

ANSWER = 10.0
SHORT = 0.3


class Kafka:
    """A broker with names of a test's own, and clients of it."""

    def __init__(
        self,
        clients: Callable[[], KafkaClients],
        client: dict[str, object],
        prefix: str,
        create: Callable[[str, int], None],
    ) -> None:
        self._clients = clients
        self._client = client
        self._prefix = prefix
        self._create = create
        self._consumers: list[KafkaConsumerClient] = []

    def topic(self, name: str = "topic", partitions: int = 1) -> str:
        """Create a topic; return its name there."""
        self._create(self._prefix + name, partitions)
        return self._prefix + name

    def producer(self, slot: str = "slot", **more: object) -> KafkaProducerClient:
        """Return a transactional producer that was not initialized."""
        named = {name.replace("_", "."): value for name, value in more.items()}
        config = {"transactional.id": self._prefix + slot, "transaction.timeout.ms": 30_000}
        return self._clients().producer({**self._client, **config, **named}, lambda _: None)

    def ready(self, slot: str = "slot", **more: object) -> KafkaProducerClient:
        """Return a transactional producer that was initialized."""
        producer = self.producer(slot, **more)
        producer.init_transactions(30)
        return producer

    def consumer(self, group: str = "group", **more: object) -> KafkaConsumerClient:
        """Return a consumer of committed records, which tells where partitions end."""
        named = {name.replace("_", "."): value for name, value in more.items()}
        config: dict[str, object] = {
            "group.id": self._prefix + group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "partition.assignment.strategy": "range",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 300,
            "max.poll.interval.ms": 6_000,
        }
        consumer = self._clients().consumer({**self._client, **config, **named})
        self._consumers.append(consumer)
        return consumer

    def reader(self, topic: str, start: int = 0, **more: object) -> KafkaConsumerClient:
        """Return a consumer that reads partition 0 of a topic, without a group."""
        consumer = self.consumer("reader", enable_partition_eof=True, **more)
        consumer.assign([TopicPartition(topic, 0, start)])
        return consumer

    def ends(self, topic: str) -> tuple[int, int, int]:
        """Return the oldest offset, the last stable one and the end of partition 0."""
        admin = self._clients().admin(self._client)

        def ask(which: Any, isolation: IsolationLevel) -> int:
            place = TopicPartition(topic, 0)
            asked = admin.list_offsets(
                {place: which}, isolation_level=isolation, request_timeout=ANSWER
            )
            return int(asked[place].result().offset)

        return (
            ask(earliest_offset(), IsolationLevel.READ_UNCOMMITTED),
            ask(latest_offset(), IsolationLevel.READ_COMMITTED),
            ask(latest_offset(), IsolationLevel.READ_UNCOMMITTED),
        )

    def close(self) -> None:
        """Close all consumers."""
        for consumer in self._consumers:
            consumer.close()


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    """Yield a broker in memory."""
    pace = VirtualPace()
    broker = Broker(pace, lambda: 0)
    broker.groups.counts = lambda topic: len(broker.topics.get(topic, ()))
    network, numbers = Network(pace, broker), count(1)
    opened = Kafka(
        lambda: FakeClients(network, Process(f"test-{next(numbers)}")), {}, "", broker.create
    )
    yield opened
    opened.close()


def send(producer: KafkaProducerClient, topic: str, *values: bytes) -> None:
    """Send records to partition 0 and wait until they are there."""
    for value in values:
        producer.produce(topic, value, b"key", 0)
    assert producer.flush(ANSWER) == 0


def commit(producer: KafkaProducerClient, topic: str, *values: bytes) -> None:
    """Write records to partition 0 in a transaction of their own."""
    producer.begin_transaction()
    send(producer, topic, *values)
    producer.commit_transaction(ANSWER)


def read(reader: KafkaConsumerClient) -> list[tuple[bytes | None, int]]:
    """Return (value, offset) up to the end that the reader is told."""
    found: list[tuple[bytes | None, int]] = []
    while True:
        for message in reader.consume(1, ANSWER):
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF
                return found
            found.append((message.value(), message.offset() or 0))


def refused(call: Callable[[], object]) -> KafkaError:
    """Return the error that a call raises."""
    with pytest.raises(KafkaException) as raised:
        call()
    error: KafkaError = raised.value.args[0]
    return error


def flags(error: KafkaError) -> tuple[str, bool, bool, bool]:
    """Return what a program judges an error by: name, fatal, retriable, to be aborted."""
    return error.name(), error.fatal(), error.retriable(), error.txn_requires_abort()


# What readers see


def test_the_end_of_a_transaction_takes_an_offset(kafka: Kafka) -> None:
    """Records of two transactions have a hole between them, and one behind the last."""
    topic, producer = kafka.topic(), kafka.ready()
    commit(producer, topic, b"a", b"b")
    commit(producer, topic, b"c")
    reader = kafka.reader(topic)
    assert read(reader) == [(b"a", 0), (b"b", 1), (b"c", 3)]
    assert kafka.ends(topic) == (0, 5, 5)


def test_a_reader_stands_behind_the_last_mark_when_it_is_told_the_end(kafka: Kafka) -> None:
    """Before anything was read it stands nowhere."""
    topic, producer = kafka.topic(), kafka.ready()
    commit(producer, topic, b"a")
    reader = kafka.reader(topic)
    (before,) = reader.position([TopicPartition(topic, 0)])
    read(reader)
    (after,) = reader.position([TopicPartition(topic, 0)])
    assert (before.offset, after.offset) == (OFFSET_INVALID, 2)


def test_aborted_records_are_never_seen(kafka: Kafka) -> None:
    """Nor do they leave a record behind: only holes."""
    topic, producer = kafka.topic(), kafka.ready()
    producer.begin_transaction()
    send(producer, topic, b"a", b"b")
    producer.abort_transaction(ANSWER)
    commit(producer, topic, b"c")
    assert read(kafka.reader(topic)) == [(b"c", 3)]


def test_an_open_transaction_hides_what_follows_it(kafka: Kafka) -> None:
    """Readers wait at the last stable offset; only who asks for it is told the real end."""
    topic, first, second = kafka.topic(), kafka.ready("one"), kafka.ready("two")
    commit(first, topic, b"a")
    first.begin_transaction()
    send(first, topic, b"open")
    commit(second, topic, b"later")
    reader = kafka.reader(topic)
    assert read(reader) == [(b"a", 0)]
    assert kafka.ends(topic) == (0, 2, 5)
    assert reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=ANSWER) == (0, 2)
    first.commit_transaction(ANSWER)
    assert read(reader) == [(b"open", 2), (b"later", 3)]


def test_a_reader_of_uncommitted_records_sees_everything(kafka: Kafka) -> None:
    """Open and aborted ones too."""
    topic, producer = kafka.topic(), kafka.ready()
    producer.begin_transaction()
    send(producer, topic, b"open")
    reader = kafka.reader(topic, isolation_level="read_uncommitted")
    assert read(reader) == [(b"open", 0)]
    producer.abort_transaction(ANSWER)


def test_a_pause_outlives_its_assignment(kafka: Kafka) -> None:
    """Who assigns a paused partition again must also resume it."""
    topic, producer = kafka.topic(), kafka.ready()
    commit(producer, topic, b"a")
    reader, place = kafka.reader(topic), TopicPartition(topic, 0, 0)
    reader.pause([place])
    assert reader.consume(1, SHORT) == []
    reader.assign([place])
    assert reader.consume(1, SHORT) == []
    reader.unassign()
    reader.assign([place])
    assert reader.consume(1, SHORT) == []
    reader.resume([place])
    assert read(reader) == [(b"a", 0)]


def test_a_reader_behind_the_end_is_told_so(kafka: Kafka) -> None:
    """With `auto.offset.reset=error` an offset that is not there is an error, not a place."""
    topic = kafka.topic()
    (message,) = kafka.reader(topic, 99).consume(1, ANSWER)
    error = message.error()
    assert error is not None
    assert error.code() == KafkaError._AUTO_OFFSET_RESET


# Producers


def test_a_new_producer_fences_the_former(kafka: Kafka) -> None:
    """The former can write nothing more, and its error says why and that it is for good."""
    topic, former = kafka.topic(), kafka.ready()
    commit(former, topic, b"a")
    owner = kafka.ready()
    former.begin_transaction()
    former.produce(topic, b"late", b"key", 0)
    error = refused(lambda: former.commit_transaction(ANSWER))
    assert flags(error) == ("_FENCED", True, False, False)
    error = refused(lambda: former.produce(topic, b"later", b"key", 0))
    assert flags(error) == ("_FATAL", False, False, False)
    commit(owner, topic, b"b")
    assert [value for value, _ in read(kafka.reader(topic))] == [b"a", b"b"]


def test_a_fence_that_nobody_asked_for_is_told_by_the_next_poll(kafka: Kafka) -> None:
    """Once; `produce` says only that it is over, whereas to begin is refused with the reason."""
    topic, former = kafka.topic(), kafka.ready()
    former.begin_transaction()
    kafka.ready()
    former.produce(topic, b"late", b"key", 0)
    error = refused(lambda: [former.poll(SHORT) for _ in range(100)])
    assert flags(error) == ("_FENCED", True, False, False)
    former.poll(SHORT)
    error = refused(lambda: former.produce(topic, b"later", b"key", 0))
    assert flags(error) == ("_FATAL", False, False, False)
    assert flags(refused(former.begin_transaction)) == ("_FENCED", True, False, False)


def test_a_new_producer_ends_what_the_former_left_open(kafka: Kafka) -> None:
    """Nothing of it is seen, and readers go on at once."""
    topic, former = kafka.topic(), kafka.ready()
    former.begin_transaction()
    send(former, topic, b"left")
    owner = kafka.ready()
    commit(owner, topic, b"mine")
    assert [value for value, _ in read(kafka.reader(topic))] == [b"mine"]
    error = refused(lambda: former.commit_transaction(ANSWER))
    assert flags(error) == ("_FENCED", True, False, False)


def test_a_transaction_that_wrote_nothing_ends_well(kafka: Kafka) -> None:
    """Either way, and the next one too."""
    topic, producer = kafka.topic(), kafka.ready()
    producer.begin_transaction()
    producer.commit_transaction(ANSWER)
    producer.begin_transaction()
    producer.abort_transaction(ANSWER)
    commit(producer, topic, b"a")
    assert read(kafka.reader(topic)) == [(b"a", 0)]


def test_calls_out_of_turn_are_refused(kafka: Kafka) -> None:
    """They are mistakes of ours, neither to be repeated nor a reason to abort."""
    topic, producer = kafka.topic(), kafka.producer()
    out_of_turn = ("_STATE", False, False, False)
    assert flags(refused(producer.begin_transaction)) == out_of_turn
    producer.init_transactions(30)
    assert flags(refused(lambda: producer.commit_transaction(ANSWER))) == out_of_turn
    assert flags(refused(lambda: producer.produce(topic, b"a", b"key", 0))) == out_of_turn
    producer.begin_transaction()
    assert flags(refused(producer.begin_transaction)) == out_of_turn


def test_a_record_for_no_partition_fails_its_transaction(kafka: Kafka) -> None:
    """It must be aborted; afterwards the producer is as good as new."""
    topic, producer = kafka.topic(), kafka.ready(message_timeout_ms=2_000)
    producer.begin_transaction()
    producer.produce(topic, b"a", b"key", 7)
    producer.flush(ANSWER)
    error = refused(lambda: producer.commit_transaction(ANSWER))
    assert (error.fatal(), error.retriable(), error.txn_requires_abort()) == (False, False, True)
    error = refused(lambda: producer.produce(topic, b"b", b"key", 0))
    assert flags(error) == ("_STATE", False, False, False)
    producer.abort_transaction(ANSWER)
    commit(producer, topic, b"b")
    assert [value for value, _ in read(kafka.reader(topic))] == [b"b"]


# Groups


def joined(consumers: dict[KafkaConsumerClient, list[tuple[str, list[int]]]], topic: str) -> None:
    """Subscribe those that did not yet, and poll all until each was told what it owns."""
    for consumer, heard in consumers.items():

        def noting(what: str, heard: list[tuple[str, list[int]]] = heard) -> Any:
            return lambda _, places: heard.append((what, [at.partition for at in places]))

        if not heard:
            consumer.subscribe([topic], noting("assign"), noting("revoke"), noting("lost"))
    until(list(consumers), lambda: all(h and h[-1][0] == "assign" for h in consumers.values()))


def until(consumers: list[KafkaConsumerClient], done: Callable[[], bool]) -> None:
    """Poll consumers in turn until something is so."""
    for _ in range(300):
        if done():
            return
        for consumer in consumers:
            consumer.consume(1, 0.1)
    raise AssertionError("it never came to that")


def test_partitions_are_shared_out_by_range(kafka: Kafka) -> None:
    """One member has all; with a second each has a half, after the first gave everything back."""
    topic = kafka.topic(partitions=4)
    first, second = kafka.consumer(), kafka.consumer()
    heard: dict[KafkaConsumerClient, list[tuple[str, list[int]]]] = {first: []}
    joined(heard, topic)
    assert heard[first] == [("assign", [0, 1, 2, 3])]
    heard[second] = []
    second.subscribe(
        [topic],
        lambda _, places: heard[second].append(("assign", [at.partition for at in places])),
        lambda _, places: heard[second].append(("revoke", [at.partition for at in places])),
        lambda _, places: heard[second].append(("lost", [at.partition for at in places])),
    )
    until([first, second], lambda: len(heard[first]) == 3 and len(heard[second]) == 1)
    assert heard[first][1] == ("revoke", [0, 1, 2, 3])
    assert sorted([heard[first][2][1], heard[second][0][1]]) == [[0, 1], [2, 3]]


def test_offsets_of_a_transaction_are_committed_with_it(kafka: Kafka) -> None:
    """Not before, not when it is aborted; while it is open nobody is told anything."""
    topic, producer, consumer = kafka.topic(), kafka.ready(), kafka.consumer()
    joined({consumer: []}, topic)
    place = TopicPartition(topic, 0)

    def offset() -> int:
        (found,) = consumer.committed([place], timeout=ANSWER)
        return int(found.offset)

    def send_offset(offset: int) -> None:
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            [TopicPartition(topic, 0, offset)], consumer.consumer_group_metadata(), ANSWER
        )

    assert offset() == OFFSET_INVALID
    send_offset(5)
    assert refused(lambda: consumer.committed([place], timeout=SHORT)).name() == "_TIMED_OUT"
    producer.abort_transaction(ANSWER)
    assert offset() == OFFSET_INVALID
    send_offset(7)
    producer.commit_transaction(ANSWER)
    assert offset() == 7


def test_offsets_of_a_transaction_carry_its_mark(kafka: Kafka) -> None:
    """The group is told it with them, also where no offset moved; that of an abort is gone."""
    topic, producer, consumer = kafka.topic(), kafka.ready(), kafka.consumer()
    joined({consumer: []}, topic)

    def mark() -> str:
        (found,) = consumer.committed([TopicPartition(topic, 0)], timeout=ANSWER)
        return str(found.metadata or "")

    def send_mark(mark: str) -> None:
        producer.begin_transaction()
        marked = TopicPartition(topic, 0, 5, metadata=mark)
        producer.send_offsets_to_transaction([marked], consumer.consumer_group_metadata(), ANSWER)

    assert mark() == ""
    send_mark("first")
    producer.commit_transaction(ANSWER)
    assert mark() == "first"
    send_mark("lost")
    producer.abort_transaction(ANSWER)
    assert mark() == "first"
    send_mark("a" * 32)
    producer.commit_transaction(ANSWER)
    assert mark() == "a" * 32


def test_a_former_generation_commits_nothing(kafka: Kafka) -> None:
    """Its transaction must be aborted, and can be: the producer is not to blame."""
    topic = kafka.topic(partitions=2)
    first, second, producer = kafka.consumer(), kafka.consumer(), kafka.ready()
    joined({first: []}, topic)
    former = first.consumer_group_metadata()
    heard: list[int] = []
    second.subscribe([topic], lambda *_: heard.append(1), lambda *_: None, lambda *_: None)
    until([first, second], lambda: bool(heard))
    producer.begin_transaction()
    error = refused(
        lambda: producer.send_offsets_to_transaction([TopicPartition(topic, 0, 5)], former, ANSWER)
    )
    assert flags(error) == ("ILLEGAL_GENERATION", False, False, True)
    producer.abort_transaction(ANSWER)
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 5)], first.consumer_group_metadata(), ANSWER
    )
    producer.commit_transaction(ANSWER)


def test_who_does_not_poll_is_put_out(kafka: Kafka) -> None:
    """It commits nothing more, is told at its next poll, and may come back."""
    topic, producer = kafka.topic(), kafka.ready()
    idle, busy = kafka.consumer(), kafka.consumer()
    heard: list[str] = []
    idle.subscribe(
        [topic],
        lambda *_: heard.append("assign"),
        lambda *_: heard.append("gone"),
        lambda *_: heard.append("gone"),
    )
    until([idle], lambda: heard == ["assign"])
    # It does not poll, so it holds a rebalance up until it is put out.
    taken: list[list[int]] = []
    busy.subscribe(
        [topic],
        lambda _, places: taken.append([at.partition for at in places]),
        lambda *_: None,
        lambda *_: None,
    )
    until([busy], lambda: [0] in taken)
    producer.begin_transaction()
    error = refused(
        lambda: producer.send_offsets_to_transaction(
            [TopicPartition(topic, 0, 5)], idle.consumer_group_metadata(), ANSWER
        )
    )
    assert flags(error) == ("UNKNOWN_MEMBER_ID", False, False, True)
    producer.abort_transaction(ANSWER)
    until([idle, busy], lambda: heard == ["assign", "gone", "assign"])
