"""The facts as processors see them: frozen values, times in milliseconds, amounts in minor units.

A pure leaf: it imports nothing of ours. `streams.contracts` says what a source may send;
`streams.codec` turns those bytes into these values.

Law: two facts are the same statement exactly when they are equal as values. So nothing that
differs between two deliveries of one statement (offset, arrival time) may stand in a fact.

The structs are `array_like`: the state keeps facts as MessagePack arrays, so fields are only
ever appended, each with a default.
"""

from typing import Literal, TypeAlias

import msgspec

Millis: TypeAlias = int
"""Milliseconds since 1970-01-01T00:00:00Z; finer times are cut towards the past (RUL-MS)."""

Day: TypeAlias = int
"""Days since 1970-01-01 in the reporting time zone."""

LocalDate: TypeAlias = str
"""A calendar date `YYYY-MM-DD`, meant in the reporting time zone."""

ProductClass: TypeAlias = Literal["product", "upgrade", "maintenance", "support"]
OrderKind: TypeAlias = Literal[
    "sale", "refund", "chargeback", "credit_note", "cancellation", "adjustment"
]
Outcome: TypeAlias = Literal["resolved", "unresolved", "reopened", "escalated"]
CostKind: TypeAlias = Literal[
    "payroll",
    "concession",
    "overhead",
    "technology",
    "facilities",
    "training",
    "attrition",
    "channel",
    "leadership",
]
PeriodKind: TypeAlias = Literal["figures", "close"]
PeriodLineName: TypeAlias = Literal["C2", "C7", "D1", "D2"]
PeriodBasis: TypeAlias = Literal["booked", "standard", "estimated"]

NOT_HANDLED: frozenset[str] = frozenset({"test", "wrong_number", "phantom"})
"""Disposition codes that are reserved words: such a leg never counts as handled (RUL-HANDLED)."""

SELF_SERVICE = "self_service"
"""The reserved disposition code of a contact contained without an agent: handled (RUL-HANDLED)."""


class _Value(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    pass


class Fee(_Value, frozen=True):
    """A charge for the contact: by a named tariff, or an explicit amount with its currency."""

    tariff: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Offer(_Value, frozen=True):
    """An offer that could have been made, was made, was taken."""

    product_class: ProductClass
    eligible: bool
    offered: bool
    accepted: bool


class Experiment(_Value, frozen=True):
    """A random assignment; `control` is a customer deliberately not contacted (DEF-LABEL)."""

    id: str
    arm: Literal["treated", "control"]


class Contact(_Value, frozen=True):
    """One leg: a stretch with one queue or agent (DEF-LEG)."""

    event_id: str
    contact_id: str
    channel: str
    direction: str
    kind: str
    queue: str
    started_at: Millis
    ended_at: Millis
    talk_ms: int
    hold_ms: int
    wrap_ms: int
    wait_ms: int
    abandoned: bool
    connected_at: Millis | None = None
    customer_id: str | None = None
    chain_id: str | None = None
    case_id: str | None = None
    transfer_of: str | None = None
    team: str | None = None
    agent_id: str | None = None
    reason: str | None = None
    tier: str | None = None
    disposition_code: str | None = None
    fee: Fee | None = None
    offers: tuple[Offer, ...] = ()
    experiment: Experiment | None = None
    revision: int = 0
    withdrawn: bool = False


class Resolution(_Value, frozen=True):
    """What became of a case."""

    event_id: str
    case_id: str
    outcome: Outcome
    occurred_at: Millis
    contact_id: str | None = None
    customer_id: str | None = None
    csat: int | None = None
    nps: int | None = None
    ces: int | None = None
    revision: int = 0
    withdrawn: bool = False


class OrderLine(_Value, frozen=True):
    """One line of an order; a refund's amounts are magnitudes, its kind gives the sign."""

    line_id: str
    product_class: ProductClass
    amount_minor: int
    sku: str | None = None
    cost_minor: int | None = None
    term_start: Millis | LocalDate | None = None
    term_end: Millis | LocalDate | None = None


class Order(_Value, frozen=True):
    """A sale, or what takes one back, or an adjustment of the books."""

    event_id: str
    order_id: str
    kind: OrderKind
    occurred_at: Millis
    currency: str
    lines: tuple[OrderLine, ...] = ()
    customer_id: str | None = None
    refund_of: str | None = None
    contact_id: str | None = None
    agent_id: str | None = None
    referred_by: str | None = None
    revision: int = 0
    withdrawn: bool = False


class Cost(_Value, frozen=True):
    """Money the centre spent."""

    event_id: str
    kind: CostKind
    occurred_at: Millis
    amount_minor: int
    currency: str
    customer_id: str | None = None
    contact_id: str | None = None
    agent_id: str | None = None
    queue: str | None = None
    channel: str | None = None
    period_start: Millis | LocalDate | None = None
    period_end: Millis | LocalDate | None = None
    revision: int = 0
    withdrawn: bool = False


class PeriodLine(_Value, frozen=True):
    """An amount that no single customer's facts could tell, to be booked as it is.

    `variance_minor2` is the square of the standard error of an estimate, in minor units squared.
    """

    line: PeriodLineName
    basis: PeriodBasis
    amount_minor: int
    currency: str
    effective_at: Millis
    queue: str = ""
    team: str = ""
    agent_id: str = ""
    channel: str = ""
    reason: str = ""
    kind: str = ""
    contact_id: str = ""
    case_id: str = ""
    note: str = ""
    variance_minor2: int = 0


class CutPlace(_Value, frozen=True):
    """Up to where a partition of the ledger counts as reported: entries before `offset` do."""

    partition: int
    offset: int


class Period(_Value, frozen=True):
    """What the period job worked out for a period, or that it is closed (DEF-CLOSE).

    Its revision is the run: a later one takes the place of the former. `lines` are booked as they
    are; `cut` says which entries stood in the ledger when the period was closed (DEF-REPORTED).
    """

    event_id: str
    period: str
    kind: PeriodKind
    occurred_at: Millis
    lines: tuple[PeriodLine, ...] = ()
    cut: tuple[CutPlace, ...] = ()
    revision: int = 0
    withdrawn: bool = False


Fact: TypeAlias = Contact | Resolution | Order | Cost | Period


def key_of(fact: Fact) -> str:
    """Return the key a fact is sent under: whose journey it belongs to (RUL-KEY)."""
    if isinstance(fact, Period):
        return fact.period
    if fact.customer_id is not None:
        return fact.customer_id
    if isinstance(fact, Contact):
        return fact.chain_id or fact.contact_id
    if isinstance(fact, Order):
        return fact.contact_id or fact.refund_of or fact.order_id
    if isinstance(fact, Resolution):
        return fact.contact_id or fact.event_id
    assert isinstance(fact, Cost)
    return fact.contact_id or fact.agent_id or fact.event_id


def identity_of(fact: Fact) -> str:
    """Return what makes two deliveries the same fact, within its key and topic (RUL-SAME)."""
    if isinstance(fact, Contact):
        return fact.contact_id
    if isinstance(fact, Order):
        return fact.order_id
    return fact.event_id


def event_time_of(fact: Fact) -> Millis:
    """Return when the fact happened: the end of a contact, `occurred_at` of all else.

    That of a period is when it was worked out: no event of the business, so it moves no time.
    """
    return fact.ended_at if isinstance(fact, Contact) else fact.occurred_at
