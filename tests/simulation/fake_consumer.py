"""A consumer that behaves as librdkafka's does, on the broker in memory.

Law: heartbeats go on by themselves for as long as the process runs; everything else, a rebalance
above all, waits until the application polls, and its callbacks come from within that call.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import ClusterMetadata, PartitionMetadata, TopicMetadata

from tests.simulation.fake_producer import held
from tests.simulation.groups import NO_GENERATION, Membership
from tests.simulation.network import LOST, Network
from tests.simulation.pace import Process
from tests.simulation.partition_log import Entry
from tests.simulation.refusal import Refusal, raise_error

Place = tuple[str, int]
Callback = Callable[[Any, list[TopicPartition]], None]
OFFSET_BEGINNING, OFFSET_END, OFFSET_STORED, OFFSET_INVALID = -2, -1, -1000, -1001
TIMESTAMP_LOG_APPEND = 2


class Whims(Protocol):
    """What a reader cannot rely on: how much comes, and from where first."""

    def shuffled(self, places: list[Place]) -> list[Place]:
        """Return the order in which partitions are asked."""
        ...

    def portion(self, available: int) -> int:
        """Return how many of the records that are there come now."""
        ...

    def takes(self) -> float:
        """Return how many seconds a fetch takes."""
        ...


class NoWhims:
    """Everything that is there comes at once, in order."""

    def shuffled(self, places: list[Place]) -> list[Place]:
        """Return the order in which partitions are asked."""
        return places

    def portion(self, available: int) -> int:
        """Return how many of the records that are there come now."""
        return available

    def takes(self) -> float:
        """Return how many seconds a fetch takes."""
        return 0.0


@dataclass(slots=True, eq=False)
class _Reading:
    """One assigned partition."""

    next: int
    paused: bool = False
    told_end: bool = False
    high: int = OFFSET_INVALID
    position: int = OFFSET_INVALID


class FakeConsumer:
    """What we use of `confluent_kafka.Consumer`."""

    def __init__(
        self,
        network: Network,
        process: Process,
        config: Mapping[str, object],
        name: str,
        whims: Whims | None = None,
    ) -> None:
        self._network = network
        self._broker = network.broker
        self._process = process
        self._whims: Whims = whims or NoWhims()
        self._name = name
        self._count = 0
        self._group = str(config["group.id"])
        self._committed_only = config.get("isolation.level", "read_committed") == "read_committed"
        self._tells_end = bool(config.get("enable.partition.eof"))
        self._reset = str(config.get("auto.offset.reset", "latest"))
        self._session = float(str(config.get("session.timeout.ms", 45_000))) / 1000
        self._beat_every = float(str(config.get("heartbeat.interval.ms", 3_000))) / 1000
        self._poll_max = float(str(config.get("max.poll.interval.ms", 300_000))) / 1000
        self._reading: dict[Place, _Reading] = {}
        self._pauses: set[Place] = set()
        """As in the library, a pause outlives its assignment."""
        self._topics: tuple[str, ...] = ()
        self._callbacks: tuple[Callback, Callback, Callback] | None = None
        self._member, self._generation = "", NO_GENERATION
        self._share: list[Place] | None = None
        """What the group has given us and we have not given back."""
        self._ops: deque[Callable[[], None]] = deque()
        self._notices: deque[Message] = deque()
        self._leaving = False
        self._polled = 0.0
        self._heard = 0.0
        self._closed = False
        self._assigned_by_hand = False

    # The interface

    @held
    def subscribe(
        self, topics: list[str], on_assign: Callback, on_revoke: Callback, on_lost: Callback
    ) -> None:
        """Join the group."""
        self._assert_open()
        self._topics = tuple(topics)
        self._callbacks = (on_assign, on_revoke, on_lost)
        self._polled = self._now()
        self._join()
        self._watch_polls()

    @held
    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read these partitions from the offsets they name."""
        self._assert_open()
        self._assigned_by_hand = True
        self._reading = {
            (at.topic, at.partition): _Reading(at.offset, (at.topic, at.partition) in self._pauses)
            for at in partitions
        }

    @held
    def unassign(self) -> None:
        """Read nothing."""
        self._assert_open()
        self._assigned_by_hand = True
        self._reading = {}

    @held
    def pause(self, partitions: list[TopicPartition]) -> None:
        """Hand out no more records of these partitions."""
        self._set_paused(partitions, paused=True)

    @held
    def resume(self, partitions: list[TopicPartition]) -> None:
        """Hand out records of these partitions again."""
        self._set_paused(partitions, paused=False)

    @held
    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Return up to so many messages; fewer once the timeout passed."""
        self._assert_open()
        deadline = self._now() + (3_600.0 if timeout < 0 else timeout)
        self._polled = self._now()
        if takes := self._whims.takes():
            self._network.pace.wait(self._process, takes, None)
        found: list[Message] = []
        while True:
            while self._ops:
                self._ops.popleft()()
            while self._notices and len(found) < num_messages:
                found.append(self._notices.popleft())
            self._take(found, num_messages)
            if len(found) >= num_messages or self._now() >= deadline:
                break
            self._network.pace.wait(
                self._process, deadline - self._now(), lambda: self._has_news(num_messages)
            )
        self._polled = self._now()
        return found

    @held
    def committed(
        self, partitions: list[TopicPartition], timeout: float = -1
    ) -> list[TopicPartition]:
        """Return the group's committed offsets."""
        self._assert_open()
        places = [(at.topic, at.partition) for at in partitions]
        found = self._call(
            "OffsetFetch", lambda: self._broker.groups.marked(self._group, places), timeout
        )
        answers = [(place, *found.get(place, (OFFSET_INVALID, ""))) for place in places]
        return [TopicPartition(*place, offset, metadata=mark) for place, offset, mark in answers]

    @held
    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return the offset behind the last record handed out; at a told end, that end."""
        self._assert_open()
        return [
            TopicPartition(at.topic, at.partition, self._position((at.topic, at.partition)))
            for at in partitions
        ]

    def _position(self, place: Place) -> int:
        reading = self._reading.get(place)
        return OFFSET_INVALID if reading is None else reading.position

    @held
    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> Any:
        """Return (oldest offset, end): the last stable offset for a reader of committed records."""
        self._assert_open()
        place = (partition.topic, partition.partition)
        if cached:
            reading = self._reading.get(place)
            return (0, OFFSET_INVALID if reading is None else reading.high)
        return self._call("ListOffsets", lambda: (0, self._limit(place)), timeout)

    @held
    def consumer_group_metadata(self) -> Membership:
        """Return what proves membership in a generation of the group."""
        self._assert_open()
        return Membership(self._group, self._member, self._generation)

    @held
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Return the cluster's metadata."""
        self._assert_open()
        return self._call("Metadata", lambda: metadata_of(self._broker.topics, topic), timeout)

    @held
    def close(self) -> None:
        """Leave the group; the callback for what is taken away comes from here."""
        if self._closed:
            return
        if self._share is not None:
            self._give_back(lost=False, again=False)
        self._closed = True
        if self._member:
            group, member = self._group, self._member
            self._leave(group, member)
            self._member = ""

    # Reading

    def _limit(self, place: Place) -> int:
        log = self._broker.partition(place)
        return log.stable if self._committed_only else log.end

    def _has_news(self, wanted: int) -> bool:  # noqa: ARG002
        if self._ops or self._notices or self._closed:
            return True
        return self._broker.is_heard() and any(
            not reading.paused
            and (
                self._broker.partition(place).has_news(
                    max(reading.next, 0), committed=self._committed_only
                )
                or (self._tells_end and not reading.told_end)
            )
            for place, reading in self._reading.items()
        )

    def _take(self, found: list[Message], wanted: int) -> None:
        if not self._broker.is_heard():
            return
        for place in self._whims.shuffled(list(self._reading)):
            reading = self._reading[place]
            if reading.paused or len(found) >= wanted:
                continue
            if reading.next < 0 and not self._resolve(place, reading, found):
                continue
            log = self._broker.partition(place)
            if reading.next > log.end:
                found.append(self._notice(KafkaError._AUTO_OFFSET_RESET, place, reading.next))
                reading.paused = True
                continue
            most = self._whims.portion(wanted - len(found))
            entries, after = log.read(reading.next, most, committed=self._committed_only)
            found += [self._message(place, entry) for entry in entries]
            if after != reading.next:
                reading.told_end = False
            reading.next = after
            if entries:
                reading.position = entries[-1].offset + 1
            reading.high = self._limit(place)
            at_end = after >= reading.high
            if self._tells_end and at_end and not reading.told_end and len(found) < wanted:
                reading.told_end, reading.position = True, after
                found.append(self._notice(KafkaError._PARTITION_EOF, place, after))

    def _resolve(self, place: Place, reading: _Reading, found: list[Message]) -> bool:
        """Turn a name for an offset into one."""
        if reading.next == OFFSET_BEGINNING:
            reading.next = 0
        elif reading.next == OFFSET_END:
            reading.next = self._limit(place)
        else:
            known = self._broker.groups.offsets(self._group)
            if place in known:
                reading.next = known[place]
            elif self._reset in ("earliest", "smallest", "beginning"):
                reading.next = 0
            elif self._reset == "error":
                found.append(self._notice(KafkaError._AUTO_OFFSET_RESET, place, OFFSET_INVALID))
                reading.paused = True
                return False
            else:
                reading.next = self._limit(place)
        return True

    @staticmethod
    def _message(place: Place, entry: Entry) -> Message:
        return Message(
            topic=place[0],
            partition=place[1],
            offset=entry.offset,
            key=entry.key,
            value=entry.value,
            headers=entry.headers,
            timestamp=(TIMESTAMP_LOG_APPEND, entry.at_ms),
        )

    @staticmethod
    def _notice(code: int, place: Place, offset: int) -> Message:
        return Message(
            topic=place[0],
            partition=place[1],
            offset=offset,
            error=KafkaError(code, f"{place[0]}[{place[1]}] at {offset}"),
        )

    def _set_paused(self, partitions: list[TopicPartition], *, paused: bool) -> None:
        self._assert_open()
        for at in partitions:
            place = (at.topic, at.partition)
            reading = self._reading.get(place)
            if reading is None:
                raise_error(KafkaError._UNKNOWN_PARTITION, f"{place} is not assigned")
            reading.paused = paused
            (self._pauses.add if paused else self._pauses.discard)(place)
        self._network.pace.touch()

    # Membership

    def _join(self) -> None:
        """Ask for a share, until there is one."""
        if self._closed or self._process.dead:
            return
        if not self._member:
            self._count += 1
            self._member = f"{self._name}-{self._count}"
        member = self._member

        def assigned(generation: int, share: list[Place]) -> None:
            self._ask("SyncGroup", lambda: None, lambda _: self._given(member, generation, share))

        def joined(result: Any) -> None:
            if result is LOST and member == self._member and self._share is None:
                self._later(self._join)

        self._ask(
            "JoinGroup",
            lambda: self._broker.groups.join(
                self._group, member, self._topics, self._session, self._poll_max, assigned
            ),
            joined,
            member,
        )

    def _given(self, member: str, generation: int, share: list[Place]) -> None:
        """Take what the group has decided; the application hears of it when it polls."""
        if self._closed or member != self._member or generation <= self._generation:
            return
        if self._share is not None:
            return
        self._generation, self._share = generation, share
        self._heard = self._now()
        self._ops.append(lambda: self._tell_assigned(generation, share))
        self._beat(member, generation)

    def _tell_assigned(self, generation: int, share: list[Place]) -> None:
        if generation != self._generation or self._share is None or self._callbacks is None:
            return
        partitions = [TopicPartition(*place) for place in share]
        self._assigned_by_hand = False
        self._callbacks[0](self, partitions)
        if not self._assigned_by_hand:
            self._reading = {place: _Reading(OFFSET_STORED) for place in share}

    def _give_back(self, *, lost: bool, again: bool) -> None:
        """Tell the application that it owns nothing; then ask for a share anew."""
        share, self._share = self._share, None
        self._leaving = False
        if share is not None and self._callbacks is not None:
            self._assigned_by_hand = False
            self._callbacks[2 if lost else 1](self, [TopicPartition(*place) for place in share])
            if not self._assigned_by_hand:
                self._reading = {}
        if again:
            self._join()

    def _lose(self, *, lost: bool) -> None:
        """Have the application give everything back at its next poll."""
        if not self._leaving:
            self._leaving = True
            self._ops.append(lambda: self._give_back(lost=lost, again=True))
            self._network.pace.touch()

    def _beat(self, member: str, generation: int) -> None:
        """Say that we live; a stopped process says nothing."""

        def beat() -> None:
            if self._closed or self._process.dead or self._member != member:
                return
            late = self._process.stopped_until - self._now()
            if late > 0:
                self._network.pace.at(late, beat)
                return
            if generation != self._generation or self._share is None:
                return
            if self._now() - self._heard > self._session:
                self._member = ""
                self._lose(lost=True)
                return
            membership = Membership(self._group, member, generation)
            self._ask("Heartbeat", lambda: self._broker.groups.heartbeat(membership), heard)
            self._network.pace.at(self._beat_every, beat)

        def heard(result: Any) -> None:
            if self._closed or generation != self._generation or self._member != member:
                return
            if result is LOST:
                return
            if not isinstance(result, Refusal):
                self._heard = self._now()
            elif result.code == KafkaError.REBALANCE_IN_PROGRESS:
                self._heard = self._now()
                self._lose(lost=False)
            elif result.code == KafkaError.UNKNOWN_MEMBER_ID:
                self._member = ""
                self._lose(lost=True)
            else:
                self._lose(lost=True)

        self._network.pace.at(self._beat_every, beat)

    def _watch_polls(self) -> None:
        """Leave the group when the application does not poll for too long."""

        def look() -> None:
            if self._closed or self._process.dead:
                return
            late = self._process.stopped_until - self._now()
            left = max(late, self._polled + self._poll_max - self._now())
            if left > 0:
                self._network.pace.at(left + 0.001, look)
                return
            if self._share is not None and not self._leaving:
                self._leave(self._group, self._member)
                error = KafkaError(KafkaError._MAX_POLL_EXCEEDED, "maximum poll interval exceeded")
                self._notices.append(Message(error=error))
                self._lose(lost=True)
            self._polled = self._now()
            self._network.pace.at(self._poll_max, look)

        self._network.pace.at(self._poll_max, look)

    def _leave(self, group: str, member: str) -> None:
        self._ask("LeaveGroup", lambda: self._broker.groups.leave(group, member), lambda _: None)

    # Requests

    def _assert_open(self) -> None:
        if self._closed:
            raise RuntimeError("Consumer closed")

    def _now(self) -> float:
        return self._network.pace.now()

    def _ask(
        self, api: str, effect: Callable[[], Any], answered: Callable[[Any], None], what: str = ""
    ) -> None:
        self._network.request(self._process, api, effect, answered, what)

    def _later(self, act: Callable[[], None]) -> None:
        self._network.pace.at(self._network.fates.backoff(), act)

    def _call(self, api: str, effect: Callable[[], Any], timeout: float) -> Any:
        """Ask until there is an answer or no more time."""
        return call(self._network, self._process, api, effect, timeout)


