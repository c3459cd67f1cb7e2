"""The sink loses nothing and repeats nothing that a view shows, however it is interrupted."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sinks.sink import GROUP, Sink
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from sinks.verify import verify
from streams import topics
from streams.clock import ManualClock
from streams.failpoints import VARIABLE, FailpointReached
from streams.log import Busy, Outgoing, TopicPartition
from streams.memory_log import MemoryLog, MemoryPlace
from tests.support.busy import BusyLog
from tests.support.facts import BASE, DAY, at, contact, order, refund
from tests.support.results import book, contact_record, entry, ledger_record, put
from tests.support.store import opened_store
from tests.support.store import store as store
from tests.support.stored import NOW, append, copy, journey, memory_log, store_facts

SOON = timedelta(seconds=10)
SUM = "SELECT count() AS n, sum(toInt128(amount_minor)) AS minor FROM v_ledger"


class Unreliable(Store):
    """A store whose inserts fail as listed: before anything was written, or only the reply."""

    faults: list[tuple[str, int | None, Remedy]]
    sizes: list[int]

    @classmethod
    def over(cls, store: Store, *faults: tuple[str, int | None, Remedy]) -> "Unreliable":
        """Return a store on the same database with faults to come, one an insert."""
        unreliable = cls(store.dsn, store.database)
        unreliable.faults, unreliable.sizes = list(faults), []
        return unreliable

    def insert_lines(
        self,
        statement: Callable[[str], str],
        structure: str,
        lines: bytes,
        parameters: Mapping[str, Any],
    ) -> None:
        """Insert, or fail."""
        self.sizes.append(lines.count(b"\n") + 1)
        when, code, remedy = self.faults.pop(0) if self.faults else ("never", None, Remedy.RETRY)
        if when != "before":
            super().insert_lines(statement, structure, lines, parameters)
        if when != "never":
            raise StoreError("out of order", code, remedy)


def step_until_stored(sink: Sink, limit: int = 50) -> None:
    """Step until something was stored, waiting out the back-off."""
    for _ in range(limit):
        if sink.step(timedelta(seconds=1)):
            return
    raise AssertionError(sink.trouble)


def test_a_repeat_shows_nothing_twice(store: Store) -> None:
    """Reading every output again from its start leaves every view as it was."""
    log = store_facts(store, [contact("c1", at(0)), order("o1", at(1), 500), order("o2", at(2), 9)])
    views = ("ledger", "attributions", "contacts", "orders", "batches", "batch_sources")
    before = [store.query(f"SELECT * FROM v_{view} ORDER BY ALL") for view in views]
    consumer = log.consumer(GROUP, topics.STORED_NAMES)
    with consumer.transaction() as transaction:
        transaction.commit_offsets(dict.fromkeys(consumer.committed(), 0))
    consumer.close()
    copy(log, store)
    assert [store.query(f"SELECT * FROM v_{view} ORDER BY ALL") for view in views] == before
    assert verify(store) == []


def test_an_older_record_never_replaces_a_newer_one(store: Store) -> None:
    """Of an entity the highest version is shown, also when an older one is written last."""
    log = memory_log(1)
    put(log, topics.CONTACT_FACTS, contact_record("c1", 1, queue="old"))
    copy(log, store)
    put(log, topics.CONTACT_FACTS, contact_record("c1", 3, queue="new"))
    copy(log, store)
    put(log, topics.CONTACT_FACTS, contact_record("c1", 2, queue="middle"))
    copy(log, store)
    assert store.query("SELECT queue FROM v_contacts") == [{"queue": "new"}]


def test_a_withdrawn_contact_is_not_live(store: Store) -> None:
    """A withdrawn chain disappears from its view."""
    log = memory_log(1)
    put(log, topics.CONTACT_FACTS, contact_record("c1", 1), contact_record("c2", 1))
    put(log, topics.CONTACT_FACTS, contact_record("c1", 2, withdrawn=True))
    copy(log, store)
    assert store.query("SELECT contact_id FROM v_contacts") == [{"contact_id": "c2"}]


def test_entries_of_several_months_are_all_stored(store: Store) -> None:
    """Records over months, and one record within two, are split into inserts of one month."""
    log = memory_log(1)
    for month in range(14):
        book(log, entry(1, effective_at=BASE + month * 31 * DAY))
    book(log, entry(100), entry(1_000, effective_at=BASE - 60 * DAY), entry(10_000))
    copy(log, store)
    assert store.query(SUM) == [{"n": 17, "minor": 11_114}]
    assert store.query("SELECT uniqExact(month) AS months FROM v_ledger") == [{"months": 15}]
    assert store.query("SELECT count() AS n FROM ledger") == [{"n": 17}]


@pytest.mark.parametrize("step", ["K0", "K1", "K2", "K3", "K4", "K5", "K6"])
@pytest.mark.parametrize("nth", [1, 2])
def test_what_an_interrupted_sink_did_not_commit_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    """A sink that dies at any step leaves the next one everything it had not committed."""
    log = memory_log(2)
    append(log, [contact("c1", at(0)), order("o1", at(1), 500), refund("r1", "o1", at(2), 100)])
    journey(log)
    monkeypatch.setenv(VARIABLE, f"{step}:{nth}:raise")
    sink = Sink(log, store, linger=NOW)
    died = False
    try:
        while sink.step(NOW):
            pass
    except FailpointReached:
        died = True
    sink.close()
    monkeypatch.delenv(VARIABLE)
    append(log, [order("o2", at(3), 250)])
    journey(log)
    copy(log, store)
    assert died or (nth == 2 and step in ("K0", "K3", "K5", "K6"))  # a batch comes there once
    assert verify(store) == []
    (found,) = store.query("SELECT sum(amount_minor) AS net FROM v_ledger WHERE line = 'net'")
    assert found == {"net": -650}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_store_that_is_down_gets_the_same_rows_again(store: Store, when: str) -> None:
    """While the store fails, nothing is committed; afterwards every row is there once."""
    log = memory_log(1)
    book(log, entry(1), entry(2))
    unreliable = Unreliable.over(store, *[(when, None, Remedy.RETRY)] * 2)
    sink = Sink(log, unreliable, linger=NOW)
    assert sink.step(NOW) == 0
    assert sink.trouble == "out of order"
    assert sink.progress()[TopicPartition(topics.LEDGER, 0)] == 0
    step_until_stored(sink)
    assert sink.trouble is None
    assert sink.progress()[TopicPartition(topics.LEDGER, 0)] == 1
    sink.close()
    unreliable.close()
    assert store.query(SUM) == [{"n": 2, "minor": 3}]


def test_rows_that_got_lost_behind_an_error_are_missed(store: Store) -> None:
    """After an error the identities are counted, and what is missing is sent again."""

    class Forgetful(Unreliable):
        """Says that the second insert went well, and forgets it."""

        def insert_lines(self, *arguments: Any) -> None:
            """Insert, fail or forget."""
            if len(self.sizes) == 1:
                self.sizes.append(0)
            else:
                super().insert_lines(*arguments)

    log = memory_log(1)
    book(log, entry(1), entry(2))
    forgetful = Forgetful.over(store, ("before", None, Remedy.RETRY))
    sink = Sink(log, forgetful, linger=NOW)
    step_until_stored(sink)
    sink.close()
    forgetful.close()
    assert store.query(SUM) == [{"n": 2, "minor": 3}]


def test_a_batch_too_large_for_the_store_is_halved(store: Store) -> None:
    """When memory runs out (241), the rows go in smaller inserts, which then grow again."""
    log = memory_log(1)
    for _ in range(8):
        book(log, entry(1))
    full = ("before", 241, Remedy.RETRY)
    unreliable = Unreliable.over(store, full, full)
    sink = Sink(log, unreliable, linger=NOW)
    step_until_stored(sink)
    for _ in range(2):
        for _ in range(8):
            book(log, entry(1))
        step_until_stored(sink)
    sink.close()
    unreliable.close()
    assert unreliable.sizes == [8, 4, 2, 2, 2, 2, 4, 4, 8]
    assert store.query(SUM) == [{"n": 24, "minor": 24}]


def test_records_gathered_before_a_failed_poll_are_read_again(store: Store) -> None:
    """Busy while a batch is gathered leaves out none of the records gathered until then."""
    place = MemoryPlace(ManualClock(at(365)), 1)
    log = BusyLog(place, {2})
    append(log, [contact("c1", at(0)), order("o1", at(1), 500)])
    journey(MemoryLog(place))
    sink = Sink(log, store, linger=timedelta(milliseconds=20))
    with pytest.raises(Busy):
        sink.step(NOW)
    while sink.step(NOW):
        pass
    assert store.query("SELECT count() AS n FROM v_contacts") == [{"n": 1}]
    assert store.query("SELECT count() AS n FROM v_orders") == [{"n": 1}]
    assert verify(store) == []


def test_an_error_of_ours_stops_the_sink(store: Store) -> None:
    """An unknown column or right is nothing to retry: the sink raises and commits nothing."""
    log = memory_log(1)
    book(log, entry(1))
    unreliable = Unreliable.over(store, ("before", 16, Remedy.STOP))
    sink = Sink(log, unreliable, linger=NOW)
    with pytest.raises(StoreError, match="out of order"):
        sink.step(NOW)
    sink.close()
    unreliable.close()
    assert log.committed(GROUP)[TopicPartition(topics.LEDGER, 0)] == 0


POISON = {
    "no JSON": (topics.LEDGER, b"nonsense"),
    "an empty object": (topics.LEDGER, b"{}"),
    "an amount beyond 64 bits": (
        topics.LEDGER,
        msgspec.json.encode(ledger_record(entry(7))).replace(b"7,", b"9223372036854775808,"),
    ),
    "a time that is text": (
        topics.CONTACT_FACTS,
        msgspec.json.encode(contact_record("bad", 1)).replace(
            b'"started_at":', b'"started_at":"x","ignored":'
        ),
    ),
    "arrays too deep": (topics.LEDGER, b'{"entries":' + b"[" * 100_000),
}


@pytest.mark.parametrize("what", list(POISON))
def test_a_record_the_store_refuses_becomes_a_dead_letter(store: Store, what: str) -> None:
    """One bad record among good ones is dead-lettered with its place; the others are stored."""
    topic, value = POISON[what]
    log = memory_log(1)
    for n in range(1, 6):
        book(log, entry(n))
        put(log, topics.CONTACT_FACTS, contact_record(f"c{n}", 1))
        if n == 3:
            log.append(topic, [Outgoing(b"k", value)])
    copy(log, store)
    assert store.query(SUM) == [{"n": 5, "minor": 15}]
    assert store.query("SELECT count() AS n FROM v_contacts") == [{"n": 5}]
    letters = store.query("SELECT src_topic, src_offset, reason FROM v_dead_letters")
    assert letters == [{"src_topic": topic, "src_offset": 3, "reason": "store_refused"}]


def test_a_flood_of_bad_records_stops_the_sink(store: Store) -> None:
    """When record after record is refused, the fault is ours: the sink stops and says where."""
    log = memory_log(1)
    log.append(topics.CONTACT_FACTS, [Outgoing(b"k", b"nonsense")] * 30)
    sink = Sink(log, store, linger=NOW)
    with pytest.raises(StoreError, match=r"records in a row were refused.*pnl\.contacts\.v1/0"):
        sink.step(NOW)
    sink.close()
    assert log.committed(GROUP)[TopicPartition(topics.CONTACT_FACTS, 0)] == 0


ROLLUP = """SELECT toUnixTimestamp(hour) * 1000 AS at, queue, sum(amount_minor) AS minor
FROM v_rollup_hourly GROUP BY at, queue ORDER BY at, queue"""
HOUR = 3_600_000


def test_the_rollup_follows_corrections(store: Store) -> None:
    """After a reversal and an addition, and after repeats, each hour is the sum of its entries."""
    log = memory_log(1)
    book(log, entry(100, queue="a"), entry(30, queue="b", effective_at=BASE + HOUR))
    copy(log, store)
    book(log, entry(-100, queue="a", change="reversal"), entry(70, queue="b", change="addition"))
    copy(log, store)
    spread = {"term_start": 0, "term_end": 10, "spread_minor": 5}
    book(log, entry(5, queue="b", **spread), entry(2, queue="b", effective_at=BASE - 400 * DAY))
    copy(log, store)
    assert store.query(ROLLUP) == [
        {"at": BASE - 400 * DAY, "queue": "b", "minor": 2},
        {"at": BASE, "queue": "a", "minor": 0},
        {"at": BASE, "queue": "b", "minor": 70},
        {"at": BASE + HOUR, "queue": "b", "minor": 30},
    ]


def test_an_interrupted_rollup_is_made_good(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours that a dead sink left dirty are found by the next one, without any new record."""
    log = memory_log(1)
    book(log, entry(1))
    copy(log, store)
    book(log, entry(10), entry(20, effective_at=BASE + HOUR))
    monkeypatch.setenv(VARIABLE, "K6:1:raise")
    sink = Sink(log, store, linger=NOW)
    with pytest.raises(FailpointReached):
        sink.step(NOW)
    sink.close()
    monkeypatch.delenv(VARIABLE)
    assert store.query(ROLLUP) == [{"at": BASE, "queue": "", "minor": 1}]
    copy(log, store)
    assert store.query(ROLLUP) == [
        {"at": BASE, "queue": "", "minor": 11},
        {"at": BASE + HOUR, "queue": "", "minor": 20},
    ]


