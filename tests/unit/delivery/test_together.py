"""Several routes in one process: none waits for another, and a fault of one is everybody's."""

import threading
from datetime import timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry

from pnl.delivering import role
from pnl.delivering.role import DeliveringRole
from pnl.delivering.together import Together
from pnl.metrics import Metrics
from sinks.delivery.destination import Attempt, Destination, Message
from sinks.delivery.routes import Route
from streams.clock import SystemClock
from streams.memory_log import MemoryLog, MemoryPlace
from tests.support.waiting import until
from tests.unit.delivery.world import Told, alert, put

SOON = timedelta(milliseconds=10)
ROUTES = ("slow", "quick")


class Hanging:
    """A destination that answers nothing until it is let go."""

    def __init__(self) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()

    def send(self, message: Message, now: int) -> Attempt:
        """Hang."""
        del message, now
        self.asked.set()
        self.let_go.wait(20)
        return Attempt("again", "no answer in time")


def together(log: MemoryLog, destinations: dict[str, Destination]) -> Together:
    """Return a process with these routes."""
    metrics = Metrics(CollectorRegistry())
    roles = [
        DeliveringRole(
            log,
            Route(name=name, kind="webhook", url=""),
            destination,
            metrics,
            SystemClock(),
            zone=ZoneInfo("UTC"),
            locale="en_GB",
            dice=Random(1),
        )
        for name, destination in destinations.items()
    ]
    return Together(roles, metrics)


def test_a_route_that_hangs_holds_up_no_other() -> None:
    """Each has its thread, and its own place in the log."""
    now = SystemClock().now_ms()
    log = MemoryLog(MemoryPlace(SystemClock(), 2))
    put(log, *(alert(number, routes=ROUTES, raised_at=now) for number in range(20)))
    slow, quick = Hanging(), Told()
    both = together(log, {"slow": slow, "quick": quick})
    both.step(SOON)
    assert slow.asked.wait(10)
    until(lambda: both.step(SOON) == 0 and len(set(quick.got)) == 20, 10, "the quick one is told")
    until(lambda: sum(log.committed("alerts.quick").values()) == 20, 10, "and that is committed")
    assert sum(log.committed("alerts.slow").values()) == 0
    slow.let_go.set()
    both.close()


def test_a_fault_of_one_route_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than that one route goes silent for good: a bug of ours, not a destination's."""

    def bug(*args: object) -> Message:
        raise ZeroDivisionError(args)

    monkeypatch.setattr(role, "message_of", bug)
    log = MemoryLog(MemoryPlace(SystemClock(), 2))
    put(log, alert(1, routes=("quick",), raised_at=SystemClock().now_ms()))
    both = together(log, {"slow": Told(), "quick": Told()})
    with pytest.raises(ZeroDivisionError):
        until(lambda: both.step(SOON) != 0, 10, "one of them fails")
    both.close()