def call(
    network: Network, process: Process, api: str, effect: Callable[[], Any], timeout: float
) -> Any:
    """Ask the broker until it answers; KafkaException when it does not in time, or refuses."""
    pace = network.pace
    deadline = pace.now() + (60.0 if timeout < 0 else timeout)
    answers: list[Any] = []
    while pace.now() < deadline or not answers:
        answers.clear()
        network.request(process, api, effect, answers.append)
        pace.wait(process, max(0.0, deadline - pace.now()), lambda: bool(answers))
        if not answers:
            break
        answer = answers[0]
        if answer is not LOST and not _is_unstable(answer):
            if isinstance(answer, Refusal):
                raise KafkaException(KafkaError(answer.code, answer.text))
            return answer
        pace.wait(process, network.fates.backoff(), None)
    return raise_error(KafkaError._TIMED_OUT, f"{api} timed out")


def _is_unstable(answer: Any) -> bool:
    return isinstance(answer, Refusal) and answer.code == KafkaError.UNSTABLE_OFFSET_COMMIT


def metadata_of(topics: Mapping[str, list[Any]], only: str | None = None) -> ClusterMetadata:
    """Return topics as the library describes them."""
    cluster = ClusterMetadata()
    for name, logs in topics.items():
        if only is not None and name != only:
            continue
        described = TopicMetadata()
        described.topic = name
        for number in range(len(logs)):
            partition = PartitionMetadata()
            partition.id = number
            described.partitions[number] = partition
        cluster.topics[name] = described
    return cluster
