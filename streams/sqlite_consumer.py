"""The owner of a group on the SQLite log: reads its topics, writes its transactions.

Law: nothing of a transaction touches the file before all of it is computed; then the fence is
checked, outputs, state and offsets are written, and one commit makes them visible.

Polling shares each batch evenly among the partitions that have records, topics in the order
given, starting one further each time, so none starves however small the batch.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, Protocol

from streams.blocks import Packed, pack
from streams.clock import Clock, Deadline
from streams.failpoints import failpoint
from streams.gathered import Gathered
from streams.log import LogDamaged, Record, TopicPartition, Transaction, shelf_of
from streams.sqlite_blocks import Cursor, append_blocks, bounds, bytes_about
from streams.sqlite_file import LogFile
from streams.sqlite_groups import (
    assert_owner,
    keys_after,
    load_state,
    load_states,
    move,
    own_group,
    put_state,
)

LOOK_SECONDS: Final = 0.008
"""How often an idle poll looks whether another process committed (about 15 µs a look)."""
SHELF_KEYS_AT_ONCE: Final = 5_000
STATE_ROW_BYTES_ABOUT: Final = 1_300
"""What a key of state costs the write-ahead log, with its share of index pages (measured)."""


class Host(Protocol):
    """What a consumer needs of the log it belongs to."""

    @property
    def file(self) -> LogFile:
        """The open file."""
        ...

    @property
    def clock(self) -> Clock:
        """Processing time."""
        ...

    @property
    def partitions(self) -> int:
        """Partition count of every topic."""
        ...

    def streams(self, topic: str) -> Sequence[int]:
        """Return the streams of a topic by partition, created if need be."""
        ...

    def committed_here(self) -> None:
        """Wake those of this process who wait for records."""
        ...

    def wait_for_commit(self, seconds: float) -> None:
        """Wait until somebody in this process commits, at most so long."""
        ...


POLL_BYTES_MAX: Final = 64 * 1024 * 1024
"""A poll ends soon after this much: huge records must not fill the memory."""
TAKE_RECORDS_MAX: Final = 1_000


class SqliteState:
    """The committed state of a group."""

    def __init__(self, file: LogFile, connection: sqlite3.Connection, group: int) -> None:
        self._file = file
        self._connection = connection
        self._group = group

    def load(self, partition: int, shelf: bytes) -> list[tuple[bytes, bytes]]:
        """Return every (key, value) of a shelf, in key order."""
        with self._file.translated():
            return load_state(self._connection, self._group, partition, shelf)

    def load_each(
        self, partition: int, shelves: Sequence[bytes]
    ) -> list[list[tuple[bytes, bytes]]]:
        """Return, for each shelf in the order given, what `load` would."""
        with self._file.translated():
            return load_states(self._connection, self._group, partition, shelves)

    def shelves(self, partition: int) -> Iterator[bytes]:
        """Yield every shelf there is, each once; the state may change meanwhile."""
        last: bytes | None = None
        inside: list[bytes] = []  # a shelf's keys lie together, but for those of longer names
        while True:
            with self._file.translated():
                keys = keys_after(
                    self._connection, self._group, partition, last, SHELF_KEYS_AT_ONCE
                )
            for key in keys:
                inside = [shelf for shelf in inside if key.startswith(shelf)]
                shelf = shelf_of(key)
                if shelf not in inside:
                    inside.append(shelf)
                    yield shelf
            if not keys:
                return
            last = keys[-1]


class SqliteConsumer:
    """The one owner of a group; used by one thread at a time."""

    def __init__(
        self,
        host: Host,
        group: str,
        topics: Sequence[str],
        released: Callable[["SqliteConsumer"], None],
    ) -> None:
        self._host = host
        self.group = group
        self._released = released
        self._open = True
        self._file = host.file
        streams = {
            TopicPartition(topic, partition): stream
            for topic in topics
            for partition, stream in enumerate(host.streams(topic))
        }
        self._connection = self._file.connect()
        try:
            with self._file.writing(self._connection):
                self._group, self._owner_epoch, standing = own_group(
                    self._connection, group, streams.values()
                )
        except BaseException:
            self._connection.close()
            raise
        self._streams = streams
        self._committed = {place: standing[stream] for place, stream in streams.items()}
        self._cursors = [
            Cursor(stream, place.topic, place.partition, self._committed[place])
            for place, stream in streams.items()
        ]
        self._state = SqliteState(self._file, self._connection, self._group)

    @property
    def state(self) -> SqliteState:
        """The group's committed state."""
        return self._state

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the next records, each partition in offset order; empty after `wait` without any.

        LogDamaged if records that the group had not read were removed.
        """
        self._check_open()
        deadline = Deadline(wait)
        with self._file.translated():
            while True:
                version = self._version()
                records = self._next(records_max)
                if records:
                    return records
                while version == self._version():
                    left = deadline.seconds_left()
                    if left == 0.0:
                        return []
                    self._host.wait_for_commit(min(left, LOOK_SECONDS))

    @property
    def assignment(self) -> int:
        """Nobody shares the group: it never changes."""
        return 0

    def keep(self) -> None:
        """Nothing to do: an owner stays one until another takes over."""

    def rewind(self) -> None:
        """Forget what was polled and not committed: the next poll starts at what is."""
        for cursor in self._cursors:
            cursor.seek(self._committed[TopicPartition(cursor.topic, cursor.partition)])

    def committed(self) -> dict[TopicPartition, int]:
        """Return the next offset of every partition of the consumer's topics."""
        return dict(self._committed)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction: leaving it normally commits, leaving it by an exception drops it.

        Raises Fenced when another owner took the group over, Busy when the log stayed locked.
        """
        self._check_open()
        opened = Gathered(self._host.partitions, self._committed)
        yield opened
        self._commit(opened)

    def close(self) -> None:
        """Give the group up."""
        if self._open:
            self._file.disconnect(self._connection)
            self._open = False
            self._released(self)

    def _version(self) -> int:
        """Return a number that changes when another connection commits."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        assert isinstance(version, int)
        return version

    def _next(self, records_max: int) -> list[Record]:
        limits = bounds(self._connection, [cursor.stream for cursor in self._cursors])
        waiting = [cursor for cursor in self._cursors if cursor.offset < limits[cursor.stream][1]]
        for cursor in waiting:
            if cursor.offset < limits[cursor.stream][0]:
                raise LogDamaged(
                    f"{cursor.topic}/{cursor.partition}: group {self.group} stands at "
                    f"{cursor.offset}, the oldest record kept is {limits[cursor.stream][0]}"
                )
        if not waiting:
            return []
        self._cursors = self._cursors[1:] + self._cursors[:1]
        return self._share(waiting, records_max)

    def _share(self, waiting: list[Cursor], records_max: int) -> list[Record]:
        """Take turns over the partitions until the batch is full or all are read."""
        parts: dict[int, list[Record]] = {cursor.stream: [] for cursor in waiting}
        left = records_max
        room = POLL_BYTES_MAX
        while waiting and left > 0 and room > 0:
            share = min(max(1, left // len(waiting)), TAKE_RECORDS_MAX)
            more: list[Cursor] = []
            for cursor in waiting:
                taken = cursor.take(self._connection, min(share, left)) if room > 0 else []
                parts[cursor.stream] += taken
                left -= len(taken)
                room -= sum(len(record.value or b"") for record in taken)
                if len(taken) == share:
                    more.append(cursor)
            waiting = more
        return [record for part in parts.values() for record in part]

    def _commit(self, opened: Gathered) -> None:
        blocks = [
            (self._host.streams(place.topic)[place.partition], pack(records))
            for place, records in opened.outputs.items()
            if records
        ]
        state = [(partition, list(changes.items())) for partition, changes in opened.state.items()]
        offsets = {self._streams[place]: offset for place, offset in opened.offsets.items()}
        failpoint("S0")
        with self._file.writing(self._connection, _bytes_about(blocks, opened)):
            self._write(blocks, state, offsets)
        self._committed.update(opened.offsets)
        self._host.committed_here()

    def _write(
        self,
        blocks: list[tuple[int, list[Packed]]],
        state: list[tuple[int, list[tuple[bytes, bytes | None]]]],
        offsets: dict[int, int],
    ) -> None:
        known = {stream: self._committed[place] for place, stream in self._streams.items()}
        assert_owner(self._connection, self.group, self._group, self._owner_epoch, known)
        limits = bounds(self._connection, list(offsets))
        for stream, offset in offsets.items():
            start, end = limits[stream]
            if not start <= offset <= end:
                raise ValueError(f"offset {offset} to commit is not within [{start}, {end}]")
        logged_at = self._host.clock.now_ms()
        for stream, packed in blocks:
            append_blocks(self._connection, stream, packed, logged_at)
        for partition, changes in state:
            put_state(self._connection, self._group, partition, changes)
        failpoint("S3")
        move(self._connection, self._group, offsets)

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError(f"the consumer of group {self.group} is closed")
        self._file.lock.assert_usable()


def _bytes_about(blocks: list[tuple[int, list[Packed]]], opened: Gathered) -> int:
    rows = sum(len(changes) for changes in opened.state.values())
    return sum(bytes_about(packed) for _, packed in blocks) + rows * STATE_ROW_BYTES_ABOUT
