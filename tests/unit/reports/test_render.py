"""Reports as JSON, CSV and plain text: what programs and people may rely on."""

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from pnl.reports.render import (
    render_contact,
    render_contacts,
    render_order,
    render_statement,
)
from pnl.reports.render_csv import text_cell
from pnl.reports.render_table import period_text
from pnl.reports.table import Column, printable, table
from processors.results import AttributionRecord, ClassNet, Credit, PathContact
from tests.support.books import Books, at, chain, control, cost, day, order, sold, spread

MINUS = "\u2212"
JUNE = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))
EVIL = "=cmd|' /C calc'!A0"


def fill(books: Books) -> None:
    """Lay a small June with a queue that would be a formula."""
    books.lay(
        [
            chain("c1", "2024-06-02 10:00", queue="billing"),
            chain("c2", "2024-06-03 10:00", queue=EVIL),
        ],
        [
            sold("A1b", 901, "2024-06-03", queue="billing"),
            sold("A1b", 99, "2024-06-03", queue=EVIL, contact_id="c2"),
            control("net", -1000, "2024-06-03"),
            sold("A5", -100, "2024-06-04", queue="billing"),
            control("net", 100, "2024-06-04"),
            cost("C1", -250, "2024-06-02", queue="billing"),
            cost("unbooked", -5, "2024-06-03", kind="payroll"),
        ],
    )
    books.put(order("o1", "sale", 1000, "2024-06-03"), order("r1", "refund", -100, "2024-06-04"))
    books.as_of("2024-06-12 08:00")


def rows_of(text: str) -> list[dict[str, str]]:
    """Read CSV back."""
    return list(csv.DictReader(io.StringIO(text)))


