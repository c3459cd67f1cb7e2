"""The page's web server, in a thread, so that signals stay with the main one.

Law: the address is ours before anything is promised about it: the port is bound first, and what
is told to a person is where the page really is.
"""

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import uvicorn

from pnl.alert_answers import Asked
from pnl.console.app import build
from pnl.console.settings import ConsoleSettings
from pnl.errors import CheckFailed, UserError
from pnl.reports.api import ReportsApi
from streams.clock import Clock

GRACE_SECONDS: Final = 1
"""How long open connections may finish when we stop."""


def bind(host: str, port: int, *, else_any: bool) -> socket.socket:
    """Take the port, or with `else_any` a free one where it is taken; UserError otherwise."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0) if else_any else (port,):
        try:
            return socket.create_server((host, wanted), family=family)
        except OSError as error:
            refused = error
    raise UserError(
        f"The page cannot be served at {host} port {port} [server]: {refused.strerror}; "
        "choose another with --port."
    )


class Page:
    """The page, served until it is stopped."""

    def __init__(
        self,
        reports: ReportsApi,
        settings: ConsoleSettings,
        bound: socket.socket,
        clock: Clock,
        on_fault: Callable[[BaseException], None],
        ready: Callable[[], tuple[str, ...]],
        answering: Callable[[Asked], str] | None = None,
    ) -> None:
        self._bound = bound
        self._on_fault = on_fault
        self.settings = replace(settings, port=bound.getsockname()[1])
        config = uvicorn.Config(
            build(reports, self.settings, ready, clock=clock, answering=answering),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    @property
    def address(self) -> str:
        """Where a person finds the page."""
        return self.settings.address

    @property
    def is_up(self) -> bool:
        """Whether requests are answered."""
        return self._server.started

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._bound])
        except SystemExit:  # how uvicorn says that the application did not start
            self._on_fault(CheckFailed("The page could not be started; the log says why."))
        except BaseException as error:  # noqa: BLE001 - kept, and the process ends with it
            self._on_fault(error)

    def ask_to_stop(self) -> None:
        """Take no more requests; open ones may finish."""
        self._server.should_exit = True

    def join(self, seconds_max: float) -> None:
        """Wait for the end of the last request, at most so long."""
        if self._thread.ident is not None:
            self._thread.join(timeout=seconds_max)
