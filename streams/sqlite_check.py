"""How the log was left, and whether its content agrees with itself.

Law: a file that was not closed as it should be is opened only after its pages were checked and
its offsets add up.

A process that is killed leaves no mark of a clean stop. SQLite recovers from that by itself;
the check finds what it cannot know about, such as a disk that lied about a flush.
"""

import sqlite3
from pathlib import Path
from typing import Final, Literal, TypeAlias

from streams.blocks import StoredBlock, unpack
from streams.log import LogDamaged

LastStop: TypeAlias = Literal["clean", "killed", "rebooted"]
"""How the log was left: closed; its processes died; they died and the machine started anew."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return what identifies this start of the machine; empty where the system does not say."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""


def last_stop(connection: sqlite3.Connection) -> LastStop:
    """Return how the last process to use the file left it."""
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if meta["stop"] == "clean":
        return "clean"
    return "killed" if meta["boot_id"] == boot_id() else "rebooted"


def mark(connection: sqlite3.Connection, stop: Literal["open", "clean"]) -> None:
    """Write down that the file is in use, or that it was left as it should be."""
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [("stop", stop), ("boot_id", boot_id())],
    )


def check_pages(connection: sqlite3.Connection) -> None:
    """Raise LogDamaged unless SQLite finds every page in order."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise LogDamaged(f"the log's pages are damaged ({found}); restore it from a copy")


def check_offsets(connection: sqlite3.Connection) -> None:
    """Raise LogDamaged unless blocks tile every stream and no group stands outside."""
    torn = connection.execute(
        """WITH laid AS (
            SELECT stream, base_offset, next_offset, records, lag(next_offset)
                OVER (PARTITION BY stream ORDER BY base_offset) AS previous
            FROM block
        )
        SELECT topic, partition, base_offset FROM laid JOIN stream ON stream.id = laid.stream
        WHERE base_offset != coalesce(previous, start_offset)
            OR next_offset <= base_offset OR records > next_offset - base_offset
        ORDER BY topic, partition, base_offset LIMIT 1"""
    ).fetchone()
    if torn is not None:
        raise LogDamaged(f"{torn[0]}/{torn[1]}: records are missing before offset {torn[2]}")
    short = connection.execute(
        """SELECT topic, partition, end_offset, coalesce(sum(next_offset - base_offset), 0)
        FROM stream LEFT JOIN block ON block.stream = stream.id
        GROUP BY stream.id
        HAVING end_offset - start_offset != coalesce(sum(next_offset - base_offset), 0)
        ORDER BY topic, partition LIMIT 1"""
    ).fetchone()
    if short is not None:
        raise LogDamaged(
            f"{short[0]}/{short[1]}: {short[3]} offsets are stored, the end offset is {short[2]}"
        )
    astray = connection.execute(
        """SELECT name, topic, partition, next_offset
        FROM position JOIN stream ON stream.id = position.stream
            JOIN consumer_group ON consumer_group.id = position.consumer_group
        WHERE next_offset NOT BETWEEN start_offset AND end_offset
        ORDER BY name, topic, partition LIMIT 1"""
    ).fetchone()
    if astray is not None:
        raise LogDamaged(
            f"group {astray[0]} stands at offset {astray[3]} of {astray[1]}/{astray[2]}, "
            "where there is no record"
        )


def check_blocks(connection: sqlite3.Connection) -> int:
    """Unpack every block and return how many there are; LogDamaged at the first that differs."""
    count = 0
    rows = connection.execute(
        """SELECT topic, partition, base_offset, next_offset, logged_at, crc, body
        FROM block JOIN stream ON stream.id = block.stream ORDER BY stream.id, base_offset"""
    )
    for topic, partition, *stored in rows:
        unpack(topic, partition, StoredBlock(*stored))
        count += 1
    return count
