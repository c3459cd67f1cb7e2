"""Rules of alerts: what is worth telling, how loudly, how often, to whom.

Law: a rule is a value. What decides whether something is told stands in it in full, so it can be
said by which rules an alert was raised (`AlertRules.version`), and the same facts under the same
rules tell the same.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

import msgspec

from processors.conditions import DAY_MS, HOUR_MS, Condition, RuleKind, Thresholds
from processors.signal_records import Severity
from streams.facts import Millis

Dimension: TypeAlias = Literal["queue", "channel", "team"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
WEEK_MS: Final = 7 * DAY_MS
HORIZON_MS: Final = 90 * DAY_MS
"""That of the risk, by default: then it has shown whether the customer stayed (DEF-RISK)."""

KINDS: Final[tuple[RuleKind, ...]] = get_args(RuleKind)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""From the least to the most."""
_OF_CUSTOMERS: Final[tuple[Dimension, ...]] = ("queue", "channel", "team")
NARROWED: Final[Mapping[RuleKind, tuple[Dimension, ...]]] = {
    "churn_customer": _OF_CUSTOMERS,
    "fading": _OF_CUSTOMERS,
    "churn_segment": ("queue",),
    "revenue_drop": ("queue",),
    "pressure": ("queue",),
    "overload": ("queue",),
    "missed_opportunity": ("queue",),
    "unattributed_share": (),
    "data_late": (),
    "reconciliation_failure": (),
}
"""By what a rule of a kind can be narrowed: its subjects have no other dimension."""
THRESHOLDS: Final[Mapping[RuleKind, tuple[str, ...]]] = {
    "churn_customer": ("rise_ppm", "rise_logit_milli", "high_ppm", "clear_ppm", "explained_ppm"),
    "fading": (),
    "churn_segment": ("segment_low_ppm", "drift_ppm", "drift_threshold_ppm"),
    "revenue_drop": ("revenue_drop_ppm",),
    "pressure": (),
    "overload": ("wait_factor_milli", "resolution_drop_ppm"),
    "unattributed_share": ("unattributed_move_ppm",),
    "missed_opportunity": ("missed_rise_ppm",),
    "data_late": ("late_ms", "silence_expected"),
    "reconciliation_failure": (),
}
"""The fields of `Thresholds` that belong to a kind alone; the others hold for all."""
ON_CHANGE: Final[frozenset[RuleKind]] = frozenset(
    {"churn_customer", "fading", "data_late", "reconciliation_failure"}
)
"""Kinds whose conditions are told when they change, not again and again: how long one has held or
not held is not looked at in between, so a rule of theirs may not wait for it."""
THRESHOLDS_DEFAULT: Final = Thresholds()
LISTED_ONLY: Final[frozenset[RuleKind]] = frozenset({"fading"})
"""Kinds that are listed apart: nobody has to look after them."""


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
    """One rule: which conditions it takes, and what is done about them.

    `only` narrows it to segments, a customer counting to that of their last contact: a dimension
    and the values that count. What has less at stake than `value_min_minor` is not told; what is
    not known is. A condition must hold for `for_ms` before it is told, and must not hold for
    `clear_after_ms` before it counts as over (both in event time), and of one subject a rule tells
    at most once in `cooldown_ms`. An open alert of whose subject nothing was heard for `expire_ms`
    ends; 0 is never. In quiet hours an alert is recorded and delivered afterwards,
    unless `breaks_quiet`.
    """

    name: str
    kind: RuleKind
    severity: Severity = "warning"
    routes: tuple[str, ...] = ()
    only: tuple[tuple[Dimension, tuple[str, ...]], ...] = ()
    value_min_minor: int = 0
    cooldown_ms: int = DAY_MS
    expire_ms: int = 28 * DAY_MS
    for_ms: int = 0
    clear_after_ms: int = 0
    quiet: Quiet | None = None
    breaks_quiet: bool = False

    def takes(self, condition: Condition) -> bool:
        """Say whether a condition of its kind is one it is about."""
        if condition.value_minor is not None and condition.value_minor < self.value_min_minor:
            return False
        if not self.only:
            return True
        of_customer = condition.subject_kind == "customer"
        where = condition.segment if of_customer else condition.subject
        place = dict(part.partition("=")[::2] for part in where.split(";"))
        return all(place.get(name, "") in values for name, values in self.only)


@dataclass(frozen=True, kw_only=True)
class AlertRules:
    """All rules, in the order they are written, names differing; and from where on a thing is so.

    Thresholds belong to a kind, not to a rule: a thing is so or is not, whoever is told.
    """

    rules: tuple[AlertRule, ...]
    thresholds: Thresholds = THRESHOLDS_DEFAULT

    def of(self, kind: RuleKind) -> tuple[AlertRule, ...]:
        """Return the rules of a kind."""
        return self._by_kind[kind]

    def get(self, name: str) -> AlertRule | None:
        """Return the rule of that name, if there still is one."""
        return self._by_name.get(name)

    def expire_ms(self, kind: RuleKind) -> Millis:
        """Return after how long without news nothing of a kind is open any more; 0 is never."""
        spans = [rule.expire_ms for rule in self._by_kind[kind]] or [HORIZON_MS]
        return max(spans) if all(spans) else 0

    @cached_property
    def cooldown_ms(self) -> Millis:
        """The longest cool-down: so long what is cleared has to be remembered."""
        return max((rule.cooldown_ms for rule in self.rules), default=0)

    @cached_property
    def _by_name(self) -> Mapping[str, AlertRule]:
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def _by_kind(self) -> Mapping[RuleKind, tuple[AlertRule, ...]]:
        return {kind: tuple(r for r in self.rules if r.kind == kind) for kind in KINDS}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change with anything that decides whether something is told."""
        said = msgspec.json.encode((self.rules, self.thresholds), order="sorted")
        return hashlib.sha256(said).hexdigest()[:12]


DEFAULTS: Final = AlertRules(
    rules=(
        AlertRule(
            name="churn-customer",
            kind="churn_customer",
            cooldown_ms=WEEK_MS,
            expire_ms=HORIZON_MS,
        ),
        AlertRule(name="churn-segment", kind="churn_segment"),
        AlertRule(name="revenue-drop", kind="revenue_drop"),
        AlertRule(name="pressure", kind="pressure"),
        AlertRule(name="overload", kind="overload", cooldown_ms=2 * HOUR_MS),
        AlertRule(name="unattributed-share", kind="unattributed_share", severity="info"),
        AlertRule(name="missed-opportunity", kind="missed_opportunity", severity="info"),
        AlertRule(
            name="data-late",
            kind="data_late",
            severity="critical",
            cooldown_ms=HOUR_MS,
            expire_ms=0,
            breaks_quiet=True,
        ),
        AlertRule(
            name="reconciliation-failure",
            kind="reconciliation_failure",
            severity="critical",
            cooldown_ms=0,
            expire_ms=0,
            breaks_quiet=True,
        ),
        AlertRule(
            name="fading",
            kind="fading",
            severity="info",
            cooldown_ms=WEEK_MS,
            expire_ms=HORIZON_MS,
        ),
    )
)
"""The rules where nobody has written any: all kinds, no route."""
