"""An interval for a ratio of sums whose parts have heavy tails: the bootstrap by customer.

Law: the same rows and the same seed give the same interval. Customers are drawn, not contacts:
the contacts of one customer are not independent (DEF-RPC-CI).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

ROUNDS: Final = 1000
_DRAWN_AT_ONCE: Final = 2_000_000
_ENDS: Final = (2.5, 97.5)


def ratio_interval(
    above: Sequence[int], below: Sequence[int], customers: Sequence[int], seed: int
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of sum(above) / sum(below) over resampled customers.

    Rows may stand for several customers that are alike: `customers` says how many. So drawing
    customers one by one is drawing from a multinomial over the rows. None where nothing is below.
    """
    top, bottom = np.asarray(above, np.float64), np.asarray(below, np.float64)
    count = np.asarray(customers, np.int64)
    whole = int(count.sum())
    if whole == 0 or bottom.sum() == 0:
        return None
    lots = np.random.default_rng(seed)
    step = max(1, _DRAWN_AT_ONCE // len(count))
    found = []
    for first in range(0, ROUNDS, step):
        drawn = lots.multinomial(whole, count / whole, size=min(step, ROUNDS - first))
        of = drawn @ bottom
        found.append((drawn @ top)[of > 0] / of[of > 0])
    low, high = np.percentile(np.concatenate(found), _ENDS)
    return float(low), float(high)
