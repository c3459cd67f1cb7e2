"""What journeys say beside the books: the same whatever the batches, and as the store takes it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec
import pytest

from pnl.engine import JourneysHandler, JourneysWorker
from pnl.repairing.state import rebuilt
from processors.items import RISK, RiskItem
from processors.live_churn import LiveModel
from processors.policy import Policy
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import TimeUnit
from processors.signal_records import ActivityRecord, ChurnRecord, Sums
from processors.state_codec import decode_customer, item_key
from sinks.store import Store
from streams import topics
from streams.codec import encode
from streams.facts import key_of
from streams.log import Record, shelf_of
from streams.memory_log import MemoryLog
from tests.support.facts import BASE
from tests.support.store import store as store
from tests.support.stored import TOPIC_OF, append, copy, memory_log
from tests.support.trade import net_minor, trade

DAYS = 120
NO_WAIT = timedelta(0)
LATER = BASE + 365 * 86_400_000
Told = Counter[tuple[int, str, str, str]]
MODEL = LiveModel(
    name="test",
    horizon_days=20,
    currency="GBP",
    repeat=BgNbd(unit=TimeUnit.DAY, r=0.8, alpha=9.0, a=0.8, b=2.4),
)


def traded() -> MemoryLog:
    """Return a log with some trade applied."""
    log = memory_log(2)
    append(log, trade(DAYS))
    worker = JourneysWorker(log, Policy(), code_version="test", risk=MODEL)
    while worker.step(NO_WAIT):
        pass
    return log


class Kept:
    """A state in memory."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def take(self, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take changes over."""
        for key, value in changes:
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value

    def load(self, partition: int, shelf: bytes) -> list[tuple[bytes, bytes]]:  # noqa: ARG002
        """Return every (key, value) of a shelf, in key order."""
        return sorted(row for row in self.rows.items() if row[0].startswith(shelf))

    def shelves(self, partition: int) -> Iterator[bytes]:  # noqa: ARG002
        """Yield every shelf there is, each once."""
        yield from sorted({shelf_of(key) for key in self.rows})

    def load_each(
        self, partition: int, shelves: Sequence[bytes]
    ) -> list[list[tuple[bytes, bytes]]]:
        """Return, for each shelf in the order given, what `load` would."""
        return [self.load(partition, shelf) for shelf in shelves]


def told_in_batches(records_max: int, *, restart: bool = False) -> tuple[list[bytes], Told]:
    """Return what the trade tells in batches of so many, each by a new handler with `restart`."""
    records = [
        Record(TOPIC_OF[type(fact)], 0, at, LATER + at, key_of(fact).encode(), encode(fact), ())
        for at, fact in enumerate(trade(DAYS))
    ]
    kept, risks, told = Kept(), list[bytes](), Told()
    handler = JourneysHandler(Policy(), code_version="test", hot_facts=2, risk=MODEL)
    handler.open(kept)
    for start in range(0, len(records), records_max):
        handler.process(0, records[start : start + records_max], f"1-0-{start}")
        for topic, outgoing in handler.outputs(0):
            values = [each.value or b"" for each in outgoing]
            if topic == topics.CHURN:
                risks += values
            elif topic == topics.ACTIVITY:
                add(told, values)
        kept.take(handler.changes(0))
        handler.promote()
        if restart:
            handler.open(kept)
    return risks, told


def churn(log: MemoryLog) -> list[list[ChurnRecord]]:
    """Return every partition's records of risk."""
    decode = msgspec.json.Decoder(ChurnRecord).decode
    return [
        [decode(record.value or b"") for record in log.read(topics.CHURN, number, 0, 10**6)]
        for number in range(log.partitions)
    ]


def add(told: Told, values: Sequence[bytes]) -> None:
    """Add records of activity to the sums by minute, queue, currency and figure."""
    for value in values:
        for cell in msgspec.json.decode(value, type=ActivityRecord).cells:
            for field in msgspec.structs.fields(Sums):
                place = (cell.minute, cell.queue, cell.currency, field.name)
                told[place] += int(getattr(cell, field.name))


def sums(log: MemoryLog) -> Told:
    """Return what all activity in a log comes to."""
    told = Told()
    add(told, [record.value or b"" for record in log.read(topics.ACTIVITY, 0, 0, 10**6)])
    return told


@pytest.mark.parametrize(("records_max", "restart"), [(1, False), (7, False), (7, True)])
def test_batches_and_restarts_change_nothing_that_is_told(records_max: int, restart: bool) -> None:
    """Risk is told by fact, and differences of activity add up to the same."""
    risks, told = told_in_batches(10_000)
    assert told_in_batches(records_max, restart=restart) == (risks, told)
    assert len(risks) > 50


def test_activity_lies_in_partition_0_and_holds_the_money_of_the_books() -> None:
    """Net revenue over all minutes is that of the trade; every contact counts once."""
    log = traded()
    assert {at for at, end in log.end_offsets(topics.ACTIVITY).items() if end} == {0}
    records = [
        (record.key, msgspec.json.decode(record.value or b"", type=ActivityRecord))
        for record in log.read(topics.ACTIVITY, 0, 0, 10**6)
    ]
    assert {key for key, _ in records} == {b"0", b"1"}
    assert all(key == str(each.source_partition).encode() for key, each in records)
    assert all(each.epoch == log.epoch for _, each in records)
    totals: Counter[str] = Counter()
    for (_, _, _, name), value in sums(log).items():
        totals[name] += value
    assert totals["net_minor"] == net_minor(DAYS)
    assert totals["booked_minor"] + totals["unattributed_minor"] == net_minor(DAYS)
    assert (totals["chains"], totals["handled"]) == (DAYS, DAYS)
    assert 0 < totals["in_contact"] < DAYS


def test_without_a_model_nobody_has_a_risk() -> None:
    """Nothing is said of it, and no chain counts as one of a customer at risk."""
    log = memory_log(2)
    append(log, trade(20))
    worker = JourneysWorker(log, Policy(), code_version="test")
    while worker.step(NO_WAIT):
        pass
    assert churn(log) == [[], []]
    assert not any(value for (*_, name), value in sums(log).items() if name == "in_contact")


def test_the_store_has_the_latest_risk_of_each_customer(store: Store) -> None:
    """What was told last is what is seen."""
    log = traded()
    copy(log, store)
    latest = {record.customer_id: record for part in churn(log) for record in part}
    rows = store.query("SELECT customer_id, record_version, risk_ppm, high, model FROM v_churn")
    assert {row["customer_id"]: row["risk_ppm"] for row in rows} == {
        name: record.risk_ppm for name, record in latest.items()
    }
    assert all(row["record_version"] == latest[row["customer_id"]].version for row in rows)


def test_a_state_worked_out_anew_knows_what_was_told_of_each_risk() -> None:
    """No fact says it: without it versions would begin again, behind those that are stored."""
    log = traded()
    for number, records in enumerate(churn(log)):
        ends = {topic: log.end_offsets(topic)[number] for topic in topics.INPUT_NAMES}
        rows = rebuilt(log, Policy(), number, ends, "test")  # type: ignore[arg-type]
        latest = {record.customer_id: record for record in records}
        for name, record in latest.items():
            key = item_key(name, RISK)
            risk = decode_customer(name, [(key, rows[key])]).risk
            assert risk == RiskItem(record.version, record.risk_ppm, record.high)
