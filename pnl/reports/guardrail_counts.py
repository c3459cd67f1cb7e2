"""What guardrails are decided from: sales with equal time to come true, spans of work, value.

Law: two periods are compared by what their contacts led to within the same number of days after
each contact; one that is younger than that is in neither. So the later period does not look
poorer, or its refunds fewer, only because it is young.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from pnl.reports.cohort import with_money
from pnl.reports.grouping import Key, grouped, key_columns, keyed, local_day
from pnl.reports.model import CONTACT_DIMENSIONS
from pnl.reports.occupancy import agent_spans, by_span_of, on_contact
from pnl.reports.options import choice
from pnl.reports.period import local_date
from pnl.reports.service import whole_number
from pnl.reports.service_counts import Counts, scoped
from pnl.reports.sheet import Asking
from pnl.reports.sql import COLUMN_OF, Where, filtered
from processors.confidence import Sample
from processors.guardrails import Span
from processors.money import divide_half_even

SALES: Final = ("A1a", "A1b", "A4")
RETURNS: Final = "A5"
SPAN_MS: Final = 1_800_000
"""Half an hour: short enough to find two hours where they begin, long enough to be cheap."""
USUAL_DAYS: Final = 28
"""Four whole weeks, where no range is asked for: weekdays weigh the same in both periods."""


def periods(asking: Asking, exposure_days: int) -> tuple[Asking, Asking] | None:
    """Return the question for the period and for the one before it, of equal length.

    Whole months are compared with as many whole months. Without a range: the last four weeks
    whose contacts are all old enough. None before there is any event.
    """
    if asking.as_of is None:
        return None
    last = local_date(asking.as_of, asking.policy.zone) - timedelta(days=exposure_days)
    end = asking.scope.end or last
    start = asking.scope.start or end - timedelta(days=USUAL_DAYS)
    if start.day == end.day == 1:
        months = (end.year - start.year) * 12 + end.month - start.month
        index = start.year * 12 + start.month - 1 - months
        before = date(index // 12, index % 12 + 1, 1)
    else:
        before = start - (end - start)
    return _in(asking, start, end), _in(asking, before, start)


def _in(asking: Asking, start: date, end: date) -> Asking:
    return replace(asking, scope=replace(asking.scope, start=start, end=end))


def in_all(asking: Asking, by: Sequence[str] = ()) -> Asking:
    """Return the question by other dimensions."""
    return replace(asking, by=tuple(by))


def selling(asking: Asking, exposure_days: int) -> Counts:
    """Sum sales credit of handled chains within the days after each, in the scope's currency.

    `sold_chains` have any, `back_chains` of them lost some of it again within those days.
    """
    ms = exposure_days * 86_400_000
    where = scoped(asking).also(
        "handled AND toUnixTimestamp64Milli(ended_at) + {exposure:Int64} <= {as_of:Int64}",
        exposure=ms,
        as_of=asking.as_of or 0,
    )
    sql = (
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}"
        "count() AS chains_n, sum(sold) AS sold_sum, sum(pow(toFloat64(sold), 2)) AS sold_squares,"
        " countIf(sold > 0) AS sold_chains, countIf(sold > 0 AND back < 0) AS back_chains,"
        " sum(back) AS back_sum"
        f" FROM (SELECT * FROM v_contacts WHERE {where}) AS chains LEFT JOIN"
        " (SELECT contact_id, customer_id, sumIf(toInt128(amount_minor), line != 'A5') AS sold,"
        " sumIf(toInt128(amount_minor), line = 'A5') AS back FROM"
        " (SELECT contact_id, customer_id, line, amount_minor, effective_at FROM v_ledger"
        " WHERE currency = {currency:String} AND line IN {sales_lines:Array(String)}"
        f" AND contact_id IN (SELECT contact_id FROM v_contacts WHERE {where})) AS entries"
        f" INNER JOIN (SELECT contact_id, customer_id, ended_at FROM v_contacts WHERE {where})"
        " AS ends USING (contact_id, customer_id)"
        " WHERE toUnixTimestamp64Milli(effective_at)"
        " < toUnixTimestamp64Milli(ended_at) + {exposure:Int64}"
        " GROUP BY contact_id, customer_id) AS money USING (contact_id, customer_id)"
        f"{grouped(asking.by)}"
    )
    parameters = {
        **where.parameters,
        "currency": asking.scope.currency,
        "sales_lines": [*SALES, RETURNS],
    }
    return keyed(asking.by, asking.store.query(sql, parameters))


def sample(counts: Counts, key: Key) -> Sample:
    """Return the sales per handled chain of a row of `selling`."""
    row = counts.get(key, {})
    squares = float(row.get("sold_squares", 0))
    return Sample(int(row.get("chains_n", 0)), float(row.get("sold_sum", 0)), squares)


def value(asking: Asking, csat_max: int, csat_good: int) -> Counts:
    """Count handled chains and their net credit, and of them those that customers judge well.

    Judged well: resolved, and the customer said good or nothing (G-JUDGE).
    """
    columns = ", ".join(
        (
            *(COLUMN_OF[name] for name in CONTACT_DIMENSIONS),
            *("ended_at", "outcome", "csat"),
        )
    )
    where = scoped(asking).also("handled")
    chains, parameters = with_money(where, asking.scope, columns, asking.policy.currency)
    well = (
        "outcome = 'resolved' AND ifNull(csat >= {csat_good:Int64} OR csat > {csat_max:Int64}, 1)"
    )
    sql = (
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}"
        "count() AS chains_n, sum(credit) AS credit_sum, countIf(outcome != 'unknown') AS known_n,"
        f" countIf({well}) AS well_n, sumIf(credit, {well}) AS well_sum"
        f" FROM ({chains}){grouped(asking.by)}"
    )
    parameters |= {"csat_max": csat_max, "csat_good": csat_good}
    return keyed(asking.by, asking.store.query(sql, parameters))


def work(asking: Asking, unit: str) -> dict[str, list[Span]]:
    """Return half hours of work by agent or by queue; a queue's are those of who served it then.

    Whoever served a queue on a day belongs to it all that day, with all their work: who is busy
    with another queue is not free for this one.
    """
    spans, parameters = agent_spans(asking.bounds, *by_span_of(SPAN_MS))
    if unit == "agent" and not asking.scope.filters():
        rows = asking.store.query(f"SELECT agent_id AS unit, * FROM ({spans})", parameters)
    else:
        contacts, more = on_contact(asking.bounds)
        where = filtered(Where(), asking.scope, CONTACT_DIMENSIONS)
        sql = (
            "SELECT unit, span, sum(busy_ms) AS busy_ms, sum(paid_ms) AS paid_ms FROM"
            f" (SELECT DISTINCT {COLUMN_OF[unit]} AS unit, agent_id,"
            f" intDiv(from_ms, {_DAY_MS}) AS day FROM ({contacts}) WHERE {where}) AS served"
            f" INNER JOIN (SELECT *, intDiv(toInt64(span) * {SPAN_MS}, {_DAY_MS}) AS day"
            f" FROM ({spans})) AS spans USING (agent_id, day) GROUP BY unit, span"
        )
        parameters |= more | dict(where.parameters)
        rows = asking.store.query(sql, parameters)
    found: dict[str, list[Span]] = {}
    for row in rows:
        span = Span(int(row["span"]) * SPAN_MS, int(row["busy_ms"]), int(row["paid_ms"]))
        found.setdefault(str(row["unit"]), []).append(span)
    return dict(sorted(found.items()))


_DAY_MS: Final = 86_400_000
"""Who serves which queue is told by days of UTC: a roster, not a period of the books."""


def exposure(asking: Asking) -> int:
    """Return in how many days after a contact its consequences are compared."""
    return whole_number(asking.options, "exposure_days", 14)


def scale(asking: Asking) -> tuple[int, int, int]:
    """Return the satisfaction scale's best and least good answer, and an effort scale unused."""
    best = whole_number(asking.options, "csat_max", 5)
    return best, whole_number(asking.options, "csat_good", 4), best


def with_risk(asking: Asking) -> bool:
    """Return whether the customers' risk is asked for."""
    return choice(asking.options, "risk", ("off", "on")) == "on"


def pair(found: Counts, key: Key, part: str, whole: str) -> tuple[int, int]:
    """Return two counts of a row, 0 where there are none."""
    row = found.get(key, {})
    return int(row.get(part, 0)), int(row.get(whole, 0))


def per(amount: int, count: int) -> int | None:
    """Return an amount per something, half to even; None of nothing."""
    return None if count == 0 else divide_half_even(int(amount), int(count))
