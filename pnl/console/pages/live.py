"""The live board: what is being earned now, and how far the figures can be trusted."""

from typing import Final

from pnl.console.address import days_before
from pnl.console.charts import rpc_chart
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import NAMES, against_label, scope_label, segments
from pnl.console.pages.alerts import worst
from pnl.console.pages.groups import groups_table
from pnl.console.pages.live_now import churn_card, windows_card
from pnl.console.pages.statement import rows_of
from pnl.console.parts import (
    badge,
    card,
    delta,
    empty,
    entries_link,
    facts,
    head,
    meter,
    num,
    opens,
    provisional,
    sparkline,
    table,
    tone,
)
from pnl.console.shell import export, frame
from pnl.console.view import Asked, View
from pnl.reports.evidence import DataQuality
from pnl.reports.model import (
    CONTACT_DIMENSIONS,
    ContactsReport,
    DayPoint,
    Headline,
    Headlines,
    Scope,
    Statement,
)

CHART_DAYS: Final = "90"
GROUPS_MAX: Final = 8
TITLES: Final = {
    "revenue_per_contact": ("Revenue per contact", "DEF-RPC"),
    "cost_per_contact": ("Cost per contact", "KPI-CPC"),
    "unattributed": ("Unattributed", "M1 / M2"),
    "unidentified": ("Unidentified contacts", "M6"),
    "booked_result": ("Booked operating result", "A+B+C"),
}
"""Shorter names than the definitions', for narrow columns."""
ROUNDED_FROM: Final = 100_000
"""Headlines of a thousand major units and more are rounded to whole ones."""


def page(asked: Asked) -> View:
    """Return the board."""
    scope, before = asked.question.scope, asked.question.previous
    reports = asked.reports
    statement = reports.statement(scope)
    if statement.as_of is None:
        return _nothing_yet(asked)
    now = reports.headlines(scope, statement)
    compared = reports.statement(before) if before else None
    earlier = reports.headlines(before, compared) if before else None
    by = asked.address.get("by", "queue")
    if by not in CONTACT_DIMENSIONS:
        by = "queue"
    groups = reports.contacts(scope, (by,))
    points = reports.daily(_chart_scope(asked))
    return View(
        title="Live board",
        blocks={
            "p-heads": _headlines(asked, now, earlier, statement.memo_value("M3")),
            "p-trend": _trend(asked, points),
            "p-worst": worst(asked),
            "p-result": _statement(asked, statement, compared),
            "p-groups": _groups(asked, groups, by),
            "p-churn": churn_card(asked),
            "p-windows": windows_card(asked),
            "p-health": _health(asked, reports.quality(scope), groups),
        },
        frame={**frame(asked, against=True), "p-export": export(asked, "/export/statement.csv")},
        chart=rpc_chart(asked, points),
    )


def _nothing_yet(asked: Asked) -> View:
    body = empty(
        "No facts have been read yet. Import a file with pnl import, or start pnl demo;"
        " this page fills by itself."
    )
    return View(
        title="Live board",
        blocks={
            "p-nothing": card("p-nothing", "Nothing to add up", body),
            "p-trend": chart_away(),
        },
        frame=frame(asked),
    )


def _chart_scope(asked: Asked) -> Scope:
    scope, day = asked.question.scope, asked.as_of_day
    assert day is not None
    tomorrow = days_before(day, -1)
    end = min(scope.end or tomorrow, tomorrow)
    start = days_before(end, int(asked.address.get("days", CHART_DAYS)))
    return Scope(currency=scope.currency, start=start, end=end, **scope.filters())


# Headlines


def _headlines(
    asked: Asked, now: Headlines, before: Headlines | None, coverage: int | None
) -> Html:
    shown = []
    for figure in now.all():
        earlier = None
        if before is not None:
            earlier = {h.name: h for h in before.all()}[figure.name]
        note = NOTHING
        if figure.name == "net_revenue":
            note = provisional(asked) or _coverage(asked, coverage)
        shown.append(_headline(asked, figure, earlier, note))
    title = el("h2", f"Headlines, {scope_label(asked)}", cls="p-hide", id="p-heads-h")
    figures = el("div", *shown, cls="p-heads")
    return el(
        "section", title, figures, id="p-heads", cls="p-card p-flush", aria_labelledby="p-heads-h"
    )


def _headline(asked: Asked, figure: Headline, before: Headline | None, note: Html) -> Html:
    title, definition = TITLES.get(figure.name, (figure.title, figure.definition))
    name = el("span", title)
    code = el("span", definition, cls="p-def")
    value = el("span", _value(asked, figure), cls="p-big", data_live=True)
    mature = figure.matured_ppm is None or figure.matured_ppm == 1_000_000
    spark = sparkline(figure.series, final=mature)
    return el(
        "div",
        el("p", name, code, cls="p-name"),
        el("div", value, spark, cls="p-big-row"),
        el("p", _change(asked, figure, before), cls="p-under"),
        el("p", note or _below(asked, figure, before), cls="p-under"),
        cls="p-head-fig",
    )


