"""The simulated contact centre: its queues, channels, agents, and the effects it has.

Every probability is an integer in parts per million, every amount in pence: these numbers are
the truth that the product has to find again, so they are written down, not computed.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from streams.facts import Millis

ONE: Final = 1_000_000
CHANNELS: Final = ("voice", "chat", "email")
VOICE, CHAT, EMAIL = range(3)
TEAMS: Final = ("north", "south", "east", "west")
CURRENCY: Final = "GBP"
TIMEZONE: Final = "Europe/London"
EFFECT_DAYS: Final = 30
"""How long after a contact its effects last: an order it causes comes within these days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue and what its contacts do; rates are parts per million.

    `post_contact_ppm`: a resolved contact of a known customer causes one more order.
    `lost_ppm`: an order the customer would have placed after an unresolved one is lost.
    The `…_sale_ppm`: a handled, resolved contact sells this class while it lasts. An agent's
    `sales_ppm` multiplies what is sold and caused, `skill_ppm` the resolve rate.
    """

    name: str
    resolve_ppm: int
    talk_s: int
    post_contact_ppm: int
    lost_ppm: int
    product_sale_ppm: int
    upgrade_sale_ppm: int
    maintenance_sale_ppm: int
    support_sale_ppm: int
    paid_ppm: int
    reasons: tuple[str, ...]


ORDERS, RETURNS, BILLING, TECHNICAL, RETENTION = range(5)

QUEUES: Final = (
    Queue(
        name="orders",
        resolve_ppm=880_000,
        talk_s=230,
        post_contact_ppm=60_000,
        lost_ppm=150_000,
        product_sale_ppm=90_000,
        upgrade_sale_ppm=8_000,
        maintenance_sale_ppm=4_000,
        support_sale_ppm=1_000,
        paid_ppm=0,
        reasons=("availability", "price", "delivery", "change of order"),
    ),
    Queue(
        name="returns",
        resolve_ppm=800_000,
        talk_s=260,
        post_contact_ppm=45_000,
        lost_ppm=250_000,
        product_sale_ppm=15_000,
        upgrade_sale_ppm=2_000,
        maintenance_sale_ppm=1_000,
        support_sale_ppm=500,
        paid_ppm=0,
        reasons=("damaged", "wrong item", "return", "exchange"),
    ),
    Queue(
        name="billing",
        resolve_ppm=830_000,
        talk_s=220,
        post_contact_ppm=30_000,
        lost_ppm=180_000,
        product_sale_ppm=8_000,
        upgrade_sale_ppm=3_000,
        maintenance_sale_ppm=2_000,
        support_sale_ppm=500,
        paid_ppm=0,
        reasons=("invoice", "payment", "credit terms"),
    ),
    Queue(
        name="technical",
        resolve_ppm=700_000,
        talk_s=400,
        post_contact_ppm=40_000,
        lost_ppm=220_000,
        product_sale_ppm=25_000,
        upgrade_sale_ppm=40_000,
        maintenance_sale_ppm=30_000,
        support_sale_ppm=20_000,
        paid_ppm=220_000,
        reasons=("assembly", "fault", "web shop", "spare part"),
    ),
    Queue(
        name="retention",
        resolve_ppm=650_000,
        talk_s=320,
        post_contact_ppm=80_000,
        lost_ppm=300_000,
        product_sale_ppm=35_000,
        upgrade_sale_ppm=25_000,
        maintenance_sale_ppm=12_000,
        support_sale_ppm=1_000,
        paid_ppm=0,
        reasons=("cancellation", "complaint", "competitor"),
    ),
)


OUTAGE_WAIT: Final = 3
OUTAGE_RESOLVE_PPM: Final = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A queue in trouble in [start, end): waits are three times as long, half as much is resolved.

    What was going to happen is changed, nothing else is drawn: without it the same seed gives what
    it always gave, and with it the same until it begins.
    """

    queue: str
    start: Millis
    end: Millis

    def __post_init__(self) -> None:
        """Raise ValueError for a queue there is not, or a time that is none."""
        if self.queue not in (names := [queue.name for queue in QUEUES]):
            raise ValueError(f"no queue is called {self.queue}; there are {', '.join(names)}")
        if self.start >= self.end:
            raise ValueError("an outage must last some time")

    def strikes(self, queue: int, at: Millis) -> bool:
        """Say whether a queue is in trouble at a moment."""
        return QUEUES[queue].name == self.queue and self.start <= at < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How callers and cases behave, the same for every queue; rates are parts per million."""

    unidentified_ppm: int = 98_000
    case_ppm: int = 850_000
    transfer_ppm: int = 80_000
    chain_id_ppm: int = 800_000
    escalated_ppm: int = 120_000
    again_ppm: int = 350_000
    again_after_abandon_ppm: int = 400_000
    reopened_ppm: int = 40_000
    rated_ppm: int = 350_000
    resolution_ppm: int = 600_000
    concession_ppm: int = 12_000
    refund_ppm: int = 60_000
    refund_linked_ppm: int = 800_000
    refund_partial_ppm: int = 400_000
    churn_unresolved_ppm: int = 0
    churn_resolved_ppm: int = 0
    experiment_ppm: int = 25_000
    control_ppm: int = 300_000
    patience_s: int = 1250
    shift_hours: int = 4
    occupancy_ppm: int = 400_000
    agents_min: int = 25
    outages: tuple[Outage, ...] = ()

    def in_trouble(self, queue: int, at: Millis) -> bool:
        """Say whether a queue has an outage at a moment."""
        return any(outage.strikes(queue, at) for outage in self.outages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Somebody who handles contacts. 1,000,000 is average in each of the three rates.

    `pace_ppm` multiplies talk time: below average is quick.
    """

    agent_id: str
    team: str
    queues: tuple[int, ...]
    skill_ppm: int
    sales_ppm: int
    pace_ppm: int
    paid_per_hour_minor: int


def hire(count: int, rng: Random) -> tuple[Agent, ...]:
    """Return agents with different skills, spread over teams and queues."""
    agents = []
    for number in range(count):
        first = number % len(QUEUES)
        second = (first + 1 + number // len(QUEUES) % (len(QUEUES) - 1)) % len(QUEUES)
        agents.append(
            Agent(
                agent_id=f"a{number + 1}",
                team=TEAMS[number % len(TEAMS)],
                queues=(first, second),
                skill_ppm=rng.randrange(800_000, 1_150_000),
                sales_ppm=rng.randrange(500_000, 1_600_000),
                pace_ppm=rng.randrange(800_000, 1_250_000),
                paid_per_hour_minor=rng.randrange(1350, 1950),
            )
        )
    return tuple(agents)
