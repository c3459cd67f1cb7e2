"""Seeds: whatever goes wrong, every input is accounted for once and the books are the oracle's."""

import pytest

from tests.simulation.simulation import simulate

QUICK = [range(first, first + 10) for first in range(1, 41, 10)]
MANY = [range(first, first + 28) for first in range(41, 601, 28)]


def hold(seeds: range) -> None:
    """Fail with every seed that does not hold, and how to see it happen."""
    failed = [outcome for outcome in map(simulate, seeds) if outcome.failures]
    told = [
        f"seed {outcome.seed}: python -m tests.simulation.run --seed {outcome.seed} -v\n  "
        + "\n  ".join(outcome.failures[:3])
        for outcome in failed
    ]
    if told:
        pytest.fail("\n".join(told))


@pytest.mark.parametrize("seeds", QUICK, ids=str)
def test_nothing_is_lost_doubled_or_misattributed(seeds: range) -> None:
    """DL1 to DL5 and DL7 hold at the end of forty seeds."""
    hold(seeds)


@pytest.mark.simulation
@pytest.mark.parametrize("seeds", MANY, ids=str)
def test_nothing_is_in_many_seeds(seeds: range) -> None:
    """They hold at the end of hundreds more."""
    hold(seeds)


def test_a_seed_replays() -> None:
    """Two runs of a seed are the same, event by event."""
    first, second = (simulate(8, verbose=True) for _ in range(2))
    assert len(first.trace) > 100
    assert first.trace == second.trace
    assert first.counts == second.counts
