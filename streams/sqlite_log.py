"""The event log in one SQLite file.

Law: see `streams.log`. Here a commit is one SQLite transaction, flushed before it returns, so
what was acknowledged survives the death of the process at any instant, and power loss where
the disk honours flushes (`durability="normal"` gives the newest commits up to power loss).

The file lies on a local disk. Beside it lie locks: `<log>.write` for whoever writes,
`<log>.turn` for who is next, `<log>.open` for all who have it open,
`<log>.<group>` for the owner of a group.
"""

import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from streams.blocks import pack
from streams.clock import Clock, Deadline
from streams.facts import Millis
from streams.failpoints import failpoint
from streams.log import Busy, OffsetRange, Outgoing, Record, TopicPartition
from streams.partitions import by_partition
from streams.sqlite_blocks import (
    Cursor,
    append_blocks,
    bounds,
    bytes_about,
    create_streams,
    find_streams,
)
from streams.sqlite_check import (
    LastStop,
    boot_id,
    check_blocks,
    check_offsets,
    check_pages,
    last_stop,
    mark,
)
from streams.sqlite_consumer import SqliteConsumer
from streams.sqlite_file import Durability, LogFile
from streams.sqlite_lock import lock_until, open_lock_file, try_lock
from streams.sqlite_trim import trim
from streams.topics import PARTITIONS_DEFAULT, Topic

