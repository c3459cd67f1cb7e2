"""One contact (a chain): what it cost, what it earned, and the entries that say so."""

from pnl.console.markup import Html, el, join
from pnl.console.pages.contacts import outcome
from pnl.console.pages.evidence import entries_table
from pnl.console.pages.missing import missing
from pnl.console.parts import badge, card, empty, facts, head, num, table
from pnl.console.shell import export, frame
from pnl.console.view import Asked, View
from pnl.reports.evidence import ContactExplained


def page(asked: Asked) -> View:
    """Return the contact, or that there is none."""
    outside = frame(asked, period=False, narrow=False)
    found = asked.reports.explain_contact(asked.address.item, asked.currency)
    if found is None:
        return missing("contact", asked.address.item, outside)
    outside["p-export"] = export(asked, asked.address.item_path("/export/contacts", ".csv"))
    return View(
        title=found.row.contact_id,
        parent="Contacts",
        blocks={
            "p-heads": _heads(asked, found),
            "p-orders": _orders(asked, found),
            "p-about": _about(asked, found),
            "p-entries": card(
                "p-entries",
                "Entries",
                entries_table(asked, found.entries, "Entries of this contact", about=False)
                if found.entries
                else empty("Nothing was booked for this contact."),
                said="newest first, each with its cause and where it lies in the log",
            ),
        },
        frame=outside,
    )


def _heads(asked: Asked, found: ContactExplained) -> Html:
    figures, row, cost_currency = asked.figures, found.row, found.cost_currency
    credit: dict[str, int] = {}
    for order in found.orders:
        credit[order.currency] = credit.get(order.currency, 0) + order.credit_minor
    earned = join(
        [figures.money(minor, currency) for currency, minor in sorted(credit.items())]
        or [figures.money(0, asked.currency)],
        " ",
    )
    mature = asked.freshness.as_of is not None and asked.freshness.as_of >= found.matures_at
    legs = f"{figures.count(row.legs)} leg" + ("" if row.legs == 1 else "s")
    ended = f"{figures.clock(row.ended_at)}, {legs}"
    shown = [
        ("Ended", figures.day(figures.local(row.ended_at).date()), ended),
        ("Net credit", earned, "final" if mature else "a lower bound until matured"),
        ("Cost", figures.money(row.cost_minor, cost_currency), "handling, channel, concessions"),
        ("Fees", figures.money(row.fee_minor, cost_currency), "charged for the contact"),
        ("Outcome", outcome(row), f"case {row.case_id}" if row.case_id else "no case"),
        ("Matures", figures.day(figures.local(found.matures_at).date()), "end + longest lookback"),
    ]
    parts = [
        el(
            "div",
            el("p", name, cls="p-name"),
            el("p", el("span", value, cls="p-big p-mid"), cls="p-big-row"),
            el("p", under, cls="p-under"),
            cls="p-head-fig",
        )
        for name, value, under in shown
    ]
    title = el("h2", "Headlines", cls="p-hide")
    return el(
        "section", title, el("div", *parts, cls="p-heads"), id="p-heads", cls="p-card p-flush"
    )


def _orders(asked: Asked, found: ContactExplained) -> Html:
    title, said = "What it earned", "credits of orders, refunds taken off"
    if not found.orders:
        body = empty("No order has given this contact credit.")
        return card("p-orders", title, body, said=said, width="p-w8")
    heads = [head("Order"), head("Placed", "p-no-phone"), head("Line"), head("Class", "p-no-phone")]
    heads += [head("Weight", "p-num"), head("Credit", "p-num")]
    rows = [
        el(
            "tr",
            el(
                "th",
                el("a", o.order_id, href=asked.address.item_link("/orders", o.order_id)),
                scope="row",
            ),
            el("td", asked.figures.moment(o.occurred_at), cls="p-no-phone p-now"),
            el("td", o.line),
            el("td", o.product_class, cls="p-no-phone"),
            num(asked.figures.count(o.weight)),
            num(asked.figures.money(o.credit_minor, o.currency)),
        )
        for o in found.orders
    ]
    return card("p-orders", title, table(title, heads, rows), said=said, width="p-w8")


def _about(asked: Asked, found: ContactExplained) -> Html:
    figures, row = asked.figures, found.row
    dash = "\N{EM DASH}"
    pairs: list[tuple[object, object]] = [
        ("Customer", row.customer_id if row.identified else el("dd", el("em", "unidentified"))),
        ("Queue, team", _pair(row.queue, row.team)),
        ("Agent", row.agent or dash),
        ("Channel, direction", _pair(row.channel, row.direction)),
        ("Reason, kind", _pair(row.reason, row.kind)),
        (
            "Talk, hold, wrap",
            " + ".join(map(figures.duration, (found.talk_ms, found.hold_ms, found.wrap_ms))),
        ),
        ("Waited", figures.duration(row.wait_ms)),
        ("Handled", "yes" if row.handled else "abandoned" if row.abandoned else "no"),
        ("Record", f"version {found.version}"),
    ]
    if found.disposition_code:
        pairs.append(("Disposition", found.disposition_code))
    parts = [facts(pairs)]
    if found.withdrawn:
        parts.append(
            el("p", badge("withdrawn"), " by its source, or joined to another.", cls="p-foot")
        )
    return card("p-about", "About it", *parts, width="p-w4")


def _pair(first: str, second: str) -> Html:
    shown = ", ".join(value for value in (first, second) if value) or "\N{EM DASH}"
    return el("dd", shown, cls="p-wrap")
