"""What processors put out: frozen values, the contracts of the `pnl.*` topics.

Law: an entry is never changed. What was wrong is reversed whole and entered anew, both naming
the fact that made us do so (DEF-CHANGE). The sum of `amount_minor` over a line's entries is
what the line is worth; entries that are spread over a term say so, and their days are
apportioned when they are read (DEF-ACCRUAL, RUL-SPREAD).

Absent text is the empty string: these values end up as columns, where null costs and hides.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from streams.facts import CutPlace, Day, Millis, Offer

Basis: TypeAlias = Literal["booked", "standard", "allocated", "accrued", "estimated", "control"]
Change: TypeAlias = Literal["", "reversal", "addition"]
Disposition: TypeAlias = Literal["applied", "duplicate", "late", "dead"]
Repair: TypeAlias = Literal["", "doubled", "lost"]

NET: Final = "net"
"""Control line: an order's net revenue with its sign reversed, so that its entries sum to zero."""
UNATTRIBUTED: Final = "unattributed"
"""Control line: net revenue that no touchpoint earned (memo M1, with A5x)."""
ORPHAN: Final = "A5x"
"""Control line: refunds whose order is unknown (DEF-ORPHAN, memo M8)."""
ADJUSTMENT: Final = "adjustment"
"""Control line: adjustments of the books (DEF-ADJUST, memo M9)."""
UNBOOKED: Final = "unbooked"
"""Control line: what no statement line takes, such as a fee by a tariff nobody has defined."""
PAYROLL: Final = "payroll"
"""Control line: payroll as paid, which the lines C1 + C2 + C7 account for."""


