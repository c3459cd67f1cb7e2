"""How the churn risk of customers moved after their contacts, by the question's rows.

Law: both periods are judged by one model, fitted on what was known before either began, so the
change is that of customers and not of the model. A customer who had bought nothing before the
contact has no risk and is not counted (DEF-RISK).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from pnl.fitting.churn import fit_churn
from pnl.fitting.from_store import stored_purchases
from pnl.reports.grouping import Key, key_columns, local_day
from pnl.reports.service_counts import scoped
from pnl.reports.sheet import Asking
from processors.churn import RiskModel
from processors.confidence import Sample
from processors.purchases import IntArray, Purchases
from processors.repeat_models import FloatArray
from streams.facts import Day

PURCHASES_MIN: Final = 100
"""Below so many purchase days before the periods no model is fitted."""
_DAY_MS: Final = 86_400_000


def risk_changes(
    periods: Sequence[Asking], known_until: Day, exposure_days: int
) -> list[dict[Key, Sample]]:
    """Return, per period and key, each contact's change of risk until so many days after it.

    The model knows what had happened by the end of `known_until`, a day before all periods.
    """
    policy, scope = periods[0].policy, periods[0].scope
    bought = stored_purchases(periods[0].store, scope.currency, policy.timezone)
    model = _model(bought, known_until)
    if model is None:
        return [{} for _ in periods]
    return [_changes(each, bought, model, exposure_days) for each in periods]


def _model(bought: Purchases, day: Day) -> RiskModel | None:
    if int(np.count_nonzero(bought.day <= day)) < PURCHASES_MIN:
        return None
    return fit_churn(bought, day).risk_model


def _changes(
    asking: Asking, bought: Purchases, model: RiskModel, exposure_days: int
) -> dict[Key, Sample]:
    where = scoped(asking).also(
        "handled AND identified AND"
        " toUnixTimestamp64Milli(ended_at) + {exposure:Int64} <= {as_of:Int64}",
        exposure=exposure_days * _DAY_MS,
        as_of=asking.as_of or 0,
    )
    rows = asking.store.query(
        f"SELECT {key_columns(asking.by, local_day('ended_at'))}customer_id,"
        f" toUnixTimestamp64Milli(ended_at) AS ended, toInt32({local_day('ended_at')}) AS day"
        f" FROM v_contacts WHERE {where}",
        where.parameters,
    )
    places = {name: place for place, name in enumerate(bought.customers)}
    rows = [row for row in rows if row["customer_id"] in places]
    if not rows:
        return {}
    customers = np.array([places[row["customer_id"]] for row in rows], dtype=np.int64)
    ended = np.array([row["ended"] for row in rows], dtype=np.int64)
    day = np.array([row["day"] for row in rows], dtype=np.int64)
    later = ended + exposure_days * _DAY_MS, day + exposure_days
    moved = _risk(bought, model, customers, *later) - _risk(bought, model, customers, ended, day)
    sums: dict[Key, list[float]] = {}
    for row, change in zip(rows, moved.tolist(), strict=True):
        if np.isfinite(change):
            key = tuple(row[f"key_{place}"] for place in range(len(asking.by)))
            sums.setdefault(key, []).append(change)
    return {
        key: Sample(len(values), sum(values), sum(value * value for value in values))
        for key, values in sums.items()
    }


def _risk(
    bought: Purchases, model: RiskModel, customers: IntArray, at_ms: IntArray, day: IntArray
) -> FloatArray:
    """Return the risk of customers at moments of their own; not a number where there is none."""
    snapshot = bought.just_before(customers, at_ms, day)
    found = np.full(len(customers), np.nan)
    found[snapshot.found] = model.risk(snapshot.histories)
    return found
