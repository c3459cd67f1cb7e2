"""In-contact sales: an order that names its contact, or the agent who keyed it."""

import pytest

from tests.spec.scenario import check


def test_an_order_goes_whole_to_the_contact_it_names() -> None:
    """A1a: neither the model nor the lookback is asked; upgrades too, on their own line."""
    books = check(
        """
        | day | fact    | id | amount_minor | line | class   | in |
        |   1 | contact | c1 |              |      |         |    |
        |  50 | contact | c2 |              |      |         |    |
        |  51 | order   | o1 |         1000 | l1   | product | c1 |
        |  51 | order   | o1 |          300 | l2   | upgrade | c1 |
        """,
        {"c1": 1300},
    )
    assert books.of_lines("A1a", "contact_id") == {"c1": 1000}
    assert books.of_lines("A4", "contact_id") == {"c1": 300}


@pytest.mark.parametrize("name", ["c1", "c2", "ch"])
def test_any_leg_or_the_chain_id_names_the_chain(name: str) -> None:
    """RUL-SOLD: the credit goes to the chain, under the name of its first leg."""
    check(
        f"""
        | day | time  | fact    | id | amount_minor | chain | in     |
        |   1 | 10:00 | contact | c1 |              | ch    |        |
        |   1 | 10:10 | contact | c2 |              | ch    |        |
        |   1 | 11:00 | contact | c3 |              |       |        |
        |   2 | 10:00 | order   | o1 |         1000 |       | {name} |
        """,
        {"c1": 1000},
    )


def test_an_order_that_names_a_contact_we_cannot_credit_is_unattributed() -> None:
    """RUL-SOLD: unknown, not handled, or another customer's; the other contacts do not earn."""
    check(
        """
        | key | day | fact    | id | amount_minor | in | lost      |
        | k   |   1 | contact | c1 |              |    |           |
        | k   |   1 | contact | c2 |              |    | abandoned |
        | j   |   1 | contact | c3 |              |    |           |
        | k   |   2 | order   | o1 |          100 | c9 |           |
        | k   |   2 | order   | o2 |           20 | c2 |           |
        | k   |   2 | order   | o3 |            3 | c3 |           |
        """,
        {"unattributed": 123},
    )


def test_the_contact_an_order_names_may_arrive_later_or_leave() -> None:
    """RUL-SOLD: unattributed until that changes, and again when the contact is withdrawn."""
    table = """
        | day | fact    | id | amount_minor | in | revision | withdrawn |
        |   1 | contact | c1 |              |    |          |           |
        |   2 | order   | o1 |         1000 | c2 |          |           |
        |   2 | contact | c2 |              |    |          |           |
    """
    check(table, {"c2": 1000})
    check(table + "| 2 | contact | c2 | | | 1 | yes |", {"unattributed": 1000})


def test_maintenance_sold_in_a_contact_stays_with_the_centre() -> None:
    """DEF-UNIT: the contact named earns the product line only."""
    check(
        """
        | day | fact    | id | amount_minor | line | class       | in | term                   |
        |   1 | contact | c1 |              |      |             |    |                        |
        |   2 | order   | o1 |         1000 | l1   | product     | c1 |                        |
        |   2 | order   | o1 |          365 | l2   | maintenance | c1 | 2024-03-02..2025-03-02 |
        |   3 | order   | o2 |          100 | l1   | maintenance | c9 | 2024-03-02..2025-03-02 |
        """,
        {"c1": 1000, "centre": 465},
    )


@pytest.mark.parametrize(
    ("time", "credit"),
    [
        ("10:54:59.999", {"unattributed": 1000}),
        ("10:55", {"c1": 1000}),
        ("11:00", {"c1": 1000}),
        ("11:02", {"c1": 1000}),
    ],
)
def test_an_order_keyed_by_the_agent_of_an_open_contact_is_sold_in_it(
    time: str, credit: dict[str, int]
) -> None:
    """RUL-OPEN: from the leg's start to the end of its wrap, both inclusive."""
    books = check(
        f"""
        | day | time   | fact    | id | amount_minor | agent | wrap |
        |   1 | 11:00  | contact | c1 |              | a1    | 120  |
        |   1 | {time} | order   | o1 |         1000 | a1    |      |
        """,
        credit,
    )
    assert books.total("A1a") == credit.get("c1", 0)


def test_after_the_wrap_an_agents_order_is_attributed_like_any_other() -> None:
    """RUL-OPEN: a millisecond after the wrap it is a post-contact sale."""
    books = check(
        """
        | day | time         | fact    | id | amount_minor | agent | wrap |
        |   1 | 11:00        | contact | c1 |              | a1    | 120  |
        |   1 | 11:02:00.001 | order   | o1 |         1000 | a1    |      |
        """,
        {"c1": 1000},
    )
    assert books.total("A1b") == 1000


def test_an_agent_with_two_open_contacts_of_the_customer_decides_nothing() -> None:
    """RUL-OPEN: with two chats open the order is attributed by the model, not by the agent."""
    books = check(
        """
        | day | time  | fact    | id | amount_minor | agent | talk | wrap |
        |   1 | 09:00 | contact | c0 |              | a2    |      |      |
        |   1 | 11:00 | contact | c1 |              | a1    | 3600 |      |
        |   1 | 11:10 | contact | c2 |              | a1    | 3600 |      |
        |   1 | 10:30 | order   | o1 |         1000 | a1    |      |      |
        """,
        {"c0": 1000},
    )
    assert books.total("A1a") == 0


def test_two_open_legs_of_one_chain_are_one_open_contact() -> None:
    """RUL-OPEN: it is chains that are counted, and only handled ones."""
    check(
        """
        | day | time  | fact    | id | amount_minor | agent | talk | chain | lost   |
        |   1 | 11:00 | contact | c1 |              | a1    | 3600 | ch    |        |
        |   1 | 11:10 | contact | c2 |              | a1    | 3600 | ch    |        |
        |   1 | 11:10 | contact | c3 |              | a1    | 3600 |       | silent |
        |   1 | 10:30 | order   | o1 |         1000 | a1    |      |       |        |
        """,
        {"c1": 1000},
    )


def test_an_order_placed_during_a_contact_does_not_count_for_it() -> None:
    """RUL-DURING: without contact or agent on the order, the running contact earns nothing."""
    check(
        """
        | day | time  | fact    | id | amount_minor | agent | talk |
        |   1 | 09:00 | contact | c1 |              | a1    |      |
        |   1 | 11:00 | contact | c2 |              | a1    | 3600 |
        |   1 | 10:30 | order   | o1 |         1000 |       |      |
        |   1 | 10:30 | order   | o2 |          100 | a2    |      |
        """,
        {"c1": 1100},
    )
