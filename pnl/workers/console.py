"""The page alone, over the store of a cluster: of its own it writes only answers to alerts."""

import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from pnl.datafolder import DataFolder
from pnl.errors import Interrupted
from pnl.health import Health
from pnl.settings_load import Loaded
from pnl.shared import Shared, shared
from pnl.workers.process import patiently
from sinks.store_errors import StoreError
from streams.clock import Clock

STOPPED: Final = "Stopped before the log and the store answered."


class ConsoleServer:
    """What the page is served from, until it is stopped. Entering it waits for log and store."""

    def __init__(
        self, folder: DataFolder, loaded: Loaded, clock: Clock, stopping: threading.Event
    ) -> None:
        self.loaded = loaded
        self.clock = clock
        self.stopping = stopping
        self.folder = folder
        self._fault: BaseException | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        found = patiently(self._open, self.stopping, Health())
        if found is None:
            raise Interrupted(STOPPED)
        self._books = found
        self.reports = found.reports
        self.log = found.log
        return self

    def _open(self) -> Shared:
        return self._opened.enter_context(shared(self.folder, self.loaded.settings, self.clock))

    def start(self) -> None:
        """Do nothing: the workers are processes of their own."""

    def fail(self, error: BaseException) -> None:
        """End because of an error of the page."""
        if self._fault is None:
            self._fault = error
        self.stopping.set()

    def check(self) -> None:
        """Raise what the page failed of, if it did."""
        if self._fault is not None:
            raise self._fault

    def missing(self) -> tuple[str, ...]:
        """Say that the store does not answer, or that we are stopping."""
        if self.stopping.is_set():
            return ("The server is stopping.",)
        try:
            self._books.store.query("SELECT 1")
        except StoreError as error:
            return (f"The store does not answer: {error}",)
        return ()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()
