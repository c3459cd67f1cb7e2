"""`python -m tests.simulation.run --seeds 1000 --from 1`, or `--seed N -v` to see one happen."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.chance import THEMES
from tests.simulation.simulation import simulate


def main() -> int:
    """Run seeds; return how the process is to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first of them")
    parser.add_argument("--seed", type=int, help="one only")
    parser.add_argument("--theme", choices=THEMES, help="what all of them are about")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what happens")
    asked = parser.parse_args()
    last = asked.first + asked.seeds
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, last)
    failed, found, totals = [], 0, Counter[str]()
    began = time.process_time()
    for seed in seeds:
        outcome = simulate(seed, theme=asked.theme, verbose=asked.verbose)
        totals.update(outcome.counts)
        found += bool(outcome.found)
        if asked.verbose:
            print("\n".join(outcome.trace))
            print("\n".join(f"found: {text}" for text in outcome.found))
        if outcome.failures:
            failed.append(seed)
            print(f"seed {seed} FAILED", *outcome.failures[:5], sep="\n  ", flush=True)
    spent = time.process_time() - began
    print(
        f"{len(seeds)} seeds, {len(failed)} failed {failed or ''}; torn and found: {found}; "
        f"{spent:.1f} s CPU; {dict(totals)}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
