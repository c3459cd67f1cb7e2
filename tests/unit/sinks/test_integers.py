"""Columns of integers, read without making objects of them."""

from sinks.store import Store
from tests.support.store import store as store


def test_integers_come_as_a_matrix(store: Store) -> None:
    """A row per row, a column per expression, in 64 bits with their sign; parameters hold."""
    rows = "SELECT number AS n, 'x' AS text FROM numbers({count:UInt32})"
    found = store.integers(
        ["n", "toInt64(-4611686018427387904)", "length(text)"], rows, {"count": 3}
    )
    assert found.dtype.str == "<i8"
    assert found.tolist() == [[n, -(2**62), 1] for n in range(3)]
    assert store.integers(["n - 5"], rows, {"count": 2}).tolist() == [[-5], [-4]]


def test_no_rows_are_an_empty_matrix(store: Store) -> None:
    """The columns are there all the same."""
    rows = "SELECT number AS n FROM numbers(5) WHERE n > {least:Int64}"
    assert store.integers(["n", "n"], rows, {"least": 7}).shape == (0, 2)