def shape(value: Any) -> Any:
    """Return JSON with every value replaced by the name of its type, lists by their first."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_the_statement_in_json_keeps_its_contract(books: Books, reports: Reports) -> None:
    """Keys, types and order are what other programs were promised."""
    fill(books)
    found = json.loads(render_statement(reports.statement(JUNE, ("queue",)), "json"))
    lines, totals, memo = found.pop("lines"), found.pop("totals"), found.pop("memo")
    estimates = found.pop("estimates")
    assert found == {
        "report": "statement",
        "from": "2024-06-01",
        "to": "2024-07-01",
        "timezone": "Europe/London",
        "currency": "GBP",
        "as_of": "2024-06-12T08:00:00Z",
        "by": ["queue"],
        "filters": {},
        "view": "restated",
        "closed_at": None,
        "memo_scope": "company",
        "reconciliation": {
            "orders_minor": 1000,
            "refunds_minor": -100,
            "adjustments_minor": 0,
            "net_minor": 900,
        },
        "bridge": {
            "a_minor": 900,
            "fees_minor": 0,
            "deferred_minor": 0,
            "unattributed_minor": 0,
            "adjustments_minor": 0,
            "net_minor": 900,
        },
        "unbooked": [{"kind": "payroll", "amount_minor": -5}],
        "payroll": None,
    }
    assert [each["line"] for each in estimates] == ["D1", "D2", "D"]
    assert [each["amount_minor"] for each in estimates] == [None] * 3
    assert [each["line"] for each in lines] == [
        *("A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5"),
        *("B", "C1", "C2", "C3", "C4", "C5", "C6", "C7"),
    ]
    assert lines[1] == {
        "line": "A1b",
        "title": "Post-contact attributed sales",
        "basis": "booked",
        "amount_minor": 1000,
        "controllable": True,
        "note": None,
        "groups": [
            {"key": {"queue": EVIL}, "amount_minor": 99},
            {"key": {"queue": "billing"}, "amount_minor": 901},
        ],
    }
    assert totals == [
        {"total": "A", "amount_minor": 900},
        {"total": "B", "amount_minor": 0},
        {"total": "C", "amount_minor": -250},
        {"total": "booked_result", "amount_minor": 650},
    ]
    assert memo == [
        {"memo": "M1", "amount_minor": 0},
        {"memo": "M2", "amount_minor": 900},
        {"memo": "M3", "ppm": 1_000_000},
        {"memo": "M4", "count": None},
        {"memo": "M5", "amount_minor": 0},
        {"memo": "M6", "ppm": 0},
        {"memo": "M7", "ppm": 0},
        {"memo": "M8", "amount_minor": 0},
        {"memo": "M9", "amount_minor": 0},
    ]


def test_lines_have_groups_only_if_they_were_asked_for(reports: Reports) -> None:
    """Without `--by` the key is absent; ranges without limits are null."""
    found = json.loads(render_statement(reports.statement(Scope(currency="GBP")), "json"))
    assert all("groups" not in line for line in found["lines"])
    assert (found["from"], found["to"], found["as_of"]) == (None, None, None)


def test_contacts_in_json_keep_their_contract(books: Books, reports: Reports) -> None:
    """A row has a key, counts, amounts and shares, and nothing else."""
    fill(books)
    report = reports.contacts(Scope(currency="GBP", queue=("billing",)), ("queue", "agent"))
    found = json.loads(render_contacts(report, "json"))
    assert found["rows"] == [
        {
            "key": {"queue": "billing", "agent": None},
            "handled": 1,
            "abandoned": 0,
            "net_credit_minor": 801,
            "fee_minor": 0,
            "cost_minor": -250,
            "revenue_per_contact_minor": 801,
            "matured_ppm": 0,
        }
    ]
    assert found["filters"] == {"queue": ["billing"]}
    assert set(found) == {
        *("report", "from", "to", "timezone", "currency", "as_of", "by", "filters"),
        *("rows", "total", "next_cursor"),
    }


def explained(books: Books) -> None:
    """Lay an order with a credit, a term that was cut, and its contact."""
    lookback = 30 * 86_400_000
    books.put(
        chain("c1", "2024-06-02 10:00"),
        AttributionRecord(
            order_id="o1", customer_id="k", currency="GBP", occurred_at=at("2024-06-03 12:00"),
            gross_minor=1000, net_minor=900, unattributed_minor=0, model="last", revision=2,
            credits=(
                Credit(
                    product_class="product", line="A1b", credit_minor=900, weight=1,
                    contact_id="c1",
                ),
            ),
            classes=(
                ClassNet(
                    product_class="product", gross_minor=1000, net_minor=900, lookback_ms=lookback
                ),
            ),
            path=(PathContact(contact_id="c1", ended_at=at("2024-06-02 10:00"), handle_ms=1000),),
        ),
    )  # fmt: skip
    books.book(
        sold("A1b", 900, "2024-06-03 12:00"),
        spread("A3", -45, "2024-06-10", "2024-06-01", "2024-06-11", cut=day("2024-06-06"),
               spread_minor=-90),
        booked_at="2024-06-04",
    )  # fmt: skip


def test_an_explained_order_in_json_keeps_its_contract(books: Books, reports: Reports) -> None:
    """From the number to the record in the log; term and cut only where there are any."""
    explained(books)
    order = reports.explain_order("o1")
    assert order is not None
    found = json.loads(render_order(order, "json", "Europe/London"))
    promised = {
        *("order_id", "currency", "gross_minor", "net_minor", "unattributed_minor", "model"),
        *("revision", "credits", "entries"),
    }
    assert promised <= set(found)
    assert found["credits"] == [
        {
            "contact_id": "c1",
            "case_id": None,
            "product_class": "product",
            "line": "A1b",
            "weight": 1,
            "credit_minor": 900,
        }
    ]
    plain, cut = found["entries"]
    assert not {"term", "cut", "spread_minor"} & set(plain)
    assert plain["effective_at"] == "2024-06-03T12:00:00Z"
    assert plain["booked_at"] == "2024-06-04T00:00:00Z"
    assert plain["cause"] == {"fact": "order", "id": "o1", "revision": 0}
    assert plain["source"] == {"topic": "orders", "partition": 2, "offset": 70}
    assert cut["term"] == {"from": "2024-06-01", "to": "2024-06-11"}
    assert (cut["cut"], cut["spread_minor"], cut["amount_minor"]) == ("2024-06-06", -90, -45)


def test_an_explained_contact_in_json_has_orders_and_entries(
    books: Books, reports: Reports
) -> None:
    """Its money is in the currency that was asked for, its entries in their own."""
    explained(books)
    contact = reports.explain_contact("c1")
    assert contact is not None
    found = json.loads(render_contact(contact, "json", "GBP", "Europe/London"))
    assert (found["net_credit_minor"], found["currency"]) == (900, "GBP")
    assert shape(found["orders"]) == [
        {
            "order_id": "str",
            "occurred_at": "str",
            "currency": "str",
            "product_class": "str",
            "line": "str",
            "weight": "int",
            "credit_minor": "int",
        }
    ]
    assert [entry["line"] for entry in found["entries"]] == ["A1b"]


def test_a_csv_says_in_every_row_what_it_is_about(books: Books, reports: Reports) -> None:
    """Zone, currency, range, as of and filters are columns; money is a decimal string."""
    fill(books)
    scope = Scope(currency="GBP", start=JUNE.start, end=JUNE.end, queue=("billing",))
    rows = rows_of(render_statement(reports.statement(scope), "csv"))
    for row in rows:
        assert (row["currency"], row["timezone"]) == ("GBP", "Europe/London")
        assert (row["from"], row["to"]) == ("2024-06-01", "2024-07-01")
        assert (row["as_of"], row["filters"]) == ("2024-06-12T08:00:00Z", "queue=billing")
    by_name = {(row["section"], row["name"]): row for row in rows}
    assert by_name["line", "C1"]["amount"] == "-2.50"
    assert by_name["total", "booked_result"]["amount"] == "5.51"
    assert by_name["memo", "M3"]["ppm"] == "1000000"
    assert by_name["memo", "M4"]["count"] == ""
    assert by_name["reconciliation", "net"]["amount"] == "9.00"
    assert by_name["unbooked", "payroll"]["amount"] == "-0.05"


def test_the_lines_of_a_csv_add_up_to_its_totals(books: Books, reports: Reports) -> None:
    """Groups have a section of their own, so nothing is counted twice."""
    fill(books)
    rows = rows_of(render_statement(reports.statement(JUNE, ("queue",)), "csv"))
    pence = {
        section: sum(round(float(row["amount"]) * 100) for row in rows if row["section"] == section)
        for section in ("line", "group")
    }
    assert pence == {"line": 650, "group": 650}


def test_no_cell_is_a_formula(books: Books, reports: Reports) -> None:
    """Text that a spreadsheet would run is quoted, in cells and in filters."""
    fill(books)
    scope = Scope(currency="GBP", queue=(EVIL,))
    rows = rows_of(render_contacts(reports.contacts(scope, ("queue",)), "csv"))
    assert [row["queue"] for row in rows] == ["'" + EVIL]
    rows = rows_of(render_statement(reports.statement(scope, ("queue",)), "csv"))
    assert {row["queue"] for row in rows} == {"", "'" + EVIL}


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_every_start_of_a_formula_is_quoted(text: str) -> None:
    """An apostrophe makes it text; other text stays as it is."""
    assert text_cell(text) == "'" + text
    assert text_cell("x" + text) == "x" + text


def test_the_statement_as_a_table_shows_what_it_covers(books: Books, reports: Reports) -> None:
    """Range, zone, currency and as of stand above; a true minus before costs."""
    fill(books)
    text = render_statement(reports.statement(JUNE, ("queue",)), "table")
    lines = text.splitlines()
    assert lines[0] == "Statement, provisional"
    assert lines[1] == (
        "1 Jun 2024 to 1 Jul 2024 (not included) · Europe/London · GBP"
        " · as of 2024-06-12 09:00:00 BST"
    )
    cells = {line.split()[0]: line.split()[-1] for line in lines if line.split()}
    assert cells["C1"] == MINUS + "2.50"
    assert cells["A"] == "9.00"
    assert cells["M4"] == "null"
    assert cells["payroll"] == MINUS + "0.05"
    assert "C2    Idle and shrinkage (no shifts are booked)" in text


def test_a_table_of_contacts_ends_with_all_of_them(books: Books, reports: Reports) -> None:
    """The total stands under a rule; more rows than a page are announced."""
    fill(books)
    lines = render_contacts(reports.contacts(JUNE, ("contact",), rows=1), "table").splitlines()
    assert lines[0] == "Revenue per handled contact (GBP; per contact: of all handled contacts)"
    assert lines[-3].split()[:3] == ["all", "2", "0"]
    assert lines[-1].startswith("There are more rows than these")


def test_explanations_as_tables_name_cause_and_source(books: Books, reports: Reports) -> None:
    """Every entry says which fact made us book it and where that record lies."""
    explained(books)
    order, contact = reports.explain_order("o1"), reports.explain_contact("c1")
    assert order is not None
    assert contact is not None
    text = render_order(order, "table", "Europe/London")
    assert "Model         last (booked), revision 2" in text
    assert "order o1 r0  orders/2@70" in text
    assert "2024-06-01..2024-06-11 cut 2024-06-06" in text
    text = render_contact(contact, "table", "GBP", "Europe/London")
    assert "Net credit GBP  9.00" in text
    assert "orders/2@70" in text


def test_a_range_is_said_in_words() -> None:
    """The end is the day that is not included, and says so."""
    start, end = date(2024, 6, 1), date(2024, 7, 1)
    assert period_text(Scope(currency="GBP")) == "all time"
    assert period_text(Scope(currency="GBP", start=start)) == "from 1 Jun 2024"
    assert period_text(Scope(currency="GBP", end=end)) == "up to 1 Jul 2024 (not included)"


def test_a_name_cannot_move_the_cursor_of_a_terminal() -> None:
    """Control characters are shown, and columns still line up."""
    assert printable("a\x1b[2Jb\n") == "a\\u001b[2Jb\\u000a"
    shown = table([Column("x"), Column("y", "right")], [("\x07", "1"), ("a", "22")])
    assert shown.splitlines()[2:] == ["\\u0007   1", "a       22"]


def keys_of(value: Any) -> set[str]:
    """Return every key of JSON, at any depth, but those under `key` and `filters`."""
    if isinstance(value, list):
        return set().union(*(keys_of(each) for each in value))
    if not isinstance(value, dict):
        return set()
    inner = (each for key, each in value.items() if key not in ("key", "filters"))
    return set(value).union(*(keys_of(each) for each in inner))


def test_every_key_is_documented(books: Books, reports: Reports) -> None:
    """The page about reports names each key that a program can meet."""
    fill(books)
    explained(books)
    page = (Path(__file__).parents[3] / "docs" / "reports.md").read_text()
    order, contact = reports.explain_order("o1"), reports.explain_contact("c1")
    assert order is not None
    assert contact is not None
    for text in (
        render_statement(reports.statement(JUNE, ("queue",)), "json"),
        render_contacts(reports.contacts(JUNE, ("queue",)), "json"),
        render_order(order, "json", "Europe/London"),
        render_contact(contact, "json", "GBP", "Europe/London"),
    ):
        missing = {key for key in keys_of(json.loads(text)) if f"`{key}" not in page}
        assert not missing
