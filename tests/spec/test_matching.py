"""DEF-INDEX, DEF-CTRL, DEF-PPR: which moments count, and whom they are compared with."""

from typing import Any

import numpy as np

from processors.comparison import compared
from processors.history import NEVER, History, history
from processors.matching import Rules, case_ends, indices
from tests.support.facts import DAY, at

RULES = Rules(strata_min=1)


def told(
    contacts: list[tuple[int, float, int]],
    orders: list[tuple[int, float]],
    *,
    customers: int = 1,
    as_of: float = 1000,
    **other: Any,
) -> History:
    """Return a history: contacts (customer, day, case), orders (customer, day)."""
    count = len(orders)
    columns: dict[str, Any] = {
        "contact_outcome": np.zeros(len(contacts), dtype=np.int64),
        "contact_segment": np.zeros(len(contacts), dtype=np.int64),
        "order_undone_ms": np.full(count, NEVER),
        "order_in_contact": np.zeros(count, dtype=np.bool_),
        "order_product": np.ones(count, dtype=np.int64),
        "order_margin_minor": np.full(count, 100),
    }
    return history(
        as_of_ms=at(as_of),
        customers=customers,
        contact_customer=numbers(customer for customer, *_ in contacts),
        contact_at_ms=numbers(at(day) for _, day, _ in contacts),
        contact_case=numbers(case for *_, case in contacts),
        order_customer=numbers(customer for customer, _ in orders),
        order_at_ms=numbers(at(day) for _, day in orders),
        **(columns | {name: np.array(value) for name, value in other.items()}),
    )


def numbers(values: Any) -> Any:
    """Return a column."""
    return np.array(list(values), dtype=np.int64)


def days(known: History, places: Any) -> list[float]:
    """Return the days of contacts."""
    return [(int(ms) - at(0)) / DAY for ms in known.contacts.at_ms[places]]


def test_a_case_counts_from_the_contact_that_none_follows_within_a_week() -> None:
    """DEF-INDEX: exactly seven days later still follows; a case may end twice."""
    known = told([(0, 1, 7), (0, 8, 7), (0, 16, 7), (0, 12, 8)], [])
    assert days(known, case_ends(known, RULES)) == [8, 12, 16]


def test_an_end_whose_week_has_not_passed_is_not_known_yet() -> None:
    """A contact may still follow."""
    known = told([(0, 1, 7), (0, 20, 8)], [], as_of=26.9)
    assert days(known, case_ends(known, RULES)) == [1]


def test_windows_of_a_customer_never_overlap() -> None:
    """DEF-INDEX: the first per customer per W; the next may begin as the last window ends."""
    known = told(
        [(0, day, day) for day in (0, 20, 30, 59, 60, 100)] + [(1, 1, 500)], [], customers=2
    )
    assert days(known, indices(known, RULES).place) == [0, 30, 60, 100, 1]


def test_an_index_after_another_contact_is_not_clean() -> None:
    """What is asked of controls is asked of the contacted: none of another case in the W before."""
    known = told([(0, 0, 1), (0, 20, 2), (0, 45, 3), (0, 90, 4), (0, 91, 4)], [])
    found = indices(known, RULES)
    assert days(known, found.place) == [0, 45, 91]
    assert found.clean.tolist() == [True, False, True]


def test_a_purchase_counts_if_something_is_left_at_the_windows_end() -> None:
    """DEF-PPR: (index, index + W]; undone within the window it is none, undone later it is one."""
    orders = [
        (0, 10.0),
        (1, 10.1),
        (2, 40.0),
        (3, 40.1),
        (4, 20.0),
        (5, 20.0),
        (6, 20.0),
        (6, 25.0),
    ]
    undone = [NEVER] * 4 + [at(40), at(40) + 1, at(30), NEVER]
    known = told([], orders, customers=7, order_undone_ms=undone)
    everybody = np.arange(7)
    first = known.first_purchase(
        everybody, everybody * 0 + at(10), everybody * 0 + at(40), own=True
    )
    assert (first != NEVER).tolist() == [False, True, True, False, False, True, True]
    assert first[6] == at(25)


