"""What an active customer is worth just before a case: V of DEF-RC, by the lifetime models.

Law: the models are fitted on what was known when the span began, each case is valued by what was
known just before it, and nothing later. Where the data determine no models, or the customer had not
bought yet, V is the mean margin of customers who bought as often.
"""

from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from pnl.fitting.churn import fit_repeats
from pnl.fitting.likelihood import CannotFit, fit_gamma_gamma
from pnl.lifting.from_store import Known
from pnl.reports.period import date_of, day_number, first_instant, local_date
from processors.history import Floats, Ints
from processors.lifetime import Terms
from processors.purchases import Purchases, purchases
from processors.repeat_models import Duration, TimeUnit
from processors.stakes import ValueModel
from streams.facts import Millis

MONTHLY_DISCOUNT: Final = 0.01
BY_MODELS: Final = "V by BG/NBD x Gamma-Gamma"
BY_MEAN: Final = "V by mean margin"
_DAY_MS: Final = 86_400_000


def margins_at_stake(
    found: Known, zone: ZoneInfo, start_at: Millis, customer: Ints, at_ms: Ints, mean: Floats
) -> tuple[Floats, str]:
    """Return V of each case in minor units, and how it was found.

    `mean` is V by the mean margin; `customer` and `at_ms` say whose case each is, and when.
    """
    bought = _bought(found, zone)
    model = None if bought is None else _fitted(bought, day_of(start_at, zone) - 1)
    if bought is None or model is None or not len(at_ms):
        return mean, BY_MEAN
    start_ms, end_ms = found.compared.window("retention")
    stakes = model.just_before(
        bought,
        [_name(each) for each in customer.tolist()],
        at_ms,
        _days(at_ms, zone),
        Duration(start_ms / _DAY_MS, TimeUnit.DAY),
        Duration(end_ms / _DAY_MS, TimeUnit.DAY),
    )
    told = np.isfinite(stakes.given_active)
    return np.where(told, stakes.given_active, mean), BY_MODELS


def _bought(found: Known, zone: ZoneInfo) -> Purchases | None:
    """Return the purchase days behind a comparison, each with its margin; None without any."""
    seen = found.compared.history
    stands = (seen.order_undone_ms > seen.as_of_ms) & (seen.order_margin_minor > 0)
    if not stands.any():
        return None
    at_ms = seen.orders.at_ms[stands]
    names = [_name(each) for each in seen.orders.customer[stands].tolist()]
    return purchases(names, at_ms, _days(at_ms, zone), seen.order_margin_minor[stands])


def _fitted(bought: Purchases, day: int) -> ValueModel | None:
    """Return the models of what was known at the end of a day; None if it determines none."""
    snapshot = bought.on(day)
    try:
        return ValueModel(
            repeat=fit_repeats(snapshot).model,
            spend=fit_gamma_gamma(snapshot.spend).model,
            terms=Terms(discount_per_month=MONTHLY_DISCOUNT),
        )
    except CannotFit:
        return None


def _name(customer: int) -> str:
    return str(customer)


def day_of(at: Millis, zone: ZoneInfo) -> int:
    """Return the local day of an instant."""
    return day_number(local_date(at, zone))


def _days(at_ms: Ints, zone: ZoneInfo) -> Ints:
    """Return the local day of each instant: each day's begin is looked up once."""
    first, last = day_of(int(at_ms.min()), zone), day_of(int(at_ms.max()), zone)
    begins = np.array([first_instant(date_of(day), zone) for day in range(first, last + 1)])
    days: Ints = first + np.searchsorted(begins, at_ms, side="right") - 1
    return days