class _Value(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    pass


class Entry(_Value, frozen=True, array_like=True):
    """One signed amount on one line.

    `amount_minor` is what the entry adds to the line in all. For an amount that is spread,
    `term_start` and `term_end` ([start, end), local days) are set, and `spread_minor` is the
    amount apportioned over the whole term: earned after k days =
    sign x floor(abs(spread_minor) x k / n). `cut` (a day, or null) says that only the days from
    `cut` on belong to this entry, so amount_minor = spread_minor - earned(cut); without `cut`
    the two are equal.

    `contact_id` is the chain's name, `leg_id` the leg's own contact_id where the entry is about
    one leg (C1). `queue` … `kind` are the chain's dimensions (RUL-DIMS), for C1 the leg's own;
    for a cost its own. `note` says why where a reader would ask: `unlinked` (a refund linked by
    the model DEF-UNLINKED), `no_touch`, `sold_unknown`, `late`, `over_refund`, `opposite_sign`.

    `variance_minor2`, of an estimate, is the square of its standard error in minor units squared,
    negative in a reversal: so the sum over any scope is the variance of the sum, where the
    estimates are independent, and the interval is amount ± 1.96 √sum.
    """

    line: str
    basis: Basis
    amount_minor: int
    currency: str
    effective_at: Millis
    order_id: str = ""
    contact_id: str = ""
    leg_id: str = ""
    case_id: str = ""
    product_class: str = ""
    queue: str = ""
    team: str = ""
    agent_id: str = ""
    channel: str = ""
    reason: str = ""
    kind: str = ""
    tariff: str = ""
    model: str = ""
    note: str = ""
    term_start: Day | None = None
    term_end: Day | None = None
    cut: Day | None = None
    spread_minor: int = 0
    change: Change = ""
    variance_minor2: int = 0


class Cause(_Value, frozen=True):
    """The fact that made us book, by identity; and the record that brought it."""

    fact: Literal["contact", "resolution", "order", "cost", "period", "configuration"]
    id: str
    revision: int
    topic: str
    partition: int
    offset: int


class LedgerRecord(_Value, frozen=True):
    """`pnl.ledger.v1`: the entries one fact caused. `booked_at` is that fact's log time.

    `repair`: a person had it written, because entries of that cause stood twice (`doubled`: these
    take the second ones back) or were missing (`lost`: these are they). Then `booked_at` is when
    that was done, so what was reported in between can still be told from what is restated.
    """

    customer_id: str
    booked_at: Millis
    cause: Cause
    batch_id: str
    policy: str
    entries: tuple[Entry, ...]
    repair: Repair = ""


class Credit(_Value, frozen=True):
    """What one contact (a chain; none: the centre) earned of one product class of an order.

    `weight` is the unnormalised weight of the contact's touchpoint under the model; the
    contacts of one case share the credit of their touchpoint by `handle_ms` (DEF-CASESPLIT).
    """

    product_class: str
    line: str
    credit_minor: int
    weight: int
    contact_id: str | None = None
    case_id: str | None = None


class PathContact(_Value, frozen=True):
    """A chain that may earn credit for an order, as the split sees it."""

    contact_id: str
    ended_at: Millis
    handle_ms: int
    case_id: str | None = None


class ClassNet(_Value, frozen=True):
    """What an order is worth in one product class, before and after refunds."""

    product_class: str
    gross_minor: int
    net_minor: int
    lookback_ms: int


class AttributionRecord(_Value, frozen=True):
    """`pnl.attributions.v1`, keyed by order_id: an order's whole credit vector; upsert it.

    sum(credit_minor) + unattributed_minor = net_minor, exactly (I1). `path` holds every chain
    eligible within the longest lookback, in order of (ended_at, contact_id), so that any other
    model can be worked out from the record alone; `sold_in` is the chain the order was sold in.
    """

    order_id: str
    customer_id: str
    currency: str
    occurred_at: Millis
    gross_minor: int
    net_minor: int
    unattributed_minor: int
    model: str
    revision: int
    credits: tuple[Credit, ...]
    classes: tuple[ClassNet, ...]
    path: tuple[PathContact, ...] = ()
    sold_in: str | None = None
    sold_unknown: bool = False
    changed: tuple[str, ...] = ()
    withdrawn: bool = False


class CurrencyAmount(_Value, frozen=True):
    """An amount with its currency."""

    currency: str
    amount_minor: int


class LegPart(_Value, frozen=True, array_like=True):
    """One leg of a chain that has several, in leg order."""

    contact_id: str
    agent_id: str
    queue: str
    started_at: Millis
    connected_at: Millis | None
    ended_at: Millis
    talk_ms: int
    hold_ms: int
    wrap_ms: int


class ContactRecord(_Value, frozen=True):
    """`pnl.contacts.v1`, keyed by contact_id: a chain with its cost, outcome, revenue so far.

    `cost_minor` is C1 + C3 + the C4 that names it, negative; `fee_minor` what it was charged;
    both in the reporting currency `cost_currency` (C4 in another currency is in the ledger
    only). `credits` is the net credit so far, per currency. Mature from `matures_at` on (end
    + longest lookback). `version` counts this contact's records: the highest is the latest.
    `withdrawn`: the chain is no more (withdrawn, or joined to another).

    `csat`, `nps`, `ces` are those of the latest resolution fact of its case that has one, else of
    the latest that names this contact. Of its case: `resolved_at` is the first `resolved`,
    `resolutions` how many there are, `reopened` and `escalated` whether a fact said so. `offers`
    are those of all legs. `parts` are the legs where there are several; a chain of one leg says
    all of it itself, with `connected_at`.
    """

    contact_id: str
    customer_id: str
    version: int
    started_at: Millis
    ended_at: Millis
    matures_at: Millis
    identified: bool
    handled: bool
    abandoned: bool
    outcome: str
    legs: int
    channel: str
    direction: str
    kind: str
    queue: str
    talk_ms: int
    hold_ms: int
    wrap_ms: int
    wait_ms: int
    cost_currency: str
    cost_minor: int
    fee_minor: int
    case_id: str = ""
    team: str = ""
    agent_id: str = ""
    reason: str = ""
    tier: str = ""
    disposition_code: str = ""
    credits: tuple[CurrencyAmount, ...] = ()
    withdrawn: bool = False
    connected_at: Millis | None = None
    parts: tuple[LegPart, ...] = ()
    offers: tuple[Offer, ...] = ()
    csat: int | None = None
    nps: int | None = None
    ces: int | None = None
    resolved_at: Millis | None = None
    resolutions: int = 0
    reopened: bool = False
    escalated: bool = False
    experiment_id: str = ""
    experiment_arm: str = ""


class OrderRecord(_Value, frozen=True):
    """`pnl.orders.v1`, keyed by order_id: an accepted order fact and what it does to net revenue.

    `net_effect_minor` is the signed effect on company net revenue (M2): + for a sale, - for what
    takes one back (for a cancellation: what was left), signed for an adjustment. It is worked
    out from order facts alone, so it reconciles what attribution wrote.
    """

    order_id: str
    customer_id: str
    version: int
    kind: str
    occurred_at: Millis
    currency: str
    net_effect_minor: int
    identified: bool
    refund_of: str = ""
    linked_to: tuple[str, ...] = ()
    orphan: bool = False
    withdrawn: bool = False
    contact_id: str = ""
    agent_id: str = ""
    referred_by: str = ""


class CostRecord(_Value, frozen=True):
    """`pnl.costs.v1`, keyed by event_id: an accepted cost fact, its amount as sent (+ is spent).

    `period_start` and `period_end` are instants: a local date is the first of its day.
    """

    event_id: str
    customer_id: str
    version: int
    kind: str
    occurred_at: Millis
    currency: str
    amount_minor: int
    agent_id: str = ""
    queue: str = ""
    channel: str = ""
    contact_id: str = ""
    period_start: Millis | None = None
    period_end: Millis | None = None
    withdrawn: bool = False


class PeriodRecord(_Value, frozen=True):
    """`pnl.periods.v1`, keyed by event_id: that a period is closed (DEF-CLOSE, DEF-REPORTED).

    What was reported of it are the ledger's entries before `cut`; `closed_at` is the log's time of
    the fact that said so, `revision` that fact's.
    """

    event_id: str
    period: str
    revision: int
    closed_at: Millis
    cut: tuple[CutPlace, ...]
    withdrawn: bool = False


class RateRecord(_Value, frozen=True):
    """`pnl.rates.v1`, keyed by day and currencies: what one `base` was worth in `quote` (DEF-FX).

    A person imports them; nothing here books by them. `rate_e10` is the rate times ten to the
    tenth, an exact integer; the latest record of a key holds.
    """

    day: Day
    base: str
    quote: str
    rate_e10: int


class Exceptional(_Value, frozen=True, array_like=True):
    """Input offsets `[start, end)` that did not end as *applied*."""

    disposition: Disposition
    start: int
    end: int


class BatchSource(_Value, frozen=True):
    """How the offsets `[start, end)` of one input partition ended; the counts add up to them."""

    topic: str
    partition: int
    start: int
    end: int
    applied: int
    duplicate: int
    late: int
    dead: int
    exceptions: tuple[Exceptional, ...] = ()


class Amendment(_Value, frozen=True):
    """How many entries, of what sum, the ledger holds of a batch beyond what its record counts.

    Negative where it holds fewer. A repair states it beside the entries that make it good.
    """

    batch_id: str
    rows: int
    sum_minor: int


class BatchRecord(_Value, frozen=True):
    """`pnl.batches.v1`: the account of one transaction in one partition number.

    `out_rows` and `out_sum_minor` count ledger entries and add their amounts, all currencies
    together: a checksum, not a sum of money. `event_time_max` is the largest event time applied
    so far in this partition number (its stream time). `state_hash` is that of the partition's
    state after the batch, where state and log could come apart. What a repair found of other
    batches of its partition: `amends`, so that their count and the ledger's agree again; `voids`,
    the offsets of batch records that never happened. `accepted`: where the batch took other rules
    over, the versions of all that this partition's books were ever made by, the newest last.
    """

    batch_id: str
    partition: int
    sources: tuple[BatchSource, ...]
    out_rows: int
    out_sum_minor: int
    event_time_max: Millis | None
    logged_at_max: Millis
    code_version: str
    policy: str
    state_hash: int | None = None
    amends: tuple[Amendment, ...] = ()
    voids: tuple[int, ...] = ()
    accepted: tuple[str, ...] = ()
