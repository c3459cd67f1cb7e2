"""One open page: what it shows, what is sent when that changes.

Law: a browser is sent only blocks that differ from those it has, and nothing while its tab is
hidden. A list somebody reads never moves by itself: it is told that there is news.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from nicegui import Client, ui
from nicegui.elements.echart import EChart

from pnl.console.address import Address
from pnl.console.figures import Figures
from pnl.console.markup import Html, el
from pnl.console.poller import Snapshot
from pnl.console.shell import heading
from pnl.console.view import View

CHART_EVERY_S: Final = 5.0
CHART_SLOT: Final = "p-chart"
NEWS: Final = "p-news"


class Session:
    """A page in a browser: the blocks it has, and how to send it others."""

    def __init__(self, client: Client, address: Address, figures: Figures) -> None:
        self.client = client
        self.address = address
        self.hidden = False
        self._figures = figures
        self._shown: dict[str, str] = {}
        self._order: tuple[str, ...] = ()
        self._title = ""
        self._version = 0
        self._news = 0
        self._late = False
        self._critical = False
        self._chart: EChart | None = None
        self._chart_options: dict[str, Any] | None = None
        self._chart_at = 0.0
        self._pointed_at = False

    def remember(self, view: View, version: int, aged: Mapping[str, str]) -> None:
        """Note what the page was first served with."""
        self._shown = {**_blocks(view), **aged}
        self._order = _order(view)
        self._title, self._version, self._news = view.title, version, view.news
        self._critical = _is_critical(self._shown)

    def place_chart(self, options: dict[str, Any] | None) -> None:
        """Put the chart into its slot; it stays there, hidden if it has nothing to show."""
        if CHART_SLOT not in "".join(self._shown.values()):
            return
        with ui.teleport(f"#{CHART_SLOT}"):
            self._chart = ui.echart(options or {}, renderer="svg")
        self._chart_options = options
        self._chart.on("mouseenter", lambda: self._point(at=True), args=[])
        self._chart.on("mouseleave", lambda: self._point(at=False), args=[])

    def _point(self, *, at: bool) -> None:
        self._pointed_at = at

    def push(self, snapshot: Snapshot, aged: Mapping[str, str], now: float) -> None:
        """Send what changed by itself since the last time."""
        if self.hidden or not self.client.has_socket_connection:
            return
        view = snapshot.view
        if _order(view) != self._order:
            self.show(snapshot, aged, now)
            return
        blocks = dict(aged)
        if snapshot.version != self._version:
            blocks |= {k: v for k, v in _blocks(view).items() if k not in view.frozen}
            if view.frozen:
                stale = any(self._shown.get(name) != view.blocks[name] for name in view.frozen)
                blocks[NEWS] = self._said_news(view) if stale else _no_news()
            self._version = snapshot.version
        self._send(blocks, view)
        self._send_chart(view.chart, now)

    def show(self, snapshot: Snapshot, aged: Mapping[str, str], now: float) -> None:
        """Send all of an answer that was asked for, and none of the one before."""
        view = snapshot.view
        blocks = {**_blocks(view), **aged}
        if view.frozen:
            blocks[NEWS] = _no_news()
        self._version, self._news = snapshot.version, view.news
        self._send(blocks, view, asked=True)
        self._chart_at = now - CHART_EVERY_S
        self._send_chart(view.chart, now)

    def _said_news(self, view: View) -> Html:
        more = view.news - self._news
        said = f"{self._figures.count(more)} new" if more > 0 else "Figures changed"
        return el("a", f"{said} \N{MIDDLE DOT} show", href=self.address.link(), id=NEWS)

    def _send(self, blocks: Mapping[str, str], view: View, *, asked: bool = False) -> None:
        changed = {name: html for name, html in blocks.items() if self._shown.get(name) != html}
        payload: dict[str, Any] = {"blocks": changed}
        if (order := _order(view)) != self._order:
            payload = {"blocks": blocks, "order": order}
        if view.title != self._title:
            payload["title"] = page_title(view.title)
        if said := self._announcement(blocks):
            payload["said"] = said
        self._shown.update(blocks)
        self._order, self._title = order, view.title
        if changed or asked or len(payload) > 1:
            self.client.run_javascript(f"pnl.apply({json.dumps(payload)})")

    def _announcement(self, blocks: Mapping[str, str]) -> str:
        if "p-rail" in blocks:
            before, self._critical = self._critical, _is_critical(blocks)
            if self._critical and not before:
                return "A critical alert is open."
        shown = blocks.get("p-asof")
        if shown is None or (late := "p-late" in shown) == self._late:
            return ""
        self._late = late
        return "Figures are behind." if late else "Figures are current again."

    def _send_chart(self, options: dict[str, Any] | None, now: float) -> None:
        if self._chart is None or options is None or options == self._chart_options:
            return
        if self._pointed_at or now - self._chart_at < CHART_EVERY_S:
            return
        self._chart_options, self._chart_at = options, now
        self._chart.options.clear()
        self._chart.options.update(options)
        self._chart.update()


def _is_critical(blocks: Mapping[str, str]) -> bool:
    """Say whether the rail shows that a critical alert is open."""
    return "p-sev-critical" in blocks.get("p-rail", "")


def _blocks(view: View) -> dict[str, Html]:
    return {"p-title": heading(view), **view.frame, **view.blocks}


def _order(view: View) -> tuple[str, ...]:
    return ("p-notice", *view.blocks)


def _no_news() -> Html:
    return el("span", id=NEWS)


def page_title(title: str) -> str:
    """Return what the browser's tab is called."""
    return f"{title} \N{MIDDLE DOT} contact-pnl"
