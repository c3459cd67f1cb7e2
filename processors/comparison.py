"""Contacts against customers like them who were not contacted: the three contrasts, the placebo.

Law: whoever is compared was drawn once, before any outcome was looked at; every question, of the
purchases after a contact, of those before it, of who is still a customer a year later, is asked
of the same matched sets. Only moments whose window has passed are asked.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from processors.history import COARSER, MEMORY_MS, Bools, History, Ints
from processors.lift import Arm, Effect, effect
from processors.matching import (
    Controls,
    Grid,
    Indices,
    Rules,
    controls,
    grid,
    indices,
    members,
    watched,
)

Question: TypeAlias = Literal["purchase", "retention", "placebo"]
"""Bought in (index, index + W], not in a contact (DEF-PPR); bought in (index + W, index + W + H],
in a contact or not (DEF-RC); bought in the half year before what strata remember (DEF-LABEL)."""

_JOINED: Final = (*COARSER, 1 << 40)
"""Strata of matched sets may be joined all into one: who is compared was matched already."""
JOINED_MIN: Final = 100
"""Matched sets are joined up to this size: each rate that is estimated costs some certainty, which
the interval does not know of."""


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """Indices with the stratum of each at its moment, and their controls."""

    history: History
    rules: Rules
    seen: Grid
    found: Indices
    stratum: Ints
    drawn: Controls

    def matched(self) -> Bools:
        """Return which indices have a control."""
        has = np.zeros(len(self.stratum), dtype=np.bool_)
        has[self.drawn.row] = True
        return has

    def outcome(self) -> Ints:
        """Return the outcome code of each index."""
        return self.history.contact_outcome[self.found.place]

    def segment(self) -> Ints:
        """Return the segment code of each index."""
        return self.history.contact_segment[self.found.place]

    def mature(self, question: Question) -> Bools:
        """Return which indices can be asked: their window has passed."""
        ready: Bools = self.found.at_ms + self.window(question)[1] <= self.history.as_of_ms
        return ready

    def against_none(self, which: Bools, question: Question = "purchase") -> Effect | None:
        """Compare some of the indices with their controls; None if too few are matched."""
        asked = which & self.mature(question)
        rows = asked & self.matched()
        return effect(
            self._contacted(rows, question),
            self._controls(rows, question),
            of=int(asked.sum()),
            strata_min=self.rules.strata_min,
            joined_min=JOINED_MIN,
            coarser=_JOINED,
        )

    def between(self, these: Bools, those: Bools, question: Question = "purchase") -> Effect | None:
        """Compare indices with other indices of like customers: resolved with unresolved."""
        ready = self.mature(question)
        return effect(
            self._contacted(these & ready, question),
            self._contacted(those & ready, question),
            strata_min=self.rules.strata_min,
            coarser=COARSER[:-1],
        )

    def placebo(self, which: Bools) -> Effect | None:
        """Ask for purchases where no effect can be: long before the contact (DEF-LABEL).

        Strata remember half a year, so the half year before tells of nothing they hold. If those
        in contact bought more or less then, they differ in what nobody sees.
        """
        return self.against_none(which, "placebo")

    def _contacted(self, rows: Bools, question: Question) -> Arm:
        customer = self.found.customer[rows]
        bought, weight = watched(
            self.history,
            self.seen,
            customer,
            self.found.at_ms[rows],
            self.window(question),
            own=question != "retention",
            until_contact=False,
        )
        return Arm(bought, self.stratum[rows], customer, weight)

    def _controls(self, rows: Bools, question: Question) -> Arm:
        drawn = rows[self.drawn.row]
        row, customer = self.drawn.row[drawn], self.drawn.customer[drawn]
        bought, weight = watched(
            self.history,
            self.seen,
            customer,
            self.found.at_ms[row],
            self.window(question),
            own=True,  # what is sold in a contact comes with that contact, which ends the watch
            until_contact=question != "placebo",
        )
        return Arm(bought, self.stratum[row], customer, weight * self.drawn.share[drawn])

    def window(self, question: Question) -> tuple[int, int]:
        """Return from when to when a question looks, after the index, in milliseconds."""
        lookback_ms = self.rules.lookback_ms
        if question == "purchase":
            return 0, lookback_ms
        if question == "placebo":
            return -2 * MEMORY_MS, -MEMORY_MS
        return lookback_ms, lookback_ms + self.rules.horizon_ms


def compared(history: History, rules: Rules) -> Comparison:
    """Find the indices of a history and draw their controls."""
    seen, found = grid(history, rules), indices(history, rules)
    drawn = controls(history, found, seen, members(history, seen, rules), rules)
    stratum = history.stratum(found.customer, found.at_ms)
    return Comparison(history, rules, seen, found, stratum, drawn)