def test_a_store_that_was_lost_is_filled_again(tmp_path: Path) -> None:
    """An empty store beside a log that says all was stored gets everything again."""
    with opened_store(tmp_path / "lost") as lost:
        log = store_facts(lost, [contact("c1", at(0)), order("o1", at(1), 500)])
        before = lost.query("SELECT * FROM v_ledger ORDER BY ALL")
    with opened_store(tmp_path / "new") as new:
        copy(log, new)
        assert new.query("SELECT * FROM v_ledger ORDER BY ALL") == before
        assert verify(new) == []


def test_rows_missing_from_the_middle_are_filled_again(store: Store) -> None:
    """A store that lacks records before its newest (after a power loss) gets them again."""
    log = memory_log(1)
    for n in range(10):
        book(log, entry(n))
    copy(log, store)
    store.command("DELETE FROM ledger WHERE log_offset BETWEEN 3 AND 5")
    copy(log, store)
    assert store.query(SUM) == [{"n": 10, "minor": 45}]


def test_a_store_ahead_of_its_log_is_emptied_and_filled_anew(store: Store) -> None:
    """Records of a log that was rewound disappear: its offsets will be given out again."""
    store_facts(store, [contact("c1", at(0)), order("o1", at(1), 500), order("o2", at(2), 700)])
    log = store_facts(store, [contact("c1", at(0)), order("o1", at(1), 300)])
    assert store.query("SELECT order_id, net_minor FROM v_attributions") == [
        {"order_id": "o1", "net_minor": 300}
    ]
    append(log, [order("o3", at(3), 50)])
    journey(log)
    copy(log, store)
    assert verify(store) == []


