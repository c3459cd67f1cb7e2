"""What a host of signals and its handler agree on: a handler is pure, a host gives it its state.

Law: a handler remembers nothing between two calls but what lies in the state it is handed; so
every host that keeps the state gives the same signals, and what is not kept is worked out again
from the same records, with the same identities.

Hosts are `streams.signals_on_runner`, exactly once on any log, and `streams.faust_host`, at least
once on Kafka; one contract suite holds both.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import NamedTuple, Protocol

from streams.facts import Millis
from streams.invalid import Refused


class Arrived(NamedTuple):
    """A record as a handler gets it; (epoch, topic, partition, offset) is its place for ever."""

    topic: str
    partition: int
    offset: int
    epoch: int
    logged_at: Millis
    key: bytes | None
    value: bytes | None


class Emitted(NamedTuple):
    """A record to write, into the partition number whose record or tick made it."""

    topic: str
    key: bytes | None
    value: bytes


class SignalHandler(Protocol):
    """Pure: the state it is handed, and nothing else, is changed.

    State keys are text that does not begin with NUL.
    """

    def apply(self, state: MutableMapping[str, bytes], arrived: Arrived) -> Sequence[Emitted]:
        """Take a record of one partition number into its state; return what to write.

        Raises Refused where the record cannot be read; any other exception is a bug of ours.
        """
        ...

    def tick(
        self, state: MutableMapping[str, bytes], partition: int, now: Millis
    ) -> Sequence[Emitted]:
        """Do in a partition number what only time brings about; return what to write."""
        ...


class Draft(MutableMapping[str, bytes]):
    """A state as it would be with changes that nobody has made true yet."""

    def __init__(self, held: Mapping[str, bytes]) -> None:
        self._held = held
        self.changes: dict[str, bytes | None] = {}
        """What differs from `held`; None: the key is gone."""

    def __getitem__(self, key: str) -> bytes:
        if key not in self.changes:
            return self._held[key]
        value = self.changes[key]
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: bytes) -> None:
        if self._held.get(key) == value:
            self.changes.pop(key, None)
        else:
            self.changes[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        if key in self._held:
            self.changes[key] = None
        else:
            del self.changes[key]

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in list(self._held) if key not in self.changes)
        yield from [key for key, value in self.changes.items() if value is not None]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def take(self, changes: Mapping[str, bytes | None]) -> None:
        """Make changes here that were tried on a draft of this one."""
        for key, value in changes.items():
            if value is not None:
                self[key] = value
            elif key in self:
                del self[key]


def changed(state: dict[str, bytes], changes: Mapping[str, bytes | None]) -> None:
    """Make a draft's changes true."""
    for key, value in changes.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def apply_each(
    handler: SignalHandler, draft: Draft, arrivals: Iterable[Arrived]
) -> tuple[list[Emitted], list[tuple[int, Refused]]]:
    """Apply records of one partition number; return what to write, and which were refused.

    A record that is refused half-way leaves nothing behind.
    """
    emitted: list[Emitted] = []
    refused: list[tuple[int, Refused]] = []
    for index, arrived in enumerate(arrivals):
        tried = Draft(draft)
        try:
            emitted += handler.apply(tried, arrived)
        except Refused as problem:
            refused.append((index, problem))
        else:
            draft.take(tried.changes)
    return emitted, refused
