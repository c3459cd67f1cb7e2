"""Which facts are one, whose they are, what replaces and removes them."""

import pytest

from processors.policy import DAY_MS, Policy
from streams.facts import Fact, key_of
from streams.grammar import instant
from tests.spec.scenario import check, facts_of
from tests.support.drive import run
from tests.support.facts import at, contact, cost, order, refund, resolution


@pytest.mark.parametrize(
    ("fact", "key"),
    [
        (contact("c1", 0, chain_id="ch"), "k"),
        (contact("c1", 0, chain_id="ch", customer_id=None), "ch"),
        (contact("c1", 0, customer_id=None), "c1"),
        (order("o1", 0, 1), "k"),
        (order("o1", 0, 1, customer_id=None, contact_id="ch"), "ch"),
        (refund("r1", "o1", 0, 1, customer_id=None), "o1"),
        (refund("r1", "o1", 0, 1, customer_id=None, contact_id="ch"), "ch"),
        (order("o1", 0, 1, customer_id=None), "o1"),
        (resolution("s1", "case", 0, contact_id="c1"), "k"),
        (resolution("s1", "case", 0, contact_id="c1", customer_id=None), "c1"),
        (resolution("s1", "case", 0, customer_id=None), "s1"),
        (cost("x1", "concession", 0, 1, contact_id="c1"), "k"),
        (cost("x1", "concession", 0, 1, contact_id="c1", customer_id=None), "c1"),
        (cost("x1", "payroll", 0, 1, agent_id="a1", customer_id=None), "a1"),
        (cost("x1", "overhead", 0, 1, customer_id=None), "x1"),
    ],
)
def test_a_fact_is_keyed_by_its_customer_else_by_what_it_names(fact: Fact, key: str) -> None:
    """RUL-KEY: customer_id first; without it a guest's facts still meet under one key."""
    assert key_of(fact) == key


def test_a_guests_sale_call_and_refund_meet() -> None:
    """RUL-KEY: the chain's key on order, refund and concession stands in for the customer."""
    books = check(
        """
        | key | guest | day | fact       | id | amount_minor | chain | in | of |
        | ch  | yes   |   1 | contact    | c1 |              | ch    |    |    |
        | ch  | yes   |   1 | contact    | c2 |              | ch    |    |    |
        | ch  | yes   |   2 | order      | o1 |         1000 |       | ch |    |
        | ch  | yes   |   3 | refund     | r1 |          400 |       | ch | o1 |
        | ch  | yes   |   4 | concession | x1 |           50 |       | ch |    |
        """,
        {"c1": 600},
    )
    assert books.of_lines("A1a", "contact_id") == {"c1": 1000}
    assert books.of_lines("A5", "contact_id") == {"c1": -400}
    assert books.of_lines("C4", "contact_id") == {"c1": -50}


def test_a_chain_that_becomes_identified_moves_with_its_withdrawal() -> None:
    """RUL-KEY: withdrawn under its own key and sent under the customer's, it earns there."""
    books = check(
        """
        | key | guest | day | fact    | id | amount_minor | revision | withdrawn |
        | c1  | yes   |   1 | contact | c1 |              |          |           |
        | c1  | yes   |   1 | contact | c1 |              |        1 | yes       |
        | k   |       |   1 | contact | c1 |              |        1 |           |
        | k   |       |   2 | order   | o1 |         1000 |          |           |
        """,
        {"c1": 1000},
    )
    assert books.of_lines("C1", "key") == {"k": -250}


def test_the_highest_revision_wins_whatever_came_last() -> None:
    """RUL-SAME: an order of 1000 revised to 900 is 900, also when the 1000 arrives afterwards."""
    check(
        """
        | day | fact    | id | amount_minor | revision |
        |   1 | contact | c1 |              |          |
        |   2 | order   | o1 |         1000 |          |
        |   2 | order   | o1 |          900 |        3 |
        |   2 | order   | o1 |          950 |        2 |
        """,
        {"c1": 900},
    )


def test_each_fact_ends_as_applied_duplicate_or_dead() -> None:
    """RUL-SAME: equal again and superseded are duplicates; equal revision, other values: dead."""
    facts = facts_of(
        """
        | day | fact    | id | amount_minor | revision |
        |   2 | order   | o1 |          900 |        3 |
        |   2 | order   | o1 |          950 |        2 |
        |   1 | contact | c1 |              |          |
        """
    )
    (revised, superseded, call) = facts
    other = ("k", order("o1", at(1), 901, revision=3))
    driven = run([revised, superseded, revised, call, call, other], Policy())
    assert driven.dispositions == [
        "applied",
        "duplicate",
        "duplicate",
        "applied",
        "duplicate",
        "dead",
    ]
    assert driven.books.total("net") == -900


