"""What people answer reaches the signals that raised an alert, in whichever partition that was."""

from typing import Final, cast

import msgspec

from pnl.alert_answers import Asked, answer_alert
from pnl.reports.alerts import AlertExplained
from pnl.reports.queries import Reports
from processors.alert_rules import DEFAULTS
from processors.signal_records import AlertRecord, ChurnRecord
from processors.signals import Signals
from streams.clock import ManualClock
from streams.log import Outgoing
from streams.memory_log import MemoryLog, MemoryPlace
from streams.signal_host import Arrived
from streams.topics import ALERT_ACTIONS, ALERTS, CHURN

DAY: Final = 86_400_000
CUSTOMERS: Final = ("c-1", "c-2", "c-3", "c-4", "c-5")


class Centre:
    """A log, signals over it as a host runs them, and who answers."""

    def __init__(self) -> None:
        self.clock = ManualClock(100 * DAY)
        self.log = MemoryLog(MemoryPlace(self.clock, 3))
        self.signals = Signals(DEFAULTS)
        self.states: list[dict[str, bytes]] = [{} for _ in range(3)]
        self.told: dict[str, AlertRecord] = {}
        self._next: dict[tuple[str, int], int] = {}

    def alert(self, alert_id: str) -> AlertExplained | None:
        """Return an alert as the reports would."""
        found = self.told.get(alert_id)
        return None if found is None else AlertExplained(
            alert=found, history=(found,), actions=(), deliveries=()
        )  # fmt: skip

    def alert_rules(self) -> tuple[str, ...]:
        """Return the rules there are."""
        return ("churn-customer",)

    def subject_kind(self, subject: str) -> str | None:
        """Return that all our customers are known, and nobody else."""
        return "customer" if subject in CUSTOMERS else None

    def rise(self, customer: str, at: int) -> None:
        """Say that a customer's risk rose, for a reason."""
        record = ChurnRecord(
            customer_id=customer, version=1, as_of=at, logged_at=at, risk_ppm=720_000,
            before_ppm=400_000, week_ago_ppm=400_000, explained_ppm=900_000, high=True,
        )  # fmt: skip
        self.log.append(CHURN, [Outgoing(customer.encode(), msgspec.json.encode(record))])
        self.run()

    def answer(self, asked: Asked) -> None:
        """Answer, and let signals hear of it."""
        answer_alert(cast("Reports", self), self.log, asked, self.clock.now_ms())
        self.run()

    def run(self) -> None:
        """Give signals what is new in the log."""
        for topic in (CHURN, ALERT_ACTIONS):
            for partition, state in enumerate(self.states):
                start = self._next.get((topic, partition), 0)
                for record in self.log.read(topic, partition, start, 500):
                    arrived = Arrived(
                        topic, partition, record.offset, 1, record.logged_at, record.key,
                        record.value,
                    )  # fmt: skip
                    for emitted in self.signals.apply(state, arrived):
                        if emitted.topic == ALERTS:
                            told = msgspec.json.decode(emitted.value, type=AlertRecord)
                            self.told[told.alert_id] = told
                    self._next[topic, partition] = record.offset + 1

    def of(self, customer: str) -> AlertRecord:
        """Return the alert of a customer."""
        return next(each for each in self.told.values() if each.subject == customer)


def test_an_answer_reaches_the_customers_partition() -> None:
    """Each customer's alert is acknowledged, wherever that customer's records lie."""
    centre = Centre()
    for customer in CUSTOMERS:
        centre.rise(customer, 99 * DAY)
        asked = Asked(doing="ack", by="Ann", alert_id=centre.of(customer).alert_id)
        centre.answer(asked)
        found = centre.of(customer)
        assert (found.state, found.by, found.revision) == ("acknowledged", "Ann", 2)


def test_a_snooze_of_a_rule_reaches_every_partition() -> None:
    """Whoever is told of meanwhile sleeps; ended, the next is raised."""
    centre = Centre()
    until = centre.clock.now_ms() + DAY
    centre.answer(Asked(doing="snooze", by="Ann", rule="churn-customer", until=until))
    for customer in CUSTOMERS[:4]:
        centre.rise(customer, 99 * DAY)
    assert {centre.of(customer).state for customer in CUSTOMERS[:4]} == {"snoozed"}
    centre.answer(Asked(doing="unsnooze", by="Ann", rule="churn-customer"))
    centre.rise(CUSTOMERS[4], 99 * DAY)
    assert centre.of(CUSTOMERS[4]).state == "raised"


def test_a_snooze_of_a_customer_is_of_nobody_else() -> None:
    """Also of one of whom there was no alert yet."""
    centre = Centre()
    until = centre.clock.now_ms() + DAY
    centre.answer(Asked(doing="snooze", by="Ann", subject="c-2", until=until))
    centre.rise("c-1", 99 * DAY)
    centre.rise("c-2", 99 * DAY)
    assert (centre.of("c-1").state, centre.of("c-2").state) == ("raised", "snoozed")
