"""A sheet for people: a table for a terminal, and the definitions of its columns.

Law: an interval reads "a … b" beside its estimate, a share as a percentage, an amount with its
currency's decimals; "-" stands for what cannot be known.
"""

from datetime import date
from typing import Final

from pnl.reports import money_text
from pnl.reports.definitions import definition_of
from pnl.reports.render_table import NONE, moment, period_text
from pnl.reports.sheet import Cell, Row, Sheet, SheetColumn, SheetReport
from pnl.reports.table import RULE, Column, printable, table

UNKNOWN: Final = "-"
_GROUPED_FROM: Final = 1000


def cell_text(column: SheetColumn, cell: Cell, sheet: Sheet, locale: str) -> str:
    """Return a cell as people read it; "-" for None."""
    if cell is None:
        return UNKNOWN
    if isinstance(cell, str):
        return cell if cell or column.name not in sheet.by else NONE
    if isinstance(cell, date):
        return cell.isoformat()
    if column.unit == "amount_minor":
        return money_text.column(int(cell), sheet.scope.currency, locale)
    if column.unit == "ppm":
        return money_text.share(int(cell), locale, 2)
    if column.unit == "ms":
        return ("" if cell >= 0 else money_text.MINUS) + money_text.duration(abs(int(cell)))
    if column.unit == "time":
        return moment(int(cell), sheet.timezone)
    return money_text.count(cell, locale) if isinstance(cell, int) else number_text(cell)


def number_text(value: float) -> str:
    """Return a number that is no money with four digits that matter: `1.234`, `12,346`."""
    shown = f"{abs(value):,.0f}" if abs(value) >= _GROUPED_FROM else f"{abs(value):.4g}"
    return (money_text.MINUS if value < 0 else "") + shown


def interval_text(low: str, high: str) -> str:
    """Return an interval: `3.1 … 4.2`; "-" if there is none."""
    return UNKNOWN if UNKNOWN in (low, high) else f"{low} … {high}"


def sheet_table(sheet: Sheet, locale: str = money_text.LOCALE) -> str:
    """Return a sheet as a table with its head, notes below."""
    intervals = sheet.intervals()
    inner = {place for pair in intervals.values() for place in pair}
    heads: list[Column] = []
    for place, column in enumerate(sheet.columns):
        if place in inner:
            continue
        text = column.unit in ("text", "date", "time")
        heads.append(Column(column.title, "left" if text else "right"))
        if column.name in intervals:
            heads.append(Column("95 % interval", "right"))

    def cells(row: Row) -> tuple[str, ...]:
        shown: list[str] = []
        texts = [cell_text(c, v, sheet, locale) for c, v in zip(sheet.columns, row, strict=True)]
        for place, column in enumerate(sheet.columns):
            if place in inner:
                continue
            shown.append(texts[place])
            if column.name in intervals:
                low, high = intervals[column.name]
                shown.append(interval_text(texts[low], texts[high]))
        return tuple(shown)

    rows = [cells(row) for row in sheet.rows]
    if sheet.total is not None:
        total = cells(sheet.total)
        named = total if total[0] not in (UNKNOWN, NONE) else ("all", *total[1:])
        rows += [*([RULE] if rows else []), named]
    parts = [sheet_head(sheet), table(heads, rows)]
    if not sheet.rows:
        parts.append("Nothing in this scope.")
    if sheet.notes:
        parts.append("\n".join(printable(note) for note in sheet.notes))
    return "\n\n".join(parts)


def sheet_head(sheet: Sheet) -> str:
    """Return what a sheet is about: label, range, zone, currency, *as of*, filters, options."""
    scope = sheet.scope
    as_of = "no events yet" if sheet.as_of is None else moment(sheet.as_of, sheet.timezone)
    about = [f"{period_text(scope)}, {sheet.timezone}, {scope.currency}", f"as of {as_of}"]
    if sheet.provisional:
        about.append("provisional")
    lines = [sheet.title + (f" ({sheet.label})" if sheet.label else ""), "; ".join(about)]
    filters = [f"{name}={','.join(values)}" for name, values in scope.filters().items()]
    if filters:
        lines.append("only " + "; ".join(filters))
    if sheet.options:
        lines.append("with " + ", ".join(f"{name}={value}" for name, value in sheet.options))
    return "\n".join(printable(line) for line in lines)


def define_text(report: SheetReport | None, sheet: Sheet) -> str:
    """Return the definition of every column, one paragraph each."""
    lines = [sheet.title + (f": {report.summary}" if report is not None else "")]
    for column in sheet.columns:
        about = ", ".join(each for each in (column.unit, column.basis, column.definition) if each)
        meaning = definition_of(report, column)
        lines.append(
            f"{column.name}: {column.title} ({about})" + (f"\n  {meaning}" if meaning else "")
        )
    return "\n\n".join(lines)
