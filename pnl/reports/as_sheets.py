"""The statement and revenue per contact as sheets: for formats that are tables and nothing else.

Law: the same figures as everywhere. In the statement's sheet `section` tells the rows apart: only
the rows `line` add up to the totals.
"""

from typing import Final

from pnl.reports.as_reported import is_period
from pnl.reports.model import ContactsReport, ContactsRow, Interval, Key, Statement
from pnl.reports.sheet import Row, Sheet, SheetColumn, is_provisional

_TITLES: Final = {"agent": "Agent", "product_class": "Product class", "contact": "Contact"}


def key_columns(by: tuple[str, ...]) -> tuple[SheetColumn, ...]:
    """Return the columns of dimensions."""
    return tuple(
        SheetColumn(name, _TITLES.get(name, name.replace("_", " ").capitalize()), "text")
        for name in by
    )


def statement_sheet(statement: Statement) -> Sheet:
    """Return a row per line, group, total, memo and figure of the reconciliation."""
    by = statement.by
    columns = (
        SheetColumn("section", "Section", "text"),
        SheetColumn("name", "Name", "text"),
        SheetColumn("title", "Title", "text"),
        SheetColumn("basis", "Basis", "text"),
        *key_columns(by),
        SheetColumn("amount_minor", "Amount", "amount_minor"),
        SheetColumn("amount_minor_low", "95 % from", "amount_minor"),
        SheetColumn("amount_minor_high", "95 % to", "amount_minor"),
        SheetColumn("share_ppm", "Share", "ppm"),
        SheetColumn("count", "Count", "count"),
        SheetColumn("note", "Note", "text"),
    )
    plain = tuple("" for _ in by)
    rows: list[Row] = []
    for line in statement.lines:
        about = (line.line, line.title, line.basis)
        rows.append(("line", *about, *plain, line.amount_minor, *[None] * 4, line.note))
        rows += [
            ("group", *about, *_values(each.key), each.amount_minor, *[None] * 4, "")
            for each in line.groups
        ]
    for total in statement.totals:
        rows.append(
            ("total", total.total, total.title, "", *plain, total.amount_minor, *[None] * 4, "")
        )
    for guess in statement.estimates:
        which = (guess.line, guess.title, "estimated")
        rows.append(("estimate", *which, *plain, *_interval(guess.value), None, None, guess.note))
        rows += [
            ("estimate_group", *which, *_values(each.key), *_interval(each.value), None, None, "")
            for each in guess.groups
        ]
    for memo in statement.memo:
        amount, ppm, count = (
            memo.value if memo.unit == unit else None for unit in ("amount_minor", "ppm", "count")
        )
        figures = (amount, None, None, ppm, count)
        rows.append(("memo", memo.memo, memo.title, "", *plain, *figures, memo.note))
    facts = statement.reconciliation
    for name, amount in (
        ("orders", facts.orders_minor),
        ("refunds", facts.refunds_minor),
        ("adjustments", facts.adjustments_minor),
        ("net", facts.net_minor),
    ):
        rows.append(("reconciliation", name, "", "", *plain, amount, *[None] * 4, ""))
    rows += [
        ("unbooked", each.kind, "", "", *plain, each.amount_minor, *[None] * 4, "")
        for each in statement.unbooked
    ]
    return Sheet(
        report="statement",
        title="Statement",
        scope=statement.scope,
        timezone=statement.timezone,
        as_of=statement.as_of,
        by=by,
        columns=columns,
        rows=tuple(rows),
        provisional=statement.closed_at is None
        if is_period(statement.scope)
        else is_provisional(statement.scope, statement.as_of, statement.timezone),
    )


def _values(key: Key) -> tuple[str, ...]:
    return tuple(value for _, value in key)


def _interval(value: Interval | None) -> tuple[int | None, int | None, int | None]:
    return (None,) * 3 if value is None else (value.amount_minor, value.low_minor, value.high_minor)


def contacts_sheet(report: ContactsReport) -> Sheet:
    """Return revenue per contact: a row per key, and the total."""
    columns = (
        *key_columns(report.by),
        SheetColumn("handled", "Handled", "count", "DEF-HANDLED"),
        SheetColumn("abandoned", "Abandoned", "count", "DEF-HANDLED"),
        SheetColumn("net_credit_minor", "Net credit", "amount_minor", "DEF-RPC", "booked"),
        SheetColumn("fee_minor", "Fee", "amount_minor", "RUL-FEE", "booked"),
        SheetColumn("cost_minor", "Cost", "amount_minor", "RUL-RPC", "standard"),
        SheetColumn("revenue_per_contact_minor", "Per contact", "amount_minor", "DEF-RPC"),
        SheetColumn("matured_ppm", "Matured", "ppm", "DEF-MATURE"),
    )
    return Sheet(
        report="contacts",
        title="Revenue per handled contact",
        scope=report.scope,
        timezone=report.timezone,
        as_of=report.as_of,
        by=report.by,
        columns=columns,
        rows=tuple((*(value for _, value in row.key), *_figures(row)) for row in report.rows),
        total=(*("" for _ in report.by), *_figures(report.total)),
        provisional=is_provisional(report.scope, report.as_of, report.timezone),
    )


def _figures(row: ContactsRow) -> Row:
    return (
        row.handled,
        row.abandoned,
        row.net_credit_minor,
        row.fee_minor,
        row.cost_minor,
        row.revenue_per_contact_minor,
        row.matured_ppm,
    )
