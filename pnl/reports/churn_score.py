"""Is the score right? What a fit of the kept kind would have been worth a horizon ago.

Law: predicted beside what happened, by tenths of the customers, as `pnl fit churn` judged it when
it kept the model. A model that could not be judged yet has no rows, and says so.
"""

from typing import Final

from pnl.fitting.model_file import ModelFile, read_model
from pnl.reports.sheet import Asking, Sheet, SheetColumn
from processors.confidence import wilson

COLUMNS: Final = (
    SheetColumn("tenth", "Tenth by risk", "count", "CHU-TENTH"),
    SheetColumn("customers", "Customers", "count", "CHU-TENTH"),
    SheetColumn("predicted_ppm", "Predicted", "ppm", "CHU-TENTH", "estimated"),
    SheetColumn("actual_ppm", "Did not buy", "ppm", "CHU-TENTH"),
    SheetColumn("actual_ppm_low", "from", "ppm", "DEF-CI"),
    SheetColumn("actual_ppm_high", "to", "ppm", "DEF-CI"),
)
DEFINITION: Final = (
    "Customers in ten equal groups by the risk that a fit of this kind gave them a horizon before"
    " the books' end; the share of each group that bought nothing since (DEF-CAL)."
)


def score_sheet(asking: Asking) -> Sheet:
    """Return the tenths of the kept model; no rows where there is nothing to show."""
    file = None if asking.model is None else read_model(asking.model)
    judged = None if file is None else file.judged
    rows = []
    for place, each in enumerate(() if judged is None else judged.tenths, 1):
        ends = wilson(round(each.actual * each.customers), each.customers)
        low, high = (None, None) if ends is None else (round(end * 1e6) for end in ends)
        rows.append(
            (
                place,
                each.customers,
                round(each.predicted * 1e6),
                round(each.actual * 1e6),
                low,
                high,
            )
        )
    return asking.sheet(
        "churn",
        "Is the score right?",
        COLUMNS,
        rows,
        notes=_notes(file),
        label="none" if file is None else file.label,
    )


def _notes(file: ModelFile | None) -> tuple[str, ...]:
    if file is None:
        return ("There is no model yet: run `pnl fit churn`, and begin the journeys anew.",)
    fitted = f"{file.name}, fitted on {file.customers} customers to {file.as_of}"
    if file.judged is None:
        return (f"{fitted}; not judged: the books are too young, or nothing is fitted.",)
    judged = file.judged
    gap = "" if judged.tenth_gap_max is None else f", worst tenth {judged.tenth_gap_max * 100:.0f}"
    worth = (
        f"As of {judged.as_of}, judged until {judged.until}: AUC {judged.auc:.3f}, repeats and"
        f" recency alone {judged.baseline_auc:.3f}{gap and gap + ' points off'}."
    )
    return (f"{fitted}.", worth)
