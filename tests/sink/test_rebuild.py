"""The drill: tables built anew from the log take the place of the old, and nobody misses a row."""

import threading
from datetime import timedelta

import pytest

from sinks.rebuild import RebuildStopped, rebuild
from sinks.sink import Sink
from sinks.store import Store
from sinks.verify import verify
from streams.clock import ManualClock
from streams.log import Outgoing, TopicPartition
from streams.memory_log import MemoryLog
from streams.topics import LEDGER, STORED_NAMES
from tests.support.chdb_http import ChdbServer
from tests.support.facts import BASE
from tests.support.shared_log import SharedLog, share_out, shared
from tests.support.stored import NOW, append, copy, journey, memory_log
from tests.support.trade import net_minor, trade

NET = "SELECT -sum(toInt128(amount_minor)) AS net FROM v_ledger WHERE line = 'net'"
VIEWS = ("ledger", "attributions", "contacts", "orders", "batches", "batch_sources")
VIEWS += ("dead_letters", "rollup_hourly")


@pytest.fixture
def log() -> MemoryLog:
    """Return a log with the outputs of 40 days."""
    log = memory_log(2)
    append(log, trade(40))
    journey(log)
    return log


def shown(store: Store) -> list[object]:
    """Return all that the views show."""
    marks = store.query("SELECT * FROM v_progress WHERE next_offset > 0 ORDER BY ALL")
    return [marks, *(store.query(f"SELECT * FROM v_{view} ORDER BY ALL") for view in VIEWS)]


def test_a_rebuilt_store_shows_what_it_showed(log: MemoryLog, store: Store) -> None:
    """A store that was right is the same afterwards, and the sink goes on in it."""
    copy(log, store)
    before = shown(store)
    done = rebuild(log, store)
    assert done.differences == ()
    assert done.records == sum(sum(log.end_offsets(topic).values()) for topic in STORED_NAMES)
    assert shown(store) == before
    append(log, trade(10, 40))
    journey(log)
    copy(log, store)
    assert verify(store) == []
    assert store.query(NET) == [{"net": net_minor(50)}]
    assert store.query("SELECT count() AS n FROM system.databases WHERE name LIKE 'pnl_%'") == [
        {"n": 0}
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM ledger WHERE log_offset BETWEEN 3 AND 5",
        """INSERT INTO ledger SELECT * REPLACE (99 AS log_position, amount_minor + 1 AS
        amount_minor) FROM v_ledger WHERE line = 'net' LIMIT 1""",
    ],
    ids=["lost", "foreign"],
)
def test_a_damaged_store_is_put_right_when_told_to(
    log: MemoryLog, store: Store, damage: str
) -> None:
    """Totals that differ stop the rebuild, which names them; accepted, the new tables count."""
    copy(log, store)
    before = shown(store)
    store.command(damage)
    assert verify(store) != []
    with pytest.raises(RebuildStopped, match="totals of the ledger differ") as stopped:
        rebuild(log, store)
    assert stopped.value.differences
    assert verify(store) != []
    done = rebuild(log, store, accept_differences=True)
    assert done.differences == stopped.value.differences
    assert shown(store) == before


def test_a_log_that_breaks_a_law_is_not_put_in_place(log: MemoryLog, store: Store) -> None:
    """If the log itself does not add up, the old tables stay, and the broken law is named."""
    copy(log, store)
    (record, *_) = log.read(LEDGER, 0, 0, 1)
    log.append(LEDGER, [Outgoing(record.key, record.value)])
    copy(log, store)
    before = shown(store)
    with pytest.raises(RebuildStopped, match="R4"):
        rebuild(log, store)
    assert shown(store) == before


def test_what_the_log_has_forgotten_is_kept(log: MemoryLog, store: Store) -> None:
    """Dead letters expire in the log and stay in the store, through a rebuild too."""
    copy(log, store)
    store.command(
        "INSERT INTO dead_letters SELECT * REPLACE (log_offset - 1000 AS log_offset)"
        " FROM v_dead_letters"
    )
    before = store.query("SELECT * FROM v_dead_letters ORDER BY ALL")
    rebuild(log, store)
    assert store.query("SELECT * FROM v_dead_letters ORDER BY ALL") == before


def test_a_record_refused_before_is_refused_again(log: MemoryLog, store: Store) -> None:
    """A poison record that is a dead letter already does not stop a rebuild; a new one would."""
    log.append(LEDGER, [Outgoing(b"k", b"nonsense")])
    copy(log, store)
    rebuild(log, store)
    assert store.query("SELECT reason FROM v_dead_letters WHERE reason = 'store_refused'")
    store.command("DELETE FROM dead_letters WHERE reason = 'store_refused'")
    with pytest.raises(RebuildStopped, match="refused by the new ones"):
        rebuild(log, store)


def test_sinks_go_on_while_tables_are_rebuilt(
    log: MemoryLog, server: ChdbServer, store: Store
) -> None:
    """Two sinks store all the while, more facts come; after two rebuilds nothing is missing."""
    live = shared(log, ManualClock(BASE))
    stores = [Store.open(server.dsn) for _ in range(2)]
    sinks = [Sink(live, each, linger=NOW) for each in stores]
    over = threading.Event()

    def loop(sink: Sink) -> None:
        while not over.is_set():
            sink.step(timedelta(milliseconds=50))

    def feed() -> None:
        for day in range(40, 60, 4):
            append(log, trade(4, day))
            journey(log)
            share_out(log, live)

    threads = [threading.Thread(target=loop, args=(sink,)) for sink in sinks]
    threads.append(threading.Thread(target=feed))
    for thread in threads:
        thread.start()
    for _ in range(2):
        rebuild(live, store, accept_differences=True)
    threads[2].join()
    caught_up(live, sinks[0])
    over.set()
    for thread in threads:
        thread.join()
    assert verify(store) == []
    assert store.query(NET) == [{"net": net_minor(60)}]
    for each in stores:
        each.close()


def caught_up(log: SharedLog, sink: Sink) -> None:
    """Wait until all is stored and summed up."""
    ends = {
        TopicPartition(topic, number): end
        for topic in STORED_NAMES
        for number, end in log.end_offsets(topic).items()
    }
    assert sink.wait_until(ends, timedelta(seconds=30))
