"""What was reported: the ledger as it stood when a period was closed (DEF-CLOSE, DEF-REPORTED).

Law: the entries before a closing's cut never change and none is ever added before it, so what was
reported does not move, whatever happens later. Restated is all there is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pnl.periods.names import named
from pnl.reports.model import BadRequest, Scope, Statement
from pnl.reports.period import first_instant
from pnl.reports.sql import Queryable, Row, Where
from pnl.reports.statement import statement
from processors.policy import Policy
from streams.facts import Millis

_LEDGER: Final = "v_ledger"
_ROLLUP: Final = "rollup"
_IN_LEDGER: Final = frozenset({"M1", "M2", "M3", "M5", "M8", "M9"})


class NothingReported(BadRequest):
    """The range is no period, or one that is not closed: nothing of it was reported."""


@dataclass(frozen=True, slots=True)
class Closing:
    """That a period is closed: when, and before which places of the ledger's partitions."""

    period: str
    closed_at: Millis
    epoch: int
    partitions: tuple[int, ...]
    offsets: tuple[int, ...]

    def limit(self, where: Where) -> Where:
        """Limit ledger rows to what was reported."""
        return before_cut(where, self.epoch, self.partitions, self.offsets)

    def beyond(self, where: Where) -> Where:
        """Limit ledger rows to what came after."""
        before = before_cut(Where(), self.epoch, self.partitions, self.offsets)
        return where.also(f"NOT ({before})", **before.parameters)


def before_cut(
    where: Where, epoch: int, partitions: Sequence[int], offsets: Sequence[int]
) -> Where:
    """Limit rows of an output to those that lie before a place in each of its partitions.

    Every life of the log before `epoch` is before the cut; a partition not named has nothing.
    """
    if not partitions:
        return where.also("log_epoch < {cut_epoch:UInt64}", cut_epoch=epoch)
    return where.also(
        "(log_epoch < {cut_epoch:UInt64} OR (log_epoch = {cut_epoch:UInt64} AND log_offset <"
        " transform(toInt64(log_partition), {cut_partitions:Array(Int64)},"
        " {cut_offsets:Array(Int64)}, toInt64(0))))",
        cut_epoch=epoch,
        cut_partitions=list(partitions),
        cut_offsets=list(offsets),
    )


def closings(store: Queryable) -> dict[str, Closing]:
    """Return the closed periods by name."""
    rows = store.query(
        "SELECT period, toUnixTimestamp64Milli(closed_at) AS at, log_epoch, cut_partitions,"
        " cut_offsets FROM v_periods ORDER BY period"
    )
    return {
        row["period"]: Closing(
            row["period"],
            row["at"],
            row["log_epoch"],
            tuple(row["cut_partitions"]),
            tuple(row["cut_offsets"]),
        )
        for row in rows
    }


def is_period(scope: Scope) -> bool:
    """Return whether a scope's range is a month, a quarter or a year, so that it can be closed."""
    return named(scope.start, scope.end) is not None


def closing_if_any(store: Queryable, scope: Scope) -> Closing | None:
    """Return the closing of a scope's range, None if it is no period or not closed."""
    period = named(scope.start, scope.end)
    return None if period is None else closings(store).get(period.name)


def closing_of(store: Queryable, scope: Scope) -> Closing:
    """Return the closing of a scope's range; NothingReported if it is none that is closed."""
    period = named(scope.start, scope.end)
    if period is None:
        raise NothingReported(
            "Only a month, a quarter or a year is closed: give --month, --quarter or --year."
        )
    found = closing_if_any(store, scope)
    if found is None:
        raise NothingReported(
            f"{period.name} is not closed, so nothing of it was reported yet;"
            f" `pnl close {period.name}` closes it."
        )
    return found


class LedgerAsReported:
    """A store whose ledger ends where a period was closed; all else is as it is now.

    Roll-ups are sums of the whole ledger, so for us there are none.
    """

    def __init__(self, store: Queryable, closing: Closing) -> None:
        self._store = store
        self._limit = closing.limit(Where())

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Return the rows of a SELECT, those of `v_ledger` limited to what was reported."""
        if _ROLLUP in sql:
            return []
        return self._store.query(self._limited(sql), self._with_cut(parameters))

    def integers(
        self, columns: Sequence[str], rows: str, parameters: Mapping[str, Any] | None = None
    ) -> NDArray[np.int64]:
        """Return integer expressions over such rows as a matrix, a row per row."""
        assert _ROLLUP not in rows
        return self._store.integers(columns, self._limited(rows), self._with_cut(parameters))

    def _limited(self, sql: str) -> str:
        cut = f"(SELECT * FROM {_LEDGER} WHERE {self._limit})"
        return re.sub(rf"\b{_LEDGER}\b", lambda _: cut, sql)

    def _with_cut(self, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        return {**(parameters or {}), **self._limit.parameters}


def reported_statement(
    store: Queryable, policy: Policy, as_of: Millis | None, scope: Scope, by: Sequence[str] = ()
) -> Statement:
    """Return the statement of a closed period as it was; BadRequest if it is no closed period.

    All days of the period count, whatever *as of* was. Of the memo only what the ledger tells is
    known as it was.
    """
    closing = closing_of(store, scope)
    assert scope.end is not None
    end = first_instant(scope.end, policy.zone)
    until = end if as_of is None else max(as_of, end)
    found = statement(LedgerAsReported(store, closing), policy, until, scope, by)
    return replace(
        found,
        as_of=as_of,
        memo=tuple(memo for memo in found.memo if memo.memo in _IN_LEDGER),
        view="reported",
        closed_at=closing.closed_at,
    )
