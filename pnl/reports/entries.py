"""Ledger entries as they are shown: with cause, source, and what of them a range counts.

Law: the entries behind a line and a range are all that the line counts there: their
`counted_minor` add up to its amount.
"""

from collections.abc import Mapping
from typing import Final

from pnl.reports.accrual import (
    RANGE_EARNED,
    SPREAD_LINES,
    TERM_LENGTH,
    Days,
    earned_days,
    spread_entries,
)
from pnl.reports.cursor import read_cursor, write_cursor
from pnl.reports.evidence import CauseRef, EntriesPage, ExplainedEntry, Source
from pnl.reports.model import BadRequest, Scope
from pnl.reports.period import date_of
from pnl.reports.sql import (
    Bounds,
    Queryable,
    Row,
    Where,
    bounds_of,
    during,
    filtered,
    in_currency,
    in_ledger_during,
)
from processors.policy import Policy
from processors.results import ADJUSTMENT, NET, ORPHAN, PAYROLL, UNATTRIBUTED, UNBOOKED
from processors.statement import LINE_NAMES
from streams.facts import Millis

ENTRY_LINES: Final = (*LINE_NAMES, UNATTRIBUTED, ORPHAN, ADJUSTMENT, NET, PAYROLL, UNBOOKED)
ROWS_MAX: Final = 1000
EXPLAINED_MAX: Final = 10_000
"""No order or chain that a person can read has more entries."""

_COLUMNS: Final = (
    "line, basis, amount_minor, currency, order_id, contact_id, leg_id, customer_id,"
    " product_class, queue, kind, model, note, change, spread_minor, term_start, term_end, cut,"
    " cause_fact, cause_id, cause_revision, src_topic, src_partition, src_offset, batch_id,"
    " policy, log_epoch, log_partition, log_offset, log_position,"
    " toUnixTimestamp64Milli(effective_at) AS effective_ms,"
    " toUnixTimestamp64Milli(booked_at) AS booked_ms"
)
_PLACE: Final = "effective_ms, log_epoch, log_partition, log_offset, log_position"


def entries(
    store: Queryable,
    policy: Policy,
    as_of: Millis | None,
    scope: Scope,
    line: str | None = None,
    cursor: str | None = None,
    rows: int = 50,
) -> EntriesPage:
    """Return a page of the entries that a line (None: any) counts in a scope, newest first."""
    if line is not None and line not in ENTRY_LINES:
        raise BadRequest(f"There is no line {line!r}: the lines are {', '.join(ENTRY_LINES)}.")
    if not 1 <= rows <= ROWS_MAX:
        raise BadRequest(f"A page has 1 to {ROWS_MAX} rows, not {rows}.")
    bounds = bounds_of(scope.start, scope.end, policy.zone)
    where = filtered(in_currency(Where(), scope.currency), scope)
    if line is not None:
        where = where.also("line = {line:String}", line=line)
    counted = "toInt128(amount_minor)"
    if line is not None and line not in SPREAD_LINES:
        where = in_ledger_during(where, bounds)
    else:
        where, counted = _with_terms(where, bounds, earned_days(scope, as_of, policy))
    after = Where()
    if cursor is not None:
        values = read_cursor(cursor, (int, int, int, int, int))
        names = [f"after_{place}" for place in range(len(values))]
        listed = ", ".join(f"{{{name}:Int64}}" for name in names)
        after = after.also(f"({_PLACE}) < ({listed})", **dict(zip(names, values, strict=True)))
    order = ", ".join(f"{name} DESC" for name in _PLACE.split(", "))
    sql = (
        f"SELECT * FROM (WITH {TERM_LENGTH} AS days"
        f" SELECT {_COLUMNS}, {counted} AS counted FROM v_ledger WHERE {where})"
        f" WHERE {after} ORDER BY {order} LIMIT {{rows:UInt32}}"
    )
    parameters = {**where.parameters, **after.parameters, "rows": rows + 1}
    found = store.query(sql, parameters)
    last = found[rows - 1] if len(found) > rows else None
    return EntriesPage(
        entries=tuple(_entry(row, row["counted"]) for row in found[:rows]),
        next_cursor=None
        if last is None
        else write_cursor(*(last[name] for name in _PLACE.split(", "))),
    )


def _with_terms(where: Where, bounds: Bounds, days: Days | None) -> tuple[Where, str]:
    """Widen the range to terms with days in it; return what of an amount counts."""
    plain = during(Where(("term_start IS NULL",)), "effective_at", bounds)
    if days is None:
        return where.also(str(plain), **plain.parameters), "toInt128(amount_minor)"
    spread = spread_entries()
    days_in_range = (
        f"{spread} AND ifNull(cut, assumeNotNull(term_start)) < {{day_end:Int64}}"
        " AND term_end > {day_first:Int64}"
    )
    where = where.also(
        f"(({plain}) OR ({days_in_range}))",
        **plain.parameters,
        **spread.parameters,
        day_first=days.start,
        day_end=days.end,
    )
    return where, f"if(term_start IS NULL, toInt128(amount_minor), {RANGE_EARNED})"


def entries_where(
    store: Queryable, condition: str, parameters: Mapping[str, object]
) -> tuple[ExplainedEntry, ...]:
    """Return all entries of an order or a chain, in the order in which they were booked."""
    sql = (
        f"SELECT {_COLUMNS} FROM v_ledger WHERE {condition}"
        " ORDER BY booked_ms, log_epoch, log_partition, log_offset, log_position"
        " LIMIT {explained_max:UInt32}"
    )
    rows = store.query(sql, {**parameters, "explained_max": EXPLAINED_MAX})
    return tuple(_entry(row, row["amount_minor"]) for row in rows)


def _entry(row: Row, counted_minor: int) -> ExplainedEntry:
    term = None
    if row["term_start"] is not None:
        term = (date_of(row["term_start"]), date_of(row["term_end"]))
    return ExplainedEntry(
        line=row["line"],
        basis=row["basis"],
        amount_minor=row["amount_minor"],
        counted_minor=counted_minor,
        currency=row["currency"],
        effective_at=row["effective_ms"],
        booked_at=row["booked_ms"],
        order_id=row["order_id"],
        contact_id=row["contact_id"],
        leg_id=row["leg_id"],
        customer_id=row["customer_id"],
        product_class=row["product_class"],
        queue=row["queue"],
        kind=row["kind"],
        model=row["model"],
        note=row["note"],
        change=row["change"],
        spread_minor=row["spread_minor"],
        term=term,
        cut=None if row["cut"] is None else date_of(row["cut"]),
        cause=CauseRef(fact=row["cause_fact"], id=row["cause_id"], revision=row["cause_revision"]),
        source=Source(
            topic=row["src_topic"], partition=row["src_partition"], offset=row["src_offset"]
        ),
        batch_id=row["batch_id"],
        policy=row["policy"],
    )
