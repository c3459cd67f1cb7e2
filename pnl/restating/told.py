"""What a restatement comes to, in words and sheets."""

import json
from typing import Literal

from pnl.errors import UserError
from pnl.reports.sheet import Sheet
from pnl.reports.sheet_json import sheet_csv, sheet_json
from pnl.reports.sheet_text import sheet_table
from pnl.restating.restate import Restatement


def notes_of(done: Restatement) -> tuple[str, ...]:
    """Return the sentences that a reader needs."""
    notes = list(done.differing)
    if done.forgotten:
        notes.append(
            f"{done.forgotten:,} customers have facts that are no longer remembered, or whose path "
            "is not: what these booked stays as it is."
        )
    if any(line == "C1" for _, _, line in done.figures.sums):
        notes.append(
            "C2 and C7 follow from C1 and payroll: they change when the months' figures are worked "
            "out again, by the next run."
        )
    if done.written:
        notes.append(
            f"Booked in {done.transactions:,} transactions; the rules of version "
            f"{done.book.version} are in force."
        )
    else:
        notes.append("Nothing was written: run it again with --accept.")
    return tuple(notes)


def sheets_of(done: Restatement) -> list[Sheet]:
    """Return a sheet per currency; one of the reporting currency if nothing changes."""
    notes = notes_of(done)
    currencies = done.figures.currencies() or [done.book.currency]
    return [done.figures.sheet(currency, done.as_of, notes) for currency in currencies]


def file_of(done: Restatement, shown: Literal["parquet", "xlsx"], currency: str | None) -> bytes:
    """Return one currency's sheet as a file; UserError where there are several and none is named.

    The libraries are loaded when they are needed.
    """
    from pnl.reports.render import file_of as written

    sheets = {sheet.scope.currency: sheet for sheet in sheets_of(done)}
    if currency is None and len(sheets) == 1:
        currency = next(iter(sheets))
    if currency not in sheets:
        listed = ", ".join(sheets)
        raise UserError(f"A {shown} file holds one currency: give --currency, one of {listed}.")
    return written(sheets[currency], None, shown)


def render(done: Restatement, shown: str) -> str:
    """Return it as `table`, `json` or `csv`."""
    sheets = sheets_of(done)
    if shown == "json":
        told = {
            "version": done.book.version,
            "written": done.written,
            "customers": done.customers,
            "customers_changed": done.changed,
            "customers_forgotten": done.forgotten,
            "entries": done.figures.entries,
            "sheets": [sheet_json(sheet) for sheet in sheets],
        }
        return json.dumps(told, indent=2)
    if shown == "csv":
        return "".join(sheet_csv(sheet) for sheet in sheets).rstrip("\n")
    looked = (
        f"{done.customers:,} customers were worked out; {done.changed:,} of them change, by "
        f"{done.figures.entries:,} entries."
    )
    return "\n\n".join([*(sheet_table(sheet) for sheet in sheets), looked])
