"""Signals behind the runner: state, outputs and offsets of a batch in one transaction, on any log.

Law: exactly once: a handler here never sees a record twice, and what a tick changed is committed
together with what it wrote.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from streams.facts import Millis
from streams.log import Outgoing, Record, StateReader
from streams.runner import Account, Done
from streams.signal_host import Arrived, Draft, Emitted, SignalHandler, apply_each, changed


@dataclass(slots=True)
class _Batch:
    draft: Draft
    emitted: Sequence[Emitted]


class SignalsOnRunner:
    """The runner's handler around a handler of signals; the state of what is owned is in memory."""

    def __init__(self, handler: SignalHandler, epoch: int) -> None:
        self._handler = handler
        self._epoch = epoch
        self._held: dict[int, dict[str, bytes]] = {}
        self._open: dict[int, _Batch] = {}

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from."""
        self._state = state
        self._held.clear()
        self._open.clear()

    def process(
        self, partition: int, records: Sequence[Record], batch_id: str
    ) -> Sequence[tuple[int, Done]]:
        """Apply a batch of one partition; return what was refused."""
        del batch_id
        draft = Draft(self._state_of(partition))
        arrivals = [
            Arrived(topic, number, offset, self._epoch, logged_at, key, value)
            for topic, number, offset, logged_at, key, value, _ in records
        ]
        emitted, refused = apply_each(self._handler, draft, arrivals)
        self._open[partition] = _Batch(draft, emitted)
        return [(index, Done("dead", each.reason, each.detail)) for index, each in refused]

    def tick(self, partition: int, now: Millis) -> bool:
        """Do what only time brings about; say whether anything came of it."""
        draft = Draft(self._state_of(partition))
        emitted = self._handler.tick(draft, partition, now)
        if not emitted and not draft.changes:
            return False
        self._open[partition] = _Batch(draft, emitted)
        return True

    def outputs(self, partition: int) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return what the batch writes, each topic's records in order."""
        by_topic = sorted(self._open[partition].emitted, key=lambda each: each.topic)
        for topic, records in groupby(by_topic, key=lambda each: each.topic):
            yield topic, [Outgoing(each.key, each.value) for each in records]

    def changes(self, partition: int) -> list[tuple[bytes, bytes | None]]:
        """Return what the batch changed in a partition's state."""
        changes = self._open[partition].draft.changes
        return [(key.encode(), value) for key, value in changes.items()]

    def records_of(self, account: Account) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return nothing: the store asks for no account of signals."""
        del account
        return ()

    def promote(self) -> None:
        """Make the changes of the batch the state."""
        for partition, batch in self._open.items():
            changed(self._held[partition], batch.draft.changes)
        self._open.clear()

    def drop(self) -> None:
        """Forget the batch."""
        self._open.clear()

    def _state_of(self, partition: int) -> dict[str, bytes]:
        if partition not in self._held:
            self._held[partition] = {
                key.decode(): value
                for shelf in self._state.shelves(partition)
                for key, value in self._state.load(partition, shelf)
            }
        return self._held[partition]
