"""One table of topics: name, what its key is, how long it is kept.

Inputs and outputs have equal partition counts, and an output lies in the partition number of
the input that caused it. Names end in a major version: a breaking change is a new topic.
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

JOURNEYS_STATE: Final = "pnl.journeys-state.v1"
CARD: Final = "pnl.topics.v1"

PARTITIONS_DEFAULT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a topic promises. `compact` keeps the newest record of each key, `keep` all of them."""

    name: str
    key: str
    policy: Literal["keep", "compact", "expire"]
    retention_days: int | None = None


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
    Topic(name=DEAD_LETTERS, key="source", policy="expire", retention_days=30),
    Topic(name=BATCHES, key="partition", policy="keep"),
)
NOTICES: Final = (Topic(name=AUDIT, key="none: all lie in partition 0", policy="keep"),)
"""What is about the others and not stored beside them."""
STATES: Final = {"journeys": JOURNEYS_STATE}
"""Where a group's state lies when it is not kept in the log's own file."""
TOPICS: Final = {topic.name: topic for topic in INPUTS + OUTPUTS + NOTICES}
INPUT_NAMES: Final = tuple(topic.name for topic in INPUTS)
SOURCE_NAMES: Final = tuple(name for name in INPUT_NAMES if name != PERIODS)
"""What sources send: all inputs but what the period job states."""
OUTPUT_NAMES: Final = tuple(topic.name for topic in OUTPUTS)
