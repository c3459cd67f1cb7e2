"""The CDNOW sample as the published papers read it: weeks, rounded half up to two decimals."""

import csv
import gzip
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import numpy as np

from processors.lifetime import Spend
from processors.purchases import Purchases, purchases
from processors.repeat_models import Histories, TimeUnit, histories

FILE = Path(__file__).parents[2] / "examples" / "cdnow_sample.csv.gz"
DAY_MS = 86_400_000


def day(text: str) -> int:
    """Return a date as days since 1970-01-01."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


CALIBRATED = day("1997-09-30")
END = day("1998-06-30")


@cache
def rows() -> tuple[dict[str, str], ...]:
    """Return the rows of the file."""
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(lines))


@cache
def bought() -> Purchases:
    """Return the purchase days, those of nothing included, as the papers count them; cents."""
    days = [day(row["date"]) for row in rows()]
    cents = [int(Decimal(row["amount"]) * 100) for row in rows()]
    names = [row["customer_id"] for row in rows()]
    return purchases(names, [each * DAY_MS for each in days], days, cents)


@dataclass(frozen=True)
class Published:
    """The calibration sample."""

    weeks: Histories
    exact_weeks: Histories
    spend: Spend


def _rounded(number: float, by: int) -> float:
    return float((Decimal(round(number)) / by).quantize(Decimal("0.01"), ROUND_HALF_UP))


@cache
def published() -> Published:
    """Return the histories to 1997-09-30, times and means rounded as published."""
    known = bought().on(CALIBRATED)
    past = known.histories
    means = [
        _rounded(mean * repeats, 100 * max(int(repeats), 1))
        for mean, repeats in zip(known.mean_minor, past.repeats, strict=True)
    ]
    return Published(
        weeks=histories(
            TimeUnit.WEEK,
            past.repeats,
            [_rounded(each, 7) for each in past.recency],
            [_rounded(each, 7) for each in past.age],
        ),
        exact_weeks=past.measured_in(TimeUnit.WEEK),
        spend=Spend(repeats=past.repeats, mean=np.array(means)),
    )
