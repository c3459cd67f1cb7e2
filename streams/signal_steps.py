"""The state of signals on a changelog: what is written for a step, and what is read from it.

Law: the last step lies whole in one record. A step first writes all that it changes as one record
under `STEP`, then each key under its own; so whatever end the changelog has, what is read of it is
the state after some step, with the places up to which that step goes. Compaction may remove what
is older: of each key the newest stays, and of steps the last.

Every takeover of a partition begins a new *term* by writing the last step again under it; what an
earlier owner writes after that is passed over: it is late, and its records were handled again. A
key that is no more is written too, by its term alone: a tombstone could not be told to be late.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.signal_host import changed

STEP: Final = b"\0\0step"
"""No state key: those do not begin with NUL."""
_TERM_BYTES: Final = 4


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What one step changed, and the next offset of each topic after it."""

    term: int
    epoch: int
    positions: dict[str, int]
    changes: dict[str, bytes | None]


Written = list[tuple[bytes, bytes]]
"""Records for the changelog, (key, value), in their order."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Step).decode


def _termed(value: bytes) -> tuple[int, bytes]:
    return int.from_bytes(value[:_TERM_BYTES]), value[_TERM_BYTES:]


class Table:
    """One partition number's state, and where its topics are to be read on."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._term = 0
        self._seen = 0
        self._last: dict[str, bytes | None] = {}
        self.state: dict[str, bytes] = {}
        self.positions: dict[str, int] = {}
        """Next offsets; those of another epoch are none."""

    def replay(self, key: bytes | None, value: bytes | None) -> bool:
        """Take over the next record of the changelog, unless it is late; say whether it is a step.

        A late step is none.
        """
        assert key is not None, "every record here has a key: the topic is compacted"
        if key == STEP and value is not None:
            return self._replay_step(_decode(value))
        # We write no tombstones; one that somebody else put there is of no term, and stands.
        term, kept = (self._seen, b"") if value is None else _termed(value)
        if term >= self._seen:
            changed(self.state, {key.decode(): kept or None})
        return False

    def _replay_step(self, step: Step) -> bool:
        if step.term < self._seen:
            return False
        self._seen = step.term
        self._last = step.changes
        self.positions = dict(step.positions) if step.epoch == self._epoch else {}
        changed(self.state, step.changes)
        return True

    def take_over(self, generation: int) -> Written:
        """Begin a term, that of the owners' `generation` if it can be; return what to write.

        That is the last step again: its keys may not have been written, and the step itself is
        compacted away once there is another. Then all that lies before it is to be replayed; if a
        step is found there, a term has to be begun anew.
        """
        self._term = max(self._seen + 1, generation)
        return self._written(self._last)

    def step(self, positions: Mapping[str, int], changes: Mapping[str, bytes | None]) -> Written:
        """Make a step true; return what to write. No key's state is empty."""
        self.positions = {**self.positions, **positions}
        changed(self.state, changes)
        return self._written(changes)

    def _written(self, changes: Mapping[str, bytes | None]) -> Written:
        whole = Step(self._term, self._epoch, self.positions, dict(changes))
        term = self._term.to_bytes(_TERM_BYTES)
        return [
            (STEP, _encode(whole)),
            *((key.encode(), term + (value or b"")) for key, value in changes.items()),
        ]
