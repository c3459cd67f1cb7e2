"""The law of the codec: it takes and refuses what the contract does, with the same facts."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import facts, topics
from streams.codec import Invalid, decode, encode
from tests.support.plain_reader import read_plainly
from tests.support.values import Pairs, Raw, good, render

FAR_FUTURE: Final = 1 << 60
OF_THE_RECORD: Final = {"null_value", "null_key", "wrong_key", "future"}

NUMBERS: Final = [
    *map(Raw, ("1.0", "1e3", "1E0", "-0", "-0.0", "0.5", "01", "+1", "1.", ".5", "1e999", "NaN")),
    *map(Raw, ("Infinity", "-Infinity", "9" * 30, "-" + "9" * 30, "1" + "0" * 400, "--1", "0x1")),
    *(10**14, 10**14 + 1, -(10**14), -(10**14) - 1, 10**11, 10**11 + 1, -1, 0, 1, 10, 11, 100, 101),
    *(2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1),
]
STRINGS: Final = [
    *("", "a", "a" * 200, "a" * 201, "a" * 500, "a" * 501, "é" * 200, "é" * 201, "😀" * 200),
    *("😀" * 201, "\x7f", " ", "1", "true", "null", "\u202e", "é", "=cmd()", "nul\0"),
    *map(Raw, (r'"\u0000"', r'"\\u0000"', r'"\ud800"', r'"\udc00x"', r'"\ud83d\ude00"', r'"\x"')),
    *map(Raw, (r'"\ud800\ud800"', r'"\u12"', '"\x01"', '"\n"', '"open', r'"\/"', r'"A"')),
]
WORDS: Final = [
    *(
        "inbound",
        "Outbound",
        "sale",
        "refund",
        "product",
        "upgrade",
        "resolved",
        "payroll",
        "other",
    ),
    *("GBP", "gbp", "JPY", "KWD", "CLF", "XXX", "GB", "GBPX", "treated", "control", "self_service"),
]
TIMES: Final = [
    *("2026-04-01", "2026-02-30", "2024-02-29", "2023-02-29", "1969-12-31", "2199-12-31"),
    *("2200-01-01", "2026-4-1", "20260401", "2026-W14-3", "2026-04-01T09:30:00", "0000-00-00"),
    *("2026-04-01t09:30:00Z", "2026-04-01T09:30:00z", "2026-04-01 09:30:00Z"),
    *("2026-04-01T24:00:00Z", "2026-04-01T23:59:60Z", "2026-04-01T09:60:00Z"),
    *("2026-04-01T09:30Z", "2026-04-01T09:30:00.Z", "2026-04-01T09:30:00,5Z"),
    *("2026-04-01T09:30:00+0100", "2026-04-01T09:30:00+01", "2026-04-01T09:30:00+24:00"),
    *("2026-04-01T09:30:00-00:00", "2026-04-01T09:30:00+23:59", "2026-04-01T09:30:00\u221201:00"),
    *("2026-04-01T09:30:00.9999999Z", "2026-04-01T09:30:00.999999999999+01:00"),
    *("1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01", "1969-12-31T23:59:59-01:00"),
    *("2199-12-31T23:59:59.999Z", "2199-12-31T23:59:59-00:01", "2200-01-01T00:00:00+01:00"),
    *("\u0662026-04-01T09:30:00Z", "2026-04-01T09:30:0\u0660Z", "2026-04-01T09:30:00Z "),
    *(" 2026-04-01T09:30:00Z", "2026-04-01T09:30:00Z\n", "2026-04-01\n", "2026-04-01T"),
    *("2026-04-01T09:30:00." + "1" * 44 + "Z", "2026-04-01T09:30:00." + "1" * 43 + "Z"),
    *("2026-04-01T09:30:00.1_0Z", "+026-04-01T09:30:00Z", "2026-04-01T-9:30:00Z"),
]
OTHERS: Final = [
    *(None, True, False),
    *map(Raw, ("[]", "{}", "[1]", '{"a":1}', "[[]]", "[null]", "[{}]", "", "nul", "True")),
]

times = st.builds(
    lambda year, month, day, t, hour, minute, second, fraction, zone: (
        f"{year:04}-{month:02}-{day:02}{t}{hour:02}:{minute:02}:{second:02}{fraction}{zone}"
    ),
    st.integers(1969, 2200) | st.just(2026),
    st.integers(0, 13) | st.integers(1, 12),
    st.integers(0, 32) | st.integers(1, 28),
    st.sampled_from("TTTTTTTt "),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 60),
    st.just("") | st.from_regex(r"\.[0-9]{0,12}", fullmatch=True),
    st.sampled_from(["Z", "Z", "Z", "z", "", "+01:00", "-00:00", "+23:59", "-24:00", "+01:60"]),
)
hostile = st.sampled_from([*NUMBERS, *STRINGS, *WORDS, *TIMES, *OTHERS]) | times
FIELDS: Final = {
    topic: [*good(topic), "amount_minor", "tariff", "line_id", "product_class", "arm", "unknown"]
    for topic in topics.INPUT_NAMES
}


def objects_of(tree: Any) -> list[dict[str, Any]]:
    """Return every object in a tree, itself first."""
    if isinstance(tree, list):
        return [found for item in tree for found in objects_of(item)]
    if not isinstance(tree, dict):
        return []
    return [tree] + [found for item in tree.values() for found in objects_of(item)]


@st.composite
def mutated(draw: st.DrawFn, topic: str) -> bytes:
    """Draw a good value that lost optional fields and was changed in a few places."""
    tree = good(topic)
    for name in draw(st.sets(st.sampled_from(sorted(tree)), max_size=4)):
        if name.endswith("_id") or tree[name] in ((), 0) or draw(st.booleans()):
            del tree[name]
    for _ in range(draw(st.integers(0, 3))):
        target = draw(st.sampled_from(objects_of(tree)))
        name = draw(st.sampled_from(sorted(target)) if target else st.just("unknown"))
        name = draw(st.just(name) | st.sampled_from(FIELDS[topic]))
        target[name] = draw(hostile)
    if draw(st.integers(0, 9)) == 0:
        pairs = Pairs(tree.items())
        pairs.insert(0, draw(st.sampled_from(pairs or [("unknown", 1)])))
        return render(pairs)
    return render(tree)


def check(topic: str, value: bytes) -> None:
    """Compare the codec with the plain reader on one value."""
    try:
        fact = read_plainly(topic, value)
    except ValueError:
        refused = decode(topic, b"any", value, FAR_FUTURE)
        assert isinstance(refused, Invalid), value
        assert refused.reason not in OF_THE_RECORD, (refused, value)
        return
    assert decode(topic, facts.key_of(fact).encode(), value, FAR_FUTURE) == fact, value
    assert decode(topic, facts.key_of(fact).encode(), encode(fact), FAR_FUTURE) == fact, value


@pytest.mark.parametrize("topic", topics.INPUT_NAMES)
@settings(max_examples=3 * settings.default.max_examples)
@given(data=st.data())
def test_codec_and_contract_agree_on_spoiled_values(topic: str, data: st.DataObject) -> None:
    """Whatever is changed in a good value, both refuse it or both read the same fact."""
    check(topic, data.draw(mutated(topic)))


@pytest.mark.parametrize("topic", topics.INPUT_NAMES)
def test_codec_and_contract_agree_on_every_field_and_every_hostile_value(topic: str) -> None:
    """Each field of each object, set to each hostile value or left out, is judged alike."""
    spoilt = [*NUMBERS, *STRINGS, *WORDS, *TIMES, *OTHERS]
    for position, target in enumerate(objects_of(good(topic))):
        for name in (*target, "unknown"):
            for value in spoilt:
                tree = good(topic)
                objects_of(tree)[position][name] = value
                check(topic, render(tree))
            tree = good(topic)
            objects_of(tree)[position].pop(name, None)
            check(topic, render(tree))


@settings(max_examples=10 * settings.default.max_examples)
@given(time=times)
def test_codec_and_contract_agree_on_times(time: str) -> None:
    """A time, however odd, is read to the same millisecond by both, or refused by both."""
    check("resolutions", render(good("resolutions") | {"occurred_at": time}))


@settings(max_examples=2 * settings.default.max_examples)
@given(value=st.binary(max_size=40) | st.text('{}[]",:\\u0d8e1- \n', max_size=30).map(str.encode))
def test_codec_and_contract_agree_on_noise(value: bytes) -> None:
    """Bytes that are hardly JSON, in a field both ignore, are refused by both or by neither."""
    head = render(good("costs"))[:-1] + b',"unknown":'
    check("costs", value)
    check("costs", head + value + b"}")
    check("costs", head + b'"' + value + b'"}')


@pytest.mark.parametrize("levels", [1, 100, 253, 254, 255, 256, 257, 600])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"[":', "}")])
def test_codec_and_contract_agree_on_depth(levels: int, opened: str, closed: str) -> None:
    """Nesting in an ignored field is taken up to the stated depth, by both."""
    deep = Raw(opened * levels + '"]["' + closed * levels)
    check("orders", render(good("orders") | {"unknown": deep}))
