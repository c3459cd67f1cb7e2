"""A sheet for programs: JSON, CSV, and the JSON Schema that says what they will find.

Law: keys are only ever added. In JSON amounts are integers in minor units of `currency`; in CSV
they are decimal strings in major units and their column loses `_minor`. null, or an empty cell,
is what cannot be known.
"""

import csv
import io
from datetime import date
from typing import Any, Final, TypeAlias

from pnl.reports.definitions import definition_of
from pnl.reports.money_text import decimal_text
from pnl.reports.period import rfc3339
from pnl.reports.render_csv import text_cell
from pnl.reports.sheet import Cell, Row, Sheet, SheetColumn, SheetReport

Json: TypeAlias = dict[str, Any]
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TYPES: Final = {
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "amount_minor": {"type": "integer", "description": "Minor units of `currency`."},
    "ppm": {"type": "integer", "description": "Parts per million."},
    "ms": {"type": "integer", "description": "Milliseconds."},
    "days": {"type": "number", "description": "Days."},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "date-time"},
    "number": {"type": "number"},
}


def sheet_json(sheet: Sheet, report: SheetReport | None = None) -> Json:
    """Return a sheet as JSON: what it is about, its columns, its rows as objects."""
    scope = sheet.scope
    return {
        "report": sheet.report,
        "title": sheet.title,
        "label": sheet.label,
        "from": None if scope.start is None else scope.start.isoformat(),
        "to": None if scope.end is None else scope.end.isoformat(),
        "timezone": sheet.timezone,
        "currency": scope.currency,
        "as_of": None if sheet.as_of is None else rfc3339(sheet.as_of),
        "provisional": sheet.provisional,
        "by": list(sheet.by),
        "filters": {name: list(values) for name, values in scope.filters().items()},
        "options": dict(sheet.options),
        "columns": [_column(column, report) for column in sheet.columns],
        "rows": [_row(sheet, row) for row in sheet.rows],
        "total": None if sheet.total is None else _row(sheet, sheet.total),
        "notes": list(sheet.notes),
    }


def define_json(report: SheetReport | None, sheet: Sheet) -> Json:
    """Return the definitions of a sheet's columns."""
    return {
        "report": sheet.report,
        "title": sheet.title,
        "columns": [_column(column, report) for column in sheet.columns],
    }


def _column(column: SheetColumn, report: SheetReport | None) -> Json:
    return {
        "name": column.name,
        "title": column.title,
        "unit": column.unit,
        "basis": column.basis,
        "definition": column.definition,
        "meaning": definition_of(report, column),
    }


def _row(sheet: Sheet, row: Row) -> Json:
    return {
        column.name: None if cell == "" and column.name in sheet.by else _cell(column, cell)
        for column, cell in zip(sheet.columns, row, strict=True)
    }


def _cell(column: SheetColumn, cell: Cell) -> str | int | float | None:
    if isinstance(cell, date):
        return cell.isoformat()
    if column.unit == "time" and isinstance(cell, int):
        return rfc3339(cell)
    return cell


def plain_name(column: SheetColumn) -> str:
    """Return a column's name in files whose amounts are in major units: without `_minor`."""
    return column.name.replace("_minor", "") if column.unit == "amount_minor" else column.name


def sheet_csv(sheet: Sheet) -> str:
    """Return a row of CSV per row, each saying what it is about; the total is left to the reader.

    A column of the report that is named like one of those that say so (`currency`) wins.
    """
    head = head_cells(sheet)
    names = [plain_name(column) for column in sheet.columns]
    about = [name for name in head if name not in names]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, *about])
    said = [head[name] for name in about]
    for row in sheet.rows:
        cells = [_text(sheet, c, v) for c, v in zip(sheet.columns, row, strict=True)]
        writer.writerow([*cells, *said])
    return out.getvalue()


def head_cells(sheet: Sheet) -> dict[str, str]:
    """Return what a sheet is about, name by name, safe for a spreadsheet."""
    scope = sheet.scope
    filters = ";".join(f"{name}={','.join(values)}" for name, values in scope.filters().items())
    options = ";".join(f"{name}={value}" for name, value in sheet.options)
    return {
        "currency": scope.currency,
        "from": "" if scope.start is None else scope.start.isoformat(),
        "to": "" if scope.end is None else scope.end.isoformat(),
        "timezone": sheet.timezone,
        "as_of": "" if sheet.as_of is None else rfc3339(sheet.as_of),
        "provisional": "yes" if sheet.provisional else "no",
        "filters": text_cell(filters),
        "options": text_cell(options),
        "label": text_cell(sheet.label),
    }


def _text(sheet: Sheet, column: SheetColumn, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return text_cell(cell)
    if column.unit == "amount_minor" and isinstance(cell, int):
        return decimal_text(cell, sheet.scope.currency)
    return str(_cell(column, cell))


def _name(column: SheetColumn) -> str:
    return column.name


def schema(report: SheetReport, *sheets: Sheet) -> Json:
    """Return the JSON Schema of a report, from a sheet of each view: its columns are promised."""
    row = {
        column.name: {
            **_TYPES[column.unit],
            "type": [_TYPES[column.unit]["type"], "null"],
            "title": column.title,
        }
        for sheet in sheets
        for column in sheet.columns
    }
    always = [
        name
        for name in row
        if name not in report.optional and all(name in map(_name, each.columns) for each in sheets)
    ]
    text, flag = {"type": "string"}, {"type": "boolean"}
    day = {"type": ["string", "null"], "format": "date"}
    rows = {"type": "object", "properties": row, "required": always}
    column = {"type": "object", "additionalProperties": text}
    properties: Json = {
        "report": {"const": report.name},
        "title": text,
        "label": text,
        "from": day,
        "to": day,
        "timezone": text,
        "currency": text,
        "as_of": {"type": ["string", "null"], "format": "date-time"},
        "provisional": flag,
        "by": {"type": "array", "items": text},
        "filters": {"type": "object", "additionalProperties": {"type": "array", "items": text}},
        "options": {"type": "object", "additionalProperties": text},
        "columns": {"type": "array", "items": column},
        "rows": {"type": "array", "items": rows},
        "total": {"anyOf": [rows, {"type": "null"}]},
        "notes": {"type": "array", "items": text},
    }
    return {
        "$schema": _DIALECT,
        "$id": f"report-{report.name}.schema.json",
        "title": report.title,
        "description": report.summary,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
