"""The page is alive: figures change where they stand, and only where somebody looks."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Opening, Served

RESULT = "#p-result tr.p-result td.p-num >> nth=0"
REVENUE = "#p-heads .p-big >> nth=0"


def test_a_figure_changes_without_a_reload(opening: Opening, served: Served) -> None:
    """A sale that comes into the books is on the open page within seconds; nothing is reloaded."""
    page = opening("/")
    page.evaluate("window.stayed = true")
    before = page.locator(REVENUE).inner_text()
    served.sell()
    expect(page.locator(REVENUE)).not_to_have_text(before, timeout=60_000)
    assert page.evaluate("window.stayed") is True


def test_what_did_not_change_is_not_touched(opening: Opening, served: Served) -> None:
    """An element whose figure stays is the same element after an update; focus stays too."""
    page = opening("/statement")
    expect(page.locator("#p-account thead th").first).to_be_visible(timeout=60_000)
    page.evaluate("window.head = document.querySelector('#p-account thead th')")
    page.locator("#p-account a").first.focus()
    before = page.locator("#p-account tr.p-result td.p-num >> nth=0").inner_text()
    served.sell()
    changed = page.locator("#p-account tr.p-result td.p-num >> nth=0")
    expect(changed).not_to_have_text(before, timeout=60_000)
    assert page.evaluate("window.head === document.querySelector('#p-account thead th')")
    assert page.evaluate("document.activeElement.closest('#p-account') !== null")


def test_a_hidden_tab_gets_nothing_and_catches_up(opening: Opening, served: Served) -> None:
    """While its tab is hidden a page stands still; shown again, it has the figures of now."""
    hidden, seen = opening("/"), opening("/")
    before = at_rest(hidden)
    expect(seen.locator(REVENUE)).to_have_text(before)
    hide(hidden, hidden=True)
    served.sell()
    expect(seen.locator(REVENUE)).not_to_have_text(before, timeout=60_000)
    assert hidden.locator(REVENUE).inner_text() == before
    hide(hidden, hidden=False)
    expect(hidden.locator(REVENUE)).to_have_text(seen.locator(REVENUE).inner_text(), timeout=60_000)


def at_rest(page: Page) -> str:
    """Return the revenue once it has stood still: a sale of before may still be on its way."""
    while True:
        before = page.locator(REVENUE).inner_text()
        page.wait_for_timeout(3_000)
        if page.locator(REVENUE).inner_text() == before:
            return before


def hide(page: Page, *, hidden: bool) -> None:
    """Do what a browser does when a tab is hidden or shown, and wait until it was heard."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )
    # Requests of one page are answered in order: what comes back proves that the event has come.
    page.evaluate("emitEvent('p_ask', location.search); document.body.classList.add('p-busy')")
    page.wait_for_function("!document.body.classList.contains('p-busy')")


def test_a_list_never_moves_by_itself(opening: Opening, served: Served) -> None:
    """New contacts are announced beside the list; it shows them when it is asked to."""
    page = opening("/contacts?period=all")
    first = page.locator("#p-list tbody th").first
    before = first.inner_text()
    served.sell()
    news = page.locator("#p-news")
    expect(news).to_contain_text("new", timeout=60_000)
    assert first.inner_text() == before
    news.click()
    expect(first).not_to_have_text(before, timeout=60_000)
    expect(news).to_have_text("")


def test_the_chart_stays_under_the_pointer(opening: Opening) -> None:
    """Pointing at a day says its figures, and every line keeps its colour."""
    page = opening("/?period=all")
    strokes = "[...document.querySelectorAll('#p-chart path')].map(e => e.getAttribute('stroke'))"
    expect(page.locator("#p-chart svg")).to_be_visible()
    page.wait_for_function("document.querySelectorAll('#p-chart path[stroke^=var]').length > 3")
    before = page.evaluate(strokes).count("var(--add)")
    page.locator("#p-chart svg").hover()
    expect(page.locator("#p-chart")).to_contain_text("handled")
    assert page.evaluate(strokes).count("var(--add)") == before > 0


def test_the_chart_follows_without_being_replaced(opening: Opening) -> None:
    """Another number of days gives the same chart new data, drawn as vectors."""
    page = opening("/")
    svg = page.locator("#p-chart svg")
    expect(svg).to_be_visible()
    before = page.locator("#p-chart").text_content() or ""
    page.get_by_role("link", name="30 days").click()
    page.wait_for_url("**/?days=30")
    expect(page.locator("#p-chart")).not_to_have_text(before, timeout=60_000)
    expect(svg).to_have_count(1)
