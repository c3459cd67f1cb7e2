"""The retention curve: who of those who first bought in a month buys in later months.

Law: a month counts when it is over for the whole cohort, so no point of a curve falls later only
because its month was not finished.
"""

from datetime import date
from typing import Final

from pnl.reports.customer_books import Question, histories, purchase_days
from pnl.reports.period import date_of
from pnl.reports.sheet import Asking, Row, Sheet, SheetColumn
from processors.confidence import wilson

MONTHS_MAX: Final = 36
COLUMNS: Final = (
    SheetColumn("cohort", "First bought in", "date", "CUS-COHORT"),
    SheetColumn("months_after", "Months after", "count", "CUS-RETAINED"),
    SheetColumn("customers", "Customers", "count", "CUS-COHORT"),
    SheetColumn("retained", "Bought then", "count", "CUS-RETAINED"),
    SheetColumn("retained_ppm", "Share", "ppm", "CUS-RETAINED"),
    SheetColumn("retained_ppm_low", "from", "ppm", "DEF-CI"),
    SheetColumn("retained_ppm_high", "to", "ppm", "DEF-CI"),
    SheetColumn("net_revenue_minor", "Net revenue", "amount_minor", "CUS-REVENUE", "booked"),
)

_MONTH: Final = "toStartOfMonth(toDate({day}))"


def retention(asking: Asking, asked: Question | None) -> Sheet:
    """Return a row per cohort and month after it, oldest cohort first; month 0 is its own."""
    title = "Retention curve"
    if asked is None:
        return asking.sheet("customers", title, COLUMNS, [], notes=("The books are empty.",))
    first, then = _MONTH.format(day="h.first_day"), _MONTH.format(day="d.day")
    rows = asking.store.query(
        f"SELECT {first} AS cohort, toInt64(dateDiff('month', {first}, {then})) AS months_after,"
        " toInt64(uniqExact(d.customer_id)) AS bought, toInt64(sum(d.minor)) AS revenue_minor"
        f" FROM ({purchase_days()}) AS d"
        f" INNER JOIN ({histories()}) AS h ON d.customer_id = h.customer_id"
        " GROUP BY cohort, months_after ORDER BY cohort, months_after",
        asked.parameters,
    )
    found = {
        (row["cohort"], int(row["months_after"])): (int(row["bought"]), int(row["revenue_minor"]))
        for row in rows
    }
    since = asking.scope.start
    cohorts = sorted({cohort for cohort, _ in found if since is None or cohort >= since})
    sheet = [
        _row(cohort, after, found[cohort, 0][0], found.get((cohort, after), (0, 0)))
        for cohort in cohorts
        for after in range(min(_months_over(cohort, date_of(asked.day + 1)), MONTHS_MAX + 1))
    ]
    notes = ("Month 0 is the month of the first purchase. Months that are not over are left out.",)
    return asking.sheet("customers", title, COLUMNS, sheet, notes=notes)


def _months_over(cohort: date, today: date) -> int:
    """Return how many months, the cohort's own first, have ended before a day."""
    return (today.year - cohort.year) * 12 + today.month - cohort.month


def _row(cohort: date, after: int, customers: int, found: tuple[int, int]) -> Row:
    bought, revenue = found
    interval = wilson(bought, customers)
    ends = (None, None) if interval is None else tuple(round(each * 1e6) for each in interval)
    share = round(bought / customers * 1e6)
    return (cohort, after, customers, bought, share, *ends, revenue)
