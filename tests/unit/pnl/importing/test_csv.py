"""CSV by a map: what a cell means, and what a reader of an error needs to know."""

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pnl.importing import ImportProblem, Reading, Row, load_map, read

MAP = """
topic = "orders"
[constants]
currency = "GBP"
kind = "sale"
[columns]
event_id = "no"
order_id = "no"
customer_id = "who"
occurred_at = "when"
[times]
timezone = "Europe/London"
[line]
line_id = "1"
product_class = "product"
[line.columns]
amount_minor = "pence"
"""
HEADER = "no,who,when,pence\n"


def reading(folder: Path, rows: str | bytes, rules: str = MAP, name: str = "in.csv") -> Reading:
    """Open a CSV file of these rows, header included, by a map."""
    (folder / "map.toml").write_text(rules)
    content = rows.encode() if isinstance(rows, str) else rows
    (folder / name).write_bytes(content)
    return read("orders", folder / name, rules=load_map(folder / "map.toml"))


def records(folder: Path, rows: str, rules: str = MAP) -> list[dict[str, Any]]:
    """Return what good rows become; a bad one fails the test with its reason."""
    found = list(reading(folder, rows, rules))
    assert [row.reason for row in found if row.reason] == []
    return [json.loads(row.value) for row in found]


def bad(folder: Path, rows: str | bytes, rules: str = MAP) -> Row:
    """Return the only bad row."""
    (row,) = [row for row in reading(folder, rows, rules) if row.reason]
    return row


def test_a_row_becomes_one_order_with_one_line(tmp_path: Path) -> None:
    """Columns, constants and the parts of the line end up where the contract has them."""
    assert records(tmp_path, HEADER + "7,ann,2024-01-02 03:04:05,1290\n") == [
        {
            "currency": "GBP",
            "kind": "sale",
            "event_id": "7",
            "order_id": "7",
            "customer_id": "ann",
            "occurred_at": "2024-01-02T03:04:05.000Z",
            "lines": [{"line_id": "1", "product_class": "product", "amount_minor": 1290}],
        }
    ]


def test_an_empty_cell_means_that_the_field_is_not_there(tmp_path: Path) -> None:
    """So an order without a customer is keyed by its own number."""
    (row,) = reading(tmp_path, HEADER + "7, ,2024-01-02,1\n")
    assert "customer_id" not in json.loads(row.value)
    assert row.key == b"7"


def test_texts_that_stand_for_nothing_are_nothing(tmp_path: Path) -> None:
    """`absent` names them."""
    rules = 'absent = ["NULL"]\n' + MAP
    (record,) = records(tmp_path, HEADER + "7,NULL,2024-01-02,1\n", rules)
    assert "customer_id" not in record


def test_blanks_around_a_cell_do_not_make_another_customer(tmp_path: Path) -> None:
    """They are dropped, in the header too."""
    rows = "no , who,when,pence\n7, ann ,2024-01-02,1\n"
    assert records(tmp_path, rows)[0]["customer_id"] == "ann"


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2010-03-28 00:59:59", "2010-03-28T00:59:59.000Z"),
        ("2010-03-28 01:30:00", "2010-03-28T01:30:00.000Z"),  # did not happen: shifted
        ("2010-03-28 02:30:00", "2010-03-28T01:30:00.000Z"),
        ("2010-10-31 01:30:00", "2010-10-31T00:30:00.000Z"),  # happened twice: the earlier
        ("2010-10-31 02:00:00", "2010-10-31T02:00:00.000Z"),
        ("2010-07-01T12:00:00.123999", "2010-07-01T11:00:00.123Z"),
        ("2010-07-01T12:00:00+05:30", "2010-07-01T06:30:00.000Z"),
        ("2010-07-01", "2010-06-30T23:00:00.000Z"),
    ],
)
def test_local_times_follow_the_zone(tmp_path: Path, local: str, utc: str) -> None:
    """Changes of the clock are read by the stated rule, offsets as they stand."""
    assert records(tmp_path, HEADER + f"7,ann,{local},1\n")[0]["occurred_at"] == utc


