"""What `pnl close` answers: which periods it closed, or how every month stands."""

import json
from datetime import timedelta
from typing import Final

from pnl.periods.job import PATIENCE, PeriodJob, close_now, cuts
from pnl.periods.names import parse_name
from pnl.reports.as_reported import closings
from pnl.reports.period import rfc3339
from pnl.reports.sql import Queryable
from streams.log import EventLog

HOW: Final = {
    "closed": "closed {at}",
    "live": "open; closes by itself once event time and clock have passed {at}",
    "imported": "open; `pnl close {name}` closes it",
}


def close(
    job: PeriodJob, log: EventLog, store: Queryable, name: str, patience: timedelta = PATIENCE
) -> str:
    """Close a period; return what is said. UserError where the name is none, or not over yet."""
    period = parse_name(name)
    closed = close_now(job, log, period, patience)
    if closed:
        return f"Closed: {', '.join(closed)}."
    before = closings(store)[period.name]
    return (
        f"{period.name} is closed since {rfc3339(before.closed_at)}; it stays as it was reported."
    )


def listing(
    job: PeriodJob,
    log: EventLog,
    store: Queryable,
    *,
    as_json: bool,
    patience: timedelta = PATIENCE,
) -> str:
    """Return how every month with entries stands, and which quarters and years are closed."""
    rows = []
    for each in job.standing(next(cuts(log, patience))):
        if each.closing is not None:
            state, at = "closed", each.closing.closed_at
        else:
            state, at = ("live" if each.live else "imported"), each.closes_at
        rows.append({"period": each.period.name, "state": state, "at": rfc3339(at)})
    months = {row["period"] for row in rows}
    rows += [
        {"period": name, "state": "closed", "at": rfc3339(closing.closed_at)}
        for name, closing in closings(store).items()
        if name not in months
    ]
    if as_json:
        return json.dumps(rows)
    if not rows:
        return "There are no periods yet."
    return "\n".join(
        f"{row['period']:8}  {HOW[row['state']].format(at=row['at'], name=row['period'])}"
        for row in rows
    )
