"""Attribution: what orders' contacts earned, under one model or several side by side.

Law: the orders placed in the range, net of all refunds since, are split anew from their stored
paths; credits + unattributed = net under every model, so all columns have one total (I11). What
was sold in a contact stays with it, maintenance and support stay with the centre. Under `live`
stands what is booked now.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from pnl.reports.incremental import (
    DEFINITION,
    OPTION,
    SEGMENT,
    UNKNOWN_THETA,
    Thetas,
    incremental,
    thetas_of,
)
from pnl.reports.model import CONTACT_DIMENSIONS, BadRequest, Scope
from pnl.reports.path_store import Fixed, PathStore, StoredPaths, Values, walks_of
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport, with_interval
from processors.path_models import (
    Ints,
    Touches,
    Walks,
    credits_of,
    markov,
    shapley,
    share_weights,
    touch_weights,
    touches,
)
from processors.policy import MODELS

LIVE: Final = "live"
LEARNT: Final = ("markov", "shapley")
CHANNEL_MODELS: Final = (*MODELS, *LEARNT, LIVE)
TITLES: Final[Mapping[str, str]] = {
    "last": "Last",
    "first": "First",
    "linear": "Linear",
    "position": "Position",
    "time_decay": "Time decay",
    "markov": "Markov",
    "shapley": "Shapley",
    "live": "Live (booked)",
}
Earner: TypeAlias = tuple[str, ...]
"""Whose a credit is: who earned it, and of a contact the values of its dimensions."""
Sums: TypeAlias = dict[Earner, int]
"""Minor units by earner."""

CONTACT, OUTSIDE, CENTRE, REST, TOTAL = "contact", "outside", "centre", "unattributed", "total"

DEFINITIONS: Final = {
    "DEF-EARNER": "Who the row is: contact (by the dimensions asked for), outside (those that the"
    " filter leaves out), centre (maintenance and support, which no contact earns), unattributed"
    " (nobody earned it).",
    "DEF-MODEL": "Credit of the orders placed in the range, net of refunds since: last touch,"
    " first, linear (equal), position (40/20/40), time decay (half-life 7 days); Markov and"
    " Shapley weigh a touchpoint by its channel's share of all conversions, from all paths, those"
    " without an order too. Split anew and exactly from the stored paths. live: as booked now.",
    "DEF-MULT": DEFINITION,
}

NOTE: Final = (
    "Orders placed in the range, with all refunds since; the statement dates a refund by itself."
    " Credits + unattributed = net revenue under every model. The split is a model."
)


def make(asking: Asking) -> Sheet:
    """Return credits by earner and dimensions, a column per model; the first is `touched_minor`."""
    asking = replace(asking, by=asking.by or ("channel",))
    models = models_of(asking.options.get("model", LIVE))
    view = View(asking)
    view.thetas = thetas_of(asking)
    rows, total = view.rows({model: view.split(model) for model in models})
    columns = [
        SheetColumn("earner", "Earner", "text", "DEF-EARNER"),
        *(SheetColumn(name, name.capitalize(), "text") for name in asking.by),
        SheetColumn("touched_minor", TITLES[models[0]], "amount_minor", "DEF-MODEL", "booked"),
        *(
            SheetColumn(f"{model}_minor", TITLES[model], "amount_minor", "DEF-MODEL", "booked")
            for model in models[1:]
        ),
        *with_interval(
            SheetColumn("incremental_minor", "Incremental", "amount_minor", "DEF-MULT", "estimated")
        ),
    ]
    notes = [NOTE]
    if rows and any(row[-1] is None and row[0] == CONTACT for row in rows):
        notes.append(UNKNOWN_THETA)
    notes += view.notes
    return asking.sheet("channels", "Attribution", columns, rows, total=total, notes=notes)


def models_of(text: str) -> tuple[str, ...]:
    """Read `last,markov` or `all`. BadRequest names what there is."""
    if text == "all":
        return CHANNEL_MODELS
    models = tuple(part.strip() for part in text.split(","))
    for model in models:
        if model not in CHANNEL_MODELS:
            raise BadRequest(
                f"There is no model {model!r}: the models are {', '.join(CHANNEL_MODELS)}, all."
            )
    if len(set(models)) != len(models):
        raise BadRequest(f"--model names a model twice: {text}.")
    return models


class View:
    """The orders of a question: read once, split under any model."""

    def __init__(self, asking: Asking, window_ms: int | None = None) -> None:
        self.notes: list[str] = []
        self._asking = asking
        self._by = asking.by
        scope = asking.scope
        self._dimensions = tuple(dict.fromkeys((*asking.by, *SEGMENT, *_filters(scope))))
        self._store = PathStore(asking.store, scope, asking.bounds, self._dimensions)
        self._window_ms = window_ms
        self.net_minor = self._store.net_minor()
        self.thetas: Thetas = {}

    @cached_property
    def stored(self) -> StoredPaths:
        """The paths, read when first needed."""
        return self._store.paths(self._window_ms)

    @cached_property
    def touches(self) -> Touches:
        """The touchpoints of all paths that were read."""
        return touches(self.stored.paths)

    @cached_property
    def fixed(self) -> list[Fixed]:
        """The booked credits, read when first needed."""
        return self._store.fixed()

    def pinned(self) -> Sums:
        """Return what no model moves: sold in contacts, and the centre's."""
        found: Sums = defaultdict(int)
        for each in self.fixed:
            found[self._key(each.values, is_centre=each.is_centre)] += each.pinned_minor
        return found

    def split(self, model: str, window_ms: int | None = None) -> Sums:
        """Return what a model gives contacts for orders after them, perhaps within a window."""
        found: Sums = defaultdict(int)
        if model == LIVE:
            for each in self.fixed:
                key = self._key(each.values, is_centre=each.is_centre)
                found[key] += each.booked_minor - each.pinned_minor
            return found
        for place, amount in enumerate(self._split(model, window_ms)):
            found[self._key(self.stored.values[place])] += amount
        return found

    def _split(self, model: str, window_ms: int | None = None) -> list[int]:
        """Return the credits by place in `stored.values`."""
        paths, found = self.stored.paths, self.touches
        if window_ms is not None:
            paths = paths.within(window_ms)
            found = touches(paths)
        if model in LEARNT:
            weight = self._learnt(model)[found.channel]
        else:
            weight = touch_weights(next(each for each in MODELS if each == model), found)
        credited = credits_of(paths, found, weight)
        return _sums(paths.channel, credited, len(self.stored.values))

    @cached_property
    def _walks(self) -> tuple[Walks, tuple[tuple[str, ...], ...], Ints]:
        """All paths over the dimensions asked for, those without an order too."""
        asking = self._asking
        nulls = self._store.nulls(asking.as_of, asking.policy.lookback_ms_max)
        return walks_of(self.stored, self.touches, nulls, self._by)

    def _learnt(self, model: str) -> Ints:
        """Return the weight of each place in `stored.values` by what all paths teach."""
        walks, keys, places = self._walks
        if not keys:
            return np.zeros(0, np.int64)
        shares = markov(walks) if model == "markov" else shapley(walks)
        converted, paths = int(walks.converted.sum()), len(walks.converted)
        told = f"{TITLES[model]} learnt from {paths} paths of {len(keys)} channels"
        self.notes.append(f"{told}, {converted} of which converted.")
        return share_weights(shares)[places]

    def _key(self, values: Values, *, is_centre: bool = False) -> Earner:
        """Return earner and values; of the centre and outside the filter no dimension is told."""
        if is_centre:
            return (CENTRE,)
        for name, allowed in _filters(self._asking.scope).items():
            if values[name] not in allowed:
                return (OUTSIDE,)
        return (CONTACT, *(values[name] for name in self._dimensions))

    def shown(self, key: Earner) -> Earner:
        """Return earner and values of the dimensions asked for."""
        return key[: 1 + len(self._by)] if key[0] == CONTACT else key

    def rows(self, after: Mapping[str, Sums]) -> tuple[list[Row], Row]:
        """Return a row per earner and key, what is unattributed last, and the total.

        `after` holds what each model gives; of the first the incremental part is told.
        """
        pinned = self.pinned()
        first = next(iter(after.values()))
        sums = [self.grouped(each, pinned) for each in after.values()]
        found = sorted({key for each in sums for key in each})
        keys = [key for key in found if key[0] == CONTACT]
        keys += [key for key in ((OUTSIDE,), (CENTRE,)) if key in found]
        rows: list[Row] = [
            (
                *self.head(key),
                *(each.get(key, 0) for each in sums),
                *self._incremental(first, key),
            )
            for key in keys
        ]
        rests = [self.net_minor - sum(each.values()) for each in sums]
        rows.append((*self.head((REST,)), *rests, None, None, None))
        nets = [self.net_minor] * len(sums)
        return rows, (*self.head((TOTAL,)), *nets, *self._incremental(first, None))

    def head(self, key: Earner) -> tuple[Cell, ...]:
        """Return the cells of earner and dimensions."""
        return key if key[0] == CONTACT else (key[0], *(None for _ in self._by))

    def grouped(self, *parts: Sums) -> Sums:
        """Return the sums of all parts by what is shown."""
        found: Sums = defaultdict(int)
        for part in parts:
            for key, amount in part.items():
                found[self.shown(key)] += amount
        return found

    def _incremental(self, after: Sums, shown: Earner | None) -> tuple[Cell, Cell, Cell]:
        """Return the incremental part of a row's credits, or of all contacts' (None)."""
        if shown is not None and shown[0] != CONTACT:
            return None, None, None
        found = incremental(
            (
                (dict(zip(self._dimensions, key[1:], strict=True)), amount)
                for key, amount in after.items()
                if key[0] == CONTACT and (shown is None or self.shown(key) == shown)
            ),
            self.thetas,
        )
        if found is None:
            return None, None, None
        return found.amount_minor, found.low_minor, found.high_minor


def _sums(place: Ints, amounts: Ints, count: int) -> list[int]:
    """Return exact sums by place."""
    found = np.zeros(count, np.int64)
    np.add.at(found, place, amounts)
    return [int(amount) for amount in found]


def _filters(scope: Scope) -> dict[str, tuple[str, ...]]:
    return {name: each for name, each in scope.filters().items() if name in CONTACT_DIMENSIONS}


CHANNELS: Final = SheetReport(
    name="channels",
    title="Attribution",
    summary="What contacts earned of orders, under any model, with what nobody earned.",
    make=make,
    dimensions=CONTACT_DIMENSIONS,
    options={
        "model": f"one or more of {', '.join(CHANNEL_MODELS)}, separated by commas, or all [live]",
        "incremental": OPTION,
    },
    definitions=DEFINITIONS,
    filters=("product_class",),
    optional=("channel",),
    converts="orders",
)
