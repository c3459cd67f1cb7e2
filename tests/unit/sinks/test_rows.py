"""Every field of every result record arrives in its column, exactly."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from processors.results import (
    Amendment,
    AttributionRecord,
    BatchRecord,
    BatchSource,
    ClassNet,
    CostRecord,
    Credit,
    CurrencyAmount,
    Exceptional,
    LegPart,
    OrderRecord,
    PathContact,
    PeriodRecord,
)
from sinks.framing import hours_of, month_of_hour
from sinks.rows import SOURCES
from sinks.store import Store
from sinks.targets import input_type, structure_of
from streams import topics
from streams.dead_letters import DeadLetter
from streams.facts import CutPlace, Offer
from streams.log import Outgoing
from tests.support.facts import BASE
from tests.support.results import contact_record, entry, ledger_record, put
from tests.support.store import store as store
from tests.support.stored import copy, memory_log

HOUR = 3_600_000
AWKWARD = "é'\\\"\t\n{x:String} \U0001f600 =cmd()"


def moment(ms: int) -> datetime:
    """Return an instant as the store returns it."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def stored(store: Store, topic: str, record: msgspec.Struct, view: str) -> dict[str, Any]:
    """Return the only row of a view after a record went through the sink."""
    log = memory_log(1)
    put(log, topic, record)
    copy(log, store)
    (row,) = store.query(f"SELECT * FROM {view}")
    return {name: value for name, value in row.items() if not name.startswith("log_")}


def test_columns_are_those_of_the_tables(store: Store) -> None:
    """What rows are made of and what the migrations create are the same columns."""
    for source in SOURCES.values():
        for target in source.targets:
            columns = store.query_columns(
                "SELECT name FROM system.columns WHERE database = currentDatabase()"
                " AND table = {table:String}",
                {"table": target.table},
            )
            assert set(columns["name"]) == set(target.columns), target.table


def test_every_output_topic_has_rows() -> None:
    """No output topic is left out of the store."""
    assert set(SOURCES) == set(topics.STORED_NAMES)


def test_a_ledger_record_becomes_a_row_for_each_entry(store: Store) -> None:
    """An entry's fields, its cause and its coordinates stand in its row."""
    first = entry(
        -(2**62),
        order_id=AWKWARD,
        contact_id="c1",
        leg_id="l1",
        case_id="case",
        product_class="product",
        queue="billing",
        team="t",
        agent_id="a",
        channel="voice",
        reason="r",
        kind="service",
        tariff="paid",
        model="last",
        note="late",
        term_start=-3,
        term_end=40,
        cut=0,
        spread_minor=9,
        change="reversal",
        variance_minor2=-(2**60),
    )
    log = memory_log(1)
    put(log, topics.LEDGER, ledger_record(entry(1)))
    put(log, topics.LEDGER, ledger_record(entry(2), first, customer_id=AWKWARD, repair="lost"))
    copy(log, store)
    rows = store.query("SELECT * FROM v_ledger ORDER BY log_offset, log_position")
    places = [(row["log_epoch"], row["log_offset"], row["log_position"]) for row in rows]
    assert places == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]
    expected = {name: getattr(first, name) for name in first.__struct_fields__} | {
        "effective_at": moment(BASE),
        "log_epoch": 1,
        "log_partition": 0,
        "log_offset": 1,
        "log_position": 1,
        "month": 202403,
        "batch_id": "b1",
        "customer_id": AWKWARD,
        "booked_at": moment(BASE + 5),
        "cause_fact": "order",
        "cause_id": "o1",
        "cause_revision": 0,
        "src_topic": "orders",
        "src_partition": 0,
        "src_offset": 7,
        "policy": "p1",
        "repair": "lost",
    }
    assert rows[2] == expected
    assert (rows[0]["term_start"], rows[0]["cut"], rows[0]["note"]) == (None, None, "")


