"""Whether the first record that comes of a partition after a takeover is the one that should.

Law: a gap between the state's place and the first record is believed only when it shows again after
seeking there once more. Most gaps are ends of transactions, or what compaction removed; one that is
not would be records that the client's library passed over.
"""

from collections.abc import Hashable
from typing import Literal


class FirstRecords:
    """What is known of each partition since its takeover."""

    def __init__(self) -> None:
        self._sure: set[Hashable] = set()
        self._doubted: dict[Hashable, int] = {}
        self._term: Hashable = None

    def begin(self, term: Hashable) -> None:
        """Forget all if another term has begun."""
        if term != self._term:
            self._term = term
            self._sure.clear()
            self._doubted.clear()

    def judge(self, place: Hashable, at: int, offset: int) -> Literal["take", "seek", "drop"]:
        """Say what to do with a record: take it, or drop it and seek to `at`, or only drop it."""
        if place in self._sure:
            return "take"
        doubted = self._doubted.get(place)
        if offset <= at or (doubted is not None and offset <= doubted):
            self._sure.add(place)
            return "take"
        if doubted is None:
            self._doubted[place] = offset
            return "seek"
        return "drop"
