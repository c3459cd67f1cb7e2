"""One run of the centre, day by day: who calls, what becomes of it, what follows, what it costs.

A demand says who calls and what is ordered; the run does the rest, the same for orders that are
given and for orders that are made. Days are UTC days; opening hours and midnights are local.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from pnl.simulator.centre import EMAIL, ONE, TIMEZONE, Agent, Behaviour, hire
from pnl.simulator.desk import Chain, Desk, Ending, Intent
from pnl.simulator.dice import happens, stream
from pnl.simulator.effects import Effects
from pnl.simulator.expenses import Expenses
from pnl.simulator.floor import CLOSE_HOUR, HOUR_MS, OPEN_HOUR, Floor
from pnl.simulator.tally import Tally
from pnl.simulator.timeline import DAY_MS, Timeline
from streams.facts import Fact, Millis, Outcome, Resolution
from streams.topics import CONTACTS, RESOLUTIONS

_ZONE: Final = ZoneInfo(TIMEZONE)
_EPOCH: Final = date(1970, 1, 1)
_BY_TIME: Final = attrgetter("at")
# Calls per hour of the day, from opening to closing.
_PROFILE: Final = (4, 8, 11, 12, 10, 9, 10, 11, 9, 7, 5, 4)
_HOURS: Final = tuple(
    OPEN_HOUR + hour for hour, weight in enumerate(_PROFILE) for _ in range(weight)
)
_HANDLE_MS: Final = 450_000  # of an average contact, wrap-up and transfers included


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When, with how many contacts in all, and by which rules."""

    seed: int
    first_day: int
    last_day: int
    contacts: int
    prefix: str
    currency: str
    behaviour: Behaviour

    @property
    def start_at(self) -> Millis:
        """Start of the simulated time."""
        return self.first_day * DAY_MS

    @property
    def end_at(self) -> Millis:
        """Its end; nothing but the end of a last contact lies after it."""
        return (self.last_day + 1) * DAY_MS

    @property
    def days(self) -> int:
        """How many days."""
        return self.last_day - self.first_day + 1


class Demand(Protocol):
    """Who calls and what is ordered, whatever the centre does about it."""

    def begin(self, day: int, run: "Run") -> None:
        """Put a day's orders on the timeline and its intents on the list."""
        ...

    def heard(self, chain: Chain, run: "Run") -> None:
        """Learn what became of the contact of a known customer."""
        ...

    def gone(self, customer_id: str, /) -> bool:
        """Tell whether a customer has left, and calls no more."""
        ...


