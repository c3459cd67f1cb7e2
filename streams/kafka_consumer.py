"""A member of a group on Kafka: hands out records, commits transactions.

Law: records are handed out only of partitions that are owned, from the offset that is committed;
what a transaction changes here is taken over only once the broker has committed it. Safety rests
on the broker, which refuses the offsets of an old generation and the records of an old producer;
what we are told about lost partitions only saves work.

The offsets of each transaction carry a mark that no other has: what stands committed under it tells
that it was, also where no offset moved, as in a tick or the account of a quiet partition.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from streams.clock import Deadline, pause
from streams.kafka_clients import (
    KafkaClients,
    KafkaConsumerClient,
    KafkaError,
    KafkaException,
    KafkaMessage,
)
from streams.kafka_clients import TopicPartition as Place
from streams.kafka_errors import Verdict, answered, ending, error_of, is_passing, verdict
from streams.kafka_ownership import Ownership
from streams.kafka_producer import SlotProducer, Unresolved
from streams.kafka_questions import watermarks
from streams.kafka_records import records_of
from streams.kafka_settings import KafkaSettings
from streams.kafka_state import KafkaState
from streams.kafka_transaction import KafkaTransaction
from streams.log import Busy, Fenced, LogDamaged, LogFailed, Record, TopicPartition, Transaction

_SETTLE_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 0.05


class KafkaConsumer:
    """One member of a group; used by one thread."""

    def __init__(
        self,
        clients: KafkaClients,
        settings: KafkaSettings,
        group: str,
        topics: Sequence[str],
        partitions: int,
    ) -> None:
        self.group = group
        self._partitions = partitions
        self._settings = settings
        self._gather_seconds = settings.gather.total_seconds()
        self._producer = SlotProducer(clients, settings, group)
        self._owned = owned = Ownership(clients, settings, group, topics)
        self._paused = False
        self._fault: Exception | None = None
        self._client: KafkaConsumerClient | None = clients.consumer(settings.consumer(group))
        self._client.subscribe(
            list(owned.names),
            on_assign=owned.on_assign,
            on_revoke=owned.on_revoke,
            on_lost=owned.on_revoke,
        )

    @property
    def state(self) -> KafkaState:
        """The committed state of the partitions owned."""
        return self._owned.state

    @property
    def assignment(self) -> int:
        """How often the partitions owned have changed: only `poll` and `keep` change it."""
        return self._owned.count

    @property
    def is_settled(self) -> bool:
        """Whether all partitions assigned are owned, their state restored."""
        return self._owned.is_settled

    @property
    def restored_records(self) -> int:
        """How many records of state were read for the partitions owned."""
        return self._owned.restored_records

    @property
    def producers_replaced(self) -> int:
        """How often a doubt about a commit was answered by a new producer."""
        return self._producer.replaced

    def committed(self) -> dict[TopicPartition, int]:
        """Return the next offset of every partition that is owned."""
        return dict(self._owned.committed)

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the next records, each partition in offset order; empty after `wait` without any.

        Raises LogDamaged where state and offsets disagree.
        """
        client = self._usable()
        deadline = Deadline(wait)
        while True:
            if not self._owned.is_settled:
                self._settle(client, deadline.seconds_left())
            else:
                if self._paused:
                    client.resume(self._owned.places())
                    self._paused = False
                records = self._next(client, records_max, deadline.seconds_left())
                if records:
                    return records
            if not deadline.seconds_left():
                return []

    def keep(self) -> None:
        """Stay a member without taking records: pauses and polls."""
        client = self._usable()
        if not self._owned.is_settled:
            self._settle(client, _SETTLE_SECONDS)
            return
        if not self._paused:
            client.pause(self._owned.places())
            self._paused = True
        self._serve(client)

    def rewind(self) -> None:
        """Forget what was polled and not committed: the next poll starts at what is."""
        if self._client is not None and self._owned.is_settled:
            self._owned.read_from(self._client, self._owned.committed)
            self._paused = False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction: leaving it normally commits, leaving it by an exception drops it.

        Raises Busy when the broker aborted it (rewind, and process again), Fenced when another
        worker took the slot over.
        """
        client = self._usable()
        opened = KafkaTransaction(
            self._owned, self._producer, self._settings.prefix, self._partitions
        )
        with self._ending_us():
            self._producer.begin()
        try:
            yield opened
            self._commit(client, opened)
        except BaseException as error:
            if isinstance(error, Fenced | LogFailed):
                self._fail(error)
            elif self._producer.is_open:
                with self._ending_us():
                    self._producer.abort()
            elif not isinstance(error, Busy):
                # Committed perhaps, and not taken over: what is in memory is not to be relied on.
                self._fail(LogFailed(f"group {self.group}: ended in a commit: {error}"))
            raise

    def close(self) -> None:
        """Leave the group."""
        client, self._client = self._client, None
        if client is not None:
            self._owned.close()
            client.close()
            self._producer.close()

    def _commit(self, client: KafkaConsumerClient, opened: KafkaTransaction) -> None:
        self._assert_settled()
        self._assert_within(client, opened.offsets)
        opened.complete()
        mark = uuid4().hex
        positions = [
            Place(self._settings.prefix + at.topic, at.partition, to, metadata=mark)
            for at, to in opened.offsets.items()
        ]
        try:
            self._producer.commit(positions, client.consumer_group_metadata())
        except Unresolved:
            if not self._was_committed(client, opened.offsets, mark):
                raise Busy(f"group {self.group}: a commit was lost; it is made again") from None
        opened.promote()

    def _assert_settled(self) -> None:
        """Raise Busy while partitions are given out anew: what we hold is of the old generation.

        The broker would take it, as we may be of the new one already; and without records a poll
        does not tell the two apart.
        """
        if not self._owned.is_settled:
            raise Busy(f"group {self.group}: its partitions are given out anew")

    def _was_committed(
        self, client: KafkaConsumerClient, offsets: Mapping[TopicPartition, int], mark: str
    ) -> bool:
        """Ask the broker how an unresolved transaction ended; LogFailed if it cannot be told."""
        if not offsets:
            raise LogFailed(
                f"group {self.group}: a commit went unanswered that moved nothing: nobody can tell "
                "how it ended"
            )
        try:
            marked = self._owned.ask_marked(client, offsets)
        except KafkaException as raised:
            raise LogFailed(
                f"group {self.group}: a commit went unanswered, and so did the question how it "
                f"ended: {error_of(raised).str()}"
            ) from raised
        if marked == {at: (to, mark) for at, to in offsets.items()}:
            return True
        found = {at: to for at, (to, _) in marked.items()}
        is_ours = any(under == mark for _, under in marked.values())
        standing = self._owned.committed
        if not is_ours and all(to == standing.get(at) for at, to in found.items()):
            return False
        raise LogFailed(
            f"group {self.group}: after a commit of unknown outcome the committed offsets are "
            f"{found}, neither those before it nor those sent"
        )

    def _assert_within(
        self, client: KafkaConsumerClient, offsets: Mapping[TopicPartition, int]
    ) -> None:
        for at, offset in offsets.items():
            where = Place(self._settings.prefix + at.topic, at.partition)
            _, end = client.get_watermark_offsets(where, cached=True)
            if offset > end:
                told = f"{where.topic}/{where.partition}: asking for its end"
                _, end = answered(partial(watermarks, client, where), told)
            if not 0 <= offset <= end:
                raise ValueError(f"offset {offset} to commit is not within [0, {end}]")

    def _next(self, client: KafkaConsumerClient, records_max: int, seconds: float) -> list[Record]:
        """Return what comes within so many seconds, and what follows it shortly."""
        messages = list(self._consume(client, 1, seconds))
        if messages and records_max > 1 and self._owned.is_settled:
            messages += self._consume(client, records_max - 1, self._gather_seconds)
        if not self._owned.is_settled:
            return []  # read under the old assignment; the new one begins at what is committed
        return records_of(messages, self._owned.names, self._assert_passing)

    def _consume(
        self, client: KafkaConsumerClient, records_max: int, seconds: float
    ) -> Sequence[KafkaMessage]:
        try:
            return client.consume(records_max, seconds)
        except KafkaException as raised:
            self._assert_passing(error_of(raised))
            return ()

    def _serve(self, client: KafkaConsumerClient, seconds: float = 0.0) -> None:
        """Let the library call back while nothing is to be read."""
        for message in self._consume(client, 1, seconds):
            error = message.error()
            if error is not None:
                self._assert_passing(error)

    def _settle(self, client: KafkaConsumerClient, seconds: float) -> None:
        """Go a step towards owning what was assigned; serve the group meanwhile."""
        try:
            self._owned.settle(client, seconds)
        except KafkaException as raised:
            error = error_of(raised)
            if not is_passing(error):
                fault = self._fail(ending(error, f"group {self.group}: taking partitions over"))
                raise fault from raised
            self._settings.said(f"group {self.group}: {error.name()}: {error.str()}")
            pause(_AGAIN_SECONDS)
        except LogDamaged as damaged:
            self._fail(damaged)
            raise
        if not self._owned.is_settled:  # else a record would be taken here, and lost
            self._serve(client)
        else:
            self._paused = False  # what came to be owned is read, whatever was paused before

    def _assert_passing(self, error: KafkaError) -> None:
        """Raise unless an error in the place of a record will pass by itself."""
        code = error.code()
        if code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):  # noqa: SLF001
            raise self._fail(
                LogDamaged(
                    f"group {self.group}: {error.str()}: records that were not read are gone; "
                    "retention was shorter than the downtime"
                )
            )
        if code == KafkaError._MAX_POLL_EXCEEDED or verdict(error) is Verdict.REPEAT:  # noqa: SLF001
            self._settings.said(f"group {self.group}: {error.name()}: {error.str()}")
            return
        raise self._fail(ending(error, f"group {self.group}"))

    @contextmanager
    def _ending_us(self) -> Iterator[None]:
        """Remember an error that ends this member."""
        try:
            yield
        except Busy:
            raise
        except Exception as fault:
            self._fail(fault)
            raise

    def _fail(self, fault: Exception) -> Exception:
        """Let nothing more be read or written: this member is done for, and leaves."""
        if self._fault is None:
            self._fault = fault
            client, self._client = self._client, None
            if client is not None:
                self._owned.close()
                client.close()
        return self._fault

    def _usable(self) -> KafkaConsumerClient:
        if self._fault is not None:
            raise self._fault
        if self._client is None:
            raise ValueError(f"the consumer of group {self.group} is closed")
        return self._client
