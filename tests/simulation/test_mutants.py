"""The simulation can fail: each way to break the protocol is noticed within some seeds."""

import pytest

from tests.simulation.mutants import MUTANTS, mutated
from tests.simulation.simulation import simulate

SEEDS_MAX = 150
pytestmark = pytest.mark.simulation


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_protocol_is_noticed(name: str) -> None:
    """Seeds of the theme that it is about find the mutant; most of them at once."""
    theme = MUTANTS[name].theme
    with mutated(name):
        assert any(simulate(seed, theme=theme).failures for seed in range(1, SEEDS_MAX))
