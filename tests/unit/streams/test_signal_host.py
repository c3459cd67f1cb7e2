"""A draft is a state with changes that can be thrown away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.signal_host import Draft, changed

KEYS = st.sampled_from("abc")
STATES = st.dictionaries(KEYS, st.binary(max_size=2))
ACTS = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.binary(max_size=2))), max_size=8)


@given(STATES, ACTS)
def test_a_draft_is_the_mapping_it_will_be(
    held: dict[str, bytes], acts: list[tuple[str, bytes | None]]
) -> None:
    """It reads as a dictionary changed in the same way, which its changes then make of the held."""
    wanted, before = dict(held), dict(held)
    draft = Draft(held)
    for key, value in acts:
        if value is not None:
            wanted[key] = draft[key] = value
        elif wanted.pop(key, None) is not None:
            del draft[key]
    assert dict(draft) == wanted
    assert len(draft) == len(wanted)
    assert held == before
    changed(held, draft.changes)
    assert held == wanted


def test_what_is_set_as_it_was_is_no_change() -> None:
    """Nothing is written for it."""
    draft = Draft({"a": b"1"})
    draft["a"] = b"2"
    draft["a"] = b"1"
    assert draft.changes == {}


def test_a_key_that_is_not_there_cannot_be_removed() -> None:
    """As with any mapping."""
    draft = Draft({"a": b"1"})
    del draft["a"]
    with pytest.raises(KeyError):
        del draft["a"]
    with pytest.raises(KeyError):
        draft["a"]
