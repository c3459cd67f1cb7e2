"""The input values as JSON objects: what msgspec checks in one pass, before times are read.

Fields have the names, the order and the defaults of the facts; the order in a fact is what its
state is kept in, so a fact is made from these by position. Times are still text here, currencies
still any three letters: the codec reads and checks those.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from streams import grammar
from streams.facts import (
    CostKind,
    OrderKind,
    Outcome,
    PeriodBasis,
    PeriodKind,
    PeriodLineName,
    ProductClass,
)

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=grammar.ID_CHARS_MAX)]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=grammar.TEXT_CHARS_MAX)]
OptionalId: TypeAlias = Annotated[str, Meta(max_length=grammar.ID_CHARS_MAX)]
OptionalText: TypeAlias = Annotated[str, Meta(max_length=grammar.TEXT_CHARS_MAX)]
Duration: TypeAlias = Annotated[int, Meta(ge=0, le=grammar.DURATION_MS_MAX)]
Revision: TypeAlias = Annotated[int, Meta(ge=0, le=grammar.REVISION_MAX)]
Amount: TypeAlias = Annotated[int, Meta(ge=-grammar.AMOUNT_MINOR_MAX, le=grammar.AMOUNT_MINOR_MAX)]


class _Object(Struct, gc=False, frozen=True, omit_defaults=True):
    pass


class Fee(_Object, frozen=True):
    """A contact's fee."""

    tariff: Text | None = None
    amount_minor: Amount | None = None
    currency: str | None = None


class Offer(_Object, frozen=True):
    """An offer of a contact."""

    product_class: ProductClass
    eligible: bool
    offered: bool
    accepted: bool


class Experiment(_Object, frozen=True):
    """A contact's experiment."""

    id: Id
    arm: Literal["treated", "control"]


class Contact(_Object, frozen=True):
    """A value of `contacts`."""

    event_id: Id
    contact_id: Id
    channel: Text
    direction: Literal["inbound", "outbound"]
    kind: Text
    queue: Text
    started_at: str
    ended_at: str
    talk_ms: Duration
    hold_ms: Duration
    wrap_ms: Duration
    wait_ms: Duration
    abandoned: bool
    connected_at: str | None = None
    customer_id: Id | None = None
    chain_id: Id | None = None
    case_id: Id | None = None
    transfer_of: Id | None = None
    team: Text | None = None
    agent_id: Id | None = None
    reason: Text | None = None
    tier: Text | None = None
    disposition_code: Text | None = None
    fee: Fee | None = None
    offers: Annotated[tuple[Offer, ...], Meta(max_length=grammar.OFFERS_MAX)] = ()
    experiment: Experiment | None = None
    revision: Revision = 0
    withdrawn: bool = False


class Resolution(_Object, frozen=True):
    """A value of `resolutions`."""

    event_id: Id
    case_id: Id
    outcome: Outcome
    occurred_at: str
    contact_id: Id | None = None
    customer_id: Id | None = None
    csat: Annotated[int, Meta(ge=0, le=grammar.CSAT_MAX)] | None = None
    nps: Annotated[int, Meta(ge=0, le=grammar.NPS_MAX)] | None = None
    ces: Annotated[int, Meta(ge=0, le=grammar.CES_MAX)] | None = None
    revision: Revision = 0
    withdrawn: bool = False


class OrderLine(_Object, frozen=True):
    """A line of an order."""

    line_id: Id
    product_class: ProductClass
    amount_minor: Amount
    sku: Text | None = None
    cost_minor: Amount | None = None
    term_start: str | None = None
    term_end: str | None = None


class Order(_Object, frozen=True):
    """A value of `orders`."""

    event_id: Id
    order_id: Id
    kind: OrderKind
    occurred_at: str
    currency: str
    lines: Annotated[tuple[OrderLine, ...], Meta(max_length=grammar.LINES_MAX)] = ()
    customer_id: Id | None = None
    refund_of: Id | None = None
    contact_id: Id | None = None
    agent_id: Id | None = None
    referred_by: Id | None = None
    revision: Revision = 0
    withdrawn: bool = False


class Cost(_Object, frozen=True):
    """A value of `costs`."""

    event_id: Id
    kind: CostKind
    occurred_at: str
    amount_minor: Amount
    currency: str
    customer_id: Id | None = None
    contact_id: Id | None = None
    agent_id: Id | None = None
    queue: Text | None = None
    channel: Text | None = None
    period_start: str | None = None
    period_end: str | None = None
    revision: Revision = 0
    withdrawn: bool = False


class PeriodLine(_Object, frozen=True):
    """A line of a period; an absent dimension is the empty text."""

    line: PeriodLineName
    basis: PeriodBasis
    amount_minor: Amount
    currency: str
    effective_at: str
    queue: OptionalText = ""
    team: OptionalText = ""
    agent_id: OptionalId = ""
    channel: OptionalText = ""
    reason: OptionalText = ""
    kind: OptionalText = ""
    contact_id: OptionalId = ""
    case_id: OptionalId = ""
    note: OptionalText = ""
    variance_minor2: Annotated[int, Meta(ge=0, le=grammar.VARIANCE_MAX)] = 0


class CutPlace(_Object, frozen=True):
    """A place of a period's cut."""

    partition: Annotated[int, Meta(ge=0, le=grammar.PARTITION_MAX)]
    offset: Annotated[int, Meta(ge=0, le=grammar.OFFSET_MAX)]


class Period(_Object, frozen=True):
    """A value of `periods`."""

    event_id: Id
    period: Id
    kind: PeriodKind
    occurred_at: str
    lines: Annotated[tuple[PeriodLine, ...], Meta(max_length=grammar.PERIOD_LINES_MAX)] = ()
    cut: Annotated[tuple[CutPlace, ...], Meta(max_length=grammar.CUT_PLACES_MAX)] = ()
    revision: Revision = 0
    withdrawn: bool = False


Object: TypeAlias = Contact | Resolution | Order | Cost | Period
