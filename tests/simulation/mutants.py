"""Ways to break the protocol. A simulation that does not notice one of them proves nothing.

The last ones are mistakes that were really made, and that the simulation found.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from pnl.engine import JourneysHandler
from streams.clock import Deadline
from streams.kafka_clients import IsolationLevel, TopicPartition
from streams.kafka_consumer import KafkaConsumer
from streams.kafka_producer import SlotProducer
from streams.kafka_records import records_of
from streams.kafka_restore import Restore
from streams.kafka_settings import KafkaSettings
from streams.kafka_state import PartitionState
from streams.kafka_transaction import KafkaTransaction
from tests.simulation.fake_consumer import FakeConsumer
from tests.simulation.fake_producer import FakeProducer
from tests.simulation.groups import NO_GENERATION, Membership

Patch = pytest.MonkeyPatch


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing, whatever was to be done."""


def offsets_outside_the_transaction(patch: Patch) -> None:
    """Commit offsets at once instead of with the outputs."""

    def send(
        self: FakeProducer, positions: list[TopicPartition], metadata: Membership, _: float
    ) -> None:
        offsets = {(at.topic, at.partition): at.offset for at in positions}
        self._broker.groups.commit(metadata.group, offsets)

    patch.setattr(FakeProducer, "send_offsets_to_transaction", send)


def promotion_before_the_commit(patch: Patch) -> None:
    """Take the new state for the state before it is committed."""
    commit = KafkaConsumer._commit

    def commit_late(self: KafkaConsumer, client: Any, opened: KafkaTransaction) -> None:
        before = dict(self._owned.committed)
        complete, promote = opened.complete, opened.promote

        def complete_and_promote() -> None:
            complete()
            promote()
            self._owned.committed = before

        opened.complete = complete_and_promote  # type: ignore[method-assign]
        opened.promote = lambda: self._owned.committed.update(opened.offsets)  # type: ignore[method-assign]
        commit(self, client, opened)

    patch.setattr(KafkaConsumer, "_commit", commit_late)


def no_rewind_after_an_abort(patch: Patch) -> None:
    """Go on with the next records after a batch was dropped."""
    patch.setattr(KafkaConsumer, "rewind", nothing)


def no_generation(patch: Patch) -> None:
    """Commit offsets without proving to be a member."""
    patch.setattr(
        FakeConsumer,
        "consumer_group_metadata",
        lambda self: Membership(self._group, "", NO_GENERATION),
    )


def restore_to_the_last_stable_offset(patch: Patch) -> None:
    """Take a state for whole while a transaction is undecided (KAFKA-10167), unchecked."""
    patch.setattr(PartitionState, "assert_whole", nothing)
    patch.setattr(
        "streams.kafka_restore.IsolationLevel",
        type("Stable", (), {"READ_UNCOMMITTED": IsolationLevel.READ_COMMITTED}),
    )


def restore_of_uncommitted_records(patch: Patch) -> None:
    """Take what was aborted for state."""
    reader = KafkaSettings.reader

    def uncommitted(self: KafkaSettings) -> Mapping[str, object]:
        return {**reader(self), "isolation.level": "read_uncommitted"}

    patch.setattr(KafkaSettings, "reader", uncommitted)


def no_new_producer_after_a_doubt(patch: Patch) -> None:
    """Go on with the producer whose commit may have been sent twice."""

    def begin(self: SlotProducer) -> None:
        self._begun = Deadline(self._limit)
        self._call(self._producer.begin_transaction)
        self.is_open = True

    patch.setattr(SlotProducer, "begin", begin)


def no_wait_for_statistics(patch: Patch) -> None:
    """Take a slow commit for one that was sent once."""
    patch.setattr(SlotProducer, "_await_news", lambda self: self._producer.poll(0))


def no_look_at_the_clock(patch: Patch) -> None:
    """Believe the statistics of before a commit's end."""
    patch.setattr("streams.kafka_producer.SWIFT", timedelta(hours=1))


