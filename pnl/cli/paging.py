"""The page, served while a command runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from pnl.cli.sentences import warn
from pnl.console.settings import ConsoleSettings
from pnl.reports.queries import Reports
from pnl.settings_load import Loaded
from streams.clock import Clock

LOOK_SECONDS: Final = 0.05
STOP_SECONDS_MAX: Final = 1.0


class Served(Protocol):
    """What the page is served from."""

    @property
    def reports(self) -> Reports:
        """What answers."""
        ...

    @property
    def loaded(self) -> Loaded:
        """The settings."""
        ...

    @property
    def clock(self) -> Clock:
        """What tells the time."""
        ...

    @property
    def stopping(self) -> threading.Event:
        """Set when all is to end."""
        ...

    def start(self) -> None:
        """Begin to work, once the page's address is ours."""
        ...

    def fail(self, error: BaseException) -> None:
        """End because of an error of the page."""
        ...

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        ...

    def missing(self) -> tuple[str, ...]:
        """Return a sentence for each thing that keeps this process from being ready."""
        ...


@contextmanager
def serve_page(server: Served, port: int | None, say: Callable[[str], None]) -> Iterator[None]:
    """Serve the page meanwhile, and say where."""
    from pnl.page import Page, bind

    settings = server.loaded.settings
    wanted = port or settings.server.port
    bound = bind(settings.server.host, wanted, else_any=port is None)
    server.start()
    page = Page(
        server.reports,
        ConsoleSettings(
            host=settings.server.host,
            port=wanted,
            timezone=settings.reporting.timezone,
            currency=settings.reporting.currency,
            locale=settings.server.locale,
            allowed_hosts=settings.server.allowed_hosts,
        ),
        bound,
        server.clock,
        server.fail,
        server.missing,
    )
    page.start()
    while not (page.is_up or server.stopping.wait(LOOK_SECONDS)):
        pass
    server.check()
    if page.settings.port != wanted:
        warn(f"Port {wanted} is taken; a free one is used instead.")
    say(f"The page: {page.address}  (Ctrl-C stops)")
    try:
        yield
    finally:
        server.stopping.set()
        page.ask_to_stop()
        page.join(STOP_SECONDS_MAX)
