"""`pnl report customers`: who the customers are, what they are worth, whether they come back.

Law: a customer without an order has no risk and no value, but counts. Booked revenue and
estimated value stand in columns of their own; an estimate has its interval or says what it was
calibrated on, and is None where the data cannot tell.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from pnl.reports.customer_books import CONTACTS, Cells, Question, cells, histories, question
from pnl.reports.customer_list import customer_list
from pnl.reports.customer_retention import retention
from pnl.reports.customer_saves import saves
from pnl.reports.customer_words import DEFINITIONS, notes
from pnl.reports.customer_worth import Worth, worth
from pnl.reports.model import BadRequest
from pnl.reports.period import date_of
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport
from processors.churn import BUCKET_TITLES, BUCKETS, bucket_of
from processors.confidence import wilson
from processors.repeat_models import FloatArray

NEW: Final = "new"
EXISTING: Final = "existing"
NO_ORDER: Final = "no order"
SEGMENTS: Final = ("relation", "frequency")
VIEWS: Final = ("segments", "customers", "retention", "saves")

COLUMNS: Final = (
    SheetColumn("customers", "Customers", "count", "CUS-CUSTOMER"),
    SheetColumn("active", "Active", "count", "CUS-ACTIVE"),
    SheetColumn("first_purchases", "First purchases", "count", "CUS-NEW"),
    SheetColumn("net_revenue_minor", "Net revenue", "amount_minor", "CUS-REVENUE", "booked"),
    SheetColumn("repeat_ppm", "Bought again", "ppm", "CUS-REPEAT"),
    SheetColumn("repeat_ppm_low", "from", "ppm", "DEF-CI"),
    SheetColumn("repeat_ppm_high", "to", "ppm", "DEF-CI"),
    SheetColumn("contacts", "Contacts", "count", "CUS-CONTACT"),
    SheetColumn("contact_ppm", "Contacted us", "ppm", "CUS-CONTACT"),
    SheetColumn("contact_ppm_low", "from", "ppm", "DEF-CI"),
    SheetColumn("contact_ppm_high", "to", "ppm", "DEF-CI"),
    SheetColumn("risk_ppm", "Risk", "ppm", "DEF-RISK", "estimated"),
    SheetColumn("clv_minor", "Lifetime value", "amount_minor", "DEF-CLV", "estimated"),
    SheetColumn("clv_minor_low", "from", "amount_minor", "DEF-CLV"),
    SheetColumn("clv_minor_high", "to", "amount_minor", "DEF-CLV"),
    SheetColumn("at_risk_minor", "Value at risk", "amount_minor", "CUS-AT-RISK", "estimated"),
    SheetColumn("at_risk_minor_low", "from", "amount_minor", "CUS-AT-RISK"),
    SheetColumn("at_risk_minor_high", "to", "amount_minor", "CUS-AT-RISK"),
    SheetColumn("loss_minor", "Cost of losing one", "amount_minor", "CUS-LOSS", "estimated"),
    SheetColumn("loss_minor_low", "from", "amount_minor", "CUS-LOSS"),
    SheetColumn("loss_minor_high", "to", "amount_minor", "CUS-LOSS"),
    SheetColumn("replacement_minor", "Cost of replacing one", "amount_minor", "CUS-REPLACE"),
)


def make(asking: Asking) -> Sheet:
    """Return the view asked for: segments, one customer a row, retention, or save calls."""
    view = asking.options.get("view", "segments")
    if view not in VIEWS:
        raise BadRequest(f"--set view={view} must be one of {', '.join(VIEWS)}.")
    if asking.by and view != "segments":
        raise BadRequest(f"The view {view} takes no --by.")
    if "customer" in asking.by and len(asking.by) > 1:
        raise BadRequest("--by customer stands alone.")
    asked = question(asking)
    if view == "retention":
        return retention(asking, asked)
    if view == "saves":
        return saves(asking, asked)
    if view == "customers" or asking.by == ("customer",) or "customer" in asking.options:
        return customer_list(asking, asked)
    return _segments(asking, asked)


def _segments(asking: Asking, asked: Question | None) -> Sheet:
    by = asking.by or SEGMENTS
    keys = tuple(SheetColumn(name, name.capitalize(), "text", f"CUS-{name.upper()}") for name in by)
    title = "Customers"
    if asked is None:
        return asking.sheet("customers", title, keys + COLUMNS, [], notes=("The books are empty.",))
    found = cells(asked)
    risk = (
        np.full(len(found.customers), np.nan)
        if asked.fit is None
        else asked.fit.risk_model.risk(found.histories)
    )
    valued = worth(asked, found, risk)
    relation = np.where(found.first_day >= asked.since_day, NEW, EXISTING)
    frequency = np.array(BUCKET_TITLES)[bucket_of(found.histories.repeats)]
    places = {"relation": relation, "frequency": frequency}
    contacts = _contacts(asked)
    rows: list[Row] = []
    for key in _keys(by):
        here = np.ones(len(risk))
        for name, value in zip(by, key, strict=True):
            here *= places[name] == value
        if here.any():
            told = _told(contacts, by, key)
            rows.append((*key, *_figures(asked, found, risk, valued, here, told)))
    without = contacts.get((NO_ORDER, ""), (0, 0))
    if without[0]:
        rows.append((NO_ORDER, *[""] * (len(by) - 1), *_no_order(without, asking)))
    every = np.ones(len(risk))
    figures = _figures(asked, found, risk, valued, every, _told(contacts, (), ()))
    total = (*[""] * len(by), *figures)
    return asking.sheet(
        "customers",
        f"{title} to {date_of(asked.day)}, new since {date_of(asked.since_day)}",
        keys + COLUMNS,
        rows,
        total=total if len(risk) else None,
        notes=(*notes(asked, valued is not None), "The total counts those who have bought."),
        label="" if asked.fit is None else asked.fit.label,
    )


def _keys(by: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the rows there can be, in the order in which they are shown."""
    values = {"relation": (NEW, EXISTING), "frequency": BUCKET_TITLES}
    keys: list[tuple[str, ...]] = [()]
    for name in by:
        keys = [(*key, value) for key in keys for value in values[name]]
    return keys