def no_look_at_the_assignment(patch: Patch) -> None:
    """Go on with the customers in memory after partitions were taken away and given back."""
    patch.setattr(KafkaConsumer, "assignment", 1)


def records_of_a_former_assignment(patch: Patch) -> None:
    """Hand out what was read before a rebalance, and let it be committed: either is enough."""

    def read(self: KafkaConsumer, client: Any, records_max: int, seconds: float) -> Any:
        messages = list(self._consume(client, 1, seconds))
        if messages:
            messages += self._consume(client, records_max - 1, self._gather_seconds)
        return records_of(messages, self._owned.names, self._assert_passing)

    patch.setattr(KafkaConsumer, "_next", read)
    patch.setattr(KafkaConsumer, "_assert_settled", nothing)


def no_drop_of_a_lost_batch(patch: Patch) -> None:
    """Keep the customers in memory as a lost batch left them."""
    patch.setattr(JourneysHandler, "drop", lambda self: self._open.clear())


def a_lost_commit_never_happened(patch: Patch) -> None:
    """Process a batch again without asking how its commit ended."""
    patch.setattr(KafkaConsumer, "_was_committed", lambda *_: False)


def a_lost_commit_always_happened(patch: Patch) -> None:
    """Go on behind a batch without asking how its commit ended."""
    patch.setattr(KafkaConsumer, "_was_committed", lambda *_: True)


def a_record_taken_while_partitions_are(patch: Patch) -> None:
    """Serve the group by a poll after reading was resumed: the record it takes is lost."""
    settle = KafkaConsumer._settle

    def settle_and_serve(self: KafkaConsumer, client: Any, seconds: float) -> None:
        settle(self, client, seconds)
        if self._client is not None:
            self._serve(client)

    patch.setattr(KafkaConsumer, "_settle", settle_and_serve)


def a_state_that_forgets_its_last_batch(patch: Patch) -> None:
    """Hold a kept state against an account that is out of date."""
    promote = KafkaTransaction.promote

    def forget(self: KafkaTransaction) -> None:
        self._accounts.clear()
        promote(self)

    patch.setattr(KafkaTransaction, "promote", forget)


def a_position_before_the_commit(patch: Patch) -> None:
    """Take a state for complete up to what was sent, committed or not."""

    def noting(self: KafkaTransaction, partition: int) -> Callable[[int], None]:
        state: PartitionState = self._state(partition)

        def note(offset: int) -> None:
            state.position = offset + 1

        return note

    patch.setattr(KafkaTransaction, "_noting", noting)


def damage_seen_by_the_late(patch: Patch) -> None:
    """Take for torn what another owner has meanwhile committed."""
    patch.setattr(Restore, "is_outdated", lambda _: False)


class Mutant(NamedTuple):
    """A way to break the protocol, and the theme of the seeds in which it shows."""

    breaks: Callable[[Patch], None]
    theme: str


MUTANTS: dict[str, Mutant] = {
    breaks.__name__.replace("_", " "): Mutant(breaks, theme)
    for breaks, theme in (
        (offsets_outside_the_transaction, "mixed"),
        (promotion_before_the_commit, "mixed"),
        (no_rewind_after_an_abort, "mixed"),
        (no_generation, "zombies"),
        (restore_to_the_last_stable_offset, "slow commits"),
        (restore_of_uncommitted_records, "mixed"),
        (no_new_producer_after_a_doubt, "late"),
        (no_wait_for_statistics, "late"),
        (no_look_at_the_clock, "late"),
        (no_look_at_the_assignment, "mixed"),
        (records_of_a_former_assignment, "storm"),
        (no_drop_of_a_lost_batch, "mixed"),
        (a_lost_commit_never_happened, "unanswered"),
        (a_lost_commit_always_happened, "unanswered"),
        (a_record_taken_while_partitions_are, "mixed"),
        (a_state_that_forgets_its_last_batch, "mixed"),
        (a_position_before_the_commit, "slow commits"),
        (damage_seen_by_the_late, "zombies"),
    )
}


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Break the protocol in one way."""
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name].breaks(patch)
        yield
