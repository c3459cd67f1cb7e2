"""Sums of the ledger by line and dimensions: from monthly sums where they hold, else from entries.

Law: the same to the minor unit either way. A month is taken from `rollup_monthly` only if it lies
wholly in the range, some facet has every dimension that is asked for or filtered by, and the ledger
has not changed since its sums were made (`sinks.months.valid`); all else is read from the ledger.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from pnl.reports.model import Scope
from pnl.reports.period import first_instant
from pnl.reports.sql import (
    COLUMN_OF,
    Bounds,
    Queryable,
    Row,
    Where,
    filtered,
    in_currency,
    in_ledger_during,
    month_of,
)
from sinks.months import FACETS, OF_THIS_LEDGER, valid
from streams.facts import Millis

_PLAIN: Final = "term_start IS NULL"
_UTC: Final = ZoneInfo("UTC")


def plain_sums(
    store: Queryable,
    scope: Scope,
    bounds: Bounds,
    columns: Sequence[str] = (),
    lines: Sequence[str] | None = None,
) -> list[Row]:
    """Return what the entries that are not spread add up to: `line`, the columns, `total`.

    Currency and filters are the scope's; the range is `bounds`. Only of `lines`, if they are given.
    """
    where = filtered(in_currency(Where(), scope.currency), scope)
    if lines is not None:
        where = where.also("line IN {lines:Array(String)}", lines=list(lines))
    named = ", ".join(("line", *columns))
    facet = _facet({*columns, *(COLUMN_OF[name] for name in scope.filters())})
    editions = sorted(valid(store)) if facet is not None else []
    editions = [each for each in editions if _within(each.month, bounds)]
    entries = in_ledger_during(where, bounds).also(_PLAIN)
    if not editions:
        return store.query(
            f"SELECT {named}, sum(toInt128(amount_minor)) AS total FROM v_ledger WHERE {entries}"
            f" GROUP BY {named}",
            entries.parameters,
        )
    made = where.also(
        f"facet = {{facet:String}} AND {OF_THIS_LEDGER} AND (month, last_block, blocks)"
        " IN {editions:Array(Tuple(UInt32, UInt64, UInt64))}",
        facet=facet,
        editions=[(each.month, each.last_block, each.blocks) for each in editions],
    )
    months = [each.month for each in editions]
    rest = entries.also("month NOT IN {months:Array(UInt32)}", months=months)
    return store.query(
        f"SELECT {named}, sum(part) AS total FROM ("
        f"SELECT {named}, amount_minor AS part FROM v_rollup_monthly WHERE {made}"
        f" UNION ALL SELECT {named}, toInt128(amount_minor) AS part FROM v_ledger WHERE {rest}"
        f") GROUP BY {named}",
        {**made.parameters, **rest.parameters},
    )


def _facet(columns: set[str]) -> str | None:
    """Return the first facet that has all these columns; None if none has."""
    for name, kept in FACETS.items():
        if columns <= set(kept):
            return name
    return None


def _within(month: int, bounds: Bounds) -> bool:
    """Return whether a whole month of UTC (YYYYMM) lies in the bounds."""
    first, end = whole_months(bounds)
    return (first is None or month >= first) and (end is None or month < end)


def whole_months(bounds: Bounds) -> tuple[int | None, int | None]:
    """Return the first whole month of UTC (YYYYMM) in the bounds, and the one after the last."""
    first, end = (None if at is None else month_of(at) for at in (bounds.start, bounds.end))
    if first is not None and month_start(first) != bounds.start:
        first = first + 1 if first % 100 < 12 else first + 89
    return first, end


def month_start(month: int) -> Millis:
    """Return when a month of UTC (YYYYMM) begins."""
    return first_instant(date(month // 100, month % 100, 1), _UTC)
