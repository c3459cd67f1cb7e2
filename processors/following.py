"""What journeys say beside the books after a fact: what is counted anew, and a risk that moved.

Law: what is said follows from the facts of one customer and what was last said of him, which lies
in his state: so it is the same whatever the batches, and after a replay. It never changes what is
booked. Without a model of churn no risk is known, and asking costs next to nothing.
"""

from typing import Final, NamedTuple, Protocol

import msgspec

from processors.activity import Recounted, recount
from processors.customer import Customer
from processors.items import RISK, RiskItem
from processors.journeys import Applied
from processors.signal_records import ChurnReason, ChurnRecord, RiskMethod
from streams.facts import (
    Contact,
    Cost,
    Fact,
    Millis,
    Order,
    Period,
    Resolution,
    identity_of,
)

_CAUSES: Final[dict[type[Fact], str]] = {
    Contact: "contact",
    Resolution: "resolution",
    Order: "order",
    Cost: "cost",
    Period: "period",
}


class Followed(msgspec.Struct, frozen=True, gc=False):
    """What is to be told after a fact."""

    recounted: tuple[Recounted, ...] = ()
    churn: ChurnRecord | None = None


_NOTHING: Final = Followed()


class Behind(NamedTuple):
    """What is behind a risk, as `ChurnRecord` has it."""

    week_ago_ppm: int | None = None
    explained_ppm: int | None = None
    reasons: tuple[ChurnReason, ...] = ()
    value_minor: int | None = None
    currency: str = ""
    method: RiskMethod = ""
    model: str = ""
    horizon_days: int = 0


NOTHING_KNOWN: Final = Behind()


class Watch(Protocol):
    """What tells when a customer's risk has moved (`processors.risk_watch`)."""

    def moved(
        self, customer: Customer, fact: Fact, applied: Applied, logged_at: Millis
    ) -> ChurnRecord | None:
        """Return that a fact which was applied moved the risk, and note it; None if it did not."""
        ...


class Unknown:
    """What tells without a model: that a risk told before is not known any more."""

    def moved(
        self,
        customer: Customer,
        fact: Fact,
        applied: Applied,  # noqa: ARG002
        logged_at: Millis,
    ) -> ChurnRecord | None:
        """Return that the risk is not known any more, where it was."""
        if customer.risk is None or customer.risk.risk_ppm is None:
            return None
        return told_now(customer, fact, logged_at, None, False, NOTHING_KNOWN)


class Follower:
    """Says of facts that were applied what follows beside the books."""

    def __init__(self, watch: Watch) -> None:
        self._moved = watch.moved

    def follow(
        self, customer: Customer, fact: Fact, applied: Applied, logged_at: Millis
    ) -> Followed:
        """Return what is to be told after a fact; notes in the customer that it is."""
        if applied.disposition != "applied" and applied.disposition != "late":
            return _NOTHING
        churn = self._moved(customer, fact, applied, logged_at)
        if not applied.contacts:
            return _NOTHING if churn is None else Followed((), churn)
        told = customer.risk
        high = None if told is None or told.risk_ppm is None else told.high
        return Followed(recount(customer, applied.contacts, high), churn)


def told_now(
    customer: Customer,
    fact: Fact,
    logged_at: Millis,
    risk_ppm: int | None,
    high: bool,
    behind: Behind,
) -> ChurnRecord:
    """Return the record of a risk as it is told now, and note it, to be written to the state."""
    risk = customer.risk or RiskItem()
    before, risk.risk_ppm = risk.risk_ppm, risk_ppm
    risk.version += 1
    risk.high = high
    customer.risk = risk
    customer.changed.add(RISK)
    queue = team = channel = contact_id = ""
    contact_at = None
    for chain in reversed(customer.ends):
        if chain.handled:
            face = chain.face
            queue, team, channel = face.queue, face.team or "", face.channel
            contact_id, contact_at = chain.contact_id, chain.ended_at
            break
    assert customer.watermark is not None
    # By position: a call with over 15 keywords first builds a dictionary of them.
    return ChurnRecord(
        customer.key,
        risk.version,
        customer.watermark,
        logged_at,
        risk_ppm,
        before,
        behind.week_ago_ppm,
        behind.explained_ppm,
        _CAUSES[type(fact)],
        identity_of(fact),
        behind.reasons,
        high,
        behind.value_minor,
        behind.currency,
        behind.method,
        behind.model,
        behind.horizon_days,
        queue,
        team,
        channel,
        contact_id,
        contact_at,
    )
