"""One order: how its net revenue was credited until it adds up, and every entry of it."""

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import segments
from pnl.console.pages.evidence import entries_table
from pnl.console.pages.missing import missing
from pnl.console.parts import card, empty, facts, head, num, said_law, table
from pnl.console.shell import export, frame
from pnl.console.view import Asked, View
from pnl.reports.evidence import OrderExplained
from processors.policy import Model

DAY_MS = 86_400_000
MODELS: tuple[tuple[Model, str], ...] = (
    ("last", "Last"),
    ("first", "First"),
    ("linear", "Linear"),
    ("position", "Position"),
    ("time_decay", "Time decay"),
)


def page(asked: Asked) -> View:
    """Return the order under the booked model or another, or that there is none."""
    outside = frame(asked, period=False, narrow=False)
    found = asked.reports.explain_order(asked.address.item, asked.address.get("model") or None)
    if found is None:
        return missing("order", asked.address.item, outside)
    outside["p-export"] = export(asked, asked.address.item_path("/export/orders", ".csv"))
    return View(
        title=found.order_id,
        parent="Orders",
        blocks={
            "p-models": _models(asked, found),
            "p-credits": _credits(asked, found),
            "p-sums": _sums(asked, found),
            "p-path": _path(asked, found),
            "p-entries": card(
                "p-entries",
                "Entries",
                entries_table(asked, found.entries, "Entries of this order")
                if found.entries
                else empty("Nothing was booked for this order."),
                said="as booked; each with its cause and where it lies in the log",
            ),
        },
        frame=outside,
    )


def _models(asked: Asked, found: OrderExplained) -> Html:
    choices = [
        (label, asked.address.link(model=name), name == found.model) for name, label in MODELS
    ]
    said = (
        "as booked"
        if found.booked
        else "worked out from the stored path; the books are not changed"
    )
    parts = [segments("Attribution model", choices), el("p", said)]
    if found.withdrawn:
        parts.append(el("span", "withdrawn", cls="p-badge p-control"))
    return el("div", *parts, id="p-models", cls="p-tools")


def _credits(asked: Asked, found: OrderExplained) -> Html:
    figures = asked.figures
    heads = [head("Contact"), head("Case", "p-no-phone"), head("Class", "p-no-phone"), head("Line")]
    heads += [head("Weight", "p-num"), head(f"Credit, {found.currency}", "p-num")]
    rows = []
    for credit in found.credits:
        who = el("em", "the centre")
        if credit.contact_id is not None:
            href = asked.address.item_link("/contacts", credit.contact_id)
            who = el("a", credit.contact_id, href=href)
        rows.append(
            el(
                "tr",
                el("th", who, scope="row"),
                el("td", credit.case_id or "\N{EM DASH}", cls="p-no-phone"),
                el("td", credit.product_class, cls="p-no-phone"),
                el("td", credit.line),
                num(figures.count(credit.weight)),
                num(figures.column(credit.credit_minor, found.currency)),
            )
        )
    rows += [
        _sum_row("Unattributed", figures.column(found.unattributed_minor, found.currency), ""),
        _sum_row("Net", figures.column(found.net_minor, found.currency), "p-sum"),
    ]
    title = "How it was credited"
    return card("p-credits", title, table(title, heads, rows), width="p-w8")


def _sum_row(name: str, amount: Html, cls: str) -> Html:
    label = el("th", name, scope="row")
    blanks = [el("td", cls="p-no-phone"), el("td", cls="p-no-phone"), el("td"), el("td")]
    return el("tr", label, *blanks, num(amount), cls=cls or None)


def _sums(asked: Asked, found: OrderExplained) -> Html:
    figures, currency = asked.figures, found.currency
    credits_minor = sum(credit.credit_minor for credit in found.credits)
    holds = credits_minor + found.unattributed_minor == found.net_minor
    pairs: list[tuple[object, object]] = [
        ("Kind", found.kind.replace("_", " ")),
        ("Placed", figures.moment(found.occurred_at)),
        ("Customer", found.customer_id or el("dd", el("em", "unidentified"))),
        ("Gross", figures.money(found.gross_minor, currency)),
        ("Taken back", figures.money(found.net_minor - found.gross_minor, currency)),
        ("Net", figures.money(found.net_minor, currency)),
        ("Credited", figures.money(credits_minor, currency)),
        ("Unattributed", figures.money(found.unattributed_minor, currency)),
        ("Model, revision", f"{found.model}, {found.revision}"),
    ]
    if found.sold_in:
        href = asked.address.item_link("/contacts", found.sold_in)
        pairs.append(("Sold in", el("dd", el("a", found.sold_in, href=href))))
    if found.sold_unknown:
        pairs.append(("Sold in", el("dd", "a contact nobody has sent yet", cls="p-wrap")))
    if found.linked_to:
        linked = [
            el("a", name, href=asked.address.item_link("/orders", name)) for name in found.linked_to
        ]
        pairs.append(("Takes from", el("dd", join(linked, ", "), cls="p-wrap")))
    sentence = (
        "Credits and unattributed add up to the net, to the minor unit (I1)."
        if holds
        else "Credits and unattributed do not add up to the net (I1): run pnl verify."
    )
    return card("p-sums", "Adding up", facts(pairs), said_law(holds, sentence), width="p-w4")


def _path(asked: Asked, found: OrderExplained) -> Html:
    title = "Contacts that could earn credit"
    longest = max((c.lookback_ms for c in found.classes), default=0) // DAY_MS
    said = f"ended within {longest} days before the order, oldest first" if longest else ""
    if not found.path:
        sentence = (
            "No contact of this customer was handled in the lookback: its net is unattributed."
        )
        if found.credits:
            sentence = "No contact of this customer was handled in the lookback."
        return card("p-path", title, empty(sentence), said=said)
    heads = [
        head("Contact"),
        head("Ended"),
        head("Before the order", "p-num"),
        head("Handle", "p-num"),
    ]
    heads.append(head("Case", "p-no-phone"))
    rows = [
        el(
            "tr",
            el(
                "th",
                el(
                    "a", step.contact_id, href=asked.address.item_link("/contacts", step.contact_id)
                ),
                scope="row",
            ),
            el("td", asked.figures.moment(step.ended_at), cls="p-now"),
            num(asked.figures.behind((found.occurred_at - step.ended_at) / 1000)),
            num(asked.figures.duration(step.handle_ms)),
            el("td", step.case_id or "\N{EM DASH}", cls="p-no-phone"),
        )
        for step in found.path
    ]
    return card("p-path", title, table(title, heads, rows), said=join([said]) if said else NOTHING)
