"""What a source may send: the values of the input topics, the source of truth.

These models are exported as JSON Schema (`docs/contracts/`) and are read by people; records are
read by `streams.codec`, which is proven to take and refuse the same. Times and dates follow
`streams.grammar`, read here in the plainest way.

Unknown fields are ignored. A field that may be absent may be null as well, except those with a
default of their own (`revision`, `withdrawn`, `lines`, `offers`, `cut`, all but the first five of a
period's line).
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from streams import grammar, topics
from streams.currencies import EXPONENTS
from streams.facts import (
    CostKind,
    LocalDate,
    Millis,
    OrderKind,
    Outcome,
    PeriodBasis,
    PeriodKind,
    PeriodLineName,
    ProductClass,
)

RESERVED_DISPOSITION_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "test": "a test call: never handled, earns nothing",
        "wrong_number": "meant for somebody else: never handled, earns nothing",
        "phantom": "nobody there: never handled, earns nothing",
        "self_service": "contained without an agent: handled, also without connected_at",
    }
)
"""Words of `disposition_code` that mean something to us (RUL-HANDLED); all others are yours."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(grammar.TIME_PATTERN)
_DATE: Final = re.compile(grammar.DATE_PATTERN)
_FRACTION: Final = re.compile(r"\.([0-9]+)")


def _read_time(text: object) -> Millis:
    if not isinstance(text, str) or len(text) > grammar.TIME_CHARS_MAX or not _TIME.fullmatch(text):
        raise ValueError("a time is written YYYY-MM-DDTHH:MM:SSZ, or with an offset +HH:MM")
    fraction = _FRACTION.search(text)
    millis = int(fraction[1][:3].ljust(3, "0")) if fraction else 0
    clock = datetime.fromisoformat(_FRACTION.sub("", text))  # pure seconds: nothing to round
    at = (clock - _EPOCH) // timedelta(milliseconds=1) + millis
    if not 1970 <= (_EPOCH + timedelta(milliseconds=at)).year <= 2199:
        raise ValueError("a time lies in the years 1970 to 2199")
    return at


def _read_moment(text: object) -> Millis | LocalDate:
    if not isinstance(text, str) or "T" in text:
        return _read_time(text)
    if not _DATE.fullmatch(text):
        raise ValueError("a date is written YYYY-MM-DD")
    date.fromisoformat(text)
    return text


def _known(currency: str) -> str:
    if currency not in EXPONENTS:
        raise ValueError("not a currency of ISO 4217 that we know")
    return currency


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text must not contain NUL")
    return text


_TIME_SCHEMA: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": grammar.TIME_PATTERN,
    "maxLength": grammar.TIME_CHARS_MAX,
}
_DATE_SCHEMA: Final = {"type": "string", "format": "date", "pattern": grammar.DATE_PATTERN}

Id: TypeAlias = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=grammar.ID_CHARS_MAX),
    AfterValidator(_without_nul),
]
Text: TypeAlias = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=grammar.TEXT_CHARS_MAX),
    AfterValidator(_without_nul),
]
OptionalId: TypeAlias = Annotated[
    str, Field(strict=True, max_length=grammar.ID_CHARS_MAX), AfterValidator(_without_nul)
]
OptionalText: TypeAlias = Annotated[
    str, Field(strict=True, max_length=grammar.TEXT_CHARS_MAX), AfterValidator(_without_nul)
]
Time: TypeAlias = Annotated[int, BeforeValidator(_read_time), WithJsonSchema(_TIME_SCHEMA)]
Moment: TypeAlias = Annotated[
    int | str,
    BeforeValidator(_read_moment),
    WithJsonSchema({"anyOf": [_TIME_SCHEMA, _DATE_SCHEMA]}),
]
Currency: TypeAlias = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(EXPONENTS)}),
]
AmountMinor: TypeAlias = Annotated[
    int, Field(strict=True, ge=-grammar.AMOUNT_MINOR_MAX, le=grammar.AMOUNT_MINOR_MAX)
]
DurationMs: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=grammar.DURATION_MS_MAX)]
Revision: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=grammar.REVISION_MAX)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]


