"""JSON lines: bytes pass as they are, keys follow the rule, what is no record stays countable."""

import gzip
import hashlib
import io
from pathlib import Path

import pytest

from pnl.importing import ImportProblem, Row, load_map, read
from streams.codec import Invalid, decode, encode
from streams.facts import Contact, Cost, Fact, Order, OrderLine, Resolution

FAR_MS = 1 << 50
NOON = 1_704_110_400_000


def lines(topic: str, content: bytes) -> list[Row]:
    """Read JSON lines from standard input."""
    return list(read(topic, None, stdin=io.BytesIO(content)))


def contact(**other: object) -> Contact:
    """Build a contact of five minutes."""
    fields: dict[str, object] = {
        "event_id": "e1",
        "contact_id": "k1",
        "channel": "voice",
        "direction": "inbound",
        "kind": "service",
        "queue": "orders",
        "started_at": NOON,
        "ended_at": NOON + 300_000,
        "talk_ms": 240_000,
        "hold_ms": 0,
        "wrap_ms": 0,
        "wait_ms": 60_000,
        "abandoned": False,
    }
    return Contact(**(fields | other))  # type: ignore[arg-type]


def order(**other: object) -> Order:
    """Build an order of one line."""
    fields: dict[str, object] = {
        "event_id": "e1",
        "order_id": "o1",
        "kind": "sale",
        "occurred_at": NOON,
        "currency": "GBP",
        "lines": (OrderLine(line_id="1", product_class="product", amount_minor=1),),
    }
    return Order(**(fields | other))  # type: ignore[arg-type]


def resolution(**other: object) -> Resolution:
    """Build a resolution."""
    return Resolution("e1", "q1", "resolved", NOON, **other)  # type: ignore[arg-type]


def cost(**other: object) -> Cost:
    """Build a cost."""
    return Cost("e1", "concession", NOON, 1, "GBP", **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("topic", "fact", "key"),
    [
        ("contacts", contact(customer_id="c", chain_id="h"), "c"),
        ("contacts", contact(chain_id="h"), "h"),
        ("contacts", contact(), "k1"),
        ("orders", order(customer_id="c", contact_id="k", refund_of="r"), "c"),
        ("orders", order(contact_id="k", refund_of="r"), "k"),
        ("orders", order(refund_of="r"), "r"),
        ("orders", order(), "o1"),
        ("resolutions", resolution(customer_id="c", contact_id="k"), "c"),
        ("resolutions", resolution(contact_id="k"), "k"),
        ("resolutions", resolution(), "e1"),
        ("costs", cost(customer_id="c", contact_id="k", agent_id="a"), "c"),
        ("costs", cost(contact_id="k", agent_id="a"), "k"),
        ("costs", cost(agent_id="a"), "a"),
        ("costs", cost(), "e1"),
        ("costs", cost(customer_id="Zoë"), "Zoë"),
    ],
)
def test_the_key_is_whose_journey_it_belongs_to(topic: str, fact: Fact, key: str) -> None:
    """Each step of the rule, and the codec agrees."""
    value = encode(fact)
    (row,) = lines(topic, value)
    assert row == Row(1, key.encode(), value)
    assert decode(topic, row.key, row.value, FAR_MS) == fact


def test_bytes_pass_as_they_are() -> None:
    """Spaces, order and unknown fields of a record stay; only the line's end goes."""
    value = encode(cost()).replace(b'{"', b'{ "more": [1],  "', 1)
    assert [row.value for row in lines("costs", value + b" \r\n")] == [value + b" "]


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense",
        b"[]",
        b'{"event_id": "e1"}',
        b'{"customer_id": 5}',
        b'{"customer_id": "\xff"}',
        b'{"a": ' * 100_000,
        encode(cost()).replace(b'"GBP"', b'"XXX"'),
    ],
)
def test_what_is_no_record_is_kept_and_named(raw: bytes) -> None:
    """It is keyed by its SHA-256, the codec refuses it, and the records around it are read."""
    rows = lines("costs", encode(cost()) + b"\n" + raw + b"\n\n" + encode(cost()) + b"\n")
    assert [bool(row.reason) for row in rows] == [False, True, False]
    bad = rows[1]
    assert bad.value == raw
    assert bad.key == hashlib.sha256(raw).hexdigest().encode()
    assert bad.reason.startswith("standard input: line 2: ")
    assert isinstance(decode("costs", bad.key, bad.value, FAR_MS), Invalid)


def test_blank_lines_are_skipped_and_counted() -> None:
    """The number of a row is that of its line."""
    rows = lines("costs", b"\n  \n" + encode(cost()) + b"\n")
    assert [row.line for row in rows] == [3]


@pytest.mark.parametrize("name", ["c.jsonl", "c.ndjson", "C.JSONL", "c.jsonl.gz"])
def test_the_name_of_a_file_tells_its_format(tmp_path: Path, name: str) -> None:
    """Gzipped or not."""
    content = encode(cost()) + b"\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert [row.key for row in read("costs", tmp_path / name)] == [b"e1"]


def test_a_format_can_be_given(tmp_path: Path) -> None:
    """For a file whose name does not tell."""
    (tmp_path / "costs.txt").write_bytes(encode(cost()))
    assert [row.key for row in read("costs", tmp_path / "costs.txt", format="jsonl")] == [b"e1"]


@pytest.mark.parametrize(
    ("topic", "name", "says"),
    [
        ("calls", "c.jsonl", "there is no topic 'calls'; it is one of contacts, "),
        ("costs", "c.txt", r"c\.txt: the name does not tell the format; give one of jsonl, csv"),
        ("costs", "none.jsonl", r"none\.jsonl: cannot be read: No such file"),
        ("costs", "c.csv", r"c\.csv: a CSV file needs a map: --map"),
        ("costs", "folder.jsonl", r"folder\.jsonl: cannot be read: Is a directory"),
        ("costs", "c.jsonl.gz", r"c\.jsonl\.gz: damaged or cut off gzip file: Not a gzipped file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, topic: str, name: str, says: str) -> None:
    """One sentence: the topic or file, and what to do."""
    for each in ("c.txt", "c.csv", "c.jsonl.gz"):
        (tmp_path / each).write_bytes(b"a,b\n")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(ImportProblem, match=says):
        list(read(topic, tmp_path / name))


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("contacts", r"map\.toml: topic: the map is for costs, not contacts"),
        ("costs", r"c\.jsonl: JSON lines are records already and take no map"),
    ],
)
def test_a_map_in_the_wrong_place_is_refused(tmp_path: Path, topic: str, says: str) -> None:
    """A map of another topic, a map for JSON lines."""
    (tmp_path / "c.jsonl").write_bytes(b"")
    (tmp_path / "map.toml").write_text("""
        topic = "costs"
        [constants]
        kind = "overhead"
        currency = "GBP"
        [columns]
        event_id = "a"
        occurred_at = "b"
        amount_minor = "c"
    """)
    with pytest.raises(ImportProblem, match=says):
        read(topic, tmp_path / "c.jsonl", rules=load_map(tmp_path / "map.toml"))
