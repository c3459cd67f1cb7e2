"""What a cost fact books: C3 channel, C4 concession, C5 overhead, C6 training and the like.

Law: every cost fact is in the ledger whole, on exactly one line. Payroll is no line of the
statement, for C1 + C2 + C7 are: it is kept whole on its control line, which they come to.
"""

from typing import Final, get_args

from processors.days import local_days
from processors.policy import Policy
from processors.results import PAYROLL, Basis, Entry
from processors.touchpoints import Chain
from streams.facts import Cost, CostKind

LINE_OF_KIND: Final = {
    "channel": "C3",
    "concession": "C4",
    "overhead": "C5",
    "technology": "C5",
    "facilities": "C5",
    "training": "C6",
    "attrition": "C6",
    "leadership": "C6",
    "payroll": PAYROLL,
}
assert LINE_OF_KIND.keys() == set(get_args(CostKind))
_BASIS: Final[dict[str, Basis]] = {"C5": "allocated", PAYROLL: "control"}
_OWN_KIND: Final = ("C6", PAYROLL)
"""Lines whose entries say what the money was for; others have the kind of the contact named."""


def cost_entries(cost: Cost, chain: Chain | None, policy: Policy) -> tuple[Entry, ...]:
    """Return the entry of a cost; `chain` is the one its contact_id names, if it is known.

    Dimensions are the cost's own where it has them, else the chain's. C5 is spread by local day
    over [period_start, period_end); all else stands on `occurred_at` (RUL-SPREAD).
    """
    if cost.amount_minor == 0:
        return ()
    face = None if chain is None else chain.face
    line = LINE_OF_KIND[cost.kind]
    term_start = term_end = None
    if line == "C5" and cost.period_start is not None and cost.period_end is not None:
        local_day = local_days(policy.zone)
        term_start, term_end = local_day(cost.period_start), local_day(cost.period_end)
        if term_end <= term_start:
            term_start = term_end = None
    return (
        Entry(
            line=line,
            basis=_BASIS.get(line, "booked"),
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
            kind=cost.kind if line in _OWN_KIND else (face.kind if face else ""),
            term_start=term_start,
            term_end=term_end,
            spread_minor=-cost.amount_minor if term_start is not None else 0,
        ),
    )
