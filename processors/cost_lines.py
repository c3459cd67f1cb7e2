"""What a cost fact books: C3 channel, C4 concession, C5 overhead; other kinds stand unbooked.

Law: every cost fact is in the ledger whole, on exactly one line; a kind that no line takes yet
is kept on the control line `unbooked`, never dropped.
"""

from typing import Final

from processors.days import local_days
from processors.policy import Policy
from processors.results import UNBOOKED, Entry
from processors.touchpoints import Chain
from streams.facts import Cost

LINE_OF_KIND: Final = {
    "channel": "C3",
    "concession": "C4",
    "overhead": "C5",
    "technology": "C5",
    "facilities": "C5",
}


def cost_entries(cost: Cost, chain: Chain | None, policy: Policy) -> tuple[Entry, ...]:
    """Return the entry of a cost; `chain` is the one its contact_id names, if it is known.

    Dimensions are the cost's own where it has them, else the chain's. C5 is spread by local day
    over [period_start, period_end); all else stands on `occurred_at` (RUL-SPREAD).
    """
    if cost.amount_minor == 0:
        return ()
    face = None if chain is None else chain.face
    line = LINE_OF_KIND.get(cost.kind, UNBOOKED)
    term_start = term_end = None
    if line == "C5" and cost.period_start is not None and cost.period_end is not None:
        local_day = local_days(policy.zone)
        term_start, term_end = local_day(cost.period_start), local_day(cost.period_end)
        if term_end <= term_start:
            term_start = term_end = None
    return (
        Entry(
            line=line,
            basis="control" if line == UNBOOKED else "allocated" if line == "C5" else "booked",
            amount_minor=-cost.amount_minor,
            currency=cost.currency,
            effective_at=cost.occurred_at,
            contact_id=chain.contact_id if chain else "",
            case_id=(chain.case_id or "") if chain else "",
            queue=cost.queue or (face.queue if face else ""),
            team=(face.team or "") if face else "",
            agent_id=cost.agent_id or (face.agent_id or "" if face else ""),
            channel=cost.channel or (face.channel if face else ""),
            reason=(face.reason or "") if face else "",
            kind=cost.kind if line == UNBOOKED else (face.kind if face else ""),
            term_start=term_start,
            term_end=term_end,
            spread_minor=-cost.amount_minor if term_start is not None else 0,
        ),
    )
