"""What the centre cost as a whole, by day, week or month, with and without its overhead.

Law: all of C that is effective in the time, overhead by the days it is spread over. That belongs
to the centre: no queue or agent has a share of it, so rows by anything but time have none.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from pnl.reports.accrual import TERM_LENGTH, earned_between, earned_days, spread_entries
from pnl.reports.grouping import Key, grouped, key_columns, keyed, last_day, local_day, times_of
from pnl.reports.period import date_of, day_number
from pnl.reports.sheet import Asking
from pnl.reports.sql import Where, in_currency, in_ledger_during
from processors.statement import LINES

COST_LINES: Final = [line.line for line in LINES if line.total == "C"]
OVERHEAD: Final = "C5"


def centre_costs(asking: Asking, keys: Sequence[Key]) -> dict[Key, tuple[int, int]]:
    """Return (cost, of it overhead) by the question's times, in minor units, positive.

    `keys` are the times to answer for; without times that is one, ().
    """
    by = times_of(asking.by)
    where = in_ledger_during(in_currency(Where(), asking.scope.currency), asking.bounds)
    where = where.also(
        "term_start IS NULL AND line IN {cost_lines:Array(String)}",
        cost_lines=COST_LINES,
        zone=asking.policy.timezone,
    )
    sql = (
        f"SELECT {key_columns(by, local_day('effective_at'))}"
        "sum(toInt128(amount_minor)) AS spent,"
        f" sumIf(toInt128(amount_minor), line = '{OVERHEAD}') AS overhead"
        f" FROM v_ledger WHERE {where}{grouped(by)}"
    )
    plain = keyed(by, asking.store.query(sql, where.parameters))
    spread = _spread(asking, keys)
    return {
        key: (
            -(plain[key]["spent"] if key in plain else 0) + spread[key],
            -(plain[key]["overhead"] if key in plain else 0) + spread[key],
        )
        for key in keys
    }


def _spread(asking: Asking, keys: Sequence[Key]) -> dict[Key, int]:
    """Return what overhead was earned on the days of each time, as a cost."""
    days = earned_days(asking.scope, asking.as_of, asking.policy)
    if days is None or not keys:
        return dict.fromkeys(keys, 0)
    by = times_of(asking.by)
    spans = [_span(by, key, date_of(max(days.start, 0)), date_of(days.end)) for key in keys]
    parameters: dict[str, object] = {
        "starts": [max(day_number(start), days.start) for start, _ in spans],
        "ends": [min(day_number(end), days.end) for _, end in spans],
    }
    where = in_currency(spread_entries(), asking.scope.currency).also(f"line = '{OVERHEAD}'")
    sql = (
        f"WITH {TERM_LENGTH} AS days"
        f" SELECT place, sum({earned_between('first_day', 'end_day')}) AS earned FROM v_ledger"
        " ARRAY JOIN {starts:Array(Int64)} AS first_day, {ends:Array(Int64)} AS end_day,"
        " arrayEnumerate({starts:Array(Int64)}) AS place"
        f" WHERE {where} AND first_day < end_day GROUP BY place"
    )
    rows = asking.store.query(sql, {**parameters, **where.parameters})
    earned = {row["place"]: row["earned"] for row in rows}
    return {key: -earned.get(place, 0) for place, key in enumerate(keys, 1)}


def _span(by: Sequence[str], key: Key, start: date, end: date) -> tuple[date, date]:
    """Return the days [start, end) that a key's times have in common, within those given."""
    for name, first in zip(by, key, strict=True):
        assert isinstance(first, date)
        start, end = max(start, first), min(end, last_day(name, first))
    return start, end
