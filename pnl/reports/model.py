"""What a report is made of: frozen values, one shape for page, command line and files.

Law: a report is in one currency and says which; nothing here mixes two. Amounts are integers in
minor units, shares are parts per million, times are milliseconds of UTC, dates are local to the
reporting zone. A figure that cannot be known is None, never zero.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, TypeAlias

from pnl.errors import UserError
from streams.facts import Millis

DIMENSIONS: Final = ("queue", "team", "agent", "channel", "reason", "kind", "product_class")
"""What a report can be split and filtered by. `agent` is the agent's id."""

CONTACT_DIMENSIONS: Final = ("queue", "team", "agent", "channel", "reason", "kind")
"""The dimensions a chain has: `product_class` belongs to what was sold."""

Key: TypeAlias = tuple[tuple[str, str], ...]
"""Dimension and value, in the order asked for; the value is empty where there is none."""

LineName: TypeAlias = Literal[
    "A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5",
    "B", "C1", "C2", "C3", "C4", "C5", "C6", "C7",
]  # fmt: skip
TotalName: TypeAlias = Literal["A", "B", "C", "booked_result"]
MemoName: TypeAlias = Literal["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9"]
View: TypeAlias = Literal["restated", "reported"]
"""All that is effective in the period, or what stood in the ledger when it was closed."""
MemoUnit: TypeAlias = Literal["amount_minor", "ppm", "count"]


