"""The way between clients and broker: it takes time, and it may lose, delay or double a request.

Law: a request that was lost is known to be lost by nobody: its client learns that the connection
broke, and not on which side of the broker's doing. What is doubled is known to nobody at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.simulation.broker import Broker
from tests.simulation.pace import Pace, Process
from tests.simulation.refusal import Refusal


class Lost:
    """Stands for the answer that did not come."""


LOST = Lost()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one request. Times in seconds from when it is sent.

    `arrives` is None when it never does; `answered` is None when its client finds the connection
    broken after `broken`; `again` is when it takes effect a second time. With `refused`, an error
    code, it takes no effect.
    """

    arrives: float | None = 0.0
    answered: float | None = 0.0
    broken: float = 0.0
    again: float | None = None
    refused: int = 0


class Fates(Protocol):
    """Decides what becomes of requests."""

    def of(self, api: str, process: Process) -> Fate:
        """Return the fate of one request."""
        ...

    def backoff(self) -> float:
        """Return how long a client waits before it asks again."""
        ...

    def jitter(self) -> float:
        """Return by how much the configured back-off of a retry varies: a fifth either way."""
        ...

    def tells(self) -> bool:
        """Say whether the application is told of a broken connection."""
        ...

    def counts(self) -> bool:
        """Say whether the statistics count it as one; they always count the retry."""
        ...


class Calm:
    """Nothing is lost and nothing takes time."""

    def of(self, api: str, process: Process) -> Fate:  # noqa: ARG002
        """Return the fate of one request."""
        return Fate()

    def backoff(self) -> float:
        """Return how long a client waits before it asks again."""
        return 0.005

    def jitter(self) -> float:
        """Return by how much the configured back-off of a retry varies."""
        return 1.0

    def tells(self) -> bool:
        """Say whether the application is told of a broken connection."""
        return False

    def counts(self) -> bool:
        """Say whether the statistics count it as one."""
        return True


class Network:
    """Carries requests."""

    def __init__(
        self,
        pace: Pace,
        broker: Broker,
        fates: Fates | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.pace = pace
        self.broker = broker
        self.fates: Fates = fates or Calm()
        self.trace = trace

    def request(
        self,
        process: Process,
        api: str,
        take_effect: Callable[[], Any],
        answered: Callable[[Any], None],
        what: str = "",
    ) -> None:
        """Send one request; `answered` is given its result, a Refusal or LOST."""
        fate = self.fates.of(api, process)

        def arrive() -> None:
            if not self.broker.is_up():
                self._note(process, api, what, "no broker")
                self.pace.at(0.0, lambda: self._deliver(process, answered, LOST))
                return
            try:
                result = Refusal(fate.refused) if fate.refused else take_effect()
            except Refusal as refusal:
                result = refusal
            self._note(process, api, what, self._told(result, fate))
            if fate.answered is not None:
                self.pace.at(fate.answered, lambda: answer(result))

        def answer(result: Any) -> None:
            self._deliver(process, answered, result if self.broker.is_heard() else LOST)

        def arrive_again() -> None:
            if not self.broker.is_up():
                return
            try:
                result = take_effect()
            except Refusal as refusal:
                result = refusal
            self._note(process, api, what, f"AGAIN: {self._told(result, fate)}")

        if fate.arrives is not None:
            self.pace.at(fate.arrives, arrive)
            if fate.again is not None:
                self.pace.at(fate.again, arrive_again)
        if fate.arrives is None or fate.answered is None:
            self.pace.at(fate.broken, lambda: self._deliver(process, answered, LOST))

    def _deliver(self, process: Process, answered: Callable[[Any], None], result: Any) -> None:
        """Hand an answer over, to a stopped process when it goes on."""
        if process.dead:
            return
        late = process.stopped_until - self.pace.now()
        if late > 0:
            self.pace.at(late, lambda: self._deliver(process, answered, result))
            return
        answered(result)
        self.pace.touch()

    def _note(self, process: Process, api: str, what: str, how: str) -> None:
        if self.trace is not None:
            self.trace(f"{process.name:>10} {api} {what} -> {how}")

    @staticmethod
    def _told(result: object, fate: Fate) -> str:
        how = f"refused {result.code} {result.text}" if isinstance(result, Refusal) else "ok"
        return how if fate.answered is not None else f"{how} (answer lost)"
