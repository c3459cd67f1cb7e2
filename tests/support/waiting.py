"""Waits for what another process or thread does."""

import time
from collections.abc import Callable
from threading import Event
from typing import Final

PAUSE_SECONDS: Final = 0.02
PATIENCE: Final = 3
"""How much longer than a quiet machine a busy one may take: waiting proves nothing of speed."""


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return once the condition holds.

    `seconds` is what a quiet machine may take; TimeoutError, naming what was waited for, after
    three times as many.
    """
    end = time.monotonic() + seconds * PATIENCE
    never = Event()
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds * PATIENCE:g} s: {what}")
        never.wait(PAUSE_SECONDS)
