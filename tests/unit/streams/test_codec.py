"""What the codec promises beyond the law that it equals the contract."""

from typing import Any

import msgspec
import pytest

from streams import contracts, facts, topics, wire
from streams.codec import Invalid, decode, decode_value, encode
from tests.support.values import Raw, good, render

KEY = b"cu-1"
NOW = 1_775_044_800_000


def read(topic: str, **fields: Any) -> Any:
    """Decode a good value with some fields changed."""
    return decode(topic, KEY, render(good(topic) | fields), NOW)


def reason_of(topic: str, **fields: Any) -> str:
    """Return why a good value with some fields changed is refused."""
    refused = read(topic, **fields)
    assert isinstance(refused, Invalid), refused
    return refused.reason


def test_a_contact_becomes_the_fact_it_states() -> None:
    """Every field arrives, times as milliseconds."""
    fact = read("contacts")
    assert fact == facts.Contact(
        event_id="ev-1",
        contact_id="ct-1",
        chain_id="ch-1",
        case_id="ca-1",
        customer_id="cu-1",
        channel="voice",
        direction="inbound",
        kind="service",
        queue="billing",
        team="north",
        agent_id="a7",
        reason="invoice",
        tier="gold",
        started_at=1_775_035_800_000,
        connected_at=1_775_035_820_500,
        ended_at=1_775_036_280_000,
        talk_ms=300_000,
        hold_ms=10_000,
        wrap_ms=30_000,
        wait_ms=20_500,
        abandoned=False,
        transfer_of="ct-0",
        disposition_code="solved",
        fee=facts.Fee(tariff="paid", amount_minor=250, currency="GBP"),
        offers=(facts.Offer(product_class="upgrade", eligible=True, offered=True, accepted=False),),
        experiment=facts.Experiment(id="x-1", arm="treated"),
        revision=1,
        withdrawn=False,
    )


def test_an_order_becomes_the_fact_it_states() -> None:
    """Lines keep their order; a date of a term stays a local date."""
    fact = read("orders")
    assert fact.occurred_at == 1_775_036_100_123
    assert [line.line_id for line in fact.lines] == ["1", "2"]
    assert (fact.lines[1].term_start, fact.lines[1].term_end) == ("2026-04-01", "2027-04-01")
    assert fact.lines[1].cost_minor == 0
    assert fact.lines[0].cost_minor is None


@pytest.mark.parametrize("topic", topics.INPUT_NAMES)
def test_required_fields_are_enough(topic: str) -> None:
    """What the schema does not require may be missing, or null where no default is stated."""
    model = contracts.CONTRACTS[topic]
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    bare = {name: good(topic)[name] for name in required}
    fact = decode_value(topic, render(bare))
    assert not isinstance(fact, Invalid)
    keep = ("revision", "withdrawn", "lines", "offers", "cut")
    nulls = {name: None for name in model.model_fields if name not in (*required, *keep)}
    assert decode_value(topic, render(bare | nulls)) == fact
    assert (fact.revision, fact.withdrawn) == (0, False)
    assert isinstance(fact, facts.Period) or fact.customer_id is None


@pytest.mark.parametrize("topic", topics.INPUT_NAMES)
def test_what_is_written_is_the_contract_and_reads_the_same(topic: str) -> None:
    """Encoding writes contract JSON without absent fields; decoding it gives an equal fact."""
    model = contracts.CONTRACTS[topic]
    fields = {name: field.is_required() for name, field in model.model_fields.items()}
    bare = {name: value for name, value in good(topic).items() if fields[name]}
    for value in (good(topic), bare):
        fact = decode_value(topic, render(value))
        assert not isinstance(fact, Invalid)
        written = msgspec.json.decode(encode(fact))
        assert decode_value(topic, encode(fact)) == fact
        assert written.keys() <= value.keys()
        assert None not in written.values()
        model.model_validate(written)


def test_times_are_written_in_utc_with_milliseconds() -> None:
    """An offset and finer digits are gone: two deliveries of one statement are one fact."""
    fact = read("resolutions", occurred_at="2026-04-01T10:40:00.1239999+01:00")
    assert b'"occurred_at":"2026-04-01T09:40:00.123Z"' in encode(fact)
    assert fact == read("resolutions", occurred_at="2026-04-01T09:40:00.123Z")


def test_a_time_is_cut_towards_the_past() -> None:
    """The last millisecond of a day stays in the day, however many nines follow (RUL-MS)."""
    fact = read("resolutions", occurred_at="2026-03-31T23:59:59." + "9" * 43 + "Z")
    assert fact.occurred_at == 1_775_001_599_999


def test_of_a_repeated_name_the_last_counts() -> None:
    """A name that stands twice, good both times, has its last value."""
    value = b'{"amount_minor":1,' + render(good("costs"))[1:]
    fact = decode("costs", KEY, value, NOW)
    assert isinstance(fact, facts.Cost)
    assert fact.amount_minor == 250_000


