"""One customer a row: what each is worth and what is at risk, the most at risk first.

Law: the list is ranked by value at risk among the customers who brought most; a customer who
never bought has neither risk nor value, and stands at the end.
"""

from typing import Any, Final

import numpy as np

from pnl.reports.customer_books import CONTACTS, Question, cells_of_rows, histories
from pnl.reports.customer_words import notes
from pnl.reports.customer_worth import Worth, worth
from pnl.reports.options import whole
from pnl.reports.period import date_of
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn
from processors.churn import BUCKET_TITLES, bucket_of

CANDIDATES_MAX: Final = 20_000

COLUMNS: Final = (
    SheetColumn("customer", "Customer", "text", "CUS-CUSTOMER"),
    SheetColumn("relation", "Relation", "text", "CUS-RELATION"),
    SheetColumn("frequency", "Frequency", "text", "CUS-FREQUENCY"),
    SheetColumn("first_purchase", "First purchase", "date", "CUS-NEW"),
    SheetColumn("last_purchase", "Last purchase", "date", "CUS-ACTIVE"),
    SheetColumn("purchases", "Purchases", "count", "CUS-FREQUENCY"),
    SheetColumn("net_revenue_minor", "Net revenue", "amount_minor", "CUS-REVENUE", "booked"),
    SheetColumn("contacts", "Contacts", "count", "CUS-CONTACT"),
    SheetColumn("risk_ppm", "Risk", "ppm", "DEF-RISK", "estimated"),
    SheetColumn("clv_minor", "Lifetime value", "amount_minor", "DEF-CLV", "estimated"),
    SheetColumn("clv_minor_low", "from", "amount_minor", "DEF-CLV"),
    SheetColumn("clv_minor_high", "to", "amount_minor", "DEF-CLV"),
    SheetColumn("at_risk_minor", "Value at risk", "amount_minor", "CUS-AT-RISK", "estimated"),
    SheetColumn("replacement_minor", "Cost of replacing", "amount_minor", "CUS-REPLACE"),
)


def customer_list(asking: Asking, asked: Question | None) -> Sheet:
    """Return `limit` customers after `skip`, or the one that is asked for."""
    if asked is None:
        return asking.sheet("customers", "Customers", COLUMNS, [], notes=("The books are empty.",))
    limit = whole(asking.options, "limit", 100, 1, CANDIDATES_MAX)
    skip = whole(asking.options, "skip", 0, 0, CANDIDATES_MAX)
    one = asking.options.get("customer")
    # A row for whoever bought or was in contact in the range; text is a parameter, never SQL.
    only = "" if one is None else " WHERE customer_id = {one:String}"
    found = asking.store.query(
        "SELECT customer_id, sum(part.repeats) AS repeats, sum(part.first_day) AS first_day,"
        " sum(part.last_day) AS last_day, sum(part.repaid_minor) AS repaid_minor,"
        " sum(part.revenue_minor) AS revenue_minor, sum(part.paid_minor) AS paid_minor,"
        " toInt64(sum(part.contacts)) AS contacts FROM ("
        " SELECT customer_id, repeats, first_day, last_day, repaid_minor, revenue_minor,"
        f" paid_minor, 0 AS contacts FROM ({histories()}) UNION ALL"
        f" SELECT customer_id, 0, 0, 0, 0, 0, 0, contacts FROM ({CONTACTS})) AS part{only}"
        f" GROUP BY customer_id ORDER BY paid_minor DESC, customer_id LIMIT {CANDIDATES_MAX}",
        asked.parameters | ({} if one is None else {"one": one}),
    )
    ranked = _ranked(asked, [row for row in found if row["paid_minor"] > 0])
    ranked += [row for row in found if row["paid_minor"] <= 0]
    page = ranked[skip : skip + limit]
    rows = _valued(asked, [row for row in page if row["paid_minor"] > 0])
    known = any(row[9] is not None for row in rows)
    rows += [_unvalued(row, asking) for row in page if row["paid_minor"] <= 0]
    told = notes(asked, valued=known or not rows)
    if len(found) == CANDIDATES_MAX:
        told = (*told, f"Ranked among the {CANDIDATES_MAX} customers who brought most.")
    return asking.sheet(
        "customers",
        f"Customers to {date_of(asked.day)}",
        COLUMNS,
        rows,
        notes=(*told, f"{len(page)} of {len(ranked)} customers are shown."),
        label="" if asked.fit is None else asked.fit.label,
    )


def _ranked(asked: Question, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return customers who bought, the most value at risk first, else who brought most."""
    each = cells_of_rows(found, asked.day)
    if asked.fit is None or not found:
        return found
    valued = worth(asked, each, asked.fit.risk_model.risk(each.histories))
    if valued is None:
        return found
    at_risk = np.nan_to_num(valued.at_risk)
    return [found[place] for place in np.argsort(-at_risk, kind="stable")]


def _valued(asked: Question, found: list[dict[str, Any]]) -> list[Row]:
    """Return the rows of customers who bought."""
    if not found or asked.fit is None:
        return []
    each = cells_of_rows(found, asked.day)
    risk = asked.fit.risk_model.risk(each.histories)
    valued = worth(asked, each, risk)
    titles = [BUCKET_TITLES[place] for place in bucket_of(each.histories.repeats)]
    return [
        (
            row["customer_id"],
            "new" if row["first_day"] >= asked.since_day else "existing",
            titles[place],
            date_of(int(row["first_day"])),
            date_of(int(row["last_day"])),
            int(row["repeats"]) + 1,
            int(row["revenue_minor"]),
            int(row["contacts"]),
            round(float(risk[place]) * 1e6) if np.isfinite(risk[place]) else None,
            *_value(valued, place),
            asked.asking.policy.acquisition_cost_minor,
        )
        for place, row in enumerate(found)
    ]


def _value(valued: Worth | None, place: int) -> tuple[Cell, ...]:
    """Return one customer's value with its interval, and its value at risk."""
    if valued is None:
        return (None,) * 4
    here = np.zeros(len(valued.value))
    here[place] = 1.0
    ends = valued.interval(here)
    at_risk = float(valued.at_risk[place])
    return (
        round(float(valued.value[place])),
        None if ends is None else round(ends.low),
        None if ends is None else round(ends.high),
        round(at_risk) if np.isfinite(at_risk) else None,
    )


def _unvalued(row: dict[str, Any], asking: Asking) -> Row:
    """Return the row of a customer who never bought: nothing is known of what comes."""
    return (
        row["customer_id"],
        "no order",
        *(None,) * 3,
        0,
        0,
        int(row["contacts"]),
        *(None,) * 5,
        asking.policy.acquisition_cost_minor,
    )
