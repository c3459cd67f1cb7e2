"""The entries behind a figure: one click below every amount, one above the event."""

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import chips, filter_menu, scope_label
from pnl.console.pages.contacts import step
from pnl.console.pages.evidence import entries_table
from pnl.console.parts import badge, card, empty, interval, link_list
from pnl.console.shell import export, frame
from pnl.console.view import Asked, View
from pnl.reports.evidence import EntriesPage
from pnl.reports.model import Statement
from processors.statement import BOOKED_NAMES, LINE

ROWS = "50"
CONTROL = {
    "net": "Net order revenue, with its sign reversed",
    "unattributed": "Unattributed revenue (M1, with orphan refunds)",
    "A5x": "Orphan refunds (M8)",
    "adjustment": "Adjustments (M9)",
    "payroll": "Payroll as paid, which C1 + C2 + C7 account for",
    "unbooked": "Costs without a line",
}


def page(asked: Asked) -> View:
    """Return the entries of the address's line, newest effective first."""
    scope, address = asked.question.scope, asked.address
    line = address.get("line") or None
    cursor, rows = address.get("cursor") or None, int(address.get("rows", ROWS))
    found = asked.reports.entries(scope, line, cursor, rows)
    named = asked.reports.statement(scope) if line and line not in CONTROL else None
    outside = frame(asked, narrow=False)
    outside["p-export"] = export(asked, "/export/entries.csv")
    return View(
        title=f"Entries of {line}" if line else "Entries",
        blocks={
            "p-find": _tools(asked, named, line),
            "p-entries": _entries(asked, found, line),
            "p-pager": _pager(asked, found),
        },
        frame=outside,
        frozen=("p-entries", "p-pager"),
    )


def _tools(asked: Asked, named: Statement | None, line: str | None) -> Html:
    parts = [*chips(asked), filter_menu(asked, label="Filter")]
    if line and named:
        known = LINE[line]
        if line in BOOKED_NAMES:
            sum_ = asked.figures.money(named.line(line).amount_minor, asked.currency)
        else:
            sum_ = interval(asked, named.estimate(line))
        said = link_list([join([el("b", known.title), " ", el("b", sum_)]), badge(known.basis)])
        parts.append(el("p", said, cls="p-right"))
    elif line:
        parts.append(el("p", el("b", CONTROL[line]), cls="p-right"))
    return el("div", *parts, id="p-find", cls="p-tools")


def _entries(asked: Asked, found: EntriesPage, line: str | None) -> Html:
    said = f"{scope_label(asked)}, {asked.currency}, newest first"
    title = f"Entries of {line}" if line else "Entries of all lines"
    if not found.entries:
        action = el("a", "Show all time", href=asked.address.link(period="all"))
        sentence = f"Nothing was booked in {scope_label(asked)} under this filter."
        return card("p-entries", title, empty(sentence, action), said=said)
    foot = NOTHING
    if any(entry.term for entry in found.entries):
        foot = el(
            "p",
            "An amount that is earned over a term is one entry; a period shows the days it has.",
            cls="p-foot",
        )
    return card("p-entries", title, entries_table(asked, found.entries, title), foot, said=said)


def _pager(asked: Asked, found: EntriesPage) -> Html:
    address = asked.address
    first = step(
        "first", "First page", address.link(cursor=None) if address.get("cursor") else None
    )
    more = address.link(cursor=found.next_cursor) if found.next_cursor else None
    shown = f"{asked.figures.count(len(found.entries))} entries"
    right = el("span", first, step("next", "Next page", more), cls="p-right")
    return el(
        "nav",
        el("span", shown),
        el("span", id="p-news"),
        right,
        id="p-pager",
        cls="p-pager",
        aria_label="Pages of the list",
    )