class BadRequest(UserError):
    """The caller asked for what cannot be: show the sentence, change the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which part of the books: local dates [start, end), a currency, filters.

    No start or no end means without that limit. A filter is a tuple of values of which one must
    match (empty: no filter); different filters must all match. The value "" means *none*.
    Equal scopes are equal values, so a scope can be the key of a cache.
    """

    currency: str
    start: date | None = None
    end: date | None = None
    queue: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    product_class: tuple[str, ...] = ()

    def filters(self) -> dict[str, tuple[str, ...]]:
        """Return the filters that are set, in the order of DIMENSIONS."""
        named = {name: getattr(self, name) for name in DIMENSIONS}
        return {name: values for name, values in named.items() if values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The part of a line that has these dimensions."""

    key: Key
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line; its groups, if asked for, add up to its amount (I8). `note` says why it is zero.

    What is not controllable is decided above the centre (allocated cost).
    """

    line: LineName
    title: str
    basis: str
    amount_minor: int
    groups: tuple[Group, ...] = ()
    note: str = ""
    controllable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimated amount with its 95 % interval."""

    amount_minor: int
    low_minor: int
    high_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateGroup:
    """The part of an estimate that has these dimensions; amounts add up, intervals do not."""

    key: Key
    value: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """D1, D2, or D, their sum: in no total. `value` is None where it cannot be told."""

    line: str
    title: str
    value: Interval | None
    groups: tuple[EstimateGroup, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A plain sum of lines."""

    total: TotalName
    title: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """A figure beside the statement; `value` is in `unit`, None where it cannot be known.

    `parts` are what it is the sum of, by name.
    """

    memo: MemoName
    title: str
    unit: MemoUnit
    value: int | None
    note: str = ""
    parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payroll:
    """What was paid for agents, and what the lines C1 + C2 + C7 say of it; both negative.

    Company-wide. The two agree once the period job has worked the range out.
    """

    paid_minor: int
    in_lines_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Net order revenue worked out from the order facts alone; `net_minor` must equal M2."""

    orders_minor: int
    refunds_minor: int
    adjustments_minor: int

    @property
    def net_minor(self) -> int:
        """Orders less refunds and cancellations, and the adjustments of the books."""
        return self.orders_minor + self.refunds_minor + self.adjustments_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """From A to M2 (RUL-M1): a_minor - fees_minor + deferred_minor + M1 + M9 = M2.

    `deferred_minor` is what the range's maintenance and support sales put off, less what
    its days earned. Company-wide, like the memo.
    """

    a_minor: int
    fees_minor: int
    deferred_minor: int
    unattributed_minor: int
    adjustments_minor: int
    net_minor: int

    @property
    def adds_up(self) -> bool:
        """Whether the way from A arrives at M2."""
        arrived = self.a_minor - self.fees_minor + self.deferred_minor
        return arrived + self.unattributed_minor + self.adjustments_minor == self.net_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbooked:
    """Cost facts of a kind that no line takes yet, negative like every cost."""

    kind: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The profit-and-loss account of a scope. Memo, bridge, reconciliation ignore filters.

    `estimates` stand below the booked result; `payroll` is None where none was paid. `closed_at` is
    when the period that the scope is was closed, None if it is not or no period; as `reported`
    the figures are those of the ledger at that moment, and the order facts those known now.
    """

    scope: Scope
    timezone: str
    as_of: Millis | None
    by: tuple[str, ...]
    lines: tuple[StatementLine, ...]
    totals: tuple[Total, ...]
    memo: tuple[Memo, ...]
    reconciliation: Reconciliation
    bridge: Bridge
    unbooked: tuple[Unbooked, ...]
    estimates: tuple[Estimate, ...] = ()
    payroll: Payroll | None = None
    view: View = "restated"
    closed_at: Millis | None = None

    @property
    def reconciles(self) -> bool:
        """Whether bridge, M2 and the order facts agree, as they must while nothing moves."""
        if self.view == "reported":
            return self.bridge.adds_up
        return self.bridge.adds_up and self.bridge.net_minor == self.reconciliation.net_minor

    def line(self, name: str) -> StatementLine:
        """Return one line by its name. KeyError if the statement has no such line."""
        return {line.line: line for line in self.lines}[name]  # type: ignore[index]

    def estimate(self, name: str) -> Estimate:
        """Return D1, D2 or D. KeyError if there is no such estimate."""
        return {each.line: each for each in self.estimates}[name]

    def total(self, name: TotalName) -> int:
        """Return one total, in minor units."""
        return {total.total: total.amount_minor for total in self.totals}[name]

    def memo_value(self, name: MemoName) -> int | None:
        """Return one memo's value in its unit."""
        return {memo.memo: memo.value for memo in self.memo}[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactsRow:
    """Revenue and cost of the chains that ended in the range and share these dimensions.

    By contact the key is (("contact", id),). `cost_minor` (C1 + C3 + C4) is negative;
    `revenue_per_contact_minor` = net credit / handled, half-even, None if none was handled.
    """

    key: Key
    handled: int
    abandoned: int
    chains: int
    net_credit_minor: int
    fee_minor: int
    cost_minor: int
    revenue_per_contact_minor: int | None
    cost_per_contact_minor: int | None
    matured_ppm: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactsReport:
    """Revenue per contact: a row per key, ordered by key, and all together.

    By contact there is a page of rows at a time; `next_cursor` (None: no more) asks for the next.
    """

    scope: Scope
    timezone: str
    as_of: Millis | None
    by: tuple[str, ...]
    rows: tuple[ContactsRow, ...]
    total: ContactsRow
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPoint:
    """The cohort of chains that ended on one local day.

    `ci_minor` is the half width of the 95 % interval of net credit per handled chain, None
    below 30 chains (DEF-RPC-CI). `mature`: the longest lookback has passed for all of the day.
    """

    day: date
    chains: int
    unidentified: int
    handled: int
    abandoned: int
    net_credit_minor: int
    cost_minor: int
    square_sum: int
    matured: int
    mature: bool
    revenue_per_contact_minor: int | None
    cost_per_contact_minor: int | None
    ci_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactListRow:
    """One chain in a list. Money is in the scope's currency."""

    contact_id: str
    customer_id: str
    identified: bool
    started_at: Millis
    ended_at: Millis
    queue: str
    team: str
    agent: str
    channel: str
    reason: str
    kind: str
    direction: str
    handle_ms: int
    wait_ms: int
    handled: bool
    abandoned: bool
    outcome: str
    legs: int
    cost_minor: int
    fee_minor: int
    net_credit_minor: int
    mature: bool
    case_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactListPage:
    """A page of a list; `next_cursor` is None on the last, `total` counts the whole filter."""

    rows: tuple[ContactListRow, ...]
    sort: str
    next_cursor: str | None
    total: int
    as_of: Millis | None


HeadlineUnit: TypeAlias = Literal["amount_minor", "ppm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One figure of the live board with its small history.

    `definition` is the id in the statement's definitions. `series` has one value per local day
    of `days`, None where there is none. `ci_minor` and `matured_ppm` only where they mean
    something.
    """

    name: str
    title: str
    definition: str
    unit: HeadlineUnit
    value: int | None
    days: tuple[date, ...]
    series: tuple[int | None, ...]
    ci_minor: int | None = None
    matured_ppm: int | None = None
    below: int | None = None
    below_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headlines:
    """The live board's figures, in its order."""

    scope: Scope
    as_of: Millis | None
    provisional: bool
    net_revenue: Headline
    booked_result: Headline
    revenue_per_contact: Headline
    cost_per_contact: Headline
    unattributed: Headline
    unidentified: Headline

    def all(self) -> tuple[Headline, ...]:
        """Return the figures in the order in which they are shown."""
        return (
            self.net_revenue,
            self.booked_result,
            self.revenue_per_contact,
            self.cost_per_contact,
            self.unattributed,
            self.unidentified,
        )
