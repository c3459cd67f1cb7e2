"""State that a former version wrote is read: its items had fewer fields at the end."""

import msgspec
import pytest

from processors.activity import recount
from processors.items import CostItem, Item, LegItem, OrderItem
from processors.journeys import Journeys
from processors.policy import Policy, book_of
from processors.restating import restated
from processors.results import Entry
from processors.state_codec import decode_customer, encode_item, item_key, prefix_of
from tests.support.facts import at, contact, cost, order
from tests.support.results import entry

BOOKED = (entry(-5, line="C4"), entry(7, line="C1", change="addition"))


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("c", LegItem(contact("c1", at(1)), BOOKED, 3)),
        ("o", OrderItem(order("o1", at(1), 100), BOOKED, 2, 3)),
        ("x", CostItem(cost("x1", "concession", at(1), 5), BOOKED)),
    ],
)
def test_an_item_of_a_former_version_is_the_item_it_was(kind: str, item: Item) -> None:
    """Entries had no variance, a leg was not counted, a cost had no records: defaults stand."""
    plain = msgspec.msgpack.decode(encode_item(item)[1:])
    plain[1] = [each[: Entry.__struct_fields__.index("variance_minor2")] for each in plain[1]]
    plain = plain[: {"c": 3, "x": 2}.get(kind)]
    former = b"\x01" + msgspec.msgpack.encode(plain)
    identity = {"c": "c1", "o": "o1", "x": "x1"}[kind]
    customer = decode_customer("k", [(item_key("k", (kind, identity)), former)])  # type: ignore[arg-type]
    assert customer.item((kind, identity)) == item  # type: ignore[arg-type]


def test_a_leg_that_was_not_counted_is_counted_whole_once_a_fact_touches_it() -> None:
    """Its windows never had it: nothing is taken back, and no program of before reads it again."""
    leg = LegItem(contact("c1", at(1)), (), 1)
    former = b"\x01" + msgspec.msgpack.encode(msgspec.msgpack.decode(encode_item(leg)[1:])[:3])
    customer = decode_customer("k", [(item_key("k", ("c", "c1")), former)])
    again = contact("c1", at(1), revision=1, talk_ms=1_000)
    applied = Journeys(Policy()).apply(customer, again)
    ((was, now),) = recount(customer, applied.contacts, high=None)
    assert was is None
    assert now is not None
    assert customer.legs["c1"].counted == now
    assert encode_item(customer.legs["c1"])[0] == 2


def test_what_a_former_version_left_unbooked_moves_once_a_new_revision_touches_it() -> None:
    """Training stood on a control line; a revision reverses that and books its line."""
    fact = cost("x1", "training", at(1), 5)
    was = CostItem(fact, (entry(-5, line="unbooked", basis="control", kind="training"),))
    key = item_key("k", ("x", "x1"))
    assert key.startswith(prefix_of("k"))
    customer = decode_customer("k", [(key, encode_item(was))])
    again = cost("x1", "training", at(1), 6, revision=1)
    applied = Journeys(Policy()).apply(customer, again)
    assert [(e.line, e.amount_minor, e.change) for e in applied.entries] == [
        ("unbooked", 5, "reversal"),
        ("C6", -6, "addition"),
    ]
    assert [record.version for record in applied.costs] == [1]


def test_a_restatement_publishes_the_costs_that_a_former_version_did_not() -> None:
    """It published none; one that has a record already is left alone."""
    former = CostItem(cost("x1", "payroll", at(1), 5), (entry(-5, line="payroll"),))
    told = CostItem(cost("x2", "payroll", at(1), 0), (), 1)
    rows = [(item_key("k", ("x", x.fact.event_id)), encode_item(x)) for x in (former, told)]
    rebooking = restated(lambda: decode_customer("k", rows), None, book_of(Policy()))
    assert rebooking is not None
    assert [(record.event_id, record.version) for record in rebooking.costs] == [("x1", 1)]
