"""Churn watch: whom to call, and why.

Law: what is listed was published fact by fact and stands with its as of; the list moves only when
somebody asks. Everything here is estimated, and looks it; a customer without a risk is nowhere.
"""

from collections.abc import Mapping
from typing import Any, Final

from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import NAMES as FILTERS
from pnl.console.menus import chips, currency_menu, filter_menu, segments, value_name
from pnl.console.parts import badge, card, empty, head, num, table
from pnl.console.shell import frame
from pnl.console.view import Asked, View
from pnl.reports.churn import LISTED_MAX, SEGMENTS
from pnl.reports.model import Scope
from pnl.reports.sheet import Sheet

ROWS_SHOWN: Final = 50
SHOWN_PPM: Final = 5_000
"""A change below half a point is none on the page."""
STATES: Final = (("rising", "Rising"), ("fading", "Fading"), ("high", "High risk"), ("all", "All"))
NAMES: Final = {
    "rising": "Rising, with a fact that explains it",
    "fading": "Fading: no single fact explains it",
    "high": "At high risk",
    "all": "Everybody of whom a risk is known",
}
Row = Mapping[str, Any]


def page(asked: Asked) -> View:
    """Return the list with its headlines, the segments, and whether the score is right."""
    state = asked.address.get("state", "rising")
    scope = everybody(asked)
    options = {"state": state, "limit": str(ROWS_SHOWN)}
    listed = asked.reports.sheet("churn", scope, (), options)
    by_queue = asked.reports.sheet("churn", scope, ("queue",), {})
    score = asked.reports.sheet("churn", scope, (), {"view": "score"})
    choices = [(title, asked.address.link(state=name), name == state) for name, title in STATES]
    tools = el("div", segments("State", choices), *chips(asked), id="p-find", cls="p-tools")
    return View(
        title="Churn watch",
        blocks={
            "p-heads": _heads(asked, by_queue, score),
            "p-find": tools,
            "p-list": _list(asked, listed, state),
            "p-side": el(
                "div",
                _segments(asked, by_queue),
                _score(asked, score),
                id="p-side",
                cls="p-w4 p-stack",
            ),
        },
        frame={
            **frame(asked, period=False, narrow=False),
            "p-scope": el(
                "div",
                filter_menu(asked, names=SEGMENTS),
                currency_menu(asked),
                id="p-scope",
                style="display:contents",
            ),
            "p-export": _export(asked, state),
        },
        frozen=("p-list",),
    )


def _export(asked: Asked, state: str) -> Html:
    """Return the link that downloads the whole list in this state."""
    chosen = {"set.state": state, "set.limit": str(LISTED_MAX), "period": "all"}
    return el(
        "a",
        icon("download"),
        el("span", "Export"),
        href=asked.address.link("/export/reports/churn.csv", **chosen),
        cls="p-btn p-no-phone",
        id="p-export",
        download=True,
        aria_label="Export as CSV",
    )


def everybody(asked: Asked) -> Scope:
    """Return the scope without days, for a risk is of now, and with the filters a risk has."""
    filters = asked.question.scope.filters()
    kept: dict[str, tuple[str, ...]] = {
        name: values for name, values in filters.items() if name in SEGMENTS
    }
    return Scope(currency=asked.currency, start=None, end=None, **kept)


def not_narrowed(asked: Asked) -> str:
    """Return which filters of the address say nothing here; nothing if all do."""
    others = [name for name in asked.question.scope.filters() if name not in SEGMENTS]
    return f" not narrowed by {', '.join(FILTERS[name].lower() for name in others)}" * bool(others)


def rows_of(sheet: Sheet) -> list[Row]:
    """Return a sheet's rows by the names of their columns."""
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


def total_of(sheet: Sheet) -> Row | None:
    """Return a sheet's total by the names of its columns."""
    if sheet.total is None:
        return None
    return dict(zip((column.name for column in sheet.columns), sheet.total, strict=True))


def probability(ppm: int | None, *, signed: bool = False) -> Html:
    """Return a probability as .71, a change as +.34; null where it is not known."""
    if ppm is None:
        return el("em", "null")
    hundredths = round(abs(ppm) / 10_000)
    shown = "1.00" if hundredths == 100 else f".{hundredths:02}"
    minus = "\N{MINUS SIGN}" if ppm < 0 else ""
    return join([("+" if signed and ppm > 0 else minus) + shown])


def change(ppm: int | None) -> Html:
    """Return a change of a risk: what rises takes, what falls adds."""
    if ppm is None:
        return el("em", "null")
    if abs(ppm) < SHOWN_PPM:
        return el("span", "0", cls="p-muted")
    return el("span", probability(ppm, signed=True), cls="p-less" if ppm > 0 else "p-plus")


def headline(name: object, value: object, under: object) -> Html:
    """Return one figure of the row of headlines."""
    return el(
        "div",
        el("p", name, cls="p-name"),
        el("p", el("span", value, cls="p-big p-mid", data_live=True), cls="p-big-row"),
        el("p", under, cls="p-under"),
        cls="p-head-fig",
    )


def heads(shown: list[Html]) -> Html:
    """Return the row of headlines."""
    return el(
        "section",
        el("h2", "Headlines", cls="p-hide", id="p-heads-h"),
        el("div", *shown, cls="p-heads"),
        id="p-heads",
        cls="p-card p-flush",
        aria_labelledby="p-heads-h",
    )


