"""The live board's figures: each with its small history, all from the statement and the cohorts.

Law: a headline's value is the statement's or the cohort's own, never worked out a second way;
only the histories are asked for by day, and they too add up from the same entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from pnl.reports.accrual import TERM_LENGTH, Days, earned_between, earned_days, spread_entries
from pnl.reports.contacts import half_width, per
from pnl.reports.memo import ppm
from pnl.reports.model import DayPoint, Headline, Headlines, Scope, Statement
from pnl.reports.period import date_of, day_number, first_instant, local_date
from pnl.reports.sql import (
    Queryable,
    Row,
    Where,
    bounds_of,
    filtered,
    in_currency,
    in_ledger_during,
)
from processors.policy import Policy
from processors.results import NET, ORPHAN, UNATTRIBUTED
from processors.statement import BOOKED_NAMES, LINES
from streams.facts import Millis

HISTORY_DAYS: Final = 30
CLOSING: Final = timedelta(hours=24)
"""A period closes this long after its end (DEF-CLOSE)."""

_REVENUE: Final = [line.line for line in LINES if line.total == "A"]


@dataclass(frozen=True, slots=True)
class _DaySums:
    revenue: int = 0
    result: int = 0
    unattributed: int = 0
    net: int = 0


def headlines(
    store: Queryable, policy: Policy, statement: Statement, points: Sequence[DayPoint]
) -> Headlines:
    """Return the figures of a statement's scope; `points` are the same scope's days."""
    scope, as_of = statement.scope, statement.as_of
    days = history(scope, as_of, policy)
    sums = _day_sums(store, policy, scope, as_of, days)
    by_day = {point.day: point for point in points}
    result = statement.total("booked_result")
    return Headlines(
        scope=scope,
        as_of=as_of,
        provisional=is_provisional(scope, as_of, policy),
        net_revenue=Headline(
            name="net_revenue",
            title="Net revenue influenced",
            definition="A",
            unit="amount_minor",
            value=statement.total("A"),
            days=days,
            series=tuple(sums[day].revenue for day in days),
        ),
        booked_result=Headline(
            name="booked_result",
            title="Booked operating result",
            definition="A + B + C",
            unit="amount_minor",
            value=result,
            days=days,
            series=tuple(sums[day].result for day in days),
            below=ppm(result, statement.total("A")),
            below_title="of net revenue influenced",
        ),
        revenue_per_contact=_revenue_per_contact(days, points, by_day),
        cost_per_contact=_cost_per_contact(statement, days, points, by_day),
        unattributed=Headline(
            name="unattributed",
            title="Unattributed revenue",
            definition="M1 / M2",
            unit="ppm",
            value=ppm(statement.memo_value("M1") or 0, statement.memo_value("M2") or 0),
            days=days,
            series=tuple(ppm(sums[day].unattributed, sums[day].net) for day in days),
            below=statement.memo_value("M1"),
            below_title="unattributed",
        ),
        unidentified=_unidentified(days, points, by_day),
    )


def history(scope: Scope, as_of: Millis | None, policy: Policy) -> tuple[date, ...]:
    """Return the last local days of a scope up to *as of*, oldest first."""
    if as_of is None:
        return ()
    last = local_date(as_of, policy.zone)
    if scope.end is not None:
        last = min(last, scope.end - timedelta(days=1))
    first = last - timedelta(days=HISTORY_DAYS - 1)
    if scope.start is not None:
        first = max(first, scope.start)
    return tuple(date_of(day) for day in range(day_number(first), day_number(last) + 1))


def is_provisional(scope: Scope, as_of: Millis | None, policy: Policy) -> bool:
    """Say whether facts of the scope's period are still awaited (DEF-CLOSE)."""
    if scope.end is None or as_of is None:
        return True
    closes = first_instant(scope.end, policy.zone) + CLOSING // timedelta(milliseconds=1)
    return as_of < closes


def _revenue_per_contact(
    days: Sequence[date], points: Sequence[DayPoint], by_day: dict[date, DayPoint]
) -> Headline:
    handled = sum(point.handled for point in points)
    total = sum(point.net_credit_minor for point in points)
    squares = sum(point.square_sum for point in points)
    return Headline(
        name="revenue_per_contact",
        title="Revenue per handled contact",
        definition="DEF-RPC",
        unit="amount_minor",
        value=per(total, handled),
        days=tuple(days),
        series=tuple(
            by_day[day].revenue_per_contact_minor if day in by_day else None for day in days
        ),
        ci_minor=half_width(handled, total, squares),
        matured_ppm=ppm(sum(point.matured for point in points), handled),
    )


