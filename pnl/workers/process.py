"""One worker process, from its start to its exit code.

Law: SIGTERM and Ctrl-C let the open batch end, leave the group and end with 0 in time; what takes
longer is left where it is, since nothing of it is committed. The first fault ends the process.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import FrameType
from typing import Final, Protocol, TypeVar

from pnl.errors import Exit
from pnl.health import Health, HealthServer
from pnl.metrics import Metrics
from pnl.workers.gauges import Gauges
from pnl.workers.stepping import Backoff, Stepping
from sinks.store_errors import Remedy, StoreError
from streams.log import Busy

STARTING: Final = "The worker is starting."
CLOSE_SECONDS: Final = 1.0
T = TypeVar("T")


class Role(Protocol):
    """What a worker does."""

    def step(self, wait: timedelta) -> int:
        """Handle the next records; return how many they were, 0 after waiting in vain."""
        ...

    def missing(self) -> str | None:
        """Say what keeps it from being ready; None when nothing does."""
        ...

    def measure(self) -> None:
        """Set the gauges; from any thread."""
        ...

    def close(self) -> None:
        """Give its group up."""
        ...


class Stopping(threading.Event):
    """Set by SIGTERM and Ctrl-C; the process then ends in time, whatever it is doing."""

    def __init__(self, limit: timedelta) -> None:
        super().__init__()
        self._limit = limit

    def on_signals(self) -> None:
        """Listen to the signals from now on; only from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self.is_set():
            watch = threading.Timer(self._limit.total_seconds(), os._exit, [Exit.INTERRUPTED])
            watch.daemon = True
            watch.start()
        self.set()


def work(
    name: str,
    make: Callable[[ExitStack, Metrics], Role],
    *,
    metrics: Metrics,
    stopping: Stopping,
    bound: socket.socket | None,
    supervisor: int | None = None,
) -> None:
    """Run a worker until `stopping`; raises what ended it otherwise.

    `make` opens what the role needs on the stack. While no broker answers it is tried again.
    `supervisor` is the process under which it runs, and with which it ends.
    """
    health = Health()
    made: list[Role] = []
    health.need(lambda: made[0].missing() if made else STARTING)
    with ExitStack() as opened, answering(bound, health, metrics.text):
        role = patiently(lambda: make(opened, metrics), stopping, health)
        if role is None:
            return
        made.append(role)
        stepping = Stepping(name, role, metrics, stopping, health)
        health.need(lambda: stepping.busy)
        gauges = Gauges((role.measure, lambda: _end_with(supervisor, stopping)), metrics)
        gauges.start()
        opened.callback(gauges.stop, CLOSE_SECONDS)
        stepping.run()
        # Only a loop that ended well leaves its group: who was fenced writes nothing more.
        role.close()


@contextmanager
def answering(
    bound: socket.socket | None, health: Health, metrics: Callable[[], bytes]
) -> Iterator[None]:
    """Answer /healthz, /readyz and /metrics meanwhile, where there is a socket for it."""
    if bound is None:
        yield
        return
    server = HealthServer(bound, health, metrics)
    try:
        yield
    finally:
        server.close()


def patiently(make: Callable[[], T], stopping: threading.Event, health: Health) -> T | None:
    """Make it as soon as log and store answer; None when it is to stop before they do."""
    backoff = Backoff()
    while not stopping.is_set():
        health.beat()
        try:
            return make()
        except Busy:
            pass
        except StoreError as error:
            if error.remedy is not Remedy.RETRY:
                raise
        stopping.wait(backoff.next().total_seconds())
    return None


def _end_with(supervisor: int | None, stopping: Stopping) -> None:
    """Stop when the supervisor is gone: its successor starts our slot anew."""
    if supervisor is not None and os.getppid() != supervisor:
        stopping.set()
