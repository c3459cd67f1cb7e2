"""E-mail, Slack, Teams and other services, by apprise: it knows their ways, we hold it to ours.

Law: only the services of `SERVICES` are used, over TLS, without redirects, their certificates
checked, whatever a URL asks for; where they lead is listed like any other host. What apprise
resolves itself cannot be pinned: it is looked at just before (docs/delivery.md says what is left).
"""

import logging
from typing import Final

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyType, PersistentStoreMode

from sinks.delivery.destination import Attempt, Message
from sinks.delivery.guard import Guard, NotAllowed, Resolve
from sinks.delivery.routes import Route, RouteRefused
from streams.facts import Millis

SERVICES: Final[dict[str, str | None]] = {
    "discord": "discord.com",
    "gchat": "chat.googleapis.com",
    "gotifys": None,
    "json": None,
    "jsons": None,
    "mailto": None,
    "mailtos": None,
    "mmosts": None,
    "opsgenie": "api.opsgenie.com",
    "pagerduty": "events.pagerduty.com",
    "pover": "api.pushover.net",
    "rockets": None,
    "slack": "slack.com",
    "tgram": "api.telegram.org",
    "workflows": None,
    "wxteams": "api.ciscospark.com",
}
"""By the scheme of their URLs: the host to list for them; None where the URL itself names it."""
PLAIN: Final = ("json", "mailto")
"""Without TLS, so for the loopback alone: a mail server on the same machine."""
_TYPES: Final = {
    "info": NotifyType.INFO,
    "warning": NotifyType.WARNING,
    "critical": NotifyType.FAILURE,
}


class AppriseDestination:
    """Sends messages by apprise. RouteRefused if the route cannot be used."""

    def __init__(self, route: Route, *, resolve: Resolve | None = None) -> None:
        logging.getLogger("apprise").disabled = True  # it would log parts of URLs
        scheme = route.url.partition("://")[0].lower()
        if scheme not in SERVICES:
            raise RouteRefused(
                f"route {route.name}: its URL must begin with one of "
                + ", ".join(f"{known}://" for known in SERVICES)
            )
        self._service = _service(route, scheme)
        try:
            self._guard = Guard(route.hosts, resolve)
            host = SERVICES[scheme] or _host(self._service)
            shown = f"[{host}]" if ":" in host else host
            way = "http" if scheme in PLAIN else "https"
            self._target = self._guard.allowed(f"{way}://{shown}/")
        except NotAllowed as error:
            raise RouteRefused(f"route {route.name}: {error}") from None

    def send(self, message: Message, now: Millis) -> Attempt:
        """Send a message once; apprise tells only whether that worked."""
        del now
        try:
            self._guard.addresses(self._target)
        except NotAllowed as error:
            return Attempt("again", str(error))
        except OSError as error:
            return Attempt("again", f"its name was not resolved: {error.strerror or error}")
        try:
            taken = self._service.notify(
                body=message.text, title=message.title, notify_type=_TYPES[message.severity]
            )
        except Exception as error:  # noqa: BLE001 - a service's fault must not end the process
            return Attempt("again", f"the service failed: {type(error).__name__}")
        if taken:
            return Attempt("delivered", "taken")
        return Attempt("again", "the service did not take it")


def _service(route: Route, scheme: str) -> NotifyBase:
    asset = AppriseAsset(
        app_id="contact-pnl",
        app_desc="contact-pnl",
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,
    )
    made = Apprise.instantiate(route.url, asset=asset, suppress_exceptions=True)
    if not isinstance(made, NotifyBase):
        raise RouteRefused(f"route {route.name}: apprise cannot read its URL")
    if getattr(made, "secure_mode", "") == "insecure" and scheme not in PLAIN:
        raise RouteRefused(f"route {route.name}: its URL asks for e-mail without TLS")
    made.redirects = False
    made.verify_certificate = True
    made.socket_connect_timeout = made.socket_read_timeout = route.timeout_s
    return made


def _host(service: NotifyBase) -> str:
    """Return the host that a service connects to: for e-mail that of its server."""
    found = getattr(service, "smtp_host", "") or service.host
    return str(found).strip("[]").lower()
