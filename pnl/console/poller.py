"""One poller for all pages: each distinct question is answered once, for everybody who asked it.

Law: a page never queries. It shows a snapshot, which is frozen; the poller makes the next one
when the books have changed, and a version is never given twice: also not to a page that was
forgotten while its tab was hidden. Work on the books is bounded: an answer that took long is made
anew only after resting several times as long, but for a moment on what a person has just changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, TypeVar

import structlog

from pnl.console.address import Address, resolve
from pnl.console.figures import Figures
from pnl.console.markup import Html, el
from pnl.console.settings import ConsoleSettings
from pnl.console.shell import as_of, notice
from pnl.console.view import Asked, View
from pnl.reports.alerts import OpenAlerts
from pnl.reports.api import ReportsApi
from pnl.reports.evidence import Freshness
from pnl.reports.model import BadRequest
from streams.clock import Clock

REST: Final = 2.0
"""How many times as long as an answer took the books are left alone before the next one."""
CHOICES_EVERY_S: Final = 10.0
HURRY_S: Final = 10.0
"""So long the page of what somebody changed is made anew without rest: they wait to see it."""

T = TypeVar("T")
InThread = Callable[..., Awaitable[T]]
Page = Callable[[Asked], View]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An answer: the view, the mark of the books it was made from, and when it was made.

    `failed_at` is the time of day since which it could not be made anew, "" while it can.
    """

    version: int
    view: View
    mark: tuple[int, ...]
    made_at: float
    took_s: float
    failed_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What every page shows of the books' age, read once a second."""

    mark: tuple[int, ...]
    freshness: Freshness
    alerts: OpenAlerts


