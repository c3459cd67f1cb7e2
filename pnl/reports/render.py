"""A report as text in the format asked for: table, json or csv."""

from typing import Final, Literal, TypeAlias

from pnl.reports.definitions import STATEMENT
from pnl.reports.evidence import ContactExplained, OrderExplained
from pnl.reports.model import ContactsReport, Statement
from pnl.reports.render_csv import contacts_csv, statement_csv
from pnl.reports.render_json import contact_json, contacts_json, dumps, order_json, statement_json
from pnl.reports.render_table import (
    contact_table,
    contacts_table,
    order_table,
    statement_table,
)
from pnl.reports.sheet import Sheet, SheetReport
from pnl.reports.sheet_json import define_json, sheet_csv, sheet_json
from pnl.reports.sheet_text import define_text, sheet_table

Format: TypeAlias = Literal["table", "json", "csv"]
Binary: TypeAlias = Literal["parquet", "xlsx"]
BINARY: Final[tuple[Binary, ...]] = ("parquet", "xlsx")


def render_statement(statement: Statement, shown: Format) -> str:
    """Return the statement as text, without a final line break."""
    if shown == "json":
        return dumps(statement_json(statement))
    if shown == "csv":
        return statement_csv(statement).rstrip("\n")
    return statement_table(statement)


def render_contacts(report: ContactsReport, shown: Format) -> str:
    """Return revenue per contact as text, without a final line break."""
    if shown == "json":
        return dumps(contacts_json(report))
    if shown == "csv":
        return contacts_csv(report).rstrip("\n")
    return contacts_table(report)


def render_sheet(sheet: Sheet, report: SheetReport | None, shown: Format) -> str:
    """Return a sheet as text, without a final line break."""
    if shown == "json":
        return dumps(sheet_json(sheet, report))
    if shown == "csv":
        return sheet_csv(sheet).rstrip("\n")
    return sheet_table(sheet)


def file_of(sheet: Sheet, report: SheetReport | None, shown: Binary) -> bytes:
    """Return a sheet as the bytes of a file; the libraries are loaded when they are needed."""
    if shown == "xlsx":
        from pnl.reports.sheet_xlsx import workbook

        return workbook(sheet, report)
    from pnl.reports.sheet_parquet import parquet

    return parquet(sheet, report)


def render_definitions(sheet: Sheet, report: SheetReport | None, shown: Format) -> str:
    """Return what the columns of a sheet mean."""
    if shown == "json":
        return dumps(define_json(report, sheet))
    return define_text(report, sheet)


def render_lines(shown: Format) -> str:
    """Return what the lines, totals and memo of the statement mean."""
    if shown == "json":
        return dumps({"report": "statement", "lines": dict(STATEMENT)})
    return "\n\n".join(f"{name}\n  {meaning}" for name, meaning in STATEMENT.items())


def render_order(order: OrderExplained, shown: Literal["table", "json"], timezone: str) -> str:
    """Return an explained order as text, without a final line break."""
    return dumps(order_json(order)) if shown == "json" else order_table(order, timezone)


def render_contact(
    contact: ContactExplained, shown: Literal["table", "json"], currency: str, timezone: str
) -> str:
    """Return an explained contact as text, without a final line break."""
    if shown == "json":
        return dumps(contact_json(contact, currency))
    return contact_table(contact, currency, timezone)
