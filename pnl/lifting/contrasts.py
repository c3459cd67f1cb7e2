"""The contrasts of DEF-EFFECT over what the books tell, each with its placebo and its verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from pnl.lifting.from_store import OUTCOMES, Known, history_of
from pnl.reports.sql import Bounds
from processors.comparison import Question
from processors.history import NEVER, Bools, Ints
from processors.lift import Arm, Effect, IncrementalShare, Label, effect, incremental_share

Verdict: TypeAlias = Literal[
    "holds", "not distinguishable", "placebo failed", "poorly matched", "too few"
]
RESOLVED, UNRESOLVED, ABANDONED, UNKNOWN = range(len(OUTCOMES))
_EVERYTHING: Final = Bounds(None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two groups compared; `effect` is None where there are too few."""

    name: str
    effect: Effect | None
    placebo: Effect | None
    label: Label = "association"

    @property
    def verdict(self) -> Verdict:
        """What the figures allow to say."""
        if self.effect is None:
            return "too few"
        if self.label == "causal":
            return "holds" if self.effect.distinguishable else "not distinguishable"
        if self.placebo is not None and self.placebo.distinguishable:
            return "placebo failed"
        if not self.effect.well_matched:
            return "poorly matched"
        return "holds" if self.effect.distinguishable else "not distinguishable"


def contrasts(
    found: Known, question: Question, segments: Bools, bounds: Bounds = _EVERYTHING
) -> Iterator[Contrast]:
    """Yield the contrasts of some segments, of indices within bounds; then each experiment."""
    asked = found.compared
    outcome = asked.outcome()
    here = segments[asked.segment()] & _within(asked.found.at_ms, bounds)
    for name, which in (
        ("resolved - none", here & (outcome == RESOLVED)),
        ("unresolved - none", here & (outcome == UNRESOLVED)),
        ("abandoned - none", here & (outcome == ABANDONED)),
        ("any contact - none", here & (outcome != ABANDONED)),
    ):
        compared = asked.against_none(which, question)
        yield Contrast(name=name, effect=compared, placebo=asked.placebo(which))
    resolved, unresolved = here & (outcome == RESOLVED), here & (outcome == UNRESOLVED)
    yield Contrast(
        name="resolved - unresolved",
        effect=asked.between(resolved, unresolved, question),
        placebo=None,
    )
    yield from _experiments(found, question, segments, bounds)


def _experiments(
    found: Known, question: Question, segments: Bools, bounds: Bounds
) -> Iterator[Contrast]:
    """Yield treated - control of every experiment: the plain difference (DEF-LABEL)."""
    asked, assigned, seen = found.compared, found.assigned, history_of(found)
    start_ms, end_ms = asked.window(question)
    ready = assigned.at_ms + end_ms <= seen.as_of_ms
    here = ready & segments[assigned.segment] & _within(assigned.at_ms, bounds)
    first_ms = seen.first_purchase(
        assigned.customer,
        assigned.at_ms + start_ms,
        assigned.at_ms + end_ms,
        own=question == "purchase",
    )
    bought = (first_ms != NEVER).astype(np.float64)

    def arm(rows: Bools) -> Arm:
        none = np.zeros(int(rows.sum()), dtype=np.int64)
        return Arm(bought[rows], none, assigned.customer[rows], np.ones(len(none)))

    for code, name in enumerate(assigned.names):
        mine = here & (assigned.experiment == code)
        if mine.any():
            treated = assigned.treated == 1
            compared = effect(arm(mine & treated), arm(mine & ~treated))
            yield Contrast(
                name=f"experiment {name}: treated - control",
                effect=compared,
                placebo=None,
                label="causal",
            )


def _within(at_ms: Ints, bounds: Bounds) -> Bools:
    start_ms = -NEVER if bounds.start is None else bounds.start
    end_ms = NEVER if bounds.end is None else bounds.end
    inside: Bools = (at_ms >= start_ms) & (at_ms < end_ms)
    return inside


def thetas(found: Known, version: str) -> Mapping[tuple[str, ...], IncrementalShare]:
    """Return theta by (), (queue,), (queue, channel), (queue, channel, reason) (DEF-MULT).

    Of handled contacts, whatever their outcome, against none. A segment is missing where too few
    are matched, or where the placebo shows that the comparison is not fair.
    """
    asked = found.compared
    handled, segment = asked.outcome() != ABANDONED, asked.segment()
    of_key: dict[tuple[str, ...], list[int]] = {}
    for code, each in enumerate(found.segments):
        whole = (each.queue, each.channel, each.reason)
        for length in range(len(whole) + 1):
            of_key.setdefault(whole[:length], []).append(code)
    result = {}
    for key, codes in sorted(of_key.items()):
        which = handled & np.isin(segment, codes)
        contrast = Contrast(name="", effect=asked.against_none(which), placebo=asked.placebo(which))
        share = incremental_share(contrast.effect, version)
        if share is not None and contrast.verdict not in ("placebo failed", "poorly matched"):
            result[key] = share
    return result
