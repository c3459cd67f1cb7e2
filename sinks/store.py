"""The store: ClickHouse, in this process (chDB) or on a server, behind the same client.

The only module that knows the client libraries. chDB weighs half a gigabyte, so it is loaded only
when the DSN asks for it. A process may have one chDB path open at a time.

Law: nothing is sent twice behind the caller's back. An insert whose answer is lost ends as a
StoreError, and who sends it again knows that the rows may be there: rows have an identity.

Outside text never becomes SQL here: values are parameters, `{name:Type}` in the statement.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import LifoQueue
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Any, Final, TypeAlias

import clickhouse_connect
import numpy as np
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError
from clickhouse_connect.driver.httpclient import HttpClient
from clickhouse_migrations.connection import ClickhouseConnectConnection  # type: ignore[import-untyped]
from clickhouse_migrations.migration import MigrationStorage  # type: ignore[import-untyped]
from clickhouse_migrations.migrator import Migrator  # type: ignore[import-untyped]
from numpy.typing import NDArray

from sinks.repeatable import repeatable
from sinks.store_errors import Remedy, StoreError, remedy_of, told_by

MIGRATIONS: Final = Path(__file__).parent / "migrations"
READERS_MAX: Final = 4
"""Queries that run at once; chDB gives every one of them all cores."""
WRITERS_MAX: Final = 2
"""Clients that only inserts and commands use: slow queries must not keep the sink waiting."""

TIMEOUT: Final = timedelta(seconds=60)
"""How long a server may take to answer: far below the time after which a log's group gives up an
owner that does not poll (five minutes)."""
CONNECT_SECONDS: Final = 5

_HAS_VERSIONS: Final = (
    "SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = 'schema_versions'"
)
_NOT_OPENED: Final = "Error initializing EmbeddedServer"

INSERT_SETTINGS: Final = (
    "async_insert = 0, wait_for_async_insert = 1, max_partitions_per_insert_block = 1,"
    " deduplicate_blocks_in_dependent_materialized_views = 0,"
    " max_insert_threads = 1, optimize_on_insert = 0, input_format_parallel_parsing = 0,"
    " input_format_null_as_default = 1,"
    " input_format_json_named_tuples_as_objects = 1,"
    " input_format_json_defaults_for_missing_elements_in_named_tuple = 1,"
    " input_format_json_ignore_unknown_keys_in_named_tuple = 1,"
    " input_format_skip_unknown_fields = 1"
)


_PARAMETER: Final = re.compile(r"\{(\w+):(U?Int\d+)\}")

_Places: TypeAlias = LifoQueue[Client | None]


def _places(count: int) -> _Places:
    places: _Places = LifoQueue()
    for _ in range(count):
        places.put(None)
    return places


class Store:
    """A database of the store. Safe to use from several threads: each statement has a client."""

    def __init__(self, dsn: str, database: str, timeout: timedelta = TIMEOUT) -> None:
        self.dsn = dsn
        self.database = database
        self.timeout = timeout
        self.embedded = dsn.startswith("chdb:")
        self._readers = _places(READERS_MAX)
        self._writers = _places(WRITERS_MAX)
        self._lock = Lock()
        self._closed = False
        self._insert_settings: str | None = None

    @classmethod
    def open(cls, dsn: str, database: str = "pnl", *, timeout: timedelta = TIMEOUT) -> "Store":
        """Open `chdb:///absolute/path` or `http://user:password@host:8123`, create the database.

        A server that does not answer a statement within `timeout` (whole seconds) counts as out
        of reach. Raises StoreError when the store cannot be reached or another process holds the
        path.
        """
        with _errors_told():
            first = _client(dsn, None, timeout)
            found = first.query(
                "SELECT 1 FROM system.databases WHERE name = {name:String}",
                parameters={"name": _identifier(database)},
            )
            if not found.result_rows:  # a user who may only insert cannot even say IF NOT EXISTS
                first.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            store = cls(dsn, database, timeout)
            # The engine stays open only while a client does.
            with store._client(store._writers):
                first.close()
        return store

    def migrate(self) -> list[int]:
        """Bring the schema up to date; return the versions that were applied just now."""
        with _errors_told(), self._client(self._writers) as client:
            migrator = Migrator(_Again(client))
            migrator.init_schema()
            found = MigrationStorage(MIGRATIONS).migrations()
            applied = migrator.apply_migration(
                found, multi_statement=True, variables={"REPLACING": "ReplacingMergeTree"}
            )
        return [migration.version for migration in applied]

    def pending_migrations(self) -> list[int]:
        """Return the versions this program has and the store lacks, or has with other content."""
        known = MigrationStorage(MIGRATIONS).migrations()
        with _errors_told(), self._client(self._readers) as client:
            # Asking makes no table: who may only read may ask.
            if not client.query(_HAS_VERSIONS).result_rows:
                return [migration.version for migration in known]
            migrator = Migrator(ClickhouseConnectConnection(client))
            status = migrator.migration_status(known)
        return [row.version for row in status if row.state != "applied"]

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a SELECT, each by column name; times are aware, in UTC."""
        columns = self.query_columns(sql, parameters)
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def query_columns(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> dict[str, Sequence[Any]]:
        """Return the columns of a SELECT by name, all of one length; times are aware, in UTC.

        Without rows the result may be empty altogether: chDB then sends no names.
        """
        with _errors_told(), self._client(self._readers) as client:
            result = client.query(sql, parameters=dict(parameters or {}))
            columns = result.result_columns or [() for _ in result.column_names]
            return {
                name: _aware(column)
                for name, column in zip(result.column_names, columns, strict=True)
            }

    def integers(
        self, columns: Sequence[str], rows: str, parameters: Mapping[str, Any] | None = None
    ) -> NDArray[np.int64]:
        """Return integer expressions over the rows of a SELECT as a matrix, a row per row.

        For millions of rows: no object is made of a number.
        """
        listed = ", ".join(f"toInt64({column})" for column in columns)
        with _errors_told(), self._client(self._readers) as client:
            found = client.raw_query(
                f"SELECT {listed} FROM ({rows})", dict(parameters or {}), fmt="RowBinary"
            )
        return np.frombuffer(found, dtype="<i8").reshape(-1, len(columns))

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing."""
        with _errors_told(), self._client(self._writers) as client:
            client.command(sql, parameters=dict(parameters or {}))

    def insert(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run an INSERT ... SELECT of one partition, given without settings; durable on return."""
        with _errors_told(), self._client(self._writers) as client:
            settings = f" SETTINGS {self._settings(client)}"
            client.command(statement + settings, parameters=dict(parameters))

    def insert_lines(
        self,
        statement: Callable[[str], str],
        structure: str,
        lines: bytes,
        parameters: Mapping[str, int],
    ) -> None:
        """Insert rows made of JSON lines; durable on return, at most one partition.

        `statement` is given the FROM expression that reads the lines as `structure` (names and
        ClickHouse types) and returns an INSERT ... SELECT without settings, whose parameters are
        integers.
        """
        with _errors_told(), self._client(self._writers) as client:
            settings = f" SETTINGS {self._settings(client)}"
            if self.embedded:
                # chDB drops the data of an INSERT ... SELECT FROM input() without a word.
                with NamedTemporaryFile(suffix=".json") as file:
                    file.write(lines)
                    file.flush()
                    source = f"file({_quoted(file.name)}, JSONEachRow, {_quoted(structure)})"
                    client.command(statement(source) + settings, parameters=dict(parameters))
            else:
                source = f"input({_quoted(structure)})"
                # All in the body: an address of this length is slow to write, and proxies refuse
                # it. The driver sends an INSERT once.
                head = _PARAMETER.sub(lambda found: _number(found, parameters), statement(source))
                client.command(f"{head}{settings} FORMAT JSONEachRow\n{lines.decode()}")

    def _settings(self, client: Client) -> str:
        """Return what every insert sends: no server default decides which rows are kept."""
        if self._insert_settings is None:
            known = client.query(
                "SELECT 1 FROM system.settings WHERE name = 'deduplicate_insert'"
            ).result_rows
            off = "deduplicate_insert = 'disable'" if known else "insert_deduplicate = 0"
            self._insert_settings = f"{INSERT_SETTINGS}, {off}"
        return self._insert_settings

    def close(self) -> None:
        """Wait for running statements, then give everything up. Closing again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for places, count in ((self._readers, READERS_MAX), (self._writers, WRITERS_MAX)):
            for _ in range(count):
                client = places.get()
                if client is not None:
                    client.close()

    @contextmanager
    def _client(self, places: _Places) -> Iterator[Client]:
        if self._closed:
            raise StoreError("the store is closed", 0, remedy_of(0, ""))
        client = places.get()
        try:
            if client is None:
                client = _client(self.dsn, self.database, self.timeout)
            yield client
        finally:
            places.put(client)


def _client(dsn: str, database: str | None, timeout: timedelta) -> Client:
    if dsn.startswith("chdb:"):
        return clickhouse_connect.get_client(dsn=dsn, database=database, tz_mode="aware")
    client = clickhouse_connect.get_client(
        dsn=dsn,
        database=database,
        tz_mode="aware",
        autogenerate_session_id=False,
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=max(1, round(timeout.total_seconds())),
        query_retries=0,
    )
    assert isinstance(client, HttpClient)
    client.http_retries = 0
    return client


def _identifier(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"not an identifier: {name!r}")
    return name


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _number(found: re.Match[str], parameters: Mapping[str, int]) -> str:
    """Return the integer that a parameter `{name:Type}` stands for, of that type."""
    return f"to{found[2]}({int(parameters[found[1]])})"


def _aware(column: Sequence[Any]) -> Sequence[Any]:
    """Give naive times their zone: chDB drops it from some types."""
    if any(isinstance(value, datetime) and value.tzinfo is None for value in column):
        return [
            value.replace(tzinfo=UTC)
            if isinstance(value, datetime) and value.tzinfo is None
            else value
            for value in column
        ]
    return column


class _Again(ClickhouseConnectConnection):  # type: ignore[misc] # it has no types
    """A connection on which a migration that was cut off can be done anew."""

    def command(self, statement: str, log_statement: str | None = None) -> None:
        """Do a statement, unless that was done already."""
        super().command(repeatable(statement), log_statement)


@contextmanager
def _errors_told() -> Iterator[None]:
    try:
        yield
    except ProgrammingError as error:
        message = str(error)
        if _NOT_OPENED in message:
            message = (
                "the store cannot be opened: another process has it open (only one can at a"
                f" time), or its folder cannot be written; chDB says: {message}"
            )
        raise StoreError(message, None, Remedy.STOP) from error
    except ClickHouseError as error:
        raise told_by(str(error), getattr(error, "code", None), error.__cause__) from error
    except OSError as error:
        raise StoreError(str(error), None, remedy_of(None, "")) from error
