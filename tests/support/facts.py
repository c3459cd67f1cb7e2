"""Facts with sensible fields, so that a test names only what it is about."""

from typing import Any, Final

from streams.facts import Contact, Cost, Order, OrderLine, Resolution

DAY: Final = 86_400_000
MINUTE: Final = 60_000
BASE: Final = 1_709_294_400_000
"""2024-03-01T12:00:00Z: a month before the clocks change in London."""


def at(day: float) -> int:
    """Return noon of a day, counted from 2024-03-01, in milliseconds."""
    return BASE + round(day * DAY)


def contact(contact_id: str, ended_at: int, **other: Any) -> Contact:
    """Build a handled leg of five minutes' talk that ended at a time."""
    talk_ms = other.pop("talk_ms", 5 * MINUTE)
    started_at = other.pop("started_at", ended_at - talk_ms)
    fields: dict[str, Any] = {
        "event_id": f"event-{contact_id}",
        "channel": "voice",
        "direction": "inbound",
        "kind": "service",
        "queue": "billing",
        "connected_at": started_at,
        "hold_ms": 0,
        "wrap_ms": 0,
        "wait_ms": 0,
        "abandoned": False,
        "customer_id": "k",
    }
    return Contact(
        contact_id=contact_id,
        started_at=started_at,
        ended_at=ended_at,
        talk_ms=talk_ms,
        **(fields | other),
    )


def line(
    line_id: str, amount_minor: int, product_class: Any = "product", **other: Any
) -> OrderLine:
    """Build an order line whose goods cost nothing, unless the test says so."""
    fields: dict[str, Any] = {"cost_minor": 0}
    return OrderLine(
        line_id=line_id,
        product_class=product_class,
        amount_minor=amount_minor,
        **(fields | other),
    )


def order(order_id: str, occurred_at: int, amount_minor: int | None = None, **other: Any) -> Order:
    """Build a sale of one product line; give `lines`, `kind`, `refund_of` for anything else."""
    fields: dict[str, Any] = {
        "event_id": f"event-{order_id}",
        "kind": "sale",
        "currency": "GBP",
        "customer_id": "k",
    }
    if amount_minor is not None:
        fields["lines"] = (line("l1", amount_minor),)
    return Order(order_id=order_id, occurred_at=occurred_at, **(fields | other))


def refund(
    order_id: str, of: str | None, occurred_at: int, amount: int | None, **other: Any
) -> Order:
    """Build what takes back part of a sale: by default a refund of its line l1."""
    return order(order_id, occurred_at, amount, **({"kind": "refund", "refund_of": of} | other))


def cost(event_id: str, kind: Any, occurred_at: int, amount_minor: int, **other: Any) -> Cost:
    """Build a cost of a customer."""
    fields: dict[str, Any] = {"currency": "GBP", "customer_id": "k"}
    return Cost(
        event_id=event_id,
        kind=kind,
        occurred_at=occurred_at,
        amount_minor=amount_minor,
        **(fields | other),
    )


def resolution(event_id: str, case_id: str, occurred_at: int, **other: Any) -> Resolution:
    """Build a resolution of a case."""
    fields: dict[str, Any] = {"outcome": "resolved", "customer_id": "k"}
    return Resolution(
        event_id=event_id, case_id=case_id, occurred_at=occurred_at, **(fields | other)
    )
