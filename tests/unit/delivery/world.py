"""A log with alerts in it, a destination that does as it is told, and a role between them."""

from datetime import timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from prometheus_client import CollectorRegistry

from pnl.delivering.role import DeliveringRole
from pnl.metrics import Metrics
from processors.signal_records import AlertRecord, DeliveryRecord
from sinks.delivery.destination import Attempt, Message
from sinks.delivery.routes import Route
from streams.clock import ManualClock
from streams.log import EventLog, Outgoing
from streams.topics import ALERTS, DELIVERIES

NOW = timedelta()
SECOND = timedelta(seconds=1)
HOUR_MS = 3_600_000
START = 1_800_000_000_000
ROUTE = Route(name="ops", kind="webhook", url="https://hooks.example.com/")


def alert(number: int, **changed: Any) -> AlertRecord:
    """Return an alert about a customer of its own."""
    given = {
        "alert_id": f"{number:016x}",
        "revision": 1,
        "state": "raised",
        "rule": "churn",
        "kind": "churn_customer",
        "severity": "warning",
        "subject_kind": "customer",
        "subject": f"c{number}",
        "raised_at": START - 5_000,
        "logged_at": START,
        "headline": f"The risk of losing customer c{number} rises",
        "routes": ("ops",),
    }
    return msgspec.convert(given | changed, AlertRecord)


def put(log: EventLog, *alerts: AlertRecord) -> None:
    """Append alerts, those of one subject to one partition."""
    for each in alerts:
        log.append(ALERTS, [Outgoing(each.subject.encode(), msgspec.json.encode(each))])


class Told:
    """A destination: `answers` are used up one a message, by its id where one is named there."""

    def __init__(self, *answers: Attempt) -> None:
        self.answers = list(answers)
        self.for_id: dict[str, Attempt] = {}
        self.got: list[str] = []

    def send(self, message: Message, now: int) -> Attempt:
        """Take it, unless told otherwise."""
        del now
        self.got.append(message.id)
        if message.id in self.for_id:
            return self.for_id[message.id]
        return self.answers.pop(0) if self.answers else Attempt("delivered", "answered 200")


def number_of(identity: str) -> int:
    """Return which alert an identity is of."""
    return int(identity.partition("-")[0], 16)


class World:
    """One route on a log; `again` is its process started anew."""

    def __init__(
        self,
        log: EventLog,
        clock: ManualClock,
        route: Route = ROUTE,
        metrics: Metrics | None = None,
    ) -> None:
        self.log, self.clock, self.route = log, clock, route
        self.destination = Told()
        self.metrics = metrics or Metrics(CollectorRegistry())
        self.role = self._made()

    def _made(self) -> DeliveringRole:
        return DeliveringRole(
            self.log,
            self.route,
            self.destination,
            self.metrics,
            self.clock,
            zone=ZoneInfo("Europe/London"),
            locale="en_GB",
            dice=Random(7),
        )

    def again(self) -> None:
        """Kill the process and start another: nothing is closed."""
        self.role = self._made()

    def run(self, after: timedelta = NOW, steps: int = 4) -> list[int]:
        """Let some time pass; return the numbers of the alerts sent, in order."""
        self.clock.advance(after)
        self.destination.got.clear()
        for _ in range(steps):
            self.role.step(NOW)
        return [number_of(each) for each in self.destination.got]

    def told(self) -> dict[tuple[int, int], str]:
        """Return the outcome the log has by alert and revision, the last of each."""
        found: dict[tuple[int, int], str] = {}
        for partition in range(self.log.partitions):
            for record in self.log.read(DELIVERIES, partition, 0, 10_000):
                if record.value is not None:
                    each = msgspec.json.decode(record.value, type=DeliveryRecord)
                    found[int(each.alert_id, 16), each.revision] = each.outcome
        return found

    def passed(self) -> int:
        """Return how many records the group has committed past."""
        return sum(self.log.committed("alerts.ops").values())
