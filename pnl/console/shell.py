"""What stands around every page: the rail, the scope bar with its menus, the notices."""

from collections.abc import Mapping
from typing import Final

from pnl.console.address import Address
from pnl.console.figures import Figures
from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import against_menu, currency_menu, filter_menu, period_menu
from pnl.console.view import NO_ALERTS, Asked, View
from pnl.reports.alerts import OpenAlerts
from pnl.reports.evidence import Freshness

STALE_SECONDS: Final = 10.0

PAGES: Final = (
    ("Now", (("live", "/", "Live board", "Live"), ("alerts", "/alerts", "Alerts", "Alerts"))),
    ("Money", (("statement", "/statement", "Statement", "Statement"),)),
    ("Reports", (("reports", "/reports", "All reports", "Reports"),)),
    (
        "Customers",
        (
            ("contacts", "/contacts", "Contacts", "Contacts"),
            ("churn", "/churn", "Churn watch", "Churn"),
        ),
    ),
    ("Quality", (("health", "/health", "Data health", "Health"),)),
)
PARENTS: Final = {
    "contact": "contacts",
    "order": "contacts",
    "customer": "churn",
    "entries": "statement",
    "report": "reports",
    "alert": "alerts",
}


def rails(address: Address, alerts: OpenAlerts = NO_ALERTS) -> dict[str, Html]:
    """Return the lists of pages, at the side and for a phone at the foot; the scope goes along."""
    side = el("div", _rail(address, alerts, foot=False), id="p-rail")
    label = "Pages, at the foot"
    foot = el("nav", _rail(address, alerts, foot=True), cls="p-tabs", id="p-tabs", aria_label=label)
    return {"p-rail": side, "p-tabs": foot}


def _rail(address: Address, alerts: OpenAlerts, *, foot: bool) -> Html:
    here = PARENTS.get(address.page, address.page)
    parts: list[Html] = []
    for group, pages in PAGES:
        if not foot:
            parts.append(el("p", group, cls="p-group"))
        for name, path, title, short in pages:
            label = el("span", short if foot else title, cls="p-label")
            parts.append(
                el(
                    "a",
                    icon(name),
                    label,
                    _count(alerts) if name == "alerts" else NOTHING,
                    href=address.link(path),
                    title=None if foot else title,
                    cls="p-nav",
                    aria_label=title,
                    aria_current="page" if name == here else None,
                )
            )
    return join(parts)


def _count(alerts: OpenAlerts) -> Html:
    """Return how many alerts are open; nothing where none is."""
    if not alerts.open:
        return NOTHING
    cls = "p-count p-sev-critical" if alerts.critical else "p-count"
    return el("span", min(alerts.open, 999), el("span", " open", cls="p-hide"), cls=cls)


def heading(view: View) -> Html:
    """Return a page's only h1; what the title is one of stands before it."""
    parent = el("span", f"{view.parent} / ", cls="p-parent") if view.parent else NOTHING
    return el("h1", parent, view.title, id="p-title")


def skeleton(address: Address, title: Html, frame: Mapping[str, Html], middle: Html) -> Html:
    """Return the whole body of a page around its scope bar and its middle."""
    shown = {**rails(address), **frame}
    brand = el(
        "a", icon("brand"), el("span", "contact-pnl", cls="p-label"), href="/", cls="p-brand"
    )
    switch = el(
        "button",
        icon("theme"),
        el("span", "Dark mode", cls="p-label"),
        type="button",
        cls="p-theme",
        data_theme=True,
        aria_pressed="false",
        aria_label="Dark mode",
    )
    side = el(
        "nav",
        brand,
        shown["p-rail"],
        el("div", switch, cls="p-rail-foot"),
        cls="p-rail",
        aria_label="Pages",
    )
    bar = el(
        "header",
        title,
        shown.get("p-scope", el("div", id="p-scope", style="display:contents")),
        el("span", cls="p-space"),
        shown.get("p-asof", el("div", id="p-asof", hidden=True)),
        shown.get("p-export", el("span", id="p-export", hidden=True)),
        cls="p-scope",
    )
    main = el("main", middle, id="main", cls="p-main", tabindex="-1")
    return join(
        [
            el("a", "Skip to the figures", href="#main", cls="p-skip"),
            el("div", side, el("div", bar, main, cls="p-page"), shown["p-tabs"], cls="p-shell"),
            el("div", id="p-said", cls="p-hide", role="status", aria_live="polite"),
        ]
    )