class _Value(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Fee(_Value):
    """A charge for the contact: a tariff by name, or an amount with its currency."""

    tariff: Text | None = None
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.tariff is None and self.amount_minor is None:
            raise ValueError("a fee needs a tariff, or amount_minor with currency")
        if self.amount_minor is not None and self.currency is None:
            raise ValueError("a fee's amount_minor needs its currency")
        return self


class Offer(_Value):
    """An offer that could have been made, was made, was taken."""

    product_class: ProductClass
    eligible: Flag
    offered: Flag
    accepted: Flag


class Experiment(_Value):
    """A random assignment; `control` is a customer deliberately not contacted."""

    id: Id
    arm: Literal["treated", "control"]


class Contact(_Value):
    """One leg of a contact: a stretch with one queue or agent."""

    event_id: Id
    contact_id: Id
    chain_id: Id | None = None
    case_id: Id | None = None
    customer_id: Id | None = None
    channel: Text
    direction: Literal["inbound", "outbound"]
    kind: Annotated[Text, Field(examples=["service", "save", "welcome", "courtesy", "sales"])]
    queue: Text
    team: Text | None = None
    agent_id: Id | None = None
    reason: Text | None = None
    tier: Text | None = None
    started_at: Time
    connected_at: Time | None = None
    ended_at: Time
    talk_ms: DurationMs
    hold_ms: DurationMs
    wrap_ms: DurationMs
    wait_ms: DurationMs
    abandoned: Flag
    transfer_of: Id | None = None
    disposition_code: Annotated[Text | None, Field(examples=list(RESERVED_DISPOSITION_CODES))] = (
        None
    )
    fee: Fee | None = None
    offers: Annotated[list[Offer], Field(strict=True, max_length=grammar.OFFERS_MAX)] = Field(
        default_factory=list
    )
    experiment: Experiment | None = None
    revision: Revision = 0
    withdrawn: Flag = False

    @model_validator(mode="after")
    def _times_are_in_order(self) -> Self:
        if self.ended_at < self.started_at:
            raise ValueError("ended_at is before started_at")
        if self.connected_at is not None:
            if self.connected_at < self.started_at:
                raise ValueError("connected_at is before started_at")
            if self.connected_at > self.ended_at:
                raise ValueError("connected_at is after ended_at")
        return self


class Resolution(_Value):
    """What became of a case."""

    event_id: Id
    case_id: Id
    contact_id: Id | None = None
    customer_id: Id | None = None
    outcome: Outcome
    occurred_at: Time
    csat: Annotated[int, Field(strict=True, ge=0, le=grammar.CSAT_MAX)] | None = None
    nps: Annotated[int, Field(strict=True, ge=0, le=grammar.NPS_MAX)] | None = None
    ces: Annotated[int, Field(strict=True, ge=0, le=grammar.CES_MAX)] | None = None
    revision: Revision = 0
    withdrawn: Flag = False


class OrderLine(_Value):
    """One line of an order; a refund's amounts are magnitudes, its kind gives the sign."""

    line_id: Id
    product_class: ProductClass
    sku: Text | None = None
    amount_minor: AmountMinor
    cost_minor: AmountMinor | None = None
    term_start: Moment | None = None
    term_end: Moment | None = None

    @model_validator(mode="after")
    def _term_has_length(self) -> Self:
        if _same_kind(self.term_start, self.term_end) and self.term_end <= self.term_start:  # type: ignore[operator]
            raise ValueError("term_end is not after term_start")
        return self


class Order(_Value):
    """A sale, or what takes one back, or an adjustment of the books."""

    event_id: Id
    order_id: Id
    customer_id: Id | None = None
    kind: OrderKind
    occurred_at: Time
    currency: Currency
    lines: Annotated[list[OrderLine], Field(strict=True, max_length=grammar.LINES_MAX)] = Field(
        default_factory=list
    )
    refund_of: Id | None = None
    contact_id: Annotated[Id | None, Field(description="the contact it was sold in")] = None
    agent_id: Id | None = None
    referred_by: Id | None = None
    revision: Revision = 0
    withdrawn: Flag = False

    @model_validator(mode="after")
    def _lines_differ(self) -> Self:
        if len({line.line_id for line in self.lines}) < len(self.lines):
            raise ValueError("two lines have the same line_id")
        return self


class Cost(_Value):
    """Money the centre spent."""

    event_id: Id
    kind: CostKind
    occurred_at: Time
    amount_minor: AmountMinor
    currency: Currency
    customer_id: Id | None = None
    contact_id: Id | None = None
    agent_id: Id | None = None
    queue: Text | None = None
    channel: Text | None = None
    period_start: Moment | None = None
    period_end: Moment | None = None
    revision: Revision = 0
    withdrawn: Flag = False

    @model_validator(mode="after")
    def _period_is_in_order(self) -> Self:
        if _same_kind(self.period_start, self.period_end) and self.period_end < self.period_start:  # type: ignore[operator]
            raise ValueError("period_end is before period_start")
        return self


class PeriodLine(_Value):
    """An amount that no single customer's facts tell; an estimate has a variance."""

    line: PeriodLineName
    basis: PeriodBasis
    amount_minor: AmountMinor
    currency: Currency
    effective_at: Time
    queue: OptionalText = ""
    team: OptionalText = ""
    agent_id: OptionalId = ""
    channel: OptionalText = ""
    reason: OptionalText = ""
    kind: OptionalText = ""
    contact_id: OptionalId = ""
    case_id: OptionalId = ""
    note: OptionalText = ""
    variance_minor2: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=grammar.VARIANCE_MAX,
            description="square of the standard error, in minor units squared",
        ),
    ] = 0


class CutPlace(_Value):
    """Entries of a partition of the ledger before this offset are as reported."""

    partition: Annotated[int, Field(strict=True, ge=0, le=grammar.PARTITION_MAX)]
    offset: Annotated[int, Field(strict=True, ge=0, le=grammar.OFFSET_MAX)]


class Period(_Value):
    """What the period job states of a period: figures to book, or that it is closed.

    Written by `pnl periods` and `pnl close`; no other source sends it.
    """

    event_id: Annotated[Id, Field(examples=["2026-04/C2", "2026-04/close"])]
    period: Annotated[Id, Field(examples=["2026-04"])]
    kind: PeriodKind
    occurred_at: Time
    lines: Annotated[list[PeriodLine], Field(strict=True, max_length=grammar.PERIOD_LINES_MAX)] = (
        Field(default_factory=list)
    )
    cut: Annotated[list[CutPlace], Field(strict=True, max_length=grammar.CUT_PLACES_MAX)] = Field(
        default_factory=list
    )
    revision: Revision = 0
    withdrawn: Flag = False

    @model_validator(mode="after")
    def _places_differ(self) -> Self:
        if len({place.partition for place in self.cut}) < len(self.cut):
            raise ValueError("two places of cut are of one partition")
        return self


def _same_kind(start: int | str | None, end: int | str | None) -> bool:
    return start is not None and type(start) is type(end)


CONTRACTS: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {
        topics.CONTACTS: Contact,
        topics.RESOLUTIONS: Resolution,
        topics.ORDERS: Order,
        topics.COSTS: Cost,
        topics.PERIODS: Period,
    }
)
"""Input topic -> the model of its values."""
