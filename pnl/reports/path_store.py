"""Orders' paths and credits read from the store as columns, for every report that splits again.

Law: what is read here adds up to the orders' net revenue: credits that stand whatever the model
(sold in a contact, or the centre's), and paths that a model splits. What neither gives anybody is
unattributed. An order that nobody could earn from (late, or sold in a contact we do not know) has
no path here, under any model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pnl.reports.model import CONTACT_DIMENSIONS, Scope
from pnl.reports.sql import (
    COLUMN_OF,
    Bounds,
    Queryable,
    Row,
    Where,
    during,
    in_currency,
    instant,
)
from processors.order_lines import SHARED_CLASSES
from processors.path_models import Ints, Paths, Touches, Walks
from streams.facts import Millis

Values = Mapping[str, str]
"""A contact's dimensions."""

_SPLIT: Final = "sold_in = '' AND has({shared:Array(String)}, class)"
_PATH_COLUMNS: Final = (
    *("unit", "place", "age_ms", "handle_ms", "case_number"),
    *("gross", "net", "lookback_ms", "reinterpretAsInt64(code)"),
)


@dataclass(frozen=True, slots=True)
class StoredPaths:
    """Paths whose `channel` is a place in `values`; and the lookback of each unit."""

    paths: Paths
    lookback_ms: Ints
    values: tuple[Values, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """Credits by dimensions: as booked, and the part that no model moves (`pinned`)."""

    values: Values
    is_centre: bool
    booked_minor: int
    pinned_minor: int


class PathStore:
    """Reads the orders placed in a scope; `dimensions` are those of contacts to tell apart."""

    def __init__(
        self, store: Queryable, scope: Scope, bounds: Bounds, dimensions: Sequence[str]
    ) -> None:
        assert set(dimensions) <= set(CONTACT_DIMENSIONS)
        self._store = store
        self._dimensions = tuple(dimensions)
        self._bounds = bounds
        where = in_currency(during(Where(), "occurred_at", bounds), scope.currency)
        where = where.also("1", shared=list(SHARED_CLASSES))
        self._orders = where
        self._classes = Where()
        if scope.product_class:
            self._classes = self._classes.also(
                "has({classes:Array(String)}, class)", classes=list(scope.product_class)
            )
        columns = [COLUMN_OF[name] for name in self._dimensions]
        self._code = f"cityHash64({', '.join(columns)})" if columns else "toUInt64(0)"
        self._columns = columns

    def net_minor(self) -> int:
        """Return the orders' net revenue, refunds taken off."""
        (row,) = self._store.query(
            "SELECT sum(toInt128(net)) AS net FROM v_attributions"
            " ARRAY JOIN classes AS class, class_net_minor AS net"
            f" WHERE {self._orders} AND {self._classes}",
            self._parameters(),
        )
        return int(row["net"])

    def fixed(self) -> list[Fixed]:
        """Return the credits as booked, by dimensions, the centre's apart."""
        credited = (
            "SELECT customer_id, credit_contact_ids AS contact_id, sold_in, class,"
            " toInt128(credit) AS credit FROM v_attributions"
            " ARRAY JOIN credit_contact_ids, credit_classes AS class, credits_minor AS credit"
            f" WHERE {self._orders} AND {self._classes} AND credit != 0"
        )
        listed = ", ".join([*self._columns, "is_centre"])
        rows = self._store.query(
            f"SELECT {listed}, sum(credit) AS booked, sumIf(credit, NOT ({_SPLIT})) AS pinned"
            f" FROM (SELECT *, contact_id = '' AS is_centre FROM ({credited})) AS credited"
            f" LEFT JOIN ({self._contacts()}) AS contacts USING (contact_id, customer_id)"
            f" GROUP BY {listed} ORDER BY {listed}",
            self._parameters(),
        )
        return [
            Fixed(self._values(row), bool(row["is_centre"]), row["booked"], row["pinned"])
            for row in rows
        ]

    def paths(self, window_ms: int | None = None) -> StoredPaths:
        """Return what a model may split: contacts within the booked lookback, or a window."""
        parameters = self._parameters()
        limit = "lookback_ms"
        if window_ms is not None:
            limit = "{window_ms:Int64}"
            parameters["window_ms"] = window_ms
        in_time = "arrayExists(age -> age <= lookback_ms, ages)"
        units = (
            "SELECT rowNumberInAllBlocks() AS unit, customer_id, gross, net, lookback_ms,"
            " path_contact_ids, path_case_ids, path_handle_ms, ages"
            " FROM (SELECT customer_id, sold_in, sold_unknown, credit_classes, path_contact_ids,"
            " path_case_ids, path_handle_ms, class, gross, net, lookback_ms,"
            " arrayMap(ended -> dateDiff('millisecond', ended, occurred_at), path_ended_at) AS ages"
            " FROM v_attributions ARRAY JOIN classes AS class,"
            " class_gross_minor AS gross, class_net_minor AS net,"
            f" class_lookback_ms AS lookback_ms WHERE {self._orders} AND {self._classes})"
            f" WHERE {_SPLIT} AND NOT sold_unknown"
            f" AND NOT ({in_time} AND NOT has(credit_classes, class))"
        )
        contacts = (
            "SELECT unit, place, customer_id, contact_id, age_ms, handle_ms, case_number, gross,"
            f" net, lookback_ms FROM ({units})"
            " ARRAY JOIN arrayEnumerate(path_contact_ids) AS place,"
            " path_contact_ids AS contact_id, ages AS age_ms, path_handle_ms AS handle_ms,"
            " arrayMap(id -> if(id = '' OR countEqual(path_case_ids, id) = 1, 0,"
            " indexOf(path_case_ids, id)), path_case_ids)"
            f" AS case_number WHERE age_ms <= {limit}"
        )
        found = self._store.integers(
            _PATH_COLUMNS,
            f"SELECT * FROM ({contacts}) AS path"
            f" LEFT JOIN ({self._contacts(', ' + self._code + ' AS code')}) AS contacts"
            " USING (contact_id, customer_id)",
            parameters,
        )
        return self._sorted(found)

    def _sorted(self, found: Ints) -> StoredPaths:
        """Return the rows as columns, by unit and place; units are numbered anew from 0."""
        found = _in_order(found)
        unit = found[:, 0]
        is_new = np.ones(len(unit), np.bool_)
        is_new[1:] = unit[1:] != unit[:-1]
        channel, values = self._named(found[:, 8])
        of_unit = found[is_new]
        paths = Paths(
            unit=np.cumsum(is_new) - 1,
            age_ms=found[:, 2],
            handle_ms=found[:, 3],
            case=found[:, 4],
            channel=channel,
            gross_minor=of_unit[:, 5],
            net_minor=of_unit[:, 6],
        )
        return StoredPaths(paths, of_unit[:, 7], values)

    def nulls(self, as_of: Millis | None, longest_ms: int) -> tuple[Ints, Ints, tuple[Values, ...]]:
        """Return the paths that led to no order: number of walk and channel of each step.

        A walk is a customer's handled and matured chains that are in no order's path and sold
        nothing themselves, by touchpoint and time, cut where more than `longest_ms` lies between
        two.
        """
        where = during(Where(), "ended_at", self._bounds).also(
            f"handled AND matures_at <= {instant('as_of')}", as_of=as_of or 0
        )
        served = (
            "SELECT contact_id, customer_id FROM v_attributions ARRAY JOIN"
            " arrayPushBack(path_contact_ids, sold_in) AS contact_id"
        )
        steps = (
            "SELECT customer_id, max((ended_ms, contact_id, code)) AS step FROM (SELECT"
            f" contact_id, customer_id, {self._code} AS code, case_id,"
            " toUnixTimestamp64Milli(ended_at) AS ended_ms"
            f" FROM v_contacts WHERE {where}) AS chains LEFT ANTI JOIN ({served}) AS served"
            " USING (contact_id, customer_id)"
            " GROUP BY customer_id, if(case_id = '', contact_id, case_id), case_id = ''"
        )
        walks = (
            "SELECT rowNumberInAllBlocks() AS walk, steps"
            f" FROM (SELECT arraySort(groupArray(step)) AS steps FROM ({steps})"
            " GROUP BY customer_id)"
        )
        found = self._store.integers(
            ("walk", "place", "step.1", "reinterpretAsInt64(step.3)"),
            f"SELECT walk, place, step FROM ({walks})"
            " ARRAY JOIN arrayEnumerate(steps) AS place, steps AS step",
            dict(where.parameters),
        )
        found = _in_order(found)
        is_new = np.ones(len(found), np.bool_)
        is_new[1:] = (found[1:, 0] != found[:-1, 0]) | (found[1:, 2] - found[:-1, 2] > longest_ms)
        return np.cumsum(is_new) - 1, *self._named(found[:, 3])

    def _contacts(self, more: str = "") -> str:
        """Return the query of all chains with their dimensions."""
        listed = ", ".join(["contact_id", "customer_id", *self._columns])
        return f"SELECT {listed}{more} FROM v_contacts"

    def _named(self, code: Ints) -> tuple[Ints, tuple[Values, ...]]:
        """Return each code's place among the dimensions that are met, and these.

        A chain that the store does not hold has no dimensions, and the code 0.
        """
        listed = ", ".join(self._columns)
        rows: list[Row] = []
        if listed:
            rows = self._store.query(
                f"SELECT reinterpretAsInt64({self._code}) AS code, {listed}"
                f" FROM v_contacts GROUP BY {listed} ORDER BY code"
            )
        codes = np.array([row["code"] for row in rows], np.int64)
        assert len(np.unique(codes)) == len(codes), "two sets of dimensions have one code"
        place = np.zeros(len(code), np.int64)
        if rows:
            near = np.minimum(np.searchsorted(codes, code), len(codes) - 1)
            place = np.where(codes[near] == code, near + 1, 0)
        is_met = np.bincount(place, minlength=len(rows) + 1) > 0
        values = (dict.fromkeys(self._dimensions, ""), *(self._values(row) for row in rows))
        met = tuple(each for each, is_one in zip(values, is_met, strict=True) if is_one)
        return (np.cumsum(is_met) - 1)[place], met

    def _values(self, row: Row) -> Values:
        return {name: row[COLUMN_OF[name]] for name in self._dimensions}

    def _parameters(self) -> dict[str, object]:
        return {**self._orders.parameters, **self._classes.parameters}


def _in_order(found: Ints) -> Ints:
    """Return rows by their first two columns, none of them negative, both below 2^31."""
    return found[np.argsort((found[:, 0] << 31) | found[:, 1])]


def walks_of(
    stored: StoredPaths,
    found: Touches,
    nulls: tuple[Ints, Ints, tuple[Values, ...]],
    by: Sequence[str],
) -> tuple[Walks, tuple[tuple[str, ...], ...], Ints]:
    """Return all paths as walks over the values of `by`, these values, and each code's place.

    `found` are the paths' touchpoints, `nulls` what `PathStore.nulls` returned.

    A unit converts if its net is above zero: what was wholly refunded is no conversion.
    """
    null_walk, null_channel, null_values = nulls
    keys: dict[tuple[str, ...], int] = {}
    places = [
        np.array(
            [keys.setdefault(tuple(each[name] for name in by), len(keys)) for each in values],
            dtype=np.int64,
        )
        for values in (stored.values, null_values)
    ]
    units = len(stored.paths.net_minor)
    converted = (stored.paths.net_minor > 0).astype(np.int64)
    null_count = int(null_walk[-1]) + 1 if len(null_walk) else 0
    walks = Walks(
        walk=np.concatenate((found.unit, null_walk + units)),
        channel=np.concatenate((places[0][found.channel], places[1][null_channel])),
        converted=np.concatenate((converted, np.zeros(null_count, np.int64))),
        null=np.concatenate((1 - converted, np.ones(null_count, np.int64))),
        channels=len(keys),
    )
    return walks, tuple(keys), places[0]