def test_what_was_sold_in_a_contact_is_no_answer_to_it() -> None:
    """DEF-PPR: in-contact orders are left out, and make no state; a customer kept they are."""
    known = told([], [(0, 10), (1, 10)], customers=2, order_in_contact=[True, False])
    both, early, late = np.arange(2), np.full(2, at(5)), np.full(2, at(20))
    assert (known.first_purchase(both, early, late, own=True) != NEVER).tolist() == [False, True]
    assert (known.first_purchase(both, early, late, own=False) != NEVER).all()
    assert len(set(known.stratum(both, late).tolist())) == 2


def test_a_state_never_looks_ahead() -> None:
    """Later orders change no stratum, and who was not seen yet is in none."""
    one = told([], [(0, 10), (1, 10)], customers=2)
    more = told([], [(0, 10), (1, 10), (0, 20.5), (0, 21), (1, 400)], customers=2)
    both = np.arange(2)
    for day in (9, 10, 15, 20):
        now = np.full(2, at(day))
        assert one.stratum(both, now).tolist() == more.stratum(both, now).tolist()
    assert one.stratum(both, np.full(2, at(9))).tolist() == [-1, -1]


def world() -> History:
    """Forty customers who ordered on day 0; the first ten call on day 50, two more before."""
    calls = [(customer, 50 + customer / 100, customer) for customer in range(10)]
    calls += [(38, 30, 38), (39, 19, 39)]
    return told(calls, [(customer, 0) for customer in range(40)], customers=40)


def test_controls_were_like_the_caller_and_not_in_contact() -> None:
    """DEF-CTRL: never the caller or one contacted in the W before; who calls later is one."""
    found = compared(world(), Rules(controls=40))
    drawn = {
        int(customer): set(found.drawn.customer[found.drawn.row == row].tolist())
        for row, customer in enumerate(found.found.customer)
    }
    in_contact = {38}  # 20 days before; 39 was in contact 31 days before, and is at risk again
    assert drawn[0] == set(range(1, 40)) - in_contact
    assert drawn[9] == set(range(10, 40)) - in_contact
    five = compared(world(), RULES).drawn
    assert np.bincount(five.row).tolist() == [5] * 12
    assert set(zip(five.row.tolist(), five.customer.tolist(), strict=True)) <= {
        (row, customer)
        for row, customer in zip(
            found.drawn.row.tolist(), found.drawn.customer.tolist(), strict=True
        )
    }


def test_equal_seeds_draw_equal_controls() -> None:
    """Lots come from the seed alone."""
    first, again = compared(world(), RULES), compared(world(), RULES)
    other = compared(world(), Rules(strata_min=1, seed=2))
    assert first.drawn.customer.tolist() == again.drawn.customer.tolist()
    assert first.drawn.customer.tolist() != other.drawn.customer.tolist()


def test_a_control_who_is_contacted_is_watched_until_then() -> None:
    """DEF-CTRL: a purchase before the contact counts, one after it does not; others stand in."""
    calls = [(0, 50.0, 0), *((customer, 60.0, customer) for customer in range(1, 5))]
    bought = [(1, 55.0), (2, 65.0)]
    known = told(calls, [(customer, 0.0) for customer in range(9)] + bought, customers=9)
    found = compared(known, Rules(strata_min=1, controls=8))
    got = found.against_none(found.found.customer == 0)
    assert got is not None
    assert got.n_0 == 5, "1 bought in time, 5 to 8 were never contacted"
    assert 0 < got.rate_0 < 1 / 5, "those who wait stand for those who were contacted"


def test_too_young_a_window_is_not_asked() -> None:
    """Only matured indices enter."""
    known = told([(0, 50, 1)], [(customer, 0) for customer in range(9)], customers=9, as_of=79.9)
    found = compared(known, RULES)
    assert not found.mature("purchase").any()
    assert found.against_none(np.ones(1, dtype=np.bool_)) is None
