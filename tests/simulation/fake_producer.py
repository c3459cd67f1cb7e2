"""A producer that behaves as librdkafka's does, on the broker in memory.

Law: what the application is told is what the library would tell it: calls that took too long may
be repeated and go on where they were; the library itself repeats requests whose answer was lost;
an error is abortable, fatal or neither, as in `rdkafka_txnmgr.c`.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any, NoReturn, TypeVar

from confluent_kafka import KafkaError, Message, TopicPartition, murmur2

from tests.simulation.groups import Membership
from tests.simulation.network import LOST, Network
from tests.simulation.pace import Process
from tests.simulation.partition_log import Headers
from tests.simulation.refusal import Refusal, raise_error

Place = tuple[str, int]
Delivered = Callable[[KafkaError | None, Any], None]
Result = TypeVar("Result")
BATCH_RECORDS = 200


def held(method: Callable[..., Result]) -> Callable[..., Result]:
    """Keep other threads out while a client's method runs; a dead process runs none."""

    @wraps(method)
    def run(self: Any, *positional: Any, **named: Any) -> Result:
        with self._network.pace.hold():
            self._process.assert_alive()
            return method(self, *positional, **named)

    return run


class State(Enum):
    """Where a transactional producer stands."""

    INIT = "Init"
    READY = "Ready"
    IN_TRANSACTION = "InTransaction"
    BEGIN_COMMIT = "BeginCommit"
    COMMITTING = "CommittingTransaction"
    COMMIT_NOT_ACKED = "CommitNotAcked"
    BEGIN_ABORT = "BeginAbort"
    ABORTING = "AbortingTransaction"
    ABORT_NOT_ACKED = "AbortedNotAcked"
    ABORTABLE = "AbortableError"
    FATAL = "FatalError"


_FENCING = (KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)


@dataclass(slots=True, eq=False)
class _Queued:
    value: bytes | None
    key: bytes | None
    headers: Headers
    delivered: Delivered | None


@dataclass(slots=True, eq=False)
class _Batch:
    place: Place
    messages: list[_Queued]
    sequence: int
    term: int


@dataclass(slots=True, eq=False)
class _SendingOffsets:
    """An unfinished `send_offsets_to_transaction`."""

    member: Membership
    offsets: dict[Place, int]
    marks: dict[Place, str]
    deadline: float
    done: bool = False
    code: int = 0
    text: str = ""


