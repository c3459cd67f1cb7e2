"""The settings that decide amounts, section by section, and the book of policies they make.

Law: the sections are the first state; each of `changes` overlays what stood before it from its
local date on. What a change does not name stays as it was; a tariff is replaced as a whole.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from pnl.reports.model import BadRequest
from pnl.reports.period import Calendar
from pnl.settings_log import number
from processors.days import first_instant
from processors.policy import (
    DAY_MS,
    ChannelRate,
    DatedPolicy,
    Policy,
    PolicyBook,
    Tariff,
    book_of,
)
from streams.currencies import EXPONENTS
from streams.facts import ProductClass

AMOUNT_MINOR_MAX = 10**14
DAYS_MAX = 3650


def page_address(text: str) -> str:
    """Accept where people reach the page, such as https://pnl.example.com; an empty text is none.

    A path may follow the host, where a proxy serves the page under one; a slash at the end goes.
    """
    if not text:
        return text
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not text.isascii() or any(each <= " " for each in text):
        raise ValueError(f"{text!r} is no address such as https://pnl.example.com")
    if parts.username is not None or parts.query or parts.fragment or text[-1] in "?#":
        raise ValueError("an address that people are sent has no user, no query and no fragment")
    return text.rstrip("/")


def zone(value: str) -> str:
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


def _fiscal_start(value: str) -> str:
    """Accept the first day of a fiscal year, such as 04-01."""
    try:
        Calendar.of(value)
    except BadRequest as error:
        raise ValueError(str(error)) from None
    return value


Minor: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=AMOUNT_MINOR_MAX)]
Days: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=1, le=DAYS_MAX)]
Ppm: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=1_000_000)]
Count: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=AMOUNT_MINOR_MAX)]
Positive: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=1, le=AMOUNT_MINOR_MAX)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]


class Section(BaseModel):
    """A table of keys: an unknown one is refused, what is read never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reporting(Section):
    """Where the days of the statement begin, the currency of rates and tariffs, when months close.

    A month that was booked while it happened closes so many hours after its end (DEF-CLOSE).
    """

    timezone: Annotated[str, AfterValidator(zone)] = "Europe/London"
    currency: Annotated[str, AfterValidator(_currency)] = "GBP"
    fiscal_year_start: Annotated[str, AfterValidator(_fiscal_start)] = "01-01"
    fiscal_weeks: Literal["", "4-4-5", "4-5-4", "5-4-4"] = ""
    close_lateness_hours: Annotated[int, BeforeValidator(number), Field(ge=0, le=2400)] = 24

    @property
    def lateness(self) -> timedelta:
        """How long a month waits for late facts before it closes."""
        return timedelta(hours=self.close_lateness_hours)


class Attribution(Section):
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


class Refunds(Section):
    """What becomes of a refund that names no order (DEF-UNLINKED)."""

    unlinked: Literal["newest_first", "orphan"] = "newest_first"


class Rates(Section):
    """Loaded cost of an hour of handling, in minor units of the reporting currency."""

    loaded_per_hour_minor: Minor = 3000
    by_queue: dict[Name, Minor] = {}
    by_agent: dict[Name, Minor] = {}


class Margin(Section):
    """Standard margin of order lines that come without a cost, in parts per million."""

    default_ppm: Ppm = 400_000
    by_class: dict[ProductClass, Ppm] = {}


class Customers(Section):
    """What reports on customers assume, in minor units of the reporting currency."""

    acquisition_cost_minor: Minor | None = None


class Referral(Section):
    """What share of what referred customers bring is due to contacts (DEF-REF): an experiment's.

    The cap is per new customer, in minor units of the reporting currency.
    """

    theta_ppm: Ppm | None = None
    theta_error_ppm: Ppm = 0
    cap_minor: Minor | None = None

    @model_validator(mode="after")
    def _with_a_cap(self) -> "Referral":
        if self.theta_ppm is not None and self.cap_minor is None:
            raise ValueError("theta_ppm needs cap_minor beside it: what one referral may be worth")
        return self


class PerMinute(Section):
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