Contacts = Mapping[tuple[str, str], tuple[int, int]]
"""(relation, frequency) -> customers who were in contact, their contacts."""


def _contacts(asked: Question) -> Contacts:
    """Return who was in contact in the range, those who never bought under `no order`."""
    buckets = ", ".join(str(each) for each in BUCKETS)
    bought = histories(of=f"customer_id IN (SELECT customer_id FROM ({CONTACTS}))")
    rows = asked.asking.store.query(
        "SELECT relation, bucket, toInt64(count()) AS customers, toInt64(sum(contacts)) AS contacts"
        " FROM (SELECT c.contacts AS contacts,"
        f" multiIf(h.paid_minor = 0, '{NO_ORDER}',"
        f" h.first_day >= {{since_day:Int32}}, '{NEW}', '{EXISTING}') AS relation,"
        f" toInt64(arrayCount(least -> least <= h.repeats, [{buckets}])) AS bucket"
        f" FROM ({CONTACTS}) AS c LEFT JOIN ({bought}) AS h ON c.customer_id = h.customer_id)"
        " GROUP BY relation, bucket",
        asked.parameters,
    )
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        relation = row["relation"]
        bucket = "" if relation == NO_ORDER else BUCKET_TITLES[int(row["bucket"]) - 1]
        many, contacts = found.get((relation, bucket), (0, 0))
        found[relation, bucket] = (many + row["customers"], contacts + row["contacts"])
    return found


def _contacted(told: tuple[int, int] | None, customers: int) -> tuple[Cell, ...]:
    """Return contacts and the share of customers who had one; None of books without contacts."""
    return (None,) * 4 if told is None else (told[1], *share(told[0], customers))


