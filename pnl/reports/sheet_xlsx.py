"""A sheet as a workbook: what it is about, the table, and a second page with the definitions.

The only module that knows xlsxwriter, and it is loaded only when a workbook is asked for.
Law: text is text, whatever it looks like: nothing from the books is ever taken for a formula or a
link. An amount is an exact number; beyond the 15 digits a spreadsheet keeps it is text.
"""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.format import Format  # type: ignore[import-untyped]
from xlsxwriter.workbook import Workbook  # type: ignore[import-untyped]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

from pnl.reports.definitions import definition_of
from pnl.reports.model import BadRequest
from pnl.reports.money_text import decimal_text, exponent
from pnl.reports.period import utc
from pnl.reports.sheet import Cell, Row, Sheet, SheetColumn, SheetReport

ROWS_MAX: Final = 1_000_000
"""A page of a workbook has 1,048,576 rows."""
DIGITS_MAX: Final = 15
TEXT_MAX: Final = 32_767
_PPM: Final = 1_000_000
_WIDTH: Final = 14
_WIDTH_MAX: Final = 48
_OPTIONS: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd",
}
_TITLE_OF: Final = {"ms": " (s)", "days": " (days)"}


def workbook(sheet: Sheet, report: SheetReport | None = None) -> bytes:
    """Return a sheet as the bytes of a workbook; the same sheet gives the same bytes.

    BadRequest: more rows than a workbook can hold.
    """
    if len(sheet.rows) > ROWS_MAX:
        raise BadRequest(
            f"A workbook holds {ROWS_MAX:,} rows, not {len(sheet.rows):,}: take csv or parquet."
        )
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, _OPTIONS) as book:
        made = datetime(1980, 1, 1, tzinfo=UTC) if sheet.as_of is None else utc(sheet.as_of)
        book.set_properties({"title": sheet.title, "created": made.replace(tzinfo=None)})
        _table(book, sheet)
        _definitions(book, sheet, report)
    return out.getvalue()


def _about(sheet: Sheet) -> list[tuple[str, str]]:
    """Return what the block above the table says."""
    scope = sheet.scope
    filters = [
        (f"only {name}", ", ".join(value or "(none)" for value in values))
        for name, values in scope.filters().items()
    ]
    as_of = "no events yet"
    if sheet.as_of is not None:
        as_of = utc(sheet.as_of).astimezone(ZoneInfo(sheet.timezone)).isoformat(" ", "seconds")
    about = [
        ("Label", sheet.label),
        ("From", "" if scope.start is None else scope.start.isoformat()),
        ("To (not included)", "" if scope.end is None else scope.end.isoformat()),
        ("Time zone", sheet.timezone),
        ("Currency", scope.currency),
        ("As of", as_of),
        ("State", "provisional" if sheet.provisional else "not provisional"),
        *filters,
        *((f"with {name}", value) for name, value in sheet.options),
        *(("Note", note) for note in sheet.notes),
    ]
    return [
        (name, value) for name, value in about if value or name in ("From", "To (not included)")
    ]


def _table(book: Workbook, sheet: Sheet) -> None:
    page = book.add_worksheet("Report")
    bold = book.add_format({"bold": True})
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    _text(page, 0, 0, sheet.title, bold)
    place = 1
    for name, value in _about(sheet):
        _text(page, place, 0, name)
        _text(page, place, 1, value or "no limit")
        place += 1
    place += 1
    formats = [_format(book, column, sheet.scope.currency) for column in sheet.columns]
    sums = [_format(book, column, sheet.scope.currency, bold=True) for column in sheet.columns]
    for at, column in enumerate(sheet.columns):
        _text(page, place, at, _title(column), head)
        texts = column.unit == "text"
        widest = max((len(str(row[at])) for row in sheet.rows[:1000]), default=0) if texts else 0
        page.set_column(at, at, min(_WIDTH_MAX, max(_WIDTH, widest + 2)))
    page.freeze_panes(place + 1, 0)
    for row in sheet.rows:
        place += 1
        _row(page, place, row, formats, sheet)
    if sheet.total is not None:
        _row(page, place + 1, sheet.total, sums, sheet)


def _title(column: SheetColumn) -> str:
    basis = f" [{column.basis}]" if column.basis else ""
    return column.title + _TITLE_OF.get(column.unit, "") + basis


def _format(book: Workbook, column: SheetColumn, currency: str, *, bold: bool = False) -> Format:
    digits = exponent(currency)
    shown = {
        "count": "#,##0",
        "amount_minor": "#,##0." + "0" * digits if digits else "#,##0",
        "ppm": "0.00%",
        "ms": "#,##0.000",
        "date": "yyyy-mm-dd",
        "time": "yyyy-mm-dd hh:mm:ss",
    }
    given: dict[str, object] = {"num_format": shown.get(column.unit, "General")}
    if bold:
        given |= {"bold": True, "top": 1}
    if column.basis == "estimated":
        given["italic"] = True
    return book.add_format(given)


def _row(page: Worksheet, place: int, row: Row, formats: list[Format], sheet: Sheet) -> None:
    for at, (column, cell) in enumerate(zip(sheet.columns, row, strict=True)):
        _cell(page, place, at, column, cell, formats[at], sheet)


def _cell(
    page: Worksheet,
    place: int,
    at: int,
    column: SheetColumn,
    cell: Cell,
    shown: Format,
    sheet: Sheet,
) -> None:
    if cell is None:
        page.write_blank(place, at, None, shown)
    elif isinstance(cell, str):
        _text(page, place, at, cell, shown)
    elif isinstance(cell, date):
        page.write_datetime(place, at, datetime(cell.year, cell.month, cell.day), shown)  # noqa: DTZ001 - a spreadsheet's dates have no zone
    elif column.unit == "time":
        local = utc(int(cell)).astimezone(ZoneInfo(sheet.timezone))
        page.write_datetime(place, at, local.replace(tzinfo=None), shown)
    elif column.unit == "ppm":
        page.write_number(place, at, cell / _PPM, shown)
    elif column.unit == "ms":
        page.write_number(place, at, cell / 1000, shown)
    elif column.unit == "amount_minor" and len(str(abs(int(cell)))) <= DIGITS_MAX:
        page.write_number(
            place, at, float(Decimal(decimal_text(int(cell), sheet.scope.currency))), shown
        )
    elif column.unit == "amount_minor":
        _text(page, place, at, decimal_text(int(cell), sheet.scope.currency), shown)
    elif isinstance(cell, int) and len(str(abs(cell))) > DIGITS_MAX:
        _text(page, place, at, str(cell), shown)
    else:
        page.write_number(place, at, cell, shown)


def _text(page: Worksheet, place: int, at: int, text: str, shown: Format | None = None) -> None:
    page.write_string(place, at, text[:TEXT_MAX], shown)


def _definitions(book: Workbook, sheet: Sheet, report: SheetReport | None) -> None:
    page = book.add_worksheet("Definitions")
    bold = book.add_format({"bold": True, "bottom": 1})
    for at, name in enumerate(("Column", "Title", "Unit", "Basis", "Id", "Meaning")):
        _text(page, 0, at, name, bold)
    for place, column in enumerate(sheet.columns, 1):
        told = (column.name, column.title, column.unit, column.basis, column.definition)
        for at, text in enumerate((*told, definition_of(report, column))):
            _text(page, place, at, text)
    page.set_column(0, 1, 24)
    page.set_column(5, 5, 100)
