"""Reports as CSV: for spreadsheets, and for programs that read them.

Law: every row says by itself what it is about: currency, range, zone, *as of* and filters are
columns, so rows of several files can be laid together. Money is a decimal string. Text that a
spreadsheet would take for a formula is quoted with an apostrophe; numbers are not text.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from pnl.reports.model import ContactsReport, ContactsRow, Interval, Key, Scope, Statement
from pnl.reports.money_text import decimal_text
from pnl.reports.period import rfc3339
from streams.facts import Millis

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_HEAD = ("currency", "from", "to", "timezone", "as_of", "filters")


def text_cell(text: str) -> str:
    """Return text as a cell that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(_FORMULA) else text


def statement_csv(statement: Statement) -> str:
    """Return a row per line, group, total, memo and figure of the reconciliation.

    `section` tells them apart: only the rows `line` add up to the totals.
    """
    currency = statement.scope.currency
    rows: list[dict[str, str]] = []
    for line in statement.lines:
        about = {"name": line.line, "title": line.title, "basis": line.basis}
        rows.append(
            {"section": "line", "amount": decimal_text(line.amount_minor, currency)} | about
        )
        rows += [
            {"section": "group", "amount": decimal_text(group.amount_minor, currency)}
            | about
            | _key(group.key)
            for group in line.groups
        ]
    for total in statement.totals:
        amount = decimal_text(total.amount_minor, currency)
        rows.append(
            {"section": "total", "name": total.total, "title": total.title, "amount": amount}
        )
    for memo in statement.memo:
        value = "" if memo.value is None else str(memo.value)
        if memo.value is not None and memo.unit == "amount_minor":
            value = decimal_text(memo.value, currency)
        unit = "amount" if memo.unit == "amount_minor" else memo.unit
        rows.append({"section": "memo", "name": memo.memo, "title": memo.title, unit: value})
    rows += _estimated(statement)
    facts = statement.reconciliation
    for name, amount_minor in (
        ("orders", facts.orders_minor),
        ("refunds", facts.refunds_minor),
        ("adjustments", facts.adjustments_minor),
        ("net", facts.net_minor),
    ):
        amount = decimal_text(amount_minor, currency)
        rows.append({"section": "reconciliation", "name": name, "amount": amount})
    for cost in statement.unbooked:
        amount = decimal_text(cost.amount_minor, currency)
        rows.append({"section": "unbooked", "name": text_cell(cost.kind), "amount": amount})
    if statement.payroll is not None:
        for name, minor in (
            ("paid", statement.payroll.paid_minor),
            ("in_lines", statement.payroll.in_lines_minor),
        ):
            amount = decimal_text(minor, currency)
            rows.append({"section": "payroll", "name": name, "amount": amount})
    columns = (
        *("section", "name", "title", "basis", *statement.by),
        *("amount", "amount_low", "amount_high", "ppm", "count"),
    )
    return _written(columns, rows, _head(statement.scope, statement.timezone, statement.as_of))


def _estimated(statement: Statement) -> Iterable[dict[str, str]]:
    """Yield a row for each estimate and its groups; figures empty where they cannot be told."""
    currency = statement.scope.currency

    def figures(value: Interval | None) -> dict[str, str]:
        if value is None:
            return {}
        return {
            "amount": decimal_text(value.amount_minor, currency),
            "amount_low": decimal_text(value.low_minor, currency),
            "amount_high": decimal_text(value.high_minor, currency),
        }

    for each in statement.estimates:
        about = {"name": each.line, "title": each.title, "basis": "estimated"}
        yield {"section": "estimate", **about, **figures(each.value)}
        for group in each.groups:
            yield {"section": "estimate_group", **about, **_key(group.key), **figures(group.value)}


def contacts_csv(report: ContactsReport) -> str:
    """Return a row per key; their total is left to the reader, so that columns can be summed."""
    columns = (
        *report.by,
        *("handled", "abandoned", "net_credit", "fee", "cost", "revenue_per_contact"),
        "matured_ppm",
    )
    rows = [_contacts_row(row, report.scope.currency) for row in report.rows]
    return _written(columns, rows, _head(report.scope, report.timezone, report.as_of))


def _contacts_row(row: ContactsRow, currency: str) -> dict[str, str]:
    per_contact = row.revenue_per_contact_minor
    return _key(row.key) | {
        "handled": str(row.handled),
        "abandoned": str(row.abandoned),
        "net_credit": decimal_text(row.net_credit_minor, currency),
        "fee": decimal_text(row.fee_minor, currency),
        "cost": decimal_text(row.cost_minor, currency),
        "revenue_per_contact": "" if per_contact is None else decimal_text(per_contact, currency),
        "matured_ppm": "" if row.matured_ppm is None else str(row.matured_ppm),
    }


def _key(key: Key) -> dict[str, str]:
    return {name: text_cell(value) for name, value in key}


def _head(scope: Scope, timezone: str, as_of: Millis | None) -> dict[str, str]:
    filters = ";".join(f"{name}={','.join(values)}" for name, values in scope.filters().items())
    return {
        "currency": scope.currency,
        "from": "" if scope.start is None else scope.start.isoformat(),
        "to": "" if scope.end is None else scope.end.isoformat(),
        "timezone": timezone,
        "as_of": "" if as_of is None else rfc3339(as_of),
        "filters": text_cell(filters),
    }


def _written(
    columns: Sequence[str], rows: Iterable[Mapping[str, str]], head: Mapping[str, str]
) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, (*columns, *_HEAD), restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, **head})
    return out.getvalue()
