"""One table of topics: name, what its key is, how long it is kept.

All have equal partition counts, and an output lies in the partition number of the input that
caused it; only what is `single` lies in partition 0, wherever it came from. Names end in a major
version: a breaking change is a new topic.
"""

from dataclasses import dataclass
from typing import Final, Literal

CONTACTS: Final = "contacts"
RESOLUTIONS: Final = "resolutions"
ORDERS: Final = "orders"
COSTS: Final = "costs"
PERIODS: Final = "periods"

LEDGER: Final = "pnl.ledger.v1"
ATTRIBUTIONS: Final = "pnl.attributions.v1"
CONTACT_FACTS: Final = "pnl.contacts.v1"
ORDER_FACTS: Final = "pnl.orders.v1"
COST_FACTS: Final = "pnl.costs.v1"
PERIOD_FACTS: Final = "pnl.periods.v1"
RATES: Final = "pnl.rates.v1"
DEAD_LETTERS: Final = "pnl.dead-letters.v1"
BATCHES: Final = "pnl.batches.v1"
AUDIT: Final = "pnl.audit.v1"
CHURN: Final = "pnl.churn.v1"
ACTIVITY: Final = "pnl.activity.v1"
WINDOWS: Final = "pnl.windows.v1"
ALERTS: Final = "pnl.alerts.v1"
ALERT_ACTIONS: Final = "pnl.alert-actions.v1"
DELIVERIES: Final = "pnl.deliveries.v1"

JOURNEYS_STATE: Final = "pnl.journeys-state.v1"
SIGNALS_STATE: Final = "pnl.signals-state.v1"
SIGNALS_TABLE: Final = "pnl.signals-table.v1"
CARD: Final = "pnl.topics.v1"

PARTITIONS_DEFAULT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a topic promises. `compact` keeps the newest record of each key, `keep` all of them.

    `loss` says what would be lost of one that expires.
    """

    name: str
    key: str
    policy: Literal["keep", "compact", "expire"]
    retention_days: int | None = None
    single: bool = False
    loss: str = ""


INPUTS: Final = (
    Topic(name=CONTACTS, key="customer", policy="expire", retention_days=30),
    Topic(name=RESOLUTIONS, key="customer", policy="expire", retention_days=30),
    Topic(name=ORDERS, key="customer", policy="expire", retention_days=30),
    Topic(name=COSTS, key="customer", policy="expire", retention_days=30),
    Topic(name=PERIODS, key="period", policy="expire", retention_days=30),
)
OUTPUTS: Final = (
    Topic(name=LEDGER, key="customer", policy="keep"),
    Topic(name=ATTRIBUTIONS, key="order_id NUL customer", policy="compact"),
    Topic(name=CONTACT_FACTS, key="contact_id NUL customer", policy="compact"),
    Topic(name=ORDER_FACTS, key="order_id NUL customer", policy="compact"),
    Topic(name=COST_FACTS, key="event_id NUL customer", policy="compact"),
    Topic(name=PERIOD_FACTS, key="event_id NUL period", policy="compact"),
    Topic(name=RATES, key="date base quote", policy="compact"),
    Topic(name=CHURN, key="customer", policy="compact"),
    Topic(
        name=DEAD_LETTERS,
        key="source",
        policy="expire",
        retention_days=30,
        loss="dead letters would vanish before a person has looked at them",
    ),
    Topic(name=BATCHES, key="partition", policy="keep"),
)
"""What is worked out of the inputs, or stated beside them, and stored."""
SIGNALS: Final = (
    Topic(name=WINDOWS, key="size start queue channel team currency", policy="compact"),
    Topic(name=ALERTS, key="alert_id", policy="keep"),
    Topic(name=ALERT_ACTIONS, key="customer, or none", policy="keep"),
    Topic(name=DELIVERIES, key="alert_id NUL route", policy="compact"),
)
"""What is made of the outputs, and stored: no money is in it, so no account waits for it."""
NOTICES: Final = (
    Topic(name=AUDIT, key="none: all lie in partition 0", policy="keep", single=True),
    Topic(
        name=ACTIVITY,
        key="source partition",
        policy="expire",
        retention_days=60,
        single=True,
        loss="what a minute brought would vanish before its windows have it",
    ),
)
"""What is about the others and not stored beside them."""
STATES: Final = {
    "journeys": JOURNEYS_STATE,
    "signals": SIGNALS_STATE,
    "signals-faust": SIGNALS_TABLE,
}
"""Where a group's state lies when it is not kept in the log's own file.

Signals have a group for each of their hosts, who keep their state in different ways.
"""
TOPICS: Final = {topic.name: topic for topic in INPUTS + OUTPUTS + SIGNALS + NOTICES}
INPUT_NAMES: Final = tuple(topic.name for topic in INPUTS)
SOURCE_NAMES: Final = tuple(name for name in INPUT_NAMES if name != PERIODS)
"""What sources send: all inputs but what the period job states."""
OUTPUT_NAMES: Final = tuple(topic.name for topic in OUTPUTS)
STORED_NAMES: Final = (*OUTPUT_NAMES, *(topic.name for topic in SIGNALS))
"""What the sink copies into the store."""
SINGLE: Final = frozenset(topic.name for topic in TOPICS.values() if topic.single)
"""Topics whose records all lie in partition 0."""
