"""Values of the input topics as sources write them: good ones, to be varied or spoiled."""

import json
from typing import Any, Final

DAY: Final = "2026-04-01"


class Raw(str):
    """A piece of JSON text that stands as it is, however wrong: `Raw("1e999")`."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object with its names in order, repeated ones too."""

    __slots__ = ()


def render(value: Any) -> bytes:
    """Write a value as JSON, raw pieces as they are."""
    return _render(value).encode("utf-8", "surrogatepass")


def _render(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict | Pairs):
        pairs = value.items() if isinstance(value, dict) else value
        return "{" + ",".join(f"{_render(name)}:{_render(item)}" for name, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_render, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def good(topic: str) -> dict[str, Any]:
    """Return a good value of a topic with every field set; its key is `cu-1`."""
    return {
        "contacts": contact,
        "resolutions": resolution,
        "orders": order,
        "costs": cost,
        "periods": period,
    }[topic]()


def contact() -> dict[str, Any]:
    """Return a leg of eight minutes."""
    return {
        "event_id": "ev-1",
        "contact_id": "ct-1",
        "chain_id": "ch-1",
        "case_id": "ca-1",
        "customer_id": "cu-1",
        "channel": "voice",
        "direction": "inbound",
        "kind": "service",
        "queue": "billing",
        "team": "north",
        "agent_id": "a7",
        "reason": "invoice",
        "tier": "gold",
        "started_at": f"{DAY}T09:30:00Z",
        "connected_at": f"{DAY}T09:30:20.500Z",
        "ended_at": f"{DAY}T09:38:00Z",
        "talk_ms": 300000,
        "hold_ms": 10000,
        "wrap_ms": 30000,
        "wait_ms": 20500,
        "abandoned": False,
        "transfer_of": "ct-0",
        "disposition_code": "solved",
        "fee": {"tariff": "paid", "amount_minor": 250, "currency": "GBP"},
        "offers": [
            {"product_class": "upgrade", "eligible": True, "offered": True, "accepted": False}
        ],
        "experiment": {"id": "x-1", "arm": "treated"},
        "revision": 1,
        "withdrawn": False,
    }


def resolution() -> dict[str, Any]:
    """Return a case that was resolved."""
    return {
        "event_id": "ev-2",
        "case_id": "ca-1",
        "contact_id": "ct-1",
        "customer_id": "cu-1",
        "outcome": "resolved",
        "occurred_at": f"{DAY}T09:40:00+01:00",
        "csat": 5,
        "nps": 9,
        "ces": 2,
        "revision": 0,
        "withdrawn": False,
    }


def order() -> dict[str, Any]:
    """Return a sale of two lines, one with a term."""
    return {
        "event_id": "ev-3",
        "order_id": "or-1",
        "customer_id": "cu-1",
        "kind": "sale",
        "occurred_at": f"{DAY}T09:35:00.123Z",
        "currency": "GBP",
        "lines": [
            {"line_id": "1", "product_class": "product", "sku": "85123A", "amount_minor": 1530},
            {
                "line_id": "2",
                "product_class": "maintenance",
                "amount_minor": 12000,
                "cost_minor": 0,
                "term_start": "2026-04-01",
                "term_end": "2027-04-01",
            },
        ],
        "refund_of": "or-0",
        "contact_id": "ct-1",
        "agent_id": "a7",
        "referred_by": "cu-9",
        "revision": 0,
        "withdrawn": False,
    }


def cost() -> dict[str, Any]:
    """Return a month's overhead."""
    return {
        "event_id": "ev-4",
        "kind": "overhead",
        "occurred_at": f"{DAY}T00:00:00Z",
        "amount_minor": 250000,
        "currency": "GBP",
        "customer_id": "cu-1",
        "contact_id": "ct-1",
        "agent_id": "a7",
        "queue": "billing",
        "channel": "voice",
        "period_start": "2026-04-01",
        "period_end": "2026-05-01",
        "revision": 0,
        "withdrawn": False,
    }


def period() -> dict[str, Any]:
    """Return what a run worked out for a period, whose name is the key."""
    return {
        "event_id": "2026-03/D1",
        "period": "cu-1",
        "kind": "figures",
        "occurred_at": f"{DAY}T00:00:00Z",
        "lines": [
            {
                "line": "D1",
                "basis": "estimated",
                "amount_minor": -420,
                "currency": "GBP",
                "effective_at": "2026-03-31T12:00:00Z",
                "queue": "billing",
                "team": "north",
                "agent_id": "a7",
                "channel": "voice",
                "reason": "invoice",
                "kind": "service",
                "contact_id": "ct-1",
                "case_id": "ca-1",
                "note": "segment",
                "variance_minor2": 10**12,
            }
        ],
        "cut": [{"partition": 0, "offset": 12}, {"partition": 1, "offset": 0}],
        "revision": 3,
        "withdrawn": False,
    }
