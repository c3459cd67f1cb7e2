"""The statement and the cohorts of days in one currency, from entries of all (DEF-FX).

Law: a figure of which any entry has no rate is null, and says how many; the others are sums of
entries converted one by one. Rounding each by itself can leave credits + unattributed some minor
units from net revenue: that difference is stated, not hidden.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pnl.reports.accrual import SPREAD_LINES, earned_days
from pnl.reports.as_sheets import contacts_sheet, key_columns
from pnl.reports.catalogue import sheet_report
from pnl.reports.cohort import CHAIN_COST_LINES, chains_of
from pnl.reports.contacts import contacts
from pnl.reports.fx import ConvertedLedger
from pnl.reports.model import BadRequest, Scope, Statement
from pnl.reports.sheet import Asking, Row, Sheet, SheetColumn
from pnl.reports.sql import (
    Bounds,
    Queryable,
    Where,
    bounds_of,
    dimension_columns,
    during,
    filtered,
    in_ledger_during,
)
from pnl.reports.statement import statement
from processors.policy import Policy
from processors.results import ADJUSTMENT, NET, ORPHAN, UNATTRIBUTED
from processors.statement import LINE, ORDER_LINES
from streams.facts import Millis

_MEMO_LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "M1": (UNATTRIBUTED, ORPHAN),
    "M2": (NET,),
    "M3": (NET, *ORDER_LINES),
    "M5": SPREAD_LINES,
    "M8": (ORPHAN,),
    "M9": (ADJUSTMENT,),
}
"""Of which lines a memo is made; the others of the memo are no money."""
_ALL: Final = ()
ROWS_MAX: Final = 1_000_000
Key = tuple[str, ...]
NO_RATE_OF_ORDERS: Final = (
    "{count:,} orders have no rate for their day: all amounts are null; see `pnl rates list`."
)
NO_RATE: Final = "{count:,} entries have no rate for their day: {what}; see `pnl rates list`."


@dataclass(frozen=True, slots=True)
class _Unrated:
    """How many entries have no rate: by line and key, and by line of the whole company."""

    by_key: Mapping[tuple[str, Key], int]
    company: Mapping[str, int]

    def of(self, line: str, key: Key = _ALL) -> int:
        return sum(
            count
            for (name, each), count in self.by_key.items()
            if name == line and key in (_ALL, each)
        )


def converted_statement(
    store: Queryable, policy: Policy, as_of: Millis | None, scope: Scope, by: tuple[str, ...]
) -> Sheet:
    """Return the statement in the scope's currency, from the entries of every currency."""
    ours = ConvertedLedger(store, scope.currency, policy.timezone)
    found = statement(ours, policy, as_of, scope, by)
    columns = dimension_columns(by)
    bounds = bounds_of(scope.start, scope.end, policy.zone)
    unrated = _Unrated(
        _count_unrated(ours, policy, as_of, scope, bounds, columns),
        {
            line: count
            for (line, _), count in _count_unrated(
                ours, policy, as_of, Scope(currency=scope.currency), bounds, ()
            ).items()
        },
    )
    rows = [*_line_rows(found, unrated), *_memo_rows(found, unrated)]
    rows.append(_difference(ours, scope, bounds, by))
    rounding = found.bridge.net_minor - _arrived(found)
    notes = ["Every entry is converted by itself at the rate of its order's day, half to even."]
    if rounding:
        notes.append(f"Rounding leaves the way from A to M2 {rounding} minor units short.")
    missing = sum(unrated.company.values())
    if missing:
        notes.append(NO_RATE.format(count=missing, what="figures that hold one are null"))
    asking = Asking(store=ours, policy=policy, as_of=as_of, scope=scope, by=by)
    shown = (
        SheetColumn("section", "Section", "text"),
        SheetColumn("name", "Name", "text"),
        SheetColumn("title", "Title", "text"),
        SheetColumn("basis", "Basis", "text"),
        *key_columns(by),
        SheetColumn("amount_minor", "Amount", "amount_minor", "DEF-FX"),
        SheetColumn("share_ppm", "Share", "ppm"),
        SheetColumn("unrated", "Without a rate", "count", "DEF-FX"),
    )
    title = f"Statement in {scope.currency}"
    return asking.sheet("statement", title, shown, rows, notes=notes, label="converted")


