"""Settings: what a person may choose, section by section, and the policy it makes.

Law: a name that we do not know is refused, never ignored, and every value has bounds.
`pnl.settings_load` finds the files and says in one sentence why a choice cannot be used.
"""

from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from pnl.settings_log import Log, Workers, number
from processors.policy import DAY_MS, ChannelRate, Policy, Tariff
from streams.currencies import EXPONENTS
from streams.facts import ProductClass

AMOUNT_MINOR_MAX = 10**14
DAYS_MAX = 3650


def _zone(value: str) -> str:
    """Accept the name of a time zone."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{value!r} is no time zone; use a name such as Europe/London or UTC"
        ) from None
    return value


def _currency(value: str) -> str:
    """Accept an ISO 4217 code."""
    if value not in EXPONENTS:
        raise ValueError(f"{value!r} is no ISO 4217 currency code such as GBP")
    return value


Minor: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=AMOUNT_MINOR_MAX)]
Days: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=1, le=DAYS_MAX)]
Ppm: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=1_000_000)]
Count: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=AMOUNT_MINOR_MAX)]
Positive: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=1, le=AMOUNT_MINOR_MAX)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reporting(_Section):
    """Where the days of the statement begin, and the currency of rates and tariffs."""

    timezone: Annotated[str, AfterValidator(_zone)] = "Europe/London"
    currency: Annotated[str, AfterValidator(_currency)] = "GBP"


class Attribution(_Section):
    """Which contacts may earn credit for an order, and how it is split."""

    model: Literal["last", "first", "linear", "position", "time_decay"] = "last"
    lookback_days: Days = 30
    lookback_days_by_class: dict[ProductClass, Days] = {}
    horizon_days: Days = 400
    first_contact_resolution_days: Days = 7

    @model_validator(mode="after")
    def _within_the_horizon(self) -> "Attribution":
        longest = max(self.lookback_days, *self.lookback_days_by_class.values(), 0)
        if longest > self.horizon_days:
            raise ValueError(
                f"lookback_days {longest} is longer than horizon_days {self.horizon_days}"
            )
        return self


class Refunds(_Section):
    """What becomes of a refund that names no order (DEF-UNLINKED)."""

    unlinked: Literal["newest_first", "orphan"] = "newest_first"


class Rates(_Section):
    """Loaded cost of an hour of handling, in minor units of the reporting currency."""

    loaded_per_hour_minor: Minor = 3000
    by_queue: dict[Name, Minor] = {}
    by_agent: dict[Name, Minor] = {}


class Margin(_Section):
    """Standard margin of order lines that come without a cost, in parts per million."""

    default_ppm: Ppm = 400_000
    by_class: dict[ProductClass, Ppm] = {}


class PerMinute(_Section):
    """A charge by time: at least the minimum, rounded up to the increment."""

    kind: Literal["per_minute"]
    per_hour_minor: Minor
    minimum_ms: Count = 0
    increment_ms: Positive = 1

    def tariff(self) -> Tariff:
        """Return the tariff as processors see it."""
        return Tariff(
            kind=self.kind,
            per_hour_minor=self.per_hour_minor,
            minimum_ms=self.minimum_ms,
            increment_ms=self.increment_ms,
        )


class FixedCharge(_Section):
    """A charge per event (once for a case) or flat (once for a contact)."""

    kind: Literal["per_event", "flat"]
    amount_minor: Minor

    def tariff(self) -> Tariff:
        """Return the tariff as processors see it."""
        return Tariff(kind=self.kind, amount_minor=self.amount_minor)


Charge: TypeAlias = Annotated[PerMinute | FixedCharge, Field(discriminator="kind")]


class Channel(_Section):
    """What a channel costs, in minor units of the reporting currency."""

    per_contact_minor: Minor = 0
    per_minute_minor: Minor = 0

    def rate(self) -> ChannelRate:
        """Return the rate as processors see it."""
        return ChannelRate(
            per_contact_minor=self.per_contact_minor, per_minute_minor=self.per_minute_minor
        )


class Store(_Section):
    """Where results are queried: by default a chDB folder inside the data folder.

    With the log on Kafka it is a server's `http://USER:PASSWORD@HOST:8123`; a chDB folder serves
    one process, `pnl run`.
    """

    dsn: SecretStr | None = None


class Server(_Section):
    """Where the page is served, under which names besides the loopback's, in which language."""

    host: Name = "127.0.0.1"
    port: Annotated[int, BeforeValidator(number), Field(ge=1, le=65535)] = 8080
    allowed_hosts: tuple[Name, ...] = ()
    locale: Name = "en_GB"


class Limits(_Section):
    """Bounds of the running program."""

    batch_records_max: Annotated[int, BeforeValidator(number), Field(ge=1, le=100_000)] = 10_000
    import_batch_records: Annotated[int, BeforeValidator(number), Field(ge=1, le=100_000)] = 5_000
    disk_free_mib_min: Count = 256


class Settings(BaseSettings):
    """Every section, each with its defaults."""

    model_config = SettingsConfigDict(
        env_prefix="PNL_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        extra="forbid",
        frozen=True,
    )

    reporting: Reporting = Reporting()
    attribution: Attribution = Attribution()
    refunds: Refunds = Refunds()
    rates: Rates = Rates()
    margin: Margin = Margin()
    tariffs: dict[Name, Charge] = {}
    channels: dict[Name, Channel] = {}
    log: Log = Log()
    store: Store = Store()
    worker: Workers = Workers()
    server: Server = Server()
    limits: Limits = Limits()

    def policy(self) -> Policy:
        """Return the rules a statement is made by: days become milliseconds."""
        attribution = self.attribution
        return Policy(
            timezone=self.reporting.timezone,
            currency=self.reporting.currency,
            model=attribution.model,
            lookback_ms=attribution.lookback_days * DAY_MS,
            lookback_ms_by_class={
                product_class: days * DAY_MS
                for product_class, days in attribution.lookback_days_by_class.items()
            },
            unlinked=self.refunds.unlinked,
            horizon_ms=attribution.horizon_days * DAY_MS,
            first_contact_resolution_ms=attribution.first_contact_resolution_days * DAY_MS,
            loaded_per_hour_minor=self.rates.loaded_per_hour_minor,
            loaded_per_hour_minor_by_queue=dict(self.rates.by_queue),
            loaded_per_hour_minor_by_agent=dict(self.rates.by_agent),
            margin_ppm=self.margin.default_ppm,
            margin_ppm_by_class={str(name): ppm for name, ppm in self.margin.by_class.items()},
            tariffs={name: charge.tariff() for name, charge in self.tariffs.items()},
            channels={name: channel.rate() for name, channel in self.channels.items()},
        )
