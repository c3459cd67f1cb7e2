"""An import: rows into the log, and the certainty that they are applied and stored.

Law: it never matters who applies. Whoever holds the data folder does; where nobody does, or
where the holder goes away in the middle, the import takes the hold and does it itself. On Kafka
workers do, wherever they run, and the import waits for them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from pnl.appending import Appended, Dispositions, Keyed, append_rows, dispositions
from pnl.datafolder import DataFolder, FolderLock
from pnl.opening import is_shared, open_log
from pnl.pipeline import committed_by_journeys, is_stored, outputs_end
from pnl.server import Server
from pnl.settings_load import Loaded
from streams.clock import Clock, Deadline, pause
from streams.topics import BATCHES

POLL_SECONDS: Final = 0.02
PATIENCE: Final = timedelta(seconds=30)
"""How long nothing may move before a person is told that workers are missing."""


class Importer:
    """One import into one data folder. Enter it, append, finish."""

    def __init__(
        self, folder: DataFolder, loaded: Loaded, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._loaded = loaded
        self._clock = clock
        self._say = say
        self._appended = Appended()
        self._open = ExitStack()
        self._server: Server | None = None
        self._lock: FolderLock | None = None
        self._patience: Deadline | None = Deadline(PATIENCE)

    def __enter__(self) -> Self:
        if not is_shared(self._loaded.settings):
            self._folder.prepare()
            self._lock = self._open.enter_context(FolderLock(self._folder, "pnl import"))
        self._log = open_log(self._folder, self._loaded.settings, self._clock)
        self._open.callback(self._log.close)
        self._since = self._log.end_offsets(BATCHES)
        return self

    def append(self, topic: str, rows: Iterable[Keyed]) -> Iterator[int]:
        """Append rows; yield, after each batch, how many of this import are durable."""
        size = self._loaded.settings.limits.import_batch_records
        return append_rows(self._log, topic, rows, size, self._appended)

    def apply_if_free(self) -> None:
        """Begin to apply, if that is for us to do and nobody else holds the folder."""
        if self._lock is None:
            return
        if self._server is None and self._lock.take():
            server = Server(self._folder, self._loaded, self._clock, self._say)
            self._server = self._open.enter_context(server)
            self._server.start(serving=False)
        elif self._server is not None:
            self._server.check()

    def finish(self, show: Callable[[str, int, int], None]) -> Dispositions:
        """Wait until all that was appended is applied and stored; return how it ended.

        `show` is told what is waited for, how much of it is done, and of how much.
        """
        size, last = self._appended.records, -1
        while (done := self._applied()) < size:
            self._tell_if_idle("journeys", moved=done != last)
            self.apply_if_free()
            show("applying", done, size)
            pause(POLL_SECONDS)
            last = done
        ends = outputs_end(self._log)
        self._patience = self._patience and Deadline(PATIENCE)
        while not is_stored(self._log, ends):
            self._tell_if_idle("sink", moved=False)
            self.apply_if_free()
            show("storing", size, size)
            pause(POLL_SECONDS)
        return dispositions(self._log, self._appended, self._since)

    def _tell_if_idle(self, role: str, *, moved: bool) -> None:
        """Say once that nobody seems to work, where others have to."""
        if moved and self._patience:
            self._patience = Deadline(PATIENCE)
        if self._lock is None and self._patience and not self._patience.seconds_left():
            self._say(
                f"Nothing has moved for {PATIENCE.total_seconds():.0f} seconds: does a "
                f"`pnl worker {role}` run? Waiting goes on; Ctrl-C loses nothing."
            )
            self._patience = None

    def _applied(self) -> int:
        committed = committed_by_journeys(self._log)
        return sum(
            self._appended.overlap(place, 0, committed.get(place, 0))
            for place in self._appended.ranges
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
