"""Rules of alerts: what is worth telling, how loudly, how often, to whom.

Law: a rule is a value. What decides whether something is told stands in it in full, so an alert can
name the rules it was raised by (`AlertRules.version`), and the same facts under the same rules tell
the same.

Shares and rises are parts per million (of one, not of each other, unless a name says *relative*),
durations milliseconds, amounts minor units. Defaults are those of DEF-RISE-C, DEF-RISE-S, G-LOAD
and G-PRESSURE.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

import msgspec

from streams.facts import Millis

Kind: TypeAlias = Literal[
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
Severity: TypeAlias = Literal["info", "warning", "critical"]
SubjectKind: TypeAlias = Literal["customer", "segment", "system"]
Window: TypeAlias = Literal["5m", "1h", "1d"]
Dimension: TypeAlias = Literal["queue", "channel", "team"]

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""From the least to the most."""
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnCustomer:
    """DEF-RISE-C: risk rose within 7 days, or crossed a level; and a fact of the last day is why.

    `rise_ppm` and `rise_logit_milli` must both be reached; or risk crosses `above_ppm`, which
    clears below `clear_ppm`. `explained_ppm` is the share of the rise that facts of the last 24 h
    must explain. Of customers with less than `value_min_minor` at stake nothing is told.
    """

    rise_ppm: int = 100_000
    rise_logit_milli: int = 500
    above_ppm: int = 600_000
    clear_ppm: int = 500_000
    explained_ppm: int = 500_000
    value_min_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fading:
    """A risk that rose as much with no fact to explain it: listed apart, told to nobody."""

    rise_ppm: int = 100_000
    rise_logit_milli: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnSegment:
    """DEF-RISE-S: the share of high-risk customers among those in contact, against its history.

    The lower bound of the rise (Newcombe) must exceed `rise_ppm` with `sample_min` customers on
    both sides, Page-Hinkley with allowance `drift_ppm` and threshold `drift_threshold_ppm` must
    agree, and Benjamini-Hochberg over all segments at `false_discovery_ppm` must leave it.
    """

    window: Window = "1h"
    sample_min: int = 30
    rise_ppm: int = 30_000
    drift_ppm: int = 5_000
    drift_threshold_ppm: int = 100_000
    false_discovery_ppm: int = 50_000
    quiet_windows: int = 2
    history_days: int = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueDrop:
    """Revenue per contact (DEF-RPC, live) fell by `relative_drop_ppm` of what is usual, or more.

    By its interval (DEF-RPC-CI): nothing is said of fewer than `sample_min` contacts.
    """

    window: Window = "1h"
    sample_min: int = 30
    relative_drop_ppm: int = 250_000
    false_discovery_ppm: int = 50_000
    quiet_windows: int = 2
    history_days: int = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """G-PRESSURE: sales per contact up while refunds are up, CSAT down or risk up, by their CI."""

    window: Window = "1d"
    sample_min: int = 30
    quiet_windows: int = 1
    history_days: int = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """More work than a segment can take: waits rose to a multiple of what is usual.

    `relative_wait_ppm` is the multiple (2,000,000: twice), `abandon_rise_ppm` the rise of the share
    that gave up waiting; either one, by its interval.
    """

    window: Window = "5m"
    sample_min: int = 30
    relative_wait_ppm: int = 2_000_000
    abandon_rise_ppm: int = 50_000
    false_discovery_ppm: int = 50_000
    quiet_windows: int = 2
    history_days: int = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class UnattributedShare:
    """Net revenue that no contact earned: its share moved up by `rise_ppm`, or is above a level."""

    window: Window = "1d"
    sample_min: int = 30
    rise_ppm: int = 100_000
    above_ppm: int | None = None
    quiet_windows: int = 1
    history_days: int = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLate:
    """Nothing new came from a source partition for so long, by the log's time."""

    late_ms: int = 15 * MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationFailure:
    """The auditor found a law that does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedOpportunity:
    """The share of offers missed (memo M4) rose by `rise_ppm`; nothing is said of too few."""

    window: Window = "1d"
    sample_min: int = 30
    rise_ppm: int = 100_000
    quiet_windows: int = 1
    history_days: int = 28


When: TypeAlias = (
    ChurnCustomer
    | ChurnSegment
    | RevenueDrop
    | Pressure
    | Overload
    | UnattributedShare
    | DataLate
    | ReconciliationFailure
    | MissedOpportunity
    | Fading
)
KINDS: Final[Mapping[Kind, type[When]]] = {
    "churn_customer": ChurnCustomer,
    "churn_segment": ChurnSegment,
    "revenue_drop": RevenueDrop,
    "pressure": Pressure,
    "overload": Overload,
    "unattributed_share": UnattributedShare,
    "data_late": DataLate,
    "reconciliation_failure": ReconciliationFailure,
    "missed_opportunity": MissedOpportunity,
    "fading": Fading,
}
SUBJECTS: Final[Mapping[Kind, SubjectKind]] = {
    "churn_customer": "customer",
    "fading": "customer",
    "data_late": "system",
    "reconciliation_failure": "system",
}
"""What a kind speaks of; all others of a segment."""
_KIND_OF: Final = {when: kind for kind, when in KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours in which people are left alone, as minutes of the local day: [start, end).

    `end` may be earlier than `start`: the hours then go over midnight.
    """

    start_minute: int
    end_minute: int
    zone: str

    def until(self, at: Millis) -> Millis | None:
        """Return when the quiet hours end that an instant falls into; None if it falls into none.

        On a day on which the clocks change they end at the wall clock's end.
        """
        zone = ZoneInfo(self.zone)
        local = (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)
        minute = local.hour * 60 + local.minute
        over_midnight = self.end_minute <= self.start_minute
        if over_midnight:
            inside = minute >= self.start_minute or minute < self.end_minute
        else:
            inside = self.start_minute <= minute < self.end_minute
        if not inside:
            return None
        day = local.date()
        if over_midnight and minute >= self.start_minute:
            day += timedelta(days=1)
        hour, minute = divmod(self.end_minute, 60)
        end = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        return (end.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule: when it holds (`when` says which kind), and what is done about it.

    `only` narrows a rule to segments or customers' last segments: a dimension and the values that
    count (none: all). `by` are the dimensions its segments are made of. A condition must hold for
    `for_ms` before it is told, must not hold for `clear_after_ms` before it counts as over (both in
    event time), and of one subject a rule tells at most once in `cooldown_ms`. In quiet hours an
    alert is recorded and delivered afterwards, unless `breaks_quiet`.
    """

    name: str
    when: When
    severity: Severity = "warning"
    routes: tuple[str, ...] = ()
    by: tuple[Dimension, ...] = ("queue",)
    only: tuple[tuple[Dimension, tuple[str, ...]], ...] = ()
    cooldown_ms: int = DAY_MS
    for_ms: int = 0
    clear_after_ms: int = 0
    quiet: Quiet | None = None
    breaks_quiet: bool = False

    @property
    def kind(self) -> Kind:
        """What kind of rule it is."""
        return _KIND_OF[type(self.when)]

    @property
    def subject_kind(self) -> SubjectKind:
        """What it speaks of."""
        return SUBJECTS.get(self.kind, "segment")

    def covers(self, place: Mapping[str, str]) -> bool:
        """Say whether a segment, given as dimension to value, is one the rule is about."""
        return all(place.get(name, "") in values for name, values in self.only)


@dataclass(frozen=True, kw_only=True)
class AlertRules:
    """All rules, in the order they are written; names differ."""

    rules: tuple[AlertRule, ...]

    def of(self, kind: Kind) -> tuple[AlertRule, ...]:
        """Return the rules of a kind."""
        return self._by_kind.get(kind, ())

    def get(self, name: str) -> AlertRule | None:
        """Return the rule of that name, if there still is one."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> Mapping[str, AlertRule]:
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def _by_kind(self) -> Mapping[Kind, tuple[AlertRule, ...]]:
        return {kind: tuple(r for r in self.rules if r.kind == kind) for kind in KINDS}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change with anything that decides whether something is told."""
        said = [{"kind": rule.kind, **asdict(rule)} for rule in self.rules]
        return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:12]


def segment_subject(segment: Mapping[str, str], by: Iterable[Dimension]) -> str:
    """Return a segment's name as a subject: `queue=billing;channel=chat`, in the order of `by`."""
    return ";".join(f"{name}={segment.get(name, '')}" for name in by)


WEEK_MS: Final = 7 * DAY_MS
DEFAULTS: Final = AlertRules(
    rules=(
        AlertRule(name="churn-customer", when=ChurnCustomer(), cooldown_ms=WEEK_MS),
        AlertRule(name="churn-segment", when=ChurnSegment()),
        AlertRule(name="revenue-drop", when=RevenueDrop()),
        AlertRule(name="pressure", when=Pressure()),
        AlertRule(name="overload", when=Overload(), cooldown_ms=2 * HOUR_MS),
        AlertRule(name="unattributed-share", when=UnattributedShare(), severity="info"),
        AlertRule(
            name="data-late",
            when=DataLate(),
            severity="critical",
            cooldown_ms=HOUR_MS,
            breaks_quiet=True,
        ),
        AlertRule(
            name="reconciliation-failure",
            when=ReconciliationFailure(),
            severity="critical",
            cooldown_ms=0,
            breaks_quiet=True,
        ),
        AlertRule(name="missed-opportunity", when=MissedOpportunity(), severity="info"),
        AlertRule(name="fading", when=Fading(), severity="info", cooldown_ms=WEEK_MS),
    )
)
"""The rules where nobody has written any: all kinds, no route."""
