"""Page, interface and file answer one question with one answer."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opening, Served

PERIOD = "period=2024-03"


def number(shown: str) -> Decimal:
    """Return an amount as the page writes it."""
    return Decimal(shown.replace("\N{MINUS SIGN}", "-").replace(",", "").replace("£", ""))


def download(page: Page) -> list[dict[str, str]]:
    """Press *Export* and return the file's rows."""
    with page.expect_download() as started:
        page.get_by_role("link", name="Export as CSV").click()
    return list(csv.DictReader(io.StringIO(started.value.path().read_text())))


def shown_lines(page: Page) -> dict[str, Decimal]:
    """Return the amounts of the statement's lines, by line."""
    rows = page.locator("#p-account tr", has=page.locator("a[href*='line=']"))
    return {
        row.locator(".p-code").inner_text(): number(row.locator("td.p-num a").first.inner_text())
        for row in rows.all()
    }


def test_the_statement_downloads_what_it_shows(opening: Opening) -> None:
    """Each line of the file is the line of the page, to the penny."""
    page = opening(f"/statement?{PERIOD}&queue=billing,orders")
    rows = download(page)
    filed = {row["name"]: Decimal(row["amount"]) for row in rows if row["section"] == "line"}
    assert shown_lines(page) == filed
    assert {row["filters"] for row in rows} == {"queue=billing,orders"}


def test_the_interface_answers_what_the_page_shows(opening: Opening) -> None:
    """The same keys at /api/statement give the same lines, in minor units."""
    page = opening(f"/statement?{PERIOD}")
    answer = page.request.get(page.url.replace("/statement", "/api/statement")).json()
    lines = {line["line"]: Decimal(line["amount_minor"]) / 100 for line in answer["lines"]}
    assert shown_lines(page) == lines


def test_the_contacts_file_holds_all_of_the_filter(opening: Opening) -> None:
    """The file has a row for each contact counted on the page, in the page's order."""
    page = opening(f"/contacts?{PERIOD}&queue=returns&sort=-credit")
    rows = download(page)
    assert len(rows) == int(page.locator("#p-find b").inner_text().replace(",", ""))
    listed = page.locator("#p-list tbody th").all_inner_texts()
    assert [row["contact_id"] for row in rows[: len(listed)]] == listed
    assert {row["queue"] for row in rows} == {"returns"}


def test_the_entries_file_adds_up_to_the_line(opening: Opening) -> None:
    """The amounts in the file of a line's entries sum to the line."""
    page = opening(f"/entries?{PERIOD}&line=A1b")
    rows = download(page)
    said = page.locator("#p-find b").nth(1).inner_text()
    assert sum(Decimal(row["amount"]) for row in rows) == number(said)


def test_a_key_that_is_not_understood_is_an_error_for_programs(opening: Opening) -> None:
    """Where nobody reads a notice, an unknown key is refused with a sentence."""
    page = opening("/")
    answer = page.request.get(page.url + "api/statement?colour=red")
    assert answer.status == 400
    assert "does not know: colour" in answer.json()["error"]


@pytest.mark.parametrize(
    ("ending", "start"), [("csv", b"day,chains"), ("xlsx", b"PK"), ("parquet", b"PAR1")]
)
def test_a_report_is_downloaded_in_every_format(
    opening: Opening, ending: str, start: bytes
) -> None:
    """The page's links give the page's own question as a file that is named after it."""
    page = opening("/reports/daily?period=2024-04&channel=chat")
    link = page.locator(f"#p-find a[href*='.{ending}']")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == f"daily_2024-04-01_2024-05-01_GBP.{ending}"
    assert Path(download.value.path()).read_bytes().startswith(start)


def test_programs_find_the_reports(opening: Opening, served: Served) -> None:
    """The API lists them, answers in JSON, and says what it cannot obey."""
    page = opening("/reports")
    listed = page.request.get(f"{served.address}/api/reports").json()
    assert "daily" in [each["name"] for each in listed]
    report = page.request.get(f"{served.address}/api/reports/daily?period=all").json()
    assert report["rows"][0]["day"] == "2024-03-01"
    statement = page.request.get(f"{served.address}/api/reports/statement?period=all").json()
    assert statement["rows"][0]["name"] == "A1a"
    for wrong in ("nosuch", "daily?set.n=1", "daily?by=team"):
        refused = page.request.get(f"{served.address}/api/reports/{wrong}")
        assert (refused.status, "error" in refused.json()) == (400, True)