def test_a_server_ahead_of_its_log_is_not_emptied(store: Store) -> None:
    """A store that may belong to others is left alone: the sink stops with a sentence."""
    store_facts(store, [order("o1", at(1), 500)])
    shared = Unreliable.over(store)
    shared.embedded = False
    sink = Sink(memory_log(2), shared, linger=NOW)
    with pytest.raises(StoreError, match="holds records that this log does not"):
        sink.step(NOW)
    sink.close()
    shared.close()


def test_others_can_wait_for_what_they_appended(store: Store) -> None:
    """A thread that waits goes on when its records are in the store, or when its limit passed."""
    log = memory_log(1)
    place = TopicPartition(topics.LEDGER, 0)
    book(log, entry(1))
    sink = Sink(log, store, linger=NOW)
    assert not sink.wait_until({place: 1}, NOW)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            sink.step(timedelta(milliseconds=20))

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        assert sink.wait_until({place: 1}, SOON)
        book(log, entry(2))
        assert sink.wait_until({place: 2}, SOON)
        assert store.query(SUM) == [{"n": 2, "minor": 3}]
        assert store.query("SELECT sum(amount_minor) AS s FROM v_rollup_hourly") == [{"s": 3}]
    finally:
        stop.set()
        thread.join()
    sink.close()


def test_a_month_at_a_time(store: Store) -> None:
    """The store itself refuses an insert over two months, should the split ever fail."""
    with pytest.raises(StoreError, match="Too many partitions") as caught:
        store.insert_lines(
            lambda lines: (
                "INSERT INTO ledger (month, effective_at)"
                f" SELECT m, toDateTime64(concat(toString(intDiv(m, 100)), '-0', toString(m % 100),"
                f" '-01 00:00:00'), 3, 'UTC') FROM {lines}"
            ),
            "m UInt32",
            b'{"m":202401}\n{"m":202402}',
            {},
        )
    assert caught.value.remedy is Remedy.STOP
