"""The vectors of the reference, each settled from facts: no number is fed to a helper."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from processors.policy import MODELS, Model, Policy, Tariff
from streams.facts import Fact, Fee
from tests.oracle import Books
from tests.spec.scenario import check, settled
from tests.support.facts import DAY, at, contact, line, order

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference_vectors.json").read_text(encoding="utf-8")
)


def credits_in_order(books: Books, names: list[str]) -> list[int]:
    """Return the credits of contacts by name, whatever order they earned from."""
    (one,) = books.orders.values()
    return [one.credits.get((name, "product"), 0) for name in names]


@pytest.mark.parametrize("vector", VECTORS["VEC-SPLIT"], ids=str)
@pytest.mark.parametrize("model", [m for m in MODELS if m != "time_decay"])
def test_an_amount_is_split_over_touchpoints(vector: dict[str, Any], model: Model) -> None:
    """VEC-SPLIT (VEC-LIN, VEC-POS): every model, odd amounts, nothing lost."""
    names = [f"c{at_day}" for at_day in range(vector["touches"])]
    facts: list[Fact] = [contact(name, at(day)) for day, name in enumerate(names)]
    facts.append(order("o", at(10), vector["amount"]))
    books = settled(facts, Policy(model=model))
    assert credits_in_order(books, names) == vector[model]


@pytest.mark.parametrize("vector", VECTORS["VEC-RATIO"], ids=str)
def test_an_amount_is_split_by_weights(vector: dict[str, Any]) -> None:
    """VEC-RATIO: the largest remainder takes the odd unit; weights are handling times here."""
    assert by_handling(vector["amount"], vector["weights"]) == vector["result"]


@pytest.mark.parametrize("amount", [25, 26])
def test_a_credit_may_fall_when_the_amount_rises(amount: int) -> None:
    """VEC-ALABAMA: the fifth contact earns 3 of 25 but 2 of 26, and that is right."""
    vector = VECTORS["VEC-ALABAMA"]
    assert by_handling(amount, vector["weights"]) == vector[str(amount)]


def by_handling(amount: int, weights: list[int]) -> list[int]:
    """Split an amount over the contacts of one case, which share by handling time."""
    names = [f"c{number}" for number in range(len(weights))]
    facts: list[Fact] = [
        contact(name, at(number), talk_ms=weight, case_id="case")
        for number, (name, weight) in enumerate(zip(names, weights, strict=True))
    ]
    facts.append(order("o", at(10), amount))
    return credits_in_order(settled(facts, Policy()), names)


@pytest.mark.parametrize("vector", VECTORS["VEC-DECAY"]["cases"], ids=str)
def test_weight_halves_in_a_week(vector: dict[str, Any]) -> None:
    """VEC-DECAY: 14, 7 and 0 days share one to two to four, and half days count."""
    names = [f"c{number}" for number in range(len(vector["ages_days"]))]
    facts: list[Fact] = [
        contact(name, at(20) - round(age * DAY))
        for name, age in zip(names, vector["ages_days"], strict=True)
    ]
    facts.append(order("o", at(20), vector["amount"]))
    books = settled(facts, Policy(model="time_decay"))
    assert credits_in_order(books, names) == vector["result"]


def test_contacts_of_a_case_are_one_touchpoint() -> None:
    """VEC-CASE: a case of 180 s and 120 s beside one chain: 300, 200 and 500 of 1000."""
    vector = VECTORS["VEC-CASE"]
    case, alone = (touch["handle_ms"] for touch in vector["touches"])
    facts: list[Fact] = [
        contact("c1", at(1), talk_ms=case[0], case_id="case"),
        contact("c2", at(2), talk_ms=case[1], case_id="case"),
        contact("c3", at(3), talk_ms=alone[0]),
        order("o", at(4), vector["amount"]),
    ]
    books = settled(facts, Policy(model="linear"))
    assert credits_in_order(books, ["c1", "c2", "c3"]) == vector["contact_credits"]


def test_a_refund_takes_from_each_what_the_smaller_order_would_not_have_given() -> None:
    """VEC-REFUND: 1000, then 999, then 667 over three contacts: A5 is the change of credit."""
    vector = VECTORS["VEC-REFUND"]
    first, second = (before - after for before, after in pairwise(vector["net"]))
    books = check(
        f"""
        | day | fact    | id | amount_minor | of |
        |   1 | contact | c1 |              |    |
        |   2 | contact | c2 |              |    |
        |   3 | contact | c3 |              |    |
        |   4 | order   | o1 | {vector["net"][0]} |    |
        |  10 | refund  | r1 | {first}      | o1 |
        |  20 | refund  | r2 | {second}     | o1 |
        """,
        dict(zip(["c1", "c2", "c3"], vector["vectors"][-1], strict=True)),
        model="linear",
    )
    for day, change in zip([10, 20], vector["a5"], strict=True):
        lost = [
            books.total("A5", contact_id=name, effective_at=at(day - 1))
            for name in ("c1", "c2", "c3")
        ]
        assert lost == change


FLOW = """
    | day | fact    | id | amount_minor | of |
    |   1 | contact | K1 |              |    |
    |   5 | contact | K2 |              |    |
    |  10 | order   | o1 |        10001 |    |
    |  51 | refund  | r1 |         3334 | o1 |
