"""Revenue and cost per contact by a dimension: on the live board in short, else in full.

Law (G-AGENT): people are listed by name, never ranked, and hidden below 30 contacts.
"""

from typing import Final

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import NAMES, naturally, value_name
from pnl.console.parts import head, level, meter, num, table
from pnl.console.view import Asked
from pnl.reports.model import ContactsReport, ContactsRow

AGENT_CONTACTS_MIN: Final = 30


def groups_table(
    asked: Asked,
    report: ContactsReport,
    by: str,
    rows_max: int | None = None,
    *,
    short: bool = False,
) -> Html:
    """Return a row per value of `by`, and all together. `short` leaves columns out."""
    listed, hidden = _shown(report, by)
    rows = listed if rows_max is None else listed[:rows_max]
    largest = max((abs(row.revenue_per_contact_minor or 0) for row in rows), default=0)
    heads = [head(NAMES[by]), head("Handled", "p-num p-no-phone" if short else "p-num")]
    if not short:
        heads += [head("Abandoned", "p-num p-no-phone"), head("Net credit", "p-num p-no-phone")]
        heads += [head("Fees", "p-num p-no-phone"), head("Cost", "p-num p-no-phone")]
    drawn = el("span", "Revenue, drawn", cls="p-hide")
    heads += [head("Revenue" if short else "Revenue each", "p-num"), head(drawn, "p-no-phone")]
    heads += [head("Cost" if short else "Cost each", "p-num"), head("Matured", "p-num")]
    shown = [_row(asked, row, by, largest, short=short) for row in rows]
    if len(listed) > len(rows):
        href = asked.address.link("/contacts", view="groups", by=by)
        shown.append(_note(el("a", f"{len(listed) - len(rows)} more", href=href), len(heads)))
    if hidden:
        sentence = f"{hidden} with fewer than {AGENT_CONTACTS_MIN} handled contacts are hidden"
        shown.append(_note(sentence, len(heads)))
    shown.append(_row(asked, report.total, by, largest, short=short, name="All"))
    caption = f"Revenue and cost per handled contact by {NAMES[by].lower()}, {asked.currency}"
    return table(caption, heads, shown)


def _shown(report: ContactsReport, by: str) -> tuple[list[ContactsRow], int]:
    """Return the rows that may be shown, and how many may not."""
    rows = sorted(report.rows, key=lambda row: naturally(row.key[0][1]))
    if by != "agent":
        return rows, 0
    many = [row for row in rows if row.handled >= AGENT_CONTACTS_MIN]
    return many, len(rows) - len(many)


def _note(said: object, columns: int) -> Html:
    return el("tr", el("td", said, colspan=columns, cls="p-muted"))


def _row(
    asked: Asked, row: ContactsRow, by: str, largest: int, *, short: bool, name: str | None = None
) -> Html:
    if name is None:
        value = row.key[0][1]
        href = asked.address.narrowed(by, value, "/contacts", view=None)
        link = el("a", value_name(value), href=href, cls="p-quiet")
        label = el("th", link, scope="row", cls="p-clip")
    else:
        label = el("th", name, scope="row")
    figures, currency = asked.figures, asked.currency
    cells = [label, num(figures.count(row.handled), "p-no-phone" if short else "")]
    if not short:
        cells.append(num(figures.count(row.abandoned), "p-no-phone"))
        sums = (row.net_credit_minor, row.fee_minor, row.cost_minor)
        cells += [num(figures.column(minor, currency), "p-no-phone") for minor in sums]
    revenue = row.revenue_per_contact_minor
    drawn = level(revenue, largest) if revenue is not None and name is None else NOTHING
    cells += [
        num(_each(asked, revenue)),
        el("td", drawn, cls="p-no-phone"),
        num(_each(asked, row.cost_per_contact_minor)),
        num(matured(asked, row.matured_ppm)),
    ]
    return el("tr", *cells, cls="p-sum" if name is not None else None)


def _each(asked: Asked, minor: int | None) -> Html:
    return el("em", "null") if minor is None else asked.figures.column(minor, asked.currency)


def matured(asked: Asked, ppm: int | None) -> Html:
    """Return how much of a cohort has matured, drawn and in words."""
    if ppm is None:
        return el("em", "null")
    return join([meter(ppm), " ", asked.figures.percent_whole(ppm)])
