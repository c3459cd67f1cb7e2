"""What stands around every page: the rail, the scope bar with its menus, the notices."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from pnl.console.address import (
    NONE,
    ONE_DAY,
    Address,
    join_values,
    previous_month,
)
from pnl.console.figures import Figures
from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.view import Asked, View
from pnl.reports.evidence import Freshness
from pnl.reports.model import DIMENSIONS

STALE_SECONDS: Final = 10.0
MONTHS_OFFERED: Final = 6
VALUES_OFFERED_MAX: Final = 200

NAMES: Final[Mapping[str, str]] = {
    "queue": "Queue",
    "team": "Team",
    "agent": "Agent",
    "channel": "Channel",
    "reason": "Reason",
    "kind": "Kind",
    "product_class": "Product class",
}
PAGES: Final = (
    ("Now", (("live", "/", "Live board", "Live"),)),
    ("Money", (("statement", "/statement", "Statement", "Statement"),)),
    ("Customers", (("contacts", "/contacts", "Contacts", "Contacts"),)),
    ("Quality", (("health", "/health", "Data health", "Health"),)),
)
PARENTS: Final = {"contact": "contacts", "order": "contacts", "entries": "statement"}


def value_name(value: str) -> Html:
    """Return a dimension's value for people; the empty value is *none*."""
    return join([value]) if value else el("em", "none")


def rail(address: Address, *, foot: bool) -> Html:
    """Return the list of pages: at the side, or for a phone at the foot."""
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
                    href=address.link(path),
                    title=None if foot else title,
                    cls="p-nav",
                    aria_label=title,
                    aria_current="page" if name == here else None,
                )
            )
    return join(parts)


def heading(view: View) -> Html:
    """Return a page's only h1; what the title is one of stands before it."""
    parent = el("span", f"{view.parent} / ", cls="p-parent") if view.parent else NOTHING
    return el("h1", parent, view.title, id="p-title")


def skeleton(address: Address, title: Html, frame: Mapping[str, Html], middle: Html) -> Html:
    """Return the whole body of a page around its scope bar and its middle."""
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
        el("div", rail(address, foot=False), id="p-rail"),
        el("div", switch, cls="p-rail-foot"),
        cls="p-rail",
        aria_label="Pages",
    )
    bar = el(
        "header",
        title,
        frame.get("p-scope", el("div", id="p-scope", style="display:contents")),
        el("span", cls="p-space"),
        frame.get("p-asof", el("div", id="p-asof", hidden=True)),
        frame.get("p-export", el("span", id="p-export", hidden=True)),
        cls="p-scope",
    )
    main = el("main", middle, id="main", cls="p-main", tabindex="-1")
    tabs = el(
        "nav", rail(address, foot=True), cls="p-tabs", id="p-tabs", aria_label="Pages, at the foot"
    )
    return join(
        [
            el("a", "Skip to the figures", href="#main", cls="p-skip"),
            el("div", side, el("div", bar, main, cls="p-page"), tabs, cls="p-shell"),
            el("div", id="p-said", cls="p-hide", role="status", aria_live="polite"),
        ]
    )


def frame(
    asked: Asked, *, period: bool = True, against: bool = False, narrow: bool = True
) -> dict[str, Html]:
    """Return the blocks around a page's middle; `narrow`: with filters and currency."""
    menus = []
    if period:
        menus.append(_period_menu(asked))
    if against:
        menus.append(_against_menu(asked))
    if narrow:
        menus += [filter_menu(asked, against=against), _currency_menu(asked)]
    shown = el("div", *menus, id="p-scope", style="display:contents")
    return {"p-scope": shown, "p-asof": as_of(asked.freshness, asked.figures, asked.timezone)}


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


# Menus of the scope bar


def _menu(
    key: str,
    value: object,
    *panel: object,
    tinted: bool,
    mark: str = "down",
    wide: bool = False,
) -> Html:
    """Return a menu; a `wide` one is on wide screens only."""
    summary = el(
        "summary",
        el("span", key, cls="p-key") if key else NOTHING,
        el("span", value, cls="p-value"),
        icon(mark),
    )
    cls = "p-menu" + (" p-set" if tinted else "") + (" p-no-phone" if wide else "")
    return el("details", summary, el("div", *panel, cls="p-panel"), cls=cls)


def _choice(label: object, href: str, *, chosen: bool, hint: str = "") -> Html:
    return el(
        "a",
        el("span", label),
        el("span", hint, cls="p-hint") if hint else NOTHING,
        href=href,
        aria_current="true" if chosen else None,
    )


def scope_label(asked: Asked) -> str:
    """Return the period as people say it."""
    scope = asked.question.scope
    if scope.start is None or scope.end is None:
        return "all time"
    return asked.figures.span(scope.start, scope.end)


def against_label(asked: Asked) -> str:
    """Return the compared period as people say it, without the year if it is the same."""
    scope, before = asked.question.scope, asked.question.previous
    if before is None or before.start is None or before.end is None:
        return "nothing"
    assert scope.start is not None
    whole_month = before.start.day == 1 and before.end.day == 1
    year = before.start.year != scope.start.year or whole_month
    return asked.figures.span(before.start, before.end, year=year)


