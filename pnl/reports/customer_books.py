"""Customers as the store knows them: their purchases added up, in cells of equal histories.

Law: a cell is all customers with the same repeats, first day and last day. What the models say is
the same of all of them but for what they spend, in which it is linear: so the figures of a million
customers are those of some thousand cells, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from pnl.fitting.churn import ChurnFit, fit_churn
from pnl.fitting.from_store import IS_PURCHASE, stored_purchases
from pnl.fitting.model_file import ModelFile, read_model
from pnl.fitting.told import kept_fit
from pnl.reports.options import whole
from pnl.reports.period import date_of, day_number, first_instant, local_date
from pnl.reports.sheet import Asking
from processors.purchases import IntArray, Purchases
from processors.repeat_models import FloatArray, Histories, TimeUnit

FIT_CUSTOMERS: Final = 5_000
"""How many customers, drawn by a hash of their names, a report's models are fitted on."""


def purchase_days(of: str = "1") -> str:
    """Return the query of a row per customer and local day with a purchase, up to the moment.

    `of` is a condition on customer_id, if not all customers are asked about.
    """
    return f"""
    SELECT customer_id, toInt32(toDate(occurred_at, {{zone:String}})) AS day,
        sum(net_minor) AS minor
    FROM v_attributions
    WHERE {IS_PURCHASE} AND occurred_at < fromUnixTimestamp64Milli({{moment:Int64}}, 'UTC')
        AND {of}
    GROUP BY customer_id, day"""


def histories(of: str = "1") -> str:
    """Return the query of a row per customer who had bought.

    `repaid_minor` is what the repeat days brought, `revenue_minor` what the range did.
    """
    return f"""
    SELECT customer_id, toInt64(count()) - 1 AS repeats, min(day) AS first_day,
        max(day) AS last_day, toInt64(sum(minor) - argMin(minor, day)) AS repaid_minor,
        toInt64(sumIf(minor, day >= {{since_day:Int32}})) AS revenue_minor,
        toInt64(sum(minor)) AS paid_minor
    FROM ({purchase_days(of)}) GROUP BY customer_id"""


CONTACTS: Final = """
    SELECT customer_id, count() AS contacts FROM v_contacts
    WHERE identified AND handled
        AND ended_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND ended_at < fromUnixTimestamp64Milli({moment:Int64}, 'UTC')
    GROUP BY customer_id"""


