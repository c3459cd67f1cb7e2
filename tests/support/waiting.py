"""Waits for what another process or thread does."""

import time
from collections.abc import Callable
from threading import Event

PAUSE_SECONDS = 0.02


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return once the condition holds; raise TimeoutError, naming it, after so many seconds."""
    end = time.monotonic() + seconds
    never = Event()
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        never.wait(PAUSE_SECONDS)
