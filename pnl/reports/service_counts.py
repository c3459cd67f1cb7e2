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
from pnl.reports.sql import COLUMN_OF, Where, bounds_of, during

Counts = Mapping[Key, Mapping[str, Any]]

NOT_CONTROL: Final = "experiment_arm != 'control'"
_DIMENSIONS: Final = ", ".join(COLUMN_OF[name] for name in CONTACT_DIMENSIONS)
_CONNECTED_LEGS: Final = "arrayCount(x -> x IS NOT NULL, leg_connected_at)"
_AGENT_LEGS: Final = (
    "arrayCount((x, agent) -> x IS NOT NULL AND agent != '', leg_connected_at, leg_agents)"
)
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
    until = "toUnixTimestamp64Milli(ended_at) + {first_ms:Int64}"
    alone = f"arrayCount(x -> x <= {until}, starts) = 1"
    resolved = f"toUnixTimestamp64Milli(resolved_first) <= {until}"
    # One that was solved, and came back later than F, stays solved at first contact.
    first = f"({alone}) AND {resolved} AND (outcome = 'resolved' OR length(starts) > 1)"
    sql = (
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}"
        f"count() AS cases_n, countIf({until} <= {{as_of:Int64}}) AS final_n,"
        f" countIf({until} <= {{as_of:Int64}} AND ifNull({first}, 0)) AS first_n,"
        f" sumIf(handled_chains, {until} <= {{as_of:Int64}}) AS final_contacts_n,"
        f" countIf({until} <= {{as_of:Int64}} AND outcome != 'unknown') AS told_n,"
        f" countIf({until} <= {{as_of:Int64}} AND outcome = 'resolved') AS solved_n,"
        " countIf(resolved_times > 0) AS resolved_n, countIf(resolved_times > 1) AS reopened_n,"
        " countIf(resolved_times > 0 AND agent_legs < 2) AS onetouch_n,"
        " sum(cost) AS cases_cost"
        f" FROM ({inner}) WHERE {scoped_faces(asking)}{grouped(asking.by)}"
    )
    parameters |= {
        "first_ms": asking.policy.first_contact_resolution_ms,
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
    per_case = (
        f"SELECT argMinIf(tuple({_DIMENSIONS}, ended_at, outcome), tuple(ended_at, contact_id),"
        " handled) AS face,"
        " groupArrayIf(toUnixTimestamp64Milli(started_at), handled OR abandoned) AS starts,"
        " countIf(handled) AS handled_chains, max(resolutions) AS resolved_times,"
        " min(resolved_at) AS resolved_first, sum(legs_of_agents) AS agent_legs,"
        " sum(chains.cost) AS cost"
        f" FROM ({chains}) AS chains GROUP BY customer_id, case_id HAVING handled_chains > 0"
    )
    named = [*(COLUMN_OF[name] for name in CONTACT_DIMENSIONS), "ended_at", "outcome"]
    return _faced(per_case, named), parameters


def answers(asking: Asking, csat_max: int, csat_good: int, ces_max: int) -> Counts:
    """Count what customers said, once a case, else once a contact (DEF-TOUCH).

    Answers beyond a scale's end are no answers on that scale: `off_scale_n` counts them.
    """
    where = whole_touches(asking)
    per_touch = (
        f"SELECT argMaxIf(tuple({_DIMENSIONS}, ended_at, csat, nps, ces),"
        " tuple(ended_at, contact_id), handled) AS face"
        f" FROM v_contacts WHERE {where}"
        " GROUP BY customer_id, case_id, if(case_id = '', contact_id, '')"
        " HAVING countIf(handled) > 0"
    )
    named = [
        *(COLUMN_OF[name] for name in CONTACT_DIMENSIONS),
        *("ended_at", "csat", "nps", "ces"),
    ]
    sql = (
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}"
        "count() AS asked_n, countIf(csat <= {csat_max:Int64}) AS csat_n,"
        " countIf(csat >= {csat_good:Int64} AND csat <= {csat_max:Int64}) AS good_n,"
        " countIf(csat IS NOT NULL OR nps IS NOT NULL OR ces IS NOT NULL) AS answered_n,"
        " countIf(nps IS NOT NULL) AS nps_n, countIf(nps >= 9) AS promoters_n,"
        " countIf(nps <= 6) AS detractors_n, countIf(ces <= {ces_max:Int64}) AS ces_n,"
        " sumIf(ifNull(ces, 0), ces <= {ces_max:Int64}) AS ces_sum,"
        " sumIf(ifNull(ces * ces, 0), ces <= {ces_max:Int64}) AS ces_squares,"
        " countIf(csat > {csat_max:Int64} OR ces > {ces_max:Int64}) AS off_scale_n"
        f" FROM ({_faced(per_touch, named)})"
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
    return _whole(asking, Where().also(f"case_id != '' AND {NOT_CONTROL}"), "customer_id, case_id")


def whole_touches(asking: Asking) -> Where:
    """Return the condition for all contacts of the touches that the question touches."""
    touch = "customer_id, case_id, if(case_id = '', contact_id, '')"
    return _whole(asking, Where().also(NOT_CONTROL), touch)


def _whole(asking: Asking, where: Where, identity: str) -> Where:
    asked = scoped(asking)
    part = f"({identity}) IN (SELECT {identity} FROM v_contacts WHERE {asked})"
    return where.also(part, **asked.parameters)


def _faced(per_touch: str, names: list[str]) -> str:
    """Return a query that gives the parts of `face` by their names, and all else as it is."""
    parts = ", ".join(f"tupleElement(face, {n}) AS {name}" for n, name in enumerate(names, 1))
    return f"SELECT *, {parts} FROM ({per_touch})"