def test_an_attribution_keeps_its_arrays_in_step(store: Store) -> None:
    """Credits, classes and path stand in parallel arrays; the centre is the empty text."""
    record = AttributionRecord(
        order_id="o1",
        customer_id="k",
        currency="GBP",
        occurred_at=BASE,
        gross_minor=100,
        net_minor=90,
        unattributed_minor=1,
        model="linear",
        revision=4,
        credits=(
            Credit(
                product_class="product",
                line="A1b",
                credit_minor=80,
                weight=2**40,
                contact_id="c1",
                case_id="x",
            ),
            Credit(product_class="support", line="A2a", credit_minor=9, weight=1),
        ),
        classes=(
            ClassNet(product_class="product", gross_minor=90, net_minor=81, lookback_ms=5),
            ClassNet(product_class="support", gross_minor=10, net_minor=9, lookback_ms=0),
        ),
        path=(
            PathContact(contact_id="c1", ended_at=BASE - 1, handle_ms=7, case_id="x"),
            PathContact(contact_id="c2", ended_at=BASE, handle_ms=8),
        ),
        sold_unknown=True,
        changed=("c1", "c2"),
    )
    assert stored(store, topics.ATTRIBUTIONS, record, "v_attributions") == {
        "order_id": "o1",
        "customer_id": "k",
        "version": 2**48 + 4,
        "revision": 4,
        "currency": "GBP",
        "occurred_at": moment(BASE),
        "gross_minor": 100,
        "net_minor": 90,
        "unattributed_minor": 1,
        "model": "linear",
        "sold_in": "",
        "sold_unknown": True,
        "changed": ["c1", "c2"],
        "withdrawn": False,
        "credit_contact_ids": ["c1", ""],
        "credit_case_ids": ["x", ""],
        "credit_classes": ["product", "support"],
        "credit_lines": ["A1b", "A2a"],
        "credits_minor": [80, 9],
        "credit_weights": [2**40, 1],
        "classes": ["product", "support"],
        "class_gross_minor": [90, 10],
        "class_net_minor": [81, 9],
        "class_lookback_ms": [5, 0],
        "path_contact_ids": ["c1", "c2"],
        "path_case_ids": ["x", ""],
        "path_ended_at": [moment(BASE - 1), moment(BASE)],
        "path_handle_ms": [7, 8],
    }


def test_a_contact_arrives_whole(store: Store) -> None:
    """Every field of a contact record has its column, credits in parallel arrays."""
    earned = (
        CurrencyAmount(currency="EUR", amount_minor=-3),
        CurrencyAmount(currency="GBP", amount_minor=4),
    )
    record = contact_record(
        "c1",
        9,
        credits=earned,
        tier="gold",
        case_id="x",
        reason="bill",
        agent_id="a",
        connected_at=BASE + 1,
        offers=(Offer(product_class="upgrade", eligible=True, offered=True, accepted=False),),
        csat=5,
        nps=0,
        ces=2,
        resolved_at=BASE + 3,
        resolutions=2,
        reopened=True,
        escalated=True,
        experiment_id="x-1",
        experiment_arm="treated",
    )
    expected = {name: getattr(record, name) for name in record.__struct_fields__}
    for name in ("credits", "offers", "parts", "connected_at"):
        del expected[name]
    assert stored(store, topics.CONTACT_FACTS, record, "v_contacts") == expected | {
        "version": 2**48 + 9,
        "record_version": 9,
        "started_at": moment(BASE),
        "ended_at": moment(BASE + 1),
        "matures_at": moment(BASE + 2),
        "credit_currencies": ["EUR", "GBP"],
        "credits_minor": [-3, 4],
        "resolved_at": moment(BASE + 3),
        "offer_classes": ["upgrade"],
        "offers_eligible": [True],
        "offers_offered": [True],
        "offers_accepted": [False],
        "leg_ids": ["c1"],
        "leg_agents": ["a"],
        "leg_queues": ["billing"],
        "leg_started_at": [moment(BASE)],
        "leg_connected_at": [moment(BASE + 1)],
        "leg_ended_at": [moment(BASE + 1)],
        "leg_talk_ms": [1],
        "leg_hold_ms": [2],
        "leg_wrap_ms": [3],
    }


