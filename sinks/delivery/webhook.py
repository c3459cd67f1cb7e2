"""A webhook, signed as Standard Webhooks 1.0 says: whoever has the secret can tell it is ours.

Law: `webhook-id` is the message's identity, so a receiver that remembers ids takes each once; the
signature covers id, time and body.
"""

import ssl
from base64 import b64decode
from binascii import Error as NotBase64
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from standardwebhooks.webhooks import Webhook

from sinks.delivery.destination import RETRY_AFTER_MAX, Attempt, Message
from sinks.delivery.exchange import Answer, Unanswered, post
from sinks.delivery.guard import Guard, NotAllowed, Resolve
from sinks.delivery.routes import Route, RouteRefused
from streams.clock import Deadline
from streams.facts import Millis

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins, not one
SECRET_BYTES_MIN: Final = 24
SECRET_BYTES_MAX: Final = 64
_AGAIN: Final = {408, 425, 429}
"""Client errors that time may cure; every other one is final."""


class WebhookDestination:
    """Sends messages to the URL of a route. RouteRefused if the route cannot be used."""

    def __init__(
        self,
        route: Route,
        *,
        resolve: Resolve | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        assert_secret(route)
        self._signer = Webhook(route.secret)
        self._limit = timedelta(seconds=route.timeout_s)
        self._context = context
        try:
            self._guard = Guard(route.hosts, resolve)
            self._target = self._guard.allowed(route.url)
        except NotAllowed as error:
            raise RouteRefused(f"route {route.name}: {error}") from None

    def send(self, message: Message, now: Millis) -> Attempt:
        """Send a message once, with the time of this attempt."""
        at = datetime.fromtimestamp(now // 1000, UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "contact-pnl",
            "webhook-id": message.id,
            "webhook-timestamp": str(now // 1000),
            "webhook-signature": self._signer.sign(message.id, at, message.body.decode()),
        }
        limit = Deadline(self._limit)
        try:
            addresses = self._guard.addresses(self._target)
            answer = post(self._target, addresses, headers, message.body, limit, self._context)
        except (Unanswered, NotAllowed) as error:
            return Attempt("again", str(error))
        except OSError as error:
            return Attempt("again", f"its name was not resolved: {error.strerror or error}")
        return judged(answer, at)


def assert_secret(route: Route) -> None:
    """Raise RouteRefused unless the secret is 24 to 64 bytes in base64, behind `whsec_`."""
    try:
        secret = b64decode(route.secret.removeprefix(SECRET_PREFIX), validate=True)
    except (NotBase64, ValueError):
        secret = b""
    if not SECRET_BYTES_MIN <= len(secret) <= SECRET_BYTES_MAX:
        raise RouteRefused(
            f"route {route.name}: its secret must be {SECRET_PREFIX} and {SECRET_BYTES_MIN} to "
            f"{SECRET_BYTES_MAX} random bytes in base64 (`openssl rand -base64 32` makes some)",
            "secret",
        )


def judged(answer: Answer, now: datetime) -> Attempt:
    """Say what an answer means: 2xx delivered; 5xx, 408, 425 and 429 again; all else refused."""
    status = answer.status
    told = f"answered {status}"
    if 200 <= status < 300:
        return Attempt("delivered", told)
    if status in _AGAIN or status >= 500:
        return Attempt("again", told, _waits(answer.retry_after, now))
    if 300 <= status < 400:
        return Attempt("refused", f"{told}, a redirect, and none is followed")
    return Attempt("refused", told)


def _waits(told: str | None, now: datetime) -> timedelta | None:
    """Return how long `Retry-After` asks us to wait, in seconds or until a date; None if unsaid."""
    if told is None:
        return None
    told = told.strip()
    if told.isascii() and told.isdigit():
        seconds = float(told[:9])
    else:
        try:
            until = parsedate_to_datetime(told)
        except (ValueError, OverflowError):
            return None
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        seconds = (until - now).total_seconds()
    return min(timedelta(seconds=max(0.0, seconds)), RETRY_AFTER_MAX)
