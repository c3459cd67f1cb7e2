"""How occupied agents are: the clock of their contacts against the clock of their shifts.

Law (KPI-OCC): on-contact wall time / (on-contact + idle), both as lengths of unions, so two chats
at once are 100 % and not 200 %. A shift is a payroll cost of an agent for at most 24 hours; work
outside it counts as work. Idle time belongs to nobody's queue: a row by queue, channel or reason
is about all the time of the agents who served it. Days of agents without a shift are left out.

The store measures unions itself; `processors.intervals_of_time` says what they are, and the tests
hold the one against the other.
"""

from collections.abc import Callable
from typing import Final

from pnl.reports.grouping import TIMES, grouped, key_columns, keyed
from pnl.reports.model import CONTACT_DIMENSIONS
from pnl.reports.service_counts import NOT_CONTROL, Counts
from pnl.reports.sheet import Asking
from pnl.reports.sql import COLUMN_OF, Bounds, Where, during, filtered, instant

SHIFT_MS_MAX: Final = 86_400_000
"""A payroll cost for longer is a salary, not a shift."""

_LEG_DIMENSIONS: Final = ("queue", "agent_id")
_ARRAYS: Final = "leg_agents, leg_queues, leg_connected_at, leg_ended_at, leg_wrap_ms"


def on_contact(bounds: Bounds) -> tuple[str, dict[str, object]]:
    """Return a query of the stretches `from_ms`, `to_ms` in which legs kept their agents busy.

    With each stand the chain's dimensions, but the leg's own queue and agent.
    """
    # A contact that ended before the range may reach into it by its wrap-up.
    early = None if bounds.start is None else bounds.start - SHIFT_MS_MAX
    where = during(Where().also(NOT_CONTROL), "ended_at", Bounds(early, None))
    if bounds.end is not None:
        where = where.also(f"started_at < {instant('ending')}", ending=bounds.end)
    chain = ", ".join(
        COLUMN_OF[name] for name in CONTACT_DIMENSIONS if COLUMN_OF[name] not in _LEG_DIMENSIONS
    )
    sql = (
        f"SELECT {chain}, leg_queue AS queue, leg_agent AS agent_id,"
        " toUnixTimestamp64Milli(assumeNotNull(connected)) AS from_ms,"
        " toUnixTimestamp64Milli(ended) + wrap AS to_ms"
        f" FROM (SELECT {chain}, {_ARRAYS} FROM v_contacts WHERE {where})"
        " ARRAY JOIN leg_agents AS leg_agent, leg_queues AS leg_queue,"
        " leg_connected_at AS connected, leg_ended_at AS ended, leg_wrap_ms AS wrap"
        " WHERE leg_agent != '' AND connected IS NOT NULL"
    )
    return sql, dict(where.parameters)


def shifts(bounds: Bounds) -> tuple[str, dict[str, object]]:
    """Return a query of the stretches in which agents were paid to be there."""
    where = during(Where(), "assumeNotNull(period_end)", Bounds(bounds.start, None))
    where = during(where, "assumeNotNull(period_start)", Bounds(None, bounds.end))
    sql = (
        "SELECT agent_id, toUnixTimestamp64Milli(assumeNotNull(period_start)) AS from_ms,"
        " toUnixTimestamp64Milli(assumeNotNull(period_end)) AS to_ms FROM v_costs"
        " WHERE kind = 'payroll' AND agent_id != '' AND period_start IS NOT NULL"
        f" AND period_end IS NOT NULL AND to_ms - from_ms <= {SHIFT_MS_MAX} AND {where}"
    )
    return sql, dict(where.parameters)