def _arrived(found: Statement) -> int:
    bridge = found.bridge
    arrived = bridge.a_minor - bridge.fees_minor + bridge.deferred_minor
    return arrived + bridge.unattributed_minor + bridge.adjustments_minor


def _count_unrated(
    ours: Queryable,
    policy: Policy,
    as_of: Millis | None,
    scope: Scope,
    bounds: Bounds,
    columns: Sequence[str],
) -> dict[tuple[str, Key], int]:
    """Return how many entries of the range, or with a term that touches it, have no rate."""
    named = ", ".join(("line", *columns))
    plain = in_ledger_during(filtered(Where(), scope), bounds).also(
        "unrated AND term_start IS NULL"
    )
    found = ours.query(
        f"SELECT {named}, count() AS n FROM v_ledger WHERE {plain} GROUP BY {named}",
        plain.parameters,
    )
    days = earned_days(scope, as_of, policy)
    if days is not None:
        spread = filtered(Where(), scope).also(
            "unrated AND term_start < {day_end:Int64} AND term_end > {day_first:Int64}",
            day_end=days.end,
            day_first=days.start,
        )
        found += ours.query(
            f"SELECT {named}, count() AS n FROM v_ledger WHERE {spread} GROUP BY {named}",
            spread.parameters,
        )
    counts: dict[tuple[str, Key], int] = {}
    for row in found:
        key = (row["line"], tuple(row[name] for name in columns))
        counts[key] = counts.get(key, 0) + row["n"]
    return counts


def _line_rows(found: Statement, unrated: _Unrated) -> list[Row]:
    plain = ("",) * len(found.by)
    rows: list[Row] = []
    for line in found.lines:
        about = (line.line, line.title, line.basis)
        missing = unrated.of(line.line)
        amount = None if missing else line.amount_minor
        rows.append(("line", *about, *plain, amount, None, missing))
        keys = {tuple(value for _, value in group.key): group.amount_minor for group in line.groups}
        if found.by:
            lost = {key for name, key in unrated.by_key if name == line.line}
            for key in sorted(keys.keys() | lost):
                absent = unrated.of(line.line, key)
                shown = None if absent else keys.get(key, 0)
                rows.append(("group", *about, *key, shown, None, absent))
    for total in found.totals:
        of = [name for name in LINE if total.total in (LINE[name].total, "booked_result")]
        missing = sum(unrated.of(name) for name in of)
        amount = None if missing else total.amount_minor
        rows.append(("total", total.total, total.title, "", *plain, amount, None, missing))
    return rows


def _memo_rows(found: Statement, unrated: _Unrated) -> list[Row]:
    plain = ("",) * len(found.by)
    rows: list[Row] = []
    for memo in found.memo:
        if memo.memo in _MEMO_LINES:
            missing = sum(unrated.company.get(line, 0) for line in _MEMO_LINES[memo.memo])
            value = None if missing else memo.value
            amount = value if memo.unit == "amount_minor" else None
            share = value if memo.unit == "ppm" else None
            rows.append(("memo", memo.memo, memo.title, "", *plain, amount, share, missing))
    return rows


def _difference(ours: Queryable, scope: Scope, bounds: Bounds, by: tuple[str, ...]) -> Row:
    """Return what refunds would come to at their own days' rates, less what they came to."""
    where = in_ledger_during(filtered(Where(), scope), bounds).also("line = 'A5'")
    (row,) = ours.query(
        "SELECT sum(toInt128(own_day_minor) - toInt128(amount_minor)) AS difference,"
        " countIf(unrated OR own_day_unrated) AS n"
        f" FROM v_ledger WHERE {where}",
        where.parameters,
    )
    title = "Exchange difference of refunds (treasury's, in no total)"
    amount = None if row["n"] else int(row["difference"] or 0)
    return ("fx", "exchange_difference", title, "", *("",) * len(by), amount, None, row["n"])


