"""Streams and their blocks in the file: finding, reading, appending.

Law: the blocks of a stream tile `[start_offset, end_offset)` without gap or overlap; offsets
are given out inside the writing transaction, so they are gapless and in commit order.

A *stream* is one partition of one topic under a small number.
"""

import sqlite3
from collections.abc import Sequence

from streams.blocks import Block, Packed, StoredBlock, unpack
from streams.facts import Millis
from streams.failpoints import failpoint
from streams.log import Record
from streams.sqlite_file import PAGE_BYTES


def find_streams(connection: sqlite3.Connection, topic: str) -> list[int]:
    """Return the streams of a topic in order of partition; none if nobody wrote or read it."""
    rows = connection.execute("SELECT id FROM stream WHERE topic = ? ORDER BY partition", (topic,))
    return [stream for (stream,) in rows]


def create_streams(connection: sqlite3.Connection, topic: str, partitions: int) -> None:
    """Create a topic's streams unless they are there. Inside a write transaction."""
    connection.executemany(
        "INSERT INTO stream (topic, partition) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(topic, partition) for partition in range(partitions)],
    )


def bounds(connection: sqlite3.Connection, streams: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return (start, end) offsets by stream."""
    if not streams:
        return {}
    marks = ", ".join("?" * len(streams))
    rows = connection.execute(
        f"SELECT id, start_offset, end_offset FROM stream WHERE id IN ({marks})", tuple(streams)
    )
    return {stream: (start, end) for stream, start, end in rows}


def append_blocks(
    connection: sqlite3.Connection, stream: int, blocks: Sequence[Packed], logged_at: Millis
) -> tuple[int, int]:
    """Append blocks to a stream and return their offsets [start, end). Inside a transaction."""
    (start,) = connection.execute(
        "SELECT end_offset FROM stream WHERE id = ?", (stream,)
    ).fetchone()
    base = start
    for block in blocks:
        connection.execute(
            "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
            (stream, base, base + block.span, block.records, logged_at, block.crc, block.body),
        )
        base += block.span
        failpoint("S2")
    connection.execute("UPDATE stream SET end_offset = ? WHERE id = ?", (base, stream))
    return start, base


def bytes_about(blocks: Sequence[Packed]) -> int:
    """Estimate what appending these blocks writes: the blobs and the pages around them."""
    return sum(len(block.body) + 2 * PAGE_BYTES for block in blocks)


def block_at(
    connection: sqlite3.Connection, stream: int, topic: str, partition: int, offset: int
) -> Block | None:
    """Return the block that holds an offset, the first one for an older offset; None at the end."""
    row = connection.execute(
        """SELECT base_offset, next_offset, logged_at, crc, body FROM block
        WHERE stream = ?1 AND base_offset >= coalesce(
            (SELECT max(base_offset) FROM block WHERE stream = ?1 AND base_offset <= ?2), 0)
        ORDER BY base_offset LIMIT 1""",
        (stream, offset),
    ).fetchone()
    if row is None or row[1] <= offset:
        return None
    return unpack(topic, partition, StoredBlock(*row))


class Cursor:
    """A place in one stream; it keeps the block it is in, decoded."""

    def __init__(self, stream: int, topic: str, partition: int, offset: int) -> None:
        self.stream = stream
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self._block: Block | None = None
        self._index = 0

    def seek(self, offset: int) -> None:
        """Go to an offset, forwards or back."""
        self.offset = offset
        block = self._block
        if block is not None and block.base <= offset < block.end:
            self._index = block.index_of(offset)
        else:
            self._block = None

    def take(self, connection: sqlite3.Connection, records_max: int) -> list[Record]:
        """Return up to that many records from here on and go behind them."""
        taken: list[Record] = []
        while len(taken) < records_max:
            block = self._block
            if block is None:
                block = block_at(connection, self.stream, self.topic, self.partition, self.offset)
                if block is None:
                    break
                self._block, self._index = block, block.index_of(self.offset)
            upto = min(len(block.records), self._index + records_max - len(taken))
            taken += block.records[self._index : upto]
            self._index = upto
            if upto == len(block.records):
                self.offset, self._block = block.end, None
            else:
                self.offset = block.records[upto].offset
        return taken
