"""The store on a server keeps the contract, and tells every way in which a server can fail."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from sinks.store import TIMEOUT, Store
from sinks.store_errors import Remedy, StoreError
from tests.support.chdb_http import ChdbServer, Fault
from tests.support.store_contract import BATCHES, StoreContract

ROWS = "SELECT count() AS n FROM v_batches"
LINES = b'{"at":1}\n{"at":2}'


class TestOverHttp(StoreContract):
    """A server over HTTP keeps the contract."""


def insert(store: Store, lines: bytes = LINES) -> None:
    """Insert a batch row of each line."""
    store.insert_lines(
        lambda source: f"INSERT INTO batches (log_offset) SELECT at FROM {source}",
        "at Int64",
        lines,
        {},
    )


def test_an_insert_says_everything_that_decides_which_rows_are_kept(
    server: ChdbServer, store: Store
) -> None:
    """No default of the server's counts: waiting, no deduplication, one month; no session."""
    insert(store)
    ((statement, parameters),) = server.statements("INSERT INTO batches")
    for setting in (
        "async_insert = 0",
        "wait_for_async_insert = 1",
        "deduplicate_insert = 'disable'",
        "deduplicate_blocks_in_dependent_materialized_views = 0",
        "max_partitions_per_insert_block = 1",
    ):
        assert setting in statement
    assert "token" not in statement
    assert "session_id" not in parameters


@pytest.mark.parametrize(
    ("kind", "applied"), [("cut-before", 0), ("cut-after", 2), ("cut-headers", 2)]
)
def test_a_cut_connection_is_an_error_and_nothing_is_sent_twice(
    server: ChdbServer, store: Store, kind: str, applied: int
) -> None:
    """Whether the rows arrived nobody can tell: the caller hears of it, the driver repeats nothing.

    A reply that ends within its headers is not taken for success either.
    """
    server.break_next(Fault(kind=kind, matching="INSERT INTO batches"))  # type: ignore[arg-type]
    with pytest.raises(StoreError) as caught:
        insert(store)
    assert (caught.value.code, caught.value.remedy) == (None, Remedy.RETRY)
    assert len(server.statements("INSERT INTO batches")) == 1
    assert store.query(ROWS) == [{"n": applied}]


def test_a_server_that_does_not_answer_is_given_up_in_time(
    server: ChdbServer, store: Store
) -> None:
    """An insert ends with the store's timeout, and says that less of it may pass."""
    server.break_next(Fault(kind="stall", matching="INSERT INTO batches", seconds=4))
    begun = time.monotonic()
    with pytest.raises(StoreError) as caught:
        insert(store)
    assert 1.5 < time.monotonic() - begun < 3.5
    assert caught.value.remedy is Remedy.RETRY
    assert caught.value.too_much


def test_a_server_that_is_down_is_told_at_once(server: ChdbServer, store: Store) -> None:
    """A killed server is out of reach; after its start the same store goes on with it."""
    insert(store)
    server.kill()
    for attempt in (lambda: insert(store), lambda: store.query(ROWS)):
        with pytest.raises(StoreError) as caught:
            attempt()
        assert (caught.value.code, caught.value.remedy) == (None, Remedy.RETRY)
        assert not caught.value.too_much
    with pytest.raises(StoreError):
        Store.open(server.dsn)
    server.start()
    insert(store, b'{"at":3}')
    assert store.query(ROWS) == [{"n": 3}]


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (Fault(kind="error", code=241, message="Memory limit exceeded"), Remedy.RETRY),
        (Fault(kind="error", code=252, message="Too many parts (301)"), Remedy.RETRY),
        (Fault(kind="error", code=252, message="Too many partitions for"), Remedy.STOP),
        (Fault(kind="error", code=242, message="Table is in readonly mode"), Remedy.RETRY),
        (Fault(kind="error", code=243, message="Cannot reserve 1.00 MiB"), Remedy.RETRY),
        (Fault(kind="error", code=16, message="No such column"), Remedy.STOP),
        (Fault(kind="error", code=516, message="Authentication failed"), Remedy.STOP),
        (Fault(kind="error", code=4242, message="New"), Remedy.STOP),
        (Fault(kind="status", code=503), Remedy.RETRY),
        (Fault(kind="status", code=429), Remedy.RETRY),
        (Fault(kind="status", code=404), Remedy.STOP),
    ],
    ids=lambda value: f"{value.kind}-{value.code}" if isinstance(value, Fault) else "",
)
def test_an_answer_is_told_by_its_code(
    server: ChdbServer, store: Store, fault: Fault, remedy: Remedy
) -> None:
    """The code in the reply, or a proxy's status, decides what to do; nothing was sent twice."""
    server.break_next(fault)
    with pytest.raises(StoreError) as caught:
        insert(store)
    assert caught.value.remedy is remedy
    assert len(server.statements("INSERT INTO batches")) == 1


def test_an_insert_is_applied_whole_or_not_at_all(server: ChdbServer, store: Store) -> None:
    """A server killed while it applies an insert has all of its rows afterwards, or none."""
    lines = b"\n".join(b'{"at":%d}' % n for n in range(100_000))
    seen = set()
    for attempt in range(6):
        server.break_next(Fault(kind="kill", seconds=0.01 * attempt))
        with suppress(StoreError):
            insert(store, lines)
        server.wait()
        server.start()
        seen.add(store.query(ROWS)[0]["n"])
    assert seen <= {0, 100_000}


def test_an_existing_database_is_not_created_again(server: ChdbServer) -> None:
    """A user who may not create databases can open one."""
    server.break_next(Fault(kind="error", code=497, matching="CREATE DATABASE"))
    Store.open(server.dsn).close()
    with pytest.raises(StoreError) as caught:
        Store.open(server.dsn, "another")
    assert caught.value.remedy is Remedy.STOP


def test_a_slow_reader_does_not_keep_the_writer_waiting(server: ChdbServer, store: Store) -> None:
    """Readers and writers have clients of their own: a stalled query leaves inserts alone."""
    server.break_next(Fault(kind="stall", matching=ROWS, seconds=1.5, times=4))
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(store.query, ROWS) for _ in range(4)]
        begun = time.monotonic()
        store.command(BATCHES, {"n": 1})
        assert time.monotonic() - begun < 1.0
        assert all(each.result() for each in slow)


def test_the_timeout_is_below_the_poll_interval() -> None:
    """An insert that hangs ends long before a log's group gives its owner up (300 s)."""
    assert timedelta(seconds=300) > 4 * TIMEOUT