def test_the_second_of_two_equal_hours_can_be_chosen(tmp_path: Path) -> None:
    """`ambiguous = "later"`."""
    rules = MAP.replace("[times]", '[times]\nambiguous = "later"')
    (record,) = records(tmp_path, HEADER + "7,ann,2010-10-31 01:30:00,1\n", rules)
    assert record["occurred_at"] == "2010-10-31T01:30:00.000Z"


@pytest.mark.parametrize(
    ("key", "local", "says"),
    [
        ("ambiguous", "2010-10-31 01:30:00", "happened twice in Europe/London"),
        ("missing", "2010-03-28 01:30:00", "did not happen in Europe/London"),
    ],
)
def test_a_doubtful_hour_can_be_refused(tmp_path: Path, key: str, local: str, says: str) -> None:
    """`"error"` makes its row a dead letter that says why."""
    rules = MAP.replace("[times]", f'[times]\n{key} = "error"')
    assert says in bad(tmp_path, HEADER + f"7,ann,{local},1\n", rules).reason


@pytest.mark.parametrize(
    ("form", "cell", "utc"),
    [
        ("%d/%m/%Y %H:%M", "02/07/2024 12:00", "2024-07-02T11:00:00.000Z"),
        ("epoch_s", "1704164645.5", "2024-01-02T03:04:05.500Z"),
        ("epoch_ms", "1704164645999", "2024-01-02T03:04:05.999Z"),
    ],
)
def test_times_can_be_written_in_other_ways(tmp_path: Path, form: str, cell: str, utc: str) -> None:
    """A pattern, or seconds or milliseconds since 1970."""
    rules = MAP.replace("[times]", f'[times]\nformat = "{form}"')
    assert records(tmp_path, HEADER + f"7,ann,{cell},1\n", rules)[0]["occurred_at"] == utc


@pytest.mark.parametrize(
    ("currency", "cell", "amount_minor"),
    [
        ("GBP", "505.30", 50530),
        ("GBP", "-0.005", 0),  # half to even
        ("GBP", "0.015", 2),
        ("GBP", "0.025", 2),
        ("JPY", "505", 505),
        ("KWD", "1.2345", 1234),
        ("GBP", "123456789012.34", 12_345_678_901_234),
    ],
)
def test_major_units_follow_the_currency(
    tmp_path: Path, currency: str, cell: str, amount_minor: int
) -> None:
    """Multiplied by the currency's exponent, rounded half-even."""
    rules = MAP.replace('"GBP"', f'"{currency}"') + '[amounts]\nunit = "major"\n'
    (record,) = records(tmp_path, HEADER + f"7,ann,2024-01-02,{cell}\n", rules)
    assert record["lines"][0]["amount_minor"] == amount_minor


def test_what_rounding_takes_away_is_counted(tmp_path: Path) -> None:
    """Two amounts were finer than a penny: +0.5 and -0.1 pence were dropped."""
    rules = MAP + '[amounts]\nunit = "major"\n'
    rows = HEADER + "1,a,2024-01-02,0.025\n2,a,2024-01-02,0.019\n3,a,2024-01-02,1.00\n"
    opened = reading(tmp_path, rows, rules)
    assert [json.loads(row.value)["lines"][0]["amount_minor"] for row in opened] == [2, 2, 100]
    assert opened.rounding.amounts == 2
    assert str(opened.rounding.residue_minor["GBP"]) == "0.4"


def test_a_comma_can_be_the_decimal_sign(tmp_path: Path) -> None:
    """And a semicolon the delimiter, as spreadsheets write them."""
    rules = 'delimiter = ";"\n' + MAP + '[amounts]\nunit = "major"\ndecimal = ","\n'
    rows = HEADER.replace(",", ";") + "7;ann;2024-01-02;1290,50\n"
    assert records(tmp_path, rows, rules)[0]["lines"][0]["amount_minor"] == 129_050


