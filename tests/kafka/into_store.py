"""Everything into a store by the real sink, and the store held against what lies on the cluster."""

from collections import Counter
from datetime import timedelta

from processors.results import LedgerRecord
from sinks.cohorts import Cohorts
from sinks.months import Months
from sinks.sink import Sink
from sinks.store import Store
from sinks.verify import looked_at, verify
from streams.kafka_log import KafkaLog
from streams.log import TopicPartition
from streams.topics import LEDGER, OUTPUT_NAMES
from tests.kafka.checks import Found

STEP = timedelta(milliseconds=200)


def copy_all(log: KafkaLog, store: Store) -> None:
    """Copy every committed output record there is, roll-up included."""
    ends = {
        TopicPartition(topic, number): end
        for topic in OUTPUT_NAMES
        for number, end in log.end_offsets(topic).items()
    }
    sink = Sink(log, store, linger=timedelta())
    while not sink.wait_until(ends, timedelta()):
        sink.step(STEP)
    sink.close()


def assert_stored(store: Store, found: Found) -> None:
    """DL6, R1-R5: every law holds in the store, and its views say of each customer what we sent.

    The sums for reports over years are made first, which a store makes of what was quiet.
    """
    Months(store).make_all()
    Cohorts(store).make_all()
    assert verify(store) == []
    looked = looked_at(store)
    assert min(looked.values()) > 0, looked
    due: Counter[tuple[str, str, str]] = Counter()
    rows = 0
    for record in found.of(LEDGER, LedgerRecord):
        rows += len(record.entries)
        for entry in record.entries:
            due[record.customer_id, entry.line, entry.currency] += entry.amount_minor
    (stored,) = store.query("SELECT count() AS n FROM v_ledger")
    assert int(stored["n"]) == rows
    sums = {
        (str(row["customer_id"]), str(row["line"]), str(row["currency"])): int(row["minor"])
        for row in store.query(
            "SELECT customer_id, line, currency, sum(toInt128(amount_minor)) AS minor"
            " FROM v_ledger GROUP BY customer_id, line, currency"
        )
    }
    assert sums == dict(due)
