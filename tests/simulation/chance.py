"""What goes wrong, and when: all of it drawn from one seed.

Law: what is drawn here is everything that differs between two runs, so a seed replays.
"""

from dataclasses import dataclass, field, replace
from random import Random

from confluent_kafka import KafkaError

from tests.simulation.network import Fate
from tests.simulation.pace import Process

REFUSABLE = ("AddPartitionsToTxn", "TxnOffsetCommit", "Produce")
TRANSACTIONS = ("EndTxn", "AddPartitionsToTxn", "AddOffsetsToTxn", "TxnOffsetCommit", "Produce")
FAILPOINTS = (
    "W0", "W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "W12", "W13",
)  # fmt: skip
ACTIONS = ("crash", "crash", "crash", "stop", "stop", "raise", "replace", "cut", "mute")
"""`stop` freezes the process, `replace` also starts another in its slot; `cut` stops the broker,
`mute` only its answers."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How rough the way to the broker is: chances per request."""

    lost: float
    unanswered: float
    late: float
    """Lost as far as the client knows, and taking effect later, perhaps in the next transaction."""
    again: float
    """Takes effect a second time, and nobody is told."""
    slow: float
    refused: float
    """The broker answers that something of its own went wrong: the transaction must be aborted."""
    late_is: tuple[str, ...] = TRANSACTIONS
    late_by: tuple[float, float] = (0.05, 1.5)
    told: float = 0.3
    """How often the application is told of a broken connection."""
    counted: float = 0.5
    """How often the statistics count one; they always count the retry that follows it."""


CALM = Weather(lost=0, unanswered=0, late=0, again=0, slow=0, refused=0)
WEATHERS = (
    CALM,
    Weather(lost=0.01, unanswered=0.01, late=0.01, again=0, slow=0.02, refused=0.005),
    Weather(lost=0.03, unanswered=0.04, late=0.04, again=0, slow=0.05, refused=0.02),
    Weather(lost=0.0, unanswered=0.0, late=0.15, again=0, slow=0.0, refused=0.0),
    Weather(lost=0.0, unanswered=0.0, late=0.0, again=0, slow=0.0, refused=0.03),
)
SLOW = Weather(lost=0, unanswered=0, late=0, again=0, slow=0.2, refused=0)
LATE = Weather(lost=0, unanswered=0, late=0.35, again=0, slow=0.15, refused=0, late_is=("EndTxn",))
LATE_OFFSETS = replace(
    LATE,
    late=0.15,
    slow=0.0,
    late_is=("TxnOffsetCommit",),
    late_by=(0.5, 2.0),
    told=0.0,
    counted=0.1,
)
HAUNTED = Weather(lost=0.01, unanswered=0.01, late=0.01, again=0.25, slow=0.02, refused=0.01)
"""Ends of transactions come twice without a word: the known limit."""


@dataclass(frozen=True, kw_only=True)
class Theme:
    """What a seed is about: a little of everything, or much of one thing.

    `accidents` are (steps, actions, seconds); `mishaps` are what befalls from outside, and up to
    how many times.
    """

    weathers: tuple[Weather, ...] = WEATHERS
    gathers_ms: tuple[int, ...] = (40, 40, 300)
    chances: tuple[float, ...] = (0.0, 0.5, 0.75)
    steps: tuple[str, ...] = FAILPOINTS
    actions: tuple[str, ...] = ACTIONS
    seconds: tuple[tuple[float, float], ...] = ((0.1, 5.0), (6.1, 9.8), (9.0, 16.0))
    """Shorter than a session, longer but shorter than a transaction, longer than both."""
    nth_max: int = 20
    mishaps: tuple[str, ...] = ("kill", "stop", "replace", "leave", "join", "broker", "compact")
    mishaps_max: int = 8
    sessions_ms: tuple[int, ...] = (6_000, 6_000, 20_000)
    slots: tuple[int, ...] = (1, 2, 2, 3)
    partitions: tuple[int, ...] = (1, 2, 3)
    batches: tuple[int, ...] = (1, 2, 5, 20)


