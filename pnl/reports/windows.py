"""Lookback windows side by side: what contacts earn if only the last hour, day, week counts (R11).

Law: under every window credits + unattributed = net revenue, like under the booked lookback. What
was sold in contacts does not depend on a window. A window longer than the paths that are stored
cannot be answered: its cells are empty, never cut short in silence.
"""

import re
from dataclasses import replace
from typing import Final

from pnl.reports.channels import (
    CENTRE,
    CONTACT,
    DEFINITIONS,
    LIVE,
    NOTE,
    OUTSIDE,
    REST,
    TOTAL,
    Sums,
    View,
    models_of,
)
from pnl.reports.model import CONTACT_DIMENSIONS, BadRequest
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport
from processors.policy import DAY_MS, HOUR_MS

WINDOWS_DEFAULT: Final = "1h,24h,7d,30d"
_WINDOW: Final = re.compile(r"([1-9]\d{0,3})(h|d)")
_UNIT_MS: Final = {"h": HOUR_MS, "d": DAY_MS}


def windows_of(text: str) -> dict[str, int]:
    """Read `1h,24h,7d`: milliseconds by name. BadRequest shows how."""
    found: dict[str, int] = {}
    for part in text.split(","):
        match = _WINDOW.fullmatch(part.strip())
        if match is None:
            raise BadRequest(f"windows must look like {WINDOWS_DEFAULT}, not {part!r}.")
        found[match[0]] = int(match[1]) * _UNIT_MS[match[2]]
    return found


def make(asking: Asking) -> Sheet:
    """Return credits by earner and dimensions, a column per window."""
    asking = replace(asking, by=asking.by or ("channel",))
    windows = windows_of(asking.options.get("windows", WINDOWS_DEFAULT))
    (model, *more) = models_of(asking.options.get("model", asking.policy.model))
    if more or model == LIVE:
        raise BadRequest("windows takes one model; live has the booked lookback and no other.")
    stored_ms = asking.policy.lookback_ms_max
    answered = {name: window for name, window in windows.items() if window <= stored_ms}
    view = View(asking, max(answered.values(), default=0))
    pinned = view.grouped(view.pinned())
    after = {name: view.grouped(view.split(model, window)) for name, window in answered.items()}
    columns = [
        SheetColumn("earner", "Earner", "text", "DEF-EARNER"),
        *(SheetColumn(name, name.capitalize(), "text") for name in asking.by),
        SheetColumn("pinned_minor", "In contact, centre", "amount_minor", "DEF-PINNED", "booked"),
        *(
            SheetColumn(f"within_{name}_minor", f"+ {name}", "amount_minor", "DEF-W", "booked")
            for name in windows
        ),
    ]
    rows, total = _rows(view, pinned, after, tuple(windows))
    notes = [NOTE, f"Split by the model {model}."]
    missing = [name for name in windows if name not in answered]
    if missing:
        days = stored_ms // DAY_MS
        notes.append(
            f"{', '.join(missing)}: longer than the longest booked lookback ({days} d), so the"
            " paths do not reach back so far."
        )
    return asking.sheet("windows", "Lookback windows", columns, rows, total=total, notes=notes)


def _rows(
    view: View, pinned: Sums, after: dict[str, Sums], names: tuple[str, ...]
) -> tuple[list[Row], Row]:
    """Return a row per earner; the cells of windows say what orders after contacts brought."""
    found = sorted({key for each in (pinned, *after.values()) for key in each})
    keys = [key for key in found if key[0] == CONTACT]
    keys += [key for key in ((OUTSIDE,), (CENTRE,)) if key in found]

    def cells(name: str) -> list[Cell]:
        if name not in after:
            return [None] * (len(keys) + 2)
        credited = [after[name].get(key, 0) for key in keys]
        rest = view.net_minor - sum(pinned.values()) - sum(credited)
        return [*credited, rest, view.net_minor - sum(pinned.values())]

    fixed = [pinned.get(key, 0) for key in keys]
    columns: list[list[Cell]] = [[*fixed, 0, sum(fixed)], *(cells(name) for name in names)]
    heads = [view.head(key) for key in (*keys, (REST,), (TOTAL,))]
    rows = [(*head, *row) for head, row in zip(heads, zip(*columns, strict=True), strict=True)]
    return rows[:-1], rows[-1]


WINDOWS: Final = SheetReport(
    name="windows",
    title="Lookback windows",
    summary="What contacts earn of orders within 1 h, 24 h, 7 d, 30 d, and what nobody earns.",
    make=make,
    dimensions=CONTACT_DIMENSIONS,
    options={
        "windows": f"lengths in hours or days [{WINDOWS_DEFAULT}]",
        "model": "one model but live [the booked one]",
    },
    definitions={
        **DEFINITIONS,
        "DEF-W": "Credit for orders at most so long after a contact, whatever the product class;"
        " what was sold in contacts and the centre's stands apart. The row unattributed has what"
        " nobody earns then; the column adds up to the net revenue that a model may split.",
        "DEF-PINNED": "Credit that no window moves: orders sold in a contact, and maintenance and"
        " support, which are the centre's.",
    },
    filters=("product_class",),
    optional=("channel", *(f"within_{name}_minor" for name in WINDOWS_DEFAULT.split(","))),
    converts="orders",
)