def agent_spans(
    bounds: Bounds, span_of: Callable[[str], str], begin_of: Callable[[str], str]
) -> tuple[str, dict[str, object]]:
    """Return a query of agents' `busy_ms` and `paid_ms` by span, of spans with a shift.

    `span_of` gives the expression of the number of the span that an instant in milliseconds lies
    in, `begin_of` that of the instant at which a span begins. `paid_ms` is on-contact and idle
    time together: the union of shifts and contacts.
    """
    contacts, parameters = on_contact(bounds)
    paid, more = shifts(bounds)
    start = f"greatest(from_ms, {{low:Int64}}, {begin_of('span')})"
    end = f"least(to_ms, {{high:Int64}}, {begin_of('span + 1')})"
    each = f"range({span_of('from_ms')}, {span_of('to_ms - 1')} + 1)"
    sql = (
        "SELECT agent_id, span, intervalLengthSumIf(a, b, is_contact) AS busy_ms,"
        " intervalLengthSum(a, b) AS paid_ms FROM ("
        f"SELECT agent_id, is_contact, span, {start} AS a, {end} AS b FROM ("
        f"SELECT agent_id, from_ms, to_ms, 1 AS is_contact FROM ({contacts}) UNION ALL"
        f" SELECT agent_id, from_ms, to_ms, 0 AS is_contact FROM ({paid}))"
        f" ARRAY JOIN {each} AS span WHERE from_ms < to_ms AND a < b)"
        " GROUP BY agent_id, span HAVING countIf(NOT is_contact) > 0"
    )
    return sql, parameters | more | _limits(bounds)


def by_day(bounds: Bounds) -> tuple[str, dict[str, object]]:
    """Return `agent_spans` by local day; its parameter is `zone`."""
    return agent_spans(bounds, _day_of, _midnight)


def by_span_of(span_ms: int) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """Return `span_of` and `begin_of` for spans of equal length since 1970."""
    return (
        lambda at: f"toUInt32(intDiv({at}, {span_ms}))",
        lambda span: f"toInt64({span}) * {span_ms}",
    )


def _day_of(at: str) -> str:
    return f"toUInt32({_local_day(at)})"


def _local_day(at: str) -> str:
    return f"toDate32(toTimeZone(fromUnixTimestamp64Milli({at}, 'UTC'), {{zone:String}}))"


def _midnight(span: str) -> str:
    return f"toInt64(toUnixTimestamp(toDateTime(toDate({span}), {{zone:String}}))) * 1000"


def occupancy(asking: Asking) -> Counts:
    """Sum `busy` and `paid` time of the agents who served each row, and their `agent_days`."""
    spans, parameters = by_day(asking.bounds)
    figures = "sum(busy_ms) AS busy, sum(paid_ms) AS paid, count() AS agent_days"
    parameters["zone"] = asking.policy.timezone
    if {*asking.by, *asking.scope.filters()} <= {"agent", *TIMES}:
        where = filtered(Where(), asking.scope, ("agent",))
        sql = (
            f"SELECT {key_columns(asking.by, 'toDate32(span)')}{figures}"
            f" FROM ({spans}) WHERE busy_ms > 0 AND {where}{grouped(asking.by)}"
        )
        return keyed(asking.by, asking.store.query(sql, parameters | dict(where.parameters)))
    contacts, more = on_contact(asking.bounds)
    where = filtered(Where(), asking.scope, CONTACT_DIMENSIONS)
    served = (
        f"SELECT DISTINCT {key_columns(asking.by, 'at_day')}agent_id, toUInt32(at_day) AS span"
        f" FROM (SELECT *, {_local_day('from_ms')} AS at_day FROM ({contacts})) WHERE {where}"
    )
    keys = "".join(f"key_{place}, " for place in range(len(asking.by)))
    sql = (
        f"SELECT {keys}{figures}"
        f" FROM ({served}) AS served INNER JOIN ({spans}) AS spans USING (agent_id, span)"
        f"{grouped(asking.by)}"
    )
    parameters |= more | dict(where.parameters)
    return keyed(asking.by, asking.store.query(sql, parameters))


def _limits(bounds: Bounds) -> dict[str, object]:
    return {
        "low": -(2**62) if bounds.start is None else bounds.start,
        "high": 2**62 if bounds.end is None else bounds.end,
    }
