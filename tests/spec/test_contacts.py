"""Legs, chains, cases: which contacts there are and which of them can earn."""

import pytest

from processors.policy import DAY_MS, Policy
from streams.facts import Fact
from tests.spec.scenario import check, settled
from tests.support.facts import at, contact, order


@pytest.mark.parametrize(
    ("fields", "handled", "abandoned"),
    [
        ("| 60   |           |              |         |", True, False),
        ("| 60   |           | self_service |         |", True, False),
        ("| 0    | silent    | self_service |         |", True, False),
        ("| 60   |           | test         |         |", False, False),
        ("| 60   |           | wrong_number |         |", False, False),
        ("| 60   |           | phantom      |         |", False, False),
        ("| 0    | abandoned |              |         |", False, True),
        ("| 0    | abandoned | phantom      |         |", False, False),
        ("| 0    | silent    |              |         |", False, False),
        ("| 60   |           |              | control |", False, False),
        ("| 60   |           |              | treated |", True, False),
    ],
)
def test_what_counts_as_handled(fields: str, handled: bool, abandoned: bool) -> None:
    """RUL-HANDLED: talk or self-service handles, four words are reserved, a control never."""
    books = check(
        f"""
        | day | fact    | id | amount_minor | talk | lost      | code         | arm     |
        |   1 | contact | c1 |              {fields}
        |   2 | order   | o1 |         1000 |      |           |              |         |
        """,
        {"c1": 1000} if handled else {"unattributed": 1000},
    )
    chain = books.chains["k", "c1"]
    assert (chain.handled, chain.abandoned) == (handled, abandoned)


def test_legs_joined_by_transfer_are_one_contact() -> None:
    """RUL-CHAIN: named by the first leg; the transfer earns nothing by itself."""
    books = check(
        """
        | day | time  | fact    | id | amount_minor | after |
        |   1 | 10:00 | contact | c1 |              |       |
        |   1 | 10:10 | contact | c2 |              | c1    |
        |   1 | 10:20 | contact | c3 |              | c2    |
        |   1 | 11:00 | contact | c4 |              |       |
        |   2 | 10:00 | order   | o1 |         1000 |       |
        """,
        {"c1": 500, "c4": 500},
        model="linear",
    )
    assert sorted(books.chains) == [("k", "c1"), ("k", "c4")]


def test_a_chain_id_wins_over_a_transfer() -> None:
    """RUL-CHAIN: a leg with a chain_id belongs there, whatever it was transferred from."""
    check(
        """
        | day | time  | fact    | id | amount_minor | after | chain |
        |   1 | 10:00 | contact | c1 |              |       | one   |
        |   1 | 10:10 | contact | c2 |              | c1    | two   |
        |   1 | 10:20 | contact | c3 |              | c2    |       |
        |   2 | 10:00 | order   | o1 |         1000 |       |       |
        """,
        {"c1": 500, "c2": 500},
        model="linear",
    )


def test_legs_stay_apart_until_what_joins_them_arrives() -> None:
    """RUL-CHAIN: c1 and c3 are two contacts while c2, from which c3 came, is not there."""
    apart = """
        | day | time  | fact    | id | amount_minor | after | revision | withdrawn |
        |   1 | 10:00 | contact | c1 |              |       |          |           |
        |   1 | 10:20 | contact | c3 |              | c2    |          |           |
        |   2 | 10:00 | order   | o1 |         1000 |       |          |           |
    """
    joined = apart + "|   1 | 10:10 | contact | c2 |              | c1    |          |           |"
    parted = joined + "\n|   1 | 10:10 | contact | c2 |              | c1    | 1 | yes |"
    check(apart, {"c1": 500, "c3": 500}, model="linear")
    check(joined, {"c1": 1000}, model="linear")
    check(parted, {"c1": 500, "c3": 500}, model="linear")


def test_a_chain_belongs_to_the_case_of_its_latest_leg_that_has_one() -> None:
    """RUL-CHAIN: c1 began under case one, went on under case two: it shares with c3 there."""
    books = check(
        """
        | day | time  | fact    | id | amount_minor | after | case |
        |   1 | 10:00 | contact | c1 |              |       | one  |
        |   1 | 10:10 | contact | c2 |              | c1    | two  |
        |   2 | 10:00 | contact | c3 |              |       | two  |
        |   3 | 10:00 | contact | c4 |              |       | one  |
        |   4 | 10:00 | order   | o1 |         1200 |       |      |
        """,
        {"c1": 400, "c3": 200, "c4": 600},
        model="linear",
    )
    assert books.chains["k", "c1"].case_id == "two"