"""


@pytest.mark.parametrize("late", ["before_K3", "after_K3"])
def test_a_contact_that_arrives_last_moves_credit_and_refund(late: str) -> None:
    """VEC-FLOW: the order and its refund are both shared anew, each in its own period."""
    due = VECTORS["VEC-FLOW"][late]
    names = ["K1", "K2", "K3"][: len(due["net"])]
    table = FLOW if late == "before_K3" else FLOW + "|   8 | contact | K3 |              |    |"
    books = check(table, dict(zip(names, due["net"], strict=True)), model="linear")
    for account_line, day in (("A1b", 10), ("A5", 51)):
        booked = [
            books.total(account_line, contact_id=name, effective_at=at(day - 1)) for name in names
        ]
        assert booked == due[account_line]


@pytest.mark.parametrize("vector", VECTORS["VEC-FEE"], ids=str)
def test_a_time_is_charged_at_an_hourly_rate(vector: dict[str, Any]) -> None:
    """VEC-FEE: rounded once, halves to the even unit, for a fee and for handling alike."""
    tariffs = {"paid": Tariff(kind="per_minute", per_hour_minor=vector["per_hour"])}
    policy = Policy(tariffs=tariffs, loaded_per_hour_minor=vector["per_hour"])
    books = settled([contact("c", at(1), talk_ms=vector["ms"], fee=Fee(tariff="paid"))], policy)
    assert books.total("A2b") == vector["amount"]
    assert books.total("C1") == -vector["amount"]


@pytest.mark.parametrize("vector", VECTORS["VEC-ACCRUAL"][:2], ids=str)
def test_a_term_earns_day_by_day(vector: dict[str, Any]) -> None:
    """VEC-ACCRUAL: days differ by one unit at most and sum exactly."""
    end = f"2024-03-{10 + vector['days']:02}"
    books = check(
        f"""
        | day | fact  | id | amount_minor       | class       | term              |
        |   1 | order | o1 | {vector["amount"]} | maintenance | 2024-03-10..{end} |
        """,
        {"centre": vector["amount"]},
    )
    assert [amount for _, amount in sorted(days(books).items())] == vector["daily"]


def test_a_year_earns_by_the_length_of_its_months() -> None:
    """VEC-ACCRUAL: 12000 over a leap year by month; after 100 days 3278 are earned."""
    vector = VECTORS["VEC-ACCRUAL"][2]
    start, end = vector["start"], vector["end"]
    books = check(
        f"""
        | day | fact  | id | amount_minor       | class       | term           |
        |   1 | order | o1 | {vector["amount"]} | maintenance | {start}..{end} |
        """,
        {"centre": vector["amount"]},
    )
    by_day = [amount for _, amount in sorted(days(books).items())]
    assert len(by_day) == vector["days"]
    lengths = [29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31]
    starts = [sum(lengths[:month]) for month in range(13)]
    monthly = [sum(by_day[start:end]) for start, end in pairwise(starts)]
    assert monthly == vector["monthly"]
    assert sum(by_day[:100]) == vector["earned_after_100_days"]
    assert sum(by_day[100:]) == vector["deferred_after_100_days"]


def test_a_year_cancelled_after_a_hundred_days_has_earned_those() -> None:
    """VEC-ACCRUAL: 12000 over 366 days, cancelled on the 101st: 3278 earned, the rest undone."""
    facts: list[Fact] = [
        order(
            "o",
            at(0),
            lines=(
                line("l1", 12000, "maintenance", term_start="2024-03-01", term_end="2025-03-02"),
            ),
        ),
        order("x", at(100), kind="cancellation", refund_of="o"),
    ]
    books = settled(facts, Policy())
    assert sum(days(books).values()) == books.total("A3") == 3278
    assert books.total("A5") == 0
    assert books.total("net") == -3278


def days(books: Books) -> dict[int, int]:
    """Return what each day earns, over all accounts."""
    sums: dict[int, int] = {}
    for (_, day), amount in books.daily.items():
        sums[day] = sums.get(day, 0) + amount
    return sums
