"""Seeded randomness: one stream per subject, so that a change of one leaves the others alone.

A stream's seed is a text; Python hashes it with SHA-512, so PYTHONHASHSEED has no part in it.
"""

import math
from random import Random
from typing import Final

from pnl.simulator.centre import ONE

_POISSON_EXACT_MAX: Final = 30.0


def stream(seed: int, subject: str) -> Random:
    """Return the stream of a subject: the same for the same seed, on every machine."""
    return Random(f"{seed}/{subject}")  # noqa: S311 - a simulation, no secret


def happens(rng: Random, ppm: int) -> bool:
    """Return true in `ppm` of a million draws."""
    return rng.random() * ONE < ppm


def around(rng: Random, median: float, spread: float) -> float:
    """Draw a positive number around a median: log-normal, `spread` its sigma."""
    return median * math.exp(rng.gauss(0.0, spread))


def poisson(rng: Random, mean: float) -> int:
    """Draw a count around a mean; beyond 30 by the normal curve, which is close by then."""
    if mean <= 0:
        return 0
    if mean > _POISSON_EXACT_MAX:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
