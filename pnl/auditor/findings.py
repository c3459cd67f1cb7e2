"""What the auditor can find: the laws it checks, and which of them halt the sink."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

LAWS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "R1": "the entries that a fact caused sum to zero, by order and currency",
        "R2": "input offsets are accounted for once: no gap, no overlap between batches",
        "R3": "every input record has one disposition: the counts add up to the records",
        "S1": "a credit vector adds up: credits + unattributed = net, over its classes too",
        "A1": "the log holds of each batch what it recorded, each fact's entries once",
        "A2": "the sink is not behind the log",
        "A3": "readers of committed records are not held up",
        "A4": "what is booked for a customer is what a recomputation from the facts gives",
        "A6": "records are applied, not late, duplicate or dead at an unusual rate",
        "A7": "the state of a partition is the one that its last batch left",
    }
)
"""Law -> title: those that the auditor reads from the log; the others are `sinks.laws`."""
HALTING: Final = frozenset({"R1", "R2", "R3", "R4", "R5", "S1", "A1", "A4"})
"""A breach of these means that money may be wrong: the sink stores nothing more."""


class Found(NamedTuple):
    """A breach: of which law, where to look, and what is there. One subject is raised once."""

    law: str
    subject: str
    detail: str