def _coverage(asked: Asked, ppm: int | None) -> Html:
    """Return how much of company net revenue is credited (M3): what a closed period says."""
    return NOTHING if ppm is None else join([f"coverage {asked.figures.percent(ppm)} (M3)"])


def _amount(asked: Asked, minor: int) -> str:
    if abs(minor) >= ROUNDED_FROM:
        return asked.figures.money_rounded(minor, asked.currency)
    return asked.figures.money(minor, asked.currency)


def _value(asked: Asked, figure: Headline) -> Html:
    if figure.value is None:
        return el("em", "null")
    href = asked.address.link("/contacts" if "contact" in figure.name else "/statement")
    if figure.name == "unattributed":
        href = asked.address.unfiltered("/entries", line="unattributed")
    if figure.unit == "ppm":
        shown, exact = asked.figures.percent(figure.value), f"{figure.value} parts per million"
    else:
        shown = _amount(asked, figure.value)
        exact = f"{figure.value} minor units {asked.currency}"
    about = f"{figure.title} ({figure.definition}): {exact}, {scope_label(asked)}, {asked.timezone}"
    return opens(shown, href, about)


def _change(asked: Asked, figure: Headline, before: Headline | None) -> Html:
    """Return the change against the compared period; a young cohort is never compared."""
    if before is None:
        return el("span", "not compared", cls="p-muted")
    if figure.matured_ppm is not None and figure.matured_ppm < 1_000_000:
        return el("span", "lower bound until matured", cls="p-muted")
    if figure.value is None or before.value is None:
        return el("span", f"nothing in {against_label(asked)}", cls="p-muted")
    change = figure.value - before.value
    if figure.unit == "ppm":
        return join([asked.figures.points(change)])
    cost = figure.name == "cost_per_contact"
    sign = asked.figures
    shown = (
        sign.money_signed_rounded(change, asked.currency)
        if abs(figure.value) >= ROUNDED_FROM
        else sign.money_signed(change, asked.currency)
    )
    better = -change if cost else change
    word = " better" if cost and change < 0 else ""
    percent = asked.figures.change_percent(figure.value, before.value)
    return join([el("span", shown, cls=tone(better)), f" ({percent}){word}"])


def _below(asked: Asked, figure: Headline, before: Headline | None) -> Html:
    parts: list[object] = []
    if figure.matured_ppm is not None:
        shown = asked.figures.percent_whole(figure.matured_ppm)
        parts += [meter(figure.matured_ppm), f" {shown} matured"]
        if figure.ci_minor is not None:
            parts.append(f", ±{asked.figures.money(figure.ci_minor, asked.currency)}")
    elif figure.name == "booked_result" and figure.below is not None:
        parts.append(f"margin {asked.figures.percent(figure.below)}")
        if before is not None and before.below is not None:
            parts.append(f", was {asked.figures.percent(before.below)}")
    elif figure.name == "unidentified" and figure.below is not None:
        parts.append(f"{asked.figures.count(figure.below)} without a customer")
    elif figure.name == "unattributed" and figure.below is not None:
        parts.append(f"{_amount(asked, figure.below)} of net revenue")
    elif figure.below is not None:
        parts.append(f"{figure.below_title} {_amount(asked, figure.below)}")
    return join(parts)


# Chart


def chart_away() -> Html:
    """Return the chart's card out of sight: the chart itself lives as long as the page."""
    slot = el("div", id="p-chart", cls="p-chart", data_keep=True)
    return el("section", slot, id="p-trend", cls="p-away", aria_hidden="true")


def _trend(asked: Asked, points: tuple[DayPoint, ...]) -> Html:
    days = asked.address.get("days", CHART_DAYS)
    choices = [
        (f"{n} days", asked.address.link(days=None if n == CHART_DAYS else n), n == days)
        for n in ("30", "60", "90")
    ]
    slot = el(
        "div",
        id="p-chart",
        cls="p-chart",
        data_keep=True,
        role="img",
        aria_label=_spoken(asked, points),
    )
    body = [slot] if points else [slot, empty("No contact ended in these days.")]
    return card(
        "p-trend",
        "Revenue and cost per handled contact",
        *body,
        said="by the day the contact ended; band: 95 %",
        more=segments("Days", choices),
        width="p-w8",
    )


def _spoken(asked: Asked, points: tuple[DayPoint, ...]) -> str:
    """Return the chart as a sentence."""
    known = [p for p in points if p.revenue_per_contact_minor is not None]
    if not known:
        return "Revenue per handled contact by day: no contact was handled."
    figures, last = asked.figures, known[-1]
    assert last.revenue_per_contact_minor is not None
    mature = sum(1 for p in known if p.mature)
    return (
        f"Revenue and cost per handled contact by the day the contact ended,"
        f" {figures.day(known[0].day)} to {figures.day(last.day)}. On the last day revenue is"
        f" {figures.money(last.revenue_per_contact_minor, asked.currency)} per contact."
        f" {mature} of {len(known)} days are mature; the others are lower bounds."
    )