def test_refunds_change_sign_and_other_kinds_do_not(tmp_path: Path) -> None:
    """The contract wants magnitudes; a refund that is positive becomes negative."""
    rules = MAP.replace('kind = "sale"\n', "").replace('who"', 'who"\nkind = "kind"')
    rules += '[amounts]\nnegate = ["refund"]\n[values.kind]\nr = "refund"\na = "adjustment"\n'
    rows = "no,who,when,pence,kind\n1,a,2024-01-02,-5,r\n2,a,2024-01-02,7,r\n3,a,2024-01-02,-9,a\n"
    found = [(r["kind"], r["lines"][0]["amount_minor"]) for r in records(tmp_path, rows, rules)]
    assert found == [("refund", 5), ("refund", -7), ("adjustment", -9)]


def test_prefixes_keep_two_sources_apart(tmp_path: Path) -> None:
    """They stand before the id, and the key is made of what was sent."""
    rules = MAP + '[prefixes]\ncustomer_id = "shop-"\nevent_id = "e-"\n'
    (row,) = reading(tmp_path, HEADER + "7,ann,2024-01-02,1\n", rules)
    assert row.key == b"shop-ann"
    assert json.loads(row.value)["event_id"] == "e-7"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("7,ann,2024-01-02,12x", "column 'pence' (line.columns.amount_minor): '12x' is not a"),
        ("7,ann,2024-01-02,12.5", "column 'pence' (line.columns.amount_minor): '12.5' is not"),
        ("7,ann,2024-13-02,12", "column 'when' (columns.occurred_at): '2024-13-02' is not a time"),
        ("7,ann,0001-01-01,12", "column 'when' (columns.occurred_at): '0001-01-01' is not within"),
        ("7,ann,2024-01-02", "3 cells, but the header has 4"),
        ("7,ann,2024-01-02,1,2", "5 cells, but the header has 4"),
        (",ann,2024-01-02,1", "missing required field `event_id`"),
        ("7,ann,2024-01-02,99999999999999999999", "lines"),
        ("7," + "x" * 200_000 + ",2024-01-02,1", "field larger than field limit"),
    ],
)
def test_a_bad_row_names_file_line_and_column(tmp_path: Path, row: str, says: str) -> None:
    """And the rows around it are imported."""
    rows = HEADER + "1,a,2024-01-02,1\n" + row + "\n2,a,2024-01-02,1\n"
    found = list(reading(tmp_path, rows))
    assert [bool(each.reason) for each in found] == [False, True, False]
    assert found[1].reason.startswith(f"{tmp_path / 'in.csv'}: line 3")
    assert says in found[1].reason
    assert found[1].line == 3


def test_a_bad_row_is_kept_as_the_file_holds_it(tmp_path: Path) -> None:
    """It is keyed by the SHA-256 of its bytes, so that it ends as a dead letter."""
    row = bad(tmp_path, HEADER + '7,"a\nb",2024-01-02,x\r\n')
    assert row.value == b'7,"a\nb",2024-01-02,x'
    assert row.key == hashlib.sha256(row.value).hexdigest().encode()
    assert row.line == 2


def test_bytes_that_are_no_text_spoil_their_row_only(tmp_path: Path) -> None:
    """The row says that it is not in the encoding, and keeps its bytes."""
    content = HEADER.encode() + b"7,\xff,2024-01-02,1\n8,a,2024-01-02,1\n"
    rows = list(reading(tmp_path, content))
    assert [row.reason.endswith("not in its encoding") for row in rows] == [True, False]
    assert rows[0].value == b"7,\xff,2024-01-02,1"


def test_another_encoding_is_read_when_the_map_says_so(tmp_path: Path) -> None:
    """Names with accents survive."""
    rules = 'encoding = "latin-1"\n' + MAP
    (row,) = reading(tmp_path, HEADER.encode() + b"7,Ren\xe9,2024-01-02,1\n", rules)
    assert row.key == "René".encode()


