"""The questions a command may ask of an open data folder, answered as the text it prints.

Law: a question has one answer, whether the command opened the folder itself or asked the process
that holds it: both come here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pnl.control import Answer
from pnl.errors import UserError
from pnl.reports.queries import Reports
from processors.policy import Policy
from sinks.store import Store
from streams.log import EventLog


@dataclass(frozen=True, slots=True)
class Asked:
    """What there is to answer from."""

    reports: Reports
    store: Store
    log: EventLog
    policy: Policy


Answering: TypeAlias = Callable[[Asked, Mapping[str, Any]], Answer]


def _status(asked: Asked, args: Mapping[str, Any]) -> Answer:
    del args
    return Answer(text=f"as of {asked.reports.freshness().as_of}")


ANSWERS: Final[Mapping[str, Answering]] = {"status": _status}


def answer(op: str, args: Mapping[str, Any], asked: Asked) -> Answer:
    """Answer a question; UserError where it cannot be asked like this."""
    if op not in ANSWERS:
        raise UserError(f"The process that holds the data folder does not know {op!r}.")
    return ANSWERS[op](asked, args)
