"""What `pnl doctor` looks at inside an open data folder: the log, the store, the data itself."""

from collections.abc import Iterator
from typing import Final

from pnl.findings import Finding
from pnl.pipeline import Books, behind
from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from streams.log import LogDamaged
from streams.sqlite_log import SqliteLog
from streams.topics import INPUT_NAMES

SHOWN_MAX: Final = 5

_ORPHANS: Final = """
SELECT refund.order_id AS order_id, refund.refund_of AS refund_of,
    multiIf(known.found = 0, 'unknown order', has(known.currencies, refund.currency) = 0,
        'order in another currency', has(known.customers, refund.customer_id) = 0,
        'order of another customer', 'order too old') AS why
FROM (SELECT * FROM v_orders WHERE orphan AND refund_of != '') AS refund
LEFT JOIN (
    SELECT order_id, count() AS found, groupUniqArray(currency) AS currencies,
        groupUniqArray(customer_id) AS customers
    FROM v_orders WHERE kind = 'sale' GROUP BY order_id
) AS known ON known.order_id = refund.refund_of
ORDER BY order_id LIMIT {rows:UInt32}"""
_ORPHANS_COUNT: Final = (
    "SELECT countIf(refund_of != '') AS named, countIf(refund_of = '') AS unnamed"
    " FROM v_orders WHERE orphan"
)
_BOTH_COSTS: Final = """
SELECT channel FROM v_ledger WHERE line = 'C3' AND channel != ''
GROUP BY channel HAVING countIf(cause_fact = 'cost') > 0 AND countIf(cause_fact = 'contact') > 0
ORDER BY channel"""


def data_findings(books: Books, reports: Reports) -> list[Finding]:
    """Return what is found about log, store and data, in this order."""
    return [*_log(books), *_store(books), *_progress(books), *_data(books, reports)]


def _log(books: Books) -> Iterator[Finding]:
    log = books.log
    if not isinstance(log, SqliteLog):
        yield Finding(
            check="log",
            state="ok",
            text=f"on Kafka, {log.partitions} partitions, epoch {log.epoch}",
        )
        return
    try:
        blocks = log.check()
    except LogDamaged as error:
        yield Finding(
            check="log",
            state="fail",
            text=str(error),
            todo="restore log.sqlite from a copy; the store is filled again from it",
        )
        return
    records = sum(
        end - log.start_offsets(topic)[partition]
        for topic in INPUT_NAMES
        for partition, end in log.end_offsets(topic).items()
    )
    yield Finding(
        check="log",
        state="ok",
        text=(
            f"{blocks:,} blocks in order, {records:,} input records kept, "
            f"{log.partitions} partitions, epoch {log.epoch}, left {log.last_stop}"
        ),
    )


def _store(books: Books) -> Iterator[Finding]:
    pending = books.store.pending_migrations()
    trouble = books.store_trouble
    if pending:
        yield Finding(
            check="store",
            state="fail",
            text=f"the schema lacks, or differs from, migrations {pending}",
            todo="move the folder `store` away; it is filled again from the log"
            if books.store.embedded
            else "run `pnl migrate up`",
        )
    elif trouble:
        yield Finding(
            check="store", state="fail", text=trouble, todo="see the message; rows wait in the log"
        )
    else:
        yield Finding(check="store", state="ok", text="open, its schema is up to date")


def _progress(books: Books) -> Iterator[Finding]:
    unapplied, unstored = behind(books.log)
    if unapplied or unstored:
        yield Finding(
            check="progress",
            state="warn",
            text=f"{unapplied:,} records not applied, {unstored:,} results not stored",
            todo="a running server or worker works on them; without one, start `pnl run`",
        )
    else:
        yield Finding(check="progress", state="ok", text="all there is is applied and stored")


def _data(books: Books, reports: Reports) -> Iterator[Finding]:
    quality = reports.quality(Scope(currency=reports.policy.currency))
    if dead := sum(each.count for each in quality.dead_letters):
        reasons = ", ".join(f"{each.reason} {each.count:,}" for each in quality.dead_letters)
        yield Finding(
            check="dead letters",
            state="warn",
            text=f"{dead:,} records are not in the statement: {reasons}",
            todo="correct them at the source and send them again",
        )
    yield from _refunds(books)
    for row in books.store.query(_BOTH_COSTS):
        yield Finding(
            check="channel cost",
            state="warn",
            text=f"channel {row['channel']} has rates in the settings and cost facts: both count",
            todo=f"remove [channels.{row['channel']}], or stop sending its costs (RUL-C3)",
        )
    if quality.sold_unknown:
        yield Finding(
            check="sold in",
            state="warn",
            text=f"{quality.sold_unknown:,} orders name a contact that is not in the books",
            todo="send the contact, or correct the order's contact_id (RUL-SOLD)",
        )


def _refunds(books: Books) -> Iterator[Finding]:
    """List refunds whose order is unknown, another customer's, or in another currency."""
    (count,) = books.store.query(_ORPHANS_COUNT)
    if count["named"]:
        rows = books.store.query(_ORPHANS, {"rows": SHOWN_MAX})
        shown = "; ".join(f"{row['order_id']} of {row['refund_of']}: {row['why']}" for row in rows)
        more = ", …" if count["named"] > len(rows) else ""
        yield Finding(
            check="refunds",
            state="warn",
            text=f"{count['named']:,} refunds name an order they cannot come off: {shown}{more}",
            todo="send the order, or correct refund_of, customer or currency (RUL-REFUND-KEY)",
        )
    if count["unnamed"]:
        yield Finding(
            check="refunds",
            state="ok",
            text=f"{count['unnamed']:,} refunds name no order and found none: shown as orphans",
        )