def converted_cohort(
    store: Queryable, policy: Policy, scope: Scope, make: Callable[[Queryable, Policy], Sheet]
) -> Sheet:
    """Return a sheet whose money is that of chains that ended in the scope, converted.

    If any of their entries has no rate, every amount of it is null, and a note counts them.
    """
    ours = ConvertedLedger(store, scope.currency, policy.timezone)
    # The chains' records hold amounts as they were booked; without a reporting currency of its
    # own the cohort is made from the ledger.
    sheet = make(ours, replace(policy, currency=""))
    chains = chains_of(scope, bounds_of(scope.start, scope.end, policy.zone))
    (row,) = ours.query(
        "SELECT count() AS n FROM v_ledger WHERE unrated"
        " AND line IN {money_lines:Array(String)}"
        f" AND contact_id IN (SELECT contact_id FROM v_contacts WHERE {chains})",
        {**chains.parameters, "money_lines": [*ORDER_LINES, *CHAIN_COST_LINES]},
    )
    notes = (*sheet.notes, "Every entry is converted at the rate of its order's day.")
    if row["n"]:
        notes = (*notes, NO_RATE.format(count=row["n"], what="all amounts are null"))
        sheet = _without_money(sheet)
    return replace(sheet, notes=notes, label=sheet.label or "converted")


def converted_orders(asking: Asking, make: Callable[[Queryable, Policy], Sheet]) -> Sheet:
    """Return a sheet whose money is that of orders placed in the scope, converted.

    If any of them has no rate, every amount of it is null, and a note counts them.
    """
    ours = ConvertedLedger(asking.store, asking.scope.currency, asking.policy.timezone)
    sheet = make(ours, asking.policy)
    where = during(Where(("unrated",)), "occurred_at", asking.bounds)
    (row,) = ours.query(f"SELECT count() AS n FROM v_attributions WHERE {where}", where.parameters)
    notes = (*sheet.notes, "Every credit is converted at the rate of its order's day.")
    if row["n"]:
        notes = (*notes, NO_RATE_OF_ORDERS.format(count=row["n"]))
        sheet = _without_money(sheet)
    return replace(sheet, notes=notes, label=sheet.label or "converted")


def _without_money(sheet: Sheet) -> Sheet:
    money = [column.unit == "amount_minor" for column in sheet.columns]

    def hidden(row: Row) -> Row:
        return tuple(None if is_money else cell for is_money, cell in zip(money, row, strict=True))

    total = None if sheet.total is None else hidden(sheet.total)
    return replace(sheet, rows=tuple(hidden(row) for row in sheet.rows), total=total)


def converted_report(name: str, asking: Asking) -> Sheet:
    """Return a report in the scope's currency. BadRequest if it is made in one currency only."""
    store, policy, scope = asking.store, asking.policy, asking.scope
    if name == "statement":
        return converted_statement(store, policy, asking.as_of, scope, asking.by)
    if name == "contacts":
        by = asking.by or ("queue",)

        def listed(store: Queryable, policy: Policy) -> Sheet:
            return contacts_sheet(contacts(store, policy, asking.as_of, scope, by, None, ROWS_MAX))

        return converted_cohort(store, policy, scope, listed)
    report = sheet_report(name)
    if not report.converts:
        raise BadRequest(f"{name} is made in one currency: it takes no --convert.")

    def made(store: Queryable, policy: Policy) -> Sheet:
        return report.asked(replace(asking, store=store, policy=policy))

    if report.converts == "orders":
        return converted_orders(asking, made)
    return converted_cohort(store, policy, scope, made)