class Run:
    """Everything in motion. Use it once: `events` empties it."""

    def __init__(self, plan: Plan, demand: Demand) -> None:
        self.plan: Final = plan
        self.tally: Final = Tally()
        self.timeline: Final = Timeline()
        self.behaviour = plan.behaviour
        seed = plan.seed
        self.effects: Final = Effects(
            self.timeline,
            self.tally,
            plan.behaviour,
            stream(seed, "effects"),
            prefix=plan.prefix,
            currency=plan.currency,
            end_at=plan.end_at,
        )
        daily_ms = plan.contacts * _HANDLE_MS / plan.days
        shift_ms = plan.behaviour.shift_hours * HOUR_MS * plan.behaviour.occupancy_ppm / ONE
        turns = -(-(CLOSE_HOUR - OPEN_HOUR) // plan.behaviour.shift_hours)
        self.headcount: Final = max(2, round(daily_ms / shift_ms / turns))
        count = max(plan.behaviour.agents_min, self.headcount * turns * 4 // 3)
        self.agents: Final[Sequence[Agent]] = hire(count, stream(seed, "agents"))
        self.resolution_ppm = plan.behaviour.resolution_ppm
        floor_rng = stream(seed, "floor")
        self._floor = Floor(self.agents, plan.behaviour.shift_hours, floor_rng)
        self._desk = Desk(self._floor, plan.behaviour, stream(seed, "desk"))
        self.turns: Final = self._floor.turns
        self.expenses: Final = Expenses(
            self.timeline, self.tally, plan.contacts / plan.days, plan.currency
        )
        self._demand = demand
        self._rng = stream(seed, "cases")
        self._intents: defaultdict[int, list[Intent]] = defaultdict(list)
        self._case = 0

    def events(self) -> Iterator[tuple[str, Fact]]:
        """Yield (topic, fact) in order of event time."""
        for day in range(self.plan.first_day, self.plan.last_day + 1):
            midnight = _midnight(day)
            self._desk.day_end = midnight + CLOSE_HOUR * HOUR_MS
            shifts = self._floor.open(midnight, self.headcount)
            self.expenses.day(day, shifts)
            self._demand.begin(day, self)
            for intent in sorted(self._intents.pop(day, ()), key=_BY_TIME):
                self._handle(intent, day)
            for _, topic, fact in self.timeline.take(day):
                yield topic, fact
        for _, topic, fact in self.timeline.take(self.plan.last_day + 2):
            yield topic, fact

    def intend(self, day: int, intent: Intent) -> None:
        """Note that somebody means to call on a day."""
        if day <= self.plan.last_day:
            self._intents[day].append(intent)

    def intended(self, day: int) -> int:
        """Return how many mean to call on a day so far."""
        return len(self._intents.get(day, ()))

    def new_case(self) -> str | None:
        """Return the id of a new case; None where the centre opens none."""
        self._case += 1
        return f"q{self._case}" if happens(self._rng, self.behaviour.case_ppm) else None

    def moment(self, day: int) -> Millis:
        """Draw a time within the opening hours of a day."""
        draw = self._rng.random
        hour = _HOURS[int(draw() * len(_HOURS))]
        return _midnight(day) + hour * HOUR_MS + int(draw() * HOUR_MS)

    def _handle(self, intent: Intent, day: int) -> None:
        if intent.customer_id is not None and self._demand.gone(intent.customer_id):
            return
        chain, legs = self._desk.handle(intent)
        for leg in legs:
            self.timeline.put(leg.ended_at, CONTACTS, leg)
        self._count(chain, len(legs))
        if chain.ending == "control":
            return
        if chain.agent is not None:
            self.effects.follow(chain)
            self._resolve(chain)
        self._call_again(chain, day)
        if intent.customer_id is not None:
            self._demand.heard(chain, self)

    def _count(self, chain: Chain, legs: int) -> None:
        tally = self.tally
        tally.contacts += legs
        tally.transferred += legs > 1
        tally.unidentified += chain.intent.customer_id is None
        tally.treated += chain.intent.arm == "treated"
        if chain.agent is None:
            tally.abandoned += chain.ending == "abandoned"
            tally.controls += chain.ending == "control"
            return
        tally.handled += 1
        tally.handled_by_queue[chain.queue] += 1
        tally.handled_by_agent[chain.agent.agent_id] += 1
        if chain.ending == "resolved":
            tally.resolved_by_queue[chain.queue] += 1
            tally.resolved_by_agent[chain.agent.agent_id] += 1
        else:
            tally.unresolved_known_by_queue[chain.queue] += chain.intent.customer_id is not None

    def _resolve(self, chain: Chain) -> None:
        """State the outcome of a case, with what the customer thought of it."""
        rng = self._rng
        if chain.intent.case_id is None or not happens(rng, self.resolution_ppm):
            return
        at = chain.ended_at + rng.randrange(30_000, 900_000)
        self._state(chain, _OUTCOMES[chain.ending], at, rated=True)

    def _state(self, chain: Chain, outcome: Outcome, at: Millis, *, rated: bool) -> None:
        assert chain.intent.case_id is not None
        rng = self._rng
        csat = nps = ces = None
        if rated and happens(rng, self.behaviour.rated_ppm):
            good = outcome == "resolved"
            csat = min(5, rng.randrange(3, 7)) if good else rng.randrange(1, 5)
            nps = min(10, rng.randrange(5, 13)) if good else rng.randrange(0, 8)
            ces = rng.randrange(1, 4) if good else rng.randrange(3, 8)
        self.tally.resolutions += 1
        known = chain.intent.customer_id is not None
        fact = Resolution(
            f"r{self.tally.resolutions}",
            chain.intent.case_id,
            outcome,
            at,
            chain.leg_id if known else chain.key,
            chain.intent.customer_id,
            csat,
            nps,
            ces,
        )
        self.timeline.put(at, RESOLUTIONS, fact)

    def _call_again(self, chain: Chain, day: int) -> None:
        """Bring an unsolved problem back, a solved one sometimes; a guest is not known again."""
        intent = chain.intent
        if intent.customer_id is None or intent.attempt >= 4 or intent.direction != "inbound":
            return
        rng = self._rng
        rate_ppm = self.behaviour.again_ppm
        if chain.ending == "resolved":
            rate_ppm = self.behaviour.reopened_ppm if intent.case_id else 0
        elif chain.ending == "abandoned":
            rate_ppm = self.behaviour.again_after_abandon_ppm
        if not happens(rng, rate_ppm):
            return
        later = day + 1 + int(rng.expovariate(0.6))
        if later > self.plan.last_day:
            return
        at = self.moment(later)
        if chain.ending == "resolved":
            self._state(chain, "reopened", at - 60_000, rated=False)
        channel = intent.channel if intent.channel != EMAIL else 0
        again = intent._replace(at=at, channel=channel, attempt=intent.attempt + 1, arm="")
        self.intend(later, again)


_OUTCOMES: Final[dict[Ending, Outcome]] = {
    "resolved": "resolved",
    "unresolved": "unresolved",
    "escalated": "escalated",
}


@lru_cache(maxsize=64)  # the days that calls are being placed on
def _midnight(day: int) -> Millis:
    """Return when a local day begins."""
    local = datetime.combine(_EPOCH + timedelta(days=day), datetime.min.time(), _ZONE)
    return int(local.astimezone(UTC).timestamp()) * 1000
