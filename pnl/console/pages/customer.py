"""One customer: what they bought, what it is worth, and how likely they do not come back.

Law: the risk stands with its method, its reasons and its as of; a customer without an order has
none, and the page says null. Only the pseudonym is shown.
"""

from typing import Final

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import value_name
from pnl.console.pages.churn import (
    Row,
    change,
    headline,
    heads,
    probability,
    rows_of,
)
from pnl.console.pages.missing import missing
from pnl.console.parts import badge, card, empty, facts
from pnl.console.shell import frame
from pnl.console.view import Asked, View
from pnl.reports.churn_words import METHOD_WORDS
from pnl.reports.model import Scope

METHODS: Final = {"bgnbd": "BG/NBD", "pnbd": "Pareto/NBD", **METHOD_WORDS}


def page(asked: Asked) -> View:
    """Return the customer, or that there is none."""
    name, scope = asked.address.item, Scope(currency=asked.currency)
    outside = frame(asked, period=False, narrow=False)
    one = {"customer": name}
    risks = rows_of(asked.reports.sheet("churn", scope, (), one))
    worth = asked.reports.sheet("customers", scope, (), {"view": "customers", **one})
    known = rows_of(worth)
    if not risks and not known:
        return missing("customer", name, outside)
    risk = risks[0] if risks else None
    value = known[0] if known else None
    return View(
        title=name,
        parent="Churn watch",
        blocks={
            "p-heads": _heads(asked, value, risk),
            "p-risk": _risk(asked, risk),
            "p-value": _value(asked, value, worth.notes),
        },
        frame=outside,
    )


def _money(asked: Asked, minor: int | None) -> Html:
    return el("em", "null") if minor is None else join([asked.figures.money(minor, asked.currency)])


def _heads(asked: Asked, value: Row | None, risk: Row | None) -> Html:
    figures, shown = asked.figures, []
    if value is not None:
        bought = figures.count(value["purchases"])
        since = value["first_purchase"]
        shown += [
            headline(
                "Since",
                "no order" if since is None else figures.day(since),
                f"{bought} days with a purchase",
            ),
            headline("Net revenue", _money(asked, value["net_revenue_minor"]), "last 90 days"),
            headline("Contacts", figures.count(value["contacts"]), "last 90 days, handled"),
            headline(
                join(["Lifetime value ", badge("estimated")]),
                _money(asked, value["clv_minor"]),
                _interval(asked, value),
            ),
        ]
    ppm = None if risk is None else risk["risk_ppm"]
    under: object = "no order, or nothing to tell it by"
    if risk is not None:
        method = METHODS.get(risk["method"], risk["method"])
        under = join([change(risk["change_ppm"]), f" in 7 days, {method}"])
    shown.append(headline(join(["Risk ", badge("estimated")]), probability(ppm), under))
    return heads(shown)


def _interval(asked: Asked, value: Row) -> Html:
    low, high = value["clv_minor_low"], value["clv_minor_high"]
    if low is None or high is None:
        return join(["not known"])
    ends = (asked.figures.money(end, asked.currency) for end in (low, high))
    return join(ends, " to ")


def _risk(asked: Asked, risk: Row | None) -> Html:
    title, said = "Risk", "that nothing is bought within the horizon"
    if risk is None:
        body = empty("No risk is known: there is no order, or no model yet.")
        return card("p-risk", title, body, said=said, width="p-w7")
    figures = asked.figures
    explained = risk["explained_ppm"]
    contact: object = "none"
    if risk["contact"] is not None:
        where = join([value_name(risk["queue"]), ", ", risk["channel"]])
        href = asked.address.item_link("/contacts", risk["contact"])
        contact = el("dd", el("a", where, href=href), cls="p-wrap")
    pairs: list[tuple[object, object]] = [
        ("Risk", probability(risk["risk_ppm"])),
        ("Change in 7 days", change(risk["change_ppm"])),
        ("explained by facts of a day", _share(asked, explained)),
        ("State", risk["state"]),
        ("Why", el("dd", risk["why"], cls="p-wrap")),
        ("Last fact", el("dd", risk["cause"] or "none", cls="p-wrap")),
        ("As of", figures.moment(risk["as_of"])),
        ("Horizon", f"{risk['horizon_days']} days"),
        ("Margin at stake", _money(asked, risk["value_minor"])),
        ("Value at risk", _money(asked, risk["at_risk_minor"])),
        ("Model", el("dd", risk["model"] or risk["method"], cls="p-wrap")),
        ("Last contact", contact),
    ]
    starred = "* weighs what was chosen, not what was learnt." if "*" in risk["why"] else ""
    foot = el("p", starred, cls="p-foot") if starred else NOTHING
    mark = join([said, " ", badge("estimated")])
    return card("p-risk", title, facts(pairs), foot, said=mark, width="p-w7")


def _share(asked: Asked, ppm: int | None) -> Html:
    return el("em", "null") if ppm is None else join([asked.figures.percent_whole(ppm)])


def _value(asked: Asked, value: Row | None, notes: tuple[str, ...]) -> Html:
    if value is None:
        body = empty("Nothing was bought, and there was no contact, in the last 90 days.")
        return card("p-value", "Relation", body, width="p-w5")
    figures = asked.figures
    last = value["last_purchase"]
    pairs: list[tuple[object, object]] = [
        ("Relation", value["relation"]),
        ("Frequency", value["frequency"] or "none"),
        ("Last purchase", "none" if last is None else figures.day(last)),
        ("Lifetime value", _money(asked, value["clv_minor"])),
        ("at risk of it", _money(asked, value["at_risk_minor"])),
        ("Cost of replacing", _money(asked, value["replacement_minor"])),
    ]
    foot = [el("p", note, cls="p-foot") for note in notes[:-1]]
    return card("p-value", "Relation", facts(pairs), *foot, width="p-w5")