# Cards


def _health(asked: Asked, quality: DataQuality, groups: ContactsReport) -> Html:
    figures, freshness = asked.figures, asked.freshness
    behind = freshness.behind_seconds
    late = sum(topic.late for topic in quality.topics)
    dead = sum(topic.dead for topic in quality.topics)
    read = sum(topic.read for topic in quality.topics)
    slow = [p for p in freshness.partitions if p.behind_records]
    matured = groups.total.matured_ppm
    pairs: list[tuple[object, object]] = [
        ("Behind the log", "unknown" if behind is None else figures.behind(behind)),
        ("Partitions behind", f"{len(slow)} of {len(freshness.partitions)}"),
        ("Facts read", figures.count(read)),
        ("Late facts", figures.count(late)),
        ("Dead letters", el("dd", figures.count(dead), cls="p-warn" if dead else None)),
        ("Contacts matured", "null" if matured is None else figures.percent(matured)),
        ("Orders without a customer", figures.count(quality.orders_unidentified)),
        ("Orphan refunds", figures.count(quality.orphan_refunds)),
    ]
    link = el("a", "Details", href=asked.address.link("/health"))
    return card("p-health", "Data health", facts(pairs), more=link, width="p-w3")


def _statement(asked: Asked, now: Statement, before: Statement | None) -> Html:
    rows = {row.code or row.title: row for row in rows_of(now, before)}
    middle = [rows[name] for name in ("C3", "C4", "C6", "C7")]
    lines: list[tuple[str, str, str, int, int]] = []
    for name in ("A", "B", "C1", "C2"):
        row = rows[name]
        basis = row.basis or "booked, accrued"
        lines.append((name, row.title, basis, row.now, row.before))
    lines.append(
        (
            "C3\N{EN DASH}C7",
            "Channel, other",
            "booked",
            sum(r.now for r in middle),
            sum(r.before for r in middle),
        )
    )
    overhead, result = rows["C5"], rows["Booked operating result"]
    lines.append(("C5", overhead.title, overhead.basis, overhead.now, overhead.before))
    largest = max(abs(n - b) for _, _, _, n, b in [*lines, ("", "", "", result.now, result.before)])
    heads = [head("Line"), head("Basis", "p-no-phone"), head(asked.currency, "p-num")]
    heads += [
        head("Change", "p-num"),
        head(el("span", "Change, drawn", cls="p-hide"), "p-no-phone"),
    ]
    shown = [_statement_row(asked, line, largest, before is not None) for line in lines]
    shown.append(
        _statement_row(
            asked, ("", result.title, "", result.now, result.before), largest, before is not None
        )
    )
    said = f"{scope_label(asked)} against {against_label(asked)}, {asked.currency}, rounded"
    link = el("a", "Open", href=asked.address.link("/statement"))
    body = table(f"Statement, {said}", heads, shown)
    return card("p-result", "Statement", body, said=said, more=link, width="p-w7")


def _statement_row(
    asked: Asked, line: tuple[str, str, str, int, int], largest: int, compared: bool
) -> Html:
    code, title, basis, now, before = line
    figures, currency = asked.figures, asked.currency
    amount = join([figures.column_rounded(now, currency)])
    if basis and code not in {"A", "C3\N{EN DASH}C7"}:
        exact = f"{title}: {now} minor units {currency}"
        amount = opens(amount, entries_link(asked.address, code, by=None, days=None), exact)
    change = figures.column_rounded(now - before, currency, signed=True) if compared else ""
    first = "booked" if code == "A" else basis
    shown = join([badge(first), " ", badge("accrued")]) if code == "A" else badge(first)
    name = join([el("span", code, cls="p-code p-wide-code"), title]) if code else join([title])
    cells = [
        el("th", name, scope="row"),
        el("td", shown if basis else NOTHING, cls="p-no-phone"),
        num(amount),
        num(change),
        el("td", delta(now - before, largest) if compared else NOTHING, cls="p-no-phone"),
    ]
    return el("tr", *cells, cls=None if basis else "p-result")


def _groups(asked: Asked, report: ContactsReport, by: str) -> Html:
    choices = [
        (NAMES[d], asked.address.link(by=None if d == "queue" else d), d == by)
        for d in ("queue", "channel", "team", "reason", "agent")
    ]
    link = el("a", "All", href=asked.address.link("/contacts", view="groups", by=by))
    body = groups_table(asked, report, by, rows_max=GROUPS_MAX, short=True)
    switch = el("div", segments("Split by", choices), cls="p-card-tools")
    note = "By end of contact; cost: handling, channel and concessions of these contacts."
    foot = el("p", note, cls="p-foot")
    return card("p-groups", "Net revenue per contact", switch, body, foot, more=link, width="p-w5")
