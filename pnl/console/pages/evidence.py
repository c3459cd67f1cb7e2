"""Entries as people read them: what was booked, why, and where the fact lies in the log."""

from collections.abc import Iterable

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.parts import badge, head, link_list, num, table
from pnl.console.view import Asked
from pnl.reports.evidence import ExplainedEntry


def entries_table(
    asked: Asked, entries: Iterable[ExplainedEntry], caption: str, *, about: bool = True
) -> Html:
    """Return the entries, one a row. `about`: with the order and contact each is about.

    On a phone time, cause and source stand under the line and what it is about.
    """
    heads = [head("Line"), head("Effective", "p-no-phone"), head("Booked", "p-no-phone")]
    heads += [head("Amount", "p-num"), head("About", None if about else "p-only-phone-cell")]
    heads += [head("Cause", "p-no-phone"), head("Source", "p-no-phone")]
    rows = [_row(asked, entry, about=about) for entry in entries]
    return table(caption, heads, rows, "p-evidence")


def _row(asked: Asked, entry: ExplainedEntry, *, about: bool) -> Html:
    figures = asked.figures
    amount = figures.column(entry.amount_minor, entry.currency)
    code = (
        el("span", entry.currency, " ", cls="p-muted") if entry.currency != asked.currency else ""
    )
    when = el("span", figures.moment(entry.effective_at), cls="p-only-phone p-sub")
    line = el("td", el("b", entry.line), " ", badge(entry.basis), _change(entry), when)
    cause, source = _cause(entry), _source(entry)
    under = el("span", cause, " ", el("span", source, cls="p-mono"), cls="p-only-phone p-sub")
    said = _about(asked, entry) if about else NOTHING
    return el(
        "tr",
        line,
        el("td", _when(asked, entry.effective_at), _spread(asked, entry), cls="p-no-phone"),
        el("td", _when(asked, entry.booked_at), cls="p-no-phone"),
        num(join([code, amount])),
        el("td", said, under, cls=None if about else "p-only-phone-cell"),
        el("td", cause, cls="p-no-phone"),
        el("td", source, cls="p-no-phone p-mono p-now"),
    )


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
    revision = el("span", f" revision {cause.revision}", cls="p-muted") if cause.revision else ""
    return el("span", f"{cause.fact} ", el("b", cause.id), revision)


def _source(entry: ExplainedEntry) -> Html:
    source = entry.source
    return join([f"{source.topic} {source.partition}/{source.offset}"])
