"""One simulation: workers, a broker, traffic and everything that can go wrong, from one seed.

Law: the same seed gives the same run, step by step. First things go wrong; then they stop going
wrong, and within two minutes everything that arrived must be accounted for.
"""

import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from confluent_kafka import murmur2

import streams.clock
import streams.failpoints
from streams import topics
from streams.facts import Fact
from tests.properties.histories import policy_by
from tests.simulation.broker import Broker
from tests.simulation.cast import Cast
from tests.simulation.chance import CALM, THEMES, SeededFates
from tests.simulation.checks import Auditor, due_rows, recount, repeats, truth
from tests.simulation.network import Network
from tests.simulation.pace import VirtualPace
from tests.simulation.places import create_topics
from tests.simulation.traffic import NOW_MS, Arrival, arrivals_by

ROUGH_SECONDS = 40.0
CALM_SECONDS = 120.0
TURNS_MAX = 400_000


@dataclass
class Outcome:
    """How a seed ended. `failures` is empty if everything held."""

    seed: int
    failures: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    """What the product found out itself, where a fault was hidden from it."""
    trace: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


class Simulation:
    """Everything of one seed."""

    def __init__(self, seed: int, *, theme: str | None = None, verbose: bool = False) -> None:
        self.random = Random(seed)
        self.outcome = Outcome(seed)
        self.verbose = verbose
        self.pace = VirtualPace()
        random = self.random
        drawn = random.choice(("mixed", "zombies", *THEMES))
        self.name = theme or drawn
        self.theme = THEMES[self.name]
        self.fates = SeededFates(random, CALM)
        self.broker = Broker(self.pace, self.now_ms, lambda: random.uniform(0.0, 0.02))
        create_topics(self.broker, random.choice(self.theme.partitions))
        trace = self.trace if verbose else None
        self.network = Network(self.pace, self.broker, self.fates, trace)
        policy = policy_by(random.choice)
        self.cast = Cast(self.pace, self.network, random, policy, self.trace, self.theme)
        self.cast.session_ms = random.choice(self.theme.sessions_ms)
        self.cast.gather_ms = random.choice(self.theme.gathers_ms)
        self.auditor = Auditor(self.broker)
        self.facts: list[tuple[str, Fact]] = []
        self.dead: set[tuple[str, int, int]] = set()
        self.slots = random.choice(self.theme.slots)
        self.is_calm = False

    def now_ms(self) -> int:
        """Return the broker's time."""
        return NOW_MS + round(self.pace.now() * 1000)

    def trace(self, text: str) -> None:
        """Note an event, if anybody wants to know."""
        if self.verbose:
            self.outcome.trace.append(f"{self.pace.now():9.4f} {text}")

    def run(self) -> Outcome:
        """Run it and judge it."""
        with virtual_time(self.pace, self.cast.reach):
            try:
                self._rough()
                self._calm()
                self._judge()
            finally:
                self.cast.bury()
        self.outcome.counts = {
            "batches": len(due_rows(self.broker)),
            "turns": self.pace.turns,
            "processes": self.cast.started,
            "rebalances": self.broker.groups.rebalances,
            "doubled": self.fates.doubled,
            "looks": self.auditor.looks,
            "seconds": round(self.pace.now()),
            **self.cast.told,
        }
        return self.outcome

    # What happens

    def _rough(self) -> None:
        random = self.random
        self.trace(f"theme {self.name}")
        self.fates.weather = random.choice(self.theme.weathers)
        self.cast.chance = random.choice(self.theme.chances)
        for number in range(self.slots):
            slot = str(number)
            self.pace.at(random.choice((0.0, random.uniform(0, 20))), self._starting(slot))
        arrivals = arrivals_by(random, random.randint(4, 14), 16)
        bursts = [random.uniform(0.0, ROUGH_SECONDS * 0.9) for _ in range(random.randint(3, 12))]
        for arrival in arrivals:
            self.pace.at(
                min(random.choice(bursts) + random.expovariate(1.0), ROUGH_SECONDS),
                lambda arrival=arrival: self._arrive(arrival),  # type: ignore[misc]
            )
        for _ in range(random.randint(0, self.theme.mishaps_max)):
            self.pace.at(random.uniform(0.5, ROUGH_SECONDS), self._mishap)
        self._look_in()
        self._advance(ROUGH_SECONDS)

    def _calm(self) -> None:
        """Let nothing more go wrong, and wait until all is done."""
        self.trace("from here on nothing goes wrong")
        self.fates.weather = CALM
        self.cast.chance = 0.0
        self.is_calm = True
        for player in self.cast.everybody():
            player.accidents.planned.clear()
        self._advance(CALM_SECONDS, self._is_done)
        if not self._is_done():
            self._fail(f"DL7 no end after {CALM_SECONDS:.0f} calm seconds: {self._open_ends()}")
            return
        if self.cast.damaged:
            return
        self._restart()

    def _restart(self) -> None:
        """Let everybody leave and one start anew: its restore checks what was left behind."""
        self.cast.restarts = False
        for player in self.cast.living():
            self.cast.leave(player)
        self._advance(30.0, lambda: not self.cast.living())
        if self.cast.living():
            self._fail("a worker did not leave within 30 s")
        self.cast.start("inspector")
        before = self.broker.groups.generation("journeys")
        inspector = self.cast.players["inspector"]

        def is_settled() -> bool:
            return bool(inspector.ended) or (
                self.broker.groups.generation("journeys") > before and self.pace.now() > settled
            )

        settled = self.pace.now() + 5.0
        self._advance(30.0, is_settled)
        if inspector.ended:
            self._fail(f"DL4 the state was not restored: {inspector.ended}")

    def _advance(self, seconds: float, ready: Any = None) -> None:
        limit = self.pace.turns + TURNS_MAX

        def over() -> bool:
            return (ready is not None and ready()) or self.pace.turns > limit

        self.pace.run(seconds, over)
        if self.pace.turns > limit:
            self._fail("DL7 the simulation does not come to rest: a loop that waits for nothing?")

    def _starting(self, slot: str) -> Any:
        return lambda: self.cast.start(slot) if slot not in self.cast.players else None

    def _arrive(self, arrival: Arrival) -> None:
        logs = self.broker.topics[arrival.topic]
        number = 0 if arrival.key is None else int(murmur2(arrival.key, len(logs)))
        offset = logs[number].append([(arrival.key, arrival.value, None)], self.now_ms())
        if arrival.stated is None:
            self.dead.add((arrival.topic, number, offset))
        else:
            self.facts.append(arrival.stated)
        self.pace.touch()

    def _mishap(self) -> None:
        """Let one thing go wrong that no failpoint stands for."""
        if self.is_calm:
            return
        random = self.random
        what = random.choice(self.theme.mishaps)
        living = self.cast.living()
        if what == "broker":
            seconds = random.choice((random.uniform(0.1, 2.0), random.uniform(2.0, 15.0)))
            self.trace(f"the broker is away for {seconds:.1f} s")
            self.broker.stop(seconds)
        elif what == "compact":
            for log in self.broker.topics[topics.JOURNEYS_STATE]:
                log.compact(random.randint(0, log.end))
            self.trace("the state's topic is compacted")
        elif what == "join" and len(living) < 5:
            slot = str(self.slots)
            self.slots += 1
            self.cast.start(slot)
        elif living:
            player = random.choice(living)
            seconds = random.uniform(0.5, 14.0)
            if what == "kill":
                self.cast.crash(player)
            elif what == "leave":
                self.cast.leave(player)
                self.cast.start_later(player, random.uniform(0.5, 5.0))
            else:
                self.cast.stop(player, seconds)
                if what == "replace":
                    self.cast.start_later(player, random.uniform(0.1, 2.0))

    def _look_in(self) -> None:
        self.auditor.look()
        self.pace.at(self.random.uniform(0.05, 0.7), self._look_in)

    # How it ends

    def _open_ends(self) -> list[str]:
        offsets = self.broker.groups.offsets("journeys")
        return [
            f"{topic}/{number} {offsets.get((topic, number), 0)} of {log.end}"
            for topic in topics.INPUT_NAMES
            for number, log in enumerate(self.broker.topics[topic])
            if offsets.get((topic, number), 0) < log.end
        ]

    def _is_done(self) -> bool:
        if self.cast.damaged:
            return True
        return not self._open_ends() and self.broker.is_idle()

    def _fail(self, what: str) -> None:
        self.trace(f"FAILURE {what}")
        self.outcome.failures.append(what)

    def _judge(self) -> None:
        for text in self.cast.broken:
            self._fail(f"a worker ended by an error of ours: {text}")
        for player in self.cast.everybody():
            if player.started > ROUGH_SECONDS + 5.0 and player.ended.startswith("LogFailed"):
                self._fail(f"DL8 {player.process.name}, when all was well: {player.ended}")
        self.auditor.look()
        found = [*self.cast.damaged, *recount(self.broker)]
        is_hidden = self.fates.doubled > 0
        if self.cast.damaged and is_hidden:
            self.outcome.found = found
            return
        wrong = truth(self.broker, self.facts, self.dead, self.cast.policy)
        wrong += self.auditor.findings(due_rows(self.broker))
        wrong += [f"DL1 an offset went back: {what}" for what in self.broker.groups.went_back]
        twice = repeats(self.broker)
        if is_hidden and found:
            self.outcome.found = found
            return
        if is_hidden:
            # Of a torn batch only records of a latest state remained, which the next replaced.
            self.cast.told["repeated records"] += len(twice)
        else:
            wrong += twice
        for text in found + wrong:
            self._fail(text)


class _Plan:
    def __init__(self, reach: Any) -> None:
        self.reach = reach


@contextmanager
def virtual_time(pace: VirtualPace, reach: Any) -> Iterator[None]:
    """Let our code live in virtual time, and its failpoints be those of the simulation."""
    clock, plan = streams.clock, streams.failpoints
    was = clock.time, plan._plan
    clock.time = types.SimpleNamespace(  # type: ignore[attr-defined]
        monotonic=pace.now, sleep=pace.sleep, time_ns=lambda: NOW_MS * 1_000_000
    )
    plan._plan = lambda _: _Plan(reach)  # type: ignore[assignment]
    try:
        yield
    finally:
        clock.time, plan._plan = was  # type: ignore[attr-defined]


def simulate(seed: int, *, theme: str | None = None, verbose: bool = False) -> Outcome:
    """Run one seed, of its own theme or of another."""
    return Simulation(seed, theme=theme, verbose=verbose).run()
