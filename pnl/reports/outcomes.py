"""`pnl report outcomes`: what customers buy after contacts, against customers like them.

Law: a difference stands with its interval, its matched share, its placebo and its label; where
the placebo fails the line says so, and no more is claimed than *association*, except of contacts
that lots decided on (DEF-LABEL).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from pnl.lifting.contrasts import Contrast, contrasts
from pnl.lifting.from_store import CUSTOMERS_MAX, Known, known
from pnl.reports.model import BadRequest
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport, with_interval
from processors.comparison import Question
from processors.history import Bools
from processors.lift import Effect
from processors.money import PPM

DIMENSIONS: Final = ("queue", "team", "channel", "reason")
QUESTIONS: Final[dict[str, Question]] = {"purchase": "purchase", "retention": "retention"}

_FIGURES: Final = (
    SheetColumn("contrast", "Contrast", "text", "DEF-EFFECT"),
    SheetColumn("n", "Contacts", "count", "DEF-INDEX"),
    SheetColumn("n_baseline", "Compared with", "count", "DEF-CTRL"),
    SheetColumn("rate_ppm", "Rate after", "ppm", "DEF-PPR", "estimated"),
    SheetColumn("baseline_ppm", "Baseline", "ppm", "DEF-CTRL", "estimated"),
    *with_interval(SheetColumn("difference_ppm", "Difference", "ppm", "DEF-EFFECT", "estimated")),
    SheetColumn("relative_ppm", "Relative change", "ppm", "DEF-EFFECT", "estimated"),
    SheetColumn("matched_ppm", "Matched", "ppm", "DEF-CTRL"),
    *with_interval(SheetColumn("placebo_ppm", "Placebo", "ppm", "DEF-PLACEBO", "estimated")),
    SheetColumn("verdict", "Verdict", "text", "DEF-VERDICT"),
    SheetColumn("label", "Label", "text", "DEF-LABEL"),
)

DEFINITIONS: Final = {
    "DEF-EFFECT": "The difference of two rates, weighed by how the contacted spread over strata,"
    " with its 95 % interval; errors are counted by customer. Strata of fewer than 30 are joined"
    " to their like or left out.",
    "DEF-INDEX": "The end of a case's last contact that no contact of the case follows within the"
    " first-contact window; the first per customer and lookback. Only those whose window has"
    " passed.",
    "DEF-CTRL": "Up to five customers per contact who at the same moment had bought as often and"
    " as lately, had been customers as long, had last bought the same, and had no contact in the"
    " lookback before. Who is contacted later is watched until then.",
    "DEF-PPR": "Share that places an order within the lookback after the contact of which"
    " something is left at its end. Orders sold in a contact are left out (they are A1a). For"
    " retention: an order in the year after the lookback.",
    "DEF-PLACEBO": "The same difference in orders of 360 to 180 days before the contact, which it"
    " cannot have caused and which strata do not remember. It must cover 0: else customers in"
    " contact differ in what nobody sees.",
    "DEF-VERDICT": "holds: the interval excludes 0 and nothing speaks against it; not"
    " distinguishable: it does not; placebo failed; poorly matched: fewer than 80 %; too few.",
    "DEF-LABEL": "association: customers in contact may differ in what nobody sees. causal: lots"
    " decided who was contacted.",
}


ASSOCIATION: Final = (
    "An association, unless the label says causal: a comparison with customers like these cannot"
    " see all that makes people call."
)
PLACEBO: Final = (
    "Placebo: the same comparison of orders 360 to 180 days before the contact. Where it does not"
    " cover 0, do not use the line."
)


def outcomes(asking: Asking) -> Sheet:
    """Return the contrasts, by dimensions if asked."""
    question = asking.options.get("question", "purchase")
    if question not in QUESTIONS:
        raise BadRequest(f"question must be {' or '.join(QUESTIONS)}, not {question!r}.")
    columns = (*(SheetColumn(name, name.capitalize(), "text") for name in asking.by), *_FIGURES)
    found = known(asking.store, asking.policy, asking.as_of)
    rows: list[Row] = []
    if found is not None:
        for key, segments in groups(found, asking):
            compared = contrasts(found, QUESTIONS[question], segments, asking.bounds)
            rows += [(*key, *_cells(contrast)) for contrast in compared]
    return asking.sheet(
        "outcomes",
        "What customers buy after contacts" if question == "purchase" else "Who stays a customer",
        columns,
        rows,
        notes=_notes(found),
        label="association",
    )


def groups(found: Known, asking: Asking) -> Iterator[tuple[tuple[str, ...], Bools]]:
    """Yield the values of the dimensions asked for, and which segments have them."""
    filters = asking.scope.filters()
    wanted: dict[tuple[str, ...], list[int]] = {} if asking.by else {(): []}
    for code, segment in enumerate(found.segments):
        values = segment._asdict()
        if all(values[name] in among for name, among in filters.items()):
            wanted.setdefault(tuple(values[name] for name in asking.by), []).append(code)
    for key in sorted(wanted):
        chosen = np.zeros(len(found.segments), dtype=np.bool_)
        chosen[wanted[key]] = True
        yield key, chosen


def _cells(contrast: Contrast) -> tuple[Cell, ...]:
    effect, placebo = contrast.effect, contrast.placebo
    if effect is None:
        return (contrast.name, *([None] * 11), None, contrast.verdict, contrast.label)
    return (
        contrast.name,
        effect.n,
        effect.n_0,
        _ppm(effect.rate),
        _ppm(effect.rate_0),
        *_with_interval(effect),
        None if effect.relative is None else _ppm(effect.relative),
        _ppm(effect.matched_share),
        *((None, None, None) if placebo is None else _with_interval(placebo)),
        contrast.verdict,
        contrast.label,
    )


def _with_interval(effect: Effect) -> tuple[int, int, int]:
    low, high = effect.interval
    return _ppm(effect.difference), _ppm(low), _ppm(high)


def _ppm(share: float) -> int:
    return round(share * PPM)


def _notes(found: Known | None) -> tuple[str, ...]:
    notes = [ASSOCIATION, PLACEBO]
    if found is None:
        notes.append("There are no contacts and orders of known customers yet.")
    elif found.step > 1:
        notes.append(
            f"Estimated from one in {found.step} customers, by a hash of the name: at most"
            f" {CUSTOMERS_MAX:,}."
        )
    return tuple(notes)


OUTCOMES_REPORT: Final = SheetReport(
    name="outcomes",
    title="What customers buy after contacts",
    summary="Purchase rate after contacts, by outcome, against customers like them.",
    make=outcomes,
    dimensions=DIMENSIONS,
    options={
        "question": "purchase (within the lookback) or retention (in the year after) [purchase]"
    },
    definitions=DEFINITIONS,
)