def _cost_per_contact(
    statement: Statement,
    days: Sequence[date],
    points: Sequence[DayPoint],
    by_day: dict[date, DayPoint],
) -> Headline:
    handled = sum(point.handled for point in points)
    cost = -statement.total("C")
    overhead = -statement.line("C5").amount_minor
    return Headline(
        name="cost_per_contact",
        title="Cost per handled contact",
        definition="KPI-CPC",
        unit="amount_minor",
        value=per(cost - overhead, handled),
        days=tuple(days),
        series=tuple(by_day[day].cost_per_contact_minor if day in by_day else None for day in days),
        below=per(cost, handled),
        below_title="with overhead",
    )


def _unidentified(
    days: Sequence[date], points: Sequence[DayPoint], by_day: dict[date, DayPoint]
) -> Headline:
    chains = sum(point.chains for point in points)
    unidentified = sum(point.unidentified for point in points)
    return Headline(
        name="unidentified",
        title="Unidentified contacts",
        definition="DEF-UNIDENT",
        unit="ppm",
        value=ppm(unidentified, chains),
        days=tuple(days),
        series=tuple(
            ppm(by_day[day].unidentified, by_day[day].chains) if day in by_day else None
            for day in days
        ),
        below=unidentified,
        below_title="contacts without a customer",
    )


def _day_sums(
    store: Queryable,
    policy: Policy,
    scope: Scope,
    as_of: Millis | None,
    days: Sequence[date],
) -> dict[date, _DaySums]:
    if not days:
        return {}
    filters = filtered(Where(), scope)
    plain = _plain_days(store, policy, scope, days, filters)
    terms = _term_days(store, scope, days, earned_days(scope, as_of, policy), filters)
    sums = {}
    for day in days:
        own = plain.get(day, {})
        earned = terms.get(day, {})
        sums[day] = _DaySums(
            revenue=own.get("revenue", 0) + earned.get("revenue", 0),
            result=own.get("result", 0) + earned.get("result", 0),
            unattributed=own.get("lost", 0),
            net=-own.get("net", 0),
        )
    return sums


def _plain_days(
    store: Queryable, policy: Policy, scope: Scope, days: Sequence[date], filters: Where
) -> dict[date, Row]:
    bounds = bounds_of(days[0], days[-1] + timedelta(days=1), policy.zone)
    where = in_ledger_during(in_currency(Where(), scope.currency), bounds)
    amount = "toInt128(amount_minor)"
    sql = (
        "SELECT toDate32(toTimeZone(effective_at, {zone:String})) AS day,"
        f" sumIf({amount}, has({{revenue:Array(String)}}, line) AND {filters}) AS revenue,"
        f" sumIf({amount}, has({{lines:Array(String)}}, line) AND {filters}) AS result,"
        f" sumIf({amount}, has({{lost:Array(String)}}, line)) AS lost,"
        f" sumIf({amount}, line = {{net:String}}) AS net"
        f" FROM v_ledger WHERE {where} AND term_start IS NULL GROUP BY day"
    )
    parameters = {
        **where.parameters,
        **filters.parameters,
        "zone": policy.timezone,
        "revenue": _REVENUE,
        "lines": list(BOOKED_NAMES),
        "lost": [UNATTRIBUTED, ORPHAN],
        "net": NET,
    }
    return {row["day"]: row for row in store.query(sql, parameters)}


def _term_days(
    store: Queryable, scope: Scope, days: Sequence[date], earned_in: Days | None, filters: Where
) -> dict[date, Row]:
    """Return what spread amounts earn on each of the days that is over."""
    if earned_in is None:
        return {}
    where = in_currency(spread_entries(), scope.currency)
    earned = earned_between("toInt64(day_number)", "toInt64(day_number) + 1")
    sql = (
        f"WITH {TERM_LENGTH} AS days"
        f" SELECT day_number, sumIf({earned}, line != 'C5') AS revenue, sum({earned}) AS result"
        " FROM v_ledger ARRAY JOIN range({day_first:Int64}, {day_end:Int64}) AS day_number"
        f" WHERE {where} AND {filters} AND term_end > {{day_first:Int64}}"
        " AND ifNull(cut, assumeNotNull(term_start)) < {day_end:Int64} GROUP BY day_number"
    )
    parameters = {
        **where.parameters,
        **filters.parameters,
        "day_first": day_number(days[0]),
        "day_end": earned_in.end,
    }
    return {date_of(row["day_number"]): row for row in store.query(sql, parameters)}