class Poller:
    """Answers questions from worker threads, and keeps the answers that pages show."""

    def __init__(
        self,
        reports: ReportsApi,
        pages: Mapping[str, Page],
        settings: ConsoleSettings,
        clock: Clock,
        rest: float = REST,
        *,
        can_answer: bool = False,
    ) -> None:
        self._can_answer = can_answer
        self._reports = reports
        self._pages = pages
        self._settings = settings
        self._clock = clock
        self._rest = rest
        self.figures = Figures.of(settings.locale, settings.timezone)
        self._snapshots: dict[Address, Snapshot] = {}
        self._making: dict[Address, asyncio.Task[Snapshot]] = {}
        self._versions = count(1)
        self._hurried: dict[str, float] = {}
        self._pulse: Pulse | None = None
        self._choices: dict[str, tuple[str, ...]] = {}
        self._choices_at = -CHOICES_EVERY_S

    async def pulse(self) -> Pulse:
        """Read how current the books are, and what filters can be offered."""
        now = _now()
        refresh = now - self._choices_at >= CHOICES_EVERY_S
        pulse, choices = await asyncio.to_thread(self._read_pulse, refresh)
        self._pulse = pulse
        if choices is not None:
            self._choices, self._choices_at = choices, now
        return pulse

    def _read_pulse(self, refresh: bool) -> tuple[Pulse, dict[str, tuple[str, ...]] | None]:
        mark, known = self._reports.version(), self._pulse
        same = known is not None and known.mark == mark
        alerts = known.alerts if known is not None and same else self._reports.open_alerts()
        pulse = Pulse(mark=mark, freshness=self._reports.freshness(), alerts=alerts)
        return pulse, self._reports.dimensions() if refresh else None

    async def answer(self, address: Address) -> Snapshot:
        """Return the newest answer there is, made now if there is none for these books.

        A question that cannot be answered is answered with the reason. Raises what the store
        raises.
        """
        pulse = self._pulse or await self.pulse()
        kept = self._snapshots.get(address)
        if kept is not None and kept.mark == pulse.mark and not kept.failed_at:
            return kept
        return await self._make(address)

    def hurry(self, item: str) -> None:
        """Let pages about an item not rest for a moment: a person changed it, and looks at it."""
        self._hurried[item] = _now() + HURRY_S

    async def refresh(self, addresses: set[Address]) -> None:
        """Make anew what is shown and out of date; forget what nobody shows."""
        for address in self._snapshots.keys() - addresses:
            del self._snapshots[address]
        self._hurried = {item: at for item, at in self._hurried.items() if at > _now()}
        try:
            pulse = await self.pulse()
        except Exception:
            log.exception("books_not_read")
            for address in addresses:
                self._note_failure(address)
            return
        for address in addresses:
            kept = self._snapshots.get(address)
            if kept is None or self._due(address, kept, pulse):
                await self._make_or_keep(address)

    def snapshot(self, address: Address) -> Snapshot | None:
        """Return the answer a page may show, if there is one."""
        return self._snapshots.get(address)

    def aged(self, address: Address) -> dict[str, Html]:
        """Return the blocks that tell the books' age, as of the last pulse."""
        if self._pulse is None:
            return {}
        freshness = self._pulse.freshness
        asked = self._asked(address)
        shown = as_of(freshness, self.figures, self._settings.timezone)
        return {"p-asof": shown, "p-notice": notice(asked, self._failed(address))}

    def _failed(self, address: Address) -> str:
        kept = self._snapshots.get(address)
        return kept.failed_at if kept is not None else ""

    def _due(self, address: Address, kept: Snapshot, pulse: Pulse) -> bool:
        rested = _now() - kept.made_at >= self._rest * kept.took_s or address.item in self._hurried
        return rested and (kept.mark != pulse.mark or bool(kept.failed_at))

    async def _make_or_keep(self, address: Address) -> None:
        try:
            await self._make(address)
        except Exception:
            log.exception("page_not_updated", page=address.page)
            self._note_failure(address)

    def _note_failure(self, address: Address) -> None:
        kept = self._snapshots.get(address)
        if kept is not None:
            since = kept.failed_at or self.figures.clock(self._clock.now_ms())
            self._snapshots[address] = replace(kept, failed_at=since, made_at=_now())

    async def _make(self, address: Address) -> Snapshot:
        making = self._making.get(address)
        if making is None:
            making = asyncio.ensure_future(self._made(address))
            self._making[address] = making
            making.add_done_callback(lambda _: self._making.pop(address, None))
        return await asyncio.shield(making)

    async def _made(self, address: Address) -> Snapshot:
        assert self._pulse is not None
        mark, began = self._pulse.mark, _now()
        view = await asyncio.to_thread(self._view, address, self._asked(address))
        made = Snapshot(
            version=next(self._versions),
            view=view,
            mark=mark,
            made_at=_now(),
            took_s=_now() - began,
        )
        self._snapshots[address] = made
        return made

    def _view(self, address: Address, asked: Asked) -> View:
        try:
            return self._pages[address.page](asked)
        except BadRequest as error:
            return refused(address, str(error))

    def _asked(self, address: Address) -> Asked:
        assert self._pulse is not None
        freshness = self._pulse.freshness
        day = None if freshness.as_of is None else self.figures.local(freshness.as_of).date()
        return Asked(
            reports=self._reports,
            address=address,
            question=resolve(address, day, self._settings.currency),
            freshness=freshness,
            figures=self.figures,
            timezone=self._settings.timezone,
            choices=self._choices,
            open_alerts=self._pulse.alerts,
            clears=self._settings.clears,
            can_answer=self._can_answer,
        )


def refused(address: Address, sentence: str) -> View:
    """Return a page that says why there is no other."""
    back = el("a", "Show the page without it", href=address.path)
    body = el("p", sentence, " ", back, cls="p-empty")
    card = el(
        "section",
        el("h2", "This cannot be shown", cls="p-hide"),
        body,
        id="p-refused",
        cls="p-card",
    )
    return View(title="This cannot be shown", blocks={"p-refused": card})


def _now() -> float:
    """Return monotonic seconds: the event loop's own."""
    return asyncio.get_running_loop().time()
