"""What contacts are worth by customers who bring others (line D2, an estimate).

Law (DEF-REF): a new customer is referred once, by the first order that names a referrer, and
counts if the referrer was in contact within the 90 days before. Credited is theta x the lesser of
a cap and the margin of the new customer's first 90 days, less what those orders have already
earned as A1 and A4. While theta is not known nothing is booked, and the figure is not known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from processors.money import PPM, divide_half_even
from processors.retention import SegmentCredit
from streams.facts import Millis

REFERRAL_MS: Final = 90 * 86_400_000
"""W_ref: a contact is thanked for a referral this long, and so long a new customer counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferringContact:
    """The last contact of a referrer before the order."""

    ended_at: Millis
    queue: str
    team: str
    channel: str
    reason: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferredOrder:
    """An order that names its referrer.

    `margin_minor` is the net margin of the buyer's first 90 days, `credited_minor` what A1 and A4
    hold of the orders in them; `contact` the referrer's last before the order, None: never one.
    `first`: nothing was bought before it.
    """

    customer_id: str
    referrer_id: str
    order_id: str
    occurred_at: Millis
    first: bool
    margin_minor: int
    credited_minor: int
    contact: ReferringContact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Referring:
    """theta_ref with its standard error, in parts per million, and the cap per new customer."""

    theta_ppm: int
    theta_error_ppm: int = 0
    cap_minor: int


def referral_credits(
    orders: Iterable[ReferredOrder], rule: Referring | None
) -> tuple[SegmentCredit, ...] | None:
    """Return D2, a credit per new customer; None where theta is not known (`rule`)."""
    if rule is None:
        return None
    found: dict[str, SegmentCredit] = {}
    for order in sorted(orders, key=lambda each: (each.occurred_at, each.order_id)):
        contact = order.contact
        if not order.first or order.customer_id in found or order.customer_id == order.referrer_id:
            continue
        if contact is None or not 0 <= order.occurred_at - contact.ended_at <= REFERRAL_MS:
            continue
        base = max(0, min(rule.cap_minor, order.margin_minor))
        amount = divide_half_even(base * rule.theta_ppm, PPM) - max(0, order.credited_minor)
        error = divide_half_even(base * rule.theta_error_ppm, PPM)
        found[order.customer_id] = SegmentCredit(
            line="D2",
            effective_at=order.occurred_at,
            queue=contact.queue,
            team=contact.team,
            channel=contact.channel,
            reason=contact.reason,
            outcome=contact.outcome,
            amount_minor=max(0, amount),
            variance_minor2=error * error if amount > 0 else 0,
            cases=1,
        )
    return tuple(found.values())
