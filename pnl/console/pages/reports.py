"""The reports of the catalogue: a list of them, and one page that shows any.

Law: the page shows the sheet and adds nothing to it. An estimate is marked as one and stands with
its interval; what cannot be known is a dash; what a column means is at its head and below.
"""

from datetime import date
from typing import Final

from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import chips, filter_menu, options_menu, scope_label, segments, value_name
from pnl.console.parts import badge, card, empty, facts, head, link_list, table
from pnl.console.shell import frame
from pnl.console.view import Asked, View
from pnl.reports.catalogue import CATALOGUE
from pnl.reports.definitions import definition_of
from pnl.reports.model import DIMENSIONS
from pnl.reports.sheet import Cell, Row, Sheet, SheetColumn, SheetReport
from pnl.reports.sheet_text import cell_text

ROWS_SHOWN_MAX: Final = 500
ENDINGS: Final = (("xlsx", "Excel"), ("csv", "CSV"), ("parquet", "Parquet"))
DASH: Final = "\N{EM DASH}"
_TEXTS: Final = frozenset({"text", "date", "time"})


def listed(asked: Asked) -> View:
    """Return the list of reports: each with a sentence, and its address with the scope."""
    rows = [
        (el("a", report.title, href=asked.address.link(f"/reports/{name}")), report.summary)
        for name, report in CATALOGUE.items()
    ]
    return View(
        title="Reports",
        blocks={"p-reports": card("p-reports", "All reports", facts(rows), width="p-means")},
        frame=frame(asked, narrow=False),
    )


def page(asked: Asked) -> View:
    """Return one report as a table, with its definitions and downloads."""
    name = asked.address.item
    if name not in CATALOGUE:
        return _none(asked, name)
    report = CATALOGUE[name]
    by = tuple(part for part in asked.address.get("by").split(",") if part)
    ask = asked.reports.converted if asked.address.get("convert") else asked.reports.sheet
    sheet = ask(name, asked.question.scope, by, asked.address.options())
    body = [_table(asked, report, sheet), *_foot(asked, sheet)]
    label = el("span", sheet.label, cls="p-badge p-control") if sheet.label else NOTHING
    said = join([scope_label(asked), ", ", asked.currency, " ", label, _state(sheet)])
    return View(
        title=report.title,
        parent="Reports",
        blocks={
            "p-find": _tools(asked, report, by),
            "p-sheet": card("p-sheet", report.title, *body, said=said, width="p-sheet"),
            "p-means": _definitions(report, sheet),
        },
        frame=frame(asked, narrow=False),
        frozen=("p-means",),
    )


def _none(asked: Asked, name: str) -> View:
    """Return a page that says there is no such report."""
    back = el("a", "Show all reports", href=asked.address.link("/reports"))
    body = card("p-missing", "No such report", empty(f"There is no report {name[:200]!r}.", back))
    outside = frame(asked, narrow=False)
    return View(title="No such report", blocks={"p-missing": body}, frame=outside, missing=True)


def _state(sheet: Sheet) -> Html:
    return el("span", "provisional", cls="p-badge p-provisional") if sheet.provisional else NOTHING


def _tools(asked: Asked, report: SheetReport, by: tuple[str, ...]) -> Html:
    address = asked.address
    allowed = [name for name in DIMENSIONS if name in {*report.dimensions, *report.filters}]
    parts: list[Html] = [*chips(asked)]
    if allowed:
        parts.append(filter_menu(asked, label="Filter", names=allowed))
    if report.options:
        parts.append(options_menu(asked, report.options))
    if report.dimensions:
        choices = [("None", address.link(by=None), not by)]
        choices += [
            (_title(each), address.link(by=each), by == (each,)) for each in report.dimensions
        ]
        parts.append(segments("Split by", choices))
    if report.converts and len(asked.choices.get("currency", ())) > 1:
        converts = bool(address.get("convert"))
        ours = (f"In {asked.currency} only", address.link(convert=None), not converts)
        every = (f"All in {asked.currency}", address.link(convert="yes"), converts)
        parts.append(segments("Currencies", [ours, every]))
    path = address.item_path("/export/reports")
    files = [
        el("a", title, href=address.link(f"{path}.{ending}", **_kept(asked)), download=True)
        for ending, title in ENDINGS
    ]
    parts.append(el("p", icon("download"), " ", link_list(files), cls="p-right p-files"))
    return el("div", *parts, id="p-find", cls="p-tools")


