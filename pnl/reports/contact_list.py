"""The list of chains, sorted and paged by the store.

Law: pages follow each other by keyset, (sort value, contact_id, customer_id), so no row is shown
twice or skipped when others arrive.
"""

from collections.abc import Mapping
from typing import Final

from pnl.reports.cohort import chains_of, with_money
from pnl.reports.cursor import read_cursor, write_cursor
from pnl.reports.model import BadRequest, ContactListPage, ContactListRow, Scope
from pnl.reports.sql import Queryable, Row, Where, bounds_of
from processors.policy import Policy
from streams.facts import Millis

SORTS: Final[Mapping[str, str]] = {
    "ended": "toUnixTimestamp64Milli(ended_at)",
    "handle": "talk_ms + hold_ms + wrap_ms",
    "cost": "toInt64(cost)",
    "credit": "toInt64(credit)",
}
_PLACE: Final = ("sort_value", "contact_id", "customer_id")
ROWS_MAX: Final = 1000

LIST_COLUMNS: Final = (
    "contact_id, customer_id, identified, handled, abandoned, outcome, legs, channel, direction,"
    " kind, queue, team, agent_id, reason, case_id, talk_ms, hold_ms, wrap_ms, wait_ms,"
    " started_at, ended_at, matures_at"
)
SHOWN: Final = (
    "*, toUnixTimestamp64Milli(started_at) AS started_ms,"
    " toUnixTimestamp64Milli(ended_at) AS ended_ms,"
    " toUnixTimestamp64Milli(matures_at) AS matures_ms"
)


def contact_list(
    store: Queryable,
    policy: Policy,
    as_of: Millis | None,
    scope: Scope,
    sort: str = "-ended",
    cursor: str | None = None,
    rows: int = 50,
) -> ContactListPage:
    """Return a page of the chains of a scope. `sort`: ended, handle, cost, credit, or "-" + it."""
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise BadRequest(f"Contacts sort by {', '.join(SORTS)}, or - before it; not by {sort!r}.")
    if not 1 <= rows <= ROWS_MAX:
        raise BadRequest(f"A page has 1 to {ROWS_MAX} rows, not {rows}.")
    where = chains_of(scope, bounds_of(scope.start, scope.end, policy.zone))
    chains, parameters = with_money(where, scope, LIST_COLUMNS, policy.currency)
    after = _after(sort, cursor)
    direction = "DESC" if sort.startswith("-") else "ASC"
    order = ", ".join(f"{column} {direction}" for column in _PLACE)
    sql = (
        f"SELECT {SHOWN} FROM (SELECT *, {SORTS[name]} AS sort_value FROM ({chains}))"
        f" WHERE {after} ORDER BY {order} LIMIT {{rows:UInt32}}"
    )
    found = store.query(sql, {**parameters, **after.parameters, "rows": rows + 1})
    last = found[rows - 1] if len(found) > rows else None
    return ContactListPage(
        rows=tuple(list_row(row, as_of) for row in found[:rows]),
        sort=sort,
        next_cursor=None
        if last is None
        else write_cursor(last["sort_value"], last["contact_id"], last["customer_id"]),
        total=_count(store, where),
        as_of=as_of,
    )


def _after(sort: str, cursor: str | None) -> Where:
    """Return the condition for what comes after a cursor."""
    if cursor is None:
        return Where()
    value, contact_id, customer_id = read_cursor(cursor, (int, str, str))
    return Where().also(
        f"({', '.join(_PLACE)}) {'<' if sort.startswith('-') else '>'}"
        " ({after:Int64}, {after_id:String}, {after_customer:String})",
        after=value,
        after_id=contact_id,
        after_customer=customer_id,
    )


def _count(store: Queryable, where: Where) -> int:
    (row,) = store.query(f"SELECT count() AS n FROM v_contacts WHERE {where}", where.parameters)
    return int(row["n"])


def list_row(row: Row, as_of: Millis | None) -> ContactListRow:
    """Return a row of the list from a row of the store."""
    return ContactListRow(
        contact_id=row["contact_id"],
        customer_id=row["customer_id"],
        identified=row["identified"],
        started_at=row["started_ms"],
        ended_at=row["ended_ms"],
        queue=row["queue"],
        team=row["team"],
        agent=row["agent_id"],
        channel=row["channel"],
        reason=row["reason"],
        kind=row["kind"],
        direction=row["direction"],
        handle_ms=row["talk_ms"] + row["hold_ms"] + row["wrap_ms"],
        wait_ms=row["wait_ms"],
        handled=row["handled"],
        abandoned=row["abandoned"],
        outcome=row["outcome"],
        legs=row["legs"],
        cost_minor=row["cost"],
        fee_minor=row["fee"],
        net_credit_minor=row["credit"],
        mature=as_of is not None and row["matures_ms"] <= as_of,
        case_id=row["case_id"],
    )
