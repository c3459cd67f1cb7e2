"""`make calibration`: seeded worlds, what the estimators say of them, and whether it is right.

Prints the table of docs/calibration.md and ends with 1 if a promise does not hold.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from bench.calibration.pipeline import agree
from bench.calibration.trials import (
    CONFOUNDED,
    FAIR,
    NULL,
    Judged,
    Trial,
    many,
    of,
    randomised,
)

FIRST_SEED = 1000
COVERED = (0.93, 0.97)
CLAIMED_MAX = 0.07
FAILS_MIN = 0.95
PLACEBO = "placebo"


def main() -> int:
    """Run everything; return the exit code."""
    parser = argparse.ArgumentParser(prog="make calibration", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="worlds of each kind [1000]")
    parser.add_argument("--pipeline", type=int, default=20, help="runs through a store [20]")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + asked.runs)
    kinds: dict[str, tuple[Callable[[int], list[Trial]], int]] = {
        "effects": (of(FAIR), asked.runs),
        "no effect": (of(NULL), asked.runs),
        "confounded": (of(CONFOUNDED), max(1, asked.runs // 5)),
        "randomised": (randomised, asked.runs),
    }
    print(f"Seeds from {FIRST_SEED}; three years, {FAIR.customers:,} customers each.\n")
    print(HEADER, flush=True)
    broken = []
    for kind, (trial, runs) in kinds.items():
        judged = many(trial, seeds[:runs], asked.processes)
        print("\n".join(row(kind, each) for each in judged), flush=True)
        broken += wrong(kind, judged)
    apart = [seed for seed in seeds[: asked.pipeline] if not agree(seed)]
    print(f"\nThrough journeys, store and report: {asked.pipeline} runs, {len(apart)} disagree.")
    broken += [f"seed {seed}: the store says another thing than memory" for seed in apart]
    for sentence in broken:
        print(f"NOT RIGHT: {sentence}")
    return 1 if broken else 0


HEADER = """\
| world | question | runs | truth | mean | spread | mean error | covers the truth | excludes 0 |
|---|---|---|---|---|---|---|---|---|"""


def row(kind: str, each: Judged) -> str:
    """Return a row of the table."""
    return (
        f"| {kind} | {each.name} | {each.runs:,} | {each.truth:+.4f} | {each.mean:+.4f}"
        f" | {each.spread:.4f} | {each.error:.4f} | {each.covered:.1%} | {each.claimed:.1%} |"
    )


def wrong(kind: str, questions: Sequence[Judged], slack: float = 0.0) -> Iterator[str]:
    """Yield what is not as promised; `slack` widens the promise where runs are few."""
    for each in questions:
        what = f"{kind}: {each.name}"
        if kind == "confounded":
            if each.name == PLACEBO and each.claimed < FAILS_MIN - slack:
                yield f"{what} fails in {each.claimed:.1%} of runs only"
        elif each.name == PLACEBO or kind == "no effect":
            if each.claimed > CLAIMED_MAX + slack:
                yield f"{what} claims an effect in {each.claimed:.1%} of runs"
        elif not COVERED[0] - slack <= each.covered <= COVERED[1] + slack:
            yield f"{what} covers the truth in {each.covered:.1%} of runs"


if __name__ == "__main__":
    sys.exit(main())