def test_byte_order_mark_quotes_and_empty_lines_are_no_obstacle(tmp_path: Path) -> None:
    """A spreadsheet's file reads as it looks."""
    content = b"\xef\xbb\xbf" + HEADER.encode() + b'\r\n"7","ann","2024-01-02","1"\r\n\r\n'
    (row,) = reading(tmp_path, content)
    assert (row.reason, row.key, row.line) == ("", b"ann", 3)


def test_a_gzipped_file_is_the_same_file(tmp_path: Path) -> None:
    """And its progress is told in bytes on disk."""
    content = gzip.compress((HEADER + "7,ann,2024-01-02,1\n").encode())
    opened = reading(tmp_path, content, name="in.csv.gz")
    assert [row.key for row in opened] == [b"ann"]
    assert opened.position_bytes == opened.size_bytes == len(content)


def test_a_file_cut_off_is_named(tmp_path: Path) -> None:
    """Half of a gzip file is no success."""
    whole = gzip.compress((HEADER + "7,ann,2024-01-02,1\n" * 5000).encode())
    with pytest.raises(ImportProblem, match=r"in\.csv\.gz: damaged or cut off gzip file"):
        list(reading(tmp_path, whole[: len(whole) // 2], name="in.csv.gz"))


def test_standard_input_is_csv_when_a_map_is_given(tmp_path: Path) -> None:
    """`-` with a map; the place in errors is standard input."""
    (tmp_path / "map.toml").write_text(MAP)
    rules = load_map(tmp_path / "map.toml")
    stdin = io.BytesIO((HEADER + "7,ann,2024-01-02,1\n8,ann,never,1\n").encode())
    opened = read("orders", Path("-"), rules=rules, stdin=stdin)
    assert [row.reason[:22] for row in opened] == ["", "standard input: line 3"]
    assert opened.position_bytes is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1: there is no header"),
        ("no,who,pence\n", r"column 'when' \(.*map.toml: columns.occurred_at\) is not in the"),
        ("no,who,when,when,pence\n", r"column 'when' \(.*\) is twice in the header"),
    ],
)
def test_a_header_that_does_not_fit_the_map_is_refused(
    tmp_path: Path, content: str, says: str
) -> None:
    """Before anything is imported."""
    with pytest.raises(ImportProblem, match=says):
        reading(tmp_path, content)


def test_a_contact_file_reads_flags_durations_and_a_fee(tmp_path: Path) -> None:
    """Seconds become milliseconds, yes and no become true and false, a fee is a part."""
    (tmp_path / "map.toml").write_text("""
        topic = "contacts"
        [constants]
        channel = "voice"
        direction = "inbound"
        kind = "service"
        hold_ms = 0
        wrap_ms = 0
        [columns]
        event_id = "id"
        contact_id = "id"
        queue = "queue"
        started_at = "start"
        ended_at = "end"
        talk_ms = "talk"
        wait_ms = "wait"
        abandoned = "left"
        fee.tariff = "tariff"
        [times]
        timezone = "UTC"
        [durations]
        unit = "s"
    """)
    (tmp_path / "c.csv").write_text(
        "id,queue,start,end,talk,wait,left,tariff\n"
        "k1,q,2024-01-01 10:00:00,2024-01-01 10:05:00,240.5,10,No,paid\n"
        "k2,q,2024-01-01 10:00:00,2024-01-01 10:05:00,0,300,perhaps,\n"
    )
    good, bad_row = read("contacts", tmp_path / "c.csv", rules=load_map(tmp_path / "map.toml"))
    record = json.loads(good.value)
    assert (record["talk_ms"], record["wait_ms"], record["abandoned"]) == (240_500, 10_000, False)
    assert record["fee"] == {"tariff": "paid"}
    assert "line 3, column 'left' (columns.abandoned): 'perhaps' is neither" in bad_row.reason
