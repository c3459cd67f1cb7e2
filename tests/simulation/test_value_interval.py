"""The interval of lifetime value holds the truth as often as it says, over many made shops."""

from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pytest

from pnl.fitting.likelihood import fit_bgnbd, fit_gamma_gamma
from pnl.reports.customer_books import Cells
from pnl.reports.customer_worth import worth
from processors.lifetime import GammaGamma, Spend, Terms, lifetime_value
from processors.repeat_bgnbd import BgNbd
from processors.repeat_models import Histories, TimeUnit, histories

pytestmark = pytest.mark.simulation

CUSTOMERS: Final = 1_500
RUNS: Final = 40
TRUE: Final = BgNbd(unit=TimeUnit.WEEK, r=0.6, alpha=6.0, a=0.8, b=2.5)
PAYS: Final = GammaGamma(p=6.0, q=4.0, v=1500.0)


def shop(seed: int) -> tuple[Histories, Spend]:
    """Return customers who buy, stop and pay as the true models say."""
    lots = np.random.default_rng(seed)
    rate = lots.gamma(TRUE.r, 1 / TRUE.alpha, CUSTOMERS)
    stops = lots.beta(TRUE.a, TRUE.b, CUSTOMERS)
    scale = lots.gamma(PAYS.q, 1 / PAYS.v, CUSTOMERS)
    age = lots.integers(20 * 7, 80 * 7, CUSTOMERS) / 7
    repeats, recency, mean = (np.zeros(CUSTOMERS) for _ in range(3))
    for one in range(CUSTOMERS):
        now = lots.exponential(1 / rate[one])
        while now <= age[one]:
            repeats[one], recency[one] = repeats[one] + 1, now
            if lots.random() < stops[one]:
                break
            now += lots.exponential(1 / rate[one])
        if repeats[one]:
            shape = PAYS.p * repeats[one]
            mean[one] = lots.gamma(shape, 1 / (scale[one] * repeats[one]))
    past = histories(TimeUnit.WEEK, repeats, recency, age)
    return past, Spend(repeats=past.repeats, mean=mean)


def covers(seed: int) -> bool:
    """Return whether the interval holds what the true models expect of these customers."""
    past, spend = shop(seed)
    fit = SimpleNamespace(repeat=fit_bgnbd(past), spend=fit_gamma_gamma(spend))
    asked: Any = SimpleNamespace(fit=fit, months=12, discount_per_month=0.01, margin=0.4)
    nothing = np.zeros(CUSTOMERS, dtype=np.int64)
    cells = Cells(
        customers=np.ones_like(nothing),
        first_day=nothing,
        last_day=nothing,
        repaid_minor=spend.repeats * spend.mean,
        revenue_minor=nothing,
        histories=past,
    )
    found = worth(asked, cells, np.full(CUSTOMERS, 0.5))
    assert found is not None
    interval = found.interval(np.ones(CUSTOMERS))
    assert interval is not None
    truth = lifetime_value(TRUE, past, PAYS.expected(spend), Terms(margin=0.4)).sum()
    return bool(interval.low <= truth <= interval.high)


def test_the_interval_of_value_holds_the_truth_as_often_as_it_says() -> None:
    """95 % of the seeded shops, within what 40 of them can tell."""
    share = sum(covers(seed) for seed in range(RUNS)) / RUNS
    assert share >= 0.88, share
