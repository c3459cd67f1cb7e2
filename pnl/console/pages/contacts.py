"""Contacts: every chain of a filter, to find one; or grouped, to compare."""

from typing import Final

from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import NAMES, chips, filter_menu, scope_label, segments
from pnl.console.pages.groups import groups_table
from pnl.console.parts import card, empty, head, link_list, num, table
from pnl.console.shell import export, frame
from pnl.console.view import Asked, View
from pnl.reports.model import CONTACT_DIMENSIONS, ContactListPage, ContactListRow, ContactsRow

ROWS: Final = "50"
SORTS: Final = {"ended": "Ended", "handle": "Handle", "cost": "Cost", "credit": "Net credit"}
LAST_FIRST: Final = "-ended"


def page(asked: Asked) -> View:
    """Return the list, or the groups, as the address says."""
    grouped = asked.address.get("view") == "groups"
    outside = frame(asked, narrow=False)
    outside["p-export"] = export(asked, "/export/groups.csv" if grouped else "/export/contacts.csv")
    if grouped:
        return _grouped(asked, outside)
    scope = asked.question.scope
    listed = asked.reports.contact_list(
        scope,
        asked.address.get("sort", LAST_FIRST),
        asked.address.get("cursor") or None,
        int(asked.address.get("rows", ROWS)),
    )
    total = asked.reports.contacts(scope, ()).total
    return View(
        title="Contacts",
        blocks={
            "p-find": _tools(asked, total, grouped=False),
            "p-list": _list(asked, listed),
            "p-pager": _pager(asked, listed),
        },
        frame=outside,
        frozen=("p-list", "p-pager"),
        news=listed.total,
    )


def _grouped(asked: Asked, outside: dict[str, Html]) -> View:
    by = asked.address.get("by", "queue")
    report = asked.reports.contacts(asked.question.scope, (by,))
    note = "Per handled contact; contacts without orders and of unknown customers count too."
    said = f"{scope_label(asked)}, {asked.currency}; ended in the period"
    body = groups_table(asked, report, by)
    foot = el("p", note, cls="p-foot")
    title = f"Revenue and cost by {NAMES[by].lower()}"
    return View(
        title="Contacts",
        blocks={
            "p-find": _tools(asked, report.total, grouped=True),
            "p-grouped": card("p-grouped", title, body, foot, said=said),
        },
        frame=outside,
    )


def _tools(asked: Asked, total: ContactsRow, *, grouped: bool) -> Html:
    address, figures, currency = asked.address, asked.figures, asked.currency
    views = segments(
        "View",
        [
            ("List", address.link(view=None, by=None), not grouped),
            ("Groups", address.link(view="groups"), grouped),
        ],
    )
    parts = [*chips(asked), filter_menu(asked, label="Filter"), views]
    if grouped:
        now = address.get("by", "queue")
        choices = [(NAMES[d], address.link(by=d), d == now) for d in CONTACT_DIMENSIONS]
        parts.append(segments("Split by", choices))
    sums = link_list(
        [
            join([el("b", figures.count(total.chains)), " contacts"]),
            f"{figures.count(total.handled)} handled",
            join(["net credit ", _now(figures.money(total.net_credit_minor, currency))]),
            join(["cost ", _now(figures.money(total.cost_minor, currency))]),
        ]
    )
    parts.append(el("p", sums, cls="p-right"))
    return el("div", *parts, id="p-find", cls="p-tools")


def _now(shown: str) -> Html:
    return el("span", shown, cls="p-now")


def _list(asked: Asked, listed: ContactListPage) -> Html:
    if not listed.rows:
        href = asked.address.link(period="all", **dict.fromkeys(asked.address.filters()))
        action = el("a", "Show all of them", href=href)
        body = empty(f"No contact ended in {scope_label(asked)} under this filter.", action)
        return el("section", el("h2", "Contacts", cls="p-hide"), body, id="p-list", cls="p-card")
    heads = [_head(asked, "ended"), head("Contact"), head("Customer"), head("Queue")]
    heads += [head("Channel"), head("Reason"), head("Agent"), _head(asked, "handle", "p-num")]
    heads += [head("Outcome"), _head(asked, "cost", "p-num"), _head(asked, "credit", "p-num")]
    heads += [head("Matured"), head("Legs", "p-num")]
    caption = f"Contacts that ended in {scope_label(asked)}, {asked.currency}"
    wide = el(
        "div", table(caption, heads, [_row(asked, row) for row in listed.rows]), cls="p-no-phone"
    )
    lines = el("ul", *[_line(asked, row) for row in listed.rows], cls="p-lines")
    title = el("h2", caption, cls="p-hide")
    return el("section", title, wide, lines, id="p-list", cls="p-card p-flush")


