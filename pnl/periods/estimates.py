"""D1 and D2 of a month: estimated while it is open, trued up once it has matured (DEF-TRUEUP).

Law: a closed month's estimate changes once, when what happened takes its place; every fact that
comes meanwhile would change it a little, and none of that is news. So a month's estimate is stated
under one id until it has matured and under another from then on, and the ledger tells which it is.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pnl.lifting.credits import estimated_lines
from pnl.lifting.from_store import rules_of
from pnl.periods.figures import Figures
from pnl.periods.names import Named
from pnl.reports.sql import Queryable
from processors.policy import Policy, PolicyBook
from processors.referral import Referring
from streams.facts import Millis, PeriodLine

LINES: Final = ("D1", "D2")
EARLY: Final = "early"
MATURE: Final = "mature"


def is_mature(period: Named, policy: Policy, as_of: Millis) -> bool:
    """Say whether all that retention looks at has passed for a month: W + H after its end."""
    rules = rules_of(policy)
    end = period.stretch(policy.zone)[1]
    return as_of >= end + rules.lookback_ms + rules.horizon_ms


def is_trued_up(booked: Iterable[str]) -> bool:
    """Say whether a month's facts, by their ids, hold what happened instead of an estimate."""
    return any(name.endswith(f"/{MATURE}") or f"/{MATURE}/" in name for name in booked)


def referring_of(policy: Policy) -> Referring | None:
    """Return what referrals are credited by (DEF-REF); None while their share is not known."""
    if policy.referral_theta_ppm is None:
        return None
    return Referring(
        theta_ppm=policy.referral_theta_ppm,
        theta_error_ppm=policy.referral_theta_error_ppm,
        cap_minor=policy.referral_cap_minor,
    )


def estimate_figures(store: Queryable, rules: PolicyBook, period: Named, as_of: Millis) -> Figures:
    """Return D1 and D2 of a month that is over; a line that cannot be known is not there."""
    policy = rules.newest
    start, end = period.stretch(policy.zone)
    stage = MATURE if is_mature(period, policy, as_of) else EARLY
    lines: Mapping[str, tuple[PeriodLine, ...]] = estimated_lines(
        store, policy, as_of, start, end, referring_of(policy)
    )
    return {f"{period.name}/{line}/{stage}": part for line, part in lines.items()}
