"""What the page may be told: where it is served, and how it speaks. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Where the page is served, and in which zone, currency and language it speaks.

    `timezone` and `currency` are those of the reports. `allowed_hosts` are names, beside the
    loopback's, under which a browser may ask for the page; a request under any other is refused.
    `clears` says, by rule, what would clear its alerts.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    timezone: str = "Europe/London"
    currency: str = "GBP"
    locale: str = "en_GB"
    allowed_hosts: tuple[str, ...] = ()
    clears: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Return the page's address, as a person would type it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
