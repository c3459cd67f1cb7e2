"""The producer of a worker's slot: one transaction at a time, and a new producer after any doubt.

Law: when `commit` returns or raises Busy, everybody knows how the transaction ended. A commit whose
request may have been sent twice is followed by a new producer, whose first act makes the broker
refuse everything its predecessor may still have under way.

The library sends a commit again without a word: only its statistics tell, afterwards. But it waits
`retry.backoff.ms` first, so a commit that was answered sooner was sent once. After a slower one the
next transaction does not begin before fresh statistics have cleared it. The same goes for the
offsets that are sent before: coming late, they would set those of the next transaction back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import msgspec

from streams.clock import Deadline, pause
from streams.failpoints import failpoint
from streams.kafka_clients import (
    KafkaClients,
    KafkaError,
    KafkaException,
    KafkaMessage,
    KafkaProducerClient,
    TopicPartition,
)
from streams.kafka_errors import Verdict, ending, error_of, verdict
from streams.kafka_settings import RETRY_BACKOFF, STATISTICS_INTERVAL, KafkaSettings
from streams.log import Busy, Fenced, LogFailed, Outgoing

SWIFT: Final = 0.6 * RETRY_BACKOFF
"""A commit that was answered within this was sent once: the back-off varies by a fifth."""
SLOW: Final = timedelta(seconds=5)
"""After a commit this slow nothing is asked: a new producer is safe whatever happened."""
NEWS_MAX: Final = 10 * STATISTICS_INTERVAL
INIT_MAX: Final = timedelta(seconds=60)
CALL_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.05
_DISTURBANCES: Final = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
    }
)


class Unresolved(Exception):
    """The broker was told to commit and nobody knows whether it did: a new producer is in place.

    Its `init_transactions` has ended the transaction one way or the other, so the mark of the
    group's committed offsets now tells which.
    """


class _BrokerCounters(msgspec.Struct):
    disconnects: int = 0
    req_timeouts: int = 0
    txretries: int = 0


class _Statistics(msgspec.Struct):
    brokers: dict[str, _BrokerCounters] = {}


_statistics: Final = msgspec.json.Decoder(_Statistics).decode


@dataclass(slots=True)
class _End:
    """What is known of the requests that end a transaction: its offsets, its commit or abort."""

    knew: bool
    """Whether there were statistics before the first of them."""
    repeated: bool = False
    swift: Deadline = field(default_factory=lambda: Deadline(SWIFT))
    slow: Deadline = field(default_factory=lambda: Deadline(SLOW))


class SlotProducer:
    """Transactions of one group in one slot; used by one thread."""

    def __init__(self, clients: KafkaClients, settings: KafkaSettings, group: str) -> None:
        self._clients = clients
        self._config = settings.transactional(group)
        self._limit = settings.transaction_timeout
        self._said = settings.said
        self._what = f"group {group}, slot {settings.slot}"
        self._disturbed = False
        self._end: _End | None = None
        self._counters: int | None = None
        self._news = self._clear_at = 0
        self.is_open = False
        self.replaced = 0
        """How often a doubt was answered by a new producer."""
        self._producer = self._started()

    def begin(self) -> None:
        """Open a transaction."""
        self._await_news()
        if self._disturbed:
            self._replace("a commit may have been sent twice")
        self._begun = Deadline(self._limit)
        self._end = None
        self._call(self._producer.begin_transaction)
        self.is_open = True

    def produce(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Queue records of one partition, in this order."""
        produce = self._producer.produce
        for key, value, headers in records:
            while True:
                try:
                    if headers:
                        produce(topic, value, key, partition, headers=list(headers))
                    else:
                        produce(topic, value, key, partition)
                except BufferError:
                    self._give_time()
                except KafkaException as raised:
                    raise self._ended(raised, "produce") from raised
                else:
                    break

    def produce_noting(
        self,
        topic: str,
        partition: int,
        key: bytes,
        value: bytes,
        note: Callable[[int], None],
    ) -> None:
        """Queue one record and have its offset told once it is known."""

        def delivered(error: KafkaError | None, message: KafkaMessage) -> None:
            offset = message.offset()
            if error is None and offset is not None:
                note(offset)

        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=delivered)
            except BufferError:
                self._give_time()
            except KafkaException as raised:
                raise self._ended(raised, "produce") from raised
            else:
                return

    def commit(self, positions: list[TopicPartition], metadata: Any) -> None:  # noqa: ANN401
        """Commit what was produced, and the group's offsets with it.

        Raises Busy when it was aborted, Unresolved when only what the group has committed can
        tell; Fenced and LogFailed end the process.
        """
        while self._flush():
            self._assert_time_left("flush")
        failpoint("W5")
        end = self._watch()
        if positions:
            try:
                end.repeated = self._call(
                    lambda: self._producer.send_offsets_to_transaction(
                        positions, metadata, CALL_SECONDS
                    )
                )
            except _OutOfTime as late:
                # The library may still be at it, and takes no other call before it is through.
                self._replace("the offsets were not taken in time")
                raise Busy(f"{self._what}: the offsets were not taken in time: {late}") from late
        failpoint("W6")
        try:
            end.repeated |= self._call(lambda: self._producer.commit_transaction(CALL_SECONDS))
        except _OutOfTime as late:
            self._replace("a commit was not answered in time")
            raise Unresolved from late
        self.is_open = False
        failpoint("W7")
        self._judge(end)

    def abort(self) -> None:
        """Drop what was produced."""
        end = self._watch()
        self._begun = Deadline(self._limit)
        try:
            end.repeated |= self._call(
                lambda: self._producer.abort_transaction(CALL_SECONDS), aborting=True
            )
        except _OutOfTime:
            self._replace("an abort was not answered in time")
            return
        self.is_open = False
        self._judge(end)

    def close(self) -> None:
        """Forget what is queued: nothing that is not committed may leave after this."""
        self._producer.purge()
        try:
            self._flush()
        except (Fenced, LogFailed) as late:
            self._said(f"{self._what}: heard when it was over: {late}")

    def _started(self) -> KafkaProducerClient:
        """Return a producer that has fenced all others of this slot."""
        failpoint("W11")
        producer = self._clients.producer(self._config, self._on_error, self._on_statistics)
        limit = Deadline(max(INIT_MAX, 2 * self._limit))
        while True:
            try:
                producer.init_transactions(CALL_SECONDS)
            except KafkaException as raised:
                error = error_of(raised)
                if verdict(error) is not Verdict.REPEAT:
                    raise ending(error, f"{self._what}: init_transactions") from raised
                if not limit.seconds_left():
                    raise LogFailed(
                        f"{self._what}: no broker began a producer: {error.str()}"
                    ) from raised
                pause(_PAUSE_SECONDS)
            else:
                return producer

    def _watch(self) -> "_End":
        """Return the watch over a transaction's end, begun with the first request towards it."""
        if self._end is None:
            self._serve()
            self._end = _End(knew=self._counters is not None)
        return self._end

    def _judge(self, end: "_End") -> None:
        """Note what is known of an end of a transaction: sent once, perhaps twice, or twice."""
        self._serve()
        if end.repeated or not end.slow.seconds_left():
            self._disturbed = True
        elif not end.swift.seconds_left():
            # Without statistics of before there is nothing to compare with; the next to come may
            # have been taken before the commit's end.
            self._disturbed = self._disturbed or not end.knew
            self._clear_at = self._news + 2

    def _await_news(self) -> None:
        """Wait for the statistics that a slow commit is to be judged by; none are bad news."""
        self._serve()
        limit = Deadline(NEWS_MAX)
        while self._news < self._clear_at and not self._disturbed:
            self._serve(_PAUSE_SECONDS)
            if not limit.seconds_left():
                self._disturbed = True

    def _replace(self, why: str) -> None:
        """Go on with a new producer (a new epoch): the old one's requests are refused from now."""
        self._said(f"{self._what}: {why}; going on with a new producer")
        failpoint("W13")
        self._producer.purge()
        self.is_open = self._disturbed = False
        self._counters, self._news, self._clear_at = None, 0, 0
        self._producer = self._started()
        self.replaced += 1

    def _call(self, call: Callable[[], None], *, aborting: bool = False) -> bool:
        """Call until it is answered; return whether it had to be called again.

        Raises Busy after aborting, when that is what the error asks for.
        """
        repeated = False
        while True:
            try:
                call()
            except KafkaException as raised:
                error = error_of(raised)
                judged = verdict(error)
                if judged is Verdict.REPEAT:
                    repeated = True
                    if not self._begun.seconds_left():
                        raise _OutOfTime(error.str()) from raised
                    pause(_PAUSE_SECONDS)
                    continue
                if judged is Verdict.ABORT and not aborting:
                    raise Busy(f"{self._what}: aborted: {error.name()}: {error.str()}") from raised
                raise ending(error, self._what) from raised
            else:
                return repeated

    def _serve(self, seconds: float = 0.0) -> None:
        """Let the library call back for so long."""
        try:
            self._producer.poll(seconds)
        except KafkaException as raised:
            raise ending(error_of(raised), self._what) from raised

    def _flush(self) -> int:
        """Send what is queued; return how many records are left after a while."""
        try:
            return self._producer.flush(CALL_SECONDS)
        except KafkaException as raised:
            raise ending(error_of(raised), self._what) from raised

    def _ended(self, raised: KafkaException, what: str) -> Exception:
        """Return what an error of `produce` means: Busy, or what ends this producer."""
        error = error_of(raised)
        if error.code() == KafkaError._FATAL:  # noqa: SLF001
            error = self._why_it_failed()
        if verdict(error) in (Verdict.ABORT, Verdict.REPEAT):
            return Busy(f"{self._what}: {what}: {error.name()}: {error.str()}")
        return ending(error, f"{self._what}: {what}")

    def _why_it_failed(self) -> KafkaError:
        """Return what ended the library's producer; `produce` says only that something has.

        No transaction can be begun where one is open: in any case this is answered with an error.
        """
        try:
            self._producer.begin_transaction()
        except KafkaException as raised:
            return error_of(raised)
        raise LogFailed(f"{self._what}: the producer failed without a reason")

    def _give_time(self) -> None:
        self._serve(_PAUSE_SECONDS)
        self._assert_time_left("a full queue")

    def _assert_time_left(self, waiting_for: str) -> None:
        if not self._begun.seconds_left():
            raise Busy(f"{self._what}: {waiting_for} took longer than a transaction may")

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in _DISTURBANCES:
            self._disturbed = True

    def _on_statistics(self, text: str) -> None:
        """Notice requests that the library sent twice without a word."""
        brokers = _statistics(text.encode()).brokers.values()
        counters = sum(b.disconnects + b.req_timeouts + b.txretries for b in brokers)
        if self._counters is not None and counters > self._counters:
            self._disturbed = True
        self._counters = counters
        self._news += 1


class _OutOfTime(Exception):
    """A call was repeated for as long as a transaction may live."""
