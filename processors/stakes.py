"""What is at stake with a customer just before something happens: V of DEF-RC by the fitted models.

Law: frozen at the instant: nothing at it or after it is known. Who had not bought by then has
nothing at stake that anybody could know: NaN, not 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processors.lifetime import GammaGamma, Terms, value_between, value_given_active
from processors.purchases import IntArray, Purchases
from processors.repeat_models import Duration, FloatArray, RepeatModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stakes:
    """Per customer asked about: margin of the span in minor units, discounted to the instant.

    `expected`: of everybody, counting the chance to buy nothing; `given_active`: of who buys in the
    span at least once; `p_active`: the chance of that. NaN for who had not bought before.
    """

    expected: FloatArray
    given_active: FloatArray
    p_active: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueModel:
    """When customers buy, what a purchase brings, and on what terms it counts."""

    repeat: RepeatModel
    spend: GammaGamma
    terms: Terms

    def just_before(
        self,
        bought: Purchases,
        customers: Sequence[str],
        at_ms: IntArray,
        day: IntArray,
        start: Duration,
        end: Duration,
    ) -> Stakes:
        """Return what was at stake in (start, end] after each instant, of each customer.

        `day` is the local day of `at_ms`; a customer may be asked about several times.
        """
        place_of = {name: place for place, name in enumerate(bought.customers)}
        asked = np.array([place_of.get(name, -1) for name in customers], dtype=np.int64)
        known = np.flatnonzero(asked >= 0)
        snapshot = bought.just_before(asked[known], at_ms[known], day[known])
        found = known[snapshot.found]
        mean = self.spend.expected(snapshot.spend)
        past, span = snapshot.histories, (start, end)
        return Stakes(
            expected=_placed(
                len(asked), found, value_between(self.repeat, past, mean, self.terms, *span)
            ),
            given_active=_placed(
                len(asked), found, value_given_active(self.repeat, past, mean, self.terms, *span)
            ),
            p_active=_placed(len(asked), found, self.repeat.p_purchase(past, *span)),
        )


def _placed(size: int, where: IntArray, values: FloatArray) -> FloatArray:
    """Return values at their places, NaN elsewhere."""
    placed = np.full(size, np.nan)
    placed[where] = values
    return placed