def _heads(asked: Asked, by_queue: Sheet, score: Sheet) -> Html:
    figures, total = asked.figures, total_of(by_queue)
    fitted = score.notes[0].split(",")[0] if score.label != "none" else "no model yet"
    if total is None:
        nobody = headline("Of known risk", "0", "customers without an order have none")
        return heads([nobody, headline("Score", score.label, fitted)])
    at_risk = total["at_risk_minor"]
    money = el("em", "null") if at_risk is None else figures.money_rounded(at_risk, asked.currency)
    share = el("em", "null") if total["high_ppm"] is None else figures.percent(total["high_ppm"])
    ends = "hidden: fewer than 30 customers"
    if total["high_ppm"] is not None:
        low, high = (figures.percent(total[f"high_ppm_{end}"]) for end in ("low", "high"))
        ends = f"{low} to {high}"
    return heads(
        [
            headline("On the list", figures.count(total["rising"]), "rising, by a fact of a day"),
            headline("Value at risk", money, join([badge("estimated"), " of all of known risk"])),
            headline("At high risk", share, ends),
            headline("Fading", figures.count(total["fading"]), "no single fact explains it"),
            headline("Of known risk", figures.count(total["customers"]), "without an order: none"),
            headline("Score", score.label, fitted),
        ]
    )


def _list(asked: Asked, sheet: Sheet, state: str) -> Html:
    said = join(
        [
            "priority = risk \N{MULTIPLICATION SIGN} margin at stake ",
            badge("estimated"),
            not_narrowed(asked),
        ]
    )
    rows = rows_of(sheet)
    if not rows:
        link = el("a", "Show everybody", href=asked.address.link(state="all"))
        body = empty("Nobody is in this state.", link if state != "all" else NOTHING)
        return card("p-list", NAMES[state], body, said=said, width="p-w8")
    body = customers_table(asked, rows)
    foot = [el("p", note, cls="p-foot") for note in sheet.notes]
    return card("p-list", NAMES[state], body, *foot, said=said, width="p-w8")


def customers_table(asked: Asked, rows: list[Row], *, short: bool = False) -> Html:
    """Return customers at risk; a `short` table leaves out what a card has no room for."""
    heads_shown = [head("Customer"), head("Risk", "p-num"), head("7 d", "p-num"), head("Why")]
    heads_shown.append(head("At risk", "p-num"))
    if not short:
        heads_shown += [head("Fact", "p-num p-no-phone"), head("Last contact", "p-no-phone")]
        heads_shown.append(head("Method", "p-no-phone"))
    return table("Customers by value at risk", heads_shown, [_line(asked, r, short) for r in rows])


def _line(asked: Asked, row: Row, short: bool) -> Html:
    figures = asked.figures
    at_risk = row["at_risk_minor"]
    money = el("em", "null") if at_risk is None else figures.column(at_risk, asked.currency)
    link = el("a", row["customer"], href=asked.address.item_link("/customers", row["customer"]))
    cells = [
        el("th", link, scope="row", cls="p-clip"),
        num(el("b", probability(row["risk_ppm"]))),
        num(change(row["change_ppm"])),
        el("td", row["why"], cls=None if not short else "p-clip"),
        num(money),
    ]
    if not short:
        age = figures.behind(max(0, (asked.freshness.as_of or 0) - row["as_of"]) / 1000)
        fact = el("span", age, title=f"{row['cause']}, {figures.moment(row['as_of'])}")
        cells += [num(fact, "p-no-phone"), _contact(asked, row), _method(row)]
    return el("tr", *cells)


def _contact(asked: Asked, row: Row) -> Html:
    if row["contact"] is None:
        return el("td", "\N{EM DASH}", cls="p-muted p-no-phone")
    place = join([value_name(row["queue"]), " ", row["channel"]])
    href = asked.address.item_link("/contacts", row["contact"])
    return el("td", el("a", place, href=href), cls="p-clip p-no-phone")


def _method(row: Row) -> Html:
    return el("td", el("span", row["method"], title=row["model"]), cls="p-muted p-no-phone")


def _segments(asked: Asked, sheet: Sheet) -> Html:
    figures, said = asked.figures, "share at high risk, by the last contact; 95 % interval"
    rows = []
    for row in rows_of(sheet):
        share: object = el("em", "n < 30")
        if row["high_ppm"] is not None:
            low, high = (figures.percent(row[f"high_ppm_{end}"]) for end in ("low", "high"))
            ends = el("span", f"{low} to {high}", cls="p-ci")
            share = join([figures.percent(row["high_ppm"]), ends])
        name = el("a", value_name(row["queue"]), href=_narrowed(asked, row["queue"]))
        counted = f"{figures.count(row['high'])} / {figures.count(row['customers'])}"
        rows.append(el("tr", el("th", name, scope="row", cls="p-clip"), num(counted), num(share)))
    if not rows:
        return card("p-segments", "Segments", empty("No customer has a risk yet."))
    shown = [head("Queue"), head("High", "p-num"), head("Share", "p-num")]
    body = table("Customers at high risk by queue", shown, rows)
    return card("p-segments", "Segments", body, said=said)


def _narrowed(asked: Asked, queue: str) -> str:
    return asked.address.narrowed("queue", queue, "/churn", state=asked.address.get("state", "all"))


def _score(asked: Asked, sheet: Sheet) -> Html:
    notes = [el("p", note, cls="p-foot") for note in sheet.notes]
    rows = rows_of(sheet)
    if not rows:
        return card("p-score", "Is the score right?", *notes)
    figures = asked.figures
    lines = [
        el(
            "tr",
            el("th", figures.count(row["tenth"]), scope="row"),
            num(probability(row["predicted_ppm"])),
            num(probability(row["actual_ppm"])),
        )
        for row in rows
    ]
    shown = [head("Tenth"), head("Predicted", "p-num"), head("Real", "p-num")]
    body = table("Predicted risk and what happened, by tenths", shown, lines)
    said = "predicted, and who did not buy"
    return card("p-score", "Is the score right?", body, *notes, said=said)
