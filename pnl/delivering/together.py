"""All routes in one process, each in its own thread.

Law: no route waits for another; the first fault of any ends the process.
"""

import threading
from datetime import timedelta
from typing import Final

from pnl.delivering.role import DeliveringRole
from pnl.health import Health
from pnl.metrics import Metrics
from pnl.workers.stepping import Stepping
from streams.clock import Deadline

JOIN_MAX: Final = timedelta(seconds=1)


class Together:
    """The roles of several routes as one role."""

    def __init__(self, roles: list[DeliveringRole], metrics: Metrics) -> None:
        self._roles = roles
        self._stopping = threading.Event()
        self._fault: BaseException | None = None
        self._healths = [Health() for _ in roles]
        self._loops = [
            Stepping(f"alerts.{role.route.name}", role, metrics, self._stopping, health)
            for role, health in zip(roles, self._healths, strict=True)
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), daemon=True) for loop in self._loops
        ]
        self._started = False

    def step(self, wait: timedelta) -> int:
        """Watch the threads for a while; raises what one of them failed of."""
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        self._stopping.wait(wait.total_seconds())
        if self._fault is not None:
            raise self._fault
        return 0

    def missing(self) -> str | None:
        """Say what keeps routes from delivering; None when nothing does."""
        found = [
            *(role.missing() for role in self._roles),
            *(loop.busy for loop in self._loops),
            *(health.dead() for health in self._healths),
        ]
        return " ".join(sentence for sentence in found if sentence is not None) or None

    def measure(self) -> None:
        """Show every route's figures; from any thread."""
        for role in self._roles:
            role.measure()

    def close(self) -> None:
        """End the threads and give the groups up; of a route that still sends, its end does."""
        self._stopping.set()
        limit = Deadline(JOIN_MAX)
        for thread, role in zip(self._threads, self._roles, strict=True):
            if thread.ident is not None:
                thread.join(limit.seconds_left())
            if not thread.is_alive():
                role.close()

    def _run(self, loop: Stepping) -> None:
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001 - kept, and the process ends with it
            self._fault = error
            self._stopping.set()