class FakeProducer:
    """What we use of `confluent_kafka.Producer`."""

    def __init__(
        self,
        network: Network,
        process: Process,
        config: Mapping[str, object],
        on_error: Callable[[KafkaError], None],
        on_statistics: Callable[[str], None] | None,
    ) -> None:
        self._network = network
        self._broker = network.broker
        self._process = process
        self._on_error = on_error
        self._on_statistics = on_statistics
        self._name = config.get("transactional.id")
        self._limit = float(str(config.get("transaction.timeout.ms", 60_000))) / 1000
        self._linger = float(str(config.get("linger.ms", 5))) / 1000
        self._size_max = int(str(config.get("queue.buffering.max.messages", 100_000)))
        self._state = State.INIT if self._name else State.READY
        self._pid = (-1, -1) if self._name else (self._broker.new_producer(), 0)
        self._starting = False
        self._error: tuple[int, str] = (0, "")
        self._term = 0
        """Counts transactions: what a former one still hears is no concern of this one."""
        self._events: deque[Callable[[], None]] = deque()
        self._left = 0
        self._queued: dict[Place, deque[_Queued]] = {}
        self._in_flight: dict[Place, _Batch] = {}
        self._sequences: dict[Place, int] = {}
        self._added: set[Place] = set()
        self._adding = False
        self._pump_due = False
        self._requests = 0
        self._failed = 0
        self._needs_epoch = False
        self._sending: _SendingOffsets | None = None
        self._breaks = 0
        self._retries = 0
        self._backoff = float(str(config.get("retry.backoff.ms", 100))) / 1000
        self._interval = float(str(config.get("statistics.interval.ms", 0))) / 1000
        self._closed = False
        if self._interval and on_statistics is not None:
            network.pace.at(self._interval, self._tell_statistics)

    # The interface

    @held
    def init_transactions(self, timeout: float = -1) -> None:
        """Get an epoch; may be called again after a timeout."""
        if self._state is State.FATAL:
            self._raise_fatal()
        if self._state is not State.INIT:
            raise_error(KafkaError._STATE, "already initialized")
        if not self._starting:
            self._starting = True
            self._start()
        if not self._await(lambda: self._state is not State.INIT, timeout):
            raise_error(KafkaError._TIMED_OUT, "Failed to initialize Producer ID", retriable=True)
        if self._state is State.FATAL:
            self._raise_fatal()

    @held
    def begin_transaction(self) -> None:
        """Open a transaction, here: the broker hears of it with the first partition."""
        self._require(State.READY)
        self._state = State.IN_TRANSACTION
        self._term += 1
        self._error, self._failed, self._requests = (0, ""), 0, 0
        self._added, self._adding, self._sending = set(), False, None

    @held
    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        *,
        on_delivery: Delivered | None = None,
        headers: Any = None,
    ) -> None:
        """Queue a record."""
        if self._state is State.FATAL:
            raise_error(KafkaError._FATAL, "the producer failed")
        if self._name and self._state is not State.IN_TRANSACTION:
            raise_error(KafkaError._STATE, f"produce in state {self._state.value}")
        if self._left >= self._size_max:
            raise BufferError("Local: Queue full")
        if partition < 0:
            partition = murmur2(key or b"", len(self._broker.topics.get(topic, ())) or 1)
        queue = self._queued.setdefault((topic, partition), deque())
        queue.append(_Queued(value, key, headers, on_delivery))
        self._left += 1
        self._pump_soon(self._linger)

    @held
    def poll(self, timeout: float = 0) -> int:
        """Serve callbacks, waiting for the first of them."""
        if timeout:
            self._await(lambda: bool(self._events), timeout)
        return self._serve()

    @held
    def flush(self, timeout: float = -1) -> int:
        """Wait until everything queued is delivered or failed."""
        self._await_flushed(self._deadline(timeout))
        return self._left

    @held
    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:  # noqa: ARG002
        """Forget what is queued and in flight."""
        self._purge()

    @held
    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        """Make offsets part of the transaction; may be called again after a timeout."""
        self._require(State.IN_TRANSACTION)
        offsets = {(at.topic, at.partition): at.offset for at in positions if at.offset >= 0}
        if not offsets:
            return
        seconds = self._limit if timeout < 0 else min(timeout, self._limit)
        if self._sending is None:
            marks = {(at.topic, at.partition): at.metadata or "" for at in positions}
            self._sending = _SendingOffsets(group_metadata, offsets, marks, self._now() + seconds)
            self._requests += 1
            self._add_offsets(self._sending, self._term)
        sending = self._sending
        if not self._await(lambda: sending.done, seconds):
            raise_error(KafkaError._TIMED_OUT, "send_offsets_to_transaction", retriable=True)
        self._sending = None
        if sending.code:
            if self._state is State.FATAL:
                self._raise_fatal()
            raise_error(sending.code, sending.text, requires_abort=True)

    @held
    def commit_transaction(self, timeout: float = -1) -> None:
        """Commit; may be called again after a timeout."""
        self._require(
            State.IN_TRANSACTION, State.BEGIN_COMMIT, State.COMMITTING, State.COMMIT_NOT_ACKED
        )
        deadline = self._deadline(timeout)
        if self._state is State.IN_TRANSACTION:
            self._state = State.BEGIN_COMMIT
        if not self._await_flushed(deadline):
            raise_error(KafkaError._TIMED_OUT, "Failed to flush", retriable=True)
        if self._state is State.BEGIN_COMMIT:
            if self._failed:
                self._abortable(KafkaError._INCONSISTENT, f"{self._failed} failed delivery")
            elif not self._requests:
                self._state = State.COMMIT_NOT_ACKED
            else:
                self._state = State.COMMITTING
                self._end(self._term, commit=True)
        self._await_until(lambda: self._state is not State.COMMITTING, deadline)
        if self._state is State.COMMITTING:
            raise_error(KafkaError._TIMED_OUT, "commit_transaction", retriable=True)
        self._require(State.COMMIT_NOT_ACKED)
        self._state = State.READY

    @held
    def abort_transaction(self, timeout: float = -1) -> None:
        """Abort; may be called again after a timeout."""
        self._require(
            State.IN_TRANSACTION,
            State.BEGIN_ABORT,
            State.ABORTING,
            State.ABORTABLE,
            State.ABORT_NOT_ACKED,
        )
        deadline = self._deadline(timeout)
        if self._state in (State.IN_TRANSACTION, State.ABORTABLE):
            self._state = State.BEGIN_ABORT
            self._purge()
        self._serve()
        if self._state is State.BEGIN_ABORT:
            if not self._requests:
                self._state = State.ABORT_NOT_ACKED
            else:
                self._state = State.ABORTING
                self._end(self._term, commit=False)
        self._await_until(lambda: self._state is not State.ABORTING, deadline)
        if self._state is State.ABORTING:
            raise_error(KafkaError._TIMED_OUT, "abort_transaction", retriable=True)
        self._require(State.ABORT_NOT_ACKED)
        if self._needs_epoch and not self._renew(deadline):
            raise_error(KafkaError._TIMED_OUT, "abort_transaction", retriable=True)
        self._state = State.READY

    def destroy(self) -> None:
        """Send nothing more, as when nobody holds the object any longer."""
        self._closed = True

    @held
    def __len__(self) -> int:
        """Return how many records are not delivered."""
        return self._left

    # Waiting and callbacks

    def _now(self) -> float:
        return self._network.pace.now()

    def _deadline(self, timeout: float) -> float:
        return self._now() + (self._limit if timeout < 0 else timeout)

    def _await(self, ready: Callable[[], bool], seconds: float) -> bool:
        return self._await_until(ready, self._deadline(seconds))

    def _await_until(self, ready: Callable[[], bool], deadline: float) -> bool:
        self._network.pace.wait(self._process, max(0.0, deadline - self._now()), ready)
        return ready()

    def _await_flushed(self, deadline: float) -> bool:
        self._serve()
        while self._left:
            self._pump_soon(0.0)
            if not self._await_until(lambda: bool(self._events), deadline):
                break
            self._serve()
        return not self._left

    def _serve(self) -> int:
        count = 0
        while self._events:
            self._events.popleft()()
            count += 1
        return count

    def _tell_statistics(self) -> None:
        """Queue what the counters are now; the application hears of it when it polls."""
        if self._process.dead or self._closed:
            return
        late = self._process.stopped_until - self._now()
        if late <= 0:
            counters = {
                "disconnects": self._breaks,
                "req_timeouts": 0,
                "txretries": self._retries,
            }
            text = json.dumps({"brokers": {"b:1/1": counters}})
            self._events.append(lambda: self._on_statistics and self._on_statistics(text))
            self._network.pace.touch()
        self._network.pace.at(max(late, self._interval), self._tell_statistics)

    def _broke(self) -> None:
        """Count a broken connection: seldom does the application hear of it, save by statistics."""
        if self._network.fates.counts():
            self._breaks += 1
        if self._network.fates.tells():
            error = KafkaError(KafkaError._TRANSPORT, "b:1/1: Disconnected")
            self._events.append(lambda: self._on_error(error))

    # States

    def _require(self, *states: State) -> None:
        if self._state in states:
            return
        if self._state is State.FATAL:
            self._raise_fatal()
        code, text = self._error
        if self._state is State.ABORTABLE:
            raise_error(code, text, requires_abort=True)
        raise_error(KafkaError._STATE, f"Operation not valid in state {self._state.value}")

    def _raise_fatal(self) -> NoReturn:
        code, text = self._error
        raise_error(code, text, fatal=True)

    def _fatal(self, code: int, text: str) -> None:
        code = KafkaError._FENCED if code in _FENCING else code
        self._state, self._error = State.FATAL, (code, text)
        self._events.append(self._raise_fatal)  # who polls next is told, once
        self._purge()

    def _abortable(self, code: int, text: str, *, needs_epoch: bool = False) -> None:
        self._needs_epoch = self._needs_epoch or needs_epoch
        if self._state not in (State.IN_TRANSACTION, State.BEGIN_COMMIT, State.COMMITTING):
            return
        code = KafkaError._FENCED if code in _FENCING else code
        self._state, self._error = State.ABORTABLE, (code, text)
        self._purge()

    # Epochs

    def _start(self) -> None:
        name, limit = str(self._name), self._limit

        def answered(result: Any) -> None:
            if self._state is not State.INIT:
                return
            if result is LOST:
                self._broke()
                self._later(self._start)
            elif isinstance(result, Refusal):
                if result.code == KafkaError.CONCURRENT_TRANSACTIONS:
                    self._later(self._start)
                else:
                    self._fatal(result.code, result.text)
            else:
                self._pid, self._state = result, State.READY

        self._ask("InitProducerId", lambda: self._broker.init_producer(name, limit), answered)

    def _renew(self, deadline: float) -> bool:
        """Get another epoch after a batch whose end nobody knows."""
        name, before = str(self._name), self._pid
        done = False

        def ask() -> None:
            self._ask(
                "InitProducerId",
                lambda: self._broker.init_producer(name, self._limit, before),
                answered,
            )

        def answered(result: Any) -> None:
            nonlocal done
            if done:
                return
            if result is LOST:
                self._broke()
                self._later(ask)
            elif isinstance(result, Refusal):
                if result.code == KafkaError.CONCURRENT_TRANSACTIONS:
                    self._later(ask)
                else:
                    done = True
                    self._fatal(result.code, result.text)
            else:
                done = True
                self._pid = result
                self._sequences = {}
                self._needs_epoch = False

        ask()
        self._await_until(lambda: done, deadline)
        if self._state is State.FATAL:
            self._raise_fatal()
        done, finished = True, done
        return finished

    # Records on their way

    def _pump_soon(self, delay: float) -> None:
        if not self._pump_due:
            self._pump_due = True
            self._network.pace.at(delay, self._pump_if_alive)

    def _pump_if_alive(self) -> None:
        self._pump_due = False
        if self._process.dead or self._closed:
            return
        late = self._process.stopped_until - self._now()
        if late > 0:
            self._pump_soon(late)
        else:
            self._pump()

    def _pump(self) -> None:
        """Send what may be sent: partitions are added first, one batch of each is in flight."""
        if self._state not in (State.IN_TRANSACTION, State.BEGIN_COMMIT) and self._name:
            return
        if self._name and not self._adding:
            new = [at for at, queue in self._queued.items() if queue and at not in self._added]
            if new:
                self._add(new)
        for place, queue in self._queued.items():
            if queue and place not in self._in_flight and (not self._name or place in self._added):
                count = min(len(queue), BATCH_RECORDS)
                batch = _Batch(
                    place,
                    [queue.popleft() for _ in range(count)],
                    self._sequences.get(place, 0),
                    self._term,
                )
                self._in_flight[place] = batch
                self._ship(batch)

    def _add(self, places: list[Place]) -> None:
        self._adding = True
        self._requests += 1
        name, (producer, epoch), term = str(self._name), self._pid, self._term

        def answered(result: Any) -> None:
            if term != self._term or self._state not in (
                State.IN_TRANSACTION,
                State.BEGIN_COMMIT,
            ):
                return
            self._adding = False
            if result is LOST:
                self._broke()
                self._later(self._pump)
            elif isinstance(result, Refusal):
                self._not_added(result)
            else:
                self._added.update(places)
                self._pump()

        self._ask(
            "AddPartitionsToTxn",
            lambda: self._broker.add_partitions(name, producer, epoch, places),
            answered,
            f"e{epoch} {' '.join(f'{topic}/{number}' for topic, number in places)}",
        )

    def _not_added(self, refusal: Refusal) -> None:
        self._requests -= 1
        if refusal.code == KafkaError.CONCURRENT_TRANSACTIONS:
            self._later(self._pump)
        elif refusal.code in (*_FENCING, KafkaError.INVALID_TXN_STATE):
            self._fatal(refusal.code, f"Failed to add partitions: {refusal.text}")
        else:
            self._abortable(refusal.code, f"Failed to add partitions: {refusal.text}")

    def _ship(self, batch: _Batch) -> None:
        producer, epoch = self._pid
        name = None if self._name is None else str(self._name)
        records = [(one.key, one.value, one.headers) for one in batch.messages]

        def answered(result: Any) -> None:
            if self._in_flight.get(batch.place) is not batch:
                return
            if result is LOST:
                self._broke()
                self._retry(lambda: self._ship_again(batch))
                return
            del self._in_flight[batch.place]
            if isinstance(result, Refusal):
                self._refused(batch, result)
            else:
                self._sequences[batch.place] = batch.sequence + len(batch.messages)
                self._deliver(batch, None, result)
                self._pump()

        self._ask(
            "Produce",
            lambda: self._broker.produce(
                batch.place, records, producer, epoch, batch.sequence, name
            ),
            answered,
            f"e{epoch} {batch.place[0]}/{batch.place[1]} {len(records)} from #{batch.sequence}",
        )

    def _ship_again(self, batch: _Batch) -> None:
        if self._in_flight.get(batch.place) is batch:
            self._ship(batch)

    def _refused(self, batch: _Batch, refusal: Refusal) -> None:
        text = f"ProduceRequest failed: {refusal.text}"
        self._failed += len(batch.messages)
        self._deliver(batch, KafkaError(refusal.code, text), -1)
        if not self._name:
            return
        if refusal.code in _FENCING:
            self._fatal(refusal.code, text)
        else:
            bump = refusal.code != KafkaError.UNKNOWN_TOPIC_OR_PART
            self._abortable(refusal.code, text, needs_epoch=bump)

    def _deliver(self, batch: _Batch, error: KafkaError | None, first: int) -> None:
        for index, message in enumerate(batch.messages):
            self._report(message, batch.place, error, first + index)

    def _report(
        self, message: _Queued, place: Place, error: KafkaError | None, offset: int
    ) -> None:
        def tell() -> None:
            self._left -= 1
            if message.delivered is not None:
                message.delivered(
                    error,
                    Message(
                        topic=place[0],
                        partition=place[1],
                        offset=offset,
                        key=message.key,
                        value=message.value,
                        error=error,
                    ),
                )

        self._events.append(tell)

    def _purge(self) -> None:
        """Let nothing more be sent; what is under way may arrive all the same."""
        queued = KafkaError(KafkaError._PURGE_QUEUE, "purged")
        for place, queue in self._queued.items():
            while queue:
                self._report(queue.popleft(), place, queued, -1)
        sent = KafkaError(KafkaError._PURGE_INFLIGHT, "purged")
        for place, batch in self._in_flight.items():
            self._needs_epoch = True
            for message in batch.messages:
                self._report(message, place, sent, -1)
        self._in_flight.clear()

    # Offsets and ends

    def _add_offsets(self, sending: _SendingOffsets, term: int) -> None:
        name, (producer, epoch) = str(self._name), self._pid

        def answered(result: Any) -> None:
            if self._is_over(sending, term):
                return
            if result is LOST or _is_passing(result):
                self._repeat_offsets(sending, term, result, self._add_offsets)
            elif isinstance(result, Refusal):
                self._requests -= 1
                self._offsets_refused(sending, result)
            else:
                self._commit_offsets(sending, term)

        self._ask(
            "AddOffsetsToTxn",
            lambda: self._broker.add_offsets(name, producer, epoch, sending.member.group),
            answered,
            f"e{epoch} {sending.member.group}",
        )

    def _commit_offsets(self, sending: _SendingOffsets, term: int) -> None:
        name, (producer, epoch) = str(self._name), self._pid

        def answered(result: Any) -> None:
            if self._is_over(sending, term):
                return
            if result is LOST or _is_passing(result):
                self._repeat_offsets(sending, term, result, self._commit_offsets)
            elif isinstance(result, Refusal):
                self._offsets_refused(sending, result)
            else:
                sending.done = True

        self._ask(
            "TxnOffsetCommit",
            lambda: self._broker.commit_offsets(
                name, producer, epoch, sending.member, sending.offsets, sending.marks
            ),
            answered,
            f"e{epoch} {sending.member.member} gen {sending.member.generation}",
        )

    def _is_over(self, sending: _SendingOffsets, term: int) -> bool:
        return sending.done or term != self._term or self._state is not State.IN_TRANSACTION

    def _repeat_offsets(
        self,
        sending: _SendingOffsets,
        term: int,
        result: Any,
        again: Callable[[_SendingOffsets, int], None],
    ) -> None:
        if result is LOST:
            self._broke()
        if self._now() >= sending.deadline:
            text = "send_offsets_to_transaction timed out"
            self._abortable(KafkaError._TIMED_OUT, text)
            sending.done, sending.code, sending.text = True, KafkaError._TIMED_OUT, text
            return

        def repeat() -> None:
            if not self._is_over(sending, term):
                again(sending, term)

        self._retry(repeat)

    def _offsets_refused(self, sending: _SendingOffsets, refusal: Refusal) -> None:
        text = f"Failed to commit offsets to transaction: {refusal.text}"
        if refusal.code in (
            *_FENCING,
            KafkaError.INVALID_TXN_STATE,
            KafkaError.INVALID_PRODUCER_ID_MAPPING,
        ):
            self._fatal(refusal.code, text)
        else:
            self._abortable(refusal.code, text)
        sending.done, sending.code, sending.text = True, refusal.code, text

    def _end(self, term: int, *, commit: bool) -> None:
        name, (producer, epoch) = str(self._name), self._pid
        during = State.COMMITTING if commit else State.ABORTING

        def answered(result: Any) -> None:
            if result is LOST:
                self._broke()
            if term != self._term or self._state is not during:
                return
            if result is LOST or _is_passing(result):
                self._retry(lambda: self._end_again(term, during, commit=commit))
            elif isinstance(result, Refusal):
                text = f"Failed to end transaction: {result.text}"
                if result.code == KafkaError.INVALID_PRODUCER_ID_MAPPING:
                    self._abortable(result.code, text, needs_epoch=True)
                else:
                    self._fatal(result.code, text)
            else:
                self._state = State.COMMIT_NOT_ACKED if commit else State.ABORT_NOT_ACKED

        self._ask(
            "EndTxn",
            lambda: self._broker.end(name, producer, epoch, commit=commit),
            answered,
            f"e{epoch} {'commit' if commit else 'abort'}",
        )

    def _end_again(self, term: int, during: State, *, commit: bool) -> None:
        if term == self._term and self._state is during:
            self._end(term, commit=commit)

    # Requests

    def _ask(
        self, api: str, effect: Callable[[], Any], answered: Callable[[Any], None], what: str = ""
    ) -> None:
        self._network.request(self._process, api, effect, answered, what)

    def _later(self, act: Callable[[], None]) -> None:
        self._after(self._network.fates.backoff(), act)

    def _retry(self, act: Callable[[], None]) -> None:
        """Send a request again: never sooner than the configured back-off less a fifth."""

        def again() -> None:
            self._retries += 1
            act()

        self._after(self._backoff * self._network.fates.jitter(), again)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        def alive() -> None:
            late = self._process.stopped_until - self._now()
            if self._process.dead or self._closed:
                return
            if late > 0:
                self._after(late, act)
                return
            act()
            self._network.pace.touch()

        self._network.pace.at(seconds, alive)


def _is_passing(result: Any) -> bool:
    return isinstance(result, Refusal) and result.code == KafkaError.CONCURRENT_TRANSACTIONS
