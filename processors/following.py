"""What journeys say beside the books after a fact: what is counted anew, and a risk that moved.

Law: what is said follows from the facts of one customer and what was last said of him, which lies
in his state: so it is the same whatever the batches, and after a replay. It never changes what is
booked. Without a model of churn no risk is known, and asking costs next to nothing.
"""

from typing import Final, Protocol

import msgspec

from processors.activity import Recounted, recount
from processors.customer import Customer
from processors.items import RISK, RiskItem
from processors.journeys import Applied
from processors.signal_records import ChurnRecord
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
        return told_now(customer, fact, logged_at, None, high=False)


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
    customer: Customer, fact: Fact, logged_at: Millis, risk_ppm: int | None, *, high: bool
) -> ChurnRecord:
    """Return the record of a risk as it is told now, and note it, to be written to the state."""
    risk = customer.risk or RiskItem()
    before, risk.risk_ppm = risk.risk_ppm, risk_ppm
    risk.version += 1
    risk.high = high
    customer.risk = risk
    customer.changed.add(RISK)
    contact = next((chain for chain in reversed(customer.ends) if chain.handled), None)
    face = None if contact is None else contact.face
    assert customer.watermark is not None
    return ChurnRecord(
        customer.key,
        risk.version,
        customer.watermark,
        logged_at,
        risk_ppm,
        before_ppm=before,
        cause_kind=_CAUSES[type(fact)],
        cause_id=identity_of(fact),
        high=high,
        queue="" if face is None else face.queue,
        team="" if face is None else face.team or "",
        channel="" if face is None else face.channel,
        contact_id="" if contact is None else contact.contact_id,
        contact_at=None if contact is None else contact.ended_at,
    )
