"""Reports that are sheets: what every one of them keeps, in every format."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import jsonschema
import pyarrow.parquet as pq
import pytest

from pnl.report_contracts import check
from pnl.reports.as_sheets import contacts_sheet, statement_sheet
from pnl.reports.catalogue import CATALOGUE, sheet_report
from pnl.reports.definitions import COMMON, definition_of
from pnl.reports.model import BadRequest, Scope
from pnl.reports.queries import Reports
from pnl.reports.render import render_definitions, render_sheet
from pnl.reports.sheet import Asking, Sheet, SheetColumn, SheetReport
from pnl.reports.sheet_json import schema
from pnl.reports.sheet_parquet import METADATA, parquet
from pnl.reports.sheet_text import number_text
from pnl.reports.sheet_xlsx import workbook
from processors.policy import Policy
from sinks.store import Store
from tests.support.books import Books, at, chain, sold
from tests.unit.pnl.program import ROOT

EVIL = "=cmd|' /C calc'!A0"
JUNE = Scope(currency="JPY", start=date(2024, 6, 1), end=date(2024, 7, 1), queue=("a", ""))
COLUMNS = (
    SheetColumn("queue", "Queue", "text"),
    SheetColumn("credit_minor", "Credit", "amount_minor", "DEF-OURS", "estimated"),
    SheetColumn("credit_minor_low", "from", "amount_minor", "DEF-OURS"),
    SheetColumn("credit_minor_high", "to", "amount_minor", "DEF-OURS"),
    SheetColumn("share_ppm", "Share", "ppm"),
    SheetColumn("handle_ms", "Handle", "ms"),
    SheetColumn("day", "Day", "date"),
    SheetColumn("seen_at", "Seen", "time"),
    SheetColumn("ratio", "Ratio", "number"),
)


def make(asking: Asking) -> Sheet:
    """Make a sheet with a cell of every kind."""
    rows = [
        (EVIL, 12345, 12000, 12700, 543210, 61_000, date(2024, 6, 3), at("2024-06-03 10:00"), -1.5),
        ("", None, None, None, None, None, None, None, None),
    ]
    return asking.sheet(
        "ours", "Ours", COLUMNS, rows, notes=("Shares need 30.",), label="association"
    )


OURS = SheetReport(
    name="ours",
    title="Ours",
    summary="What is ours.",
    make=make,
    dimensions=("queue",),
    options={"model": "markov or shapley [markov]"},
    definitions={"DEF-OURS": "What we define."},
)


def ask(store: Store, scope: Scope = JUNE, **options: str) -> Sheet:
    """Ask our report by queue."""
    asking = Asking(
        store=store,
        policy=Policy(),
        as_of=at("2024-06-12 08:00"),
        scope=scope,
        by=("queue",),
        options=options,
    )
    return OURS.asked(asking)


def test_a_table_shows_intervals_shares_and_unknowns(store: Store) -> None:
    """Amounts have their currency's decimals, an interval stands beside its estimate."""
    shown = render_sheet(ask(store, model="markov"), OURS, "table")
    head, about, only, options = shown.splitlines()[:4]
    assert head == "Ours (association)"
    assert "1 Jun 2024 to 1 Jul 2024 (not included), Europe/London, JPY" in about
    assert about.endswith("provisional")
    assert (only, options) == ("only queue=a,", "with model=markov")
    (evil,) = (line for line in shown.splitlines() if line.startswith(EVIL))
    assert "12,345  12,000 … 12,700" in evil
    assert "54.32\N{NO-BREAK SPACE}%" in evil
    assert "1:01  2024-06-03  2024-06-03 11:00:00 BST" in evil
    (none,) = (line for line in shown.splitlines() if line.startswith("(none)"))
    assert set(none.removeprefix("(none)").split()) == {"-"}
    assert shown.endswith("Shares need 30.")


def test_json_gives_rows_as_objects(store: Store) -> None:
    """Amounts are minor units, times RFC 3339, and what is not known is null."""
    found = json.loads(render_sheet(ask(store), OURS, "json"))
    assert found["rows"][0] == {
        "queue": EVIL,
        "credit_minor": 12345,
        "credit_minor_low": 12000,
        "credit_minor_high": 12700,
        "share_ppm": 543210,
        "handle_ms": 61000,
        "day": "2024-06-03",
        "seen_at": "2024-06-03T10:00:00Z",
        "ratio": -1.5,
    }
    assert set(found["rows"][1].values()) == {None}
    assert found["columns"][1]["meaning"] == "What we define."
    assert (found["provisional"], found["filters"]) == (True, {"queue": ["a", ""]})


def test_csv_is_in_major_units_and_safe(store: Store) -> None:
    """A formula is quoted, a yen has no decimals, and every row says what it is about."""
    sheet = replace(ask(store), scope=Scope(currency="KWD"))
    first, second = csv.DictReader(io.StringIO(render_sheet(sheet, OURS, "csv")))
    assert first["queue"] == "'" + EVIL
    assert (first["credit"], first["credit_low"], first["currency"]) == ("12.345", "12.000", "KWD")
    assert second["credit"] == ""


def test_definitions_are_one_flag_away(store: Store) -> None:
    """Each column is explained, in words and as JSON."""
    text = render_definitions(ask(store), OURS, "table")
    assert "credit_minor: Credit (amount_minor, estimated, DEF-OURS)\n  What we define." in text
    found = json.loads(render_definitions(ask(store), OURS, "json"))
    assert [column["name"] for column in found["columns"]] == [c.name for c in COLUMNS]


