"""Reports as plain text, for a terminal.

Law: what stands on the screen adds up to the minor unit; nothing is rounded. The head names the
range ("not included" is said), the zone, the currency, *as of* and the filters.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from pnl.reports import money_text
from pnl.reports.as_reported import is_period
from pnl.reports.evidence import ContactExplained, ExplainedEntry, OrderExplained
from pnl.reports.model import (
    ContactsReport,
    ContactsRow,
    Interval,
    Key,
    Memo,
    Scope,
    Statement,
    StatementLine,
)
from pnl.reports.period import utc
from pnl.reports.table import RULE, Column, printable, table
from streams.facts import Millis

NONE = "(none)"
"""What stands for a dimension that has no value."""


def moment(at: Millis, timezone: str) -> str:
    """Return an instant in a zone, to the second: `2024-06-11 00:30:00 BST`."""
    return utc(at).astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S %Z")


def period_text(scope: Scope) -> str:
    """Return a range in words: `1 Jun 2024 to 1 Jul 2024 (not included)`."""
    if scope.start is None and scope.end is None:
        return "all time"
    if scope.end is None:
        assert scope.start is not None
        return f"from {money_text.day(scope.start)}"
    end = f"{money_text.day(scope.end)} (not included)"
    return f"up to {end}" if scope.start is None else f"{money_text.day(scope.start)} to {end}"


def statement_table(statement: Statement) -> str:
    """Return the statement, groups under their lines, totals under what they add up."""
    currency = statement.scope.currency
    columns = [Column("line"), Column("title"), Column("basis"), Column(currency, "right")]
    rows: list[tuple[str, ...]] = []
    for total in statement.totals:
        lines = [line for line in statement.lines if line.line.startswith(total.total)]
        for line in lines:
            rows += _line_rows(line, currency)
        if len(lines) != 1:
            name = total.total if lines else ""
            amount = money_text.column(total.amount_minor, currency)
            rows += [*([RULE] if lines else []), (name, total.title, "", amount)]
        rows.append(RULE)
    facts = statement.reconciliation
    memo = [
        (
            each.memo,
            each.title + _memo_note(each),
            _memo_text(each, currency),
        )
        for each in statement.memo
    ]
    orders = [
        ("Orders", money_text.column(facts.orders_minor, currency)),
        ("Refunds and cancellations", money_text.column(facts.refunds_minor, currency)),
        ("Adjustments", money_text.column(facts.adjustments_minor, currency)),
        ("Net", money_text.column(facts.net_minor, currency)),
    ]
    parts = [
        _head(_title(statement), statement.scope, statement.timezone, statement.as_of),
        table(columns, rows),
        _estimates(statement),
        "Memo, company-wide\n" + table(_plain(3), memo),
        f"{_facts_title(statement)}\n" + table(_plain(2), orders),
    ]
    if statement.payroll is not None:
        paid, shown = statement.payroll.paid_minor, statement.payroll.in_lines_minor
        payroll = [
            ("Paid", money_text.column(paid, currency)),
            ("C1 + C2 + C7", money_text.column(shown, currency)),
            (
                "Difference (not worked out, or months without payroll)",
                money_text.column(paid - shown, currency),
            ),
        ]
        parts.append("Payroll, company-wide\n" + table(_plain(2), payroll))
    if statement.unbooked:
        unbooked = [
            (each.kind, money_text.column(each.amount_minor, currency))
            for each in statement.unbooked
        ]
        parts.append("Costs that no line takes yet\n" + table(_plain(2), unbooked))
    return "\n\n".join(parts)


def _title(statement: Statement) -> str:
    """Return the heading: whether the period is closed, and which of its two views this is."""
    if statement.closed_at is None:
        return "Statement, provisional" if is_period(statement.scope) else "Statement"
    closed = f"closed {moment(statement.closed_at, statement.timezone)}"
    return f"Statement as {statement.view}, {closed}"


def _facts_title(statement: Statement) -> str:
    return "Order facts" if statement.view == "restated" else "Order facts, as known now"


def contacts_table(report: ContactsReport) -> str:
    """Return revenue per contact, a row per key and a last one for all."""
    currency = report.scope.currency
    columns = [
        *(Column(name) for name in report.by or ("",)),
        Column("handled", "right"),
        Column("abandoned", "right"),
        Column("net credit", "right"),
        Column("fee", "right"),
        Column("cost", "right"),
        Column("per contact", "right"),
        Column("matured", "right"),
    ]
    rows = [(*_key_cells(row.key), *_figures(row, currency)) for row in report.rows if report.by]
    total = ("all", *[""] * (max(1, len(report.by)) - 1), *_figures(report.total, currency))
    if rows:
        rows.append(RULE)
    more = (
        "\n\nThere are more rows than these: ask for the next page, or for --format csv."
        if report.next_cursor is not None
        else ""
    )
    title = f"Revenue per handled contact ({currency}; per contact: of all handled contacts)"
    return (
        _head(title, report.scope, report.timezone, report.as_of)
        + "\n\n"
        + table(columns, [*rows, total])
        + more
    )


def order_table(order: OrderExplained, timezone: str) -> str:
    """Return an order: its worth, who earned it, and its entries."""
    money = order.currency
    about = [
        ("Customer", order.customer_id),
        ("Kind", order.kind + (", withdrawn" if order.withdrawn else "")),
        ("Placed", moment(order.occurred_at, timezone)),
        ("Gross", money_text.column(order.gross_minor, money)),
        ("Net", money_text.column(order.net_minor, money)),
        ("Unattributed", money_text.column(order.unattributed_minor, money)),
    ]
    if order.linked_to:
        about.append(("Takes from", ", ".join(order.linked_to)))
    if order.model:
        state = "booked" if order.booked else "not the booked one"
        about.append(("Model", f"{order.model} ({state}), revision {order.revision}"))
    if order.sold_in is not None:
        about.append(("Sold in", order.sold_in))
    if order.sold_unknown:
        about.append(("Sold in", "a contact that is not known, so nobody earns it"))
    parts = [f"Order {printable(order.order_id)}, {money}", table(_plain(2, "left"), about)]
    if order.credits:
        columns = [
            *(Column(head) for head in ("contact", "case", "class", "line")),
            *(Column(head, "right") for head in ("weight", f"credit {money}")),
        ]
        rows = [
            (
                credit.contact_id or "centre",
                credit.case_id or "",
                credit.product_class,
                credit.line,
                money_text.count(credit.weight),
                money_text.column(credit.credit_minor, money),
            )
            for credit in order.credits
        ]
        parts.append("Credits\n" + table(columns, rows))
    parts.append("Entries\n" + entries_table(order.entries, timezone))
    return "\n\n".join(parts)


def contact_table(contact: ContactExplained, currency: str, timezone: str) -> str:
    """Return a chain: its money, the orders it earned of, and its entries."""
    row = contact.row
    mature = "mature" if row.mature else f"until {moment(contact.matures_at, timezone)}"
    state = "handled" if row.handled else "abandoned" if row.abandoned else "not handled"
    about = [
        ("Customer", row.customer_id if row.identified else f"unidentified ({row.customer_id})"),
        ("Ended", moment(row.ended_at, timezone)),
        ("State", f"{state}, outcome {row.outcome}, legs {row.legs}"),
        ("Queue, agent", f"{row.queue or NONE}, {row.agent or NONE}"),
        ("Handle time", money_text.duration(row.handle_ms)),
        ("Lookback", mature),
        (f"Net credit {currency}", money_text.column(row.net_credit_minor, currency)),
        (f"Fee {currency}", money_text.column(row.fee_minor, currency)),
        (f"Cost {currency}", money_text.column(row.cost_minor, currency)),
    ]
    parts = [f"Contact {printable(row.contact_id)}", table(_plain(2, "left"), about)]
    if contact.orders:
        columns = [
            *(Column(head) for head in ("order", "placed", "class", "line", "")),
            *(Column(head, "right") for head in ("weight", "credit")),
        ]
        rows = [
            (
                order.order_id,
                moment(order.occurred_at, timezone),
                order.product_class,
                order.line,
                order.currency,
                money_text.count(order.weight),
                money_text.column(order.credit_minor, order.currency),
            )
            for order in contact.orders
        ]
        parts.append("Orders\n" + table(columns, rows))
    parts.append("Entries\n" + entries_table(contact.entries, timezone))
    return "\n\n".join(parts)


def entries_table(entries: Sequence[ExplainedEntry], timezone: str) -> str:
    """Return entries with their cause and where the causing record lies."""
    columns = [
        Column("line"),
        Column("amount", "right"),
        *(Column(head) for head in ("", "effective", "booked", "term", "change", "note")),
        *(Column(head) for head in ("cause", "source")),
    ]
    rows = [
        (
            entry.line,
            money_text.column(entry.amount_minor, entry.currency),
            entry.currency,
            moment(entry.effective_at, timezone),
            moment(entry.booked_at, timezone),
            _term(entry),
            entry.change,
            entry.note,
            f"{entry.cause.fact} {entry.cause.id} r{entry.cause.revision}",
            f"{entry.source.topic}/{entry.source.partition}@{entry.source.offset}",
        )
        for entry in entries
    ]
    return table(columns, rows) if rows else "none"


def _term(entry: ExplainedEntry) -> str:
    if entry.term is None:
        return ""
    start, end = entry.term
    cut = f" cut {entry.cut}" if entry.cut is not None else ""
    return f"{start}..{end}{cut}"


def _line_rows(line: StatementLine, currency: str) -> list[tuple[str, ...]]:
    note = "" if line.controllable else " (not controllable)"
    note += f" ({line.note})" if line.note else ""
    amount = money_text.column(line.amount_minor, currency)
    groups = [
        ("", f"  {_key_text(group.key)}", "", money_text.column(group.amount_minor, currency))
        for group in line.groups
    ]
    return [(line.line, line.title + note, line.basis, amount), *groups]


def _estimates(statement: Statement) -> str:
    """Return what is estimated, with its 95 % interval, apart from what is booked."""
    currency = statement.scope.currency
    columns = [Column("line"), Column("title"), Column(currency, "right")]
    columns += [Column("95 % from", "right"), Column("to", "right")]
    rows: list[tuple[str, ...]] = []
    for each in statement.estimates:
        note = f" ({each.note})" if each.note else ""
        rows.append((each.line, each.title + note, *_interval(each.value, currency)))
        rows += [
            ("", f"  {_key_text(group.key)}", *_interval(group.value, currency))
            for group in each.groups
        ]
    return "Estimated, beside the result, never in it\n" + table(columns, rows)


def _interval(value: Interval | None, currency: str) -> tuple[str, str, str]:
    bounds = (
        (None,) * 3 if value is None else (value.amount_minor, value.low_minor, value.high_minor)
    )
    first, low, high = [money_text.column(each, currency) for each in bounds]
    return first, low, high


def _memo_note(memo: Memo) -> str:
    words = [memo.note] if memo.note else []
    words += [f"{name} {money_text.count(count)}" for name, count in memo.parts]
    return f" ({', '.join(words)})" if words else ""


def _memo_text(memo: Memo, currency: str) -> str:
    if memo.unit == "amount_minor":
        return money_text.column(memo.value, currency)
    return money_text.share(memo.value) if memo.unit == "ppm" else money_text.count(memo.value)


def _figures(row: ContactsRow, currency: str) -> tuple[str, ...]:
    return (
        money_text.count(row.handled),
        money_text.count(row.abandoned),
        money_text.column(row.net_credit_minor, currency),
        money_text.column(row.fee_minor, currency),
        money_text.column(row.cost_minor, currency),
        money_text.column(row.revenue_per_contact_minor, currency),
        money_text.share(row.matured_ppm),
    )


def _key_cells(key: Key) -> tuple[str, ...]:
    return tuple(value or NONE for _, value in key)


def _key_text(key: Key) -> str:
    return ", ".join(_key_cells(key))


def _plain(count: int, last: str = "right") -> list[Column]:
    columns = [Column("") for _ in range(count)]
    return [*columns[:-1], Column("", "right" if last == "right" else "left")]


def _head(title: str, scope: Scope, timezone: str, as_of: Millis | None) -> str:
    current = "nothing applied yet" if as_of is None else f"as of {moment(as_of, timezone)}"
    lines = [title, f"{period_text(scope)} · {timezone} · {scope.currency} · {current}"]
    lines += [
        f"{name}: {', '.join(printable(value) or NONE for value in values)}"
        for name, values in scope.filters().items()
    ]
    return "\n".join(lines)