def _told(contacts: Contacts, by: tuple[str, ...], key: tuple[str, ...]) -> tuple[int, int] | None:
    """Return the contacts of the segments that a row is about; None if nobody had any."""
    if not contacts:
        return None
    wanted = dict(zip(by, key, strict=True))
    chosen = [
        told
        for (relation, frequency), told in contacts.items()
        if wanted.get("relation", relation) == relation
        and wanted.get("frequency", frequency) == frequency
        and relation != NO_ORDER
    ]
    return sum(many for many, _ in chosen), sum(contacts for _, contacts in chosen)


def _figures(
    asked: Question,
    found: Cells,
    risk: FloatArray,
    valued: Worth | None,
    here: FloatArray,
    contacts: tuple[int, int] | None,
) -> Row:
    """Return the figures of the cells that are here."""
    counts = found.customers * here
    customers = int(counts.sum())
    again = int(counts[found.histories.repeats > 0].sum())
    active = int(counts[found.last_day > asked.day - asked.horizon_days].sum())
    new = int(counts[found.first_day >= asked.since_day].sum())
    return (
        customers,
        active,
        new,
        int((found.revenue_minor * here).sum()),
        *share(again, customers),
        *_contacted(contacts, customers),
        _mean_risk(risk, counts),
        *_value(valued, here, customers),
        asked.asking.policy.acquisition_cost_minor,
    )


def share(part: int, whole: int) -> tuple[Cell, Cell, Cell]:
    """Return a share and its interval in parts per million; None of nothing."""
    found = wilson(part, whole)
    if found is None:
        return None, None, None
    return tuple(round(each * 1e6) for each in (part / whole, *found))  # type: ignore[return-value]


def _mean_risk(risk: FloatArray, counts: FloatArray) -> int | None:
    """Return the mean risk; None if it is not known of all of them."""
    here = counts > 0
    if not here.any() or not np.isfinite(risk[here]).all():
        return None
    return round(float(risk[here] @ counts[here] / counts[here].sum()) * 1e6)


def _value(valued: Worth | None, here: FloatArray, customers: int) -> tuple[Cell, ...]:
    """Return value, value at risk and value per customer, each with its interval."""
    interval = None if valued is None else valued.interval(here)
    if valued is None or interval is None or not customers:
        return (None,) * 9
    value = float(valued.value @ here)
    chosen = here > 0
    at_risk = float(valued.at_risk[chosen] @ here[chosen])
    ends = (value, interval.low, interval.high)
    # The share at risk moves with risk, not with the parameters of value.
    portion = at_risk / value if value else 0.0
    risked = (None,) * 3 if np.isnan(portion) else [round(each * portion) for each in ends]
    return (
        *(round(each) for each in ends),
        *risked,
        *(round(each / customers) for each in ends),
    )


def _no_order(told: tuple[int, int], asking: Asking) -> tuple[Any, ...]:
    """Return what can be said of customers who were in contact and never bought."""
    customers, contacts = told
    nothing: tuple[None, ...] = (None,)
    return (
        customers,
        *(0, 0, 0),
        *nothing * 3,
        contacts,
        *nothing * 13,
        asking.policy.acquisition_cost_minor,
    )


CUSTOMERS: Final = SheetReport(
    name="customers",
    title="Customers",
    summary="What customers are worth, what is at risk, who is new, who comes back.",
    make=make,
    dimensions=(*SEGMENTS, "customer"),
    options={
        "view": "segments, customers, retention or saves [segments]",
        "customer": "one customer by its id",
        "months": "months that lifetime value counts [12]",
        "discount_ppm": "discount a month in parts per million [10000]",
        "horizon_days": "days without a purchase that are a loss [90]",
        "limit": "customers in a list [100]",
        "skip": "customers of a list to leave out [0]",
    },
    definitions=DEFINITIONS,
    views=VIEWS,
    optional=SEGMENTS,
)
