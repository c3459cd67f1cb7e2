"""The laws of stored data, each a query that finds nothing when the law holds.

Law: every sum is compared with another that was worked out on another way: entries with batch
records, credits with entries, order facts with the ledger, the roll-up with what it sums.

What is found while the sink is busy may only be on its way: `sinks.verify` looks twice.
"""

from dataclasses import dataclass
from typing import Final

from sinks import cohorts, months
from sinks.months import OF_THIS_LEDGER, VALID
from sinks.rollup import DIMENSIONS, HOUR

_CREDIT_LINES: Final = "('A1a', 'A1b', 'A2a', 'A2b', 'A2c', 'A3', 'A4', 'A5')"
_ORDER_LINES: Final = (
    "('net', 'unattributed', 'A1a', 'A1b', 'A2a', 'A2b', 'A2c', 'A3', 'A4', 'A5', 'A5x',"
    " 'adjustment')"
)
_DIMENSIONS: Final = ", ".join(DIMENSIONS)
_MONTHLY: Final = ", ".join(("line", "currency", *months.DIMENSIONS))
_FACETS_BOOKED: Final = " UNION ALL ".join(
    f"SELECT month, '{facet}' AS facet, line, currency, "
    + ", ".join(name if name in kept else f"'' AS {name}" for name in months.DIMENSIONS)
    + ", toInt128(0) AS summed, sum(toInt128(amount_minor)) AS booked FROM v_ledger"
    " WHERE term_start IS NULL AND has(arrayMap(each -> each.1, months), month)"
    f" GROUP BY {', '.join(('month', 'line', 'currency', *kept))}"
    for facet, kept in months.FACETS.items()
)
_COHORT_KEYS: Final = ("facet", "month", "slot_at", "currency", *cohorts.DIMENSIONS)
_TEXTS: Final = ("facet", "currency", *cohorts.DIMENSIONS)
_COHORT_FIGURES: Final = (*cohorts.COUNTS, *cohorts.SUMS)
_COHORTS_COUNTED: Final = " UNION ALL ".join(
    f"SELECT '{facet}' AS facet, month, slot_at, each AS currency, "
    + ", ".join(f"_{name} AS {name}" for name in cohorts.DIMENSIONS)
    + "".join(f", -toInt128({name}) AS {name}" for name in _COHORT_FIGURES)
    + f" FROM ({cohorts.contacts_summed(facet, 'editions[1].4')}) WHERE notEmpty(editions)"
    for facet in (cohorts.TIME, *cohorts.FACETS)
)
_NOT_VOID: Final = (
    "(log_epoch, log_partition, log_offset) NOT IN"
    " (SELECT log_epoch, log_partition, arrayJoin(voided_offsets) FROM v_batches)"
)
"""A repair names the batch records that never happened (`pnl repair`)."""
_ORDERS: Final = (
    "SELECT uniqExact(customer_id, order_id, currency) AS n FROM v_ledger WHERE order_id != ''"
)
_WHERE: Final = (
    "min(log_partition) AS log_partition, min(log_offset) AS first_offset,"
    " max(log_offset) AS last_offset"
)
"""Where the entries of a group lie in `pnl.ledger.v1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What must hold, the query that returns the rows where it does not, what it looks at."""

    law_id: str
    title: str
    sql: str
    of: str
    counted: str


