"""What we know that we do not know: counted and shown, never hidden in a total.

Law: every record read ended as exactly one of applied, duplicate, late, dead; the counts here
are the batches' own, so they add up to what was read.
"""

from pnl.reports.evidence import DataQuality, ReasonCount, TopicCounts
from pnl.reports.memo import unbooked_costs
from pnl.reports.model import Scope
from pnl.reports.sql import Queryable, Where, bounds_of, during, in_currency, in_ledger_during
from processors.policy import Policy


def quality(store: Queryable, policy: Policy, scope: Scope) -> DataQuality:
    """Return the counts of a scope's period and currency; of topics, those of everything read."""
    bounds = bounds_of(scope.start, scope.end, policy.zone)
    chains = during(Where(), "ended_at", bounds)
    orders = during(in_currency(Where(), scope.currency), "occurred_at", bounds)
    entries = in_ledger_during(in_currency(Where(), scope.currency), bounds)
    (chain_row,) = store.query(
        "SELECT count() AS chains, countIf(NOT identified) AS unidentified"
        f" FROM v_contacts WHERE {chains}",
        chains.parameters,
    )
    (order_row,) = store.query(
        "SELECT countIf(kind = 'sale') AS orders,"
        " countIf(kind = 'sale' AND NOT identified) AS orders_unidentified,"
        " countIf(orphan) AS orphans"
        f" FROM v_orders WHERE {orders}",
        orders.parameters,
    )
    (sold_row,) = store.query(
        f"SELECT countIf(sold_unknown) AS sold_unknown FROM v_attributions WHERE {orders}",
        orders.parameters,
    )
    return DataQuality(
        chains=chain_row["chains"],
        unidentified=chain_row["unidentified"],
        orders=order_row["orders"],
        orders_unidentified=order_row["orders_unidentified"],
        sold_unknown=sold_row["sold_unknown"],
        orphan_refunds=order_row["orphans"],
        notes=_notes(store, entries),
        topics=_topics(store),
        dead_letters=_dead_letters(store),
        unbooked=unbooked_costs(store, entries),
    )


def _notes(store: Queryable, where: Where) -> tuple[ReasonCount, ...]:
    """Return of how many orders or contacts the entries, all taken together, bear which note."""
    # Reversals take their additions back, so only what is left of an entry counts.
    rows = store.query(
        "SELECT note, count() AS n FROM ("
        " SELECT note, if(order_id != '', order_id, contact_id) AS about,"
        " sum(if(change = 'reversal', -1, 1)) AS left"
        f" FROM v_ledger WHERE {where} AND note NOT IN ('', 'in_contact', 'post_contact')"
        " GROUP BY note, about HAVING left > 0"
        ") GROUP BY note ORDER BY note",
        where.parameters,
    )
    return tuple(ReasonCount(reason=row["note"], count=row["n"]) for row in rows)


def _topics(store: Queryable) -> tuple[TopicCounts, ...]:
    rows = store.query(
        "SELECT src_topic, sum(end_offset - start_offset) AS read_n, sum(applied) AS applied_n,"
        " sum(duplicate) AS duplicate_n, sum(late) AS late_n, sum(dead) AS dead_n"
        " FROM v_batch_sources GROUP BY src_topic ORDER BY src_topic"
    )
    return tuple(
        TopicCounts(
            topic=row["src_topic"],
            read=row["read_n"],
            applied=row["applied_n"],
            duplicate=row["duplicate_n"],
            late=row["late_n"],
            dead=row["dead_n"],
        )
        for row in rows
    )


def _dead_letters(store: Queryable) -> tuple[ReasonCount, ...]:
    rows = store.query(
        "SELECT reason, count() AS n FROM v_dead_letters GROUP BY reason ORDER BY n DESC, reason"
    )
    return tuple(ReasonCount(reason=row["reason"], count=row["n"]) for row in rows)