def _period_menu(asked: Asked) -> Html:
    address, figures = asked.address, asked.figures
    now = "" if address.get("from") else address.get("period", "mtd")
    day = asked.as_of_day
    plain: list[tuple[str, str]] = [
        ("mtd", "This month so far"),
        ("today", "Today"),
        ("30d", "Last 30 days"),
    ]
    plain += [("90d", "Last 90 days"), ("ytd", "This year so far"), ("all", "All time")]
    links = [
        _choice(
            label,
            address.link(period=None if asked_for == "mtd" else asked_for),
            chosen=now == asked_for,
        )
        for asked_for, label in plain
    ]
    months = []
    if day is not None:
        first = day.replace(day=1)
        for _ in range(MONTHS_OFFERED):
            first = previous_month(first)
            asked_for = f"{first.year:04}-{first.month:02}"
            months.append(
                _choice(
                    figures.month(first), address.link(period=asked_for), chosen=now == asked_for
                )
            )
    return _menu(
        "Period",
        scope_label(asked),
        *links,
        el("hr"),
        *months,
        el("hr"),
        _range_form(asked),
        tinted=True,
    )


def _range_form(asked: Asked) -> Html:
    scope = asked.question.scope

    def field(name: str, label: str, value: date | None) -> Html:
        shown = value.isoformat() if value else None
        return el("label", label, el("input", type="date", name=name, value=shown, required=True))

    first = field("from", "From", scope.start)
    last = field("to", "To (not included)", scope.end)
    fields = el("div", first, last, cls="p-two")
    return el("form", fields, el("button", "Show", type="submit"), data_keys="period from to")


def _against_menu(asked: Asked) -> Html:
    tinted = asked.address.get("against", "previous") != "previous"
    shown = against_label(asked)
    return _menu("Against", shown, *_against_links(asked), tinted=tinted, wide=True)


def _against_links(asked: Asked) -> list[Html]:
    address = asked.address
    now = address.get("against", "previous")
    plain = [("previous", "Previous period"), ("same_last_year", "Same days last year")]
    plain += [("none", "Nothing")]
    return [
        _choice(
            label, address.link(against=None if name == "previous" else name), chosen=now == name
        )
        for name, label in plain
    ]


def _currency_menu(asked: Asked) -> Html:
    note = el("p", "Amounts stay in their own currency; a page shows one.", cls="p-hint p-says")
    tinted = bool(asked.address.get("currency"))
    links = _currency_links(asked)
    return _menu("", asked.currency, *links, note, tinted=tinted, wide=True)


def _currency_links(asked: Asked) -> list[Html]:
    offered = dict.fromkeys((*asked.choices.get("currency", ()), asked.currency))
    return [
        _choice(code, asked.address.link(currency=code), chosen=code == asked.currency)
        for code in offered
    ]


def filter_menu(
    asked: Asked,
    label: str = "Queue, team, channel \N{HORIZONTAL ELLIPSIS}",
    *,
    against: bool = False,
) -> Html:
    """Return the filters as one form: a box per value, grouped by dimension.

    On a phone the sheet holds the rest of the scope bar too.
    """
    chosen = asked.address.filters()
    said = "; ".join(", ".join(v or "none" for v in values) for values in chosen.values())
    groups = [
        _values(name, asked.choices.get(name, ()), chosen.get(name, ()))
        for name in DIMENSIONS
        if asked.choices.get(name) or chosen.get(name)
    ]
    if not groups:
        groups = [el("p", "There is nothing to filter by yet.", cls="p-hint")]
    form = el("form", *groups, el("button", "Show", type="submit"), data_keys=" ".join(DIMENSIONS))
    panel: list[Html] = []
    if against:
        rest = [el("p", "Against", cls="p-hint p-says"), *_against_links(asked)]
        rest += [el("p", "Currency", cls="p-hint p-says"), *_currency_links(asked), el("hr")]
        panel.append(el("div", *rest, cls="p-only-phone"))
    if chosen:
        href = asked.address.link(**dict.fromkeys(DIMENSIONS))
        panel.append(el("a", "Clear all filters", href=href))
    shown = said or join(
        [el("span", label, cls="p-no-phone"), el("span", "Filters", cls="p-only-phone")]
    )
    return _menu("", shown, *panel, form, tinted=bool(chosen), mark="filter")


def _values(name: str, offered: tuple[str, ...], chosen: tuple[str, ...]) -> Html:
    listed = list(dict.fromkeys((*chosen, *offered)))[:VALUES_OFFERED_MAX]
    boxes = [
        el(
            "label",
            el(
                "input",
                type="checkbox",
                name=name,
                value=join_values([value]) if value else NONE,
                checked=value in chosen,
            ),
            el("span", value_name(value)),
            cls="p-check",
        )
        for value in sorted(listed)
    ]
    return el("fieldset", el("legend", NAMES[name]), *boxes)


def chips(asked: Asked) -> list[Html]:
    """Return a chip per filter, each with a cross that drops it."""
    return [
        el(
            "span",
            el("span", f"{NAMES[name]} ", join([value_name(v) for v in values], ", ")),
            el(
                "a",
                icon("close"),
                href=asked.address.link(**{name: None}),
                aria_label=f"Drop the filter {NAMES[name]}",
            ),
            cls="p-chip",
        )
        for name, values in asked.address.filters().items()
    ]


def segments(label: str, choices: list[tuple[str, str, bool]]) -> Html:
    """Return a row of choices (text, href, chosen), of which one is on."""
    links = [
        el("a", text, href=href, aria_current="true" if chosen else None)
        for text, href, chosen in choices
    ]
    return el("div", *links, cls="p-segments", role="group", aria_label=label)


def last_days(end: date, days: int) -> date:
    """Return the first of so many days before `end`, which is excluded."""
    return end - days * ONE_DAY
