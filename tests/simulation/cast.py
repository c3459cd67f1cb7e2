"""The worker processes of a simulation, and whoever starts them again.

Law: a process that crashes does nothing on its way out: no close, no abort; what it had sent is
still on its way. One that is stopped knows nothing of it when it goes on.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from pnl.engine import JourneysWorker
from processors.policy import Policy
from streams.clock import pause
from streams.failpoints import FailpointReached
from streams.kafka_log import KafkaLog
from streams.log import Busy, Fenced, LogDamaged, LogFailed
from tests.simulation.chance import THEMES, Accidents, SeededWhims, Theme, accidents_by
from tests.simulation.fake_clients import FakeClients
from tests.simulation.network import Network
from tests.simulation.pace import Killed, Process, VirtualPace
from tests.simulation.places import settings

STEP = timedelta(seconds=0.4)
CODE_VERSION = "simulated"


@dataclass(eq=False)
class Player:
    """One process in one slot."""

    slot: str
    process: Process
    accidents: Accidents
    closing: bool = False
    ended: str = ""
    started: float = 0.0


@dataclass(eq=False)
class Cast:
    """All processes there ever were."""

    pace: VirtualPace
    network: Network
    random: Random
    policy: Policy
    trace: Callable[[str], None]
    theme: Theme = THEMES["mixed"]
    session_ms: int = 6_000
    gather_ms: int = 40
    chance: float = 0.0
    """Of one more accident in the life of a process."""
    restarts: bool = True
    players: dict[str, Player] = field(default_factory=dict)
    past: list[Player] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    started: int = 0
    told: Counter[str] = field(default_factory=Counter)
    """What happened how often."""

    def start(self, slot: str) -> None:
        """Start a process in a slot; whoever was there is left to itself."""
        before = self.players.get(slot)
        if before is not None:
            self.past.append(before)
        self.started += 1
        process = Process(f"{slot}.{self.started}")
        accidents = accidents_by(self.random, self.theme, self.chance)
        player = self.players[slot] = Player(slot, process, accidents, started=self.pace.now())
        self.trace(f"{process.name:>10} starts; {accidents.planned or ''}")
        self.pace.start(process, lambda: self._live(player))

    def start_later(self, player: Player, seconds: float) -> None:
        """Start a process again, unless somebody else is in its slot by then."""

        def start() -> None:
            if self.restarts and self.players.get(player.slot) is player:
                self.start(player.slot)

        self.pace.at(seconds, start)

    def crash(self, player: Player) -> None:
        """End a process at once; start another in its slot a little later."""
        self.trace(f"{player.process.name:>10} CRASHES")
        player.ended = "crashed"
        self.start_later(player, self.random.uniform(0.1, 2.0))
        self.pace.die(player.process)

    def stop(self, player: Player, seconds: float) -> None:
        """Freeze a process."""
        self.trace(f"{player.process.name:>10} STOPS for {seconds:.1f} s")
        player.process.stopped_until = self.pace.now() + seconds

    def leave(self, player: Player) -> None:
        """Ask a process to end well."""
        self.trace(f"{player.process.name:>10} is asked to leave")
        player.closing = True

    def living(self) -> list[Player]:
        """Return whoever is in a slot and has not ended."""
        return [player for player in self.players.values() if not player.ended]

    def bury(self) -> None:
        """End what is left of all processes."""
        for player in [*self.past, *self.players.values()]:
            player.process.dead = True
        for player in [*self.past, *self.players.values()]:
            self.pace.bury(player.process)

    def reach(self, name: str) -> None:
        """Stand for a failpoint: let others act, and let the accident happen that is due."""
        process = self.pace.current()
        player = next((p for p in self.everybody() if p.process is process), None)
        if player is None or process is None:
            return
        process.assert_alive()
        if self.random.random() < 0.25:
            self.pace.sleep(self.random.uniform(0.0, 0.03))
        accident = player.accidents.at(name)
        if accident is None:
            return
        self.told[accident.action] += 1
        self.trace(f"{process.name:>10} at {name}: {accident.action}")
        if accident.action == "crash":
            self.crash(player)
        elif accident.action == "raise":
            raise FailpointReached(name)
        elif accident.action == "cut":
            # After some of the requests that follow, or before all of them.
            soon = self.random.uniform(0.0, 0.012)
            self.pace.at(soon, lambda: self.network.broker.stop(accident.seconds))
        elif accident.action == "mute":
            self.network.broker.mute(accident.seconds)
        else:
            self.stop(player, accident.seconds)
            if accident.action == "replace":
                self.start_later(player, self.random.uniform(0.1, 2.0))
            self.pace.sleep(0.0)

    def everybody(self) -> list[Player]:
        """Return all processes there ever were."""
        return [*self.players.values(), *self.past]

    def _live(self, player: Player) -> None:
        """Be the program of one process."""
        try:
            self._work(player)
            player.ended = player.ended or "left"
        except Killed:
            player.ended = player.ended or "killed"
        except (Busy, Fenced, LogFailed, FailpointReached) as error:
            self.told[type(error).__name__] += 1
            self._end(player, f"{type(error).__name__}: {error}")
        except LogDamaged as error:
            self.damaged.append(str(error))
            self._end(player, f"LogDamaged: {error}")
        except Exception as error:  # noqa: BLE001  # whatever it is, it is ours and a finding
            self.broken.append(f"{player.process.name}: {type(error).__name__}: {error}")
            self._end(player, f"{type(error).__name__}: {error}")
        player.process.dead = True

    def _end(self, player: Player, why: str) -> None:
        self.trace(f"{player.process.name:>10} ENDS: {why}")
        player.ended = why
        self.start_later(player, self.random.uniform(0.1, 2.0))

    def _work(self, player: Player) -> None:
        whims = SeededWhims(self.random)
        clients = FakeClients(self.network, player.process, whims, replaces=True)

        def said(text: str) -> None:
            self.told[text.partition(", slot")[2].partition(": ")[2].partition(":")[0]] += 1
            self.trace(f"{player.process.name:>10} says {text}")

        log = KafkaLog(
            settings(player.slot, said, self.session_ms, self.gather_ms), clients=clients
        )
        worker = self._made(log, player)
        while worker is not None and not player.closing:
            try:
                worker.step(STEP)
            except Busy as busy:
                self.told["busy"] += 1
                self.trace(f"{player.process.name:>10} is busy: {busy}")
                pause(self.random.uniform(0.01, 0.2))
        if worker is not None:
            worker.close()
        log.close()
        if player.slot in self.players and self.players[player.slot] is player:
            player.ended = "left"

    def _made(self, log: KafkaLog, player: Player) -> JourneysWorker | None:
        """Return the worker as soon as a broker answers; None if it is to leave before."""
        records_max = self.random.choice(self.theme.batches)
        hot = self.random.choice((2, 1_000))
        while not player.closing:
            try:
                return JourneysWorker(
                    log,
                    self.policy,
                    code_version=CODE_VERSION,
                    records_max=records_max,
                    hot_facts=hot,
                )
            except Busy as busy:
                self.trace(f"{player.process.name:>10} is busy: {busy}")
                pause(self.random.uniform(0.1, 1.0))
        return None
