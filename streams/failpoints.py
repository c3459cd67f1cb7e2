"""Places where a test can break the program: killed, stopped, failing or slow, at a named step.

`PNL_FAILPOINTS=name:nth:action[,...]` arms them: the nth time that step is reached, `kill`
ends the process as `kill -9` does, `stop` freezes it, `raise` raises `FailpointReached`,
`delay` waits a quarter of a second. Unarmed, a failpoint costs one look at the environment,
so it may stand in a commit but not in a loop over records.
"""

import os
import signal
from functools import lru_cache
from typing import Final

from streams.clock import pause

VARIABLE: Final = "PNL_FAILPOINTS"
ACTIONS: Final = frozenset({"kill", "stop", "raise", "delay"})
DELAY_SECONDS: Final = 0.25


class FailpointReached(Exception):
    """Stands for whatever could go wrong at this step."""


class _Plan:
    """What is armed by one value of the variable, and how often each step was reached."""

    def __init__(self, armed: str) -> None:
        self._reached: dict[str, int] = {}
        self._actions: dict[tuple[str, int], str] = {}
        for part in armed.split(",") if armed else ():
            name, _, rest = part.partition(":")
            nth, _, action = rest.partition(":")
            if not (name and nth.isdecimal()):
                raise ValueError(f"{VARIABLE}: {part!r} is not name:nth:action")
            if action not in ACTIONS:
                raise ValueError(f"{VARIABLE}: {action!r} is none of {', '.join(sorted(ACTIONS))}")
            self._actions[name, int(nth)] = action

    def reach(self, name: str) -> None:
        if not self._actions:
            return
        nth = self._reached.get(name, 0) + 1
        self._reached[name] = nth
        action = self._actions.get((name, nth))
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif action == "raise":
            raise FailpointReached(f"{name}, time {nth}")
        elif action == "delay":
            pause(DELAY_SECONDS)


@lru_cache(maxsize=1)
def _plan(armed: str) -> _Plan:
    """Return the plan of a value; it counts anew once another value was seen."""
    return _Plan(armed)


def failpoint(name: str) -> None:
    """Do nothing, unless a test armed this step; see the head of this module."""
    _plan(os.environ.get(VARIABLE, "")).reach(name)