def test_the_legs_of_a_chain_arrive_in_step(store: Store) -> None:
    """Where a chain has several legs, they stand in parallel arrays; one was never connected."""
    parts = (
        LegPart("c1", "a", "billing", BASE, None, BASE + 1, 1, 2, 3),
        LegPart("c2", "", "sales", BASE + 2, BASE + 3, BASE + 4, 5, 6, 7),
    )
    record = contact_record("c1", 1, legs=2, parts=parts)
    row = stored(store, topics.CONTACT_FACTS, record, "v_contacts")
    assert {name: value for name, value in row.items() if name.startswith("leg_")} == {
        "leg_ids": ["c1", "c2"],
        "leg_agents": ["a", ""],
        "leg_queues": ["billing", "sales"],
        "leg_started_at": [moment(BASE), moment(BASE + 2)],
        "leg_connected_at": [None, moment(BASE + 3)],
        "leg_ended_at": [moment(BASE + 1), moment(BASE + 4)],
        "leg_talk_ms": [1, 5],
        "leg_hold_ms": [2, 6],
        "leg_wrap_ms": [3, 7],
    }


def test_what_is_not_known_of_a_contact_is_null(store: Store) -> None:
    """No opinion, no resolution, never connected: null, not zero."""
    row = stored(store, topics.CONTACT_FACTS, contact_record("c1", 1), "v_contacts")
    assert [row[name] for name in ("csat", "nps", "ces", "resolved_at")] == [None] * 4
    assert row["leg_connected_at"] == [None]


def test_a_cost_arrives_whole(store: Store) -> None:
    """Every field of a cost record has its column; a cost without a period has null."""
    record = CostRecord(
        event_id="x1",
        customer_id="a7",
        version=2,
        kind="payroll",
        occurred_at=BASE,
        currency="GBP",
        amount_minor=70,
        agent_id="a7",
        queue="billing",
        channel="voice",
        contact_id="c1",
        period_start=BASE - 9,
    )
    expected = {name: getattr(record, name) for name in record.__struct_fields__}
    assert stored(store, topics.COST_FACTS, record, "v_costs") == expected | {
        "version": 2**48 + 2,
        "record_version": 2,
        "occurred_at": moment(BASE),
        "period_start": moment(BASE - 9),
    }


def test_a_closed_period_arrives_whole(store: Store) -> None:
    """A period's cut stands in parallel arrays of partitions and offsets."""
    cut = (CutPlace(partition=0, offset=2**40), CutPlace(partition=3, offset=0))
    record = PeriodRecord(
        event_id="2026-04/close", period="2026-04", revision=2, closed_at=BASE, cut=cut
    )
    assert stored(store, topics.PERIOD_FACTS, record, "v_periods") == {
        "event_id": "2026-04/close",
        "period": "2026-04",
        "version": 2**48 + 2,
        "revision": 2,
        "closed_at": moment(BASE),
        "cut_partitions": [0, 3],
        "cut_offsets": [2**40, 0],
        "withdrawn": False,
    }


@pytest.mark.parametrize("repair", ["", "lost"])
@pytest.mark.parametrize("change", ["", "reversal"])
def test_entries_of_a_former_version_are_read(store: Store, change: Any, repair: Any) -> None:
    """Entries had a field less: what is missing reads as its default."""
    record = ledger_record(entry(7), entry(9, change=change), repair=repair)
    tree = msgspec.json.decode(msgspec.json.encode(record))
    tree["entries"] = [each[:-1] for each in tree["entries"]]
    log = memory_log(1)
    log.append(topics.LEDGER, [Outgoing(b"k", msgspec.json.encode(tree))])
    copy(log, store)
    rows = store.query("SELECT * FROM v_ledger ORDER BY log_position")
    assert [(row["amount_minor"], row["variance_minor2"]) for row in rows] == [(7, 0), (9, 0)]
    assert (rows[1]["change"], rows[1]["repair"]) == (change, repair)


def test_an_order_arrives_whole(store: Store) -> None:
    """Every field of an order record has its column."""
    record = OrderRecord(
        order_id="r1",
        customer_id="k",
        version=2,
        kind="refund",
        occurred_at=BASE,
        currency="GBP",
        net_effect_minor=-70,
        identified=True,
        refund_of="o1",
        linked_to=("o1", "o2"),
        orphan=True,
        contact_id="c1",
        agent_id="a7",
        referred_by="k2",
    )
    expected = {name: getattr(record, name) for name in record.__struct_fields__}
    assert stored(store, topics.ORDER_FACTS, record, "v_orders") == expected | {
        "version": 2**48 + 2,
        "record_version": 2,
        "occurred_at": moment(BASE),
        "linked_to": ["o1", "o2"],
    }


