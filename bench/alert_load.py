"""Customers who are about to leave: facts that must each become one alert, and all around them.

A *marked* customer bought some weeks ago, and now complains in a queue of its own; the model below
says that the risk then passes the threshold. One rule tells of that queue alone, so what has to be
delivered is known: one alert per marked customer.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pnl.fitting.model_file import FORMAT, VERSION, CurvePart, ModelFile, text_of
from processors.signal_records import AlertRecord
from streams.codec import encode
from streams.facts import Contact, Fact, Millis, Order, OrderLine, key_of
from streams.log import EventLog, Outgoing, Record
from streams.topics import ALERTS, CONTACTS, ORDERS

QUEUE: Final = "leaving"
RULE: Final = "churn-customer"
ROUTE: Final = "hook"
SECRET: Final = "whsec_" + "c2VjcmV0" * 4
DAY_MS: Final = 86_400_000
BEFORE: Final = 45 * DAY_MS
"""How long ago a marked customer bought."""
HORIZON_DAYS: Final = 90
BASE_RISK: Final = 0.45
"""With a complaint (0.7 on the logit) it is 0.62, over the threshold of 0.6."""
_WATCHED_DAYS: Final = 800


def model() -> ModelFile:
    """Return a model by which everybody who bought has the same risk, whenever that was."""
    days = tuple(float(day) for day in range(_WATCHED_DAYS))
    rate = -math.log(BASE_RISK) / HORIZON_DAYS
    curve = tuple(math.exp(-rate * day) for day in days)
    return ModelFile(
        format=FORMAT,
        version=VERSION,
        as_of="2026-01-01",
        horizon_days=HORIZON_DAYS,
        currency="GBP",
        label="invented",
        reason="a load, not a fit",
        customers=1_000,
        purchases=1_000,
        repeat=None,
        spend=None,
        calibration=None,
        observed=tuple(
            CurvePart(
                bucket=bucket,
                days=days,
                share=curve,
                watched_days_max=float(_WATCHED_DAYS),
                known_days_max=float(_WATCHED_DAYS),
            )
            for bucket in ("0", "1", "2-3", "4+")
        ),
    )


def prepare(folder: Path, url: str, *, timeout_s: float = 5.0) -> None:
    """Write into a data folder by what risk is known, and where alerts go."""
    (folder / "churn.json").write_text(text_of(model()), "utf-8")
    (folder / "alerts.toml").write_text(
        f"""
[delivery]
hosts = ["127.0.0.1"]
[routes.{ROUTE}]
kind = "webhook"
url = "{url}"
secret = "{SECRET}"
states = ["raised"]
timeout_seconds = {timeout_s}
[[rules]]
name = "{RULE}"
queues = ["{QUEUE}"]
routes = ["{ROUTE}"]
""",
        "utf-8",
    )


def customer(number: int) -> str:
    """Return the name of a marked customer."""
    return f"marked-{number}"


def bought(number: int, at: Millis) -> Order:
    """Return what a marked customer bought."""
    return Order(
        event_id=f"marked-order-{number}",
        order_id=f"marked-order-{number}",
        kind="sale",
        occurred_at=at,
        currency="GBP",
        customer_id=customer(number),
        lines=(OrderLine(line_id="1", product_class="product", amount_minor=5_000, cost_minor=0),),
    )


def complains(number: int, at: Millis) -> Contact:
    """Return how a marked customer complains: a call that ends at a moment."""
    return Contact(
        event_id=f"marked-contact-{number}",
        contact_id=f"marked-contact-{number}",
        channel="voice",
        direction="inbound",
        kind="service",
        queue=QUEUE,
        started_at=at - 60_000,
        connected_at=at - 60_000,
        ended_at=at,
        talk_ms=60_000,
        hold_ms=0,
        wrap_ms=0,
        wait_ms=0,
        abandoned=False,
        customer_id=customer(number),
        reason="complaint",
    )


def append(log: EventLog, facts: Iterable[Fact]) -> None:
    """Append marked facts."""
    by_topic: dict[str, list[Outgoing]] = {}
    for fact in facts:
        topic = CONTACTS if isinstance(fact, Contact) else ORDERS
        by_topic.setdefault(topic, []).append(Outgoing(key_of(fact).encode(), encode(fact)))
    for topic, outgoing in by_topic.items():
        log.append(topic, outgoing)


def every(log: EventLog, topic: str) -> Iterator[Record]:
    """Yield every record of a topic."""
    for partition in range(log.partitions):
        at = log.start_offsets(topic)[partition]
        while records := log.read(topic, partition, at, 5_000):
            yield from records
            at = records[-1].offset + 1


def alerts_due(log: EventLog) -> dict[str, AlertRecord]:
    """Return every alert that the route was to get, by the identity it is sent under.

    The same alert may lie there more than once, where signals are written at least once.
    """
    due: dict[str, AlertRecord] = {}
    for record in every(log, ALERTS):
        if record.value is not None:
            alert = msgspec.json.decode(record.value, type=AlertRecord)
            if ROUTE in alert.routes and alert.state == "raised":
                due[f"{alert.alert_id}-{alert.revision}"] = alert
    return due


def faults(log: EventLog, got: Iterable[str], marked: int) -> dict[str, Any]:
    """Return what is wrong with what was delivered; empty when nothing is."""
    due = alerts_due(log)
    told = set(got)
    customers = [alert.subject for alert in due.values()]
    found = {
        "due and not delivered": sorted(due.keys() - told),
        "delivered and not due": sorted(told - due.keys()),
        "marked and not alerted": sorted(
            {customer(number) for number in range(marked)} - set(customers)
        ),
        "alerted twice": sorted({each for each in customers if customers.count(each) > 1}),
    }
    return {what: which[:10] for what, which in found.items() if which}
