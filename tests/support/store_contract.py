"""What every store promises, embedded or on a server: who provides `store` inherits the tests."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from sinks.store import Store
from sinks.store_errors import Remedy, StoreError

BATCHES = """INSERT INTO batches (log_offset, batch_id, logged_at_max)
SELECT number, toString(number), toDateTime64('2026-01-01 00:00:00', 3, 'UTC')
FROM numbers({n:UInt64})"""


class StoreContract:
    """The tests; `store` is a fixture: empty and migrated."""

    def test_migrating_twice_changes_nothing(self, store: Store) -> None:
        """A schema that is up to date stays as it is."""
        assert store.migrate() == []
        assert store.pending_migrations() == []

    def test_every_table_is_soon_rid_of_the_parts_that_merges_replaced(self, store: Store) -> None:
        """A new table has the settings of the others, or memory grows with how often rows come."""
        untended = store.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase()"
            " AND engine LIKE '%MergeTree' AND name != 'schema_versions'"
            " AND NOT (create_table_query LIKE '%max_cleanup_delay_period = 10,%'"
            " AND create_table_query LIKE '%concurrent_part_removal_threshold = 10000%')"
        )
        assert untended == []

    def test_times_are_aware(self, store: Store) -> None:
        """Every time that a query returns names its zone, UTC."""
        store.command(BATCHES, {"n": 1})
        rows = store.query("SELECT logged_at_max, toDateTime(logged_at_max) AS cut FROM v_batches")
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        assert rows == [{"logged_at_max": moment, "cut": moment}]

    def test_a_query_without_rows_returns_none(self, store: Store) -> None:
        """No rows are an empty list, not an error (chDB then tells no column names either)."""
        assert store.query("SELECT batch_id FROM v_batches") == []

    def test_outside_text_stays_a_value(self, store: Store) -> None:
        """A parameter comes back as it was given, whatever it looks like."""
        text = "'; DROP TABLE ledger; -- \\ \n\t{x:String} é"
        assert store.query("SELECT {x:String} AS x", {"x": text}) == [{"x": text}]

    def test_several_threads_query_at_once(self, store: Store) -> None:
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

    def test_lines_become_rows(self, store: Store) -> None:
        """Each JSON line is a row by the structure given; text keeps its quotes and zones."""
        store.insert_lines(
            lambda lines: (
                "INSERT INTO dead_letters (log_epoch, log_offset, detail)"
                f" SELECT {{epoch:UInt64}}, tupleElement(t, 'at'), d FROM {lines}"
            ),
            "d String, t Tuple(at Int64)",
            '{"d":"it\'s \\\\ \\"é\\"","t":{"at":1}}\n{"t":{"at":2}}'.encode(),
            {"epoch": 7},
        )
        rows = store.query("SELECT log_epoch, log_offset, detail FROM v_dead_letters ORDER BY ALL")
        assert rows == [
            {"log_epoch": 7, "log_offset": 1, "detail": 'it\'s \\ "é"'},
            {"log_epoch": 7, "log_offset": 2, "detail": ""},
        ]

    def test_a_month_at_a_time(self, store: Store) -> None:
        """The store itself refuses an insert over two months, should the split ever fail."""
        with pytest.raises(StoreError, match="Too many partitions") as caught:
            store.insert_lines(
                lambda lines: (
                    "INSERT INTO ledger (month, effective_at) SELECT m, toDateTime64(concat("
                    "toString(intDiv(m, 100)), '-0', toString(m % 100), '-01 00:00:00'), 3, 'UTC')"
                    f" FROM {lines}"
                ),
                "m UInt32",
                b'{"m":202401}\n{"m":202402}',
                {},
            )
        assert caught.value.remedy is Remedy.STOP

    def test_a_row_that_does_not_fit_is_told_from_other_errors(self, store: Store) -> None:
        """Text in the place of a number is error 27 or its like, which asks to look for the row."""
        with pytest.raises(StoreError) as caught:
            store.insert_lines(
                lambda lines: f"INSERT INTO dead_letters (log_offset) SELECT at FROM {lines}",
                "at Int64",
                b'{"at":"x"}',
                {},
            )
        assert caught.value.remedy is Remedy.BISECT

    def test_an_error_carries_its_code_and_remedy(self, store: Store) -> None:
        """A statement about an unknown table raises StoreError 60, which stops."""
        with pytest.raises(StoreError) as caught:
            store.query("SELECT * FROM nowhere")
        assert (caught.value.code, caught.value.remedy) == (60, Remedy.STOP)

    def test_a_closed_store_says_so(self, store: Store) -> None:
        """A closed store refuses work with a sentence; closing again is harmless."""
        store.close()
        store.close()
        with pytest.raises(StoreError, match="the store is closed"):
            store.query("SELECT 1")