def test_lines_must_differ_in_their_ids() -> None:
    """A line_id names one line of its order."""
    line = {"line_id": "1", "product_class": "product", "amount_minor": 1}
    assert reason_of("orders", lines=[line, line]) == "duplicate_line"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    """Only what decodes to NUL is refused, not what looks like it."""
    assert read("contacts", queue=Raw(r'"a\\u0000"')).queue == r"a\u0000"
    assert reason_of("contacts", queue=Raw(r'"a\u0000"')) == "bad_text"


def test_nul_in_an_ignored_field_is_ignored() -> None:
    """Fields that we do not know may hold any JSON text."""
    assert read("contacts", notes=Raw(r'"a\u0000"')) == read("contacts")


def test_a_fact_may_be_a_day_ahead_of_the_log_and_no_more() -> None:
    """The clocks of sources differ: 24 hours are forgiven, to the millisecond."""
    assert not isinstance(read("orders", occurred_at="2026-04-02T12:00:00Z"), Invalid)
    assert reason_of("orders", occurred_at="2026-04-02T12:00:00.001Z") == "future"


@pytest.mark.parametrize(
    ("topic", "absent", "key"),
    [
        ("contacts", ["customer_id"], b"ch-1"),
        ("contacts", ["customer_id", "chain_id"], b"ct-1"),
        ("orders", ["customer_id"], b"ct-1"),
        ("orders", ["customer_id", "contact_id"], b"or-0"),
        ("orders", ["customer_id", "contact_id", "refund_of"], b"or-1"),
        ("resolutions", ["customer_id"], b"ct-1"),
        ("resolutions", ["customer_id", "contact_id"], b"ev-2"),
        ("costs", ["customer_id"], b"ct-1"),
        ("costs", ["customer_id", "contact_id"], b"a7"),
        ("costs", ["customer_id", "contact_id", "agent_id"], b"ev-4"),
    ],
)
def test_a_fact_without_a_customer_has_the_key_of_the_rule(
    topic: str, absent: list[str], key: bytes
) -> None:
    """The key is the first of the ids that RUL-KEY lists, and no other is taken."""
    value = {name: item for name, item in good(topic).items() if name not in absent}
    assert not isinstance(decode(topic, key, render(value), NOW), Invalid)
    refused = decode(topic, KEY, render(value), NOW)
    assert isinstance(refused, Invalid)
    assert refused.reason == "wrong_key"


def test_ids_are_bytes_not_letters() -> None:
    """Two normal forms of a name are two customers: ids are never normalised."""
    value = render(good("orders") | {"customer_id": "caf\u00e9"})
    assert not isinstance(decode("orders", "caf\u00e9".encode(), value, NOW), Invalid)
    refused = decode("orders", "cafe\u0301".encode(), value, NOW)
    assert isinstance(refused, Invalid)


def test_a_topic_that_is_no_input_is_a_mistake_of_ours() -> None:
    """Decoding an output topic raises: it is not the record that is wrong."""
    with pytest.raises(KeyError):
        decode("pnl.ledger.v1", KEY, b"{}", NOW)


@pytest.mark.parametrize(
    ("message", "topic", "fields"),
    [
        ("Object missing required field `line_id` - at `$.lines[0]`", "orders", {"lines": [{}]}),
        ("Expected `int`, got `str` - at `$.talk_ms`", "contacts", {"talk_ms": "1"}),
        ("Expected `int` >= 0 - at `$.talk_ms`", "contacts", {"talk_ms": -1}),
        ("Expected `str` of length >= 1 - at `$.queue`", "contacts", {"queue": ""}),
        ("ended_at: not a date of the form", "contacts", {"ended_at": "now"}),
        (
            "lines[].term_start: not a date",
            "orders",
            {"lines": [{**good("orders")["lines"][0], "term_start": "x" * 10}]},
        ),
        ("not one of the words allowed - at `$.kind`", "orders", {"kind": "gift"}),
    ],
)
def test_a_detail_names_the_field(message: str, topic: str, fields: dict[str, Any]) -> None:
    """Whoever mends the source is told where to look."""
    refused = read(topic, **fields)
    assert isinstance(refused, Invalid)
    assert refused.detail.startswith(message), refused.detail


@pytest.mark.parametrize(
    ("shape", "fact"),
    [
        (wire.Contact, facts.Contact),
        (wire.Fee, facts.Fee),
        (wire.Offer, facts.Offer),
        (wire.Experiment, facts.Experiment),
        (wire.Resolution, facts.Resolution),
        (wire.Order, facts.Order),
        (wire.OrderLine, facts.OrderLine),
        (wire.Cost, facts.Cost),
    ],
)
def test_shapes_have_the_fields_of_the_facts_in_their_order(shape: Any, fact: Any) -> None:
    """Facts are made by position, so a field added in one place only must fail here."""
    assert shape.__struct_fields__ == fact.__struct_fields__
    assert shape.__struct_defaults__ == fact.__struct_defaults__
