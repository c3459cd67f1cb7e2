"""Data health: may I trust this? Where every input ended, how old the figures are."""

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.menus import scope_label
from pnl.console.parts import card, empty, facts, head, num, said_law, table
from pnl.console.shell import frame
from pnl.console.view import Asked, View
from pnl.reports.evidence import DataQuality, PartitionFreshness
from pnl.reports.model import Statement

BEHIND_SECONDS = 10.0
NOTES = {
    "late": "Too late to attribute",
    "no_touch": "Orders without a contact to credit",
    "over_refund": "Refunds beyond their order",
    "unlinked": "Refunds linked by the model",
    "sold_unknown": "Sold in a contact nobody sent",
    "opposite_sign": "Orders that turned negative",
    "unknown_tariff": "Fees of an unknown tariff",
}
"""What the notes of entries say, for people."""


def page(asked: Asked) -> View:
    """Return how far the figures can be trusted."""
    quality = asked.reports.quality(asked.question.scope)
    statement = asked.reports.statement(asked.question.scope)
    return View(
        title="Data health",
        blocks={
            "p-ended": _ended(asked, quality),
            "p-fresh": _fresh(asked),
            "p-laws": _laws(asked, statement),
            "p-unknown": _unknown(asked, quality, statement),
            "p-dead": _dead(asked, quality),
            "p-unbooked": _unbooked(asked, quality),
        },
        frame=frame(asked),
    )


def _ended(asked: Asked, quality: DataQuality) -> Html:
    figures = asked.figures
    heads = [
        head("Topic"),
        head("In", "p-num"),
        head("Applied", "p-num"),
        head("Duplicate", "p-num"),
    ]
    heads += [head("Late", "p-num"), head("Dead", "p-num")]

    def row(name: str, counts: tuple[int, ...], cls: str | None = None) -> Html:
        *plain, dead = counts
        cells = [num(figures.count(n)) for n in plain]
        cells.append(num(figures.count(dead), "p-warn" if dead else ""))
        return el("tr", el("th", name, scope="row"), *cells, cls=cls)

    counted = [(t.topic, (t.read, t.applied, t.duplicate, t.late, t.dead)) for t in quality.topics]
    rows = [row(name, counts) for name, counts in counted]
    sums = tuple(map(sum, zip(*(counts for _, counts in counted), strict=True))) if counted else ()
    if sums:
        rows.append(row("All", sums, "p-sum"))
    foot = el(
        "p",
        "Late facts are booked too; what can no longer be attributed is in M1.",
        cls="p-foot",
    )
    title = "Where every input ended"
    body = table(title, heads, rows) if rows else empty("No record has been read yet.")
    said = "everything read so far; rows add up"
    return card("p-ended", title, body, foot, said=said, width="p-w6")


def _fresh(asked: Asked) -> Html:
    title = "Freshness"
    heads = [
        head("Partition"),
        head("As of"),
        head("Behind", "p-num"),
        head("Records behind", "p-num"),
    ]
    rows = [_partition(asked, partition) for partition in asked.freshness.partitions]
    body = table(title, heads, rows) if rows else empty("No partition has been read yet.")
    said = "how far the figures are in each partition of the log"
    return card("p-fresh", title, body, said=said, width="p-w6")


def _partition(asked: Asked, partition: PartitionFreshness) -> Html:
    figures, behind = asked.figures, partition.behind_seconds
    late = behind is not None and behind >= BEHIND_SECONDS
    mark = el("span", cls="p-dot", aria_hidden="true")
    name = el("span", mark, partition.partition, cls="p-asof p-late" if late else "p-asof")
    as_of = el("em", "nothing yet") if partition.as_of is None else figures.moment(partition.as_of)
    records = partition.behind_records
    return el(
        "tr",
        el("th", name, el("b", " behind", cls="p-warn") if late else NOTHING, scope="row"),
        el("td", as_of, cls="p-now"),
        num("unknown" if behind is None else figures.behind(behind), "p-warn" if late else ""),
        num("unknown" if records is None else figures.count(records)),
    )