def test_what_is_withdrawn_has_never_been() -> None:
    """RUL-WITHDRAW: a withdrawn contact earns and costs nothing, the next in line earns."""
    books = check(
        """
        | day | fact    | id | amount_minor | revision | withdrawn |
        |   1 | contact | c1 |              |          |           |
        |   2 | contact | c2 |              |          |           |
        |   3 | order   | o1 |         1000 |          |           |
        |   2 | contact | c2 |              |        1 | yes       |
        """,
        {"c1": 1000},
    )
    assert books.of_lines("C1", "contact_id") == {"c1": -250}


def test_a_won_chargeback_leaves_the_order_whole() -> None:
    """RUL-WITHDRAW: a chargeback is booked at once and taken back when it is won."""
    books = check(
        """
        | day | fact       | id | amount_minor | of | revision | withdrawn |
        |   1 | contact    | c1 |              |    |          |           |
        |   2 | order      | o1 |         1000 |    |          |           |
        |   5 | chargeback | b1 |         1000 | o1 |          |           |
        |   9 | chargeback | b1 |         1000 | o1 |        1 | yes       |
        """,
        {"c1": 1000},
    )
    assert books.total("A5") == 0


def test_a_withdrawn_sale_leaves_its_refund_an_orphan() -> None:
    """RUL-WITHDRAW: without the sale there is no order to take the refund from."""
    books = check(
        """
        | day | fact    | id | amount_minor | of | revision | withdrawn |
        |   1 | contact | c1 |              |    |          |           |
        |   2 | order   | o1 |         1000 |    |          |           |
        |   5 | refund  | r1 |          400 | o1 |          |           |
        |   2 | order   | o1 |         1000 |    |        1 | yes       |
        """,
        {},
    )
    assert books.of_lines("A5x", "order_id") == {"r1": -400}
    assert books.total("net") == 400


def test_a_fact_older_than_the_horizon_is_booked_and_earns_nothing() -> None:
    """RUL-KEEP: a contact that arrives a horizon late still costs, and is counted as late."""
    policy = Policy(horizon_ms=10 * DAY_MS)
    driven = run(
        [
            ("k", order("o1", at(1), 1000)),
            ("k", order("o2", at(20), 500)),
            ("k", contact("c1", at(0))),
        ],
        policy,
    )
    assert driven.dispositions == ["applied", "applied", "late"]
    assert driven.books.total("C1") == -250
    assert driven.books.total("unattributed") == 1500


def test_a_sale_older_than_the_horizon_is_unattributed_and_can_be_refunded() -> None:
    """RUL-KEEP: orders are kept for two horizons, so a refund within one finds its order."""
    policy = Policy(horizon_ms=10 * DAY_MS)
    driven = run(
        [
            ("k", order("o2", at(15), 500)),
            ("k", order("o1", at(1), 1000)),
            ("k", refund("r1", "o1", at(9), 300)),
        ],
        policy,
    )
    assert driven.dispositions[:2] == ["applied", "late"]
    assert driven.books.total("unattributed", order_id="o1") == 700
    assert driven.books.total("A5x") == 0
    notes = {entry.note for entry in driven.steps[1]}
    assert "late" in notes


def test_an_order_keeps_its_path_as_long_as_itself() -> None:
    """RUL-KEEP: contacts forgotten after a horizon still lose their share of a late refund."""
    policy = Policy(horizon_ms=10 * DAY_MS, model="linear")
    driven = run(
        [
            ("k", contact("c1", at(0))),
            ("k", contact("c2", at(1))),
            ("k", order("o1", at(5), 1000)),
            ("k", order("o2", at(14), 10)),
            ("k", refund("r1", "o1", at(14.5), 400)),
        ],
        policy,
    )
    assert driven.dispositions == ["applied"] * 5
    assert driven.books.of_lines("A5", "contact_id") == {"c1": -200, "c2": -200}


def test_a_refund_long_after_its_order_is_an_orphan() -> None:
    """RUL-KEEP: more than 400 days after the order by occurred_at, whatever is in memory."""
    for day, orphan in ((402, 0), (403, -400)):
        books = check(
            f"""
            | day   | fact   | id | amount_minor | of |
            | 2     | order  | o1 |         1000 |    |
            | {day} | refund | r1 |          400 | o1 |
            """
        )
        assert books.total("A5x") == orphan
        assert books.total("unattributed") == 600 - orphan


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:01.0019999Z", 1001),
        ("1970-01-01T01:00:01.001+01:00", 1001),
        ("1999-12-31T23:59:59.9999Z", 946_684_799_999),
    ],
)
def test_times_are_cut_to_the_millisecond_towards_the_past(text: str, at_ms: int) -> None:
    """RUL-MS: never rounded up, so no contact outlives its order by it."""
    assert instant(text) == at_ms
