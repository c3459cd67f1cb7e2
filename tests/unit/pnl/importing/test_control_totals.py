"""The shipped invoices, read through their map: every published sum comes out."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from pnl.importing import INVOICES, INVOICES_MAP, Row, example, facts_of, load_map, read
from streams.facts import Order

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Read the invoices once."""
    reading = read("orders", example(INVOICES), rules=load_map(example(INVOICES_MAP)))
    return list(reading)


@pytest.fixture(scope="module")
def orders(rows: list[Row]) -> dict[str, Order]:
    """Return the invoices as facts, by number."""
    facts = [fact for fact in facts_of("orders", rows) if isinstance(fact, Order)]
    return {order.order_id: order for order in facts}


def test_every_row_becomes_a_record(rows: list[Row], orders: dict[str, Order]) -> None:
    """28,816 rows are 28,816 good records with as many order ids, on lines 2 to 28,817."""
    assert len(rows) == len(orders) == 28_816
    assert [row.line for row in rows] == list(range(2, 28_818))
    assert [row.reason for row in rows if row.reason] == []


def test_the_sums_are_the_published_ones(orders: dict[str, Order]) -> None:
    """Sales, refund magnitudes and adjustments add up to the control totals."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for order in orders.values():
        counts[order.kind] += 1
        sums[order.kind] += sum(line.amount_minor for line in order.lines)
    assert counts == {"sale": 24_221, "refund": 4_592, "adjustment": 3}
    assert sums == {"sale": 1_030_589_201, "refund": 62_985_537, "adjustment": -13_655_202}
    assert sums["sale"] - sums["refund"] + sums["adjustment"] == 953_948_462


def test_the_positive_refund_becomes_a_negative_magnitude(orders: dict[str, Order]) -> None:
    """C496350 gives money in the wrong direction, and only it does."""
    odd = [
        order.order_id
        for order in orders.values()
        if order.kind == "refund" and order.lines[0].amount_minor < 0
    ]
    assert odd == ["C496350"]
    assert orders["C496350"].lines[0].amount_minor == -37_357


def test_unknown_customers_stay_unknown(orders: dict[str, Order]) -> None:
    """5,229 invoices have no customer, 147,388,875 p of sales among them; 4,383 customers are."""
    unknown = [order for order in orders.values() if order.customer_id is None]
    assert len(unknown) == 5_229
    sales = [order.lines[0].amount_minor for order in unknown if order.kind == "sale"]
    assert sum(sales) == 147_388_875
    assert len({order.customer_id for order in orders.values()} - {None}) == 4_383


def test_times_are_local_times_of_the_united_kingdom(orders: dict[str, Order]) -> None:
    """In winter the clock shows UTC, in summer an hour more."""
    winter = datetime(2009, 12, 1, 7, 45, tzinfo=UTC)
    assert orders["489434"].occurred_at == winter.timestamp() * 1000
    summer = datetime(2010, 7, 19, 10, 24, tzinfo=UTC)  # 11:24 in London
    assert orders["A516228"].occurred_at == summer.timestamp() * 1000


def test_the_key_is_the_customer_or_the_order(rows: list[Row], orders: dict[str, Order]) -> None:
    """A record lies with its customer; without one, by its own number."""
    keys = {row.line: row.key for row in rows}
    assert keys[2] == b"13085"
    alone = next(order for order in orders.values() if order.customer_id is None)
    assert alone.order_id.encode() in keys.values()


def test_the_small_example_reads_without_a_bad_row() -> None:
    """What a new user tries first works, to the penny."""
    rules = load_map(example("orders_small.toml"))
    reading = read("orders", example("orders_small.csv"), rules=rules)
    orders = [fact for fact in facts_of("orders", reading) if isinstance(fact, Order)]
    assert len(orders) == 10
    signs = {"sale": 1, "refund": -1}
    net = sum(signs[order.kind] * order.lines[0].amount_minor for order in orders)
    assert net == 58_160
    assert reading.rounding.amounts == 0
