"""What the log no longer keeps: expired blocks, and records that a newer one replaced.

Law: nothing goes that a registered group has not read; removing moves the low-water mark or
leaves the offsets as they were, so blocks go on tiling their stream.

*Expiry* deletes whole blocks from the oldest on. *Compaction* sweeps a stream: it learns the
keys of the newer part, [swept, sweep_end), then walks from the start to sweep_end and rewrites
the blocks, dropping what a newer record of the same key replaced. Below `swept` every key is
there once. A sweep goes on over many calls, and starts only when the newer part has grown to
half of the older one, so the work stays proportional to what is written.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from itertools import zip_longest
from typing import Final

from streams.blocks import BYTES_MAX, RECORDS_MAX, Block, StoredBlock, pack_sparse, unpack
from streams.facts import Millis
from streams.failpoints import failpoint
from streams.log import Record
from streams.sqlite_file import LogFile
from streams.topics import Topic

DAY_MS: Final = 86_400_000
BLOCKS_A_TRANSACTION: Final = 64
"""How many blocks one transaction deletes: at most 64 MiB go to the free list."""
TRANSACTIONS_A_CALL: Final = 8
SWEEP_KEYS_MAX: Final = 200_000
"""Keys that one sweep remembers (about 30 MB)."""
RUN_RECORDS: Final = 20_000
RUN_BLOCKS: Final = 64
"""What one transaction of a sweep rewrites: about 40 ms under the lock."""
BLOCK_BYTES_ABOUT: Final = BYTES_MAX


def trim(file: LogFile, topic: Topic, now: Millis) -> int:
    """Remove what the topic's policy no longer keeps; return how many records went."""
    if topic.policy == "keep":
        return 0
    connection = file.connect()
    try:
        return _trim(file, connection, topic, now)
    finally:
        file.disconnect(connection)


def _trim(file: LogFile, connection: sqlite3.Connection, topic: Topic, now: Millis) -> int:
    removed = 0
    with file.translated():
        streams = connection.execute(
            "SELECT id, partition FROM stream WHERE topic = ? ORDER BY partition", (topic.name,)
        ).fetchall()
    for stream, partition in streams:
        if topic.policy == "expire":
            assert topic.retention_days is not None
            before = now - topic.retention_days * DAY_MS
            removed += _expire(file, connection, stream, before)
        else:
            removed += _Sweep(file, connection, topic.name, partition, stream).go_on()
    return removed


def _read_by_all(connection: sqlite3.Connection, stream: int) -> int:
    """Return the offset below which every registered group has read; the end if there is none."""
    (offset,) = connection.execute(
        """SELECT min(end_offset, coalesce(
            (SELECT min(next_offset) FROM position WHERE stream = ?1), end_offset))
        FROM stream WHERE id = ?1""",
        (stream,),
    ).fetchone()
    assert isinstance(offset, int)
    return offset


def _expire(file: LogFile, connection: sqlite3.Connection, stream: int, before: Millis) -> int:
    removed = 0
    for _ in range(TRANSACTIONS_A_CALL):
        with file.writing(connection):
            rows = connection.execute(
                """SELECT base_offset, next_offset, logged_at, records FROM block
                WHERE stream = ? ORDER BY base_offset LIMIT ?""",
                (stream, BLOCKS_A_TRANSACTION),
            ).fetchall()
            limit = _read_by_all(connection, stream)
            gone = 0
            for _, end, logged_at, _ in rows:
                if logged_at >= before or end > limit:
                    break
                gone += 1
            if gone == 0:
                return removed
            start = rows[gone - 1][1]
            connection.execute(
                "DELETE FROM block WHERE stream = ? AND base_offset < ?", (stream, start)
            )
            failpoint("S8")
            connection.execute("UPDATE stream SET start_offset = ? WHERE id = ?", (start, stream))
        removed += sum(row[3] for row in rows[:gone])
    return removed


