"""What is going on now, for the live board: revenue per contact by window, customers at risk.

Law: a window says how many contacts it is of, and below thirty it has no figure. The five at risk
are those of the churn watch, in its order.
"""

from typing import Final

from pnl.console.markup import Html, el, join
from pnl.console.menus import value_name
from pnl.console.pages.churn import (
    Row,
    customers_table,
    everybody,
    not_narrowed,
    rows_of,
)
from pnl.console.parts import badge, card, empty, head, num, table
from pnl.console.view import Asked

LISTED: Final = "5"
SEGMENTS_SHOWN_MAX: Final = 5


def windows_card(asked: Asked) -> Html:
    """Return revenue per contact of the last 5 minutes, hour and day, and the hour by queue."""
    title = "Revenue per contact, live"
    scope = everybody(asked)
    rows = rows_of(asked.reports.sheet("live", scope, (), {}))
    if not rows:
        body = empty("No window has been told yet.")
        return card("p-windows", title, body, width="p-w4")
    queues = rows_of(asked.reports.sheet("live", scope, ("queue",), {"size": "1h"}))
    shown = [head("Window"), head("Handled", "p-num"), head("Per contact", "p-num")]
    lines = [_line(asked, join([row["size"], " ", _since(asked, row)]), row) for row in rows]
    largest = sorted(queues, key=lambda row: -row["handled"])[:SEGMENTS_SHOWN_MAX]
    lines += [
        _line(asked, join([el("span", "hour ", cls="p-muted"), value_name(row["queue"])]), row)
        for row in largest
    ]
    said = f"contacts that ended in it, credited so far; 95 %{not_narrowed(asked)}"
    return card("p-windows", title, table(title, shown, lines), said=said, width="p-w4")


def _since(asked: Asked, row: Row) -> Html:
    start = f"from {asked.figures.clock(row['start'])[:5]}, {row['state']}"
    return el("span", start, cls="p-muted")


def _line(asked: Asked, name: Html, row: Row) -> Html:
    figures = asked.figures
    told: object = el("em", "n < 30")
    if row["rpc_minor"] is not None:
        low, high = (
            figures.money(row[f"rpc_minor_{end}"], asked.currency) for end in ("low", "high")
        )
        ends = el("span", f"{low} to {high}", cls="p-ci")
        told = join([figures.money(row["rpc_minor"], asked.currency), ends])
    handled = num(figures.count(row["handled"]))
    return el("tr", el("th", name, scope="row", cls="p-clip"), handled, num(told))


def churn_card(asked: Asked) -> Html:
    """Return the five customers with most at risk among those whose risk is rising, else of all."""
    scope, title = everybody(asked), "Customers at risk"
    link = el("a", "All", href=asked.address.unfiltered("/churn"))
    rest = join([badge("estimated"), not_narrowed(asked)])
    said = join(["rising, five by priority ", rest])
    rows = rows_of(asked.reports.sheet("churn", scope, (), {"state": "rising", "limit": LISTED}))
    if not rows:
        rows = rows_of(asked.reports.sheet("churn", scope, (), {"limit": LISTED}))
        said = join(["nobody is rising; five by priority ", rest])
    if not rows:
        body = empty("No customer has a risk yet.")
        return card("p-churn", title, body, more=link, width="p-w5")
    body = customers_table(asked, rows, short=True)
    return card("p-churn", title, body, said=said, more=link, width="p-w5")
