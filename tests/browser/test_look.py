"""Every page, on a desk and on a phone, light and dark: fits, is reachable, stays inert."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.centre import HOSTILE_QUEUE
from tests.browser.conftest import DESK, PHONE, Opening, Served

PAGES = {
    "live": "/",
    "statement": "/statement",
    "statement by queue": "/statement?view=dims",
    "contacts": "/contacts",
    "groups": "/contacts?view=groups",
    "no contacts": "/contacts?queue=nobody",
    "contact": "/contacts/k-plain",
    "order": "/orders/o-plain",
    "entries": "/entries?line=A1b",
    "health": "/health",
    "alerts": "/alerts",
    "no alerts": "/alerts?state=acknowledged&severity=critical",
    "alert": "/alerts/ffff000000000006",
    "churn": "/churn",
    "churn, all": "/churn?state=all",
    "customer": "/customers/w-001",
    "reports": "/reports",
    "a report": "/reports/daily?period=all",
    "notice": "/?period=never",
}


@pytest.mark.parametrize(
    ("size", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"]
)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_can_be_used_by_everybody(
    opening: Opening, name: str, size: tuple[int, int], theme: str
) -> None:
    """Nothing scrolls sideways, axe finds no violation, and there is one h1."""
    page = opening(PAGES[name], size, color_scheme=theme, reduced_motion="reduce")
    if name == "live":
        expect(page.locator("#p-chart svg")).to_be_visible()
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [320, 768, 1024])
def test_no_width_scrolls_sideways(opening: Opening, served: Served, width: int) -> None:
    """From the narrowest screen to a tablet's, every page fits its width."""
    page = opening("/", (width, 800))
    wide = {}
    for path in PAGES.values():
        page.goto(served.address + path)
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert wide == dict.fromkeys(PAGES.values(), width)


@pytest.mark.parametrize("path", ["/", "/statement?view=dims", "/contacts?period=all&rows=200"])
def test_a_hostile_name_is_text(opening: Opening, path: str) -> None:
    """A queue named like an element is shown by its name and does nothing."""
    page = opening(path)
    expect(page.get_by_text(HOSTILE_QUEUE).first).to_be_attached()
    assert page.evaluate("window.hacked") is None
    assert page.locator("#main img").count() == 0


def test_ticking_moves_nothing(opening: Opening) -> None:
    """While only the clock ticks, the layout does not shift.

    Where the server itself has fallen behind, the page says so above all else, and that moves it.
    """
    page = opening("/")
    expect(page.locator("#p-chart svg")).to_be_visible()
    page.evaluate(
        """() => {
            new PerformanceObserver(list => {
                for (const entry of list.getEntries()) window.shifted += entry.value;
            }).observe({type: 'layout-shift'});
        }"""
    )
    notice = page.locator("#p-notice")
    while True:
        expect(notice).to_be_hidden(timeout=60_000)
        page.evaluate("window.shifted = 0")
        page.evaluate("emitEvent('p_ask', location.search); document.body.classList.add('p-busy')")
        page.wait_for_function("!document.body.classList.contains('p-busy')")
        if notice.is_hidden():
            break
    assert page.evaluate("window.shifted") == 0
