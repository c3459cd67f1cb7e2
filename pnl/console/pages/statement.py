"""The statement: the profit-and-loss account, compared, or split by a dimension.

Law: what stands above a sum adds up to it on the screen, to the minor unit. Every line stands,
zero too, with the reason; every figure opens its entries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import NAMES, against_label, scope_label, segments, value_name
from pnl.console.pages.statement_beside import estimates, memo, reconciled
from pnl.console.parts import (
    badge,
    basis_note,
    card,
    delta,
    entries_link,
    head,
    num,
    opens,
    standing,
    table,
)
from pnl.console.shell import export, frame
from pnl.console.view import Asked, View
from pnl.reports.model import DIMENSIONS, Statement

REVENUE: Final = ("A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5")
CONTROLLABLE: Final = ("C1", "C2", "C3", "C4", "C6", "C7")
ALLOCATED: Final = ("C5",)
COLUMNS_MAX: Final = 8
NOT_RESTATED: Final = "The ledger as it stood when the period was closed; nothing later moves it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the account: a section's name, a line, or a sum; `line` is empty but for lines."""

    kind: str
    title: str
    line: str = ""
    code: str = ""
    basis: str = ""
    now: int = 0
    before: int = 0
    note: str = ""
    starts: int = 0
    """Where its bar begins: the running total before it; 0 for a sum."""


def rows_of(now: Statement, before: Statement | None) -> tuple[Row, ...]:
    """Return the account's rows, top to bottom, with running totals for the waterfall."""
    return tuple(_rows(now, before))


def _rows(now: Statement, before: Statement | None) -> Iterator[Row]:
    running, running_before = 0, 0

    def line(name: str) -> Row:
        nonlocal running, running_before
        shown = now.line(name)
        earlier = before.line(name).amount_minor if before else 0
        row = Row(
            kind="line",
            title=shown.title,
            line=name,
            code=name,
            basis=shown.basis,
            now=shown.amount_minor,
            before=earlier,
            note=shown.note,
            starts=running,
        )
        running, running_before = running + shown.amount_minor, running_before + earlier
        return row

    def total(title: str, code: str = "", kind: str = "sum") -> Row:
        return Row(kind=kind, title=title, code=code, now=running, before=running_before)

    yield Row(kind="head", title="Revenue the centre earned or helped to earn")
    yield from [line(name) for name in REVENUE]
    yield total("Net revenue influenced", "A")
    yield line("B")
    yield total("Margin before cost of the centre")
    yield Row(kind="head", title="Controllable cost")
    yield from [line(name) for name in CONTROLLABLE]
    yield Row(kind="head", title="Allocated cost, not controllable by the centre")
    yield from [line(name) for name in ALLOCATED]
    yield total("Booked operating result", kind="result")


def page(asked: Asked) -> View:
    """Return the statement in the view the address names."""
    if asked.address.get("view") == "reported":
        return _reported(asked)
    by_dimension = asked.address.get("view") == "dims"
    by = asked.address.get("by", "queue")
    scope, before_scope = asked.question.scope, asked.question.previous
    now = asked.reports.statement(scope, (by,) if by_dimension else ())
    if by_dimension:
        account = _by_dimension(asked, now, by)
    else:
        before = asked.reports.statement(before_scope) if before_scope else None
        account = _compared(asked, now, before)
    return View(
        title="Statement",
        blocks={
            "p-views": _views(asked, now, by_dimension=by_dimension, by=by),
            "p-account": account,
            "p-estimates": estimates(asked, now),
            "p-memo": memo(asked, now),
            "p-reconciled": reconciled(asked, now),
        },
        frame={
            **frame(asked, against=not by_dimension),
            "p-export": export(asked, "/export/statement.csv"),
        },
    )


def _reported(asked: Asked) -> View:
    """Return the statement as it stood when its period was closed; BadRequest if it was not."""
    now = asked.reports.statement(asked.question.scope, (), "reported")
    said = f"{NOT_RESTATED} Order facts and contacts are counted as they are known now."
    return View(
        title="Statement",
        blocks={
            "p-views": _views(asked, now, by_dimension=False, by=""),
            "p-account": _compared(asked, now, None),
            "p-estimates": estimates(asked, now),
            "p-memo": memo(asked, now),
            "p-reported": card("p-reported", "As reported", el("p", said, cls="p-foot")),
        },
        frame={**frame(asked), "p-export": export(asked, "/export/statement.csv")},
    )


