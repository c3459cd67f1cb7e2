"""What contacts and orders cost: goods, handling, channels, concessions, overhead."""

from processors.policy import ChannelRate, Policy
from tests.oracle import Books
from tests.spec.scenario import check

FREE = Policy(loaded_per_hour_minor=0)


def test_goods_follow_the_credits_of_their_class() -> None:
    """RUL-COGS: a cost of 401 over two contacts is 201 and 200, on the line B."""
    books = check(
        """
        | day | fact    | id | amount_minor | goods |
        |   1 | contact | c1 |              |       |
        |   2 | contact | c2 |              |       |
        |   3 | order   | o1 |         1000 |   401 |
        """,
        {"c1": 500, "c2": 500},
        model="linear",
    )
    assert books.of_lines("B", "contact_id") == {"c1": -201, "c2": -200}


def test_goods_of_an_order_nobody_earned_are_nobodys_cost() -> None:
    """DEF of B: cost of goods stands on what was credited, so that A and B agree."""
    books = check(
        """
        | day | fact  | id | amount_minor | goods |
        |   3 | order | o1 |         1000 |   400 |
        """,
        {"unattributed": 1000},
    )
    assert books.total("B") == 0


def test_without_a_cost_the_margin_is_taken_and_rounded_once() -> None:
    """RUL-COGS: 1000001 ppm of nothing: a margin of 40 % leaves 60 %, half-even, by class."""
    policy = Policy(margin_ppm=400_000, margin_ppm_by_class={"upgrade": 500_000})
    books = check(
        """
        | day | fact    | id | amount_minor | line | class   | goods  |
        |   1 | contact | c1 |              |      |         |        |
        |   3 | order   | o1 |            5 | l1   | product | margin |
        |   3 | order   | o1 |            5 | l2   | upgrade | margin |
        |   3 | order   | o1 |            7 | l3   | upgrade | margin |
        """,
        {"c1": 17},
        policy=policy,
    )
    assert books.total("B", product_class="product") == -3
    assert books.total("B", product_class="upgrade") == -(2 + 4)


def test_a_refund_takes_goods_back_in_proportion() -> None:
    """RUL-COGS: 1000 less 333 cost 667/1000 of 401: 267, of which 134 come back to B."""
    books = check(
        """
        | day | fact    | id | amount_minor | goods | of |
        |   1 | contact | c1 |              |       |    |
        |   3 | order   | o1 |         1000 |   401 |    |
        |   9 | refund  | r1 |          333 |       | o1 |
        """,
        {"c1": 667},
    )
    assert sorted(books.of_lines("B", "effective_at").values()) == [-401, 134]


def test_a_gift_costs_its_goods_until_it_is_cancelled() -> None:
    """RUL-COGS: a line of nothing costs all of its goods; cancelled, none."""
    table = """
        | day | fact         | id | amount_minor | line | goods | of |
        |   1 | contact      | c1 |              |      |       |    |
        |   3 | order        | o1 |         1000 | l1   |   400 |    |
        |   3 | order        | o1 |            0 | l2   |    50 |    |
    """
    assert check(table, {"c1": 1000}).total("B") == -450
    whole = table + "| 4 | refund | r1 | 1000 | l1 | | o1 |"
    assert check(whole, {}).total("B") == -50
    cancelled = table + "| 4 | cancellation | x1 | | l2 | | o1 |"
    assert check(cancelled, {"c1": 1000}).total("B") == -400


def test_support_has_goods_at_the_centre_and_maintenance_has_none() -> None:
    """RUL-COGS: also where a margin is set for all classes."""
    books = check(
        """
        | day | fact  | id | amount_minor | line | class       | goods  |
        |   3 | order | o1 |         1000 | l1   | support     | 250    |
        |   3 | order | o1 |         1000 | l2   | maintenance | margin |
        """,
        {"centre": 2000},
    )
    assert books.of_lines("B", "contact_id") == {"": -250}
    assert books.of_lines("B", "product_class") == {"support": -250}


def test_handling_is_paid_by_agent_else_queue_else_default() -> None:
    """RUL-C1: talk, hold and wrap of every leg, at the rate of who did it."""
    policy = Policy(
        loaded_per_hour_minor=3600,
        loaded_per_hour_minor_by_queue={"billing": 7200},
        loaded_per_hour_minor_by_agent={"a1": 36000},
    )
    books = check(
        """
        | day | fact    | id | queue   | agent | talk | hold | wrap |
        |   1 | contact | c1 | billing | a1    | 10   | 10   | 10   |
        |   1 | contact | c2 | billing | a2    | 10   | 10   | 10   |
        |   1 | contact | c3 | sales   | a2    | 10   | 10   | 10   |
        |   1 | contact | c4 | sales   |       | 10   | 10   | 10   |
        """,
        policy=policy,
    )
    assert books.of_lines("C1", "leg_id") == {"c1": -300, "c2": -60, "c3": -30, "c4": -30}
    assert books.chains["k", "c1"].cost == -300


