"""The rules a statement is made by: frozen configuration, dated, with a version entries record.

Law: an entry is made by the policy of its own date, whenever it is booked: so the order in which
facts arrive does not matter (I4), and a rule that changes from a date on leaves what is before it.

Rates are minor units of the reporting currency per hour; shares are parts per million; times are
milliseconds. The program builds a `PolicyBook` from settings; processors only read it.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from streams.facts import Millis

Model: TypeAlias = Literal["last", "first", "linear", "position", "time_decay"]
MODELS: Final[tuple[Model, ...]] = ("last", "first", "linear", "position", "time_decay")

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000


OUR_RULES: Final = 2
"""Counts changes of what we book under equal settings: what a former program booked is then
known to be of other rules, not taken for wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a contact is charged: per started increment of talk, per case, or flat per chain.

    `per_term` is flat too, and earned over `term_days` local days from the chain's end on.
    """

    kind: Literal["per_minute", "per_event", "flat", "per_term"]
    per_hour_minor: int = 0
    minimum_ms: int = 0
    increment_ms: int = 1
    amount_minor: int = 0
    term_days: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRate:
    """What a channel costs: per chain, and per minute of talk and hold of each leg."""

    per_contact_minor: int = 0
    per_minute_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything that decides an amount besides the facts."""

    timezone: str = "Europe/London"
    currency: str = "GBP"
    model: Model = "last"
    lookback_ms: int = 30 * DAY_MS
    lookback_ms_by_class: Mapping[str, int] = field(default_factory=dict)
    unlinked: Literal["newest_first", "orphan"] = "newest_first"
    horizon_ms: int = 400 * DAY_MS
    first_contact_resolution_ms: int = 7 * DAY_MS
    loaded_per_hour_minor: int = 3000
    loaded_per_hour_minor_by_queue: Mapping[str, int] = field(default_factory=dict)
    loaded_per_hour_minor_by_agent: Mapping[str, int] = field(default_factory=dict)
    margin_ppm: int = 400_000
    margin_ppm_by_class: Mapping[str, int] = field(default_factory=dict)
    tariffs: Mapping[str, Tariff] = field(default_factory=dict)
    channels: Mapping[str, ChannelRate] = field(default_factory=dict)
    acquisition_cost_minor: int | None = None
    """What a new customer costs to win: shown beside a loss, in no entry and so in no version."""
    referral_theta_ppm: int | None = None
    """The share of referrals that contacts cause; None: nobody knows, and D2 is unknown."""
    referral_theta_error_ppm: int = 0
    referral_cap_minor: int = 0

    def lookback_of(self, product_class: str) -> int:
        """Return how long before an order a contact can earn credit, in milliseconds (DEF-W)."""
        return self.lookback_ms_by_class.get(product_class, self.lookback_ms)

    @cached_property
    def lookback_ms_max(self) -> int:
        """The longest lookback of any product class: a chain is mature this long after its end."""
        return max(self.lookback_of("product"), self.lookback_of("upgrade"))

    @cached_property
    def zone(self) -> ZoneInfo:
        """The reporting time zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def version(self) -> str:
        """A short hash of the rules, ours included: equal rules have equal versions."""
        plain = {"our_rules": OUR_RULES} | {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in sorted(self.__dict__.items())
            if name in self.__dataclass_fields__ and name not in UNBOOKED
        }
        return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()[:12]


UNBOOKED: Final = (
    *("acquisition_cost_minor", "referral_theta_ppm"),
    *("referral_theta_error_ppm", "referral_cap_minor"),
)
"""What decides no entry but estimates, and so has no part in a version."""
UNDATED: Final = ("timezone", "currency", "horizon_ms", "first_contact_resolution_ms")
"""What is the same at all dates: where days begin, whose money it is, what is remembered."""

BEGINNING: Final[Millis] = -(2**62)
"""Before every moment."""


@dataclass(frozen=True, slots=True)
class DatedPolicy:
    """The policy of the dates from `since` on."""

    since: Millis
    policy: Policy


@dataclass(frozen=True)
class PolicyBook:
    """The policies of all dates: the first one, and those that took its place one after another.

    ValueError for changes that are not in order of time, and for what may not change with it.
    """

    first: Policy = field(default_factory=Policy)
    changes: tuple[DatedPolicy, ...] = ()

    def __post_init__(self) -> None:
        for name in UNDATED:
            if any(getattr(x.policy, name) != getattr(self.first, name) for x in self.changes):
                raise ValueError(f"{name} is the same at all dates")
        if list(self._starts) != sorted(set(self._starts)):
            raise ValueError("changes are listed in order of time, each moment once")

    @cached_property
    def _starts(self) -> tuple[Millis, ...]:
        return tuple([change.since for change in self.changes])

    @cached_property
    def _policies(self) -> tuple[Policy, ...]:
        return self.first, *[change.policy for change in self.changes]

    def at(self, moment: Millis) -> Policy:
        """Return the policy of a moment."""
        if not self.changes:
            return self.first
        return self._policies[bisect_right(self._starts, moment)]

    @property
    def newest(self) -> Policy:
        """The policy of the latest dates: for whoever asks about no date."""
        return self._policies[-1]

    @cached_property
    def versions(self) -> tuple[tuple[Millis, str], ...]:
        """From when on which policy, by its version."""
        starts = (BEGINNING, *self._starts)
        return tuple((at, each.version) for at, each in zip(starts, self._policies, strict=True))

    @cached_property
    def version(self) -> str:
        """A short hash of all of it: equal books have equal versions, one policy has its own."""
        if not self.changes:
            return self.first.version
        return hashlib.sha256(msgspec.json.encode(self.versions)).hexdigest()[:12]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The reporting time zone."""
        return self.first.zone

    @cached_property
    def currency(self) -> str:
        """The reporting currency."""
        return self.first.currency

    @cached_property
    def horizon_ms(self) -> int:
        """How long a customer's facts are remembered."""
        return self.first.horizon_ms

    @cached_property
    def first_contact_resolution_ms(self) -> int:
        """How long after a case was resolved a contact opens it again."""
        return self.first.first_contact_resolution_ms

    @cached_property
    def lookback_ms_max(self) -> int:
        """The longest lookback of any class at any date: nothing older can earn credit."""
        return max([policy.lookback_ms_max for policy in self._policies])

    def matures_at(self, ended_at: Millis) -> Millis:
        """Return from when on no order can credit a chain that ended then (DEF-MATURE).

        An order looks back as far as its own date allows, so that is the last moment from which
        one still reaches the chain.
        """
        if not self.changes:
            return ended_at + self.first.lookback_ms_max
        starts, policies, latest = self._starts, self._policies, ended_at
        for place in range(bisect_right(starts, ended_at), len(policies)):
            since = starts[place - 1] if place else BEGINNING
            if since > ended_at + self.lookback_ms_max:
                break
            reach = ended_at + policies[place].lookback_ms_max
            if reach >= since:
                until = starts[place] if place < len(starts) else reach
                latest = max(latest, min(reach, until))
        return latest

    def differs_from(self, other: "PolicyBook") -> Millis | None:
        """Return the first moment of which the two books say something else; None: they agree."""
        for moment in sorted({BEGINNING, *self._starts, *other._starts}):  # noqa: SLF001
            if self.at(moment).version != other.at(moment).version:
                return moment
        return None


Policies: TypeAlias = Policy | PolicyBook
"""A policy alone stands for a book in which it is that of all dates."""


def book_of(rules: Policies, changes: Iterable[DatedPolicy] = ()) -> PolicyBook:
    """Return the book of a policy and what changes it; what changes nothing is left out."""
    if isinstance(rules, PolicyBook):
        return rules
    kept: list[DatedPolicy] = []
    for change in changes:
        if change.policy != (kept[-1].policy if kept else rules):
            kept.append(change)
    return PolicyBook(rules, tuple(kept))
