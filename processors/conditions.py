"""What rules look at: that something is so, of whom, by which figures (DEF-RISE-C, DEF-RISE-S).

A pure leaf between what measures (`rising`) and what decides whom to tell (`alerts`).

Law: a condition says *is so* or *is so no more*; hysteresis and the evidence it takes are settled
before it stands here. Cool-down, routes, quiet hours and people's answers are not its business.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from streams.facts import Millis

RuleKind: TypeAlias = Literal[
    "churn_customer",
    "churn_segment",
    "revenue_drop",
    "pressure",
    "overload",
    "unattributed_share",
    "data_late",
    "reconciliation_failure",
    "missed_opportunity",
    "fading",
]
SubjectKind: TypeAlias = Literal["customer", "segment", "system"]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000


class Figure(msgspec.Struct, frozen=True, gc=False):
    """A figure of a condition, whole units of `unit`; low and high are its 95 % interval.

    `value` is None for what cannot be known. Units: "ppm", "ms", "count", "minor", "milli" (a
    thousandth of a plain number), "text" has none of these.
    """

    name: str
    value: int | None
    unit: str
    low: int | None = None
    high: int | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """That something holds, or holds no more, of a subject.

    `subject` is a customer_id, "queue=orders" (more dimensions joined by ";"), or the name of a
    part of the system. `segment` is, of a customer, that of the last contact, written
    "queue=orders;channel=chat;team=north", so that a rule can be about some segments. `headline`
    is one sentence for people. `contacts` are the evidence. `value_minor` is what is at stake, in
    minor units of `currency`, None where it is not known. `at` is event time. `place` is what
    decided, and all an alert's id needs beside rule and subject: "TOPIC-PARTITION-OFFSET" of a
    record, or of a window "pnl.windows.v1 SIZE START".

    What holds need not show at each look: `shows` says that this record or window shows it. It
    shows a rise of its own where it had not shown meanwhile, or where its evidence reaches back no
    further than `apart_ms`, and that lies between (None: it may reach back to the former one).
    """

    rule_kind: RuleKind
    subject_kind: SubjectKind
    subject: str
    holds: bool
    at: Millis
    place: str
    shows: bool = False
    apart_ms: Millis | None = None
    segment: str = ""
    headline: str = ""
    figures: tuple[Figure, ...] = ()
    reasons: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    value_minor: int | None = None
    currency: str = ""


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From where on something is said to be so. Shares and probabilities are ppm.

    The figures with a DEF id are its own; how the others were chosen is in docs/alerts-quality.md.
    """

    rise_ppm: int = 100_000
    """DEF-RISE-C: the risk rose by this much in seven days,"""
    rise_logit_milli: int = 500
    """and its logit by this much (thousandths);"""
    high_ppm: int = 600_000
    """or it crossed this,"""
    clear_ppm: int = 500_000
    """and fell below this since the last time."""
    explained_ppm: int = 500_000
    """Facts of the last day explain at least this share of the rise; else: fading."""

    sample_min: int = 30
    """Of fewer nothing is said (DEF-RISE-S, DEF-RPC-CI)."""
    segment_low_ppm: int = 30_000
    """DEF-RISE-S: the lower bound of the rise of the share at high risk is above this."""
    drift_ppm: int = 5_000
    """Page-Hinkley's delta: what it lets pass in every window."""
    drift_threshold_ppm: int = 100_000
    """Page-Hinkley's threshold: how much must have come together, of a usual day's customers."""
    false_discovery_ppm: int = 50_000
    """Benjamini-Hochberg: of what a week's windows tell, this share may be false."""
    quiet_windows: int = 2
    """A segment is clear after so many windows in which nothing showed."""

    wait_factor_milli: int = 2_000
    """Waits are at least this many times the usual, in thousandths, and more than by chance."""
    resolution_drop_ppm: int = 50_000
    """The share of resolved contacts fell by more than this, by the bound of its interval."""
    revenue_drop_ppm: int = 200_000
    """Revenue per contact fell by this share of what it was, and by more than chance explains."""
    missed_rise_ppm: int = 30_000
    """The share of contacts with a missed offer rose by more than this, by its lower bound."""
    unattributed_move_ppm: int = 50_000
    """The share that nobody earned moved by this, and by more than chance explains."""
    late_ms: int = 15 * MINUTE_MS
    """Facts that arrive so long after they happened are late."""
    silence_expected: int = 10
    """Silence is data that is late, once so many contacts should have come (1 in 20,000)."""