def test_self_service_without_an_agent_costs_no_handling() -> None:
    """RUL-C1: with an agent it does; who was deliberately not contacted costs nothing."""
    books = check(
        """
        | day | fact    | id | code         | agent | arm     |
        |   1 | contact | c1 | self_service |       |         |
        |   1 | contact | c2 | self_service | a1    |         |
        |   1 | contact | c3 |              | a1    | control |
        """,
        policy=Policy(channels={"voice": ChannelRate(per_contact_minor=7)}),
    )
    assert books.of_lines("C1", "contact_id") == {"c2": -250}
    assert books.of_lines("C3", "contact_id") == {"c1": -7, "c2": -7}


def test_a_channel_costs_per_chain_and_per_minute_of_each_leg() -> None:
    """RUL-C3: 12 once, abandoned too, and 3 a minute of talk and hold, rounded leg by leg."""
    policy = Policy(
        loaded_per_hour_minor=0,
        channels={"voice": ChannelRate(per_contact_minor=12, per_minute_minor=3)},
    )
    books = check(
        """
        | day | time  | fact    | id | channel | talk | hold | wrap | after | lost      |
        |   1 | 10:00 | contact | c1 | voice   | 30   | 20   | 90   |       |           |
        |   1 | 10:10 | contact | c2 | voice   | 50   |      |      | c1    |           |
        |   2 | 10:00 | contact | c3 | voice   | 0    |      |      |       | abandoned |
        |   3 | 10:00 | contact | c4 | chat    | 600  |      |      |       |           |
        """,
        policy=policy,
    )
    assert books.of_lines("C3", "contact_id") == {"c1": -16, "c3": -12}


def test_costs_stand_on_the_contact_they_name() -> None:
    """RUL-C3, C4: by leg or chain_id; their own queue first; unknown names stand alone."""
    books = check(
        """
        | day | fact       | id | amount_minor | chain | in | queue |
        |   1 | contact    | c1 |              | ch    |    |       |
        |   1 | contact    | c2 |              | ch    |    |       |
        |   9 | concession | x1 |          500 |       | c2 |       |
        |   9 | concession | x2 |           70 |       | ch | sales |
        |   9 | concession | x3 |            9 |       | c9 |       |
        |   9 | channel    | x4 |            4 |       | ch |       |
        """,
        policy=FREE,
    )
    assert books.of_lines("C4", "contact_id") == {"c1": -570, "": -9}
    assert books.of_lines("C4", "queue") == {"billing": -500, "sales": -70, "": -9}
    assert books.of_lines("C3", "contact_id") == {"c1": -4}
    assert books.chains["k", "c1"].cost == -574


def test_a_cost_finds_its_contact_when_that_arrives_or_leaves() -> None:
    """C4: withdrawn, the contact gives the concession back to nobody in particular."""
    table = """
        | day | fact       | id | amount_minor | in | revision | withdrawn |
        |   9 | concession | x1 |          500 | c1 |          |           |
        |   1 | contact    | c1 |              |    |          |           |
    """
    assert check(table, policy=FREE).of_lines("C4", "contact_id") == {"c1": -500}
    gone = table + "| 1 | contact | c1 | | | 1 | yes |"
    assert check(gone, policy=FREE).of_lines("C4", "contact_id") == {"": -500}


def test_overhead_is_spread_by_day_over_its_period() -> None:
    """RUL-SPREAD: local dates, [start, end), the day the clocks change like any other."""
    books = check(
        """
        | day | fact       | id | amount_minor | period                 |
        |  20 | overhead   | x1 |          100 | 2024-03-29..2024-04-05 |
        |  20 | technology | x2 |            7 |                        |
        |  20 | facilities | x3 |           70 | 2024-03-31..2024-04-01 |
        """
    )
    assert daily(books) == [-14, -14, -84, -15, -14, -14, -15]
    assert books.total("C5") == -177


def test_other_kinds_with_a_period_are_not_spread() -> None:
    """RUL-SPREAD: only C5 is; a channel's bill stands on the day it was sent."""
    books = check(
        """
        | day | fact       | id | amount_minor | period                 |
        |  20 | channel    | x1 |          100 | 2024-03-29..2024-04-05 |
        |  20 | payroll    | x2 |           50 | 2024-03-29..2024-04-05 |
        """
    )
    assert daily(books) == []
    assert books.total("C3") == -100


def test_training_attrition_and_leadership_are_one_line_and_payroll_is_kept_beside() -> None:
    """C6 under their own kinds; payroll whole on its control line, the base of C1 + C2 + C7."""
    books = check(
        """
        | day | fact       | id | amount_minor |
        |   1 | payroll    | x1 |          100 |
        |   1 | training   | x2 |           20 |
        |   1 | attrition  | x3 |            3 |
        |   1 | leadership | x4 |          400 |
        """
    )
    assert books.of_lines("payroll", "kind") == {"payroll": -100}
    assert books.of_lines("C6", "kind") == {
        "training": -20,
        "attrition": -3,
        "leadership": -400,
    }


def daily(books: Books) -> list[int]:
    """Return what each day costs, from the first to the last that does."""
    sums: dict[int, int] = {}
    for (_, day), amount in books.daily.items():
        sums[day] = sums.get(day, 0) + amount
    return [amount for _, amount in sorted(sums.items())]