def test_a_chain_shows_the_queue_of_its_last_connected_leg() -> None:
    """RUL-DIMS: credits stand with who talked last; handling keeps each leg's own queue."""
    books = check(
        """
        | day | time  | fact    | id | amount_minor | after | queue   | agent | lost      | wrap |
        |   1 | 10:00 | contact | c1 |              |       | billing | a1    |           |      |
        |   1 | 10:10 | contact | c2 |              | c1    | sales   | a2    |           |      |
        |   1 | 10:20 | contact | c3 |              | c2    | expert  |       | abandoned | 30   |
        |   2 | 10:00 | order   | o1 |         1000 |       |         |       |           |      |
        """,
        {"c1": 1000},
    )
    assert books.of_lines("A1b", "queue") == {"sales": 1000}
    assert books.of_lines("A1b", "agent_id") == {"a2": 1000}
    assert books.of_lines("C1", "queue") == {"billing": -250, "sales": -250, "expert": -275}


def test_a_chain_nobody_answered_shows_its_last_leg() -> None:
    """RUL-DIMS: without a connected leg the last one gives the queue."""
    books = check(
        """
        | day | time  | fact    | id | after | queue   | lost      | talk |
        |   1 | 10:00 | contact | c1 |       | billing | silent    | 0    |
        |   1 | 10:10 | contact | c2 | c1    | sales   | abandoned | 0    |
        """,
        {},
    )
    assert books.chains["k", "c1"].queue == "sales"


@pytest.mark.parametrize(
    ("lag_ms", "credit"), [(0, 1000), (-1, 0), (30 * DAY_MS, 1000), (30 * DAY_MS + 1, 0)]
)
def test_a_contact_earns_from_its_end_to_the_end_of_the_lookback(lag_ms: int, credit: int) -> None:
    """DEF-ELIG, RUL-MS: both ends belong to the lookback, exactly in milliseconds."""
    facts: list[Fact] = [contact("c1", at(40) - lag_ms), order("o1", at(40), 1000)]
    books = settled(facts, Policy())
    assert books.total("A1b") == credit
    assert books.total("unattributed") == 1000 - credit


def test_a_lookback_is_set_by_class() -> None:
    """DEF-W: an upgrade 40 days later is earned where upgrades look back 60 days."""
    policy = Policy(lookback_ms_by_class={"upgrade": 60 * DAY_MS})
    books = check(
        """
        | day | fact    | id | amount_minor | line | class   |
        |   1 | contact | c1 |              |      |         |
        |  41 | order   | o1 |         1000 | l1   | product |
        |  41 | order   | o1 |          300 | l2   | upgrade |
        """,
        {"c1": 300, "unattributed": 1000},
        policy=policy,
    )
    assert books.total("A4") == 300


def test_a_case_counts_from_its_last_eligible_contact() -> None:
    """DEF-ELIG: the case's last contact before the order is its time, a later one is not."""
    check(
        """
        | day | time  | fact    | id | amount_minor | case |
        |   1 | 10:00 | contact | c1 |              | one  |
        |   2 | 10:00 | contact | c2 |              |      |
        |   3 | 10:00 | contact | c3 |              | one  |
        |   4 | 10:00 | order   | o1 |         1000 |      |
        |   5 | 10:00 | contact | c4 |              | one  |
        """,
        {"c1": 500, "c3": 500},
    )


def test_contacts_of_a_case_without_handling_time_share_equally() -> None:
    """DEF-CASESPLIT: no handling time at all, equal parts, the odd unit to the earliest."""
    check(
        """
        | day | fact    | id | amount_minor | case | talk | code         | lost   |
        |   1 | contact | c1 |              | one  | 0    | self_service | silent |
        |   2 | contact | c2 |              | one  | 0    | self_service | silent |
        |   3 | order   | o1 |         1001 |      |      |              |        |
        """,
        {"c1": 501, "c2": 500},
    )


def test_a_contact_that_ends_with_another_comes_in_order_of_name() -> None:
    """DEF-MODEL: of contacts that end together the greater name in bytes is the last."""
    check(
        """
        | day | fact    | id | amount_minor |
        |   1 | contact | c2 |              |
        |   1 | contact | c1 |              |
        |   1 | contact | C9 |              |
        |   2 | order   | o1 |         1000 |
        """,
        {"c2": 1000},
    )


def test_an_order_without_contacts_is_unattributed() -> None:
    """DEF-UNATTR, I2: never dropped, never spread over those who had nothing to do with it."""
    check(
        """
        | key | day | fact    | id | amount_minor |
        | j   |   1 | contact | c1 |              |
        | k   |   2 | order   | o1 |         1000 |
        """,
        {"unattributed": 1000},
    )


def test_weights_that_all_round_to_nothing_earn_nothing() -> None:
    """DEF-SPLIT: with a sum of weights of zero the amount is unattributed, one contact or two."""
    policy = Policy(lookback_ms=390 * DAY_MS)
    for day, due in ((227, {"c1": 1000}), (300, {"unattributed": 1000})):
        check(
            f"""
            | day   | fact    | id | amount_minor |
            | 1     | contact | c1 |              |
            | {day} | order   | o1 |         1000 |
            """,
            due,
            model="time_decay",
            policy=policy,
        )
