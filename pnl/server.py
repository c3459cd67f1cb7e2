"""The embedded server: a held data folder, its pipeline, its reports, its control socket.

Law: it holds the folder from before it opens anything until after it closed everything, so no
two processes ever have the store open; whoever asks in between is answered over the socket.
"""

import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from pnl.answers import answer
from pnl.control import Answer, ControlServer
from pnl.datafolder import DataFolder, FolderLock
from pnl.engine import LawBroken
from pnl.errors import CheckFailed, LawBreach, UserError
from pnl.fitting.newer import NewerModel
from pnl.opening import live_risk, open_log, store_dsn
from pnl.pipeline import Pipeline
from pnl.reports.queries import Reports
from pnl.runtime import tune_allocator, tune_collector
from pnl.settings_alerts import load_alerts
from pnl.settings_load import Loaded
from sinks.store import Store
from sinks.store_errors import StoreError
from streams.clock import Clock, Deadline, pause
from streams.log import Busy, Fenced, LogDamaged, LogFailed

EXPECTED: Final = (UserError, CheckFailed, Busy, Fenced, LogDamaged, LogFailed, StoreError, OSError)
"""Faults that say all there is to say; any other is a bug of ours."""
HOLD_WAIT: Final = timedelta(minutes=10)
SERVERS: Final = ("pnl run", "pnl demo")
"""Commands that hold a folder until a person ends them."""
HOLD_PAUSE_SECONDS: Final = 0.05


class Server:
    """Everything of one data folder, running. Enter it with the folder's lock taken."""

    def __init__(
        self,
        folder: DataFolder,
        loaded: Loaded,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.loaded = loaded
        self.clock = clock
        self.policy = loaded.settings.policy()
        self.policies = loaded.settings.policies
        self._say = say
        self._stopped = False

    def __enter__(self) -> Self:
        tune_allocator()
        settings = self.loaded.settings
        self.log = open_log(self.folder, settings, self.clock)
        try:
            self.store = Store.open(store_dsn(self.folder, settings))
            self.store.migrate()
            alerts = load_alerts(self.folder.path, settings.reporting.timezone)
            newer = NewerModel(self.folder.churn)
            risk = live_risk(self.folder)
            self.pipeline = Pipeline(
                self.log, self.store, self.policies, self.clock, settings, alerts, risk, newer
            )
            self.reports = Reports(
                self.store,
                self.policies,
                self.clock,
                self.log,
                settings.calendar(),
                self.folder.churn,
            )
            self._control = ControlServer(self.folder.socket, self.answer)
        except BaseException:
            self.log.close()
            raise
        return self

    @property
    def stopping(self) -> threading.Event:
        """Set when all is to end."""
        return self.pipeline.stopping

    def fail(self, error: BaseException) -> None:
        """End everything because of an error beside the pipeline."""
        self.pipeline.fail(error)

    def start(self, *, serving: bool = True) -> None:
        """Begin to apply what is in the log, by the rules of these settings, or refuse to.

        `serving`: until somebody ends it, so periods are worked out and closed meanwhile.
        """
        self.pipeline.assert_accepted()
        tune_collector()
        if self.folder.record_policy(self.policies.version):
            self._say(
                "The settings that decide amounts have changed, for dates on which nothing is "
                "booked yet."
            )
        self.pipeline.start(serving=serving)

    def check(self) -> None:
        """Raise the fault of a thread, if one has failed; of a bug, note where it was."""
        fault = self.pipeline.fault
        if fault is None:
            return
        if isinstance(fault, EXPECTED):
            raise fault
        note = self.folder.path / "fault.txt"
        note.write_text("".join(traceback.format_exception(fault)), "utf-8")
        kind = LawBreach if isinstance(fault, LawBroken) else CheckFailed
        raise kind(
            f"A bug stopped the program: {type(fault).__name__}: {fault}. Nothing is lost; "
            f"details are in {note}."
        ) from fault

    def missing(self) -> tuple[str, ...]:
        """Return a sentence for each thing that keeps this server from being ready."""
        if self.pipeline.stopping.is_set():
            return ("The server is stopping.",)
        return self.pipeline.missing()

    def answer(self, op: str, args: Mapping[str, Any]) -> Answer:
        """Answer a question about the folder."""
        return answer(op, args, self.pipeline, self.reports)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._control.close()
        if self.pipeline.stop():
            self.store.close()
            self.log.close()


def hold(folder: DataFolder, command: str, say: Callable[[str], None]) -> FolderLock:
    """Take the folder. Waits for a command that ends by itself; CheckFailed names a server."""
    lock = FolderLock(folder, command)
    deadline = Deadline(HOLD_WAIT)
    told = False
    while not lock.take():
        holder = lock.holder()
        if holder.startswith(SERVERS) or not deadline.seconds_left():
            raise CheckFailed(f"{folder.path} is held by `{holder}`; stop it first.")
        if not told:
            say(f"Waiting for `{holder}` to end.")
            told = True
        pause(HOLD_PAUSE_SECONDS)
    return lock


def hold_or_ask(
    folder: DataFolder,
    command: str,
    asking: Callable[[], Answer | None],
    show: Callable[[str], None],
) -> FolderLock | Answer:
    """Take the folder; if somebody else holds it, ask them as soon as they answer."""
    lock = FolderLock(folder, command)
    deadline = Deadline(HOLD_WAIT)
    while not lock.take():
        found = asking()
        if found is not None:
            return found
        if not deadline.seconds_left():
            raise CheckFailed(f"{folder.path} is held by `{lock.holder()}`, which does not answer.")
        show(f"waiting for `{lock.holder()}`")
        pause(HOLD_PAUSE_SECONDS)
    return lock
