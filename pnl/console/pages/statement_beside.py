"""What stands beside the account on the statement's page: estimates, memo, reconciliation.

Law: nothing here is in a total of the account. An estimate stands with its interval; what cannot be
known is *null*, with the reason.
"""

from typing import Final

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import scope_label
from pnl.console.parts import basis_note, card, entries_link, facts, interval, opens, said_law
from pnl.console.view import Asked
from pnl.reports.model import Memo, Statement
from processors.statement import LINE

MEMO_LINES: Final = {"M1": "unattributed", "M2": "net", "M8": "A5x", "M9": "adjustment"}


def estimates(asked: Asked, now: Statement) -> Html:
    """Return D1, D2 and D, each with its interval or the reason why there is none."""
    pairs = []
    for each in now.estimates:
        name = join([el("span", each.line, cls="p-code"), each.title])
        shown = interval(asked, each)
        if each.value is not None and each.line in LINE:
            shown = opens(shown, entries_link(asked.address, each.line), f"{each.title}: entries")
        note = el("span", f" {each.note}", cls="p-muted p-note") if each.note else NOTHING
        pairs.append((name, join([shown, note])))
    return card(
        "p-estimates",
        "Estimated contribution",
        facts(pairs),
        said="beside the booked result, never in it; with its 95 % interval",
    )


def memo(asked: Asked, now: Statement) -> Html:
    """Return M1 to M9."""
    pairs = [
        (join([el("span", each.memo, cls="p-code"), each.title]), _memo_value(asked, each))
        for each in now.memo
    ]
    said = "of the whole company, beside the statement"
    return card("p-memo", "Memo", facts(pairs), said=said, width="p-w6")


def _memo_value(asked: Asked, memo: Memo) -> Html:
    figures = asked.figures
    if memo.value is None:
        why = el("span", f" {memo.note}", cls="p-muted p-note") if memo.note else NOTHING
        return join([el("em", "null"), why])
    if memo.unit == "ppm":
        return join([figures.percent(memo.value)])
    if memo.unit == "count":
        parts = ", ".join(f"{name} {figures.count(count)}" for name, count in memo.parts)
        why = el("span", f" {parts}", cls="p-muted p-note") if parts else NOTHING
        return join([figures.count(memo.value), why])
    shown = figures.money(memo.value, asked.currency)
    line = MEMO_LINES.get(memo.memo)
    if line is None:
        return join([shown])
    href = asked.address.unfiltered("/entries", line=line)
    return opens(
        shown, href, basis_note(asked, memo.title, memo.value, "booked", scope_label(asked))
    )


def reconciled(asked: Asked, now: Statement) -> Html:
    """Return the way from the result to the orders as invoiced, and whether it arrives there."""
    figures, currency = asked.figures, asked.currency
    bridge, orders = now.bridge, now.reconciliation
    pairs = [
        ("Net revenue influenced (A)", bridge.a_minor),
        ("less support fees, which are not orders", -bridge.fees_minor),
        ("put off to later days, less earned from earlier sales", bridge.deferred_minor),
        ("Unattributed revenue (M1)", bridge.unattributed_minor),
        ("Adjustments (M9)", bridge.adjustments_minor),
        ("Net order revenue (M2)", bridge.net_minor),
        ("The same from the order facts alone", orders.net_minor),
    ]
    if now.payroll is not None:
        pairs += [
            ("Payroll as paid", now.payroll.paid_minor),
            ("the same in C1 + C2 + C7, once worked out", now.payroll.in_lines_minor),
        ]
    difference = bridge.net_minor - orders.net_minor
    sentence = (
        "Credits, unattributed and adjustments add up to the orders as invoiced, to the minor unit."
        if not difference
        else f"The ledger and the order facts differ by {figures.money(difference, currency)}:"
        " run pnl verify."
    )
    return card(
        "p-reconciled",
        "From the result to the orders",
        facts((name, figures.money(minor, currency)) for name, minor in pairs),
        said_law(not difference, sentence),
        said="of the whole company",
        width="p-w6",
    )
