"""The page, the API and the files, as one web application. Import this inside the command only.

    app = build(reports, ConsoleSettings())   # an ASGI application, for uvicorn

NiceGUI keeps its pages in the process, so `build` is called once in a process.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, get_args

from fastapi import FastAPI, Request, Response
from nicegui import app as pages_app
from nicegui import ui
from nicegui.language import Language

from pnl.console.address import Address, read_address
from pnl.console.answers import Answering, add_answers
from pnl.console.api import add_api
from pnl.console.guard import Guard
from pnl.console.live import Session, page_title
from pnl.console.markup import Html, el, join
from pnl.console.pages import (
    alerts,
    churn,
    contact,
    contacts,
    customer,
    entries,
    health,
    live,
    order,
    statement,
)
from pnl.console.pages import (
    reports as report_pages,
)
from pnl.console.poller import Page, Poller
from pnl.console.settings import ConsoleSettings
from pnl.console.shell import heading, skeleton
from pnl.console.view import View
from pnl.reports.api import ReportsApi
from streams.clock import Clock, SystemClock

PATIENCE_S: Final = 2.0
"""How long a page waits for its figures before it is sent with grey blocks in their place."""
RESPONSE_S: Final = 20.0
LOADING_ROWS: Final = 12
TITLES: Final = {
    "live": "Live board",
    "statement": "Statement",
    "contacts": "Contacts",
    "entries": "Entries",
    "health": "Data health",
    "alerts": "Alerts",
    "reports": "Reports",
    "churn": "Churn watch",
}

PAGES: Final[Mapping[str, tuple[str, Page]]] = {
    "live": ("/", live.page),
    "statement": ("/statement", statement.page),
    "contacts": ("/contacts", contacts.page),
    "contact": ("/contacts/{item:path}", contact.page),
    "order": ("/orders/{item:path}", order.page),
    "entries": ("/entries", entries.page),
    "churn": ("/churn", churn.page),
    "customer": ("/customers/{item:path}", customer.page),
    "health": ("/health", health.page),
    "alerts": ("/alerts", alerts.page),
    "alert": ("/alerts/{item}", alerts.one),
    "reports": ("/reports", report_pages.listed),
    "report": ("/reports/{item:path}", report_pages.page),
}
Ready = Callable[[], tuple[str, ...]]


def always_ready() -> tuple[str, ...]:
    """Return that nothing is missing."""
    return ()


def build(
    reports: ReportsApi,
    settings: ConsoleSettings,
    ready: Ready = always_ready,
    clock: Clock | None = None,
    answering: Answering | None = None,
) -> FastAPI:
    """Return the application: pages, `/api`, `/export`, `/healthz`, `/readyz`, `/metrics`.

    `reports` is asked from worker threads. `ready` returns a sentence for each thing that is
    not there yet. `answering` takes what a person answers to an alert; without it nobody can.
    """
    api = FastAPI(
        title="contact-pnl", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json"
    )
    clock = clock or SystemClock()
    pages = {name: page for name, (_, page) in PAGES.items()}
    poller = Poller(reports, pages, settings, clock, can_answer=answering is not None)
    console = Console(poller, Assets.read())
    add_api(api, reports, settings, ready)
    if answering is not None:
        add_answers(api, answering, settings.timezone, clock, poller.hurry)
    console.add_assets(api)
    for name, (route, _) in PAGES.items():
        console.add_page(name, route)
    pages_app.timer(1.0, console.tick)
    language = poller.figures.language
    ui.run_with(
        api,
        title="contact-pnl",
        language=language if language in get_args(Language) else "en-US",  # type: ignore[arg-type]
        favicon=str(FAVICON),
        binding_refresh_interval=None,
        show_welcome_message=False,
        tailwind=False,
        message_history_length=100,
    )
    api.add_middleware(Guard, names=(settings.host, *settings.allowed_hosts))
    return api


class Assets:
    """The style sheet and the script, with a name that changes with their content."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        digest = hashlib.sha256(b"\0".join(files[name] for name in sorted(files)))
        self.version = digest.hexdigest()[:12]

    @classmethod
    def read(cls) -> "Assets":
        """Read the files that lie beside this module."""
        folder = Path(__file__).parent / "assets"
        return cls({name: (folder / name).read_bytes() for name in ("console.css", "console.js")})

    def head(self) -> Html:
        """Return what a page's head needs: the theme before the first paint, then the files."""
        return join(
            [
                Html(f"<script>{THEME}</script>"),
                el("link", rel="stylesheet", href=f"/assets/{self.version}/console.css"),
                el("script", src=f"/assets/{self.version}/console.js", defer=True),
            ]
        )