class _Sweep:
    """One stream's compaction, from where the last call left it."""

    def __init__(
        self, file: LogFile, connection: sqlite3.Connection, topic: str, partition: int, stream: int
    ) -> None:
        self._file = file
        self._connection = connection
        self._topic = topic
        self._partition = partition
        self._stream = stream

    def go_on(self) -> int:
        """Walk on a bounded way; return how many records went."""
        with self._file.writing(self._connection):
            swept, at, end = self._standing()
            if end == 0:
                end = self._worth_sweeping(swept)
                if end == 0:
                    return 0
                (at,) = self._one("SELECT start_offset FROM stream WHERE id = ?", self._stream)
                self._set("sweep_at = ?, sweep_end = ?", at, end)
        with self._file.translated():
            newest = self._newest(swept, end)
        removed = 0
        for _ in range(TRANSACTIONS_A_CALL):
            with self._file.writing(self._connection, BLOCK_BYTES_ABOUT):
                if self._standing() != (swept, at, end):
                    return removed  # another process sweeps too, and came further
                if at >= end:
                    self._set("swept = ?, sweep_at = 0, sweep_end = 0", end)
                    return removed
                run = self._run(at, end)
                removed += self._rewrite(run, newest)
                at = run[-1].end
                self._set("sweep_at = ?", at)
        return removed

    def _one(self, query: str, *values: int) -> tuple[int, ...]:
        row: tuple[int, ...] = self._connection.execute(query, values).fetchone()
        return row

    def _standing(self) -> tuple[int, ...]:
        return self._one("SELECT swept, sweep_at, sweep_end FROM stream WHERE id = ?", self._stream)

    def _set(self, changes: str, *values: int) -> None:
        self._connection.execute(
            f"UPDATE stream SET {changes} WHERE id = ?", (*values, self._stream)
        )

    def _worth_sweeping(self, swept: int) -> int:
        """Return the end of the newer part if it is large enough, else 0."""
        (older,) = self._one(
            "SELECT coalesce(sum(records), 0) FROM block WHERE stream = ? AND next_offset <= ?",
            self._stream,
            swept,
        )
        newer, end = 0, 0
        for following, records in self._connection.execute(
            """SELECT next_offset, records FROM block
            WHERE stream = ? AND base_offset >= ? AND next_offset <= ? ORDER BY base_offset""",
            (self._stream, swept, _read_by_all(self._connection, self._stream)),
        ):
            if newer and newer + records > SWEEP_KEYS_MAX:
                return end
            newer, end = newer + records, following
        return end if newer >= older // 2 else 0

    def _newest(self, swept: int, end: int) -> dict[bytes, int]:
        """Return the offset of the newest record of each key in the newer part."""
        newest: dict[bytes, int] = {}
        for block in self._blocks(swept, end):
            newest.update((r.key, r.offset) for r in block.records if r.key is not None)
        return newest

    def _blocks(self, start: int, end: int) -> Generator[Block, None, None]:
        rows = self._connection.execute(
            """SELECT base_offset, next_offset, logged_at, crc, body FROM block
            WHERE stream = ? AND base_offset >= ? AND next_offset <= ? ORDER BY base_offset""",
            (self._stream, start, end),
        )
        with closing(rows):
            for row in rows:
                yield unpack(self._topic, self._partition, StoredBlock(*row))

    def _run(self, start: int, end: int) -> list[Block]:
        """Return the next blocks, as many as one transaction should rewrite."""
        run: list[Block] = []
        records = 0
        with closing(self._blocks(start, end)) as blocks:
            for block in blocks:
                run.append(block)
                records += len(block.records)
                if records >= RUN_RECORDS or len(run) == RUN_BLOCKS:
                    break
        assert run, "blocks tile the stream, so there is one below the end of the sweep"
        return run

    def _rewrite(self, run: list[Block], newest: dict[bytes, int]) -> int:
        """Write the run's remaining records over it; return how many went."""
        records = [record for block in run for record in block.records]
        kept = [r for r in records if r.key is None or newest.get(r.key, r.offset) <= r.offset]
        parts = _parts(kept)
        if len(kept) == len(records) and len(parts) == len(run):
            return 0
        base, end = run[0].base, run[-1].end
        self._connection.execute(
            "DELETE FROM block WHERE stream = ? AND base_offset >= ? AND base_offset < ?",
            (self._stream, base, end),
        )
        failpoint("S8")
        for part, following in zip_longest(parts, parts[1:]):
            until = following[0].offset if following else end
            packed = pack_sparse(base, until, part)
            self._connection.execute(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self._stream,
                    base,
                    until,
                    packed.records,
                    part[-1].logged_at if part else 0,
                    packed.crc,
                    packed.body,
                ),
            )
            base = until
        return len(records) - len(kept)


def _parts(kept: list[Record]) -> list[list[Record]]:
    """Divide records into blocks; one empty block if there are none, to hold their offsets."""
    parts: list[list[Record]] = [[]]
    size = 0
    for record in kept:
        length = len(record.value or b"")
        if len(parts[-1]) == RECORDS_MAX or (parts[-1] and size + length > BYTES_MAX):
            parts.append([])
            size = 0
        parts[-1].append(record)
        size += length
    return parts
