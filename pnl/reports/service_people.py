"""How many agents there are, who is seen no more, and what leaving cost, by time (KPI-ATTR)."""

from collections.abc import Mapping, Sequence
from typing import Final

from pnl.reports.grouping import Key, keyed, last_day, local_day, times_of
from pnl.reports.period import date_of, day_number, local_date
from pnl.reports.service_counts import NOT_CONTROL
from pnl.reports.sheet import Asking
from pnl.reports.sql import Where, bounds_of, during
from processors.attrition import Seen, turnover

_LEFT_KIND: Final = "attrition"


def people(
    asking: Asking, keys: Sequence[Key], absent_days: int
) -> Mapping[Key, Mapping[str, float | None]]:
    """Return `agents`, `headcount`, `gone`, `yearly` and `left_cost` of the times asked for."""
    if asking.as_of is None:
        return {}
    seen = _seen(asking)
    if not seen:
        return {}
    today = day_number(local_date(asking.as_of, asking.policy.zone))
    scope = asking.scope
    start = min(each.first for each in seen) if scope.start is None else day_number(scope.start)
    end = today + 1 if scope.end is None else day_number(scope.end)
    found: dict[Key, Mapping[str, float | None]] = {}
    for key in keys:
        first, after = start, end
        for name, value in zip(times_of(asking.by), key, strict=True):
            assert not isinstance(value, str)
            first = max(first, day_number(value))
            after = min(after, day_number(last_day(name, value)))
        each = turnover(seen, first, after, today, absent_days)
        found[key] = {
            "agents": each.agents,
            "headcount": each.headcount,
            "gone": each.gone,
            "yearly": each.yearly_ppm,
            "left_cost": _cost(asking, first, after),
        }
    return found


def _seen(asking: Asking) -> list[Seen]:
    """Return every agent's months, whatever the range: who left is known from what came after."""
    day = local_day("connected")
    rows = asking.store.query(
        f"SELECT agent, toInt32(toDate32(toStartOfMonth({day}))) AS month,"
        f" toInt32(min({day})) AS first, toInt32(max({day})) AS last FROM v_contacts"
        " ARRAY JOIN leg_agents AS agent, leg_connected_at AS connected"
        f" WHERE {NOT_CONTROL} AND agent != '' AND connected IS NOT NULL GROUP BY agent, month",
        {"zone": asking.policy.timezone},
    )
    return [Seen(row["agent"], row["month"], row["first"], row["last"]) for row in rows]


def _cost(asking: Asking, first: int, after: int) -> int:
    bounds = bounds_of(date_of(first), date_of(after), asking.policy.zone)
    where = during(Where(), "occurred_at", bounds).also(
        "kind = {left_kind:String} AND currency = {currency:String}",
        left_kind=_LEFT_KIND,
        currency=asking.scope.currency,
    )
    rows = asking.store.query(
        f"SELECT sum(toInt128(amount_minor)) AS spent FROM v_costs WHERE {where}",
        where.parameters,
    )
    return int(keyed((), rows)[()]["spent"])