@pytest.mark.parametrize(
    ("scope", "by", "options", "said"),
    [
        (JUNE, ("team",), {}, "--by of ours takes queue; not 'team'."),
        (JUNE, ("queue", "queue"), {}, "twice"),
        (JUNE, (), {"n": "1"}, "ours has no option 'n'; its options: model."),
        (replace(JUNE, team=("x",)), (), {}, "can be filtered by queue; not by team"),
    ],
)
def test_what_a_report_cannot_obey_is_refused(
    store: Store, scope: Scope, by: tuple[str, ...], options: dict[str, str], said: str
) -> None:
    """The sentence lists what there is."""
    asking = Asking(store=store, policy=Policy(), as_of=None, scope=scope, by=by, options=options)
    with pytest.raises(BadRequest, match=said):
        OURS.asked(asking)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_report_answers_from_empty_books(reports: Reports, name: str) -> None:
    """No report needs data to say what it would show, and all its columns are defined."""
    report = CATALOGUE[name]
    sheet = reports.sheet(name, Scope(currency="GBP"))
    assert sheet.report == name
    assert sheet.provisional
    undefined = [c.name for c in sheet.columns if c.definition and not definition_of(report, c)]
    assert undefined == []
    assert all(column.definition for column in sheet.columns if column.unit == "amount_minor")


def test_an_id_means_one_thing() -> None:
    """No two reports explain the same id in different words."""
    meanings = dict(COMMON)
    for name in CATALOGUE:
        for key, text in CATALOGUE[name].definitions.items():
            assert meanings.setdefault(key, text) == text, key


def test_a_report_that_is_not_there_is_named(reports: Reports) -> None:
    """The sentence lists all there are."""
    with pytest.raises(BadRequest, match="no report 'nosuch'; there are statement, contacts"):
        reports.sheet("nosuch", Scope(currency="GBP"))
    assert sheet_report("daily").name == "daily"


def test_the_days_are_cohorts(books: Books, reports: Reports) -> None:
    """A row per local day; without 30 chains there is no interval."""
    books.lay([chain("c1", "2024-06-02 23:30"), chain("c2", "2024-06-04 10:00")], [])
    sheet = reports.sheet("daily", Scope(currency="GBP"))
    assert [row[0] for row in sheet.rows] == [date(2024, 6, 3), date(2024, 6, 4)]
    assert all(row[7:9] == (None, None) for row in sheet.rows)


def test_a_number_shows_what_matters() -> None:
    """Four digits, the true minus, thousands grouped."""
    assert [number_text(x) for x in (1.23456, -0.5, 12345.6)] == [
        "1.235",
        "\N{MINUS SIGN}0.5",
        "12,346",
    ]


def test_a_workbook_takes_nothing_for_a_formula(store: Store) -> None:
    """Text is text, amounts are exact numbers, long ones text; the head says what it is about."""
    sheet = ask(store)
    big = (*sheet.rows[0][:1], 10**15, *sheet.rows[0][2:])
    content = workbook(replace(sheet, rows=(*sheet.rows, big)), OURS)
    assert content == workbook(replace(sheet, rows=(*sheet.rows, big)), OURS)
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        texts = parts.read("xl/sharedStrings.xml").decode()
        table = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in table
    assert "<v>12345</v>" in table
    for said in ("=cmd|", "1000000000000000", "Europe/London", "provisional", "What we define."):
        assert said in texts
    assert "only queue" in texts


def test_parquet_has_types_and_says_what_it_is_about(store: Store) -> None:
    """Amounts are decimals of the currency's digits, times are instants, unknown is null."""
    scope = Scope(currency="KWD")
    table = pq.read_table(io.BytesIO(parquet(replace(ask(store), scope=scope), OURS)))
    first, second = table.to_pylist()
    assert first["credit"] == Decimal("12.345")
    assert first["seen_at"] == datetime(2024, 6, 3, 10, tzinfo=UTC)
    assert set(second.values()) == {"", None}
    assert json.loads(table.schema.metadata[METADATA])["currency"] == "KWD"


def test_statement_and_contacts_have_every_format(books: Books, reports: Reports) -> None:
    """What has a shape of its own is a table too, with the same figures."""
    books.lay([chain("c1", "2024-06-02 10:00")], [sold("A1b", 901, "2024-06-03")])
    june = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))
    statement = statement_sheet(reports.statement(june, ("queue",)))
    rows = pq.read_table(io.BytesIO(parquet(statement))).to_pylist()
    assert [row["amount"] for row in rows if row["name"] == "A1b"] == [Decimal("9.01")] * 2
    sections = {"line", "group", "total", "estimate", "memo", "reconciliation"}
    assert {row["section"] for row in rows} == sections
    listed = contacts_sheet(reports.contacts(june, ("queue",)))
    assert listed.rows[0][:3] == ("billing", 1, 0)
    assert workbook(listed)


def test_published_contracts_are_what_the_code_says(reports: Reports) -> None:
    """The schemas and the page of definitions are written from the catalogue."""
    assert check(ROOT / "docs/contracts/reports", reports) == []


def test_an_answer_keeps_its_schema(store: Store) -> None:
    """What is printed as JSON is what the schema promises."""
    sheet = ask(store)
    found = json.loads(render_sheet(sheet, OURS, "json"))
    assert list(schema(OURS, sheet)["properties"]) == list(found)
    jsonschema.validate(found, schema(OURS, sheet))
