"""`pnl report churn`: whom to call, and why; and the segments in which many are at high risk.

Law: what stands here was published by journeys, fact by fact, and is read, never made anew: a row
says as of when it is. A customer of whom no risk is known (no order) is not in the list and in no
share: they are counted in a note, never as a risk of 1.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pnl.reports.churn_score import score_sheet
from pnl.reports.churn_words import DEFINITIONS, why
from pnl.reports.grouping import key_heads
from pnl.reports.options import choice, whole
from pnl.reports.sheet import Asking, Row, Sheet, SheetColumn, SheetReport
from pnl.reports.sql import Where, bounds_of, during, filtered
from processors.confidence import wilson

SEGMENTS: Final = ("queue", "team", "channel")
VIEWS: Final = ("customers", "segments", "score")
STATES: Final = ("all", "rising", "fading", "high")
LISTED_MAX: Final = 10_000
SHARE_MIN: Final = 30
"""Customers below which a share is not told."""
WEEK_MS: Final = 7 * 86_400_000

COLUMNS: Final = (
    SheetColumn("customer", "Customer", "text", "CHU-CUSTOMER"),
    SheetColumn("at_risk_minor", "Value at risk", "amount_minor", "CHU-PRIORITY", "estimated"),
    SheetColumn("risk_ppm", "Risk", "ppm", "CHU-RISK", "estimated"),
    SheetColumn("change_ppm", "in 7 days", "ppm", "CHU-CHANGE", "estimated"),
    SheetColumn("explained_ppm", "by facts of a day", "ppm", "CHU-EXPLAINED", "estimated"),
    SheetColumn("why", "Why", "text", "CHU-WHY"),
    SheetColumn("cause", "Last fact", "text", "CHU-CAUSE"),
    SheetColumn("value_minor", "Margin at stake", "amount_minor", "CHU-VALUE", "estimated"),
    SheetColumn("state", "State", "text", "CHU-STATE"),
    SheetColumn("method", "Method", "text", "CHU-METHOD"),
    SheetColumn("model", "Model", "text", "CHU-METHOD"),
    SheetColumn("horizon_days", "Horizon", "days", "CHU-RISK"),
    SheetColumn("as_of", "As of", "time", "CHU-ASOF"),
    SheetColumn("contact", "Last contact", "text", "CHU-CONTACT"),
    SheetColumn("contact_at", "ended", "time", "CHU-CONTACT"),
    SheetColumn("queue", "Queue", "text", "CHU-CONTACT"),
    SheetColumn("team", "Team", "text", "CHU-CONTACT"),
    SheetColumn("channel", "Channel", "text", "CHU-CONTACT"),
)
SHARES: Final = (
    SheetColumn("customers", "Customers", "count", "CHU-CUSTOMER"),
    SheetColumn("high", "At high risk", "count", "CHU-STATE"),
    SheetColumn("high_ppm", "Share", "ppm", "CHU-STATE"),
    SheetColumn("high_ppm_low", "from", "ppm", "DEF-CI"),
    SheetColumn("high_ppm_high", "to", "ppm", "DEF-CI"),
    SheetColumn("risk_ppm", "Mean risk", "ppm", "CHU-RISK", "estimated"),
    SheetColumn("rising", "Rising", "count", "CHU-STATE"),
    SheetColumn("fading", "Fading", "count", "CHU-STATE"),
    SheetColumn("at_risk_minor", "Value at risk", "amount_minor", "CHU-PRIORITY", "estimated"),
)

_RISE: Final = "(risk_ppm - week_ago_ppm)"
_LOGIT: Final = "log({0} / (1000001 - {0}))"
_FRESH: Final = "as_of >= fromUnixTimestamp64Milli({week_ago:Int64}, 'UTC')"
_ROSE: Final = (
    f"ifNull({_RISE} >= 100000 AND {_LOGIT.format('risk_ppm')}"
    f" - {_LOGIT.format('greatest(week_ago_ppm, 1)')} >= 0.5 AND {_FRESH}, 0)"
)
_EXPLAINED: Final = "ifNull(explained_ppm >= 500000, 0)"
_STATE: Final = (
    f"multiIf({_ROSE} AND {_EXPLAINED}, 'rising', {_ROSE}, 'fading', high, 'high', 'steady')"
)
_AT_RISK: Final = "toInt64(round(toInt128(risk_ppm) * value_minor / 1000000))"
_ROWS: Final = f"""
SELECT customer_id, risk_ppm, {_RISE} AS change_ppm, explained_ppm, value_minor, high,
    {_AT_RISK} AS at_risk_minor, {_STATE} AS state, toString(method) AS method_name,
    toString(model) AS model_name, horizon_days, toUnixTimestamp64Milli(as_of) AS as_of_ms,
    toString(cause_kind) AS cause_of, cause_id, contact_id,
    toUnixTimestamp64Milli(contact_at) AS contact_ms, toString(queue) AS queue_name,
    toString(team) AS team_name, toString(channel) AS channel_name,
    arrayMap(each -> toString(each), reason_signals) AS signals, reason_logits_milli AS logits,
    arrayMap(each -> toString(each), reason_labels) AS labels
