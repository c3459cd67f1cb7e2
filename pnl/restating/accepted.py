"""By which rules the books of a partition were made: kept in journeys' state, beside the items.

Law: what is accepted changes in the transaction that books by it. So state, ledger and rules are
never of two minds, and whoever takes a partition over finds what its books were made by.

On the shelf `configuration`, `current` lists the versions accepted so far, the last one in force,
and VERSION holds each of them whole: an entry's version says for ever by which rules it was made.
`restating` stands there while a restatement is under way.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from pnl.errors import UserError
from pnl.restating.differences import date_of, what_differs
from processors.policy import PolicyBook
from processors.policy_codec import decode_book, encode_book
from streams.facts import Millis
from streams.log import StateReader

SHELF: Final = b"\0configuration\0"
"""A shelf that no customer can have."""
STREAM_TIME: Final = b"\0stream-time\0"
"""Where the partition's largest event time lies: nothing is booked of a later date."""
_CURRENT: Final = SHELF + b"current"
_RESTATING: Final = SHELF + b"restating"
Change = tuple[bytes, bytes | None]


class ConfigurationRefused(UserError):
    """The settings say otherwise than the books, of dates on which something may be booked."""


class Restating(msgspec.Struct, frozen=True):
    """A restatement under way: to which version, from when on, over what was booked by which."""

    version: str
    since: Millis


@dataclass(frozen=True)
class Accepted:
    """What a partition's books were made by; nothing before the first batch that noted it."""

    book: PolicyBook | None = None
    versions: tuple[str, ...] = ()
    restating: Restating | None = None


def read_accepted(state: StateReader, partition: int) -> Accepted:
    """Return what a partition's state says."""
    rows = dict(state.load(partition, SHELF))
    versions = msgspec.json.decode(rows[_CURRENT], type=tuple[str, ...]) if _CURRENT in rows else ()
    restating = rows.get(_RESTATING)
    return Accepted(
        decode_book(rows[SHELF + versions[-1].encode()]) if versions else None,
        versions,
        None if restating is None else msgspec.json.decode(restating, type=Restating),
    )


def booked_until(state: StateReader, partition: int) -> Millis | None:
    """Return the largest event time a partition has applied; None before the first."""
    rows = state.load(partition, STREAM_TIME)
    return int(rows[0][1]) if rows else None


def accepting(
    accepted: Accepted, book: PolicyBook, *, rebooked: bool
) -> tuple[tuple[str, ...], list[Change]]:
    """Return the versions as they are once a book is accepted, and what the state then holds.

    The versions are those by which is booked what `book` would book: unless everything was
    `rebooked`, those of a program with rules of its own are none of them.
    """
    begun = () if accepted.restating is None else (accepted.restating.version,)
    is_ours = accepted.book is None or accepted.book.version == accepted.versions[-1]
    former = dict.fromkeys((*accepted.versions, *begun) if rebooked or is_ours else ())
    former.pop(book.version, None)
    versions = (*former, book.version)
    changes: list[Change] = [
        (_CURRENT, msgspec.json.encode(versions)),
        (SHELF + book.version.encode(), encode_book(book)),
        (_RESTATING, None),
    ]
    return versions, changes


def beginning(book: PolicyBook, since: Millis) -> list[Change]:
    """Return what the state holds from the first transaction of a restatement to its last."""
    return [
        (_RESTATING, msgspec.json.encode(Restating(book.version, since))),
        (SHELF + book.version.encode(), encode_book(book)),
    ]


def assert_books_agree(
    accepted: Accepted, book: PolicyBook, until: Millis | None, partition: int
) -> bool:
    """Say whether a book is to be accepted first, which it can be.

    ConfigurationRefused where it says otherwise of dates on which something may be booked.
    """
    if accepted.restating is not None:
        since = date_of(accepted.restating.since, book)
        raise ConfigurationRefused(
            f"A restatement from {since} was begun and not finished in partition {partition}: "
            f"run `pnl restate --from {since} --accept` again."
        )
    if accepted.book is None:
        return True
    since_ms = accepted.book.differs_from(book)
    if since_ms is None or until is None or since_ms > until:
        return accepted.versions[-1] != book.version
    since, last = date_of(since_ms, book), date_of(until, book)
    raise ConfigurationRefused(
        f"The settings differ from those the books were made by, from {since} on: "
        f"{what_differs(accepted.book, book, since_ms)}. Facts up to {last} are booked. "
        f"`pnl restate --from {since}` shows what that is in money, and books it with --accept; "
        f"or give the change a date after {last}."
    )


class Rules:
    """The rules that journeys book by, held against those of each partition's books."""

    def __init__(self, book: PolicyBook) -> None:
        self.book = book
        self._told: dict[int, tuple[str, ...]] = {}
        self._changes: dict[int, list[Change]] = {}

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from."""
        self._state = state
        self._told.clear()
        self._changes.clear()

    def assert_accepted(self, partition: int) -> None:
        """Raise ConfigurationRefused unless a partition may be booked by these rules."""
        if partition in self._told:
            return
        accepted = read_accepted(self._state, partition)
        until = booked_until(self._state, partition)
        told: tuple[str, ...] = ()
        if assert_books_agree(accepted, self.book, until, partition):
            told, self._changes[partition] = accepting(accepted, self.book, rebooked=False)
        self._told[partition] = told

    def changes(self, partition: int) -> list[Change]:
        """Return what the next batch has to write, so that what is accepted is kept."""
        return self._changes.get(partition, [])

    def told(self, partition: int) -> tuple[str, ...]:
        """Return the versions that the next batch record tells: those accepted, if it changes."""
        return self._told.get(partition, ())

    def written(self, partition: int) -> None:
        """Note that the state has it."""
        if self._changes.pop(partition, None):
            self._told[partition] = ()