def _views(asked: Asked, now: Statement, *, by_dimension: bool, by: str) -> Html:
    address = asked.address
    reported = now.view == "reported"
    is_closed = now.closed_at is not None
    as_reported = [("As reported", address.link(view="reported", by=None), reported)]
    as_reported = as_reported if is_closed else []
    views = segments(
        "View",
        [
            (
                "Compare periods",
                address.link(view=None, by=None),
                not by_dimension and not reported,
            ),
            ("By dimension", address.link(view="dims"), by_dimension),
            *as_reported,
        ],
    )
    parts = [views]
    if by_dimension:
        choices = [(NAMES[d], address.link(by=d), d == by) for d in DIMENSIONS]
        parts.append(segments("Split by", choices))
    parts.append(standing(asked, now))
    opened = "its entries of now, later ones too" if reported else "its entries"
    parts.append(el("p", f"Cost is negative; every figure opens {opened}."))
    if asked.address.filters():
        parts.append(el("p", "The memo and the reconciliation are of the whole company."))
    return el("div", *parts, id="p-views", cls="p-tools")


def _compared(asked: Asked, now: Statement, before: Statement | None) -> Html:
    rows = rows_of(now, before)
    period, earlier = scope_label(asked), against_label(asked)
    heads = [head("Line"), head("Basis", "p-no-phone")]
    heads.append(head(join([period, el("br"), asked.currency]), "p-num"))
    heads.append(head("From revenue to result", "p-no-phone"))
    if before is not None:
        heads.append(head(join([earlier, el("br"), asked.currency]), "p-num p-no-phone"))
        heads += [head("Change", "p-num p-no-phone"), head("%", "p-num p-no-phone")]
        heads.append(head(el("span", "Change, drawn", cls="p-hide"), "p-no-phone"))
    shown = _Compared(asked, rows, period, earlier, compared=before is not None)
    caption = f"Statement, {period} against {earlier}, {asked.currency}"
    body = table(caption, heads, [shown.row(row) for row in rows], "p-account")
    return el(
        "section", el("h2", caption, cls="p-hide"), body, id="p-account", cls="p-card p-flush"
    )


class _Compared:
    """Draws the rows of a compared statement on the axes they share."""

    def __init__(
        self, asked: Asked, rows: tuple[Row, ...], period: str, earlier: str, *, compared: bool
    ) -> None:
        self._asked = asked
        self._period, self._earlier, self._is_compared = period, earlier, compared
        ends = [0, *(row.starts + row.now for row in rows if row.kind != "head")]
        self._low, self._high = min(ends), max(ends)
        self._largest = max((abs(row.now - row.before) for row in rows), default=0)
        self._columns = 8 if compared else 4

    def row(self, row: Row) -> Html:
        """Return one row."""
        if row.kind == "head":
            cell = el("th", row.title, scope="colgroup", colspan=self._columns)
            return el("tr", cell, cls="p-head")
        cells = [_name(row), el("td", badge(row.basis) if row.basis else NOTHING, cls="p-no-phone")]
        cells += [self._now(row), el("td", self._flow(row), cls="p-no-phone p-flow-cell")]
        if self._is_compared:
            cells += self._before(row)
        cls = {"sum": "p-sum", "result": "p-result"}.get(row.kind)
        return el("tr", *cells, cls=cls)

    def _amount(self, row: Row, minor: int, period: str, **changes: str | None) -> Html:
        figure = self._asked.figures.column(minor, self._asked.currency)
        if not row.line:
            return figure
        note = basis_note(self._asked, f"{row.title} ({row.line})", minor, row.basis, period)
        return opens(figure, entries_link(self._asked.address, row.line, **changes), note)

    def _now(self, row: Row) -> Html:
        under = NOTHING
        if self._is_compared:
            change = row.now - row.before
            figure = self._asked.figures.column(change, self._asked.currency, signed=True)
            under = el("span", figure, cls="p-only-phone p-sub")
        amount = self._amount(row, row.now, self._period)
        return num(join([amount, under]))

    def _before(self, row: Row) -> list[Html]:
        figures, currency, change = self._asked.figures, self._asked.currency, row.now - row.before
        scope = self._asked.question.previous
        assert scope is not None
        assert scope.start is not None
        assert scope.end is not None
        dates = {"from_": scope.start.isoformat(), "to": scope.end.isoformat()}
        earlier = self._amount(row, row.before, self._earlier, **dates)
        percent = figures.change_percent(row.now, row.before)
        return [
            num(earlier, "p-no-phone"),
            num(figures.column(change, currency, signed=True), "p-no-phone"),
            num(percent, "p-no-phone" if change and percent != "n/m" else "p-no-phone p-muted"),
            el("td", delta(change, self._largest), cls="p-no-phone"),
        ]

    def _flow(self, row: Row) -> Html:
        spread = (self._high - self._low) or 1
        left = (min(row.starts, row.starts + row.now) - self._low) / spread * 100
        width = abs(row.now) / spread * 100
        cls = "p-all" if row.kind != "line" else "p-up" if row.now > 0 else "p-down"
        end = (row.starts + row.now - self._low) / spread * 100
        bar = el("i", cls=cls, style=f"left:{left:.2f}%;width:{width:.2f}%") if row.now else NOTHING
        stem = el("i", cls="p-stem", style=f"left:{min(end, 99.9):.2f}%")
        return el("span", bar, stem, cls="p-flow", aria_hidden="true")


