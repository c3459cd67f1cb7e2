"""What `pnl whatif` measures in the store: hours with their load, what followed, fees and prices.

Law: an hour counts with all contacts that came in it, over the time of everybody who was paid to
be there; hours with contacts and nobody at work are left out and counted. A customer's orders
count once: only first contacts, with none shortly before, say what contacts are worth.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pnl.reports.cohort import chains_of
from pnl.reports.occupancy import shifts
from pnl.reports.service_counts import NOT_CONTROL
from pnl.reports.sheet import Asking
from pnl.reports.sql import Bounds, Where, during, instant
from processors.money import PPM
from processors.policy import HOUR_MS
from processors.whatif import Hours, PriceLevel, Worth

CLASSES: Final = 5
"""Answered within T, 3 T, 9 T, later, given up."""
GOODS: Final = ("product", "upgrade")
"""The classes whose margin is the worth of a contact."""
_FLAT_LINES: Final = ("A2a", "A2c")

_CLASS: Final = (
    "multiIf(abandoned, 4, wait_ms <= {within:Int64}, 0, wait_ms <= 3 * {within:Int64}, 1,"
    " wait_ms <= 9 * {within:Int64}, 2, 3)"
)
_CAME: Final = (
    f"direction = 'inbound' AND (handled OR abandoned) AND {NOT_CONTROL}"
    " AND disposition_code != 'self_service'"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the store tells: the hours, what each class is worth, and what the shifts cost.

    `left_out` counts contacts of hours in which nobody was paid to be there.
    """

    hours: Hours
    worth: tuple[Worth, ...]
    payroll_minor: int
    left_out: int


def measured(asking: Asking, within_ms: int, follow_ms: int) -> Measured | None:
    """Return what was measured in a scope; None without any hour that had people at work."""
    paid, payroll = _paid(asking)
    came, left_out = _came(asking, within_ms, follow_ms), 0
    rows = []
    for hour, row in came.items():
        if paid.get(hour, 0) > 0:
            rows.append((paid[hour], row))
        else:
            left_out += row["n"]
    if not rows:
        return None
    handled = sum(row["handled_n"] for _, row in rows)
    mean_ms = sum(row["handle_ms"] for _, row in rows) / max(1, handled)
    ended = np.array([row["ended"] for _, row in rows], dtype=np.float64)
    time = np.array([time_ms for time_ms, _ in rows], dtype=np.float64)
    hours = Hours(
        load=ended.sum(axis=1) * mean_ms / time,
        ended=ended,
        episodes=np.array([row["episodes"] for _, row in rows], dtype=np.float64),
    )
    return Measured(hours, _worth(asking, within_ms, follow_ms), payroll, left_out)


def _where(asking: Asking) -> Where:
    """Return the condition for contacts that waited in a queue of people.

    A channel in which nobody ever gave up, like mail, is not waited for.
    """
    where = chains_of(asking.scope, Bounds(None, None)).also(_CAME)
    return where.also("channel IN (SELECT DISTINCT channel FROM v_contacts WHERE abandoned)")


def _episodes(asking: Asking, within_ms: int, follow_ms: int) -> tuple[str, dict[str, object]]:
    """Return contacts with their class, and whether each is an episode.

    An episode has no contact of its customer within `follow_ms` before it: so no order follows
    two of them.
    Contacts outside the range and scope count here too.
    """
    where = during(_where(asking), "started_at", asking.bounds)
    earlier = (
        "SELECT *, identified AND (previous = 0 OR toUnixTimestamp64Milli(started_at) - previous"
        " > {follow:Int64}) AS is_episode FROM (SELECT *,"
        " lagInFrame(toUnixTimestamp64Milli(ended_at), 1, 0) OVER (PARTITION BY customer_id"
        " ORDER BY started_at, contact_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        f" AS previous FROM v_contacts WHERE (handled OR abandoned) AND {NOT_CONTROL})"
    )
    sql = f"SELECT *, {_CLASS} AS class FROM ({earlier}) WHERE {where}"
    more = {"follow": follow_ms, "within": within_ms}
    return sql, {**where.parameters, **more}


def _came(asking: Asking, within_ms: int, follow_ms: int) -> dict[int, dict[str, Any]]:
    """Return what came by hour: contacts by class, episodes, handled ones and their time."""
    contacts, parameters = _episodes(asking, within_ms, follow_ms)
    counts = ", ".join(f"countIf(class = {each})" for each in range(CLASSES))
    rows = asking.store.query(
        f"SELECT intDiv(toUnixTimestamp64Milli(started_at), {HOUR_MS}) AS hour, count() AS n,"
        f" [{counts}] AS ended, countIf(is_episode) AS episodes, countIf(handled) AS handled_n,"
        " sumIf(talk_ms + hold_ms + wrap_ms, handled) AS handle_ms"
        f" FROM ({contacts}) GROUP BY hour ORDER BY hour",
        parameters,
    )
    return {row["hour"]: row for row in rows}