class FixedCharge(Section):
    """A charge per event (once for a case) or flat (once for a contact)."""

    kind: Literal["per_event", "flat"]
    amount_minor: Minor

    def tariff(self) -> Tariff:
        """Return the tariff as processors see it."""
        return Tariff(kind=self.kind, amount_minor=self.amount_minor)


class PerTerm(Section):
    """A charge once for a contact that is earned over days, from the contact's own day on."""

    kind: Literal["per_term"]
    amount_minor: Minor
    term_days: Positive

    def tariff(self) -> Tariff:
        """Return the tariff as processors see it."""
        return Tariff(kind=self.kind, amount_minor=self.amount_minor, term_days=self.term_days)


Charge: TypeAlias = Annotated[PerMinute | FixedCharge | PerTerm, Field(discriminator="kind")]


class Channel(Section):
    """What a channel costs, in minor units of the reporting currency."""

    per_contact_minor: Minor = 0
    per_minute_minor: Minor = 0

    def rate(self) -> ChannelRate:
        """Return the rate as processors see it."""
        return ChannelRate(
            per_contact_minor=self.per_contact_minor, per_minute_minor=self.per_minute_minor
        )


class DatedAttribution(Section):
    """What of attribution may change from a date on."""

    model: Literal["last", "first", "linear", "position", "time_decay"] = "last"
    lookback_days: Days = 30
    lookback_days_by_class: dict[ProductClass, Days] = {}


class Change(Section):
    """What is otherwise from a local date on: the keys it names, and no others."""

    since: Annotated[date, Field(alias="from")]
    attribution: DatedAttribution = DatedAttribution()
    refunds: Refunds = Refunds()
    rates: Rates = Rates()
    margin: Margin = Margin()
    tariffs: dict[Name, Charge] = {}
    channels: dict[Name, Channel] = {}


UNDATED: Final = {
    "reporting": ("timezone", "currency", "close_lateness_hours"),
    "attribution": ("horizon_days", "first_contact_resolution_days"),
}
"""What is the same at all dates: where days begin, whose money it is, what is remembered."""
DATED: Final = tuple(name for name in Change.model_fields if name != "since")
"""The sections that a change may name."""


class Amounts(Section):
    """All that decides amounts, of some dates. Mixed into the settings, which add the rest."""

    reporting: Reporting = Reporting()
    attribution: Attribution = Attribution()
    refunds: Refunds = Refunds()
    rates: Rates = Rates()
    margin: Margin = Margin()
    tariffs: dict[Name, Charge] = {}
    channels: dict[Name, Channel] = {}
    customers: Customers = Customers()
    referral: Referral = Referral()

    def policy(self) -> Policy:
        """Return the rules that these amounts are made by: days become milliseconds."""
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
            acquisition_cost_minor=self.customers.acquisition_cost_minor,
            referral_theta_ppm=self.referral.theta_ppm,
            referral_theta_error_ppm=self.referral.theta_error_ppm,
            referral_cap_minor=self.referral.cap_minor or 0,
        )

    def overlaid(self, change: Change) -> Self:
        """Return what holds from a change on."""
        told = change.model_dump(include=set(DATED), exclude_unset=True)
        tariffs = told.pop("tariffs", {})
        values = _overlaid(self.model_dump(), told)
        values["tariffs"] = values["tariffs"] | tariffs
        return type(self).model_validate(values)


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return what lies below with what lies above in its place, table by table."""
    return dict(below) | {
        key: _overlaid(below[key], value)
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        else value
        for key, value in above.items()
    }


def check_order(changes: Sequence[Change]) -> None:
    """Raise ValueError unless each change is later than the one before it."""
    for before, after in pairwise(changes):
        if after.since <= before.since:
            raise ValueError(
                f"[[changes]] from {after.since} stands after the one from {before.since}: list "
                "them in order of date, one for each"
            )


def book_from(amounts: Amounts, changes: Sequence[Change]) -> PolicyBook:
    """Return the book: dates begin where the local day does."""
    first = amounts.policy()
    dated = []
    for change in changes:
        try:
            amounts = amounts.overlaid(change)
        except ValidationError as error:
            why = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"[[changes]] from {change.since}: {why}") from None
        since = first_instant(change.since.isoformat(), first.zone)
        dated.append(DatedPolicy(since, amounts.policy()))
    return book_of(first, dated)
