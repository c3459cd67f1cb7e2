"""Locks on files beside the log: `flock`, freed by the system when the process dies.

Law: between `held()` and its end no other thread and no other process is inside the same lock.

SQLite's own locks are not enough: up to 3.51.2 a commit that resets the write-ahead log during
another's checkpoint can corrupt the file, so one lock stands around both. Waiting is polling,
because a blocking `flock` knows no time limit; and as polling is unfair, who waits holds a turn:
whoever lets go of the lock and wants it again comes after it.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from streams.clock import Deadline, pause
from streams.log import Busy

POLL_SECONDS_MIN: Final = 0.0005
POLL_SECONDS_MAX: Final = 0.01


def open_lock_file(path: Path) -> int:
    """Open, creating it if need be, a file whose only content is who holds its lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock unless somebody else's stands in the way; say whether we have it."""
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        return True
    return False


def lock_until(descriptor: int, deadline: Deadline) -> bool:
    """Take the lock before the deadline; say whether we have it."""
    seconds = POLL_SECONDS_MIN
    while not try_lock(descriptor):
        if deadline.seconds_left() == 0.0:
            return False
        pause(seconds)
        seconds = min(POLL_SECONDS_MAX, seconds * 1.5)
    return True


class WriteLock:
    """The lock that every writer, checkpoint and close of one log takes."""

    def __init__(self, path: Path, wait: timedelta) -> None:
        self._path = path
        self._wait = wait
        self._descriptor = open_lock_file(path)
        self._turn = open_lock_file(path.with_suffix(".turn"))
        self._threads, self._turn_of_threads = threading.Lock(), threading.Lock()
        self._process = os.getpid()
        self._closed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; Busy if others held it for longer than we wait."""
        self.assert_usable()
        deadline = Deadline(self._wait)
        self._take_from_threads(deadline)
        try:
            self._take_from_processes(deadline)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def assert_usable(self) -> None:
        """Raise if the log was closed, or was opened by the process that forked us."""
        if self._closed:
            raise ValueError(f"{self._path}: the log is closed")
        if os.getpid() != self._process:
            raise RuntimeError(
                f"{self._path}: opened before a fork; open the log anew in each process"
            )

    def close(self) -> None:
        """Close the lock file."""
        self._closed = True
        os.close(self._turn)
        os.close(self._descriptor)

    def _take_from_threads(self, deadline: Deadline) -> None:
        if not self._turn_of_threads.acquire(timeout=deadline.seconds_left()):
            raise self._busy()
        try:
            if not self._threads.acquire(timeout=deadline.seconds_left()):
                raise self._busy()
        finally:
            self._turn_of_threads.release()

    def _take_from_processes(self, deadline: Deadline) -> None:
        if not lock_until(self._turn, deadline):
            raise self._busy()
        try:
            if not lock_until(self._descriptor, deadline):
                raise self._busy()
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _busy(self) -> Busy:
        seconds = self._wait.total_seconds()
        return Busy(f"{self._path}: other writers held the log for {seconds:g} s; try again")
