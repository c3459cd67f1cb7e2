"""The embedded store keeps the contract, outlives its process and has one holder."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_migrations.connection import ClickhouseConnectConnection  # type: ignore[import-untyped]

from sinks.store import Store
from sinks.store_errors import Remedy, remedy_of, told_by
from tests.support.store import opened_store
from tests.support.store import store as store
from tests.support.store_contract import BATCHES, StoreContract


class TestEmbedded(StoreContract):
    """chDB in this process keeps the contract."""


def test_rows_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    """What was inserted is there after the store is closed and opened again."""
    with opened_store(tmp_path / "one") as first:
        first.command(BATCHES, {"n": 3})
    with opened_store(tmp_path / "other") as other:
        assert other.query("SELECT count() AS n FROM v_batches") == [{"n": 0}]
    with opened_store(tmp_path / "one") as again:
        assert again.query("SELECT count() AS n FROM v_batches") == [{"n": 3}]


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
        (None, "HTTP driver received HTTP status 502", Remedy.RETRY),
        (None, "HTTP driver received HTTP status 413", Remedy.RETRY),
        (None, "HTTP driver received HTTP status 401", Remedy.STOP),
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


@pytest.mark.parametrize(
    ("code", "message", "too_much"),
    [
        (241, "Memory limit exceeded", True),
        (None, "HTTP driver received HTTP status 413", True),
        (None, "connection reset", False),
        (252, "Too many parts (300)", False),
    ],
)
def test_an_error_says_whether_less_may_pass(
    code: int | None, message: str, too_much: bool
) -> None:
    """Out of memory or too large for a proxy: smaller inserts help. Out of reach: they do not."""
    assert told_by(message, code, None).too_much is too_much


def test_a_process_killed_while_it_makes_the_schema_is_followed_by_one_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two statements: what was done of a migration is not in the way of the rest."""
    command = ClickhouseConnectConnection.command
    with contextlib.closing(Store.open(f"chdb://{tmp_path / 'store'}")) as store:
        for allowed in (3, 40, 60):
            left = iter(range(allowed))

            def cut(
                self: object,
                statement: str,
                log_statement: str | None = None,
                left: Iterator[int] = left,
            ) -> None:
                if next(left, None) is None:
                    raise KeyboardInterrupt
                command(self, statement, log_statement)

            monkeypatch.setattr(ClickhouseConnectConnection, "command", cut)
            with contextlib.suppress(KeyboardInterrupt):
                store.migrate()
        monkeypatch.undo()
        store.migrate()
        assert store.pending_migrations() == []
        assert store.query("SELECT count() AS n FROM v_ledger") == [{"n": 0}]