def _paid(asking: Asking) -> tuple[dict[int, int], int]:
    """Return the time paid for by hour in milliseconds, and what the shifts cost (negative)."""
    stretches, parameters = shifts(asking.bounds)
    rows = asking.store.query(
        "SELECT hour, sum(least(to_ms, (hour + 1) * {step:Int64})"
        " - greatest(from_ms, hour * {step:Int64})) AS paid FROM"
        f" (SELECT from_ms, to_ms, hour FROM ({stretches}) ARRAY JOIN"
        " range(intDiv(from_ms, {step:Int64}), intDiv(to_ms - 1, {step:Int64}) + 1) AS hour)"
        " GROUP BY hour",
        {**parameters, "step": HOUR_MS},
    )
    where = during(Where(), "assumeNotNull(period_start)", asking.bounds)
    (cost,) = asking.store.query(
        "SELECT sum(toInt128(amount_minor)) AS spent FROM v_costs WHERE kind = 'payroll'"
        " AND agent_id != '' AND period_start IS NOT NULL AND period_end IS NOT NULL"
        " AND dateDiff('second', assumeNotNull(period_start), assumeNotNull(period_end)) <= 86400"
        f" AND currency = {{currency:String}} AND {where}",
        {**where.parameters, "currency": asking.scope.currency},
    )
    return {row["hour"]: row["paid"] for row in rows}, -int(cost["spent"])


def _worth(asking: Asking, within_ms: int, follow_ms: int) -> tuple[Worth, ...]:
    """Return what customers brought within `follow_ms` after episodes, by class.

    Standard margin on net revenue, in-contact sales with it. Episodes that are not mature are
    left out: their orders may still come.
    """
    contacts, parameters = _episodes(asking, within_ms, follow_ms)
    policy = asking.policy
    margins = [policy.margin_ppm_by_class.get(name, policy.margin_ppm) for name in GOODS]
    margin = "arraySum((n, c) -> n * transform(c, {goods:Array(String)}, {margins:Array(Int64)}, 0)"
    orders = (
        "SELECT customer_id, occurred_at,"
        f" {margin}, class_net_minor, arrayMap(c -> toString(c), classes)) / {PPM} AS brought"
        " FROM v_attributions WHERE currency = {currency:String}"
    )
    each = (
        "SELECT customer_id, contact_id, any(class) AS class, sumIf(brought,"
        " occurred_at >= started_at AND occurred_at <= ended_at"
        " + toIntervalMillisecond({follow:Int64})) AS brought"
        f" FROM (SELECT customer_id, contact_id, class, started_at, ended_at FROM ({contacts})"
        f" WHERE is_episode AND ended_at + toIntervalMillisecond({{follow:Int64}})"
        f" <= {instant('as_of')}) AS episodes LEFT JOIN ({orders}) AS orders"
        " USING (customer_id) GROUP BY customer_id, contact_id"
    )
    rows = asking.store.query(
        "SELECT class, count() AS n, sum(brought) AS total, sum(brought * brought) AS squares"
        f" FROM ({each}) GROUP BY class",
        {
            **parameters,
            "currency": asking.scope.currency,
            "goods": list(GOODS),
            "margins": margins,
            "as_of": asking.as_of or 0,
        },
    )
    found = {row["class"]: Worth(row["n"], row["total"], row["squares"]) for row in rows}
    return tuple(found.get(each, Worth(0, 0.0, 0.0)) for each in range(CLASSES))


@dataclass(frozen=True, slots=True)
class Fees:
    """The prices of one tariff, oldest first, and how many contacts were handled in the range."""

    tariff: str
    levels: tuple[PriceLevel, ...]
    handled: int


def fees(asking: Asking) -> tuple[Fees, ...]:
    """Return what fixed tariffs were charged at which price, and of how many contacts meanwhile.

    A fee by the minute is no price: its amount depends on how long one talked.
    """
    rows = asking.store.query(
        "SELECT tariff, price, count() AS charged, min(at) AS first, max(at) AS last FROM"
        " (SELECT tariff, contact_id, sum(toInt128(amount_minor)) AS price,"
        " min(effective_at) AS at FROM v_ledger WHERE line IN {lines:Array(String)}"
        " AND tariff != '' AND order_id = '' AND currency = {currency:String}"
        " GROUP BY tariff, contact_id HAVING price > 0) GROUP BY tariff, price ORDER BY first",
        {"lines": list(_FLAT_LINES), "currency": asking.scope.currency},
    )
    found: dict[str, list[PriceLevel]] = {}
    for row in rows:
        handled = _handled(asking, "ended_at >= {first:DateTime64(3)}", row)
        level = PriceLevel(int(row["price"]), row["charged"], max(handled, row["charged"]))
        found.setdefault(row["tariff"], []).append(level)
    where = chains_of(asking.scope, asking.bounds).also("handled")
    (count,) = asking.store.query(
        f"SELECT count() AS n FROM v_contacts WHERE {where}", where.parameters
    )
    return tuple(Fees(name, tuple(levels), count["n"]) for name, levels in found.items())


def _handled(asking: Asking, since: str, row: dict[str, Any]) -> int:
    (found,) = asking.store.query(
        f"SELECT count() AS n FROM v_contacts WHERE handled AND {since}"
        " AND ended_at <= {last:DateTime64(3)}",
        {"first": row["first"], "last": row["last"]},
    )
    return int(found["n"])
