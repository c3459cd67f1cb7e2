"""Refunds: they come off the contacts that earned the order, however late they are."""

import pytest

from processors.policy import Policy
from tests.spec.scenario import check
from tests.support.facts import at


def test_a_refund_is_shared_like_the_order_it_takes_back() -> None:
    """10.00 GBP over three contacts leaves 6.67 of credit after a refund of 3.33, months later."""
    check(
        """
        | day | fact    | id | amount_minor | of |
        |   1 | contact | c1 |              |    |
        |   2 | contact | c2 |              |    |
        |   3 | contact | c3 |              |    |
        |   4 | order   | o1 |         1000 |    |
        | 190 | refund  | r1 |          333 | o1 |
        """,
        {"c1": 223, "c2": 222, "c3": 222},
        model="linear",
    )


@pytest.mark.parametrize("kind", ["refund", "chargeback", "credit_note", "cancellation"])
def test_a_full_refund_leaves_no_credit(kind: str) -> None:
    """I5: whatever it is called, taking back all leaves every credit at zero."""
    check(
        f"""
        | day | fact    | id | amount_minor | of |
        |   1 | contact | c1 |              |    |
        |   2 | contact | c2 |              |    |
        |   3 | order   | o1 |         1001 |    |
        |   9 | {kind}  | r1 |         1001 | o1 |
        """,
        {},
        model="linear",
    )


def test_refunds_apply_in_order_of_time_then_event() -> None:
    """DEF-REFUND: the A5 of each refund depends on what came before it, not on arrival."""
    books = check(
        """
        | day | fact    | id | amount_minor | of |
        |   1 | contact | c1 |              |    |
        |   2 | contact | c2 |              |    |
        |   3 | contact | c3 |              |    |
        |   4 | order   | o1 |         1000 |    |
        |   9 | refund  | r2 |            1 | o1 |
        |   8 | refund  | r1 |          666 | o1 |
        |   9 | refund  | r0 |            1 | o1 |
        """,
        {"c1": 111, "c2": 111, "c3": 110},
        model="linear",
    )
    assert books.total("A5", effective_at=at(7)) == -666
    assert books.total("A5", effective_at=at(8)) == -2


def test_what_takes_back_more_than_the_order_is_nobodys_loss() -> None:
    """DEF-REFUND: beyond the amount the credits are zero and the rest is unattributed."""
    check(
        """
        | day | fact    | id | amount_minor | of |
        |   1 | contact | c1 |              |    |
        |   2 | order   | o1 |         1000 |    |
        |   3 | refund  | r1 |         1300 | o1 |
        """,
        {"unattributed": -300},
    )


def test_no_class_pays_for_another() -> None:
    """RUL-OVER: 300 beyond the upgrade stay unattributed; the product line keeps its credit."""
    check(
        """
        | day | fact    | id | amount_minor | line | class   | of |
        |   1 | contact | c1 |              |      |         |    |
        |   2 | order   | o1 |         1000 | l1   | product |    |
        |   2 | order   | o1 |          200 | l2   | upgrade |    |
        |   3 | refund  | r1 |          500 | l2   | upgrade | o1 |
        """,
        {"c1": 1000, "unattributed": -300},
    )


def test_a_negative_sale_is_shared_with_its_sign() -> None:
    """RUL-SIGN: a sale of -1000 over three contacts: -334, -333, -333."""
    check(
        """
        | day | fact    | id | amount_minor |
        |   1 | contact | c1 |              |
        |   2 | contact | c2 |              |
        |   3 | contact | c3 |              |
        |   4 | order   | o1 |        -1000 |
        """,
        {"c1": -334, "c2": -333, "c3": -333},
        model="linear",
    )


def test_a_negative_refund_adds_to_its_order() -> None:
    """RUL-SIGN: a linked refund of -200 makes 1000 into 1200."""
    books = check(
        """
        | day | fact    | id | amount_minor | of |
        |   1 | contact | c1 |              |    |
        |   2 | order   | o1 |         1000 |    |
        |   3 | refund  | r1 |         -200 | o1 |
        """,
        {"c1": 1200},
    )
    assert books.total("A5") == 200


def test_a_negative_refund_without_an_order_is_a_positive_orphan() -> None:
    """RUL-SIGN: it adds to net revenue and to nobody's credit."""
    books = check(
        """
        | day | fact    | id | amount_minor |
        |   1 | contact | c1 |              |
        |   2 | order   | o1 |         1000 |
        |   3 | refund  | r1 |         -200 |
        """,
        {"c1": 1000},
    )
    assert books.total("A5x") == 200
    assert books.total("net") == -1200


