"""The menus of the scope bar: period, comparison, filters, currency. Each choice is a link.

Law: a menu changes nothing by itself; it leads to another address. So every choice can be opened
in a new tab, sent to somebody, and taken back.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from pnl.console.address import NONE, OPTION, join_values, previous_month
from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.view import Asked
from pnl.reports.model import DIMENSIONS
from pnl.reports.period import Calendar, Period

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


def value_name(value: str) -> Html:
    """Return a dimension's value for people; the empty value is *none*."""
    return join([value]) if value else el("em", "none")


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


def period_menu(asked: Asked) -> Html:
    """Return the periods: running ones, the last months, any range of days."""
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
        months += _fiscal_links(asked, day)
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


def _fiscal_links(asked: Asked, day: date) -> list[Html]:
    """Return the fiscal year so far and before, where fiscal years are not calendar years."""
    calendar = asked.reports.calendar
    if calendar == Calendar():
        return []
    name, scope = calendar.holding(day), asked.question.scope
    number = next(each for each in range(4, 0, -1) if (_start(calendar.quarter(name, each)) <= day))
    before = (name, number - 1) if number > 1 else (name - 1, 4)
    offered = [
        (f"Fiscal {name} Q{number}", calendar.quarter(name, number)),
        (f"Fiscal {before[0]} Q{before[1]}", calendar.quarter(*before)),
        (f"Fiscal year {name}", calendar.year(name)),
        (f"Fiscal year {name - 1}", calendar.year(name - 1)),
    ]
    links = [
        _choice(
            label,
            asked.address.link(from_=str(period.start), to=str(period.end)),
            chosen=(period.start, period.end) == (scope.start, scope.end),
        )
        for label, period in offered
    ]
    return [el("hr"), *links]


def _start(period: Period) -> date:
    assert period.start is not None
    return period.start


def _range_form(asked: Asked) -> Html:
    scope = asked.question.scope

    def field(name: str, label: str, value: date | None) -> Html:
        shown = value.isoformat() if value else None
        return el("label", label, el("input", type="date", name=name, value=shown, required=True))

    first = field("from", "From", scope.start)
    last = field("to", "To (not included)", scope.end)
    fields = el("div", first, last, cls="p-two")
    return el("form", fields, el("button", "Show", type="submit"), data_keys="period from to")


def against_menu(asked: Asked) -> Html:
    """Return what the period can be compared with."""
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


def currency_menu(asked: Asked) -> Html:
    """Return the currencies in the books; a page shows one of them."""
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
    *,
    label: str = "",
    against: bool = False,
    names: Sequence[str] = DIMENSIONS,
) -> Html:
    """Return the filters as one form: a box per value, grouped by dimension.

    Without a `label` of its own the menu says what is chosen. On a phone the sheet holds the
    rest of the scope bar too, if the page compares.
    """
    chosen = asked.address.filters()
    said = "; ".join(", ".join(v or "none" for v in values) for values in chosen.values())
    groups = [
        _values(name, asked.choices.get(name, ()), chosen.get(name, ()))
        for name in names
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
    names = el("span", "Queue, team, channel \N{HORIZONTAL ELLIPSIS}", cls="p-no-phone")
    shown = label or said or join([names, el("span", "Filters", cls="p-only-phone")])
    tinted = bool(chosen) and not label
    return _menu("", shown, *panel, form, tinted=tinted, mark="filter")


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
        for value in sorted(listed, key=naturally)
    ]
    return el("fieldset", el("legend", NAMES[name]), *boxes)


def naturally(value: str) -> list[tuple[int, str]]:
    """Return what sorts a2 before a10: numbers by length, then by digits."""
    parts = re.split(r"(\d+)", value)
    return [(len(p) if p.isdigit() else 0, p) for p in parts]


def options_menu(asked: Asked, options: Mapping[str, str]) -> Html:
    """Return the options of a report as one form; an empty field means the default."""
    chosen = asked.address.options()
    keys = [OPTION + name for name in options]
    fields = [
        el("label", text, el("input", type="text", name=key, value=chosen.get(name)))
        for key, (name, text) in zip(keys, options.items(), strict=True)
    ]
    form = el("form", *fields, el("button", "Show", type="submit"), data_keys=" ".join(keys))
    said = ", ".join(f"{name} {value}" for name, value in chosen.items())
    return _menu("", said or "Options", form, tinted=bool(chosen))


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