def _head(asked: Asked, name: str, cls: str | None = None) -> Html:
    """Return the head of a column one can sort by: the largest first, then the smallest."""
    now = asked.address.get("sort", LAST_FIRST)
    down = now == f"-{name}"
    asked_for = name if down else f"-{name}"
    href = asked.address.link(sort=None if asked_for == LAST_FIRST else asked_for)
    shown = now.removeprefix("-") == name
    order = ("descending" if down else "ascending") if shown else None
    mark = el("span", "\N{DOWNWARDS ARROW}" if down else "\N{UPWARDS ARROW}", aria_hidden="true")
    link = el("a", SORTS[name], " ", mark if shown else NOTHING, href=href)
    return el("th", link, scope="col", cls=cls, aria_sort=order)


def contact_link(contact_id: str, asked: Asked) -> Html:
    """Return a contact's id, which opens it."""
    return el("a", contact_id, href=asked.address.item_link("/contacts", contact_id), cls="p-id")


def outcome(row: ContactListRow) -> Html:
    """Return what became of a contact; what did not go well is set off in colour."""
    bad = row.outcome in {"unresolved", "reopened", "escalated"} or row.abandoned
    cls = "p-less" if bad else "p-soft" if row.outcome == "unknown" else None
    return el("span", row.outcome or "unknown", cls=cls)


def _customer(row: ContactListRow) -> Html:
    return join([row.customer_id]) if row.identified else el("em", "unidentified")


def _or_dash(value: str) -> Html:
    return join([value]) if value else el("span", "\N{EM DASH}", cls="p-muted")


def _ended(asked: Asked, row: ContactListRow) -> str:
    moment = asked.figures.local(row.ended_at)
    return f"{asked.figures.day(moment.date(), year=False)} {asked.figures.clock(row.ended_at)}"


def _row(asked: Asked, row: ContactListRow) -> Html:
    figures, currency = asked.figures, asked.currency
    credit = figures.column(row.net_credit_minor, currency)
    cells = [
        el("td", _ended(asked, row), cls="p-now"),
        el("th", contact_link(row.contact_id, asked), scope="row"),
        el("td", _customer(row), cls="p-clip"),
        el("td", _or_dash(row.queue), cls="p-clip"),
        el("td", _or_dash(row.channel)),
        el("td", _or_dash(row.reason), cls="p-clip"),
        el("td", _or_dash(row.agent), cls="p-clip"),
        num(figures.duration(row.handle_ms)),
        el("td", outcome(row)),
        num(figures.column(row.cost_minor, currency)),
        num(el("b", credit) if row.net_credit_minor else el("span", credit, cls="p-muted")),
        el("td", "yes" if row.mature else "not yet", cls="p-muted"),
        num(figures.count(row.legs)),
    ]
    return el("tr", *cells)


def _line(asked: Asked, row: ContactListRow) -> Html:
    """Return a contact in three lines, for a phone."""
    figures, currency = asked.figures, asked.currency
    where = link_list(v for v in (row.queue, row.channel, row.reason) if v)
    first = el(
        "p",
        contact_link(row.contact_id, asked),
        " ",
        el("span", _ended(asked, row), cls="p-soft p-when"),
        cls="p-first",
    )
    left = el(
        "div", first, el("p", where), el("p", _customer(row), " ", outcome(row), cls="p-soft")
    )
    right = el(
        "div",
        el("p", el("b", figures.money(row.net_credit_minor, currency))),
        el("p", figures.money(row.cost_minor, currency)),
        el("p", "matured" if row.mature else "not matured", cls="p-soft"),
    )
    return el("li", left, right)


def _pager(asked: Asked, listed: ContactListPage) -> Html:
    address, figures = asked.address, asked.figures
    shown = f"{figures.count(len(listed.rows))} of {figures.count(listed.total)}"
    now = address.get("rows", ROWS)
    sizes = segments(
        "Rows",
        [(n, address.link(rows=None if n == ROWS else n), n == now) for n in ("50", "100", "200")],
    )
    first = step(
        "first", "First page", address.link(cursor=None) if address.get("cursor") else None
    )
    more = address.link(cursor=listed.next_cursor) if listed.next_cursor else None
    following = step("next", "Next page", more)
    right = el("span", sizes, first, following, cls="p-right")
    news = el("span", id="p-news")
    return el(
        "nav",
        el("span", shown),
        news,
        right,
        id="p-pager",
        cls="p-pager",
        aria_label="Pages of the list",
    )


def step(mark: str, label: str, href: str | None) -> Html:
    """Return a button that turns the page, switched off where there is none."""
    if href is None:
        return el(
            "span", icon(mark), cls="p-btn", role="link", aria_disabled="true", aria_label=label
        )
    return el("a", icon(mark), href=href, cls="p-btn", aria_label=label)
