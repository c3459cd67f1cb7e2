"""A seeded contact centre whose effects are known, over given orders or orders of its own."""

from pnl.simulator.overlay import MARK
from pnl.simulator.simulation import Simulation, generate, overlay, write
from pnl.simulator.truth import Truth, to_json

__all__ = ["MARK", "Simulation", "Truth", "generate", "overlay", "to_json", "write"]
