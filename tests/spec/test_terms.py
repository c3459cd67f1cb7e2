"""Terms: revenue that is earned day by day, and what a refund or cancellation leaves of it."""

from tests.oracle import Books
from tests.spec.scenario import check

TERM = "2024-03-01..2024-03-11"


def days(books: Books) -> list[int]:
    """Return what each day of all terms earns, from the first to the last that does."""
    sums: dict[int, int] = {}
    for (_, day), amount in books.daily.items():
        sums[day] = sums.get(day, 0) + amount
    return [amount for _, amount in sorted(sums.items())]


def test_a_refund_first_reduces_what_is_deferred() -> None:
    """RUL-TERM: on day 4 of 10, 700 of 1000 are deferred; 350 less leave 50 a day."""
    books = check(
        f"""
        | day | fact   | id | amount_minor | class       | term   | of |
        |   1 | order  | o1 |         1000 | maintenance | {TERM} |    |
        |   4 | refund | r1 |          350 | maintenance |        | o1 |
        """,
        {"centre": 650},
    )
    assert days(books) == [100, 100, 100, 50, 50, 50, 50, 50, 50, 50]
    assert books.total("A5") == 0


def test_only_what_was_earned_is_refunded_as_a5() -> None:
    """RUL-TERM: on day 9 only 200 are deferred, so 300 back are 200 of those and 100 of A5."""
    books = check(
        f"""
        | day | fact   | id | amount_minor | class       | term   | of |
        |   1 | order  | o1 |         1000 | maintenance | {TERM} |    |
        |   9 | refund | r1 |          300 | maintenance |        | o1 |
        """,
        {"centre": 700},
    )
    assert sum(days(books)) == 800
    assert books.of_lines("A5", "contact_id") == {"": -100}


def test_a_refund_after_the_term_is_all_a5() -> None:
    """RUL-TERM: nothing is deferred, every day stays as it was."""
    books = check(
        f"""
        | day | fact   | id | amount_minor | class       | term   | of |
        |   1 | order  | o1 |         1000 | maintenance | {TERM} |    |
        |  11 | refund | r1 |          300 | maintenance |        | o1 |
        """,
        {"centre": 700},
    )
    assert days(books) == [100] * 10
    assert books.total("A5") == -300


def test_the_day_of_cancellation_is_not_earned() -> None:
    """RUL-TERM: cancelled on day 4, three days stay earned and stay revenue."""
    books = check(
        f"""
        | day | fact         | id | amount_minor | class       | term   | of |
        |   1 | order        | o1 |         1000 | maintenance | {TERM} |    |
        |   4 | cancellation | x1 |              |             |        | o1 |
        """,
        {"centre": 300},
    )
    assert days(books) == [100, 100, 100]
    assert books.total("net") == -300
    assert books.total("A5") == 0


def test_a_term_is_cut_again_by_each_refund() -> None:
    """RUL-TERM: days before a cut never move, an earlier refund that arrives later included."""
    books = check(
        f"""
        | day | fact   | id | amount_minor | class       | term   | of |
        |   1 | order  | o1 |         1000 | maintenance | {TERM} |    |
        |   6 | refund | r2 |           50 | maintenance |        | o1 |
        |   3 | refund | r1 |          400 | maintenance |        | o1 |
        """,
        {"centre": 550},
    )
    assert days(books) == [100, 100, 50, 50, 50, 40, 40, 40, 40, 40]


def test_a_refund_on_the_day_the_clocks_change_counts_local_days() -> None:
    """RUL-TERM: 23:30 UTC on 31 March is already 1 April in London; that day is not earned."""
    term = "2024-03-30..2024-04-03"
    books = check(
        f"""
        | day | time  | fact         | id | amount_minor | class       | term   | of |
        |   1 | 12:00 | order        | o1 |         1000 | maintenance | {term} |    |
        |  31 | 23:30 | cancellation | x1 |              |             |        | o1 |
        """,
        {"centre": 500},
    )
    assert days(books) == [250, 250]


def test_a_support_line_with_a_term_is_spread_like_maintenance() -> None:
    """RUL-FEE, RUL-TERM: with a term A2b, without one A2a at the order's time."""
    books = check(
        f"""
        | day | fact   | id | amount_minor | line | class   | term   | of |
        |   1 | order  | o1 |         1000 | l1   | support | {TERM} |    |
        |   1 | order  | o1 |          200 | l2   | support |        |    |
        |   6 | refund | r1 |          500 | l1   | support |        | o1 |
        |   6 | refund | r1 |           20 | l2   | support |        | o1 |
        """,
        {"centre": 680},
    )
    assert days(books) == [100] * 5
    assert books.total("A2a") == 200
    assert books.total("A5") == -20
