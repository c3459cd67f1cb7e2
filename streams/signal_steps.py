"""The state of signals on a changelog: what is written for a step, and what is read from it.

Law: the last step lies whole in one record. A step first writes all that it changes as one record
under `STEP`, then each key under its own; so whatever end the changelog has, what is read of it is
the state after some step, with the places up to which that step goes. Compaction may remove what
is older: of each key the newest stays, and of steps the last.

Every takeover of a partition begins a new *term*, and what an earlier owner writes after that is
passed over: it is late, and its records were handled again.
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


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Step).decode


class Table:
    """One partition number's state, and where its topics are to be read on."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self.term = 0
        self.state: dict[str, bytes] = {}
        self.positions: dict[str, int] = {}
        """Next offsets; those of another epoch are none."""

    def replay(self, key: bytes, value: bytes | None) -> None:
        """Take over the next record of the changelog."""
        if value is None:
            self.state.pop(key.decode(), None)
            return
        if key == STEP:
            step = _decode(value)
            if step.term >= self.term:
                self.term = step.term
                self.positions = dict(step.positions) if step.epoch == self._epoch else {}
                changed(self.state, step.changes)
            return
        term = int.from_bytes(value[:_TERM_BYTES])
        if term >= self.term:
            self.state[key.decode()] = value[_TERM_BYTES:]

    def take_over(self) -> None:
        """Begin a term: all that there is has been read."""
        self.term += 1

    def step(
        self, positions: Mapping[str, int], changes: Mapping[str, bytes | None]
    ) -> list[tuple[bytes, bytes | None]]:
        """Make a step true; return the records for the changelog, in their order."""
        self.positions = {**self.positions, **positions}
        changed(self.state, changes)
        whole = Step(self.term, self._epoch, self.positions, dict(changes))
        term = self.term.to_bytes(_TERM_BYTES)
        return [
            (STEP, _encode(whole)),
            *(
                (key.encode(), None if value is None else term + value)
                for key, value in changes.items()
            ),
        ]