@dataclass(frozen=True)
class Question:
    """What a report on customers is asked: the moment, the range, the terms of value."""

    asking: Asking
    day: int
    since_day: int
    months: int
    discount_per_month: float
    horizon_days: int

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the queries above."""
        zone = self.asking.policy.zone
        return {
            "zone": self.asking.policy.timezone,
            "currency": self.asking.scope.currency,
            "moment": first_instant(date_of(self.day + 1), zone),
            "since": first_instant(date_of(self.since_day), zone),
            "since_day": self.since_day,
        }

    @cached_property
    def margin(self) -> float:
        """The standard margin of what was sold, weighted by what each class brought."""
        policy = self.asking.policy
        rows = self.asking.store.query(
            "SELECT class, toInt64(sum(net)) AS sold_minor FROM v_attributions"
            " ARRAY JOIN classes AS class, class_net_minor AS net"
            " WHERE net_minor > 0 AND currency = {currency:String} GROUP BY class",
            {"currency": self.asking.scope.currency},
        )
        sold = {row["class"]: max(0, int(row["sold_minor"])) for row in rows}
        if not sum(sold.values()):
            return policy.margin_ppm / 1e6
        margins = policy.margin_ppm_by_class
        earned = sum(net * margins.get(name, policy.margin_ppm) for name, net in sold.items())
        return earned / sum(sold.values()) / 1e6

    @cached_property
    def kept(self) -> ModelFile | None:
        """The model that was kept, if it knows nothing later and answers what is asked."""
        path = self.asking.model
        file = None if path is None else read_model(path)
        if (
            file is None
            or file.repeat is None
            or file.currency != self.asking.scope.currency
            or file.horizon_days != self.horizon_days
            or day_number(date.fromisoformat(file.as_of)) > self.day
        ):
            return None
        return file

    @cached_property
    def fit(self) -> ChurnFit | None:
        """What was kept, else what is fitted for the moment on a sample of the customers.

        None while nobody has bought.
        """
        if self.kept is not None:
            return kept_fit(self.kept)
        policy = self.asking.policy
        bought = stored_purchases(
            self.asking.store, self.asking.scope.currency, policy.timezone, FIT_CUSTOMERS
        )
        if not len(bought) or int(bought.day.min()) > self.day:
            return None
        return _fit(_Sample(bought, self.day, self.horizon_days))


@dataclass(frozen=True, eq=False)
class _Sample:
    """Purchases to fit on, equal to others with the same content: so that a fit is kept."""

    bought: Purchases
    day: int
    horizon_days: int

    @cached_property
    def _content(self) -> tuple[bytes, int, int]:
        held = blake2b(digest_size=16)
        for part in (self.bought.starts, self.bought.day, self.bought.minor):
            held.update(part.tobytes())
        return held.digest(), self.day, self.horizon_days

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sample) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)


@lru_cache(maxsize=8)
def _fit(sample: _Sample) -> ChurnFit:
    return fit_churn(sample.bought, sample.day, sample.horizon_days)


def question(asking: Asking) -> Question | None:
    """Return what is asked; None while the books are empty. BadRequest names a bad option."""
    if asking.as_of is None:
        return None
    scope, options = asking.scope, asking.options
    horizon = whole(options, "horizon_days", 90, 1, 3650)
    last = local_date(asking.as_of, asking.policy.zone)
    if scope.end is not None:
        last = min(last, scope.end - timedelta(days=1))
    day = day_number(last)
    since = day - horizon + 1 if scope.start is None else day_number(scope.start)
    return Question(
        asking=asking,
        day=day,
        since_day=min(since, day + 1),
        months=whole(options, "months", 12, 1, 120),
        discount_per_month=whole(options, "discount_ppm", 10_000, 0, 1_000_000) / 1e6,
        horizon_days=horizon,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Customers by equal histories as of a day, an element per cell."""

    customers: IntArray
    first_day: IntArray
    last_day: IntArray
    repaid_minor: FloatArray
    revenue_minor: IntArray
    histories: Histories


def cells_of(columns: Mapping[str, Sequence[Any]], day: int) -> Cells:
    """Return the cells of a query's columns; without `customers` each is one customer."""

    def column(name: str) -> IntArray:
        return np.array(columns[name], dtype=np.int64)

    first, last = column("first_day"), column("last_day")
    return Cells(
        customers=column("customers") if "customers" in columns else np.ones_like(first),
        first_day=first,
        last_day=last,
        repaid_minor=column("repaid_minor").astype(np.float64),
        revenue_minor=column("revenue_minor"),
        histories=Histories(
            unit=TimeUnit.DAY,
            repeats=column("repeats").astype(np.float64),
            recency=(last - first).astype(np.float64),
            age=(day - first).astype(np.float64),
        ),
    )


def cells_of_rows(rows: Sequence[Mapping[str, Any]], day: int) -> Cells:
    """Return the cells of rows, each one customer."""
    names = ("repeats", "first_day", "last_day", "repaid_minor", "revenue_minor")
    return cells_of({name: [row[name] for row in rows] for name in names}, day)


def cells(asked: Question) -> Cells:
    """Return all customers who had bought by the moment."""
    names = ("repeats", "first_day", "last_day", "customers", "repaid_minor", "revenue_minor")
    # One row of arrays, and within a cell the order of the sums does not matter.
    (columns,) = asked.asking.store.query(
        f"SELECT {', '.join(f'groupArray(c.{name}) AS {name}' for name in names)} FROM ("
        "SELECT repeats, first_day, last_day, toInt64(count()) AS customers,"
        " toInt64(sum(h.repaid_minor)) AS repaid_minor,"
        " toInt64(sum(h.revenue_minor)) AS revenue_minor"
        f" FROM ({histories()}) AS h GROUP BY repeats, first_day, last_day"
        " ORDER BY first_day, last_day, repeats) AS c",
        asked.parameters,
    )
    return cells_of(columns, asked.day)
