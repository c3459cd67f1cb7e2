"""Support fees: what a contact is charged, and when an order line stands in for it."""

import pytest

from processors.policy import Policy, Tariff
from tests.spec.scenario import check

PAID = Policy(
    loaded_per_hour_minor=0,
    tariffs={
        "minute": Tariff(
            kind="per_minute", per_hour_minor=6000, minimum_ms=60_000, increment_ms=30_000
        ),
        "event": Tariff(kind="per_event", amount_minor=900),
        "flat": Tariff(kind="flat", amount_minor=500),
        "term": Tariff(kind="per_term", amount_minor=100, term_days=7),
    },
)


@pytest.mark.parametrize(
    ("talk", "hold", "fee"),
    [("10", "0", 100), ("60", "0", 100), ("60.001", "0", 150), ("80", "10", 150), ("0", "0", 100)],
)
def test_time_is_charged_by_the_started_increment(talk: str, hold: str, fee: int) -> None:
    """RUL-FEE: talk and hold, at least the minimum, rounded up to the increment, rated once."""
    books = check(
        f"""
        | day | fact    | id | tariff | talk   | hold   | wrap |
        |   1 | contact | c1 | minute | {talk} | {hold} | 600  |
        """,
        policy=PAID,
    )
    assert books.of_lines("A2b", "tariff") == {"minute": fee}
    assert books.chains["k", "c1"].fee == fee


def test_time_is_summed_over_the_legs_that_carry_the_tariff() -> None:
    """RUL-FEE: 40 s and 40 s of one chain are 80 s, charged once; the leg between is free."""
    books = check(
        """
        | day | time  | fact    | id | tariff | talk | after |
        |   1 | 10:00 | contact | c1 | minute | 40   |       |
        |   1 | 10:10 | contact | c2 |        | 300  | c1    |
        |   1 | 10:20 | contact | c3 | minute | 40   | c2    |
        """,
        policy=PAID,
    )
    assert books.of_lines("A2b", "contact_id") == {"c1": 150}


def test_an_event_is_charged_once_per_case() -> None:
    """RUL-FEE: at the earliest handled contact that carries it, whichever arrived first."""
    books = check(
        """
        | day | fact    | id | tariff | case | lost      |
        |   1 | contact | c0 |        | one  |           |
        |   2 | contact | c1 | event  | one  | abandoned |
        |   3 | contact | c2 | event  | one  |           |
        |   4 | contact | c3 | event  | one  |           |
        |   5 | contact | c4 | event  |      |           |
        |   6 | contact | c5 | event  |      |           |
        """,
        policy=PAID,
    )
    assert books.of_lines("A2a", "contact_id") == {"c2": 900, "c4": 900, "c5": 900}


def test_a_flat_fee_is_charged_once_per_handled_chain() -> None:
    """RUL-FEE: legs do not multiply it, cases do not share it, who gave up pays nothing."""
    books = check(
        """
        | day | time  | fact    | id | tariff | case | after | lost      |
        |   1 | 10:00 | contact | c1 | flat   | one  |       |           |
        |   1 | 10:10 | contact | c2 | flat   | one  | c1    |           |
        |   2 | 10:00 | contact | c3 | flat   | one  |       |           |
        |   3 | 10:00 | contact | c4 | flat   | one  |       | abandoned |
        """,
        policy=PAID,
    )
    assert books.of_lines("A2c", "contact_id") == {"c1": 500, "c3": 500}


def test_an_explicit_amount_is_charged_for_each_fact_in_its_currency() -> None:
    """RUL-FEE: each leg that names an amount is charged it, dated by the chain's end."""
    books = check(
        """
        | day | time  | fact    | id | amount_minor | currency | after |
        |   1 | 10:00 | contact | c1 |          100 | GBP      |       |
        |   1 | 10:10 | contact | c2 |          200 | GBP      | c1    |
        |   1 | 10:20 | contact | c3 |           50 | EUR      | c2    |
        """,
        policy=PAID,
    )
    assert books.of_lines("A2c", "currency") == {"GBP": 300, "EUR": 50}
    assert len(books.of_lines("A2c", "effective_at")) == 1
    assert books.chains["k", "c1"].fee == 300


