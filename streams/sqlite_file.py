"""The log's file: its format, its connections, its write transactions, its checkpoints.

Law: whatever changes the file happens inside `writing()`, under the write lock, in one
`BEGIN IMMEDIATE` transaction, and either all of it is in the file afterwards or nothing.

WAL, `synchronous=FULL` unless told otherwise, no automatic checkpoint: ours run under the
write lock too (see `streams.sqlite_lock`). The write-ahead log is judged by an estimate of what
this process wrote into it, because only its writers know; its file never shrinks by itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from streams.failpoints import failpoint
from streams.log import Busy, LogDamaged
from streams.sqlite_lock import WriteLock

Durability: TypeAlias = Literal["full", "normal"]

APPLICATION_ID: Final = 0x504E4C6C
"""`PNLl`; `file` and SQLite's own tools show it."""
FORMAT: Final = 1
PAGE_BYTES: Final = 8192
CHECKPOINT_BYTES: Final = 32 * 2**20
"""Written since the last checkpoint; a larger WAL folds more rewrites of one page into one."""
WAL_BYTES_MAX: Final = 256 * 2**20
"""A write-ahead log that long readers let grow beyond this is cut back when they are gone."""
CACHE_KIB: Final = 32 * 1024

SCHEMA: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # `swept`, `sweep_at`, `sweep_end`: how far compaction has come, see sqlite_trim.
    """CREATE TABLE stream (
        id INTEGER PRIMARY KEY,
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        start_offset INTEGER NOT NULL DEFAULT 0,
        end_offset INTEGER NOT NULL DEFAULT 0,
        swept INTEGER NOT NULL DEFAULT 0,
        sweep_at INTEGER NOT NULL DEFAULT 0,
        sweep_end INTEGER NOT NULL DEFAULT 0,
        UNIQUE (topic, partition)
    ) STRICT""",
    # The blob stands last: reading the other columns does not touch its overflow pages.
    """CREATE TABLE block (
        stream INTEGER NOT NULL,
        base_offset INTEGER NOT NULL,
        next_offset INTEGER NOT NULL,
        records INTEGER NOT NULL,
        logged_at INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (stream, base_offset)
    ) STRICT""",
    """CREATE TABLE consumer_group (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        owner_epoch INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE position (
        consumer_group INTEGER NOT NULL,
        stream INTEGER NOT NULL,
        next_offset INTEGER NOT NULL,
        PRIMARY KEY (consumer_group, stream)
    ) STRICT, WITHOUT ROWID""",
    # With a rowid: new rows lie side by side and only the narrow index is hit at random.
    # Without one, a batch of new keys wrote 16 kB a key instead of 2.5 (measured at 600,000).
    """CREATE TABLE state (
        consumer_group INTEGER NOT NULL,
        partition INTEGER NOT NULL,
        key BLOB NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (consumer_group, partition, key)
    ) STRICT""",
)


class DiskFull(Busy):
    """The disk has no room: nothing was written, reading goes on, the call may be repeated."""


class LogFile:
    """One SQLite file, opened by this process."""

    def __init__(self, path: Path, durability: Durability, wait: timedelta) -> None:
        if not path.parent.is_dir():
            raise FileNotFoundError(
                f"{path.parent}: no such folder; create it before the log {path.name}"
            )
        self.path = path
        self.lock = WriteLock(path.with_name(path.name + ".write"), wait)
        self._synchronous = durability.upper()
        self._wait_ms = int(wait.total_seconds() * 1000)
        self._bytes_since_checkpoint = 0

    def connect(self) -> sqlite3.Connection:
        """Open a connection; any thread may use it, one at a time."""
        with self.translated():
            connection = sqlite3.connect(
                self.path,
                timeout=self._wait_ms / 1000,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            for pragma in (
                f"synchronous={self._synchronous}",
                "wal_autocheckpoint=0",
                "mmap_size=0",
                "fullfsync=1",
                "checkpoint_fullfsync=1",
                "temp_store=MEMORY",
                "trusted_schema=0",
                f"cache_size=-{CACHE_KIB}",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            return connection

    def prepare(self, connection: sqlite3.Connection, meta: dict[str, str]) -> None:
        """Create the schema in an empty file, refuse a foreign or newer one. Write lock held."""
        with self.translated():
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if tables == 0 and application == 0:
                self._create(connection, meta)
            elif application != APPLICATION_ID:
                raise LogDamaged(f"{self.path}: not an event log of contact-pnl")
            elif version > FORMAT:
                raise LogDamaged(
                    f"{self.path}: written by a newer release (format {version}, this one "
                    f"reads up to {FORMAT}); use that release"
                )

    def _create(self, connection: sqlite3.Connection, meta: dict[str, str]) -> None:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}").fetchall()
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        with self.transaction(connection):
            for statement in SCHEMA:
                connection.execute(statement)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            connection.execute(f"PRAGMA user_version={FORMAT}")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")

    @contextmanager
    def writing(self, connection: sqlite3.Connection, bytes_about: int = 0) -> Iterator[None]:
        """Run one write transaction; an exception inside rolls all of it back.

        `bytes_about` estimates what it writes. Raises Busy (DiskFull where the disk is), or
        LogDamaged if the disk failed: then what was committed is known only after a restart.
        """
        with self.translated(), self.lock.held():
            with self.transaction(connection):
                yield
            failpoint("S6")
            self._bytes_since_checkpoint += bytes_about
            if self._bytes_since_checkpoint >= CHECKPOINT_BYTES:
                self.checkpoint(connection)

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Commit what happens inside, or roll all of it back. Write lock held."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            failpoint("S1")
            yield
            failpoint("S4")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def checkpoint(self, connection: sqlite3.Connection) -> None:
        """Move the write-ahead log into the file as far as readers allow. Write lock held.

        A full disk only puts it off: what is committed stays in the write-ahead log.
        """
        failpoint("S7")
        mode = "TRUNCATE" if self.wal_bytes() > WAL_BYTES_MAX else "PASSIVE"
        try:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.OperationalError as error:
            if _code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                raise
        failpoint("S7")
        self._bytes_since_checkpoint = 0

    def wal_bytes(self) -> int:
        """Return the size of the write-ahead log's file; a metric: long reads let it grow."""
        wal = self.path.with_name(self.path.name + "-wal")
        return wal.stat().st_size if wal.exists() else 0

    def disconnect(self, connection: sqlite3.Connection) -> None:
        """Close a connection under the write lock: the last one to go checkpoints."""
        with self.translated(), self.lock.held():
            connection.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's errors into the instructions of `streams.log`."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = _code(error)
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise Busy(f"{self.path}: locked by another program; try again") from error
            if code == sqlite3.SQLITE_FULL:
                raise DiskFull(
                    f"{self.path}: the disk is full, nothing was written; make room"
                ) from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise LogDamaged(
                    f"{self.path}: {error}; restore it from a copy, never repair it in place"
                ) from error
            if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise LogDamaged(
                    f"{self.path}: {error}; stop, check the disk and start again: what was "
                    "committed is found there"
                ) from error
            raise


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code, without what SQLite adds in the upper bits."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
