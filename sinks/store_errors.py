"""What to do about an error of the store, by ClickHouse's error code.

Law: a row that was read from the log is never dropped. Either the same rows are sent again, or a
row the store refuses becomes a dead letter, or the sink stops; what is unknown stops.
"""

import re
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
_TOO_MUCH: Final = frozenset({159, 209, 241})
"""Memory, time: a smaller insert may pass where this one never does."""
_STATUS: Final = re.compile(r"HTTP status (\d{3})")
_TRY_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ENTITY_TOO_LARGE: Final = 413


def remedy_of(code: int | None, message: str) -> Remedy:
    """Return what to do about an error.

    `code` is None when there is none: the connection failed, or a proxy answered instead.
    """
    if code is None:
        status = _STATUS.search(message)
        passing = status is None or int(status[1]) in _TRY_LATER | {_ENTITY_TOO_LARGE}
        return Remedy.RETRY if passing else Remedy.STOP
    if code == _TOO_MANY and "partitions" in message:
        # Too many parts passes with the merges; too many partitions is an insert of ours.
        return Remedy.STOP
    return _REMEDIES.get(code, Remedy.STOP)


class StoreError(Exception):
    """The store did not do what it was asked; `remedy` says what the caller must do.

    `too_much` says that less of it at once may pass.
    """

    def __init__(
        self, message: str, code: int | None, remedy: Remedy, *, too_much: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy
        self.too_much = too_much or code in _TOO_MUCH


def told_by(message: str, code: int | None, cause: BaseException | None) -> StoreError:
    """Return the error that a message, its code and what caused it tell of."""
    status = _STATUS.search(message) if code is None else None
    too_large = status is not None and int(status[1]) == _ENTITY_TOO_LARGE
    timed_out = type(cause).__name__ == "ReadTimeoutError"
    return StoreError(message, code, remedy_of(code, message), too_much=too_large or timed_out)