@pytest.mark.parametrize("tariff", ["minute", "event", "flat"])
def test_a_support_order_line_of_the_contact_is_the_one_sale(tariff: str) -> None:
    """RUL-FEE: the order line is booked, the fee is not, and a refund does not bring it back."""
    books = check(
        f"""
        | day | fact    | id | amount_minor | class   | tariff   | in | of |
        |   1 | contact | c1 |              |         | {tariff} |    |    |
        |   1 | contact | c2 |              |         | {tariff} |    |    |
        |   2 | order   | o1 |          700 | support |          | c1 |    |
        |   3 | refund  | r1 |          700 | support |          |    | o1 |
        """,
        {},
        policy=PAID,
    )
    assert books.chains["k", "c1"].fee == 0
    assert books.chains["k", "c2"].fee > 0


def test_a_support_order_line_in_any_contact_of_the_case_displaces_the_event_fee() -> None:
    """RUL-FEE: the flat fee of the other contact stays, the fee of the case goes."""
    books = check(
        """
        | day | fact    | id | amount_minor | class   | tariff | case | in |
        |   1 | contact | c1 |              |         | event  | one  |    |
        |   1 | contact | c2 |              |         | flat   | one  |    |
        |   2 | contact | c3 |              |         | flat   | one  |    |
        |   2 | order   | o1 |          700 | support |        |      | c3 |
        """,
        policy=PAID,
    )
    assert books.total("A2a", contact_id="c1") == 0
    assert books.of_lines("A2c", "contact_id") == {"c2": 500}


def test_a_product_order_displaces_no_fee() -> None:
    """RUL-FEE: only a support line and the fee are one sale."""
    books = check(
        """
        | day | fact    | id | amount_minor | class   | tariff | in |
        |   1 | contact | c1 |              |         | flat   |    |
        |   2 | order   | o1 |          700 | product |        | c1 |
        """,
        {"c1": 700},
        policy=PAID,
    )
    assert books.total("A2c") == 500


def test_the_order_that_displaced_a_fee_may_be_withdrawn() -> None:
    """RUL-FEE, RUL-WITHDRAW: then it has never been, and the fee is due again."""
    books = check(
        """
        | day | fact    | id | amount_minor | class   | tariff | in | revision | withdrawn |
        |   1 | contact | c1 |              |         | flat   |    |          |           |
        |   2 | order   | o1 |          700 | support |        | c1 |          |           |
        |   2 | order   | o1 |          700 | support |        | c1 |        1 | yes       |
        """,
        {},
        policy=PAID,
    )
    assert books.total("A2c") == 500


def test_a_fee_for_a_term_is_earned_by_the_day_from_the_contacts_own_on() -> None:
    """DEF-ACCRUAL, RUL-SPREAD: 100 over 7 days, once a chain, on A2b; the fee itself is whole."""
    books = check(
        """
        | day | time  | fact    | id | tariff | after |
        |   1 | 12:00 | contact | c1 | term   |       |
        |   1 | 12:10 | contact | c2 | term   | c1    |
        """,
        policy=PAID,
    )
    assert books.of_lines("A2b", "tariff") == {"term": 100}
    assert books.chains["k", "c1"].fee == 100
    days = {day: amount for (_, day), amount in books.daily.items()}
    assert list(days.values()) == [14, 14, 14, 15, 14, 14, 15]
    assert min(days) == 19_783  # 2024-03-01


def test_a_support_order_line_displaces_a_fee_for_a_term_too() -> None:
    """RUL-FEE: a fee and a support order line of the same contact are one sale."""
    books = check(
        """
        | day | fact    | id | tariff | amount_minor | class   | in | goods |
        |   1 | contact | c1 | term   |              |         |    |       |
        |   2 | order   | o1 |        |          300 | support | c1 | 0     |
        """,
        policy=PAID,
    )
    assert books.total("A2b") == 0
    assert not books.daily
