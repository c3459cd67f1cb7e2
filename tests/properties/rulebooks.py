"""Random books of dated policies whose changes fall among the moments of `histories`."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from processors.policy import DatedPolicy, Policy, PolicyBook, Tariff, book_of
from tests.properties.histories import TARIFFS, Pick, half_days, policy_by

MOMENTS = half_days(0, 16)
"""Noons and midnights, as most facts have: one at the very moment of a change is of the new."""
CHANGED = (
    TARIFFS,
    {},
    TARIFFS | {"event": Tariff(kind="flat", amount_minor=250)},
    TARIFFS | {"flat": Tariff(kind="per_event", amount_minor=90)},
    TARIFFS | {"minute": Tariff(kind="per_term", amount_minor=701, term_days=40)},
    TARIFFS | {"unknown": Tariff(kind="per_event", amount_minor=40)},
)


def dated_by(pick: Pick, changes_max: int = 3) -> PolicyBook:
    """Draw a book: rules, and up to so many changes of any of them."""
    starts = sorted({pick(MOMENTS) for _ in range(pick(range(changes_max + 1)))})
    return book_of(policy_by(pick), [DatedPolicy(since, changed_by(pick)) for since in starts])


def changed_by(pick: Pick) -> Policy:
    """Draw what takes a policy's place."""
    return replace(
        policy_by(pick),
        tariffs=pick(CHANGED),
        margin_ppm=pick((400_000, 123_456)),
        loaded_per_hour_minor=pick((3000, 3333, 0)),
    )


@st.composite
def rulebooks(draw: Any) -> PolicyBook:
    """Return books that Hypothesis can shrink."""
    return dated_by(lambda options: draw(st.sampled_from(options)))
