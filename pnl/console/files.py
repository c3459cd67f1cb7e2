"""The files behind *Export*: the rows of a list, all of them, as CSV.

Law: a file is the page's own question, asked to its last page; every row says by itself which
currency it is in. Text that a spreadsheet would take for a formula is quoted (`text_cell`).
"""

import csv
import io
from collections.abc import Iterable, Iterator

from pnl.reports.api import ReportsApi
from pnl.reports.evidence import ExplainedEntry
from pnl.reports.model import ContactListRow, Scope
from pnl.reports.money_text import decimal_text
from pnl.reports.period import rfc3339
from pnl.reports.render_csv import text_cell

ROWS_AT_ONCE = 1000
CONTACT_COLUMNS = (
    "ended_at", "contact_id", "customer_id", "queue", "team", "channel", "direction", "reason",
    "kind", "agent", "handle_ms", "wait_ms", "handled", "abandoned", "outcome", "case_id", "legs",
    "cost", "fee", "net_credit", "mature", "currency",
)  # fmt: skip
ENTRY_COLUMNS = (
    "line", "basis", "amount", "currency", "effective_at", "booked_at", "term_start", "term_end",
    "cut", "spread", "order_id", "contact_id", "leg_id", "customer_id", "product_class", "queue",
    "kind", "change", "note", "model", "cause_fact", "cause_id", "cause_revision", "topic",
    "partition", "offset", "batch_id", "policy",
)  # fmt: skip


def contacts_file(reports: ReportsApi, scope: Scope, sort: str) -> Iterator[str]:
    """Yield the chains of a scope, the head first, a page of lines at a time."""
    yield written([CONTACT_COLUMNS])
    cursor: str | None = None
    while True:
        page = reports.contact_list(scope, sort, cursor, ROWS_AT_ONCE)
        yield written(_contact(row, scope.currency) for row in page.rows)
        cursor = page.next_cursor
        if cursor is None:
            return


def entries_file(reports: ReportsApi, scope: Scope, line: str | None) -> Iterator[str]:
    """Yield the entries of a scope's line, the head first, a page of lines at a time."""
    yield written([ENTRY_COLUMNS])
    cursor: str | None = None
    while True:
        page = reports.entries(scope, line, cursor, ROWS_AT_ONCE)
        yield written(map(_entry, page.entries))
        cursor = page.next_cursor
        if cursor is None:
            return


def explained_file(entries: Iterable[ExplainedEntry]) -> str:
    """Return the entries of one order or contact."""
    return written([ENTRY_COLUMNS, *map(_entry, entries)])


def written(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as lines of CSV; absent values are empty, text is safe for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if value is None else value for value in row])
    return out.getvalue()


def _contact(row: ContactListRow, currency: str) -> tuple[object, ...]:
    return (
        rfc3339(row.ended_at),
        *map(text_cell, (row.contact_id, row.customer_id if row.identified else "")),
        *map(text_cell, (row.queue, row.team, row.channel, row.direction, row.reason, row.kind)),
        text_cell(row.agent),
        row.handle_ms,
        row.wait_ms,
        _yes(row.handled),
        _yes(row.abandoned),
        row.outcome,
        text_cell(row.case_id),
        row.legs,
        decimal_text(row.cost_minor, currency),
        decimal_text(row.fee_minor, currency),
        decimal_text(row.net_credit_minor, currency),
        _yes(row.mature),
        currency,
    )


def _entry(entry: ExplainedEntry) -> tuple[object, ...]:
    start, end = entry.term or (None, None)
    return (
        entry.line,
        entry.basis,
        decimal_text(entry.amount_minor, entry.currency),
        entry.currency,
        rfc3339(entry.effective_at),
        rfc3339(entry.booked_at),
        start,
        end,
        entry.cut,
        decimal_text(entry.spread_minor, entry.currency) if entry.term else None,
        *map(text_cell, (entry.order_id, entry.contact_id, entry.leg_id, entry.customer_id)),
        *map(text_cell, (entry.product_class, entry.queue, entry.kind)),
        entry.change,
        entry.note,
        entry.model,
        entry.cause.fact,
        text_cell(entry.cause.id),
        entry.cause.revision,
        entry.source.topic,
        entry.source.partition,
        entry.source.offset,
        entry.batch_id,
        entry.policy,
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
