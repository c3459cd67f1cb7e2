"""How a book of policies lies in the state, so that later rules can be held against it.

Law: decode(encode(book)) = book. A rule that a later program knows and the book does not name has
its default, which is what it was before there was a choice.
"""

from typing import Any, Final

import msgspec

from processors.policy import DatedPolicy, Policy, PolicyBook

_FIELDS: Final = tuple(Policy.__dataclass_fields__)


def encode_book(book: PolicyBook) -> bytes:
    """Return the book's value."""
    changes = [[change.since, _plain(change.policy)] for change in book.changes]
    return msgspec.json.encode([_plain(book.first), changes])


def decode_book(value: bytes) -> PolicyBook:
    """Return the book of a value."""
    first, changes = msgspec.json.decode(value)
    return PolicyBook(
        _policy(first), tuple([DatedPolicy(since, _policy(plain)) for since, plain in changes])
    )


def _plain(policy: Policy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in _FIELDS}


def _policy(plain: dict[str, Any]) -> Policy:
    return msgspec.convert(plain, Policy)
