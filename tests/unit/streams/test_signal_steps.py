"""What is read of a changelog, however it was cut off, compacted or written into by two."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.signal_steps import STEP, Table

Records = list[tuple[bytes, bytes]]
CHANGES = st.dictionaries(
    st.sampled_from("abcd"), st.one_of(st.none(), st.binary(min_size=1, max_size=3)), max_size=4
)


def read(records: Records, epoch: int = 1) -> Table:
    """Return what a changelog tells."""
    table = Table(epoch)
    for key, value in records:
        table.replay(key, value)
    return table


def steps(of: list[dict[str, bytes | None]], table: Table) -> tuple[Records, list[int]]:
    """Write steps; return the changelog, and how long it was before each step and at the end."""
    records: Records = []
    lengths = [0]
    for number, changes in enumerate(of, 1):
        records += table.step({"t": number}, changes)
        lengths.append(len(records))
    return records, lengths


def compacted(records: Records) -> Records:
    """Keep of each key the newest record."""
    newest = {key: at for at, (key, _) in enumerate(records)}
    return [each for at, each in enumerate(records) if newest[each[0]] == at]


@given(st.lists(CHANGES, min_size=1, max_size=6), st.data())
def test_a_changelog_cut_off_anywhere_is_the_state_after_a_step(
    of: list[dict[str, bytes | None]], data: st.DataObject
) -> None:
    """The step that a cut falls into is whole: its first record says all of it."""
    records, lengths = steps(of, Table(1))
    cut = data.draw(st.integers(1, len(records)))
    number = next(at for at, (a, b) in enumerate(pairwise(lengths), 1) if a < cut <= b)
    whole = Table(1)
    steps(of[:number], whole)
    for found in (read(records[:cut]), read(compacted(records[:cut]))):
        assert (found.state, found.positions) == (whole.state, {"t": number})


@given(st.lists(CHANGES, min_size=1, max_size=6), CHANGES, CHANGES, st.data())
def test_late_writes_of_a_former_owner_are_passed_over(
    of: list[dict[str, bytes | None]],
    late: dict[str, bytes | None],
    own: dict[str, bytes | None],
    data: st.DataObject,
) -> None:
    """Writes and deletions that it still had under way when its successor had begun its term.

    However its last step was cut off, and whether the changelog was compacted before.
    """
    former = Table(1)
    log, lengths = steps(of, former)
    log = log[: data.draw(st.integers(lengths[-2] + 1, len(log)))]
    log = data.draw(st.sampled_from([log, compacted(log)]))
    successor = read(log)
    log += successor.take_over(data.draw(st.integers(0, 3)))
    late_records = former.step({"t": 98}, late)
    at = data.draw(st.integers(0, len(late_records)))
    log += late_records[:at] + successor.step({"t": 99}, own) + late_records[at:]
    assert (read(log).state, read(log).positions) == (successor.state, {"t": 99})


@given(st.lists(CHANGES, min_size=1, max_size=6), CHANGES, st.data())
def test_what_only_the_last_step_says_outlives_it(
    of: list[dict[str, bytes | None]], own: dict[str, bytes | None], data: st.DataObject
) -> None:
    """Its keys were not all written, and compaction removes it once there is another."""
    log, lengths = steps(of, Table(1))
    log = log[: data.draw(st.integers(lengths[-2] + 1, len(log)))]
    successor = read(log)
    log += successor.take_over(0) + successor.step({"t": 99}, own)
    assert read(compacted(log)).state == read(log).state == successor.state


def test_places_of_another_epoch_are_none() -> None:
    """Topics created anew are read from their beginning, with the state that there is."""
    log = Table(1).step({"t": 9}, {"a": b"1"})
    assert read(log, epoch=2).positions == {}
    assert read(log, epoch=2).state == {"a": b"1"}


def test_the_step_is_no_key_of_the_state() -> None:
    """A handler never meets the host's own record."""
    assert STEP.decode() not in read(Table(1).step({"t": 1}, {"a": b"1"})).state
