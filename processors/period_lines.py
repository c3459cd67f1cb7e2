"""What a period's fact books: each of its lines, as it is.

Law: what stands in the ledger for a period are the lines of its latest run, and of no other: a
later run takes the place of the former like any revision, reversal and addition (DEF-CHANGE).
"""

from processors.results import Entry
from streams.facts import Period


def period_entries(period: Period) -> tuple[Entry, ...]:
    """Return the entries of what the period job stated; none once it is withdrawn."""
    if period.withdrawn:
        return ()
    return tuple(
        [
            Entry(
                line=line.line,
                basis=line.basis,
                amount_minor=line.amount_minor,
                currency=line.currency,
                effective_at=line.effective_at,
                contact_id=line.contact_id,
                case_id=line.case_id,
                queue=line.queue,
                team=line.team,
                agent_id=line.agent_id,
                channel=line.channel,
                reason=line.reason,
                kind=line.kind,
                note=line.note,
                variance_minor2=line.variance_minor2,
            )
            for line in period.lines
        ]
    )
