"""`pnl lift`: the estimator of the outcome report on any table with a treatment and an outcome.

Law: a row that cannot be read is named by file, line and column, and nothing is estimated: what
was left out in silence could be what differs.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np

from pnl.errors import UserError
from processors.history import Bools
from processors.lift import STRATA_MIN, Arm, Effect, Label, effect

_YES: Final = frozenset({"1", "true", "yes", "y", "t"})
_NO: Final = frozenset({"0", "false", "no", "n", "f"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which columns of a table say what. `customer`: whose rows belong together."""

    treatment: str
    outcome: str
    strata: tuple[str, ...] = ()
    customer: str | None = None
    randomised: bool = False
    strata_min: int = STRATA_MIN


@dataclass(frozen=True, slots=True)
class Table:
    """The rows, by column: treated, outcome, the stratum's values, who."""

    treated: tuple[bool, ...]
    outcome: tuple[bool, ...]
    strata: tuple[tuple[str, ...], ...]
    customer: tuple[str, ...]


def read_table(file: Path, asked: Asked) -> Table:
    """Read a CSV file, gzipped or not. UserError names what cannot be read."""
    try:
        with _opened(file) as text:
            return _table(str(file), text, asked)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: is not UTF-8 text.") from None
    except (EOFError, gzip.BadGzipFile):
        raise UserError(f"{file}: is no whole gzip file.") from None


def _opened(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _table(name: str, text: Iterable[str], asked: Asked) -> Table:
    rows = _rows(name, text)
    _, header = next(rows, (0, []))
    columns = {column.strip(): place for place, column in enumerate(header)}
    wanted = [asked.treatment, asked.outcome, *asked.strata]
    wanted += [asked.customer] if asked.customer is not None else []
    for column in wanted:
        if column not in columns:
            there = ", ".join(columns) or "none"
            raise UserError(f"{name}: line 1: there is no column {column!r}; there are {there}.")
    treated, outcome, strata, customer = [], [], [], []
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"{name}: line {line}: {len(row)} cells, where line 1 has {len(header)}."
            )
        treated.append(_flag(name, line, asked.treatment, row[columns[asked.treatment]]))
        outcome.append(_flag(name, line, asked.outcome, row[columns[asked.outcome]]))
        strata.append(tuple(row[columns[column]].strip() for column in asked.strata))
        customer.append(row[columns[asked.customer]] if asked.customer is not None else str(line))
    for flag, word in ((True, "1"), (False, "0")):
        if flag not in treated:
            raise UserError(f"{name}: column {asked.treatment!r} is nowhere {word}: no comparison.")
    return Table(tuple(treated), tuple(outcome), tuple(strata), tuple(customer))


def _rows(name: str, text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells); empty lines are none."""
    rows = csv.reader(text, strict=True)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{name}: line {rows.line_num}: {error}.") from None
        if row:
            yield rows.line_num, row


def _flag(name: str, line: int, column: str, cell: str) -> bool:
    word = cell.strip().lower()
    if word not in _YES and word not in _NO:
        raise UserError(
            f"{name}: line {line}: column {column!r} must be 0 or 1 (false or true, no or yes);"
            f" it is {cell!r}."
        )
    return word in _YES


def lift(table: Table, asked: Asked) -> dict[str, Any]:
    """Return what `pnl lift` prints (docs/outcomes.md describes each key)."""
    names = sorted(set(table.strata))
    codes = {name: code for code, name in enumerate(names)}
    treated = np.array(table.treated)
    bought = np.array(table.outcome, dtype=np.float64)
    stratum = np.array([codes[each] for each in table.strata])
    whose = {name: number for number, name in enumerate(dict.fromkeys(table.customer))}
    customer = np.array([whose[each] for each in table.customer])

    def arm(rows: Bools) -> Arm:
        ones = np.ones(int(rows.sum()))
        return Arm(bought[rows], stratum[rows], customer[rows], ones)

    strata_min = asked.strata_min if asked.strata else 1
    found = effect(arm(treated), arm(~treated), strata_min=strata_min)
    counts = np.stack(
        [np.bincount(stratum[rows], minlength=len(names)) for rows in (treated, ~treated)]
    )
    small = [names[code] for code in np.flatnonzero((counts < strata_min).any(axis=0))]
    return {
        "treatment": asked.treatment,
        "outcome": asked.outcome,
        "strata": list(asked.strata),
        "label": label_of(randomised=asked.randomised),
        "rows_treated": int(treated.sum()),
        "rows_control": int((~treated).sum()),
        **_figures(found),
        "strata_min": strata_min,
        "suppressed": [dict(zip(asked.strata, name, strict=True)) for name in small],
        "notes": _notes(found, small, asked),
    }


def label_of(*, randomised: bool) -> Label:
    """Return what a difference may claim (DEF-LABEL)."""
    return "causal" if randomised else "association"


def _figures(found: Effect | None) -> dict[str, Any]:
    if found is None:
        keys = ("difference", "low", "high", "relative", "rate_treated", "rate_control", "method")
        return {"n_treated": 0, "n_control": 0, **dict.fromkeys(keys), "strata_compared": 0,
                "matched_share": 0.0}  # fmt: skip
    return {
        "n_treated": found.n,
        "n_control": found.n_0,
        "rate_treated": found.rate,
        "rate_control": found.rate_0,
        "difference": found.difference,
        "low": found.interval.low,
        "high": found.interval.high,
        "relative": found.relative,
        "method": "newcombe" if found.by_newcombe else "stratified",
        "strata_compared": found.strata,
        "matched_share": found.matched_share,
    }


def _notes(found: Effect | None, small: Sequence[tuple[str, ...]], asked: Asked) -> list[str]:
    notes = []
    if small:
        notes.append(
            f"{len(small)} strata with fewer than {asked.strata_min} rows in an arm are left out."
        )
    if found is None:
        notes.append("No stratum has enough rows in both arms: nothing can be said.")
    elif not found.well_matched:
        notes.append("Fewer than 80 % of the treated rows could be compared.")
    if not asked.randomised:
        notes.append(
            "An association: who was treated may differ in what the strata do not hold."
            " Say --randomised only if lots decided."
        )
    return notes
