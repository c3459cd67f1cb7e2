"""From a figure down to its events, and how far the figures can be trusted: frozen values.

Law: whatever a report shows can be followed to ledger entries, and each entry to the record in
the log that caused it.
"""

from dataclasses import dataclass
from datetime import date

from pnl.reports.model import ContactListRow, Unbooked
from streams.facts import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the causing record lies in the log."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRef:
    """The fact that made us book."""

    fact: str
    id: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedEntry:
    """One ledger entry with its cause and its source. Term and cut are local dates.

    `counted_minor` is what of it stands in the range that was asked for: all of it, or of a
    spread amount what its days in the range earn.
    """

    line: str
    basis: str
    amount_minor: int
    counted_minor: int
    currency: str
    effective_at: Millis
    booked_at: Millis
    order_id: str
    contact_id: str
    leg_id: str
    customer_id: str
    product_class: str
    queue: str
    kind: str
    model: str
    note: str
    change: str
    spread_minor: int
    term: tuple[date, date] | None
    cut: date | None
    cause: CauseRef
    source: Source
    batch_id: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesPage:
    """Entries of a line, newest effective first; `next_cursor` is None on the last page."""

    entries: tuple[ExplainedEntry, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedCredit:
    """What one contact (None: the centre) earned of one product class of an order."""

    contact_id: str | None
    case_id: str | None
    product_class: str
    line: str
    weight: int
    credit_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """A chain that may have earned credit, as the split saw it."""

    contact_id: str
    ended_at: Millis
    handle_ms: int
    case_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAmounts:
    """An order's worth in one product class, before and after refunds."""

    product_class: str
    gross_minor: int
    net_minor: int
    lookback_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExplained:
    """From an order down to its events: credits + unattributed = net, and every entry.

    A refund or adjustment (`kind`) has no credits of its own: `net_minor` is its effect on net
    revenue, `linked_to` the orders it takes from, unattributed what it takes from none of them.
    `booked` is False when `model` is not the one in the books: then the credits are worked out
    from the stored path, and the entries still are the booked ones.
    """

    order_id: str
    kind: str
    linked_to: tuple[str, ...]
    customer_id: str
    currency: str
    occurred_at: Millis
    gross_minor: int
    net_minor: int
    unattributed_minor: int
    model: str
    revision: int
    booked: bool
    sold_in: str | None
    sold_unknown: bool
    withdrawn: bool
    credits: tuple[ExplainedCredit, ...]
    classes: tuple[ClassAmounts, ...]
    path: tuple[PathStep, ...]
    entries: tuple[ExplainedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOrder:
    """What a contact earned of one order, refunds taken off."""

    order_id: str
    currency: str
    occurred_at: Millis
    product_class: str
    line: str
    weight: int
    credit_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactExplained:
    """From a contact (a chain) down to its events: its money in each currency, and every entry."""

    row: ContactListRow
    matures_at: Millis
    cost_currency: str
    talk_ms: int
    hold_ms: int
    wrap_ms: int
    tier: str
    disposition_code: str
    version: int
    withdrawn: bool
    orders: tuple[ContactOrder, ...]
    entries: tuple[ExplainedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionFreshness:
    """How far one partition number is. Without a log to ask, what is behind is None."""

    partition: int
    as_of: Millis | None
    logged_at_max: Millis
    behind_records: int | None
    behind_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How current the figures are.

    `as_of` is the largest event time applied; `logged_at_max` the log time of the newest record
    in the figures. `behind_seconds` is the age of the oldest record that is appended but not yet
    in the figures: 0.0 when there is none, None when nobody can say.
    """

    as_of: Millis | None
    logged_at_max: Millis | None
    behind_records: int | None
    behind_seconds: float | None
    partitions: tuple[PartitionFreshness, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """How often a reason was given."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCounts:
    """How the records of an input topic ended: read = applied + duplicate + late + dead."""

    topic: str
    read: int
    applied: int
    duplicate: int
    late: int
    dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuality:
    """What we know that we do not know.

    Chains, orders, notes and unbooked costs are of the scope's range (and currency); topics and
    dead letters are of everything ever read, for a record that could not be read has no date.
    `notes` counts the orders and contacts whose entries say why a reader would ask: `no_touch`,
    `late`, `over_refund`, `unlinked`, `unknown_tariff` and the like.
    """

    chains: int
    unidentified: int
    orders: int
    orders_unidentified: int
    sold_unknown: int
    orphan_refunds: int
    notes: tuple[ReasonCount, ...]
    topics: tuple[TopicCounts, ...]
    dead_letters: tuple[ReasonCount, ...]
    unbooked: tuple[Unbooked, ...]
