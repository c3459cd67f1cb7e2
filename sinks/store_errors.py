"""What to do about an error of the store, by ClickHouse's error code.

Law: a row that was read from the log is never dropped. Either the same rows are sent again, or a
row the store refuses becomes a dead letter, or the sink stops; what is unknown stops.
"""

from enum import Enum
from typing import Final


class Remedy(Enum):
    """What the caller of the store must do."""

    RETRY = "retry"
    """Load, network, space, quorum: the same rows again, with back-off, for ever."""
    BISECT = "bisect"
    """A row does not fit its column: find it, write the rest."""
    STOP = "stop"
    """Schema, settings, rights, or a code nobody has thought about: a person must look."""


_RETRY: Final = (
    "3 107 159 198 201 202 203 209 210 225 236 241 242 243 244 252 254 265 279 285 286 289 290 297"
    " 319 364 384 394 425 439 473 499 700 735 999 1000"
)
_BISECT: Final = "6 25 26 27 38 41 53 69 70 72 117 130 131 321 349 407 467 469"

_REMEDIES: Final = {int(code): Remedy.RETRY for code in _RETRY.split()} | {
    int(code): Remedy.BISECT for code in _BISECT.split()
}
_TOO_MANY: Final = 252


def remedy_of(code: int | None, message: str) -> Remedy:
    """Return what to do about an error; `code` is None when the connection itself failed."""
    if code is None:
        return Remedy.RETRY
    if code == _TOO_MANY and "partitions" in message:
        # Too many parts passes with the merges; too many partitions is an insert of ours.
        return Remedy.STOP
    return _REMEDIES.get(code, Remedy.STOP)


class StoreError(Exception):
    """The store did not do what it was asked; `remedy` says what the caller must do."""

    def __init__(self, message: str, code: int | None, remedy: Remedy) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy
