"""What the service measures are made of: counts of contacts, cases, answers, sales, money.

Law: a contact stands in the row of its own end, a case in that of its first handled contact, an
answer in that of the last. A case is counted once, with all its contacts, also those outside the
range. A control contact (DEF-LABEL) is no contact and is in no count.
"""

from collections.abc import Mapping
from typing import Any, Final

from pnl.reports.cohort import chains_of, with_money
from pnl.reports.grouping import Key, grouped, key_columns, keyed, local_day, times_of
from pnl.reports.model import CONTACT_DIMENSIONS
from pnl.reports.sheet import Asking
from pnl.reports.sql import COLUMN_OF, Bounds, Where, bounds_of, during

Counts = Mapping[Key, Mapping[str, Any]]

NOT_CONTROL: Final = "experiment_arm != 'control'"
_DIMENSIONS: Final = ", ".join(COLUMN_OF[name] for name in CONTACT_DIMENSIONS)
_CONNECTED_LEGS: Final = "arrayCount(x -> x IS NOT NULL, leg_connected_at)"
_AGENT_LEGS: Final = (
    "arrayCount((x, agent) -> x IS NOT NULL AND agent != '', leg_connected_at, leg_agents)"
)
_CASE: Final = "cityHash64(customer_id, case_id)"
_TOUCH: Final = "cityHash64(customer_id, case_id, if(case_id = '', contact_id, ''))"
"""A number for a case or touchpoint: of a billion the chance that any two share one is 3 %."""
_PLACE: Final = "toUnixTimestamp64Milli(ended_at) * 65536 + toInt64(cityHash64(contact_id) % 65536)"
"""The order of contacts in time as one number; of those at the same moment always the same."""
_SILENT: Final = -1
"""No answer, as a number: real answers are 0 or more."""
_OFFERED: Final = "handled AND direction = 'inbound' AND disposition_code != 'self_service'"
"""Handled chains that had stood in a queue: outbound and self-service did not."""


def scoped(asking: Asking) -> Where:
    """Return the condition for the contacts of a question."""
    where = chains_of(asking.scope, asking.bounds).also(NOT_CONTROL)
    return where.also("1", zone=asking.policy.timezone)


def volumes(asking: Asking, short_ms: int) -> Counts:
    """Count contacts, their handling and waiting, and sum their money, by the question's rows.

    An abandoned contact that waited less than `short_ms` is a short one (KPI-ABANDON).
    """
    by = asking.by
    columns = (
        f"{_DIMENSIONS}, ended_at, customer_id, case_id, direction, disposition_code, identified,"
        " handled, abandoned, talk_ms, hold_ms, wrap_ms, wait_ms,"
        f" {_CONNECTED_LEGS} AS connected"
    )
    chains, parameters = with_money(scoped(asking), asking.scope, columns, asking.policy.currency)
    handle = "toFloat64(talk_ms + hold_ms + wrap_ms)"
    sql = (
        f"SELECT {key_columns(by, local_day('ended_at'))}"
        "count() AS contacts_n, countIf(handled) AS handled_n, countIf(abandoned) AS abandoned_n,"
        " countIf(abandoned AND direction = 'inbound' AND wait_ms < {short_ms:Int64}) AS short_n,"
        " countIf(abandoned AND direction = 'inbound' AND wait_ms >= {short_ms:Int64}) AS left_n,"
        f" countIf({_OFFERED}) AS queued_n, countIf(NOT identified) AS unidentified_n,"
        " countIf(identified AND (handled OR abandoned)) AS known_n,"
        " countIf(handled AND case_id = '') AS caseless_n,"
        " countIf(handled AND connected > 1) AS transferred_n,"
        " sumIf(talk_ms, handled) AS talk, sumIf(hold_ms, handled) AS hold,"
        f" sumIf(wrap_ms, handled) AS wrap, sumIf({handle} * {handle}, handled) AS squares,"
        f" sumIf(wait_ms, {_OFFERED}) AS wait, sumIf(wait_ms, abandoned) AS wait_left,"
        " sum(credit) AS credit_sum, sum(cost) AS cost_sum"
        f" FROM ({chains}){grouped(by)}"
    )
    parameters |= {"short_ms": short_ms}
    return keyed(by, asking.store.query(sql, parameters))


def cases(asking: Asking) -> Counts:
    """Count cases whose first handled contact the question's rows hold, and what became of them.

    A case is old enough (`final_n`) when F has passed since that contact's end (KPI-FCR).
    `first_n`: no other contact of it until then, and resolved by then.
    """
    inner, parameters = _cases_with_money(asking)
    until = "first_ms + {first_contact:Int64}"
    final = f"({until} <= {{as_of:Int64}})"
    alone = f"arrayCount(x -> x <= {until}, starts) = 1"
    # One that was solved, and came back later than F, stays solved at first contact.
    first = (
        f"({alone}) AND ifNull(resolved_ms <= {until}, 0)"
        " AND (outcome_first = 2 OR length(starts) > 1)"
    )
    sql = (
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}"
        f"count() AS cases_n, countIf({final}) AS final_n,"
        f" countIf({final} AND {first}) AS first_n,"
        f" sumIf(handled_chains, {final}) AS final_contacts_n,"
        f" countIf({final} AND outcome_first != 0) AS told_n,"
        f" countIf({final} AND outcome_first = 2) AS solved_n,"
        " countIf(resolved_times > 0) AS resolved_n, countIf(resolved_times > 1) AS reopened_n,"
        " countIf(resolved_times > 0 AND agent_legs < 2) AS onetouch_n,"
        " sum(cost_of_case) AS cases_cost"
        f" FROM ({inner}) WHERE {scoped_faces(asking)}{grouped(asking.by)}"
    )
    parameters |= {
        "first_contact": asking.policy.first_contact_resolution_ms,
        "as_of": asking.as_of or 0,
    }
    return keyed(asking.by, asking.store.query(sql, parameters))


def _cases_with_money(asking: Asking) -> tuple[str, dict[str, object]]:
    """Return a query with a row per case, dimensions and end of its first handled contact."""
    columns = (
        f"{_DIMENSIONS}, contact_id, customer_id, case_id, started_at, ended_at, handled,"
        f" abandoned, outcome, resolutions, resolved_at, {_AGENT_LEGS} AS legs_of_agents"
    )
    chains, parameters = with_money(
        whole_cases(asking), asking.scope, columns, asking.policy.currency
    )
    # Numbers only, and no dimension that is not asked for: grouping texts takes five times as long.
    per_case = (
        f"SELECT {_first_of(asking)}minIf(toUnixTimestamp64Milli(ended_at), handled) AS first_ms,"
        " argMinIf(multiIf(outcome = 'resolved', 2, outcome = 'unknown', 0, 1),"
        f" {_PLACE}, handled) AS outcome_first,"
        " groupArrayIf(toUnixTimestamp64Milli(started_at), handled OR abandoned) AS starts,"
        " countIf(handled) AS handled_chains, max(resolutions) AS resolved_times,"
        " min(toUnixTimestamp64Milli(resolved_at)) AS resolved_ms,"
        " sum(legs_of_agents) AS agent_legs, sum(chains.cost) AS cost_of_case"
        f" FROM ({chains}) AS chains GROUP BY {_CASE} HAVING handled_chains > 0"
    )
    return _placed(asking, per_case, "first"), parameters


def answers(asking: Asking, csat_max: int, csat_good: int, ces_max: int) -> Counts:
    """Count what customers said, once a case, else once a contact (DEF-TOUCH).

    Answers beyond a scale's end are no answers on that scale: `off_scale_n` counts them.
    """
    where = whole_touchpoints(asking)
    said = ", ".join(
        f"argMaxIf(ifNull({name}, {_SILENT}), {_PLACE}, handled) AS said_{name}"
        for name in ("csat", "nps", "ces")
    )
    per_touch = (
        f"SELECT {_first_of(asking, 'argMaxIf')}{said},"
        " maxIf(toUnixTimestamp64Milli(ended_at), handled) AS last_ms"
        f" FROM v_contacts WHERE {where} GROUP BY {_TOUCH} HAVING countIf(handled) > 0"
    )
    on_csat = f"said_csat != {_SILENT} AND said_csat <= {{csat_max:Int64}}"
    on_ces = f"said_ces != {_SILENT} AND said_ces <= {{ces_max:Int64}}"
    sql = (
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}"
        f"count() AS asked_n, countIf({on_csat}) AS csat_n,"
        f" countIf({on_csat} AND said_csat >= {{csat_good:Int64}}) AS good_n,"
        f" countIf(greatest(said_csat, said_nps, said_ces) != {_SILENT}) AS answered_n,"
        f" countIf(said_nps != {_SILENT}) AS nps_n, countIf(said_nps >= 9) AS promoters_n,"
        f" countIf(said_nps != {_SILENT} AND said_nps <= 6) AS detractors_n,"
        f" countIf({on_ces}) AS ces_n, sumIf(said_ces, {on_ces}) AS ces_sum,"
        f" sumIf(said_ces * said_ces, {on_ces}) AS ces_squares,"
        " countIf(said_csat > {csat_max:Int64} OR said_ces > {ces_max:Int64}) AS off_scale_n"
        f" FROM ({_placed(asking, per_touch, 'last')})"
        f" WHERE {scoped_faces(asking)}{grouped(asking.by)}"
    )
    scales = {"csat_max": csat_max, "csat_good": csat_good, "ces_max": ces_max}
    return keyed(asking.by, asking.store.query(sql, {**where.parameters, **scales}))


def sales(asking: Asking) -> Counts:
    """Count chains with a product sold in them (A1a, KPI-CONV), and what those sales came to.

    Chains count whatever the currency; the mean sale is of the orders in the scope's currency.
    """
    where = scoped(asking)
    gross = "class_gross_minor[indexOf(classes, 'product')]"
    sql = (
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}"
        "count() AS sold_chains_n, sum(in_currency_n) AS orders_n, sum(sold) AS sold_sum"
        f" FROM (SELECT * FROM v_contacts WHERE {where}) AS chains INNER JOIN"
        " (SELECT sold_in AS contact_id, customer_id,"
        " countIf(currency = {currency:String}) AS in_currency_n,"
        f" sumIf(toInt128({gross}), currency = {{currency:String}}) AS sold"
        f" FROM v_attributions WHERE sold_in != '' AND {gross} > 0"
        " GROUP BY sold_in, customer_id) AS orders USING (contact_id, customer_id)"
        f"{grouped(asking.by)}"
    )
    parameters = {**where.parameters, "currency": asking.scope.currency}
    return keyed(asking.by, asking.store.query(sql, parameters))


def customers_who_ordered(asking: Asking) -> Counts:
    """Count the customers with a sale, for the whole company: by the question's times alone."""
    by = times_of(asking.by)
    bounds = bounds_of(asking.scope.start, asking.scope.end, asking.policy.zone)
    where = during(Where(), "occurred_at", bounds).also("1", zone=asking.policy.timezone)
    sql = (
        f"SELECT {key_columns(by, local_day('occurred_at'))}"
        "uniqExact(customer_id) AS customers_n FROM v_orders"
        f" WHERE kind = 'sale' AND identified AND {where}{grouped(by)}"
    )
    return keyed(by, asking.store.query(sql, where.parameters))


def scoped_faces(asking: Asking) -> Where:
    """Return the condition for the contact that places a case or an answer to be asked for."""
    return chains_of(asking.scope, asking.bounds).also("1", zone=asking.policy.timezone)


def whole_cases(asking: Asking) -> Where:
    """Return the condition for all contacts of the cases that the question touches."""
    return _whole(asking, Where().also(f"case_id != '' AND {NOT_CONTROL}"), _CASE)


def whole_touchpoints(asking: Asking) -> Where:
    """Return the condition for all contacts of the touchpoints that the question touches."""
    return _whole(asking, Where().also(NOT_CONTROL), _TOUCH)


def _whole(asking: Asking, where: Where, identity: str) -> Where:
    asked = scoped(asking)
    where = where.also("1", **asked.parameters)
    if asking.bounds == Bounds(None, None) and not asking.scope.filters():
        return where
    return where.also(f"{identity} IN (SELECT {identity} FROM v_contacts WHERE {asked})")


def _needed(asking: Asking) -> list[str]:
    """Return the columns of the dimensions that rows or filters ask for."""
    asked = {*asking.by, *asking.scope.filters()}
    return [COLUMN_OF[name] for name in CONTACT_DIMENSIONS if name in asked]


def _first_of(asking: Asking, aggregate: str = "argMinIf") -> str:
    """Return the needed dimensions of the handled contact that places a case or an answer."""
    return "".join(
        f"{aggregate}({column}, {_PLACE}, handled) AS face_{column}, " for column in _needed(asking)
    )


def _placed(asking: Asking, grouped_rows: str, which: str) -> str:
    """Return a query whose rows have `ended_at` and dimensions of the contact that places them."""
    named = "".join(f", face_{column} AS {column}" for column in _needed(asking))
    return f"SELECT *, {instant_of(f'{which}_ms')} AS ended_at{named} FROM ({grouped_rows})"


def instant_of(ms: str) -> str:
    """Return the expression of a time in milliseconds as a time."""
    return f"fromUnixTimestamp64Milli({ms}, 'UTC')"
