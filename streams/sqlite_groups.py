"""Groups in the file: who owns one, where it stands, what it remembers.

Law: a group's position and state change only in a transaction of its present owner, which
knows the positions it starts from. An owner that was replaced finds another epoch: fenced.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from streams.failpoints import failpoint
from streams.log import Fenced

ROWS_AT_ONCE: Final = 500

Change: TypeAlias = tuple[bytes, bytes | None]


def own_group(
    connection: sqlite3.Connection, name: str, streams: Iterable[int]
) -> tuple[int, int, dict[int, int]]:
    """Register a group for streams and replace its owner. Inside a write transaction.

    Returns the group's number, the owner epoch, and the next offset by stream: where the group
    stood, or the oldest offset kept.
    """
    connection.execute(
        "INSERT INTO consumer_group (name) VALUES (?) ON CONFLICT DO NOTHING", (name,)
    )
    connection.execute(
        "UPDATE consumer_group SET owner_epoch = owner_epoch + 1 WHERE name = ?", (name,)
    )
    failpoint("S10")
    group, epoch = connection.execute(
        "SELECT id, owner_epoch FROM consumer_group WHERE name = ?", (name,)
    ).fetchone()
    wanted = list(streams)
    connection.executemany(
        """INSERT INTO position SELECT ?, id, start_offset FROM stream WHERE id = ?
        ON CONFLICT DO NOTHING""",
        [(group, stream) for stream in wanted],
    )
    standing = positions(connection, group)
    return group, epoch, {stream: standing[stream] for stream in wanted}


def positions(connection: sqlite3.Connection, group: int) -> dict[int, int]:
    """Return the next offset of every stream the group ever registered for."""
    return dict(
        connection.execute(
            "SELECT stream, next_offset FROM position WHERE consumer_group = ?", (group,)
        ).fetchall()
    )


def assert_owner(
    connection: sqlite3.Connection, name: str, group: int, epoch: int, known: Mapping[int, int]
) -> None:
    """Raise Fenced unless the epoch and the positions are those the owner knows."""
    row = connection.execute(
        "SELECT owner_epoch FROM consumer_group WHERE id = ?", (group,)
    ).fetchone()
    if row is None or row[0] != epoch:
        raise Fenced(f"group {name}: another owner took over; this one must stop")
    standing = positions(connection, group)
    if any(standing.get(stream) != offset for stream, offset in known.items()):
        raise Fenced(f"group {name}: its position was moved by somebody else; stop")


def move(connection: sqlite3.Connection, group: int, offsets: Mapping[int, int]) -> None:
    """Set next offsets by stream. Inside a write transaction."""
    connection.executemany(
        "UPDATE position SET next_offset = ? WHERE consumer_group = ? AND stream = ?",
        [(offset, group, stream) for stream, offset in offsets.items()],
    )


def put_state(
    connection: sqlite3.Connection,
    group: int,
    partition: int,
    changes: list[Change],
) -> None:
    """Set and remove keys, in key order for the sake of the pages. Inside a transaction.

    Many rows a statement: the interpreter's lock is given up and won again at each step, and
    beside a busy thread that costs far more than the row.
    """
    changes.sort(key=lambda change: change[0])
    kept = [(key, value) for key, value in changes if value is not None]
    for start in range(0, len(kept), ROWS_AT_ONCE):
        rows = kept[start : start + ROWS_AT_ONCE]
        values: list[object] = []
        for key, value in rows:
            values += (group, partition, key, value)
        connection.execute(
            f"INSERT INTO state VALUES {_rows(4, len(rows))}"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            values,
        )
    connection.executemany(
        "DELETE FROM state WHERE consumer_group = ? AND partition = ? AND key = ?",
        [(group, partition, key) for key, value in changes if value is None],
    )


def load_state(
    connection: sqlite3.Connection, group: int, partition: int, shelf: bytes
) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of every key on the shelf, in key order."""
    (found,) = load_states(connection, group, partition, [shelf])
    return found


def load_states(
    connection: sqlite3.Connection, group: int, partition: int, shelves: Sequence[bytes]
) -> list[list[tuple[bytes, bytes]]]:
    """Return, for each shelf in the order given, what `load_state` would."""
    found: list[list[tuple[bytes, bytes]]] = [[] for _ in shelves]
    for start in range(0, len(shelves), ROWS_AT_ONCE):
        bounds: list[object] = []
        for number, shelf in enumerate(shelves[start : start + ROWS_AT_ONCE], start):
            bounds += (number, shelf, _after(shelf))
        # CROSS JOIN keeps the shelves outside: a range of the index for each of them.
        rows = connection.execute(
            f"WITH wanted (number, low, high) AS (VALUES {_rows(3, len(bounds) // 3)})"
            " SELECT number, key, value FROM wanted CROSS JOIN state"
            " WHERE consumer_group = ? AND partition = ? AND key >= low"
            " AND (high IS NULL OR key < high) ORDER BY number, key",
            [*bounds, group, partition],
        )
        for number, key, value in rows.fetchall():
            # Between the bounds lie the shelves whose names begin with this one's, too.
            if key.rfind(b"\0") + 1 == len(shelves[number]):
                found[number].append((key, value))
    return found


def keys_after(
    connection: sqlite3.Connection, group: int, partition: int, after: bytes | None, rows_max: int
) -> list[bytes]:
    """Return the next keys behind one, or the first, in key order."""
    rows = connection.execute(
        "SELECT key FROM state WHERE consumer_group = ? AND partition = ?"
        " AND key >= ? AND key IS NOT ? ORDER BY key LIMIT ?",
        (group, partition, after or b"", after, rows_max),
    )
    return [key for (key,) in rows.fetchall()]


@lru_cache(maxsize=64)
def _rows(columns: int, rows: int) -> str:
    """Return the placeholders of so many rows."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)


def _after(shelf: bytes) -> bytes | None:
    """Return the first key after all that begin with the shelf; None where there is no such key."""
    return shelf[:-1] + b"\x01" if shelf else None
