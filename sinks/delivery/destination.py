"""What a destination is: it is given a message, and says what became of it.

Law: `send` never raises for what the other side does, and takes little longer than the route's
`timeout_s`; what it says of it (`detail`) holds neither URL, secret nor anything the other side
wrote.
"""

from datetime import timedelta
from typing import Final, Literal, NamedTuple, Protocol

from streams.facts import Millis

Result = Literal["delivered", "again", "refused"]
RETRY_AFTER_MAX: Final = timedelta(hours=1)
"""A destination may ask us to wait so long at most."""


class Message(NamedTuple):
    """An alert, ready to be sent: `id` is the same however often it is; `body` is JSON."""

    id: str
    title: str
    text: str
    severity: Literal["info", "warning", "critical"]
    body: bytes


class Attempt(NamedTuple):
    """How one attempt ended: `again` may succeed later, `refused` never will."""

    result: Result
    detail: str
    retry_after: timedelta | None = None


class Destination(Protocol):
    """Where a route leads."""

    def send(self, message: Message, now: Millis) -> Attempt:
        """Send a message once."""
        ...
