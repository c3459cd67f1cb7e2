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
from processors.matching import (
    Controls,
    Grid,
    Indices,
    Rules,
    controls,
    earlier,
    grid,
    indices,
    watched,
)

Question: TypeAlias = Literal["purchase", "retention"]
"""Bought in (index, index + W], not in a contact (DEF-PPR); bought in (index + W, index + W + H],
in a contact or not (DEF-RC)."""

_JOINED: Final = (*COARSER, 1 << 40)
"""Strata of matched sets may be joined all into one: who is compared was matched already."""


@dataclass(frozen=True, eq=False, slots=True)
class Matched:
    """Moments, the stratum of each, and their controls."""

    found: Indices
    stratum: Ints
    drawn: Controls

    def has_controls(self) -> Bools:
        """Return which moments have a control."""
        has = np.zeros(len(self.stratum), dtype=np.bool_)
        has[self.drawn.row] = True
        return has


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """Indices with their controls (`now`), and the same moments one lookback earlier (`before`)."""

    history: History
    rules: Rules
    seen: Grid
    now: Matched
    before: Matched

    def outcome(self) -> Ints:
        """Return the outcome code of each index."""
        return self.history.contact_outcome[self.now.found.place]

    def segment(self) -> Ints:
        """Return the segment code of each index."""
        return self.history.contact_segment[self.now.found.place]

    def mature(self, question: Question) -> Bools:
        """Return which indices can be asked: their window has passed."""
        ready: Bools = self.now.found.at_ms + self.window(question)[1] <= self.history.as_of_ms
        return ready

    def against_none(self, which: Bools, question: Question = "purchase") -> Effect | None:
        """Compare some of the indices with their controls; None if too few are matched."""
        asked = which & self.mature(question)
        rows = asked & self.now.has_controls()
        return effect(
            self._contacted(rows, question),
            self._controls(self.now, rows, question),
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

    def placebo(self, which: Bools) -> Effect | None:
        """Ask the same of the lookback before each case began, where no effect can be (DEF-LABEL).

        Who bought then is more likely to call for reasons that everybody sees (the stratum); so
        each counts by how unlikely it was to call just then, and not before. What is left is
        what nobody sees: if it is not 0, the comparison is not fair.
        """
        rows = which & self.before.has_controls()
        customer = self.before.found.customer[rows]
        began_ms, at_ms = self.now.found.began_ms[rows], self.before.found.at_ms[rows]
        bought, _ = watched(
            self.history, self.seen, customer, at_ms, self.window("purchase"),
            own=True, until_contact=False,
        )  # fmt: skip
        rate = self.seen.rate[self.history.stratum(customer, began_ms - 1)]
        waited = self.seen.built_up(customer, began_ms) - self.seen.built_up(customer, at_ms)
        weight = np.divide(np.exp(waited), rate, out=np.zeros(len(rate)), where=rate > 0)
        return effect(
            Arm(bought, self.before.stratum[rows], customer, weight),
            self._controls(self.before, rows, "purchase"),
            of=int(which.sum()),
            strata_min=self.rules.strata_min,
            coarser=_JOINED,
        )

    def _contacted(self, rows: Bools, question: Question) -> Arm:
        customer = self.now.found.customer[rows]
        bought, weight = watched(
            self.history, self.seen, customer, self.now.found.at_ms[rows],
            self.window(question), own=question == "purchase", until_contact=False,
        )  # fmt: skip
        return Arm(bought, self.now.stratum[rows], customer, weight)

    def _controls(self, matched: Matched, rows: Bools, question: Question) -> Arm:
        # What is sold in a contact comes with that contact, which ends the watch.
        drawn = rows[matched.drawn.row]
        row, customer = matched.drawn.row[drawn], matched.drawn.customer[drawn]
        bought, weight = watched(
            self.history, self.seen, customer, matched.found.at_ms[row],
            self.window(question), own=True, until_contact=True,
        )  # fmt: skip
        return Arm(bought, matched.stratum[row], customer, weight * matched.drawn.share[drawn])

    def window(self, question: Question) -> tuple[int, int]:
        """Return from when to when a question looks, after the index, in milliseconds."""
        lookback_ms = self.rules.lookback_ms
        if question == "purchase":
            return 0, lookback_ms
        return lookback_ms, lookback_ms + self.rules.horizon_ms


def compared(history: History, rules: Rules) -> Comparison:
    """Find the indices of a history and draw their controls."""
    seen, found = grid(history, rules), indices(history, rules)

    def matched(moments: Indices) -> Matched:
        stratum = history.stratum(moments.customer, moments.at_ms)
        return Matched(moments, stratum, controls(history, moments, seen, rules))

    return Comparison(history, rules, seen, matched(found), matched(earlier(history, found, rules)))
