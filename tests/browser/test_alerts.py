"""Alerts on the page: what happened, and who has it now."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.alerted import HOSTILE, OPEN
from tests.browser.conftest import PHONE, Opening

STATE = "#p-alert .p-alert-head .p-control"
SEGMENT = "bbbb000000000002"


def signed(page: Page, name: str = "Ann") -> Page:
    """Say who is at the page."""
    page.locator("[data-by]").fill(name)
    return page


def test_an_alert_is_acknowledged_and_says_by_whom(opening: Opening) -> None:
    """Nobody can without a name; with one the page shows it by itself, and so does the list."""
    page = opening(f"/alerts/{OPEN}")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#p-answered")).to_have_text("Say who you are first.")
    page.locator("[data-note]").fill("calling them")
    signed(page).get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#p-answered")).to_contain_text(f"on its way: alert {OPEN} shows as ack")
    expect(page.locator(STATE)).to_have_text("acknowledged by Ann", timeout=60_000)
    expect(page.locator("#p-alerts")).to_contain_text("acknowledged by Ann")
    expect(page.locator("#p-alert")).to_contain_text("asked by Ann: calling them")
    assert page.get_by_role("button", name="Acknowledge").count() == 0


def test_an_alert_is_snoozed_and_woken_by_keys(opening: Opening) -> None:
    """S opens the choices; who signed once need not again; a letter in a field is a letter."""
    page = signed(opening(f"/alerts/{SEGMENT}"))
    page.locator("[data-note]").press("s")
    assert page.locator("#p-snooze[open]").count() == 0
    page.locator("h1").click()
    page.keyboard.press("s")
    page.get_by_role("button", name="Snooze 8 hours").click()
    expect(page.locator(STATE)).to_have_text("snoozed by Ann", timeout=60_000)
    expect(page.locator("#p-alert")).to_contain_text("Not sent before")
    page.reload()
    expect(page.locator("[data-by]")).to_have_value("Ann")
    page.get_by_role("button", name="Unsnooze").click()
    expect(page.locator(STATE)).to_have_text("raised by Ann", timeout=60_000)


def test_open_alerts_are_counted_where_everybody_sees_them(opening: Opening) -> None:
    """In the rail and at the foot; the live board shows the worst, what is fading stands apart."""
    page = opening("/")
    expect(page.locator(".p-rail .p-count")).to_contain_text("3")
    expect(page.locator("#p-worst li")).to_have_count(3)
    assert page.locator("#p-worst").get_by_text("fades").count() == 0
    expect(opening("/alerts").locator("#p-fading")).to_contain_text("w-004 fades")


def test_the_list_is_narrowed_by_state_and_severity(opening: Opening) -> None:
    """The address says so, and an alert opened from it keeps the list."""
    page = opening("/alerts?state=cleared")
    expect(page.locator("#p-alerts li")).to_have_count(1)
    page.get_by_role("link", name="Critical").click()
    expect(page.locator("#p-alerts")).to_contain_text("There is no alert that is cleared.")
    page = opening("/alerts?severity=critical")
    page.locator("#p-alerts li a").nth(1).click()
    page.wait_for_url("**/alerts/*?severity=critical")
    expect(page.locator("#p-alerts li")).to_have_count(2)
    page.keyboard.press("k")
    page.wait_for_function("document.querySelector('#p-alerts li:first-child a[aria-current]')")


def test_a_phone_shows_the_list_or_the_alert(opening: Opening) -> None:
    """One page each; from the list to the alert and back."""
    page = opening("/alerts", PHONE)
    expect(page.locator("#p-alert")).to_be_hidden()
    page.locator("#p-alerts li a").first.click()
    expect(page.locator("#p-alert")).to_be_visible()
    expect(page.locator("#p-alerts")).to_be_hidden()


def test_a_segments_alert_shows_how_it_went(opening: Opening) -> None:
    """The hours before, what is usual, and the moment it was raised; as a sentence too."""
    chart = opening(f"/alerts/{SEGMENT}").locator("svg.p-alert-chart")
    expect(chart).to_have_attribute("aria-label", re.compile("^Mean wait from .* Usual before: "))
    expect(chart.locator(".p-trend-line")).to_have_count(1)
    expect(chart.locator(".p-usual-band")).to_have_count(1)


def test_an_alert_leads_to_what_it_is_about(opening: Opening) -> None:
    """To the customer, to each contact, and to a queue's contacts of that day."""
    page = opening(f"/alerts/{OPEN}")
    expect(page.locator("#p-alert")).to_contain_text(re.compile("Figures, and as of .* now "))
    expect(page.locator("#p-alert").get_by_role("link", name="k-plain")).to_be_visible()
    page.get_by_role("link", name="the customer").click()
    expect(page.locator("h1")).to_contain_text("w-001")
    page = opening(f"/alerts/{SEGMENT}")
    page.get_by_role("link", name="all of 15 May 2024").click()
    expect(page).to_have_url(re.compile(r"/contacts\?(?=.*queue=billing)(?=.*from=2024-05-15)"))


def test_what_is_over_cannot_be_answered(opening: Opening) -> None:
    """Its page has no buttons."""
    page = opening("/alerts/cccc000000000003")
    expect(page.locator(STATE)).to_have_text("cleared")
    assert page.locator("#p-answers").count() == 0


@pytest.mark.parametrize("path", [f"/alerts/{HOSTILE}", "/alerts"])
def test_a_hostile_subject_is_text(opening: Opening, path: str) -> None:
    """A queue named like an element does nothing."""
    page = opening(path)
    expect(page.locator("#p-alerts")).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None
