"""The page, served while a command runs."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol

from pnl.alert_answers import Asked, answer_alert
from pnl.cli.sentences import warn
from pnl.console.settings import ConsoleSettings
from pnl.datafolder import DataFolder
from pnl.reports.alert_words import clears_words
from pnl.reports.queries import Reports
from pnl.settings_alerts import load_alerts
from pnl.settings_load import Loaded
from streams.clock import Clock, pause
from streams.log import EventLog

LOOK_SECONDS: Final = 0.05
STOP_SECONDS_MAX: Final = 1.0


class Served(Protocol):
    """What the page is served from."""

    @property
    def reports(self) -> Reports:
        """What answers."""
        ...

    @property
    def log(self) -> EventLog:
        """Where people's answers to alerts are kept."""
        ...

    @property
    def folder(self) -> DataFolder:
        """Beside what lies in it the rules of alerts may stand."""
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


def is_over(stopping: threading.Event) -> bool:
    """Say, a little later, whether all is to end: what the main thread asks instead of waiting.

    Ctrl-C strikes it anywhere. In the midst of an event's wait it would leave the event's lock
    taken, and whoever sets the event after that would stand for ever.
    """
    pause(LOOK_SECONDS)
    return stopping.is_set()


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
            clears=_clears(server),
        ),
        bound,
        server.clock,
        server.fail,
        server.missing,
        partial(_answered, server),
    )
    page.start()
    while not (page.is_up or is_over(server.stopping)):
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


def _clears(server: Served) -> Mapping[str, str]:
    """Return, by rule, what would clear its alerts."""
    rules = load_alerts(server.folder.path, server.loaded.settings.reporting.timezone).rules()
    return {rule.name: clears_words(rule.name, rule.kind, rules) for rule in rules.rules}


def _answered(server: Served, asked: Asked) -> str:
    """Append what somebody answered on the page."""
    return answer_alert(server.reports, server.log, asked, server.clock.now_ms())
