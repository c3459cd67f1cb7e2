"""Contacts against customers like them who were not contacted: the three contrasts, the placebo.

Law: whoever is compared was drawn once, before any outcome was looked at; every question, of the
purchases after a contact, of those before it, of who is still a customer a year later, is asked
of the same matched sets. Only moments whose window has passed are asked.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from processors.history import COARSER, Bools, History, Ints
from processors.lift import Arm, Effect, effect
from processors.matching import Controls, Grid, Indices, Rules, controls, grid, indices, watched

Question: TypeAlias = Literal["purchase", "placebo", "retention"]
"""Bought in (index, index + W], not in a contact (DEF-PPR); bought in (index - 2W, index - W]
(DEF-LABEL: what cannot be an effect); bought in (index + W, index + W + H] (DEF-RC)."""

_JOINED: Final = (*COARSER, 1 << 40)
"""Strata of matched sets may be joined all into one: who is compared was matched already."""


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """Indices with their controls. `stratum` is that of each index at its moment."""

    history: History
    rules: Rules
    found: Indices
    seen: Grid
    drawn: Controls
    stratum: Ints

    def outcome(self) -> Ints:
        """Return the outcome code of each index."""
        return self.history.contact_outcome[self.found.place]

    def segment(self) -> Ints:
        """Return the segment code of each index."""
        return self.history.contact_segment[self.found.place]

    def matched(self) -> Bools:
        """Return which indices have a control."""
        has = np.zeros(len(self.found.place), dtype=np.bool_)
        has[self.drawn.row] = True
        return has

    def mature(self, question: Question) -> Bools:
        """Return which indices can be asked: their window has passed."""
        ready: Bools = self.found.at_ms + self._window(question)[1] <= self.history.as_of_ms
        return ready

    def against_none(self, which: Bools, question: Question = "purchase") -> Effect | None:
        """Compare some of the indices with their controls; None if too few are matched."""
        asked = which & self.mature(question)
        rows = asked & self.matched()
        drawn = rows[self.drawn.row]
        row, customer = self.drawn.row[drawn], self.drawn.customer[drawn]
        bought, weight = watched(
            self.history,
            self.seen,
            customer,
            self.found.at_ms[row],
            self._window(question),
            own=question != "retention",
            until_contact=question != "placebo",
        )
        return effect(
            self._contacted(rows, question),
            Arm(bought, self.stratum[row], customer, weight * self.drawn.share[drawn]),
            of=int(asked.sum()),
            strata_min=self.rules.strata_min,
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

    def _contacted(self, rows: Bools, question: Question) -> Arm:
        customer = self.found.customer[rows]
        bought, weight = watched(
            self.history,
            self.seen,
            customer,
            self.found.at_ms[rows],
            self._window(question),
            own=question != "retention",
            until_contact=False,
        )
        return Arm(bought, self.stratum[rows], customer, weight)

    def _window(self, question: Question) -> tuple[int, int]:
        lookback_ms, horizon_ms = self.rules.lookback_ms, self.rules.horizon_ms
        if question == "purchase":
            return 0, lookback_ms
        if question == "placebo":
            return -2 * lookback_ms, -lookback_ms
        return lookback_ms, lookback_ms + horizon_ms


def compared(history: History, rules: Rules) -> Comparison:
    """Find the indices of a history and draw their controls."""
    found, seen = indices(history, rules), grid(history, rules)
    return Comparison(
        history,
        rules,
        found,
        seen,
        controls(history, found, seen, rules),
        history.stratum(found.customer, found.at_ms),
    )
