"""How time passes around the broker in memory: virtual in a simulation, real in the contract suite.

Law: whoever waits lets others act, and in a simulation nothing else does: one thing happens at a
time, in an order that the seed decides.

A *strand* is a process of the simulation: a coroutine that runs until it waits. A strand whose
process died is never resumed, as if killed; one whose process was stopped goes on when it may.
"""

import heapq
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import greenlet

Act = Callable[[], None]
LONG_SECONDS = 3_600.0


class Killed(BaseException):
    """A dead process does nothing more: raised in whatever it still tries."""


@dataclass(eq=False)
class Process:
    """What lives and dies together: the clients of one worker."""

    name: str
    dead: bool = False
    stopped_until: float = 0.0
    strand: "greenlet.greenlet | None" = None

    def assert_alive(self) -> None:
        """Raise Killed in a dead process."""
        if self.dead:
            raise Killed(self.name)


class Pace(Protocol):
    """What clients and broker need of time."""

    def now(self) -> float:
        """Return seconds since an arbitrary moment."""
        ...

    def at(self, delay: float, act: Act) -> None:
        """Have something happen after so many seconds."""
        ...

    def touch(self) -> None:
        """Say that something changed which somebody may be waiting for."""
        ...

    def wait(self, process: Process, seconds: float, ready: Callable[[], bool] | None) -> None:
        """Let others act for so many seconds, or until `ready` says so."""
        ...

    def hold(self) -> AbstractContextManager[Any]:
        """Keep others out until the next wait."""
        ...


_NOBODY = Process("nobody")


@dataclass(eq=False)
class _Wait:
    process: Process
    strand: greenlet.greenlet
    ready: Callable[[], bool] | None
    over: bool = False


class VirtualPace:
    """Time that passes only while everybody waits."""

    def __init__(self) -> None:
        self._now = 0.0
        self._heap: list[tuple[float, int, Act]] = []
        self._count = 0
        self._hub = greenlet.getcurrent()
        self._waiting: list[_Wait] = []
        self._touched = False
        self._processes: dict[greenlet.greenlet, Process] = {}
        self.turns = 0

    def now(self) -> float:
        """Return virtual seconds since the beginning."""
        return self._now

    def at(self, delay: float, act: Act) -> None:
        """Have something happen after so many virtual seconds."""
        self._count += 1
        heapq.heappush(self._heap, (self._now + delay, self._count, act))

    def touch(self) -> None:
        """Say that something changed which somebody may be waiting for."""
        self._touched = True

    def hold(self) -> AbstractContextManager[Any]:
        """Nobody else can act: there is one thread."""
        return nullcontext()

    def start(self, process: Process, run: Act) -> None:
        """Run a process from the next turn on."""
        strand = process.strand = greenlet.greenlet(run, parent=self._hub)
        self._processes[strand] = process
        self.at(0.0, lambda: self._resume(_Wait(process, strand, None)))

    def wait(self, process: Process, seconds: float, ready: Callable[[], bool] | None) -> None:
        """Let others act for so many virtual seconds, or until `ready` says so."""
        process.assert_alive()
        if ready is not None and ready():
            return
        seconds = min(seconds, LONG_SECONDS)
        me = greenlet.getcurrent()
        if me is self._hub:
            self.run(seconds, ready)
            return
        waiting = _Wait(process, me, ready)
        self._waiting.append(waiting)
        self.at(seconds, lambda: self._resume(waiting))
        self._hub.switch()
        process.assert_alive()

    def current(self) -> Process | None:
        """Return the process whose strand is running; None outside of all."""
        return self._processes.get(greenlet.getcurrent())

    def sleep(self, seconds: float) -> None:
        """Let others act for so many virtual seconds."""
        self.wait(self.current() or _NOBODY, seconds, None)

    def die(self, process: Process) -> None:
        """End a process as `kill -9` does; does not return in its own strand."""
        process.dead = True
        self._waiting = [each for each in self._waiting if each.process is not process]
        if greenlet.getcurrent() is process.strand:
            self._hub.switch()
            raise Killed(process.name)

    def bury(self, process: Process) -> None:
        """Unwind what is left of a dead process; it can do nothing on the way."""
        strand = process.strand
        if strand is not None and not strand.dead and strand:
            strand.throw(Killed(process.name))

    def run(self, seconds: float, ready: Callable[[], bool] | None = None) -> None:
        """Let things happen for so many virtual seconds, or until `ready` says so."""
        end = self._now + seconds
        while not (ready is not None and ready()):
            if not self._heap or self._heap[0][0] > end:
                self._now = max(self._now, end)
                return
            self._now, _, act = heapq.heappop(self._heap)
            self.turns += 1
            act()
            if self._touched:
                self._touched = False
                self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if waiting.ready is not None and not waiting.over and waiting.ready():
                self.at(0.0, lambda waiting=waiting: self._resume(waiting))  # type: ignore[misc]

    def _resume(self, waiting: _Wait) -> None:
        process = waiting.process
        if waiting.over or process.dead or waiting.strand.dead:
            return
        if process.stopped_until > self._now:
            self.at(process.stopped_until - self._now, lambda: self._resume(waiting))
            return
        waiting.over = True
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        waiting.strand.switch()


@dataclass(eq=False)
class RealPace:
    """Time as it is, for several threads."""

    _changed: threading.Condition = field(
        default_factory=lambda: threading.Condition(threading.RLock())
    )
    _heap: list[tuple[float, int, Act]] = field(default_factory=list)
    _count: int = 0

    def now(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()

    def at(self, delay: float, act: Act) -> None:
        """Have something happen once so many seconds are over and somebody is about."""
        with self._changed:
            self._count += 1
            heapq.heappush(self._heap, (self.now() + delay, self._count, act))
            self._changed.notify_all()

    def touch(self) -> None:
        """Wake whoever waits."""
        with self._changed:
            self._changed.notify_all()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other threads out until the next wait."""
        with self._changed:
            self._happen()
            yield

    def wait(self, process: Process, seconds: float, ready: Callable[[], bool] | None) -> None:
        """Let other threads act for so many seconds, or until `ready` says so."""
        end = self.now() + min(seconds, LONG_SECONDS)
        with self._changed:
            while True:
                process.assert_alive()
                self._happen()
                if ready is not None and ready():
                    return
                left = end - self.now()
                if left <= 0:
                    return
                due = self._heap[0][0] - self.now() if self._heap else left
                self._changed.wait(max(0.0, min(left, due)))

    def _happen(self) -> None:
        while self._heap and self._heap[0][0] <= self.now():
            heapq.heappop(self._heap)[2]()
