"""How a command ends: one function from what went wrong to a sentence and an exit code.

0 done · 1 a check failed or the program could not go on · 2 the person's mistake · 130 stopped
by Ctrl-C or a signal before it was done.
"""

import signal
from types import FrameType

from pnl.errors import CheckFailed, Interrupted, UserError

INTERRUPTED = 130
INTERRUPTED_TEXT = "Stopped before the end. Nothing is lost; the same command can be run again."


def ending(error: BaseException) -> tuple[str, int]:
    """Return the sentence for standard error and the exit code."""
    match error:
        case UserError():
            return str(error), 2
        case CheckFailed():
            return str(error), 1
        case Interrupted():
            return str(error), INTERRUPTED
        case KeyboardInterrupt():
            return INTERRUPTED_TEXT, INTERRUPTED
        case BrokenPipeError():
            return "", 1
    return _of_a_part(error)


def _of_a_part(error: BaseException) -> tuple[str, int]:
    """Name what the parts raise; they are loaded already if they raised it."""
    name, text = type(error).__name__, str(error).rstrip(".")
    match name:
        case "ImportProblem":
            return f"{text}.", 2
        case "Busy":
            return f"The log is locked by another process: {text}. Try again.", 1
        case "Fenced":
            return "Another process took over this data folder; this one stopped.", 1
        case "LogDamaged":
            return f"The log is damaged: {text}. See `pnl doctor`.", 1
        case "StoreError":
            return f"The store did not answer: {text}. See `pnl doctor`.", 1
        case "MemoryError":
            return "There is not enough memory to go on.", 1
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or name}.", 1
    return f"A bug stopped the program: {name}: {text}. Nothing is lost; please report it.", 1


def end_on_signals() -> None:
    """Let SIGTERM end a command as Ctrl-C does, and Ctrl-C also where a shell had it ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
