"""The rules a statement is made by: frozen configuration, with a version that entries record.

Rates are minor units of the reporting currency per hour; shares are parts per million; times are
milliseconds. The program builds a `Policy` from settings; processors only read it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

Model: TypeAlias = Literal["last", "first", "linear", "position", "time_decay"]
MODELS: Final[tuple[Model, ...]] = ("last", "first", "linear", "position", "time_decay")

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a contact is charged: per started increment of talk, per case, or flat per chain."""

    kind: Literal["per_minute", "per_event", "flat"]
    per_hour_minor: int = 0
    minimum_ms: int = 0
    increment_ms: int = 1
    amount_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRate:
    """What a channel costs: per chain, and per minute of talk and hold of each leg."""

    per_contact_minor: int = 0
    per_minute_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything that decides an amount besides the facts."""

    timezone: str = "Europe/London"
    currency: str = "GBP"
    model: Model = "last"
    lookback_ms: int = 30 * DAY_MS
    lookback_ms_by_class: Mapping[str, int] = field(default_factory=dict)
    unlinked: Literal["newest_first", "orphan"] = "newest_first"
    horizon_ms: int = 400 * DAY_MS
    first_contact_resolution_ms: int = 7 * DAY_MS
    loaded_per_hour_minor: int = 3000
    loaded_per_hour_minor_by_queue: Mapping[str, int] = field(default_factory=dict)
    loaded_per_hour_minor_by_agent: Mapping[str, int] = field(default_factory=dict)
    margin_ppm: int = 400_000
    margin_ppm_by_class: Mapping[str, int] = field(default_factory=dict)
    tariffs: Mapping[str, Tariff] = field(default_factory=dict)
    channels: Mapping[str, ChannelRate] = field(default_factory=dict)

    def lookback_of(self, product_class: str) -> int:
        """Return how long before an order a contact can earn credit, in milliseconds (DEF-W)."""
        return self.lookback_ms_by_class.get(product_class, self.lookback_ms)

    @cached_property
    def lookback_ms_max(self) -> int:
        """The longest lookback of any product class: a chain is mature this long after its end."""
        return max(self.lookback_of("product"), self.lookback_of("upgrade"))

    @cached_property
    def zone(self) -> ZoneInfo:
        """The reporting time zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def version(self) -> str:
        """A short hash of the rules: equal rules have equal versions."""
        plain = {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in sorted(self.__dict__.items())
            if name in self.__dataclass_fields__
        }
        return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()[:12]
