"""Stretches of time, and how much of the clock they cover."""

from hypothesis import given
from hypothesis import strategies as st

from processors.intervals_of_time import covered_ms, on_contact, overlap, union

STRETCHES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def instants(stretches: list[tuple[int, int]]) -> set[int]:
    """Write every instant out: too slow to use, too simple to be wrong."""
    return {instant for start, end in stretches for instant in range(start, end)}


def test_two_chats_at_once_are_one_stretch_of_work() -> None:
    """Half an hour and half an hour that overlap by ten minutes: fifty minutes."""
    assert covered_ms([(0, 30), (20, 50)]) == 50
    assert union([(20, 50), (0, 30), (50, 60), (70, 70)]) == ((0, 60),)


def test_wrap_up_is_work_and_waiting_is_not() -> None:
    """From the connection to the end of the wrap-up; who never got through kept nobody busy."""
    assert on_contact(100, 400, 50) == (100, 450)
    assert on_contact(None, 400, 50) is None


@given(STRETCHES, STRETCHES)
def test_the_clock_agrees_instant_by_instant(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    """Union and overlap hold the instants that counting them one by one finds."""
    assert instants(list(union(some))) == instants(some)
    assert covered_ms(some) == len(instants(some))
    assert instants(list(overlap(some, others))) == instants(some) & instants(others)