LAWS: Final = (
    Law(
        law_id="R1",
        title="the entries of an order sum to zero: credits + unattributed = net revenue",
        of="orders",
        counted=_ORDERS,
        sql=f"""
SELECT customer_id, order_id, currency, sum(toInt128(amount_minor)) AS difference_minor, {_WHERE}
FROM v_ledger WHERE order_id != '' AND line IN {_ORDER_LINES}
GROUP BY customer_id, order_id, currency HAVING difference_minor != 0""",
    ),
    Law(
        law_id="R2",
        title="input offsets are accounted for once: no gap, no overlap between batches",
        of="ranges of input offsets",
        counted="SELECT count() AS n FROM v_batch_sources",
        sql=f"""
SELECT src_topic, src_partition, batch_id, start_offset, former_end, log_offset FROM (
    SELECT src_topic, src_partition, batch_id, start_offset, log_offset,
        lagInFrame(toNullable(end_offset)) OVER (
            PARTITION BY log_epoch, src_topic, src_partition ORDER BY start_offset, end_offset
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS former_end
    FROM v_batch_sources WHERE {_NOT_VOID})
WHERE former_end IS NOT NULL AND start_offset != former_end""",
    ),
    Law(
        law_id="R3",
        title="every input record has one disposition: the counts add up to the offsets",
        of="input records",
        counted="SELECT sum(applied + duplicate + late + dead) AS n FROM v_batch_sources",
        sql=f"""
SELECT batch_id, src_topic, src_partition, start_offset, end_offset, applied, duplicate, late,
    dead, log_offset, arrayMap(x -> (x, arraySum(arrayMap((d, s, e) -> if(d = x, e - s, 0),
        exception_dispositions, exception_starts, exception_ends))),
        ['duplicate', 'late', 'dead']) AS excepted
FROM v_batch_sources
WHERE (end_offset - start_offset != applied + duplicate + late + dead
    OR arrayMap(x -> x.2, excepted) != [duplicate, late, dead]) AND {_NOT_VOID}""",
    ),
    Law(
        law_id="R4",
        title="the ledger holds what the batch records count: rows and minor units",
        of="batches",
        counted="SELECT uniqExact(batch_id) AS n FROM v_batches",
        sql=f"""
SELECT batch_id, sum(batch_rows) AS rows_recorded, sum(ledger_rows) AS rows_stored,
    sum(batch_minor) AS minor_recorded, sum(ledger_minor) AS minor_stored,
    max(partition) AS log_partition, max(recorded_at) AS batch_offset, max(last) AS last_offset
FROM (
    SELECT batch_id, out_rows AS batch_rows, toInt128(out_sum_minor) AS batch_minor,
        0 AS ledger_rows, toInt128(0) AS ledger_minor, log_partition AS partition,
        log_offset AS recorded_at, -1 AS last
    FROM v_batches WHERE {_NOT_VOID}
    UNION ALL
    SELECT amended, more_rows, toInt128(more_minor), 0, toInt128(0), log_partition, -1, -1
    FROM v_batches ARRAY JOIN amended_batch_ids AS amended, amended_rows AS more_rows,
        amended_minor AS more_minor
    UNION ALL
    SELECT batch_id, 0, toInt128(0), count(), sum(toInt128(amount_minor)), min(log_partition), -1,
        max(log_offset)
    FROM v_ledger GROUP BY batch_id)
GROUP BY batch_id HAVING rows_recorded != rows_stored OR minor_recorded != minor_stored""",
    ),
    Law(
        law_id="R5",
        title="an identity is in one month and has one content, however often it was written",
        of="rows",
        counted="SELECT count() AS n FROM ledger",
        sql="""
SELECT log_epoch, log_partition, log_offset, log_position, uniqExact(month) AS months,
    uniqExact(effective_at, customer_id, order_id, currency, line, contact_id, amount_minor)
        AS contents
FROM ledger GROUP BY log_epoch, log_partition, log_offset, log_position
HAVING months > 1 OR contents > 1""",
    ),
    Law(
        law_id="R7a",
        title="what an order earned has net revenue behind it",
        of="orders",
        counted=_ORDERS,
        sql=f"""
SELECT customer_id, order_id, currency, {_WHERE} FROM v_ledger WHERE order_id != ''
GROUP BY customer_id, order_id, currency
HAVING countIf(line IN {_CREDIT_LINES}) > 0 AND countIf(line = 'net') = 0""",
    ),
    Law(
        law_id="R7b",
        title="a chain is live under one customer",
        of="chains",
        counted="SELECT count() AS n FROM v_contacts",
        sql="""
SELECT contact_id, arraySort(groupArray((customer_id, log_partition, log_offset))) AS places
FROM v_contacts
GROUP BY contact_id HAVING length(places) > 1""",
    ),
    Law(
        law_id="S1",
        title="a credit vector adds up: credits + unattributed = net, over its classes too",
        of="credit vectors",
        counted="SELECT count() AS n FROM v_attributions",
        sql="""
SELECT order_id, customer_id, currency, net_minor, unattributed_minor,
    arraySum(credits_minor) AS credited_minor, arraySum(class_net_minor) AS of_classes_minor,
    log_partition, log_offset
FROM v_attributions
WHERE credited_minor + unattributed_minor != net_minor OR of_classes_minor != net_minor""",
    ),
    Law(
        law_id="S2",
        title="the credit vectors say what the ledger says, by order and contact",
        of="credits",
        counted="SELECT sum(length(credits_minor)) AS n FROM v_attributions",
        sql=f"""
SELECT customer_id, order_id, contact, currency, sum(vector) AS vector_minor,
    sum(booked) AS ledger_minor
FROM (
    SELECT customer_id, order_id, contact, currency, toInt128(credited) AS vector,
        toInt128(0) AS booked
    FROM v_attributions ARRAY JOIN credit_contact_ids AS contact, credits_minor AS credited
    UNION ALL
    SELECT customer_id, order_id, contact_id, currency, toInt128(0), toInt128(amount_minor)
    FROM v_ledger WHERE order_id != '' AND line IN {_CREDIT_LINES})
GROUP BY customer_id, order_id, contact, currency HAVING vector_minor != ledger_minor""",
    ),
    Law(
        law_id="S3",
        title="a contact's credit is what the ledger credits it, by currency",
        of="chains",
        counted="SELECT count() AS n FROM v_contacts",
        sql=f"""
SELECT customer_id, contact, currency, sum(counted) AS contact_minor, sum(booked) AS ledger_minor
FROM (
    SELECT customer_id, contact_id AS contact, credit_currency AS currency,
        toInt128(credited) AS counted, toInt128(0) AS booked
    FROM v_contacts ARRAY JOIN credit_currencies AS credit_currency, credits_minor AS credited
    UNION ALL
    SELECT customer_id, contact_id, currency, toInt128(0), toInt128(amount_minor)
    FROM v_ledger WHERE order_id != '' AND contact_id != '' AND line IN {_CREDIT_LINES})
GROUP BY customer_id, contact, currency HAVING contact_minor != ledger_minor""",
    ),
    Law(
        law_id="S4",
        title="the order facts' effect on net revenue is what the ledger booked, by customer",
        of="order facts",
        counted="SELECT count() AS n FROM v_orders",
        sql="""
SELECT customer_id, currency, sum(effect) AS orders_minor, sum(booked) AS ledger_minor
FROM (
    SELECT customer_id, currency, toInt128(net_effect_minor) AS effect, toInt128(0) AS booked
    FROM v_orders
    UNION ALL
    SELECT customer_id, currency, toInt128(0), -toInt128(amount_minor)
    FROM v_ledger WHERE line = 'net')
GROUP BY customer_id, currency HAVING orders_minor != ledger_minor""",
    ),
    Law(
        law_id="A5",
        title="the hourly roll-up is the sum of the entries that are not spread",
        of="sums",
        counted="SELECT count() AS n FROM v_rollup_hourly",
        sql=f"""
SELECT hour_number, {_DIMENSIONS}, sum(summed) AS rollup_minor, sum(booked) AS ledger_minor,
    sum(summed_entries) AS rollup_entries, sum(booked_entries) AS ledger_entries
FROM (
    SELECT intDiv(toUnixTimestamp64Milli(hour), 3600000) AS hour_number, {_DIMENSIONS},
        amount_minor AS summed, toInt128(0) AS booked, entries AS summed_entries,
        0 AS booked_entries
    FROM v_rollup_hourly
    UNION ALL
    SELECT {HOUR} AS hour_number, {_DIMENSIONS}, toInt128(0), sum(toInt128(amount_minor)), 0,
        count()
    FROM v_ledger WHERE term_start IS NULL GROUP BY hour_number, {_DIMENSIONS})
GROUP BY hour_number, {_DIMENSIONS}
HAVING rollup_minor != ledger_minor OR rollup_entries != ledger_entries""",
    ),
    Law(
        law_id="A10",
        title="monthly sums that count are the sums of the ledger's months",
        of="sums",
        counted="SELECT count() AS n FROM v_rollup_monthly",
        sql=f"""
WITH ({VALID}) AS months
SELECT month, facet, {_MONTHLY}, sum(summed) AS monthly_minor, sum(booked) AS ledger_minor
FROM (
    SELECT month, toString(facet) AS facet, {_MONTHLY}, amount_minor AS summed,
        toInt128(0) AS booked
    FROM v_rollup_monthly
    WHERE {OF_THIS_LEDGER} AND has(months, (month, last_block, blocks))
    UNION ALL
    {_FACETS_BOOKED})
GROUP BY month, facet, {_MONTHLY} HAVING monthly_minor != ledger_minor""",
    ),
    Law(
        law_id="A8",
        title="sums of contacts that count are the sums of the contacts",
        of="sums",
        counted="SELECT count() AS n FROM v_rollup_contacts",
        sql=f"""
WITH ({cohorts.counting("contacts")}) AS editions
SELECT {", ".join(_COHORT_KEYS)}, {", ".join(f"sum({n}) AS {n}_more" for n in _COHORT_FIGURES)}
FROM (
    SELECT {", ".join(f"toString({n}) AS {n}" if n in _TEXTS else n for n in _COHORT_KEYS)},
        {", ".join(f"toInt128({n}) AS {n}" for n in _COHORT_FIGURES)}
    FROM v_rollup_contacts WHERE has(editions, (source, last_block, blocks, as_of))
    UNION ALL {_COHORTS_COUNTED})
GROUP BY {", ".join(_COHORT_KEYS)}
HAVING {" OR ".join(f"{n}_more != 0" for n in _COHORT_FIGURES)}""",
    ),
    Law(
        law_id="A9",
        title="sums of order facts that count are the sums of the order facts",
        of="sums",
        counted="SELECT count() AS n FROM v_rollup_orders",
        sql=f"""
WITH ({cohorts.counting("orders")}) AS editions
SELECT slot_at, of_currency, of_kind, sum(summed) AS summed_minor, sum(booked) AS orders_minor
FROM (
    SELECT slot_at, toString(currency) AS of_currency, toString(kind) AS of_kind,
        amount_minor AS summed, toInt128(0) AS booked
    FROM v_rollup_orders WHERE has(editions, (source, last_block, blocks, as_of))
    UNION ALL
    SELECT slot_at, of_currency, of_kind, toInt128(0), amount_minor
    FROM ({cohorts.ORDERS_SUMMED}) WHERE notEmpty(editions))
GROUP BY slot_at, of_currency, of_kind HAVING summed_minor != orders_minor""",
    ),
    Law(
        law_id="S6",
        title="an entry with a term is worth its spread amount from the cut on",
        of="entries with a term",
        counted="SELECT count() AS n FROM v_ledger WHERE term_start IS NOT NULL",
        sql="""
SELECT log_epoch, log_partition, log_offset, log_position, amount_minor, spread_minor,
    term_start, term_end, cut FROM (
    SELECT *, term_end - term_start AS days,
        least(greatest(ifNull(cut, term_start) - term_start, 0), days) AS days_before
    FROM v_ledger WHERE term_start IS NOT NULL OR term_end IS NOT NULL OR cut IS NOT NULL)
WHERE NOT ifNull(days > 0, 0) OR ifNull(amount_minor != spread_minor - sign(spread_minor)
    * toInt64(intDiv(abs(toInt128(spread_minor)) * days_before, greatest(days, 1))), 1)""",
    ),
    Law(
        law_id="S7",
        title="a contact's cost and fee are what the ledger books on it, in the cost's currency",
        of="chains",
        counted="SELECT count() AS n FROM v_contacts",
        sql="""
SELECT customer_id, contact_id, currency, sum(cost) AS cost_of_contact, sum(fee) AS fee_of_contact,
    sum(booked_cost) AS cost_in_ledger, sum(booked_fee) AS fee_in_ledger
FROM (
    SELECT customer_id, contact_id, cost_currency AS currency, toInt128(cost_minor) AS cost,
        toInt128(fee_minor) AS fee, toInt128(0) AS booked_cost, toInt128(0) AS booked_fee,
        1 AS is_contact
    FROM v_contacts
    UNION ALL
    SELECT customer_id, contact_id, currency, toInt128(0), toInt128(0),
        sumIf(toInt128(amount_minor), line IN ('C1', 'C3', 'C4')),
        sumIf(toInt128(amount_minor), line IN ('A2a', 'A2b', 'A2c') AND order_id = ''), 0
    FROM v_ledger WHERE contact_id != '' GROUP BY customer_id, contact_id, currency)
GROUP BY customer_id, contact_id, currency
HAVING max(is_contact) = 1
    AND (cost_of_contact != cost_in_ledger OR fee_of_contact != fee_in_ledger)""",
    ),
    Law(
        law_id="S8",
        title="what cost facts come to is what the ledger booked of them, by customer",
        of="cost facts",
        counted="SELECT count() AS n FROM v_costs",
        sql="""
SELECT customer_id, currency, sum(spent) AS costs_minor, sum(booked) AS ledger_minor
FROM (
    SELECT customer_id, currency, -toInt128(amount_minor) AS spent, toInt128(0) AS booked
    FROM v_costs
    UNION ALL
    SELECT customer_id, currency, toInt128(0), toInt128(amount_minor) FROM v_ledger
    WHERE line IN ('C4', 'C5', 'C6', 'payroll', 'unbooked') OR (line = 'C3' AND basis = 'booked'))
WHERE customer_id NOT IN (
    SELECT customer_id FROM v_ledger WHERE cause_fact = 'cost'
        AND (customer_id, cause_id) NOT IN (SELECT customer_id, event_id FROM costs))
GROUP BY customer_id, currency HAVING costs_minor != ledger_minor""",
    ),
    Law(
        law_id="S9",
        title="what is worked out per period is a period's, and only an estimate has a variance",
        of="entries of periods",
        counted="SELECT count() AS n FROM v_ledger WHERE line IN ('C2', 'C7', 'D1', 'D2')",
        sql="""
SELECT log_epoch, log_partition, log_offset, log_position, line, basis, cause_fact, variance_minor2
FROM v_ledger
WHERE (line IN ('D1', 'D2')) != (basis = 'estimated')
    OR (variance_minor2 != 0 AND basis != 'estimated')
    OR (variance_minor2 < 0) > (change = 'reversal')
    OR (line IN ('C2', 'C7', 'D1', 'D2') AND repair = ''
        AND cause_fact NOT IN ('period', 'configuration'))""",
    ),
    Law(
        law_id="S10",
        title="a chain's legs and offers are in step with what it says of them all",
        of="chains",
        counted="SELECT count() AS n FROM v_contacts WHERE notEmpty(leg_ids)",
        sql="""
SELECT customer_id, contact_id, legs, leg_ids, talk_ms, leg_talk_ms, log_partition, log_offset
FROM v_contacts
WHERE length(offer_classes) != length(offers_eligible)
    OR length(offer_classes) != length(offers_offered)
    OR length(offer_classes) != length(offers_accepted)
    OR (notEmpty(leg_ids) AND (length(leg_ids) != legs OR leg_ids[1] != contact_id
        OR arrayMin(leg_started_at) != started_at OR arrayMax(leg_ended_at) != ended_at
        OR arraySum(leg_talk_ms) != talk_ms OR arraySum(leg_hold_ms) != hold_ms
        OR arraySum(leg_wrap_ms) != wrap_ms))""",
    ),
)