def frame(
    asked: Asked, *, period: bool = True, against: bool = False, narrow: bool = True
) -> dict[str, Html]:
    """Return the blocks around a page's middle; `narrow`: with filters and currency."""
    menus = []
    if period:
        menus.append(period_menu(asked))
    if against:
        menus.append(against_menu(asked))
    if narrow:
        menus += [filter_menu(asked, against=against), currency_menu(asked)]
    return {
        **rails(asked.address, asked.open_alerts),
        "p-scope": el("div", *menus, id="p-scope", style="display:contents"),
        "p-asof": as_of(asked.freshness, asked.figures, asked.timezone),
    }


def as_of(freshness: Freshness, figures: Figures, timezone: str) -> Html:
    """Return when the books stand, and how far behind the log they are."""
    behind = freshness.behind_seconds
    late = behind is not None and behind >= STALE_SECONDS
    if freshness.as_of is None:
        said: list[object] = ["No events yet"]
    else:
        moment = figures.local(freshness.as_of)
        said = [
            el(
                "span",
                "As of ",
                figures.day(moment.date()),
                " ",
                el("b", figures.clock(freshness.as_of)),
            ),
        ]
    rest = [f" · {figures.behind(behind)} behind"] if behind is not None else []
    return el(
        "div",
        el("span", cls="p-dot", aria_hidden="true"),
        el("span", *said, el("span", *rest), el("span", f" · {timezone}", cls="p-wide")),
        id="p-asof",
        cls="p-asof p-late" if late else "p-asof p-idle" if freshness.as_of is None else "p-asof",
        aria_live="off",
    )


def notice(asked: Asked, failed_at: str = "") -> Html:
    """Return what a person must know before they read: old figures, keys left out.

    `failed_at`: the time of day since which the figures could not be read, if they cannot.
    """
    parts = []
    if failed_at:
        again = el("a", "Try again", href=asked.address.link())
        said = el("span", el("b", f"Not updated since {failed_at}."), " The log says why. ", again)
        parts.append(el("div", icon("warn"), said, cls="p-notice"))
    behind = asked.freshness.behind_seconds
    if behind is not None and behind >= STALE_SECONDS:
        parts.append(_stale(asked.freshness, asked.figures, behind))
    if asked.address.problems:
        drop = el("a", "Drop them", href=asked.address.link())
        body = el("span", " ".join(asked.address.problems), " ", drop)
        parts.append(el("div", icon("info"), body, cls="p-notice p-plain"))
    return el("div", *parts, id="p-notice", cls="p-bar", hidden=not parts)


def _stale(freshness: Freshness, figures: Figures, behind: float) -> Html:
    records = freshness.behind_records
    short = "" if not records else f" {figures.count(records)} records are not in them yet."
    body = el(
        "span",
        el("b", f"Figures are {figures.behind(behind)} behind."),
        short,
        " Nothing is lost: the log has every record, and the figures are catching up.",
    )
    return el("div", icon("warn"), body, cls="p-notice")


def export(asked: Asked, path: str) -> Html:
    """Return the link that downloads what the page shows."""
    query = asked.address.link("/").removeprefix("/")
    extra = [
        f"{key}={value}"
        for key, value in asked.address.pairs
        if key in {"by", "sort", "line", "model"}
    ]
    joined = query + ("&" if query and extra else "?" if extra else "") + "&".join(extra)
    return el(
        "a",
        icon("download"),
        el("span", "Export"),
        href=path + joined,
        cls="p-btn p-no-phone",
        id="p-export",
        download=True,
        aria_label="Export as CSV",
    )
