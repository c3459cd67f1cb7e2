"""What is said of risk, of each minute, and of alerts: the contracts of six topics.

`pnl.churn.v1` and `pnl.activity.v1` are written by journeys, `pnl.windows.v1` and `pnl.alerts.v1`
are made of them, `pnl.alert-actions.v1` is what people answer, `pnl.deliveries.v1` what was sent.

Law: a figure that cannot be known is null, never 0. What is counted anew is first taken back
under the minute and segment it was counted under, so sums of deltas are what is true now.

Shares are parts per million, times milliseconds since 1970, amounts minor units. Absent text is
the empty string.
"""

from typing import Literal, TypeAlias

import msgspec

from streams.facts import Millis

RiskMethod: TypeAlias = Literal["", "contract", "bgnbd", "pnbd", "observed"]
WindowSize: TypeAlias = Literal["5m", "1h", "1d"]
AlertState: TypeAlias = Literal["raised", "cleared", "acknowledged", "snoozed"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
SubjectKind: TypeAlias = Literal["customer", "segment", "system"]
AlertDoing: TypeAlias = Literal["ack", "snooze", "unsnooze"]
DeliveryOutcome: TypeAlias = Literal["delivered", "retrying", "refused", "expired"]

SEPARATOR = "\0"


class _Value(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    pass


class ChurnReason(_Value, frozen=True):
    """What a contact signal adds to the logit of the risk, in thousandths, and the fact behind it.

    `label` is `heuristic` until its weight was learnt on matured labels (DEF-RISK-LIVE).
    """

    signal: str
    logit_milli: int
    at: Millis
    fact: str
    label: str


class ChurnRecord(_Value, frozen=True):
    """`pnl.churn.v1`, keyed by customer: that the risk of not buying again has moved (DEF-RISK).

    `risk_ppm` is P(no purchase in (as_of, as_of + horizon]); null where it is not known, as of
    a customer without orders. One is written by the fact that moved it by 20,000 ppm since the
    last one, made it known or unknown, or moved it over a threshold: `high` is set from 600,000
    on and cleared below 500,000. `before_ppm` is that of the last one, `week_ago_ppm` the
    risk seven days before as the facts known then say, and `explained_ppm` the share of the rise
    since then that facts of the last 24 hours explain, null where it did not rise.

    `value_minor` is the margin expected of the customer within the horizon, so the value at risk
    is risk x value; null where no margin is known. `queue`, `team`, `channel` and `contact_*`
    are of the latest handled chain. `reasons` stand strongest first.
    """

    customer_id: str
    version: int
    as_of: Millis
    logged_at: Millis
    risk_ppm: int | None
    before_ppm: int | None = None
    week_ago_ppm: int | None = None
    explained_ppm: int | None = None
    cause_kind: str = ""
    cause_id: str = ""
    reasons: tuple[ChurnReason, ...] = ()
    high: bool = False
    value_minor: int | None = None
    currency: str = ""
    method: RiskMethod = ""
    model: str = ""
    horizon_days: int = 0
    queue: str = ""
    team: str = ""
    channel: str = ""
    contact_id: str = ""
    contact_at: Millis | None = None


class Sums(_Value, frozen=True):
    """What is counted of a segment: deltas in a cell, which may be negative; sums in a window.

    Of chains, at the minute of their end: `chains`, `handled`, `abandoned`; `waited` had to wait,
    `wait_ms` in all; `handle_ms` of the handled; `resolved`, `unresolved` and `reopened` as their
    case stands (DEF-OUTCOME); `csat_good`, `csat_bad`; `offers_missed` eligible and not offered;
    `in_contact` handled chains of customers of whom a risk was known, `high_risk` of them those of
    high risk at that moment; `credit_minor` the net credit of these chains (DEF-RPC),
    `credit_minor2` the sum of the squares of each chain's, as text since it may exceed 64 bits;
    `cost_minor` what they cost, negative as in the statement.

    Of entries, at the minute they are effective: `booked_minor` credits (DEF-RPC-PERIOD),
    `refund_minor` of them what refunds took back, negative; `net_minor` net revenue and
    `unattributed_minor` what of it nobody earned.

    Counts stand under the reporting currency, each amount under its own.
    """

    chains: int = 0
    handled: int = 0
    abandoned: int = 0
    waited: int = 0
    wait_ms: int = 0
    handle_ms: int = 0
    resolved: int = 0
    unresolved: int = 0
    reopened: int = 0
    csat_good: int = 0
    csat_bad: int = 0
    offers_missed: int = 0
    in_contact: int = 0
    high_risk: int = 0
    credit_minor: int = 0
    credit_minor2: str = "0"
    booked_minor: int = 0
    refund_minor: int = 0
    net_minor: int = 0
    unattributed_minor: int = 0
    cost_minor: int = 0


class ActivityCell(Sums, frozen=True, kw_only=True):
    """What changed of one minute of event time (its start) and segment."""

    minute: Millis
    queue: str = ""
    channel: str = ""
    team: str = ""
    currency: str = ""


class ActivityRecord(_Value, frozen=True):
    """`pnl.activity.v1`, keyed by source partition, all in partition 0: what a batch changed.

    `event_time_max` is the stream time of that partition after the batch, `logged_at_max` the
    log's time of the newest record in it. Records of one source partition stand in order; a batch
    that changed very many minutes has several, each with its own cells.
    """

    epoch: int
    source_partition: int
    batch_id: str
    logged_at_max: Millis
    event_time_max: Millis | None
    cells: tuple[ActivityCell, ...]


class WindowRecord(Sums, frozen=True, kw_only=True):
    """`pnl.windows.v1`, keyed by `window_key`: a segment's sums over a window of event time.

    `[start, end)`; a day is one of the reporting time zone. Provisional until `closed`; a late
    correction gives a closed window a higher `revision`. `rpc_minor` is revenue per handled
    contact with its interval (DEF-RPC, DEF-RPC-CI), null below 30 handled chains. `as_of` is
    the event time up to which the window is known. `incomplete`: it was given up, for lack of
    room, before it could be closed.
    """

    size: WindowSize
    start: Millis
    end: Millis
    queue: str = ""
    channel: str = ""
    team: str = ""
    currency: str = ""
    revision: int = 0
    closed: bool = False
    rpc_minor: int | None = None
    rpc_low_minor: int | None = None
    rpc_high_minor: int | None = None
    as_of: Millis | None = None
    incomplete: bool = False


class AlertFigure(_Value, frozen=True):
    """A figure an alert rests on: its value in a unit, and its interval where it is estimated."""

    name: str
    value: int | None
    unit: str
    low: int | None = None
    high: int | None = None


class AlertRecord(_Value, frozen=True):
    """`pnl.alerts.v1`, keyed by alert_id: that a rule holds, holds no more, or was answered.

    `alert_id` is the first 16 hex digits of the SHA-256 of rule, subject and the place of the
    record that raised it first, so a replay gives the same. `raised_at` is event time; `source` is
    the `topic-partition-offset` that decided: both are, as the figures, of the last rise that was
    told. `quiet_until`: not to be delivered before.
    `link` is a path on the page. `by` and `note` are of the person who answered.
    """

    alert_id: str
    revision: int
    state: AlertState
    rule: str
    kind: str
    severity: Severity
    subject_kind: SubjectKind
    subject: str
    raised_at: Millis
    logged_at: Millis
    headline: str
    figures: tuple[AlertFigure, ...] = ()
    reasons: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    source: str = ""
    link: str = ""
    routes: tuple[str, ...] = ()
    quiet_until: Millis | None = None
    value_minor: int | None = None
    currency: str = ""
    by: str = ""
    note: str = ""


class AlertAction(_Value, frozen=True):
    """`pnl.alert-actions.v1`: what a person answered to an alert.

    Keyed by customer where the alert is about one, so that it meets his risk; else without a key,
    in partition 0.
    """

    alert_id: str
    rule: str
    subject_kind: SubjectKind
    subject: str
    action: AlertDoing
    by: str
    at: Millis
    until: Millis | None = None
    note: str = ""


class DeliveryRecord(_Value, frozen=True):
    """`pnl.deliveries.v1`, keyed by `delivery_key`: how the delivery of an alert stands."""

    alert_id: str
    revision: int
    route: str
    outcome: DeliveryOutcome
    attempts: int
    first_at: Millis
    last_at: Millis
    detail: str = ""


def window_key(window: WindowRecord) -> bytes:
    """Return the key of a window: "SIZE START QUEUE CHANNEL TEAM CURRENCY", joined by NUL."""
    where = (window.queue, window.channel, window.team, window.currency)
    return SEPARATOR.join((window.size, str(window.start), *where)).encode()


def delivery_key(alert_id: str, route: str) -> bytes:
    """Return the key of a delivery: "alert_id NUL route"."""
    return f"{alert_id}{SEPARATOR}{route}".encode()
