"""The store opens, migrates, keeps what it was given and answers several threads."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sinks.store import Store
from sinks.store_errors import Remedy, StoreError, remedy_of
from tests.support.store import opened_store
from tests.support.store import store as store

BATCHES = """INSERT INTO batches (log_offset, batch_id, logged_at_max)
SELECT number, toString(number), toDateTime64('2026-01-01 00:00:00', 3, 'UTC')
FROM numbers({n:UInt64})"""


def test_migrating_twice_changes_nothing(store: Store) -> None:
    """A schema that is up to date stays as it is."""
    assert store.migrate() == []
    assert store.pending_migrations() == []


def test_rows_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    """What was inserted is there after the store is closed and opened again."""
    with opened_store(tmp_path / "one") as first:
        first.command(BATCHES, {"n": 3})
    with opened_store(tmp_path / "other") as other:
        assert other.query("SELECT count() AS n FROM v_batches") == [{"n": 0}]
    with opened_store(tmp_path / "one") as again:
        assert again.query("SELECT count() AS n FROM v_batches") == [{"n": 3}]


def test_times_are_aware(store: Store) -> None:
    """Every time that a query returns names its zone, UTC."""
    store.command(BATCHES, {"n": 1})
    rows = store.query("SELECT logged_at_max, toDateTime(logged_at_max) AS cut FROM v_batches")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert rows == [{"logged_at_max": moment, "cut": moment}]


def test_a_query_without_rows_returns_none(store: Store) -> None:
    """No rows are an empty list, not an error (chDB then tells no column names either)."""
    assert store.query("SELECT batch_id FROM v_batches") == []


def test_outside_text_stays_a_value(store: Store) -> None:
    """A parameter comes back as it was given, whatever it looks like."""
    text = "'; DROP TABLE ledger; -- \\ \n\t{x:String} é"
    assert store.query("SELECT {x:String} AS x", {"x": text}) == [{"x": text}]


def test_several_threads_query_at_once(store: Store) -> None:
    """Readers of different threads get their own answers while rows are written."""
    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(store.command, BATCHES, {"n": 100}) for _ in range(4)]
        answers = list(
            pool.map(
                lambda n: store.query(
                    "SELECT {n:UInt64} AS n, count() AS c FROM v_batches", {"n": n}
                ),
                range(64),
            )
        )
        for write in writes:
            write.result()
    assert [answer[0]["n"] for answer in answers] == list(range(64))
    assert {answer[0]["c"] for answer in answers} <= {0, 100}
    assert store.query("SELECT count() AS c FROM v_batches") == [{"c": 100}]


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """A closed store refuses work with a sentence; closing again is harmless."""
    with opened_store(tmp_path) as opened:
        pass
    opened.close()
    with pytest.raises(StoreError, match="the store is closed"):
        opened.query("SELECT 1")


def test_an_error_carries_its_code_and_remedy(store: Store) -> None:
    """A statement about an unknown table raises StoreError 60, which stops."""
    with pytest.raises(StoreError) as caught:
        store.query("SELECT * FROM nowhere")
    assert (caught.value.code, caught.value.remedy) == (60, Remedy.STOP)


def test_a_second_process_is_told_who_holds_the_store(store: Store) -> None:
    """A store that another process has open is refused with one sentence."""
    opening = f"from sinks.store import Store; Store.open({store.dsn!r})"
    other = subprocess.run([sys.executable, "-c", opening], capture_output=True, text=True)
    assert other.returncode == 1
    assert "the store cannot be opened: another process has it open" in other.stderr


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        (None, "connection reset", Remedy.RETRY),
        (241, "Memory limit exceeded", Remedy.RETRY),
        (252, "Too many parts (300)", Remedy.RETRY),
        (252, "Too many partitions for single INSERT block", Remedy.STOP),
        (53, "Type mismatch", Remedy.BISECT),
        (469, "Constraint violated", Remedy.BISECT),
        (60, "Unknown table", Remedy.STOP),
        (99999, "never seen", Remedy.STOP),
    ],
)
def test_a_code_has_one_remedy(code: int | None, message: str, remedy: Remedy) -> None:
    """Load is retried, a bad row is looked for, everything unknown stops."""
    assert remedy_of(code, message) is remedy