FAVICON: Final = Html(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 22 22">'
    '<rect x="1" y="1" width="20" height="20" rx="5" fill="#1b5fa8"/>'
    '<path d="M6.5 9.5v5M11 6.5v5M15.5 10v4.5" stroke="#fff" stroke-width="2.4"/></svg>'
)
THEME: Final = (
    "(()=>{const a=new URLSearchParams(location.search).get('theme')"
    "??(document.cookie.match(/pnl_theme=(dark|light)/)??[])[1]"
    "??(matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light');"
    "document.documentElement.classList.toggle('p-dark',a==='dark')})()"
)


class Console:
    """The open pages and the poller behind them."""

    def __init__(self, poller: Poller, assets: Assets) -> None:
        self._poller = poller
        self._assets = assets
        self._sessions: set[Session] = set()

    def add_assets(self, api: FastAPI) -> None:
        """Serve the style sheet and the script, for ever under their name."""
        kinds = {"console.css": "text/css", "console.js": "text/javascript"}
        headers = {"cache-control": "public, max-age=31536000, immutable"}

        @api.get("/assets/{version}/{name}", include_in_schema=False)
        def asset(version: str, name: str) -> Response:
            if version != self._assets.version or name not in self._assets.files:
                return Response(status_code=404)
            return Response(self._assets.files[name], media_type=kinds[name], headers=headers)

    def add_page(self, name: str, route: str) -> None:
        """Serve one kind of page under its path."""

        @ui.page(route, response_timeout=RESPONSE_S)
        async def page(request: Request) -> Response | None:
            item = str(request.path_params.get("item", ""))
            path = request.url.path
            address = read_address(name, path, request.query_params.multi_items(), item)
            return await self._open(address, request)

    async def _open(self, address: Address, request: Request) -> Response | None:
        client = ui.context.client
        session = Session(client, address, self._poller.figures)
        answering = asyncio.ensure_future(self._poller.answer(address))
        await asyncio.wait({answering}, timeout=PATIENCE_S)
        done = answering.result() if answering.done() else None
        view = done.view if done else _loading(address)
        session.remember(view, done.version if done else 0, self._poller.aged(address))
        shown = {**view.frame, **self._poller.aged(address)}
        notice = shown.get("p-notice", el("div", id="p-notice", cls="p-bar", hidden=True))
        middle = join([notice, *view.blocks.values()])
        ui.page_title(page_title(view.title))
        ui.add_head_html(self._assets.head())
        ui.add_body_html(skeleton(address, heading(view), shown, middle))
        session.place_chart(view.chart)
        ui.on("p_ask", lambda event: self._asked(session, str(event.args)))
        ui.on("p_hidden", lambda event: self._hide(session, hidden=bool(event.args)))
        self._sessions.add(session)
        client.on_delete(lambda: self._sessions.discard(session))
        return client.build_response(request, 404) if view.missing else None

    async def _asked(self, session: Session, search: str) -> None:
        """Answer a page that asks something else: its address has changed, it has not."""
        before = session.address
        query = Request(
            {"type": "http", "query_string": search.lstrip("?").encode(), "headers": []}
        )
        pairs = query.query_params.multi_items()
        address = read_address(before.page, before.path, pairs, before.item)
        session.address = address
        snapshot = await self._poller.answer(address)
        if session.address == address:
            session.show(snapshot, self._poller.aged(address), asyncio.get_running_loop().time())

    def _hide(self, session: Session, *, hidden: bool) -> None:
        session.hidden = hidden

    async def tick(self) -> None:
        """Once a second: make anew what is shown, send every page what changed of it."""
        open_now = [session for session in self._sessions if not session.hidden]
        await self._poller.refresh({session.address for session in open_now})
        now = asyncio.get_running_loop().time()
        for session in open_now:
            snapshot = self._poller.snapshot(session.address)
            if snapshot is not None:
                session.push(snapshot, self._poller.aged(session.address), now)


def _loading(address: Address) -> View:
    """Return a page with grey blocks where its figures will be."""
    rows = [el("p", "\N{NO-BREAK SPACE}", cls="p-grey") for _ in range(LOADING_ROWS)]
    said = el("h2", "Adding up the figures", cls="p-hide")
    card = el("section", said, *rows, id="p-loading", cls="p-card", aria_busy="true")
    blocks = {"p-loading": card}
    if address.page == "live":
        blocks["p-trend"] = live.chart_away()
    return View(title=TITLES.get(address.page, address.item), blocks=blocks)