def _laws(asked: Asked, statement: Statement) -> Html:
    """Return the laws that this page's own figures can be held to, here and now."""
    figures, currency = asked.figures, asked.currency
    bridge, orders = statement.bridge, statement.reconciliation
    bridged = (
        bridge.a_minor
        - bridge.fees_minor
        + bridge.deferred_minor
        + bridge.unattributed_minor
        + bridge.adjustments_minor
    )
    result = sum(line.amount_minor for line in statement.lines)
    checks = [
        (
            "I3",
            "Credits, unattributed and adjustments = net order revenue",
            bridged,
            bridge.net_minor,
        ),
        ("M2", "Net of the ledger = net of the order facts", bridge.net_minor, orders.net_minor),
        (
            "I8",
            "Sum of the lines = booked operating result",
            result,
            statement.total("booked_result"),
        ),
    ]
    heads = [head("Law"), head("Checked", "p-num p-no-phone"), head("Difference", "p-num")]
    rows = [
        el(
            "tr",
            el("th", el("span", law, cls="p-code"), sentence, scope="row"),
            num(figures.money(right, currency), "p-no-phone p-muted"),
            num(figures.money(left - right, currency), "p-ok" if left == right else "p-crit"),
        )
        for law, sentence, left, right in checks
    ]
    holds = all(left == right for _, _, left, right in checks)
    said = f"of {scope_label(asked)}, worked out with this page; pnl verify checks all of them"
    sentence = "Everything shown adds up." if holds else "Figures do not add up: run pnl verify."
    title = "Laws"
    body = table(title, heads, rows)
    return card("p-laws", title, body, said_law(holds, sentence), said=said, width="p-w8")


def _unknown(asked: Asked, quality: DataQuality, statement: Statement) -> Html:
    figures = asked.figures
    m3, m6 = statement.memo_value("M3"), statement.memo_value("M6")

    def share(ppm: int | None) -> Html:
        return el("em", "null") if ppm is None else join([figures.percent(ppm)])

    pairs: list[tuple[object, object]] = [
        ("Unattributed revenue", share(None if m3 is None else 1_000_000 - m3)),
        ("Unidentified contacts", share(m6)),
        ("Orders without a customer", _of(asked, quality.orders_unidentified, quality.orders)),
        ("Orphan refunds", figures.count(quality.orphan_refunds)),
        *((NOTES.get(n.reason, n.reason), figures.count(n.count)) for n in quality.notes),
    ]
    said = f"K66, {scope_label(asked)}"
    return card("p-unknown", "What we do not know", facts(pairs), said=said, width="p-w4")


def _of(asked: Asked, part: int, whole: int) -> str:
    return f"{asked.figures.count(part)} of {asked.figures.count(whole)}"


def _dead(asked: Asked, quality: DataQuality) -> Html:
    title = "Dead letters"
    total = sum(found.count for found in quality.dead_letters)
    if not quality.dead_letters:
        body = empty("Every record could be read and applied, or is counted above.")
        return card("p-dead", title, body, said="none", width="p-w8")
    heads = [head("Reason"), head("Records", "p-num")]
    rows = [
        el("tr", el("th", found.reason, scope="row"), num(asked.figures.count(found.count)))
        for found in quality.dead_letters
    ]
    said = f"{asked.figures.count(total)} in all; each keeps its coordinates and first bytes"
    return card("p-dead", title, table(title, heads, rows), said=said, width="p-w8")


def _unbooked(asked: Asked, quality: DataQuality) -> Html:
    title, said = "Kept, not booked", "costs of a kind that has no line yet"
    if not quality.unbooked:
        return card("p-unbooked", title, empty("Every cost has a line."), said=said, width="p-w4")
    pairs = [
        (c.kind, asked.figures.money(c.amount_minor, asked.currency)) for c in quality.unbooked
    ]
    return card("p-unbooked", title, facts(pairs), said=said, width="p-w4")