def _kept(asked: Asked) -> dict[str, str | None]:
    """Return the keys of this page that a download needs too."""
    return {
        key: value for key, value in asked.address.pairs if key in {"by", "convert"} or "." in key
    }


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _table(asked: Asked, report: SheetReport, sheet: Sheet) -> Html:
    intervals = sheet.intervals()
    inner = {place for pair in intervals.values() for place in pair}
    shown = [place for place in range(len(sheet.columns)) if place not in inner]
    heads = [_head(report, sheet, sheet.columns[place]) for place in shown]

    def cells(row: Row, cls: str | None = None, first: object = None) -> Html:
        parts = []
        for place in shown:
            column = sheet.columns[place]
            value = _cell(asked, sheet, column, row[place])
            if column.name in intervals:
                value = join([value, _interval(asked, sheet, row, intervals[column.name])])
            if place == shown[0]:
                parts.append(el("th", value if first is None else first, scope="row", cls="p-clip"))
            else:
                kind = "p-clip" if column.unit in _TEXTS else "p-num"
                parts.append(el("td", value, cls=kind))
        return el("tr", *parts, cls=cls)

    rows = [cells(row) for row in sheet.rows[:ROWS_SHOWN_MAX]]
    if not rows:
        sentence = f"Nothing in {scope_label(asked)} under this filter."
        rows = [el("tr", el("td", sentence, colspan=len(shown), cls="p-muted"))]
    if sheet.total is not None:
        rows.append(cells(sheet.total, "p-sum", sheet.total[shown[0]] or "All"))
    return table(f"{report.title}, {scope_label(asked)}, {asked.currency}", heads, rows)


def _head(report: SheetReport, sheet: Sheet, column: SheetColumn) -> Html:
    meaning = definition_of(report, column)
    name = el("abbr", column.title, title=meaning) if meaning else join([column.title])
    mark = badge(column.basis) if column.basis == "estimated" else NOTHING
    interval = el("span", "95 % interval", cls="p-ci") if _has_interval(sheet, column) else NOTHING
    return head(join([name, " ", mark, interval]), None if column.unit in _TEXTS else "p-num")


def _has_interval(sheet: Sheet, column: SheetColumn) -> bool:
    return column.name in sheet.intervals()


def _cell(asked: Asked, sheet: Sheet, column: SheetColumn, cell: Cell) -> Html:
    if cell is None:
        unknown = el("span", "not known", cls="p-hide")
        return el("span", el("span", DASH, aria_hidden="true"), unknown, cls="p-muted")
    figures = asked.figures
    if isinstance(cell, date):
        return join([figures.day(cell)])
    if isinstance(cell, str):
        return value_name(cell) if column.name in sheet.by else join([cell])
    if column.unit == "amount_minor":
        return figures.column(int(cell), asked.currency)
    if column.unit == "time":
        return join([figures.moment(int(cell))])
    return join([cell_text(column, cell, sheet, str(figures.locale))])


def _interval(asked: Asked, sheet: Sheet, row: Row, places: tuple[int, int]) -> Html:
    low, high = (row[place] for place in places)
    if low is None or high is None:
        return NOTHING
    ends = [_cell(asked, sheet, sheet.columns[place], row[place]) for place in places]
    label = el("span", " 95 % interval ", cls="p-hide")
    return el("span", label, join(ends, " \N{HORIZONTAL ELLIPSIS} "), cls="p-ci")


def _foot(asked: Asked, sheet: Sheet) -> list[Html]:
    """Return the notes, and how many rows are not shown."""
    notes = [el("p", note, cls="p-foot") for note in sheet.notes]
    if len(sheet.rows) > ROWS_SHOWN_MAX:
        shown = f"{asked.figures.count(ROWS_SHOWN_MAX)} of {asked.figures.count(len(sheet.rows))}"
        notes.append(el("p", f"{shown} rows are shown; a download has all of them.", cls="p-foot"))
    return notes


def _definitions(report: SheetReport, sheet: Sheet) -> Html:
    inner = {place for pair in sheet.intervals().values() for place in pair}
    heads: dict[tuple[str, str], list[object]] = {}
    for place, column in enumerate(sheet.columns):
        meaning = definition_of(report, column)
        if meaning and place not in inner:
            mark = join([" ", badge(column.basis)]) if column.basis else NOTHING
            same = heads.setdefault((meaning, column.definition), [])
            same.append(join([", " if same else NOTHING, column.title, mark]))
    pairs = [(join(titles), f"{meaning} ({name})") for (meaning, name), titles in heads.items()]
    said = report.summary
    return card("p-means", "What the columns mean", facts(pairs), said=said, width="p-means")