def _name(row: Row) -> Html:
    note = el("span", f" {row.note}", cls="p-muted p-note") if row.note and not row.now else NOTHING
    code = el("span", row.code, cls="p-code") if row.code or row.kind == "line" else NOTHING
    return el("th", code, row.title, note, scope="row")


def _by_dimension(asked: Asked, now: Statement, by: str) -> Html:
    rows = rows_of(now, None)
    amounts: dict[str, dict[str, int]] = {
        line.line: {g.key[0][1]: g.amount_minor for g in line.groups} for line in now.lines
    }
    columns, others = _columns(amounts)
    heads = [head(join(["Line, ", asked.currency]))]
    heads += [head(value_name(value), "p-num p-no-phone") for value in columns]
    if others:
        heads.append(head(f"{len(others)} others", "p-num p-no-phone"))
    heads.append(head("All", "p-num"))
    shown = _Split(asked, by, columns, others, amounts)
    title = f"Statement by {NAMES[by].lower()}, {scope_label(asked)}"
    body = table(f"{title}, {asked.currency}", heads, [shown.row(row) for row in rows], "p-account")
    foot = el(
        "p",
        "Handling (C1) keeps the queue of each leg; what belongs to no contact stands under none.",
        cls="p-foot",
    )
    return el(
        "section", el("h2", title, cls="p-hide"), body, foot, id="p-account", cls="p-card p-flush"
    )


def _columns(amounts: dict[str, dict[str, int]]) -> tuple[list[str], list[str]]:
    """Return the values that get a column, by name, and those that share one: the smallest."""
    weight: dict[str, int] = {}
    for groups in amounts.values():
        for value, minor in groups.items():
            weight[value] = weight.get(value, 0) + abs(minor)
    largest = sorted(weight, key=lambda value: (-weight[value], value))
    return sorted(largest[:COLUMNS_MAX], key=lambda v: (v == "", v)), sorted(largest[COLUMNS_MAX:])


class _Split:
    """Draws the rows of a statement split by a dimension; sums run down each column."""

    def __init__(
        self,
        asked: Asked,
        by: str,
        columns: list[str],
        others: list[str],
        amounts: dict[str, dict[str, int]],
    ) -> None:
        self._asked, self._by = asked, by
        self._columns, self._others, self._amounts = columns, others, amounts
        self._running = dict.fromkeys([*columns, *others], 0)

    def row(self, row: Row) -> Html:
        """Return one row; rows come in the account's order."""
        if row.kind == "head":
            span = len(self._columns) + bool(self._others) + 2
            cell = el("th", row.title, scope="colgroup", colspan=span)
            return el("tr", cell, cls="p-head")
        if row.line:
            shown = self._amounts[row.line]
            for value, minor in shown.items():
                self._running[value] += minor
        else:
            shown = self._running
        cells = [_name(row)]
        cells += [self._cell(row, value, shown.get(value, 0)) for value in self._columns]
        if self._others:
            rest = sum(shown.get(value, 0) for value in self._others)
            cells.append(num(self._figure(rest), "p-no-phone"))
        everything = self._figure(row.now)
        if row.line:
            href = entries_link(self._asked.address, row.line, view=None, by=None)
            everything = opens(everything, href, f"{row.title}: entries")
        cells.append(num(everything))
        return el("tr", *cells, cls={"sum": "p-sum", "result": "p-result"}.get(row.kind))

    def _figure(self, minor: int) -> Html:
        return self._asked.figures.column(minor, self._asked.currency)

    def _cell(self, row: Row, value: str, minor: int) -> Html:
        figure = self._figure(minor)
        if not row.line or not minor:
            return num(el("span", figure, cls=None if minor else "p-muted"), "p-no-phone")
        href = self._asked.address.narrowed(self._by, value, "/entries", line=row.line)
        return num(opens(figure, href, f"{row.title}, {value or 'none'}: entries"), "p-no-phone")
