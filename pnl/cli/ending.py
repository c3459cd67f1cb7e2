"""How a command ends: one function from what went wrong to a sentence and an exit code."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from pnl.errors import CheckFailed, Exit, Interrupted, LawBreach, UserError

_NOT_USABLE = frozenset({"_INVALID_ARG", "_CONFLICT"})
"""How the Kafka client names a property that it does not know or cannot use."""
INTERRUPTED_TEXT = "Stopped before the end. Nothing is lost; the same command can be run again."


def ending(error: BaseException) -> tuple[str, Exit]:
    """Return the sentence for standard error and the exit code."""
    match error:
        case UserError():
            return str(error), Exit.MISTAKE
        case LawBreach():
            return str(error), Exit.LAW_BROKEN
        case CheckFailed():
            return str(error), Exit.FAILED
        case Interrupted():
            return str(error), Exit.INTERRUPTED
        case KeyboardInterrupt():
            return INTERRUPTED_TEXT, Exit.INTERRUPTED
        case BrokenPipeError():
            return "", Exit.FAILED
    return _of_a_part(error)


def _of_a_part(error: BaseException) -> tuple[str, Exit]:
    """Name what the parts raise; they are loaded already if they raised it."""
    name, text = type(error).__name__, str(error).rstrip(".")
    match name:
        case "ImportProblem" | "TopicsRefused":
            return f"{text}.", Exit.MISTAKE
        case "Busy":
            return f"The log took nothing just now: {text}. Try again.", Exit.FAILED
        case "Fenced":
            return f"Another process took over; this one stopped ({text}).", Exit.FENCED
        case "LogDamaged":
            return f"The log is damaged: {text}. See `pnl doctor`.", Exit.DAMAGED
        case "StateRefused" | "StateTooNew":
            return f"The state is refused: {text}.", Exit.DAMAGED
        case "KafkaException" if getattr(error.args[0], "name", str)() in _NOT_USABLE:
            return f"[log.client] cannot be used: {error.args[0].str()}.", Exit.MISTAKE
        case "LogFailed" | "KafkaException":
            return f"The log failed: {text}. A restart goes on from there.", Exit.LOG_FAILED
        case "StoreError":
            retry = getattr(getattr(error, "remedy", None), "name", "") == "RETRY"
            code = Exit.FAILED if retry else Exit.STORE_STOPPED
            return f"The store did not answer: {text}. See `pnl doctor`.", code
        case "LawBroken":
            return f"A law is broken: {text}. Nothing of it is written.", Exit.LAW_BROKEN
        case "MemoryError":
            return "There is not enough memory to go on.", Exit.FAILED
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or name}.", Exit.FAILED
    sentence = f"A bug stopped the program: {name}: {text}. Nothing is lost; please report it."
    return sentence, Exit.FAILED


def leave(code: int) -> NoReturn:
    """End the process with an exit code, once all that is ours is closed.

    What is left is Python taking libraries apart, which takes over a second on a busy machine; a
    thread that did not end in time would never end, and the engine's do not always bear it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_on_signals(arguments: Sequence[str]) -> None:
    """Let SIGTERM end a command as Ctrl-C does, and Ctrl-C also where a shell had it ignored.

    A worker listens by itself once it runs; told to stop before, it holds nothing and ends with 0.
    """
    is_worker = arguments[:1] == ["worker"]

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        if is_worker:
            os._exit(Exit.OK)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
