"""The address decides what a page shows: it can be changed, kept, sent, and gone back to."""

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Opening


def test_a_period_is_in_the_address_and_back_works(opening: Opening) -> None:
    """Choosing a month changes address and figures without a reload; back undoes both."""
    page = opening("/statement")
    page.evaluate("window.stayed = true")
    head = page.locator("#p-account thead .p-num").first
    now = head.text_content() or ""
    page.locator("#p-scope summary").first.click()
    page.get_by_role("link", name="March 2024").click()
    expect(head).to_contain_text("March 2024")
    assert page.url.endswith("/statement?period=2024-03")
    live = page.locator("#p-rail a", has_text="Live board")
    expect(live).to_have_attribute("href", "/?period=2024-03")
    page.go_back()
    expect(head).to_have_text(now)
    assert page.url.endswith("/statement")
    assert page.evaluate("window.stayed") is True


def test_a_filter_narrows_and_its_cross_drops_it(opening: Opening) -> None:
    """A box in the filter menu becomes a key of the address and a chip; its cross removes both."""
    page = opening("/contacts?period=all")
    whole = page.locator("#p-find b").inner_text()
    page.locator("#p-find summary").click()
    page.get_by_role("checkbox", name="returns").check()
    page.locator("#p-find button[type=submit]").click()
    expect(page.locator("#p-find b")).not_to_have_text(whole)
    assert "queue=returns" in page.url
    assert set(page.locator("#p-list tbody td:nth-child(4)").all_inner_texts()) == {"returns"}
    page.get_by_role("link", name="Drop the filter Queue").click()
    expect(page.locator("#p-find b")).to_have_text(whole)
    assert "queue" not in page.url


def test_a_range_of_days_can_be_typed(opening: Opening) -> None:
    """From and to of the period menu are the address's from and to."""
    page = opening("/")
    page.locator("#p-scope summary").first.click()
    page.get_by_label("From").fill("2024-04-03")
    page.get_by_label("To (not included)").fill("2024-04-10")
    page.locator("#p-scope form button").first.click()
    expect(page.locator("#p-scope summary").first).to_contain_text("3\N{EN DASH}9 Apr 2024")
    assert "from=2024-04-03" in page.url
    assert "to=2024-04-10" in page.url


def test_unknown_keys_are_said_and_can_be_dropped(opening: Opening) -> None:
    """A key the page does not know is named in one sentence with a link that drops it."""
    page = opening("/statement?period=2024-03&colour=red&against=yesterday")
    notice = page.locator("#p-notice")
    expect(notice).to_contain_text("does not know: colour")
    expect(notice).to_contain_text("against=yesterday")
    page.get_by_role("link", name="Drop them").click()
    expect(notice).to_be_hidden()
    assert page.url.endswith("/statement?period=2024-03")


def test_every_figure_opens_down_to_the_record(opening: Opening) -> None:
    """From a line to its entries, to an order, to a contact: each page names the source."""
    page = opening("/statement?period=2024-03")
    page.locator("#p-account a[href*='line=A1b']").first.click()
    page.wait_for_url("**/entries?*line=A1b*")
    expect(page.locator("h1")).to_have_text("Entries of A1b")
    expect(page.locator("#p-entries .p-mono").first).to_contain_text("orders ")
    page.locator("#p-entries a[href^='/orders/']").first.click()
    page.wait_for_url("**/orders/*")
    expect(page.locator("#p-sums")).to_contain_text("add up to the net")
    page.locator("#p-credits a[href^='/contacts/']").first.click()
    page.wait_for_url("**/contacts/*")
    expect(page.locator("#p-entries")).to_contain_text("contacts ")


def test_what_is_not_in_the_books_is_said(opening: Opening) -> None:
    """An order nobody sent has a page that says so, with status 404, not an empty one."""
    page = opening("/")
    answer = page.request.get(page.url + "orders/none-such")
    assert answer.status == 404
    assert "There is no order none-such" in answer.text()


def test_the_theme_is_kept_and_can_be_asked_for(opening: Opening) -> None:
    """The switch outlives a reload; an address with theme=light overrides it."""
    page = opening("/", color_scheme="light")
    dark = "document.documentElement.classList.contains('p-dark')"
    assert page.evaluate(dark) is False
    page.get_by_role("button", name="Dark mode").click()
    assert page.evaluate(dark) is True
    page.reload()
    assert page.evaluate(dark) is True
    expect(page.get_by_role("button", name="Dark mode")).to_have_attribute("aria-pressed", "true")
    page.goto(page.url + "?theme=light")
    assert page.evaluate(dark) is False


def test_a_phone_has_its_pages_at_the_foot(opening: Opening) -> None:
    """On a phone the four pages are tabs, and one sheet holds the rest of the scope."""
    page = opening("/", PHONE)
    page.locator("#p-tabs a", has_text="Statement").click()
    page.wait_for_url("**/statement")
    page.locator("#p-scope summary", has_text="Filters").click()
    page.get_by_role("link", name="Same days last year").click()
    page.wait_for_url("**/statement?against=same_last_year")


def test_a_filter_that_says_nothing_of_a_risk_is_said_and_left_out(opening: Opening) -> None:
    """Risks and windows have a queue, a team and a channel; an agent narrows only the rest."""
    page = opening("/?agent=a01&period=all")
    expect(page.locator("#p-churn header")).to_contain_text("not narrowed by agent")
    expect(page.locator("#p-windows header")).to_contain_text("not narrowed by agent")
    page.goto(page.url.partition("?")[0] + "churn?agent=a01&queue=billing&state=all")
    expect(page.locator("#p-list header")).to_contain_text("not narrowed by agent")
    shown = page.locator("#p-list tbody td:nth-child(7)").all_inner_texts()
    assert {text.split()[0] for text in shown} == {"billing"}
    page.goto(page.url.partition("churn")[0] + "customers/w-001?queue=billing")
    expect(page.locator("h1")).to_contain_text("w-001")
