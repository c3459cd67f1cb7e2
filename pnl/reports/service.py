"""`pnl report service`: how well contacts, cases and costs went, by what they have and by time.

Law: every figure has one definition, shown by `--define` with its trap, and is None where it
cannot be known. Figures of the whole company (cost with overhead) stand in rows by time only.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pnl.reports import occupancy, service_counts
from pnl.reports.grouping import ROWS, Key, key_heads, time_part
from pnl.reports.model import CONTACT_DIMENSIONS, BadRequest
from pnl.reports.options import choice
from pnl.reports.service_costs import centre_costs
from pnl.reports.service_measures import MEASURES, VIEWS, Counted, Gathered, cells_of
from pnl.reports.service_people import people
from pnl.reports.service_words import WORDS
from pnl.reports.sheet import Asking, Row, Sheet, SheetReport

OPTIONS: Final = {
    "view": "which measures: overview (default), handling, resolution, opinion, cost, sales,"
    " people, all",
    "short_s": "abandoned within so many seconds is not counted as left in queue (5)",
    "csat_max": "the best answer of the satisfaction scale (5)",
    "csat_good": "the least answer that is good (4)",
    "ces_max": "the last answer of the effort scale (7)",
    "absent_days": "an agent not seen for so many days is taken for gone (60)",
}


def whole_number(options: Mapping[str, str], name: str, default: int) -> int:
    """Return an option that is a whole number. BadRequest if it is none."""
    text = options.get(name, str(default))
    if not text.isdecimal() or len(text) > 9:
        raise BadRequest(f"{name} must be a whole number like {default}, not {text!r}.")
    return int(text)


def make(asking: Asking) -> Sheet:
    """Return the measures of a view, a row per key, and over all."""
    names = VIEWS[choice(asking.options, "view", tuple(VIEWS))]
    needs = {source for name in names for source in MEASURES[name].needs}
    found = gathered(asking, needs)
    keys = (
        sorted(
            {
                key
                for source in found.counted
                if source not in _COMPANY
                for key in found.counted[source]
            }
        )
        if asking.by
        else []
    )
    whole = found if not asking.by else _over_all(asking, found, needs)
    columns = (*key_heads(asking.by), *(c for name in names for c in MEASURES[name].columns))
    total = (*(None for _ in asking.by), *cells_of(names, whole, [()])[0])
    rows: list[Row] = [
        (*key, *cells) for key, cells in zip(keys, cells_of(names, found, keys), strict=True)
    ]
    return asking.sheet(
        "service",
        "Service measures",
        columns,
        rows if asking.by else [total],
        total=total if asking.by else None,
        notes=_notes(asking, whole.counted),
    )


_COMPANY: Final = ("customers", "costs", "people")
"""Sources that have no rows of their own: they say something about the rows of others."""


_DISTINCT: Final = ("customers", "occupancy", "costs", "people")
"""Sources whose rows do not add up: a customer, or an agent's day, may stand in several."""


def _over_all(asking: Asking, found: Gathered, needs: Collection[str]) -> Gathered:
    """Return the counts over all rows: added up where a thing stands in one row only."""
    alone = replace(asking, by=())
    counted = dict(gathered(alone, [name for name in needs if name in _DISTINCT]).counted)
    for source, rows in found.counted.items():
        if source in _DISTINCT:
            continue
        sums: dict[str, float] = {}
        for row in rows.values():
            for name, value in row.items():
                if not name.startswith("key_"):
                    sums[name] = sums.get(name, 0) + value
        counted[source] = {(): sums} if sums else {}
    return Gathered((), counted)


def gathered(asking: Asking, needs: Collection[str]) -> Gathered:
    """Ask the store for what the measures need, and nothing else."""
    options = asking.options
    ask: Mapping[str, Callable[[], Any]] = {
        "volumes": lambda: service_counts.volumes(
            asking, 1000 * whole_number(options, "short_s", 5)
        ),
        "cases": lambda: service_counts.cases(asking),
        "answers": lambda: service_counts.answers(
            asking,
            whole_number(options, "csat_max", 5),
            whole_number(options, "csat_good", 4),
            whole_number(options, "ces_max", 7),
        ),
        "sales": lambda: service_counts.sales(asking),
        "customers": lambda: service_counts.customers_who_ordered(asking),
        "occupancy": lambda: occupancy.occupancy(asking),
    }
    counted = {name: ask[name]() for name in ask if name in needs}
    if not asking.scope.filters():
        times = _times(asking, counted)
        if "costs" in needs:
            counted["costs"] = _costs(asking, times)
        if "people" in needs:
            absent = whole_number(options, "absent_days", 60)
            counted["people"] = people(asking, times, absent)
    return Gathered(asking.by, counted)


def _times(asking: Asking, counted: Counted) -> list[Key]:
    """Return the times that rows stand for; one, (), where rows are not by time."""
    rows = [counted[source] for source in counted if source not in _COMPANY]
    return sorted({time_part(asking.by, key) for keys in rows for key in keys} or {()})


def _costs(asking: Asking, times: Sequence[Key]) -> Mapping[Key, Mapping[str, int]]:
    return {
        key: {"full": full, "controllable": full - overhead}
        for key, (full, overhead) in centre_costs(asking, times).items()
    }


def _notes(asking: Asking, counted: Counted) -> list[str]:
    """Return what a reader of these figures has to know."""
    notes: list[str] = []
    cases, volumes = counted.get("cases", {}).get(()), counted.get("volumes", {}).get(())
    if cases is not None and cases["cases_n"] > cases["final_n"]:
        days = asking.policy.first_contact_resolution_ms // 86_400_000
        young = cases["cases_n"] - cases["final_n"]
        notes.append(f"{young} cases are younger than {days} days: in no rate of cases yet.")
    if cases is not None and volumes is not None and volumes["caseless_n"]:
        notes.append(
            f"{volumes['caseless_n']} handled contacts name no case: the measures of cases do not"
            " see them."
        )
    occupied = counted.get("occupancy", {}).get(())
    if occupied is not None and not occupied["agent_days"]:
        notes.append("Occupancy is unknown: no shifts (payroll costs of an agent for up to 24 h).")
    said = counted.get("answers", {}).get(())
    if said is not None and said["off_scale_n"]:
        notes.append(
            f"{said['off_scale_n']} answers lie beyond the scale (csat_max, ces_max) and are left"
            " out."
        )
    if "agent" in asking.by:
        notes.append(WORDS["G-AGENT"] + " Rows stand in the order of their ids, and rank nobody.")
    return notes


SERVICE: Final = SheetReport(
    name="service",
    title="Service measures",
    summary="Handle time, occupancy, abandons, resolution at first contact, satisfaction, cost per"
    " contact, case and resolution, conversion.",
    make=make,
    dimensions=ROWS,
    options=OPTIONS,
    definitions=WORDS,
    filters=CONTACT_DIMENSIONS,
    views=tuple(name for name in VIEWS if name != "all"),
)
