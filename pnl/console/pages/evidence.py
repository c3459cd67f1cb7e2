"""Entries as people read them: what was booked, why, and where the fact lies in the log."""

from collections.abc import Iterable

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.parts import badge, head, link_list, num, table
from pnl.console.view import Asked
from pnl.reports.evidence import ExplainedEntry


def entries_table(
    asked: Asked, entries: Iterable[ExplainedEntry], caption: str, *, about: bool = True
) -> Html:
    """Return the entries, one a row. `about`: with the order and contact each is about."""
    heads = [head("Line"), head("Effective"), head("Booked", "p-no-phone"), head("Amount", "p-num")]
    if about:
        heads.append(head("About"))
    heads += [head("Cause", "p-no-phone"), head("Source", "p-no-phone")]
    rows = [_row(asked, entry, about=about) for entry in entries]
    return table(caption, heads, rows, "p-evidence")


def _row(asked: Asked, entry: ExplainedEntry, *, about: bool) -> Html:
    figures = asked.figures
    amount = figures.column(entry.amount_minor, entry.currency)
    code = (
        el("span", entry.currency, " ", cls="p-muted") if entry.currency != asked.currency else ""
    )
    line = el("td", el("b", entry.line), " ", badge(entry.basis), _change(entry), cls="p-now")
    cells = [
        line,
        el("td", _when(asked, entry.effective_at), _spread(asked, entry)),
        el("td", _when(asked, entry.booked_at), cls="p-no-phone"),
        num(join([code, amount])),
    ]
    if about:
        cells.append(el("td", _about(asked, entry)))
    cells += [
        el("td", _cause(entry), cls="p-no-phone"),
        el("td", _source(entry), cls="p-no-phone p-mono"),
    ]
    return el("tr", *cells, cls="p-took" if entry.change == "reversal" else None)


def _when(asked: Asked, millis: int) -> Html:
    return el("span", asked.figures.moment(millis), cls="p-now")


def _change(entry: ExplainedEntry) -> Html:
    return el("span", f" {entry.change}", cls="p-muted") if entry.change else NOTHING


def _spread(asked: Asked, entry: ExplainedEntry) -> Html:
    if entry.term is None:
        return NOTHING
    start, end = entry.term
    cut = f", from {asked.figures.day(entry.cut)} on" if entry.cut else ""
    spread = asked.figures.money(entry.spread_minor, entry.currency)
    said = f"{spread} over {asked.figures.span(start, end)}{cut}"
    return el("span", said, cls="p-muted p-sub")


def _about(asked: Asked, entry: ExplainedEntry) -> Html:
    parts: list[object] = []
    if entry.order_id:
        href = asked.address.item_link("/orders", entry.order_id)
        parts.append(el("a", entry.order_id, href=href, cls="p-id"))
    if entry.contact_id:
        href = asked.address.item_link("/contacts", entry.contact_id)
        parts.append(el("a", entry.contact_id, href=href, cls="p-id"))
    parts += [value for value in (entry.queue, entry.product_class, entry.note) if value]
    return link_list(parts)


def _cause(entry: ExplainedEntry) -> Html:
    cause = entry.cause
    return join([f"{cause.fact} ", el("b", cause.id), f", revision {cause.revision}"])


def _source(entry: ExplainedEntry) -> Html:
    source = entry.source
    return join([f"{source.topic} {source.partition}/{source.offset}"])
