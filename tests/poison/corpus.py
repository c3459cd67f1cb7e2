"""The corpus: every poison with its name, where it comes in, and why it is refused."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from streams import topics
from tests.support.values import Raw, good, render

KEY: Final = b"cu-1"
LOGGED_AT: Final = 1_775_044_800_000
"""2026-04-01T12:00:00Z, some hours after the good values happened."""


class Poison(NamedTuple):
    """One record, and the reason it must be refused with."""

    name: str
    topic: str
    key: bytes | None
    value: bytes | None
    reason: str


def corpus() -> list[Poison]:
    """Return every poison; names are unique."""
    found = [*_texts(), *_depths(), *_fields(), *_missing(), *_rules(), *_keys()]
    assert len({poison.name for poison in found}) == len(found)
    return found


def _texts() -> Iterator[Poison]:
    whole = render(good("orders"))
    start, end = whole[:-1], b"}"
    not_json = {
        "empty": b"",
        "blank": b"  \n",
        "byte order mark": b"\xef\xbb\xbf" + whole,
        "utf-16": b"\xff\xfe{\x00}\x00"[2:],
        "cut in half": whole[: len(whole) // 2],
        "cut by one": start,
        "two values": whole + whole,
        "trailing comma": start + b"," + end,
        "trailing text": whole + b"x",
        "trailing NUL": whole + b"\0",
        "leading form feed": b"\f" + whole,
        "single quotes": b"{'event_id':'ev-1'}",
        "comment": b"/* an order */" + whole,
        "name without quotes": b"{event_id:1}",
        "name that is a number": b"{1:1}",
        "no colon": b'{"event_id" 1}',
        "no comma": b'{"a":1 "b":2}',
        "open array": b'{"a":[1',
        "open text": b'{"a":"b',
        "closed twice": whole + b"}",
        "python": b"{'event_id': None}",
        "yaml": b"event_id: ev-1\n",
        "xml": b"<order/>",
        "csv": b"event_id,order_id\nev-1,or-1\n",
        "html error page": b"<!doctype html><title>502</title>",
        "avro": b"\x00\x00\x00\x00\x01\x02",
        "NaN": start + b',"x":NaN' + end,
        "Infinity": start + b',"x":Infinity' + end,
        "minus Infinity": start + b',"x":-Infinity' + end,
        "leading zero": start + b',"x":01' + end,
        "plus sign": start + b',"x":+1' + end,
        "no digit after point": start + b',"x":1.' + end,
        "no digit before point": start + b',"x":.5' + end,
        "hexadecimal": start + b',"x":0x10' + end,
        "control character": start + b',"x":"a\x01"' + end,
        "line break in a text": start + b',"x":"a\nb"' + end,
        "unknown escape": start + rb',"x":"\q"' + end,
        "short escape": start + rb',"x":"\u12"' + end,
    }
    bad_text = {
        "latin-1": start + b',"x":"caf\xe9"' + end,
        "gzip": b"\x1f\x8b\x08\x00\x00",
        "overlong NUL": start + b',"x":"\xc0\x80"' + end,
        "surrogate in UTF-8": start + b',"x":"\xed\xa0\x80"' + end,
        "beyond unicode": start + b',"x":"\xf4\x90\x80\x80"' + end,
        "cut character": start + b',"x":"\xf0\x9f"' + end,
        "bad name": start + b',"\xff":1' + end,
        "lone high surrogate": start + rb',"x":"\ud800"' + end,
        "lone low surrogate": start + rb',"x":"\udc00 and more text"' + end,
        "surrogates in the wrong order": start + rb',"x":"\udc00\ud800"' + end,
        "two high surrogates": start + rb',"x":"\ud800\ud800"' + end,
        "lone surrogate in a name": start + rb',"\ud800":1' + end,
    }
    not_object = {"null": b"null", "true": b"true", "number": b"1", "text": b'"x"', "array": b"[]"}
    not_object |= {"array of orders": b"[" + whole + b"]", "text of an order": b'"{}"'}
    for reason, values in (
        ("not_json", not_json),
        ("bad_text", bad_text),
        ("wrong_type", not_object),
    ):
        for name, value in values.items():
            yield Poison(name, "orders", KEY, value, reason)
    yield Poison("empty object", "orders", KEY, b"{}", "missing_field")
    yield Poison("ten megabytes", "orders", KEY, start + b" " * 10_000_000 + end, "too_large")
    one_too_many = start + b" " * ((1 << 20) - len(whole) + 1) + end
    yield Poison("a byte over the cap", "orders", KEY, one_too_many, "too_large")
    yield Poison("ten megabytes of brackets", "orders", KEY, b"[" * 10_000_000, "too_large")


def _depths() -> Iterator[Poison]:
    start = render(good("contacts"))[:-1]
    many = 100_000
    for name, value in {
        "deep array": b"[" * many + b"]" * many,
        "deep object": b'{"a":' * many + b"1" + b"}" * many,
        "deep, ignored": start + b',"x":' + b"[" * many + b"]" * many + b"}",
        "deep, ignored objects": start + b',"x":' + b'{"":' * many + b"1" + b"}" * (many + 1),
        "deep, never closed": start + b',"x":' + b"[" * many,
        "deep, in a field": start + b',"offers":' + b"[" * many + b"]" * many + b"}",
        "deep behind quotes": start + rb',"x":["\"]]]"' + b",[" * many + b"]" * many + b"]}",
        "deep after a wide list": start
        + b',"x":['
        + b"[]," * 1000
        + b"[" * 300
        + b"]" * 301
        + b"}",
        "one too deep": start + b',"x":' + b"[" * 256 + b"]" * 256 + b"}",
        "a mebibyte deep": b"[" * (1 << 20),
    }.items():
        yield Poison(name, "contacts", KEY, value, "too_deep")


_WRONG: Final[list[tuple[str, str, Iterable[Any], str]]] = [
    ("contacts", "talk_ms", (True, None, "300000", 1.5, [], {}), "wrong_type"),
    ("contacts", "talk_ms", map(Raw, ("1.0", "1e3", "-0.0")), "wrong_type"),
    ("contacts", "talk_ms", (Raw("1e999"), -1, 10**11 + 1, 2**64), "out_of_bounds"),
    ("contacts", "talk_ms", (Raw("9" * 30), Raw("-" + "9" * 30)), "out_of_bounds"),
    ("contacts", "talk_ms", (Raw("1" * 100_000),), "out_of_bounds"),
    ("contacts", "abandoned", ("false", 0, None), "wrong_type"),
    ("contacts", "contact_id", (1, None, ["ct-1"], {}, True), "wrong_type"),
    ("contacts", "contact_id", ("", "c" * 501), "out_of_bounds"),
    ("contacts", "contact_id", ("ct\0", Raw(r'"\u0000"')), "bad_text"),
    ("contacts", "queue", ("", "q" * 201), "out_of_bounds"),
    ("contacts", "direction", ("Inbound", "internal", ""), "unknown_value"),
    ("contacts", "fee", ("free", []), "wrong_type"),
    ("contacts", "fee", ({}, {"currency": "GBP"}, {"amount_minor": 250}), "missing_field"),
    ("contacts", "fee", ({"tariff": "paid", "amount_minor": 1},), "missing_field"),
    ("contacts", "fee", ({"amount_minor": 250, "currency": "GBPX"},), "bad_currency"),
    ("contacts", "fee", ({"tariff": "paid\0"},), "bad_text"),
    ("contacts", "offers", (None, {}, [None], ["upgrade"]), "wrong_type"),
    ("contacts", "offers", ([{"product_class": "upgrade"}],), "missing_field"),
    ("contacts", "experiment", ({"id": "x", "arm": "both"},), "unknown_value"),
    ("contacts", "revision", (None, "1", 1.5), "wrong_type"),
    ("contacts", "revision", (-1, 2**53), "out_of_bounds"),
    ("contacts", "withdrawn", (None, 1, "no"), "wrong_type"),
    ("contacts", "ended_at", (None, 1775035800, {}), "wrong_type"),
    ("contacts", "ended_at", ("", "now", "2026-04-01", "1775035800"), "bad_time"),
    ("contacts", "ended_at", ("2026-04-01T09:38:00", "2026-04-01T09:38Z"), "bad_time"),
    ("contacts", "ended_at", ("2026-04-01t09:38:00Z", "2026-04-01T09:38:00z"), "bad_time"),
    ("contacts", "ended_at", ("2026-04-01 09:38:00Z", "2026-04-01T09:38:60Z"), "bad_time"),
    ("contacts", "ended_at", ("2026-04-01T24:00:00Z", "2026-04-31T09:38:00Z"), "bad_time"),
    ("contacts", "ended_at", ("2026-02-29T09:38:00Z", "2026-13-01T09:38:00Z"), "bad_time"),
    ("contacts", "ended_at", ("2026-04-01T09:38:00+0100", "2026-04-01T09:38:00,5Z"), "bad_time"),
    ("contacts", "ended_at", ("1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z"), "bad_time"),
    ("contacts", "ended_at", ("9999999999-01-01T00:00:00Z", "Z" * 100_000), "bad_time"),
    ("contacts", "ended_at", ("2026-04-01T09:38:00." + "1" * 60_000 + "Z",), "bad_time"),
    ("contacts", "ended_at", ("\u0662026-04-01T09:38:00Z",), "bad_time"),
    ("resolutions", "outcome", ("solved", "RESOLVED"), "unknown_value"),
    ("resolutions", "nps", (11, -1), "out_of_bounds"),
    ("resolutions", "csat", (101, Raw("9" * 30)), "out_of_bounds"),
    ("resolutions", "ces", ("5", 4.5), "wrong_type"),
    ("orders", "kind", ("return", "Sale", "adjust"), "unknown_value"),
    ("orders", "currency", ("XXX", "gbp", "£", "", "XAU", "DEM", "GBP "), "bad_currency"),
    ("orders", "currency", (826, None), "wrong_type"),
    ("orders", "lines", (None, {}, "1", [1], [[]]), "wrong_type"),
    ("orders", "lines", ([{}], [{"line_id": "1", "amount_minor": 1}]), "missing_field"),
    ("orders", "order_id", (Raw(r'"or\u0000"'), "\0"), "bad_text"),
    ("costs", "kind", ("salary",), "unknown_value"),
    ("costs", "amount_minor", (10**14 + 1, -(10**14) - 1), "out_of_bounds"),
    ("costs", "amount_minor", ("12.50", 12.5, None), "wrong_type"),
    ("costs", "currency", ("EURO",), "bad_currency"),
    ("costs", "period_start", ("2026-04", "2026-04-31", "April", "20260401"), "bad_time"),
]


def _fields() -> Iterator[Poison]:
    for topic, field, values, reason in _WRONG:
        for value in values:
            spoilt = render(good(topic) | {field: value})
            yield Poison(
                f"{topic}.{field} = {str(value)[:40]!r} {reason}", topic, KEY, spoilt, reason
            )
    line = good("orders")["lines"][0]
    for field, value, reason in (
        ("amount_minor", Raw("1530.0"), "wrong_type"),
        ("amount_minor", Raw("1e400"), "out_of_bounds"),
        ("amount_minor", 10**14 + 1, "out_of_bounds"),
        ("cost_minor", Raw("NaN"), "not_json"),
        ("product_class", "goods", "unknown_value"),
        ("line_id", None, "wrong_type"),
        ("line_id", "1\0", "bad_text"),
        ("term_start", "yesterday", "bad_time"),
    ):
        spoilt = render(good("orders") | {"lines": [line | {field: value}]})
        yield Poison(f"a line's {field} = {value!r}", "orders", KEY, spoilt, reason)


def _missing() -> Iterator[Poison]:
    required = {
        "contacts": "event_id contact_id channel direction kind queue started_at ended_at talk_ms "
        "hold_ms wrap_ms wait_ms abandoned",
        "resolutions": "event_id case_id outcome occurred_at",
        "orders": "event_id order_id kind occurred_at currency",
        "costs": "event_id kind occurred_at amount_minor currency",
        "periods": "event_id period kind occurred_at",
    }
    assert required.keys() == set(topics.INPUT_NAMES)
    for topic, names in required.items():
        for name in names.split():
            spoilt = good(topic)
            del spoilt[name]
            yield Poison(f"{topic} without {name}", topic, KEY, render(spoilt), "missing_field")


def _rules() -> Iterator[Poison]:
    day = "2026-04-01"
    line = {"line_id": "1", "product_class": "support", "amount_minor": 1}
    end = "end_before_start"
    for name, topic, fields, reason in (
        ("ends before it starts", "contacts", {"ended_at": f"{day}T09:29:59.999Z"}, end),
        ("ends before, by offset", "contacts", {"ended_at": f"{day}T10:29:59+01:00"}, end),
        ("connected too early", "contacts", {"connected_at": f"{day}T09:29:59Z"}, end),
        ("connected too late", "contacts", {"connected_at": f"{day}T09:38:00.001Z"}, end),
        ("period backwards", "costs", {"period_end": "2026-03-31"}, end),
        (
            "period of times backwards",
            "costs",
            {"period_start": f"{day}T10:00:00+01:00", "period_end": f"{day}T08:00:00Z"},
            end,
        ),
        (
            "term backwards",
            "orders",
            {"lines": [line | {"term_start": day, "term_end": "2026-03-31"}]},
            end,
        ),
        ("empty term", "orders", {"lines": [line | {"term_start": day, "term_end": day}]}, end),
        ("same line twice", "orders", {"lines": [line, line]}, "duplicate_line"),
        ("far too many lines", "orders", {"lines": [Raw("0")] * 500_000}, "wrong_type"),
        (
            "far too many offers",
            "contacts",
            {"offers": good("contacts")["offers"] * 101},
            "out_of_bounds",
        ),
        (
            "a cut with a partition twice",
            "periods",
            {"cut": good("periods")["cut"] * 2},
            "duplicate_line",
        ),
        (
            "a line that no job works out",
            "periods",
            {"lines": [good("periods")["lines"][0] | {"line": "A1a"}]},
            "unknown_value",
        ),
        (
            "a line of a currency that is none",
            "periods",
            {"lines": [good("periods")["lines"][0] | {"currency": "EURO"}]},
            "bad_currency",
        ),
        ("a day and a bit ahead", "orders", {"occurred_at": "2026-04-02T12:00:00.001Z"}, "future"),
        ("a century ahead", "costs", {"occurred_at": "2126-04-01T00:00:00Z"}, "future"),
        (
            "a contact of tomorrow",
            "contacts",
            {"ended_at": "2026-04-02T13:00:00Z"},
            "future",
        ),
    ):
        yield Poison(name, topic, KEY, render(good(topic) | fields), reason)
    twice = render(good("costs"))[:-1] + b',"amount_minor":"many"}'
    yield Poison("repeated name, bad the second time", "costs", KEY, twice, "wrong_type")
    first = b'{"amount_minor":"many",' + render(good("costs"))[1:]
    yield Poison("repeated name, bad the first time", "costs", KEY, first, "wrong_type")


def _keys() -> Iterator[Poison]:
    for topic in topics.INPUT_NAMES:
        value = render(good(topic))
        yield Poison(f"{topic} without a value", topic, KEY, None, "null_value")
        yield Poison(f"{topic} without a key", topic, None, value, "null_key")
        yield Poison(f"{topic} of another customer", topic, b"cu-2", value, "wrong_key")
        if topic != topics.PERIODS:
            guest = good(topic)
            del guest["customer_id"]
            name = f"{topic} of a guest as a customer"
            yield Poison(name, topic, KEY, render(guest), "wrong_key")
    value = render(good("orders"))
    for name, key in {
        "empty": b"",
        "not UTF-8": b"cu-1\xff",
        "with a blank": b"cu-1 ",
        "in JSON": b'"cu-1"',
        "in upper case": b"CU-1",
        "with NUL": b"cu-1\0",
        "huge": b"k" * 1_000_000,
    }.items():
        yield Poison(f"key {name}", "orders", key, value, "wrong_key")
    composed = render(good("orders") | {"customer_id": "caf\u00e9"})
    decomposed = "cafe\u0301".encode()
    yield Poison("key in another normal form", "orders", decomposed, composed, "wrong_key")
