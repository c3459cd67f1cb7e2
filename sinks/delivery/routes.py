"""A route: where alerts go, as the settings say.

Law: neither `url` nor `secret` is ever logged, shown or part of an error: both hold secrets.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

RouteKind: TypeAlias = Literal["webhook", "apprise"]
RouteKey: TypeAlias = Literal["url", "secret"]
WantedState: TypeAlias = Literal["raised", "cleared", "acknowledged", "snoozed"]


class RouteRefused(Exception):
    """A route that cannot be used as it is set; names the route and the cure, never its URL.

    `key` is which of its two is at fault: "url" or "secret".
    """

    def __init__(self, text: str, key: RouteKey = "url") -> None:
        super().__init__(text)
        self.key: RouteKey = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One destination. `secret` signs webhooks (`whsec_…`); apprise has its own in its URL.

    `hosts` is the allow-list of `[delivery]`: names, addresses, and networks such as
    `10.20.0.0/16`; only an address or network that is listed may be a private or loopback one.
    `states` are the changes of an alert that are sent. After `ttl_hours` an alert is expired;
    `timeout_s` bounds one attempt. `places` say where `url` and `secret` are set: file, line, table
    and key.
    """

    name: str
    kind: RouteKind
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    hosts: tuple[str, ...] = ()
    states: tuple[WantedState, ...] = ("raised", "cleared")
    ttl_hours: int = 24
    timeout_s: float = 5.0
    places: tuple[tuple[RouteKey, str], ...] = ()

    def place(self, key: RouteKey) -> str:
        """Return where a person has to look for its address or its secret."""
        return dict(self.places).get(key, "alerts.toml")
