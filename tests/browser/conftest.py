"""A served page and a browser to look at it with.

The page runs in a process of its own, as it does for people, over a small real store. Chromium
is Debian's; where it is missing these tests are skipped, but never in CI.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK, PHONE = (1440, 900), (390, 844)
Opening = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here; skip it without Chromium, unless this is CI."""
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None and os.environ.get("CI") != "true":
            item.add_marker(pytest.mark.skip("Chromium is not installed: apt-get install chromium"))


@dataclass
class Served:
    """A running page: its address, and a way to bring one more sale into its books."""

    address: str
    stdin: IO[str]
    sales: int = field(default=0)

    def sell(self) -> None:
        """Bring a contact and a sale of 1,234.57 into the books."""
        self.sales += 1
        self.stdin.write("sale\n")
        self.stdin.flush()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the page over a small contact centre."""
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "tests.browser.serve", str(folder / "store")]
    with (
        (folder / "errors").open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, (folder / "errors").read_text()
        yield Served(address, process.stdin)
        process.stdin.close()
        process.wait(timeout=20)
    wrong = (folder / "errors").read_text()
    assert "Traceback" not in wrong, wrong


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one Chromium for a module's tests.

    Not for the session: Playwright keeps its event loop running in this thread, and no test
    with a loop of its own could run beside it.
    """
    assert CHROMIUM is not None, "Chromium is not installed; CI installs it (.ci/run)"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def opening(browser: Browser, served: Served) -> Iterator[Opening]:
    """Return a function that opens pages, and hold them to what every page promises.

    No request leaves the page's own address, and the console stays free of errors.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def watch(page: Page) -> None:
        own = urlsplit(served.address).netloc
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None,
        )
        page.on(
            "request",
            lambda request: (
                None
                if urlsplit(request.url).netloc == own or request.url.startswith("data:")
                else wrong.append(request.url)
            ),
        )

    def open_page(path: str, size: tuple[int, int] = DESK, **options: Any) -> Page:
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto(served.address + path)
        page.wait_for_function("window.did_handshake")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