def test_a_refund_finds_its_lines_by_id() -> None:
    """RUL-LINES: the line counts, not the class the refund claims."""
    books = check(
        """
        | day | fact    | id | amount_minor | line | class   | of |
        |   1 | contact | c1 |              |      |         |    |
        |   2 | order   | o1 |         1000 | l1   | product |    |
        |   2 | order   | o1 |          500 | l2   | upgrade |    |
        |   3 | refund  | r1 |          100 | l2   | product | o1 |
        """,
        {"c1": 1400},
    )
    assert books.of_lines("A5", "product_class") == {"upgrade": -100}


def test_a_refund_of_a_line_nobody_knows_is_split_by_what_is_left() -> None:
    """RUL-LINES: over classes by remaining net, here 500 to 1000, whatever it claims."""
    books = check(
        """
        | day | fact    | id | amount_minor | line | class   | of |
        |   1 | contact | c1 |              |      |         |    |
        |   2 | order   | o1 |         1000 | l1   | product |    |
        |   2 | order   | o1 |         1000 | l2   | upgrade |    |
        |   3 | refund  | r1 |          500 | l1   | product | o1 |
        |   4 | refund  | r2 |          301 | l9   | product | o1 |
        """,
        {"c1": 1199},
    )
    assert books.total("A5", product_class="product") == -600
    assert books.total("A5", product_class="upgrade") == -201


def test_with_nothing_left_the_first_class_pays() -> None:
    """RUL-UNLINKED: contract order decides: product before upgrade, whatever stands first."""
    books = check(
        """
        | day | fact         | id | amount_minor | line | class   | of |
        |   2 | order        | o1 |         1000 | l1   | upgrade |    |
        |   2 | order        | o1 |         1000 | l2   | product |    |
        |   3 | cancellation | r1 |              |      |         | o1 |
        |   4 | refund       | r2 |           50 | l9   | upgrade | o1 |
        """,
        {"unattributed": -50},
    )
    assert books.total("unattributed", product_class="product", effective_at=at(3)) == -50


def test_a_cancellation_may_name_the_lines_it_cancels() -> None:
    """RUL-LINES: the upgrade goes, the product stays."""
    books = check(
        """
        | day | fact         | id | amount_minor | line | class   | of |
        |   1 | contact      | c1 |              |      |         |    |
        |   2 | order        | o1 |         1000 | l1   | product |    |
        |   2 | order        | o1 |          300 | l2   | upgrade |    |
        |   3 | cancellation | x1 |              | l2   | upgrade | o1 |
        """,
        {"c1": 1000},
    )
    assert books.total("net") == -1000


def test_a_cancellation_undoes_what_is_left_of_either_sign() -> None:
    """RUL-LINES: after 1300 were refunded of 1000, the -300 are undone too."""
    books = check(
        """
        | day | fact         | id | amount_minor | of |
        |   1 | contact      | c1 |              |    |
        |   2 | order        | o1 |         1000 |    |
        |   3 | refund       | r1 |         1300 | o1 |
        |   4 | cancellation | x1 |              | o1 |
        """,
        {},
    )
    assert books.total("net") == 0


def test_an_unlinked_refund_takes_from_the_newest_order_first() -> None:
    """DEF-UNLINKED: 250 take the 200 of the newest order and 50 of the one before."""
    books = check(
        """
        | day | fact    | id | amount_minor |
        |   1 | contact | c1 |              |
        |   2 | order   | o1 |         1000 |
        |   3 | order   | o2 |          200 |
        |   4 | refund  | r1 |          250 |
        |   5 | order   | o3 |          500 |
        """,
        {"c1": 1450},
    )
    assert books.of_lines("A5", "order_id") == {"o1": -50, "o2": -200}


def test_unlinked_refunds_find_orders_as_time_runs_not_as_they_arrive() -> None:
    """RUL-UNLINKED: one sequence per customer, linked and unlinked together."""
    books = check(
        """
        | day | fact    | id | amount_minor | of |
        |   1 | order   | o1 |          300 |    |
        |   2 | order   | o2 |          300 |    |
        |   5 | refund  | r2 |          300 |    |
        |   4 | refund  | r1 |          200 | o2 |
        |   6 | refund  | r3 |          400 |    |
        """
    )
    assert books.of_lines("A5x", "order_id") == {"r3": -300}
    assert {at: o.net for (_, at), o in books.orders.items()} == {"o1": 0, "o2": 0}