WAIT: Final = timedelta(seconds=10)
"""How long we wait for another writer, or for a former owner to go, before Busy."""
GROUP_NAME: Final = re.compile(r"(?!write$|open$)[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class SqliteLog:
    """An `EventLog` in the file `path`; several processes may open it at once.

    Raises FileNotFoundError if the folder is missing, ValueError if the file was created with
    another partition count, LogDamaged if its content is damaged or of a newer format, Busy.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        partitions: int = PARTITIONS_DEFAULT,
        durability: Durability = "full",
        wait: timedelta = WAIT,
    ) -> None:
        if partitions < 1:
            raise ValueError(f"partitions = {partitions}: a topic has at least one")
        self.file = LogFile(path, durability, wait)
        self.clock = clock
        self._wait = wait
        self._streams: dict[str, list[int]] = {}
        self._owners: dict[str, tuple[int, SqliteConsumer]] = {}
        self._consumers: list[SqliteConsumer] = []
        self._guard = threading.RLock()
        self._reading = threading.Lock()
        self._commits = threading.Condition()
        self._open = True
        with ExitStack() as undo:
            undo.callback(self.file.lock.close)
            self._users = open_lock_file(path.with_name(path.name + ".open"))
            undo.callback(os.close, self._users)
            self._writer = self.file.connect()
            undo.callback(self._writer.close)
            self._enter(partitions)
            self._reader = self.file.connect()
            undo.pop_all()

    def _enter(self, partitions: int) -> None:
        """Join those who have the file open; whoever is first looks at how it was left."""
        with self.file.translated(), self.file.lock.held():
            fresh = {"partitions": str(partitions), "epoch": "1", "stop": "clean"}
            self.file.prepare(self._writer, fresh | {"boot_id": boot_id()})
            meta = dict(self._writer.execute("SELECT name, value FROM meta").fetchall())
            self._partitions, self._epoch = int(meta["partitions"]), int(meta["epoch"])
            if self._partitions != partitions:
                raise ValueError(
                    f"{self.file.path} was created with {self._partitions} partitions, the "
                    f"setting says {partitions}: keep {self._partitions}, or start a new log"
                )
            self._last_stop: LastStop = "clean"
            if try_lock(self._users):
                self._last_stop = last_stop(self._writer)
                if self._last_stop != "clean":
                    check_pages(self._writer)
                    check_offsets(self._writer)
                with self.file.transaction(self._writer):
                    mark(self._writer, "open")
            try_lock(self._users, shared=True)

    @property
    def epoch(self) -> int:
        """Which life of the log this is: it changes when offsets could be given out again."""
        return self._epoch

    @property
    def partitions(self) -> int:
        """Partition count of every topic."""
        return self._partitions

    @property
    def last_stop(self) -> LastStop:
        """How the log was left before this process opened it."""
        return self._last_stop

    def new_epoch(self) -> int:
        """Begin another life and return its number: for a log that was rewound or restored."""
        with self.file.writing(self._writer):
            self._writer.execute(
                "UPDATE meta SET value = CAST(value + 1 AS TEXT) WHERE name = 'epoch'"
            )
            row = self._writer.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        self._epoch = int(row[0])
        return self._epoch

    def append(self, topic: str, records: Sequence[Outgoing]) -> list[OffsetRange]:
        """Append and return once durable; ranges in order of partition, one each.

        Busy: nothing was appended, try again. ValueError for a record above 64 MiB.
        """
        if not records:
            return []
        streams = self.streams(topic)
        packed = {
            partition: pack(part)
            for partition, part in by_partition(records, self._partitions).items()
        }
        size = sum(bytes_about(blocks) for blocks in packed.values())
        ranges: list[OffsetRange] = []
        with self.file.writing(self._writer, size):
            logged_at = self.clock.now_ms()
            for partition, blocks in packed.items():
                start, end = append_blocks(self._writer, streams[partition], blocks, logged_at)
                ranges.append(OffsetRange(topic, partition, start, end))
        self.committed_here()
        return ranges

    def consumer(self, group: str, topics: Sequence[str]) -> SqliteConsumer:
        """Own a group: its former owner in this process is fenced, in another one Busy is raised.

        A group that is new starts at the oldest records kept. Its name becomes a file's.
        """
        if not GROUP_NAME.fullmatch(group):
            raise ValueError(f"group {group!r}: letters, digits, '.', '_', '-', at most 100")
        with self._guard:
            descriptor = self._group_lock(group)
            try:
                consumer = SqliteConsumer(self, group, topics, self._release)
            except BaseException:
                if group not in self._owners:
                    os.close(descriptor)
                raise
            self._owners[group] = (descriptor, consumer)
            self._consumers.append(consumer)
            return consumer

    def _group_lock(self, group: str) -> int:
        if group in self._owners:
            return self._owners[group][0]
        path = self.file.path.with_name(f"{self.file.path.name}.{group}")
        descriptor = open_lock_file(path)
        if not lock_until(descriptor, Deadline(self._wait)):
            os.close(descriptor)
            raise Busy(f"group {group}: another process owns it ({path}); stop that one first")
        return descriptor

    def _release(self, consumer: SqliteConsumer) -> None:
        with self._guard:
            self._consumers.remove(consumer)
            descriptor, owner = self._owners[consumer.group]
            if owner is consumer:
                del self._owners[consumer.group]
                os.close(descriptor)

    def read(self, topic: str, partition: int, start: int, records_max: int) -> list[Record]:
        """Return committed records from offset `start` on, or the oldest kept; without a group."""
        if not 0 <= partition < self._partitions:
            raise ValueError(f"partition {partition} of {self._partitions}")
        with self._connection() as reader:
            streams = find_streams(reader, topic)
            if not streams:
                return []
            return Cursor(streams[partition], topic, partition, start).take(reader, records_max)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the offset that the next record will get."""
        return {partition: end for partition, (_, end) in self._bounds(topic).items()}

    def start_offsets(self, topic: str) -> dict[int, int]:
        """Return, per partition, the oldest offset still kept."""
        return {partition: start for partition, (start, _) in self._bounds(topic).items()}

    def _bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        with self._connection() as reader:
            streams = find_streams(reader, topic)
            known = bounds(reader, streams)
        if not streams:
            return dict.fromkeys(range(self._partitions), (0, 0))
        return {partition: known[stream] for partition, stream in enumerate(streams)}

    def groups(self) -> list[str]:
        """Return every group that ever registered: one that stopped holds back retention."""
        with self._connection() as reader:
            rows = reader.execute("SELECT name FROM consumer_group ORDER BY name").fetchall()
        return [name for (name,) in rows]

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the committed offsets of a group, also while another process owns it."""
        with self._connection() as reader:
            rows = reader.execute(
                """SELECT topic, partition, next_offset FROM position
                JOIN consumer_group ON consumer_group.id = position.consumer_group
                JOIN stream ON stream.id = position.stream
                WHERE name = ? ORDER BY topic, partition""",
                (group,),
            ).fetchall()
        return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}

    def trim(self, topic: Topic, now: Millis) -> int:
        """Remove what the topic's policy no longer keeps; return how many records went.

        The work of a call is bounded: call it every so often. What a registered group has not
        read stays.
        """
        return trim(self.file, topic, now)

    def check(self) -> int:
        """Check every page, offset and block; return the number of blocks. LogDamaged if not."""
        with self._connection() as reader:
            check_pages(reader)
            check_offsets(reader)
            return check_blocks(reader)

    def close(self) -> None:
        """Release everything; committed records stay."""
        if not self._open:
            return
        for consumer in list(self._consumers):
            consumer.close()
        with self.file.translated(), self.file.lock.held():
            if try_lock(self._users):
                with self.file.transaction(self._writer):
                    mark(self._writer, "clean")
            failpoint("S12")
            self.file.checkpoint(self._writer)
            with self._reading:
                self._reader.close()
            self._writer.close()
        self._open = False
        os.close(self._users)
        self.file.lock.close()

    def streams(self, topic: str) -> Sequence[int]:
        """Return the streams of a topic by partition, created if need be."""
        known = self._streams.get(topic)
        if known is not None:
            return known
        if not topic:
            raise ValueError("a topic has a name")
        with self._connection() as reader:
            found = find_streams(reader, topic)
        if not found:
            with self.file.writing(self._writer):
                create_streams(self._writer, topic, self._partitions)
                found = find_streams(self._writer, topic)
        self._streams[topic] = found
        return found

    def committed_here(self) -> None:
        """Wake those of this process who wait for records."""
        with self._commits:
            self._commits.notify_all()

    def wait_for_commit(self, seconds: float) -> None:
        """Wait until somebody in this process commits, at most so long."""
        with self._commits:
            self._commits.wait(seconds)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend the reading connection to one thread."""
        self.file.lock.assert_usable()
        with self.file.translated(), self._reading:
            yield self._reader
