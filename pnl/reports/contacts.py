"""Revenue per contact: by dimensions, by chain, by the day on which the chains ended.

Law: net credit of the chains that ended in the range / handled chains that ended in it,
including chains without orders and of unknown customers; abandoned apart; None if none was
handled (DEF-RPC). A cohort is mature when the longest lookback has passed since its end; before
that its figure is a lower bound (DEF-MATURE).
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

from pnl.reports.cohort import chains_of, with_money
from pnl.reports.cohort_sums import COLUMNS, COUNTED, COUNTED_AS, counted
from pnl.reports.cursor import read_cursor, write_cursor
from pnl.reports.memo import ppm
from pnl.reports.model import (
    CONTACT_DIMENSIONS,
    BadRequest,
    ContactsReport,
    ContactsRow,
    DayPoint,
    Key,
    Scope,
)
from pnl.reports.sql import Queryable, Row, bounds_of, dimension_columns, key_of
from processors.money import divide_half_even
from processors.policy import Policy
from streams.facts import Millis

BY_CONTACT: Final = ("contact",)
INTERVAL_CHAINS_MIN: Final = 30
"""Below this many chains an interval is hidden (DEF-RPC-CI)."""
_Z95: Final = 1.959963984540054


def contacts(
    store: Queryable,
    policy: Policy,
    as_of: Millis | None,
    scope: Scope,
    by: Sequence[str],
    cursor: str | None = None,
    rows: int = 10_000,
) -> ContactsReport:
    """Return revenue per contact by dimensions, or by ("contact",) a page of chains.

    Without dimensions the only row is the total.
    """
    if "product_class" in by:
        raise BadRequest(
            "--by product_class splits what was sold, not contacts: filter by it, or use the"
            " statement."
        )
    found: list[ContactsRow]
    next_cursor = None
    if tuple(by) == BY_CONTACT:
        total = _row((), counted(store, policy, as_of, scope)[0])
        found, next_cursor = _by_chain(store, policy, as_of, scope, cursor, rows)
    else:
        columns = dimension_columns(by, CONTACT_DIMENSIONS)
        each = counted(store, policy, as_of, scope, columns)
        found = [_row(key_of(by, row), row) for row in each]
        total = _row((), {name: sum(row[name] for row in each) for name in COUNTED})
    return ContactsReport(
        scope=scope,
        timezone=policy.timezone,
        as_of=as_of,
        by=tuple(by),
        rows=tuple(found),
        total=total,
        next_cursor=next_cursor,
    )


def _by_chain(
    store: Queryable,
    policy: Policy,
    as_of: Millis | None,
    scope: Scope,
    cursor: str | None,
    rows: int,
) -> tuple[list[ContactsRow], str | None]:
    where = chains_of(scope, bounds_of(scope.start, scope.end, policy.zone))
    chains, parameters = with_money(where, scope, COLUMNS, policy.currency)
    parameters["as_of"] = as_of or 0
    after = ""
    if cursor is not None:
        contact_id, customer_id = read_cursor(cursor, (str, str))
        parameters = {**parameters, "after_id": contact_id, "after_customer": customer_id}
        after = " WHERE (contact_id, customer_id) > ({after_id:String}, {after_customer:String})"
    sql = (
        f"SELECT contact_id, customer_id, {COUNTED_AS} FROM ({chains}){after}"
        " GROUP BY contact_id, customer_id ORDER BY contact_id, customer_id"
        " LIMIT {rows:UInt32}"
    )
    found = store.query(sql, {**parameters, "rows": rows + 1})
    page = found[:rows]
    more = write_cursor(page[-1]["contact_id"], page[-1]["customer_id"]) if found[rows:] else None
    return [_row((("contact", row["contact_id"]),), row) for row in page], more


def _row(key: Key, row: Row) -> ContactsRow:
    handled = row["handled_n"]
    return ContactsRow(
        key=key,
        handled=handled,
        abandoned=row["abandoned_n"],
        chains=row["n"],
        net_credit_minor=row["credit_sum"],
        fee_minor=row["fee_sum"],
        cost_minor=row["cost_sum"],
        revenue_per_contact_minor=per(row["credit_sum"], handled),
        cost_per_contact_minor=per(-row["cost_sum"], handled),
        matured_ppm=ppm(row["matured_n"], handled),
    )


def per(amount_minor: int, count: int) -> int | None:
    """Return an amount per contact, half to even; None if there is none."""
    return None if count == 0 else divide_half_even(amount_minor, count)


def daily(
    store: Queryable, policy: Policy, as_of: Millis | None, scope: Scope
) -> tuple[DayPoint, ...]:
    """Return a point per local day on which a chain of the scope ended, oldest first."""
    return tuple(_point(row) for row in counted(store, policy, as_of, scope, by_day=True))


def _point(row: Row) -> DayPoint:
    handled = row["handled_n"]
    return DayPoint(
        day=row["day"],
        chains=row["n"],
        unidentified=row["unidentified_n"],
        handled=handled,
        abandoned=row["abandoned_n"],
        net_credit_minor=row["credit_sum"],
        cost_minor=row["cost_sum"],
        square_sum=row["square_sum"],
        matured=row["matured_n"],
        mature=row["young_n"] == 0,
        revenue_per_contact_minor=per(row["credit_sum"], handled),
        cost_per_contact_minor=per(-row["cost_sum"], handled),
        ci_minor=half_width(handled, row["credit_sum"], row["square_sum"]),
    )


def half_width(count: int, total: int, square_sum: int) -> int | None:
    """Return the half width of the 95 % interval of a mean, z x s / sqrt(n), in minor units.

    `square_sum` is the sum of the squares. None below 30, where it would say nothing.
    """
    if count < INTERVAL_CHAINS_MIN:
        return None
    # n x (sum of squares) - (sum)^2 is exact in integers; floats come last.
    deviation = max(0, count * square_sum - total * total)
    return round(_Z95 * sqrt(deviation / (count * (count - 1)) / count))