FROM v_churn WHERE risk_ppm IS NOT NULL AND """
_COUNTS: Final = (
    "count() AS customers_n, countIf(high) AS high_n, toInt64(round(avg(risk_ppm))) AS mean_ppm,"
    " countIf(state = 'rising') AS rising_n, countIf(state = 'fading') AS fading_n,"
    " count(at_risk_minor) AS valued_n, toInt64(sum(at_risk_minor)) AS sum_minor"
)


def make(asking: Asking) -> Sheet:
    """Return the list of customers, with `--by` the segments of their last contact, the score."""
    view = choice(asking.options, "view", VIEWS)
    if view == "score":
        return score_sheet(asking)
    by = asking.by or (("queue",) if view == "segments" else ())
    return _segments(replace(asking, by=by)) if by else _customers(asking)


def _customers(asking: Asking) -> Sheet:
    where = _scoped(asking)
    found = Where(parameters=where.parameters)
    state = choice(asking.options, "state", STATES)
    if state == "high":
        found = found.also("high")
    elif state != "all":
        found = found.also("state = {state:String}", state=state)
    if "customer" in asking.options:
        found = found.also("customer_id = {one:String}", one=asking.options["customer"])
    found = found.also(
        "1",
        limit=whole(asking.options, "limit", 100, 1, LISTED_MAX),
        skip=whole(asking.options, "skip", 0, 0, LISTED_MAX),
    )
    rows = asking.store.query(
        f"SELECT *, count() OVER () AS found FROM ({_ROWS}{where}) WHERE {found}"
        " ORDER BY at_risk_minor DESC NULLS LAST, risk_ppm DESC, customer_id"
        " LIMIT {limit:UInt32} OFFSET {skip:UInt32}",
        found.parameters,
    )
    counted = _counted(asking)
    shown = f"{len(rows)} of {rows[0]['found'] if rows else 0} customers are shown."
    return asking.sheet(
        "churn",
        "Customers by value at risk",
        COLUMNS,
        [_row(each) for each in rows],
        notes=(shown, *_notes(counted)),
        label="" if not counted["known"] else "heuristic" if counted["heuristic"] else "learnt",
    )


def _row(each: Mapping[str, Any]) -> Row:
    reasons = list(zip(each["signals"], each["logits"], each["labels"], strict=True))
    return (
        each["customer_id"],
        each["at_risk_minor"],
        each["risk_ppm"],
        each["change_ppm"],
        each["explained_ppm"],
        why(reasons, each["method_name"]),
        " ".join(part for part in (each["cause_of"], each["cause_id"]) if part),
        each["value_minor"],
        each["state"],
        each["method_name"],
        each["model_name"],
        each["horizon_days"],
        each["as_of_ms"],
        each["contact_id"] or None,
        each["contact_ms"],
        each["queue_name"],
        each["team_name"],
        each["channel_name"],
    )


def _segments(asking: Asking) -> Sheet:
    where = _scoped(asking)
    keys = [f"{name}_name" for name in asking.by]
    listed = "".join(f"{key} AS key_{place}, " for place, key in enumerate(keys))
    rows = asking.store.query(
        f"SELECT {listed}{_COUNTS} FROM ({_ROWS}{where})"
        f" GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}",
        where.parameters,
    )
    (whole_row,) = asking.store.query(f"SELECT {_COUNTS} FROM ({_ROWS}{where})", where.parameters)
    return asking.sheet(
        "churn",
        "Customers at high risk, by the segment of their last contact",
        (*key_heads(asking.by), *SHARES),
        [(*(each[f"key_{i}"] for i in range(len(keys))), *_shares(each)) for each in rows],
        total=(*("" for _ in keys), *_shares(whole_row)) if rows else None,
        notes=_notes(_counted(asking)),
    )


def _shares(each: Mapping[str, Any]) -> Row:
    customers, high = int(each["customers_n"]), int(each["high_n"])
    interval = wilson(high, customers) if customers >= SHARE_MIN else None
    share: Row = (None, None, None)
    if interval is not None:
        ends = (high / customers, interval.low, interval.high)
        share = tuple(round(end * 1e6) for end in ends)
    value = int(each["sum_minor"]) if each["valued_n"] == customers else None
    states = int(each["rising_n"]), int(each["fading_n"])
    return (customers, high, *share, int(each["mean_ppm"]), *states, value)


def _counted(asking: Asking) -> Mapping[str, Any]:
    """Return how many customers have a risk under this filter, how many have none."""
    where = _scoped(asking)
    (row,) = asking.store.query(
        "SELECT countIf(risk_ppm IS NOT NULL) AS known, countIf(risk_ppm IS NULL) AS unknown,"
        " countIf(risk_ppm IS NOT NULL AND value_minor IS NULL) AS unvalued,"
        " uniqExactIf(model, risk_ppm IS NOT NULL) AS models,"
        f" countIf(has(reason_labels, 'heuristic')) AS heuristic FROM v_churn WHERE {where}",
        where.parameters,
    )
    return row


def _notes(counted: Mapping[str, Any]) -> tuple[str, ...]:
    told = ["A row stands as of the fact that moved its risk last."]
    if counted["unknown"]:
        told.append(
            f"{counted['unknown']} customers have no risk (no order, or nothing to tell it by):"
            " they are not listed and in no share."
        )
    if counted["unvalued"]:
        told.append(f"Of {counted['unvalued']} customers no margin at stake is known: listed last.")
    if counted["models"] > 1:
        told.append(f"The risks come from {counted['models']} models; each row names its own.")
    if counted["heuristic"]:
        told.append(
            "Signals marked heuristic weigh what was chosen, not what was learnt: `pnl fit churn`"
            " learns them once enough labels have matured."
        )
    return tuple(told)


def _scoped(asking: Asking) -> Where:
    """Return what limits the rows: filters, the currency of values, the days of their `as_of`."""
    scope = asking.scope
    where = Where(("currency IN ('', {currency:String})",), {"currency": scope.currency})
    where = filtered(where, scope, SEGMENTS)
    where = during(where, "as_of", bounds_of(scope.start, scope.end, asking.policy.zone))
    return where.also("1", week_ago=(asking.as_of or 0) - WEEK_MS)


CHURN: Final = SheetReport(
    name="churn",
    title="Churn watch",
    summary="Whom to call, and why: customers by risk x margin at stake, as their facts say.",
    make=make,
    dimensions=SEGMENTS,
    options={
        "view": "customers, segments or score [customers]",
        "state": "all, rising, fading or high [all]",
        "customer": "one customer by its id",
        "limit": "customers in the list [100]",
        "skip": "customers of the list to leave out [0]",
    },
    definitions=DEFINITIONS,
    views=VIEWS,
    optional=SEGMENTS,
)