def test_a_batch_record_becomes_its_account_and_its_sources(store: Store) -> None:
    """A batch has one row, and one for each input partition with its exceptions."""
    source = BatchSource(
        topic="orders", partition=1, start=10, end=15, applied=2, duplicate=0, late=1, dead=2
    )
    excepted = msgspec.structs.replace(
        source,
        exceptions=(
            Exceptional(disposition="dead", start=11, end=13),
            Exceptional(disposition="late", start=14, end=15),
        ),
    )
    record = BatchRecord(
        batch_id="b1",
        partition=1,
        sources=(source, excepted),
        out_rows=5,
        out_sum_minor=-9,
        event_time_max=None,
        logged_at_max=BASE,
        code_version="1",
        policy="p",
        amends=(Amendment(batch_id="b0", rows=-2, sum_minor=7),),
        voids=(5,),
    )
    assert stored(store, topics.BATCHES, record, "v_batches") == {
        "batch_id": "b1",
        "out_rows": 5,
        "out_sum_minor": -9,
        "event_time_max": None,
        "logged_at_max": moment(BASE),
        "code_version": "1",
        "policy": "p",
        "state_hash": None,
        "amended_batch_ids": ["b0"],
        "amended_rows": [-2],
        "amended_minor": [7],
        "voided_offsets": [5],
    }
    rows = store.query("SELECT * FROM v_batch_sources ORDER BY log_position")
    assert [row["log_position"] for row in rows] == [0, 1]
    assert rows[1] == {
        "log_epoch": 1,
        "log_partition": 0,
        "log_offset": 0,
        "log_position": 1,
        "batch_id": "b1",
        "src_topic": "orders",
        "src_partition": 1,
        "start_offset": 10,
        "end_offset": 15,
        "applied": 2,
        "duplicate": 0,
        "late": 1,
        "dead": 2,
        "exception_dispositions": ["dead", "late"],
        "exception_starts": [11, 14],
        "exception_ends": [13, 15],
    }


def test_a_dead_letter_arrives_whole(store: Store) -> None:
    """A dead letter keeps where its record lies and why it was refused."""
    record = DeadLetter(
        topic="orders",
        epoch=3,
        partition=2,
        offset=99,
        logged_at=BASE,
        reason="not_json",
        detail=AWKWARD,
        key_base64="a2V5",
        value_size=2**33,
        value_sha256="ff",
        value_base64="AA==",
        code_version="1",
    )
    assert stored(store, topics.DEAD_LETTERS, record, "v_dead_letters") == {
        "src_topic": "orders",
        "src_epoch": 3,
        "src_partition": 2,
        "src_offset": 99,
        "logged_at": moment(BASE),
        "reason": "not_json",
        "detail": AWKWARD,
        "key_base64": "a2V5",
        "value_size": 2**33,
        "value_sha256": "ff",
        "value_base64": "AA==",
        "code_version": "1",
    }


def test_hours_are_those_of_the_entries() -> None:
    """The hours of a ledger record are its entries', in order."""
    record = ledger_record(entry(1), entry(2, effective_at=BASE + HOUR))
    assert hours_of(msgspec.json.encode(record)) == [BASE // HOUR, BASE // HOUR + 1]


@pytest.mark.parametrize(
    ("time", "month"),
    [
        ("1970-01-01T00:00:00Z", 197001),
        ("2024-02-29T23:59:59.999Z", 202402),
        ("2024-03-01T00:00:00Z", 202403),
        ("2199-12-31T23:00:00Z", 219912),
    ],
)
def test_a_month_is_that_of_the_hour_in_utc(time: str, month: int) -> None:
    """The month begins with the first hour in UTC."""
    hour = round(datetime.fromisoformat(time).timestamp() * 1000) // HOUR
    assert month_of_hour(hour) == month


def test_input_types_follow_the_structs() -> None:
    """Optional integers stay null, optional text is empty, array-like structs have no names."""
    assert input_type(int | None) == "Nullable(Int64)"
    assert input_type(str | None) == "String"
    assert input_type(tuple[Exceptional, ...]) == "Array(Tuple(String, Int64, Int64))"
    assert input_type(CurrencyAmount) == "Tuple(currency String, amount_minor Int64)"
    assert structure_of(CurrencyAmount) == (
        "log_partition UInt16, log_offset Int64, currency String, amount_minor Int64"
    )
