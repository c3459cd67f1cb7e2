"""The cohorts of the days: chains that ended on one local day, what they brought and cost.

Law: a row is a cohort (DEF-RPC): all that was booked for the chains that ended on that day,
whenever it was. A day with 23 or 25 hours is one day.
"""

from typing import Final

from pnl.reports.contacts import daily
from pnl.reports.model import CONTACT_DIMENSIONS, DayPoint
from pnl.reports.sheet import Asking, Row, Sheet, SheetColumn, SheetReport, with_interval

COLUMNS: Final = (
    SheetColumn("day", "Day", "date", "DEF-DAY"),
    SheetColumn("chains", "Contacts", "count", "DEF-CHAIN"),
    SheetColumn("handled", "Handled", "count", "DEF-HANDLED"),
    SheetColumn("abandoned", "Abandoned", "count", "DEF-HANDLED"),
    SheetColumn("net_credit_minor", "Net credit", "amount_minor", "DEF-RPC", "booked"),
    SheetColumn("cost_minor", "Cost", "amount_minor", "RUL-RPC", "standard"),
    *with_interval(
        SheetColumn("per_contact_minor", "Per contact", "amount_minor", "DEF-RPC", "booked"),
        "DEF-RPC-CI",
    ),
    SheetColumn("matured", "Matured", "count", "DEF-MATURE"),
)


def make(asking: Asking) -> Sheet:
    """Return a row per local day on which a chain of the scope ended, oldest first."""
    points = daily(asking.store, asking.policy, asking.as_of, asking.scope)
    return asking.sheet("daily", "Contacts by day", COLUMNS, [_row(point) for point in points])


def _row(point: DayPoint) -> Row:
    mean, half = point.revenue_per_contact_minor, point.ci_minor
    interval = (None, None) if mean is None or half is None else (mean - half, mean + half)
    return (
        point.day,
        point.chains,
        point.handled,
        point.abandoned,
        point.net_credit_minor,
        point.cost_minor,
        mean,
        *interval,
        point.matured,
    )


DAILY: Final = SheetReport(
    name="daily",
    title="Contacts by day",
    summary="What the contacts that ended on each day brought and cost, with an interval.",
    make=make,
    filters=CONTACT_DIMENSIONS,
    converts="chains",
)
