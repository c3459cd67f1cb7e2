"""A line on standard error that says how far a command is; only where a person looks at it."""

import sys
from datetime import timedelta
from types import TracebackType
from typing import Final, Self, TextIO

from streams.clock import Deadline

REDRAW: Final = timedelta(milliseconds=100)
BAR_WIDTH: Final = 24


class Progress:
    """One line, drawn over and over; silent where standard error is not a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._next = Deadline(timedelta(0))
        self._drawn = 0

    def show(self, text: str, done: int | None = None, size: int | None = None) -> None:
        """Say where we are; `done` of `size` draws a bar."""
        if not self._shown or self._next.seconds_left():
            return
        self._next = Deadline(REDRAW)
        self._draw(text if not size or done is None else f"{_bar(done / size)} {text}")

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._shown and self._drawn:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._drawn))
        self._stream.flush()
        self._drawn = len(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()


def _bar(share: float) -> str:
    filled = min(BAR_WIDTH, int(share * BAR_WIDTH))
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {min(1.0, share):4.0%}"