THEMES = {
    "mixed": Theme(),
    "haunted": Theme(weathers=(HAUNTED,)),
    "unanswered": Theme(
        weathers=(CALM, LATE),
        chances=(0.8,),
        steps=("W5", "W6", "W6", "W7"),
        actions=("cut", "mute"),
        seconds=((9.0, 16.0),),
        nth_max=8,
        sessions_ms=(20_000, 20_000, 6_000),
    ),
    "zombies": Theme(
        weathers=(CALM, *WEATHERS),
        chances=(0.8,),
        steps=("W1", "W3", "W4", "W4", "W5", "W6", "W6", "W6", "W7", "W10"),
        actions=("stop", "stop", "replace"),
        seconds=((6.1, 9.8), (6.1, 9.8), (6.1, 9.8), (9.0, 16.0)),
        nth_max=6,
        sessions_ms=(6_000,),
        slots=(2, 3),
    ),
    "slow commits": Theme(
        weathers=(CALM,),
        chances=(0.85,),
        steps=("W3", "W6", "W6"),
        actions=("stop",),
        seconds=((7.0, 9.5),),
        nth_max=5,
        mishaps_max=0,
        sessions_ms=(6_000,),
        slots=(2, 3),
    ),
    "late": Theme(weathers=(LATE,), chances=(0.0, 0.5), slots=(1, 2)),
    "late offsets": Theme(
        weathers=(LATE_OFFSETS,),
        chances=(0.0,),
        mishaps_max=2,
        slots=(1,),
        partitions=(3, 4),
        batches=(1, 2),
    ),
    "storm": Theme(
        weathers=(SLOW, *WEATHERS),
        chances=(0.0, 0.5),
        gathers_ms=(300, 1_500),
        mishaps=("leave", "join", "join", "kill", "compact"),
        mishaps_max=40,
        slots=(2, 3),
    ),
}


class SeededFates:
    """What becomes of requests; `weather` changes as the simulation goes on."""

    def __init__(self, random: Random, weather: Weather) -> None:
        self._random = random
        self.weather = weather
        self.doubled = 0
        """How many ends of transactions took effect a second time, unknown to all."""

    def of(self, api: str, process: Process) -> Fate:  # noqa: ARG002
        """Return the fate of one request."""
        random, weather = self._random, self.weather
        there, back = random.uniform(0.0002, 0.003), random.uniform(0.0002, 0.003)
        if api == "SyncGroup":
            return Fate(there, random.choice((back, random.uniform(0.0, 0.3))))
        drawn = random.random()
        if drawn < weather.lost:
            return Fate(None, None, random.uniform(0.01, 0.5))
        drawn -= weather.lost
        if drawn < weather.unanswered:
            return Fate(there, None, there + random.uniform(0.001, 0.5))
        drawn -= weather.unanswered
        if drawn < weather.late and api in weather.late_is:
            return Fate(random.uniform(*weather.late_by), None, random.uniform(0.005, 0.05))
        drawn -= weather.late
        if drawn < weather.again and api == "EndTxn":
            self.doubled += 1
            return Fate(there, back, 0.0, there + random.uniform(0.002, 0.15))
        if random.random() < weather.refused and api in REFUSABLE:
            return Fate(there, back, refused=KafkaError.UNKNOWN)
        if random.random() < weather.slow:
            there, back = random.uniform(0.01, 0.8), random.uniform(0.01, 0.8)
        return Fate(there, back)

    def backoff(self) -> float:
        """Return how long a client waits before it asks again."""
        return self._random.uniform(0.01, 0.1)

    def jitter(self) -> float:
        """Return by how much the configured back-off of a retry varies: a fifth either way."""
        return self._random.uniform(0.8, 1.2)

    def tells(self) -> bool:
        """Say whether the application is told of a broken connection."""
        return self._random.random() < self.weather.told

    def counts(self) -> bool:
        """Say whether the statistics count it as one; they always count the retry."""
        return self._random.random() < self.weather.counted


class SeededWhims:
    """What a reader cannot rely on."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def shuffled(self, places: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return the order in which partitions are asked."""
        return self._random.sample(places, len(places))

    def portion(self, available: int) -> int:
        """Return how many of the records that are there come now."""
        if self._random.random() < 0.5:
            return available
        return self._random.randint(1, available) if available > 1 else available

    def takes(self) -> float:
        """Return how many seconds a fetch takes."""
        return self._random.uniform(0.0002, 0.004)


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens to a process when it reaches a step for the nth time."""

    action: str
    seconds: float


@dataclass
class Accidents:
    """The accidents of one process: drawn when it starts."""

    planned: dict[tuple[str, int], Accident] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)

    def at(self, name: str) -> Accident | None:
        """Count a step and return what happens there, if anything."""
        nth = self.reached[name] = self.reached.get(name, 0) + 1
        return self.planned.pop((name, nth), None)


def accidents_by(random: Random, theme: Theme, chance: float) -> Accidents:
    """Draw the accidents of one process."""
    planned = {}
    while random.random() < chance:
        name = random.choice(theme.steps)
        seldom = name in ("W9", "W10", "W11", "W12", "W13")
        nth = 1 if seldom else random.randint(1, theme.nth_max)
        seconds = random.uniform(*random.choice(theme.seconds))
        planned[name, nth] = Accident(random.choice(theme.actions), seconds)
    return Accidents(planned)