def test_of_orders_made_at_once_the_greater_id_is_the_newer() -> None:
    """RUL-UNLINKED: and an order made at the refund's own time is not an earlier one."""
    books = check(
        """
        | day | fact    | id | amount_minor |
        |   1 | order   | o2 |          300 |
        |   1 | order   | o1 |          300 |
        |   4 | order   | o9 |          300 |
        |   4 | refund  | r1 |          100 |
        """
    )
    assert {at: o.net for (_, at), o in books.orders.items()} == {"o1": 300, "o2": 200, "o9": 300}


def test_an_unlinked_refund_stays_in_its_currency() -> None:
    """RUL-UNLINKED: euros are not taken from an order in pounds."""
    books = check(
        """
        | day | fact    | id | amount_minor | currency |
        |   1 | order   | o1 |          300 | EUR      |
        |   2 | order   | o2 |          300 | GBP      |
        |   4 | refund  | r1 |          400 | EUR      |
        """
    )
    assert books.of_lines("A5x", "currency") == {"EUR": -100}
    assert books.orders["k", "o2"].net == 300


def test_the_link_is_a_setting() -> None:
    """DEF-UNLINKED: turned off, a refund without an order is an orphan."""
    books = check(
        """
        | day | fact    | id | amount_minor |
        |   1 | order   | o1 |          300 |
        |   4 | refund  | r1 |          100 |
        """,
        {"unattributed": 300},
        policy=Policy(unlinked="orphan"),
    )
    assert books.of_lines("A5x", "order_id") == {"r1": -100}


def test_a_guests_refund_without_an_order_is_an_orphan() -> None:
    """DEF-UNLINKED: without a customer there is nobody whose orders to look through."""
    books = check(
        """
        | key | guest | day | fact    | id | amount_minor | in |
        | c1  | yes   |   1 | order   | o1 |          300 | c1 |
        | c1  | yes   |   4 | refund  | r1 |          100 | c1 |
        """
    )
    assert books.total("A5x") == -100


def test_an_unlinked_cancellation_takes_back_nothing() -> None:
    """RUL-UNLINKED is for refunds, chargebacks and credit notes: of no order nothing is left."""
    check(
        """
        | day | fact         | id | amount_minor |
        |   1 | order        | o1 |          300 |
        |   4 | cancellation | x1 |              |
        """,
        {"unattributed": 300},
    )


@pytest.mark.parametrize(
    "sale", ["| j | 1 | order | o1 | 300 | GBP | |", "| k | 1 | order | o1 | 300 | EUR | |"]
)
def test_a_refund_whose_order_is_elsewhere_is_an_orphan(sale: str) -> None:
    """RUL-REFUND-KEY: another customer's order, or one in another currency, loses nothing."""
    books = check(
        f"""
        | key | day | fact   | id | amount_minor | currency | of |
        {sale}
        | k   |   4 | refund | r1 |          100 | GBP      | o1 |
        """
    )
    assert books.of_lines("A5x", "order_id") == {"r1": -100}
    ((_, order),) = books.orders.items()
    assert order.net == 300


def test_an_orphan_moves_to_its_order_when_that_arrives() -> None:
    """DEF-ORPHAN: backwards, this table books A5x first, and nothing of it stays."""
    books = check(
        """
        | day | fact    | id | amount_minor | of |
        |   1 | contact | c1 |              |    |
        |   2 | order   | o1 |          300 |    |
        |   4 | refund  | r1 |          100 | o1 |
        """,
        {"c1": 200},
    )
    assert books.total("A5x") == 0


def test_an_adjustment_touches_no_order_and_no_contact() -> None:
    """DEF-ADJUST: it is in net revenue and on a line of its own."""
    books = check(
        """
        | day | fact       | id | amount_minor |
        |   1 | contact    | c1 |              |
        |   2 | order      | o1 |          300 |
        |   4 | adjustment | a1 |         -120 |
        """,
        {"c1": 300},
    )
    assert books.total("adjustment") == -120
    assert books.total("net") == -180


def test_a_cancellation_of_an_unknown_order_takes_back_nothing() -> None:
    """DEF-REFUND: a cancellation takes what is left, and of an order we do not hold nothing is."""
    books = check(
        """
        | key | day | fact         | id | amount_minor | of |
        | k   |   2 | order        | o1 |         1000 |    |
        | k   |   4 | cancellation | x1 |          300 | o9 |
        """,
        {"unattributed": 1000},
    )
    assert books.total("A5x") == 0
